"""What only the terminal UI is told: keys, how pictures are drawn, the theme that it had last."""

import os
import tomllib
from pathlib import Path

import pytest

from promptlab import config
from promptlab.config import Settings
from promptlab.errors import UsageError


def project(text: str) -> None:
    (Path.cwd() / config.FILE).write_text(text)


def test_keys_are_read_from_their_table_and_are_no_setting() -> None:
    project('k = 3\n[keys]\nquit = "q, ctrl+q"\n"class.copy" = "c"\n')
    assert config.keys() == {"quit": "q,ctrl+q", "class.copy": "c"}
    settings = Settings.load({})
    assert settings.k == 3
    assert "keys" not in settings.plain()


def test_without_a_file_or_a_table_there_are_none(tmp_path: Path) -> None:
    assert config.keys() == {}
    project("k = 3\n")
    assert config.keys() == {}
    assert config.keys(tmp_path / "nowhere") == {}


def test_a_given_folder_goes_before_this_one(tmp_path: Path) -> None:
    project('[keys]\nquit = "q"\n')
    (tmp_path / config.FILE).write_text('[keys]\nquit = "x"\n')
    assert config.keys(tmp_path) == {"quit": "x"}


def test_a_name_with_a_dot_need_not_be_quoted() -> None:
    project('[keys]\nlog.copy = "c"\n"log.loud" = "w"\n')
    assert config.keys() == {"log.copy": "c", "log.loud": "w"}


@pytest.mark.parametrize(
    "text",
    [
        "keys = 3",
        'keys = "q"',
        "[keys]\nquit = 3",
        '[keys]\nquit = ""',
        '[keys]\nquit = "a,,b"',
        '[keys]\nquit = ["q"]',
        "[keys.quit]\nx = 3",
    ],
)
def test_keys_of_a_wrong_kind_are_a_usage_error(text: str) -> None:
    project(text)
    with pytest.raises(UsageError, match=r"keys|quit"):
        config.keys()


def test_a_broken_file_is_a_usage_error() -> None:
    project("[keys\n")
    with pytest.raises(UsageError, match="cannot be read"):
        config.keys()


def test_other_tables_are_unknown_settings_as_ever() -> None:
    project('[kezs]\nquit = "q"\n')
    with pytest.raises(UsageError, match="kezs"):
        Settings.load({})


def test_the_template_with_every_line_in_force_is_a_file_with_keys_and_settings() -> None:
    lines = [line.removeprefix("# ") for line in config.template().splitlines() if line.startswith(("# [", "# quit"))]
    assert tomllib.loads("\n".join(lines)) == {"keys": {"quit": "q,ctrl+q"}}
    project(config.template().replace("# k = 0", "k = 4").replace("# [keys]", "[keys]").replace("# quit", "quit"))
    assert Settings.load({}).k == 4
    assert config.keys() == {"quit": "q,ctrl+q"}


@pytest.mark.parametrize(
    ("environment", "way"),
    [
        ({}, "blocks"),
        ({"KITTY_WINDOW_ID": "1"}, "auto"),
        ({"TERM": "xterm-kitty"}, "auto"),
        ({"TERM_PROGRAM": "ghostty"}, "auto"),
        ({"TERM": "xterm-ghostty"}, "auto"),
        ({"KITTY_WINDOW_ID": "1", "TMUX": "/tmp/x"}, "blocks"),
        ({"TERM": "xterm-kitty", "STY": "1.x"}, "blocks"),
        ({"PROMPTLAB_PICTURES": "kitty", "TMUX": "/tmp/x"}, "kitty"),
        ({"PROMPTLAB_PICTURES": "blocks", "TERM": "xterm-kitty"}, "blocks"),
        ({"PROMPTLAB_PICTURES": "auto", "TERM": "xterm-kitty"}, "auto"),
        ({"PROMPTLAB_PICTURES": "", "TERM": "xterm-kitty"}, "auto"),
    ],
)
def test_the_environment_tells_how_pictures_are_drawn(environment: dict[str, str], way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KITTY_WINDOW_ID", "TERM", "TERM_PROGRAM", "TMUX", "STY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert config.pictures() == way
    assert config.strange_variables() == {}


def test_another_way_to_draw_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLAB_PICTURES", "kity")
    with pytest.raises(UsageError, match="kity") as raised:
        config.pictures()
    assert "kitty" in raised.value.hint


def test_a_theme_is_remembered_until_the_next() -> None:
    assert config.remembered_theme() == ""
    for name in ("nord", "[/x]\x1b]52;c;aGk=\x07\udc80"):
        assert config.remember_theme(name)
        assert config.remembered_theme() == name


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"theme": 3}', b'{"theme"', b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_memory_is_none(data: bytes) -> None:
    assert config.remember_theme("nord")
    (config.config_folder() / config.SCREEN).write_bytes(data)
    assert config.remembered_theme() == ""
    assert config.remember_theme("nord")
    assert config.remembered_theme() == "nord"


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setitem(os.environ, "PROMPTLAB_CONFIG", str(tmp_path / "file" / "config"))
    assert not config.remember_theme("nord")
    assert config.remembered_theme() == ""
