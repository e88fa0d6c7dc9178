"""`promptlab plugins`, and the options that say which plugins take part."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from .conftest import Said

Promptlab = Callable[..., Said]
RULE = (
    "from promptlab import Rule, hookimpl\n@hookimpl\ndef promptlab_rules():\n    return [Rule('{}', lambda c: c.true, about='[b]\\x1b')]\n"
)


@pytest.fixture
def folder() -> str:
    """A plugins folder with a sound plugin and a broken one."""
    Path("mine").mkdir()
    Path("mine/sound.py").write_text(RULE.format("own"))
    Path("mine/broken.py").write_text("import nothing_of_this_name\n")
    return "mine"


def test_the_list_shows_state_and_additions(promptlab: Promptlab, folder: str) -> None:
    said = promptlab("plugins", "--plugins-dir", folder)
    assert said.code == 0
    rows = {line.split()[0]: line for line in said.out.splitlines() if line.strip()}
    assert "rules: own" in rows["sound"]
    assert " failed " in rows["broken"]
    assert "works" in rows["demo"]
    assert "promptlab plugins info NAME" in said.out
    (told,) = [event["text"] for event in said.events]
    assert "The plugin 'broken' (" in told


def test_info_tells_the_fault(promptlab: Promptlab, folder: str) -> None:
    said = promptlab("plugins", "info", "broken", "--plugins-dir", folder, "--quiet")
    assert "ModuleNotFoundError: No module named 'nothing_of_this_name'" in said.out
    assert promptlab("plugins", "info", "demo", "--json").json[0]["hooks"]["promptlab_encoders"] == ["mini"]
    assert promptlab("plugins", "info", "dmeo").code == 2


@pytest.mark.parametrize("before", [True, False])
def test_the_options_may_be_said_before_the_verb_or_after_it(promptlab: Promptlab, folder: str, before: bool) -> None:
    flags, verb = ["--plugins-dir", folder, "--disable-plugin", "broken", "--disable-plugin", "local"], ["rules", "--json"]
    said = promptlab(*flags, *verb) if before else promptlab(*verb, *flags)
    assert (said.code, said.err) == (0, "")
    assert "own" in {rule["name"] for rule in said.json}
    assert not {name for name in os.environ if name.endswith(("_PLUGINS", "PLUGINS_DIR"))}


def test_an_outsiders_words_are_shown_safely(promptlab: Promptlab, folder: str) -> None:
    assert "\x1b" not in promptlab("rules", "--plugins-dir", folder).out


def test_without_plugins_only_promptlabs_own_is_there(promptlab: Promptlab) -> None:
    assert [one["state"] for one in promptlab("plugins", "--no-plugins", "--json").json] == ["disabled"] * 3
    assert promptlab("datasets", "--no-plugins", "--json").json[0]["plugin"] == "promptlab"
    assert promptlab("run", "everyday", "--no-plugins").code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("datasets", "--strict-plugins"), 3, "Error: The plugin 'broken'"),
        (("datasets", "--disable-plugin", "nobody"), 2, "Error: There is no plugin named 'nobody'."),
        (("score", "everyday", "--rule", "nobody"), 2, "Error: There is no rule named 'nobody'."),
        (("rules",), 0, ""),
    ],
)
def test_exit_codes(promptlab: Promptlab, folder: str, arguments: tuple[str, ...], code: int, said: str) -> None:
    found = promptlab(*arguments, "--plugins-dir", folder)
    assert found.code == code
    assert said in found.err


def test_a_rule_that_was_asked_for_and_fails_ends_with_a_plugin_fault(promptlab: Promptlab) -> None:
    Path("mine").mkdir()
    Path("mine/odd.py").write_text(RULE.format("odd").replace("c.true", "c.nothing"))
    said = promptlab("score", "everyday", "--rule", "odd", "--templates", "plain", "--plugins-dir", "mine")
    assert said.code == 3
    assert "Error: The plugin 'odd' failed in the rule 'odd': AttributeError" in said.err
    assert "--disable-plugin odd" in said.err


def test_every_command_takes_the_options_of_plugins() -> None:
    from promptlab.cli.main import cli

    def commands(command: click.Command) -> Iterator[click.Command]:
        yield command
        for inner in command.commands.values() if isinstance(command, click.Group) else ():
            yield from commands(inner)

    assert not [c.name for c in commands(cli) if not {"plugins_dir", "load_plugins"} <= {option.name for option in c.params}]


def test_what_a_plugin_prints_is_no_result(promptlab: Promptlab, folder: str) -> None:
    Path(folder, "loud.py").write_text("print('hello')\n" + RULE.format("loud").replace("    return", "    print('hello')\n    return"))
    said = promptlab("rules", "--plugins-dir", folder, "--json")
    assert "loud" in {rule["name"] for rule in said.json}
    assert said.err.count("hello") == 2


def test_options_said_twice(promptlab: Promptlab, folder: str) -> None:
    Path("more").mkdir()
    Path("more/other.py").write_text(RULE.format("other"))
    both = ("--strict-plugins", "--disable-plugin", "broken")
    said = promptlab("--plugins-dir", folder, *both, "rules", "--plugins-dir", "more", *both)
    assert (said.code, said.err) == (0, "")
    assert {"own", "other"} <= {line.split()[0] for line in said.out.splitlines() if line.strip()}
