"""TAB offers names and files, fast."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from promptlab.cli import completion
from promptlab.cli.main import cli

from .conftest import Said

Call, Npz = Callable[..., Said], Callable[..., str]


def offered(*words: str) -> tuple[set[str], set[str]]:
    """(names, kinds) that TAB offers for the last word."""
    found = ShellComplete(cli, {}, "promptlab", "_PROMPTLAB_COMPLETE").get_completions(list(words[:-1]), words[-1])
    return {item.value for item in found if item.type == "plain"}, {item.type for item in found}


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("run", "every"), "everyday"),
        (("eval", ""), "everyday"),
        (("run", "--templates", "open"), "openai-80"),
        (("templates", "si"), "simple"),
        (("questions", "show", "con"), "contrast"),
        (("run", "--model", "m"), "mini"),
    ],
    ids=" ".join,
)
def test_names_are_offered_beside_files(words: tuple[str, ...], name: str) -> None:
    names, kinds = offered(*words)
    assert name in names
    assert "file" in kinds


@pytest.mark.parametrize("words", [("classify", "a"), ("run", "--classes", ""), ("classify", "--model", "x")], ids=" ".join)
def test_files_are_offered(words: tuple[str, ...]) -> None:
    assert "file" in offered(*words)[1]


@pytest.mark.parametrize(("words", "name"), [(("score", "--rule", "cmm-"), "cmm-top"), (("run", "--weights", "z"), "zpe")], ids=str)
def test_rules_and_ways_are_offered(words: tuple[str, ...], name: str) -> None:
    assert name in offered(*words)[0]


def test_runs_and_their_classes_are_offered(promptlab: Call, npz: Npz) -> None:
    run = Path(promptlab("run", npz(), "--json").json["run"]).name
    for words in (("run", "--run"), ("compare",), ("runs", "show"), ("runs", "remove"), ("prompts", "--run"), ("eval", "--run")):
        assert offered(*words, "")[0] >= {run, "latest"}
    assert "thing 0" in offered("prompts", "show", "th")[0]
    assert "thing 0" in offered("prompts", "--run", run, "rename", "th")[0]


def test_where_there_is_nothing_nothing_is_offered() -> None:
    assert offered("prompts", "show", "") == (set(), set())
    assert offered("run", "--run", "2")[0] == set()


def test_what_is_written_down_is_what_there_is() -> None:
    from promptlab.lab import Lab
    from promptlab.score.weighting import WAYS

    assert {rule.partition("/")[0] for rule in completion.RULES} - {"hit@5"} == set(Lab(plugins=False).rules)
    assert set(completion.WAYS) - {"top-3"} == set(WAYS)


def test_tab_imports_no_torch() -> None:
    code = """
import sys, json
from click.shell_completion import ShellComplete
from promptlab.cli.main import cli
for words in (["run"], ["run", "--templates"], ["run", "--model"], ["run", "--run"], ["prompts", "show"], ["score", "--rule"]):
    ShellComplete(cli, {}, "promptlab", "_PROMPTLAB_COMPLETE").get_completions(words, "")
print(json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert not {"torch", "open_clip", "scipy"} & set(json.loads(done.stdout))


def test_every_argument_and_name_has_something_to_offer() -> None:
    silent = []
    for name, command in cli.commands.items():
        for parameter in command.params:
            plain = type(parameter.type) is type(click.STRING)
            if plain and (isinstance(parameter, click.Argument) or parameter.name in ("templates", "model", "run_name", "classes")):
                silent.append(f"{name} {parameter.name}")
    assert silent == ["models search"]
