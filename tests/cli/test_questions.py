"""What a language model would be asked can be read before anybody is asked."""

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Said

Call = Callable[..., Said]
PACK = """
version = 2
form = "phrase"
list = "phrases"
system = "Be\\u001b[31m brief."
ask = "Tell of {{ name }},\\nnot of {{ rivals | listed }}."
max_tokens = 200
temperature = 0
schema = {type = "object", required = ["phrases"], properties = {phrases = {type = "array", items = {type = "string"}}}}
"""


def test_the_packs_are_listed(promptlab: Call) -> None:
    found = promptlab("questions", "list", "--json").json
    assert [pack["name"] for pack in found] == ["contrast", "features", "rename", "senses"]
    assert found[0] == {"name": "contrast", "version": 1, "about": found[0]["about"], "from": "promptlab"}
    assert found[0]["about"] in promptlab("questions", "list").out


@pytest.mark.parametrize("pack", ["contrast", "features", "senses", "rename"])
def test_a_question_is_shown_as_it_is_sent(promptlab: Call, pack: str) -> None:
    said = promptlab("questions", "show", pack)
    shown = promptlab("questions", "show", pack, "--json").json
    assert shown["pack"] == f"{pack}@1"
    assert "crane" in shown["ask"]
    assert "{{" not in shown["ask"]
    assert all(line in said.out for line in (shown["system"], *shown["ask"].splitlines()))
    assert f"Up to {shown['max_tokens']} tokens at temperature {shown['temperature']:g}" in said.out
    assert shown["schema"]["required"] == [shown["list"]]


def test_a_pack_of_one_s_own_is_shown(promptlab: Call) -> None:
    Path("mine.toml").write_text(PACK)
    said = promptlab("questions", "show", "mine.toml")
    assert said.code == 0
    assert '  Tell of crane,\n  not of "heron" and "stork".\n' in said.out
    assert "Be\\x1b[31m brief." in said.out
    assert "\x1b" not in said.out
    shown = promptlab("questions", "show", "mine.toml", "--json").json
    assert (shown["pack"], shown["about"], shown["from"], shown["temperature"]) == ("mine@2", "", "mine.toml", 0)


def test_a_pack_that_cannot_be_used_is_a_plain_error(promptlab: Call) -> None:
    Path("mine.toml").write_text(PACK.replace("version = 2", "version = 0"))
    said = promptlab("questions", "show", "mine.toml")
    assert said.code == 2
    assert "'mine.toml': `version` is 0; 1 to 1000000 was expected." in said.err
    said = promptlab("questions", "show", "contrat")
    assert said.code == 2
    assert "Did you mean 'contrast'?" in said.err
