"""Prompts are edited without loss: what cannot be read is kept, what waits is told and can be dropped."""

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Said

Call, Paint, Npz = Callable[..., Said], Callable[..., Path], Callable[..., str]


@pytest.fixture
def finished(promptlab: Call, photos: Path) -> Path:
    """A finished run of the photos."""
    return Path(promptlab("run", str(photos), "--templates", "simple", "--json").json["run"]).resolve()


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets $EDITOR to a sed script."""

    def use(script: str) -> None:
        monkeypatch.setenv("EDITOR", f"sed -i -e {shlex.quote(script)}")

    return use


def test_an_edit_is_saved_and_waits(promptlab: Call, finished: Path, editor: Callable[[str], None]) -> None:
    editor("s/{{ name }}/small {{ name }}/")
    assert promptlab("prompts", "edit", "--json").json == {"saved": str(Path("runs", finished.name, "prompts-edited.toml"))}
    found = promptlab("prompts", "list", "--json").json
    assert found["edited"] is True
    assert any("small {{ name }}" in source for source in found["templates"])
    assert "edited: the next" in promptlab("prompts", "list").out
    assert not (finished / "prompts-being-edited.toml").exists()


def test_a_typo_does_not_throw_the_edit_away(promptlab: Call, finished: Path, editor: Callable[[str], None]) -> None:
    editor("s/templates = \\[/templates = [ oops/")
    said = promptlab("prompts", "edit")
    kept = finished / "prompts-being-edited.toml"
    assert said.code == 2
    assert kept.name in said.err
    assert "kept there" in said.err
    assert "oops" in kept.read_text()
    editor("s/ oops//;s/{{ name }}/small {{ name }}/")
    assert promptlab("prompts", "edit").code == 0
    assert "small {{ name }}" in (finished / "prompts-edited.toml").read_text()
    assert not kept.exists()


def test_an_edit_that_changes_nothing_is_none(promptlab: Call, finished: Path, editor: Callable[[str], None]) -> None:
    editor("s/x/x/")
    assert "Nothing changed" in promptlab("prompts", "edit").out
    assert promptlab("prompts", "list", "--json").json["edited"] is False


@pytest.mark.parametrize("broken", [b"templates = [", b'templates = ["caf\xe9 {}"]', b'templates = ["{} {{ name"]'])
def test_a_broken_file_is_told_and_can_be_edited(promptlab: Call, finished: Path, editor: Callable[[str], None], broken: bytes) -> None:
    (finished / "prompts-edited.toml").write_bytes(broken)
    said = promptlab("prompts", "list")
    assert said.code == 2
    assert "Something broke" not in said.err
    editor('c templates = ["a photo of {}."]')
    assert promptlab("prompts", "edit").code == 0
    assert promptlab("prompts", "list", "--json").json["templates"] == ["a photo of {{ name }}."]


def test_an_editor_that_fails_says_what_to_do(promptlab: Call, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in ("false", "no-such-editor"):
        monkeypatch.setenv("EDITOR", program)
        said = promptlab("prompts", "edit")
        assert said.code == 2
        assert "Set EDITOR" in said.err
        assert "--help" not in said.err


def test_edits_can_be_dropped(promptlab: Call, finished: Path) -> None:
    before = promptlab("prompts", "list", "--json").json
    promptlab("prompts", "rename", "red", "crimson")
    assert promptlab("prompts", "reset", "--json").json["dropped"] is True
    assert promptlab("prompts", "list", "--json").json == before
    assert promptlab("prompts", "reset").out == "No edits are waiting.\n"


def test_templates_given_beside_edits_are_warned_of(promptlab: Call, finished: Path) -> None:
    promptlab("prompts", "add", "a drawing of my {}.")
    said = promptlab("run", "--templates", "plain")
    assert said.code == 0
    assert "The prompts were edited" in said.err
    assert "The prompts were edited" not in promptlab("run", "--run", finished.name).err


def test_a_class_whose_folder_is_no_utf8_can_be_renamed(promptlab: Call, paint: Paint) -> None:
    paint(Path("photos"))
    os.rename(b"photos/red", b"photos/c\\af\xe9")
    run = Path(promptlab("run", "photos", "--templates", "plain", "--json").json["run"])
    assert promptlab("prompts", "rename", os.fsdecode(b"c\\af\xe9"), "coffee").code == 0
    assert promptlab("prompts", "list", "--json").code == 0
    said = promptlab("run", "--json")
    assert said.code == 0, said.err
    rows = json.loads(Path(said.json["run"], "classes.json").read_text())
    assert "coffee" in [row["class"] for row in rows]
    assert Path(said.json["run"]) != run


@pytest.mark.parametrize("words", [("rename", "red", "caf\udce9"), ("add", "caf\udce9 {}")], ids=["rename", "add"])
def test_what_is_no_text_is_refused(promptlab: Call, finished: Path, words: tuple[str, ...]) -> None:
    said = promptlab("prompts", *words)
    assert said.code == 2
    assert "no UTF-8" in said.err
    assert promptlab("prompts", "list", "--json").json["edited"] is False


def test_a_run_without_prompts_has_none_to_edit(promptlab: Call, npz: Npz) -> None:
    promptlab("run", npz())
    for verb in ("edit", "list"):
        said = promptlab("prompts", verb)
        assert said.code == 2
        assert "no prompts of its own" in said.err


def test_lint_looks_at_names_and_templates_that_are_given(promptlab: Call, photos: Path) -> None:
    Path("mine.txt").write_text("a {color} {}\nthe {}\nthe {}\n")
    Path("names.tsv").write_text("red\tcrimson_tide\n")
    said = promptlab("prompts", "lint", str(photos), "--templates", "mine.txt", "--classes", "names.tsv", "--json")
    assert [check["name"] for check in said.json] == ["underscored-names", "braces-left", "equal-templates"]
    found = promptlab("run", str(photos), "--templates", "mine.txt", "--json").json
    assert "braces-left" in [check["name"] for check in found["health"]]
    assert "braces-left" in promptlab("prompts", "lint").out
    assert "braces-left" not in promptlab("prompts", "lint", "--templates", "plain").out
