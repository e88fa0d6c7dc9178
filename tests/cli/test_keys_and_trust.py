"""`keys` and `trust`: what they show, and what they never show."""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Said

SECRET = "sk-secret-0123456789"
Call = Callable[..., Said]


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_a_key_is_set_listed_and_removed(promptlab: Call, piped: Callable[[str], None]) -> None:
    piped(f"{SECRET}\n")
    said = promptlab("keys", "set", "api.openai.com")
    assert said.code == 0, said.err
    assert "Kept the key for api.openai.com (…6789)" in said.out
    assert promptlab("keys", "--json").json == [
        {"host": "api.openai.com", "source": str(Path(os.environ["PROMPTLAB_CONFIG"]) / "keys.json"), "key": "…6789"}
    ]
    assert promptlab("doctor", "--json").json["keys"][0]["host"] == "api.openai.com"
    shown = [promptlab("keys"), promptlab("keys", "list"), promptlab("doctor"), promptlab("doctor", "--json"), said]
    assert all("api.openai.com" in one.out for one in shown)
    assert not any(SECRET in one.out + one.err for one in shown)
    assert promptlab("keys", "remove", "api.openai.com", "--json").json == {"removed": "api.openai.com"}
    assert promptlab("keys", "list", "--json").json == []
    assert promptlab("keys", "remove", "api.openai.com").code == 2


def test_a_key_is_no_argument(promptlab: Call, piped: Callable[[str], None]) -> None:
    piped("")
    for words in (("set", "api.openai.com", SECRET), ("set", SECRET), ("set",)):
        said = promptlab("keys", *words)
        assert said.code == 2
    assert promptlab("keys", "set", "api.openai.com").code == 2
    assert promptlab("keys", "list", "--json").json == []
    assert SECRET not in promptlab("keys", "set", SECRET).err


def test_on_a_terminal_it_is_asked_for_unseen(promptlab: Call, piped: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    import click

    asked: list[dict[str, object]] = []
    piped("")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(click, "prompt", lambda text, **how: asked.append({"text": text, **how}) or SECRET)
    assert promptlab("keys", "set", "https://models.example.com:8443/v1", "--json").json["host"] == "models.example.com:8443"
    assert asked == [{"text": "Key for models.example.com:8443", "hide_input": True, "err": True}]


def test_a_project_file_is_trusted_and_no_longer(promptlab: Call) -> None:
    file = Path.cwd() / "promptlab.toml"
    assert promptlab("trust").code == 2
    file.write_text('base_url = "https://models.example.com/v1"\nseed = 3\n')
    refused = promptlab("doctor")
    assert refused.code == 2
    assert "`promptlab trust`" in refused.err
    said = promptlab("trust")
    assert (said.code, said.out.splitlines()[1:]) == (0, ["  base_url = https://models.example.com/v1"])
    assert promptlab("doctor", "--json").json["settings"]["base_url"]["from"] == str(file)
    assert promptlab("trust", "--json").json == {
        "file": str(file),
        "trusted": True,
        "settings": {"base_url": "https://models.example.com/v1"},
    }
    assert promptlab("trust", "--remove", "--json").json["trusted"] is False
    assert promptlab("doctor").code == 2
    assert promptlab("trust", "--remove").code == 2


def test_trust_says_when_nothing_needs_it(promptlab: Call) -> None:
    Path("promptlab.toml").write_text("seed = 3\n")
    assert "none of the settings that need it" in promptlab("trust").out


def test_what_a_file_says_cannot_move_the_cursor(promptlab: Call) -> None:
    Path("promptlab.toml").write_text('llm = "\\u001b[2Jtiny"\n')
    said = promptlab("trust")
    assert "\x1b" not in said.out
    assert "tiny" in said.out
