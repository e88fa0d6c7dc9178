"""What is said without being asked: help for bare commands, warnings about the environment, outputs that cannot be written."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import SCRIPT, Said

Call = Callable[..., Said]


@pytest.mark.parametrize("words", [(), ("prompts",)], ids=["promptlab", "promptlab prompts"])
def test_a_bare_command_prints_its_help_as_it_is(promptlab: Call, words: tuple[str, ...]) -> None:
    said = promptlab(*words)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("Usage: ")
    assert "\nCommands:\n" in said.out
    assert said.out == promptlab(*words, "--help").out


@pytest.mark.parametrize("words", ["plugins", "runs", "questions"])
def test_a_bare_group_of_things_lists_them(promptlab: Call, words: str) -> None:
    assert promptlab(words, "--json").json == promptlab(words, "list", "--json").json
    assert promptlab(words).out == promptlab(words, "list").out


def test_a_misspelt_variable_is_told_with_the_nearest(promptlab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLAB_TEMPLATE", "plain")
    for words in (("doctor",), ("templates", "plain"), ("runs",)):
        said = promptlab(*words)
        assert said.code == 0
        assert [event["event"] for event in said.events] == ["noted"]
        assert "PROMPTLAB_TEMPLATE is no setting" in said.err
        assert "PROMPTLAB_TEMPLATES" in said.err


def test_variables_of_ours_are_no_reason_to_warn(promptlab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLAB_SEED", "3")
    monkeypatch.setenv("PROMPTLABELS", "x")
    assert promptlab("templates").err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [("templates", "openai-80"), ("--help",)], ids=" ".join)
def test_a_full_disk_under_the_output_is_a_plain_error(words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([SCRIPT, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["Error: 'The output' cannot be read or written: No space left on device."]
