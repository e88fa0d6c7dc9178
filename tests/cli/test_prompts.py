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


# -- edits that can be undone ---------------------------------------------------------------------------------------------------------

PLAIN = "a photo of a {}."


def rows(promptlab: Call, class_: str) -> list[tuple[str, str, bool]]:
    return [(row["family"], row["text"], row["own"]) for row in promptlab("prompts", "show", class_, "--json").json]


def kept(run: Path) -> dict[str, bytes]:
    """What the run says of its prompts."""
    return {
        name: (run / name).read_bytes() for name in ("prompts.toml", "prompts-edited.toml", "descriptions.jsonl") if (run / name).exists()
    }


def test_every_edit_is_undone_and_done_again(promptlab: Call, finished: Path) -> None:
    before, states = kept(finished), list[dict[str, bytes]]()
    family = promptlab("prompts", "show", "red", "--json").json[0]["family"]
    for words in (
        ("text", "red", family, "something red"),
        ("toggle", family),
        ("add", "a drawing of my {}."),
        ("remove", "a drawing of my {}."),
        ("rename", "red", "crimson"),
        ("rename", "red"),
        ("describe", "red", "like blood"),
        ("describe", "red", "like wine", "--instead-of", "like blood"),
        ("leave", "red"),
        ("use", "red", "like wine"),
        ("describe", "red", "like wine", "--remove"),
    ):
        states.append(kept(finished))
        said = promptlab("prompts", *words, "--json")
        assert said.code == 0, said.err
        assert Path(said.json["saved"]).exists()
        assert kept(finished) != states[-1]
    last = kept(finished)
    for n, state in reversed(list(enumerate(states))):
        assert promptlab("prompts", "undo", "--json").json["done"] == n
        assert kept(finished) == state
    assert kept(finished) == before
    assert promptlab("prompts", "undo").out == "Nothing to undo.\n"
    for _ in states:
        assert promptlab("prompts", "redo", "--quiet").out.startswith("Done again: ")
    assert promptlab("prompts", "redo", "--json").json["edit"] is None
    assert kept(finished) == last


def test_a_new_run_has_texts_of_their_own_and_no_family_set_aside(promptlab: Call, finished: Path) -> None:
    first, second = (row["family"] for row in promptlab("prompts", "show", "red", "--json").json[:2])
    before, made_with = kept(finished), promptlab("prompts", "list", "--json").json
    promptlab("prompts", "text", "red", first, "something\x07 <red>")
    promptlab("prompts", "toggle", second)
    promptlab("prompts", "describe", "red", "like blood")
    assert promptlab("prompts", "list", "--json").json["edited"] is True
    said = promptlab("run", "--json")
    assert said.code == 0, said.err
    new = Path(said.json["run"]).resolve()
    assert new != finished
    assert kept(finished) == before  # the new run has them
    found = promptlab("prompts", "list", "--json").json
    assert (found["edited"], len(found["templates"])) == (False, len(made_with["templates"]) - 1)
    assert [source for source in made_with["templates"] if source not in found["templates"]] == found["off"]
    assert list(found["texts"]["red"].values()) == ["something <red>"]
    assert rows(promptlab, "red")[:2] == [(first, "something <red>", True), (first, "something <red>, like blood.", False)]
    assert second not in {family for family, _, _ in rows(promptlab, "red")}
    assert not any(its for _, _, its in rows(promptlab, "blue"))
    shown = promptlab("prompts", "list").out
    assert "Set aside" in shown
    assert "something <red>" in shown
    assert "own text" in promptlab("prompts", "show", "red").out
    assert "own text" not in promptlab("prompts", "show", "blue").out
    assert promptlab("prompts", "undo").out == "Nothing to undo.\n"
    assert promptlab("run", "--json").json["run"] == said.json["run"]
    lineages = [json.loads(Path(run, "result.json").read_text())["result"] for run in (finished, new)]
    assert lineages[0] != lineages[1]


def test_texts_of_classes_that_other_data_does_not_have_are_left_out(promptlab: Call, finished: Path, paint: Paint) -> None:
    family = promptlab("prompts", "show", "red", "--json").json[0]["family"]
    for name in ("red", "blue"):
        promptlab("prompts", "text", name, family, f"something {name}")
    paint(Path("others"), {"red": (200, 30, 30), "black": (0, 0, 0)})
    said = promptlab("run", "others", "--from", finished.name, "--json")
    assert said.code == 0, said.err
    assert "Descriptions and texts of 1 class that the data does not have are left out." in said.err
    assert list(promptlab("prompts", "list", "--json").json["texts"]) == ["red"]
    assert (finished / "prompts-edited.toml").exists()  # it was asked for its prompts, not to give them away


def test_an_edit_that_changes_nothing_is_told(promptlab: Call, finished: Path) -> None:
    family = promptlab("prompts", "show", "red", "--json").json[0]["family"]
    assert promptlab("prompts", "text", "red", family).out == "Nothing changed.\n"
    assert promptlab("prompts", "rename", "red", "--json").json == {"saved": None}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("text", "rde", PLAIN, "x"), "Did you mean 'red'?"),
        (("text", "red", "no such template", "x"), "There is no template named 'no such template'"),
        (("text", "", PLAIN, "x"), "There is no class named ''"),
        (("toggle", "no such template"), "There is no template named"),
        (("describe", "red", "x", "--instead-of", "y"), "named 'y'"),
        (("describe", "red", "x", "--remove"), "named 'x'"),
        (("describe", "red", "--remove"), "No TEXT was given"),
        (("describe", "red", "x", "--instead-of", "y", "--remove"), "which is meant?"),
        (("describe", "red", ""), "Nothing is left of the text"),
        (("describe", "red", "caf\udce9"), "no UTF-8"),
        (("use", "red"), "Nothing describes the class 'red'"),
        (("leave", "red", "x"), "named 'x'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_an_edit_that_cannot_be_done_is_told(promptlab: Call, finished: Path, words: tuple[str, ...], said: str) -> None:
    before = kept(finished)
    found = promptlab("prompts", *words)
    assert found.code == 2
    assert said in found.err
    assert kept(finished) == before


def test_an_empty_text_is_not_taken_for_none(promptlab: Call, finished: Path) -> None:
    family = promptlab("prompts", "show", "red", "--json").json[0]["family"]
    assert "Nothing is left" in promptlab("prompts", "text", "red", family, "").err


@pytest.mark.parametrize("hostile", ['" = [x]\n\\ \'\'\' """', "\x1b[31mred\x07", "word " * 1000, "x\u2028y\u202e"], ids=range(4))
def test_hostile_texts_are_kept_and_shown_safely(promptlab: Call, finished: Path, hostile: str) -> None:
    before = kept(finished)
    family = promptlab("prompts", "show", "red", "--json").json[0]["family"]
    assert promptlab("prompts", "text", "red", family, hostile).code == 0
    assert promptlab("prompts", "describe", "red", hostile).code == 0
    for words in (("list",), ("show", "red"), ("describe", "red"), ("undo",), ("redo",)):
        said = promptlab("prompts", *words)
        assert said.code == 0, said.err
        assert not {"\x1b", "\x07", "\u202e"} & set(said.out)
    assert promptlab("run", "--templates", "simple", "--json").code == 0
    promptlab("prompts", "--run", finished.name, "undo")
    promptlab("prompts", "--run", finished.name, "undo")
    assert kept(finished) == before


def test_what_is_said_of_a_class_is_listed(promptlab: Call, finished: Path) -> None:
    promptlab("prompts", "describe", "red", "like blood")
    promptlab("prompts", "describe", "red", "It glows.")
    promptlab("prompts", "leave", "red", "It glows.")
    found = promptlab("prompts", "describe", "red", "--json").json
    assert [(one["text"], one["use"], one["form"]) for one in found] == [("like blood", True, "phrase"), ("It glows.", False, "sentence")]
    assert "It glows." in promptlab("prompts", "describe", "red").out
    assert promptlab("prompts", "describe", "blue", "--json").json == []


def test_a_reset_brings_descriptions_back_and_forgets_the_edits(promptlab: Call, finished: Path) -> None:
    before = kept(finished)
    promptlab("prompts", "describe", "red", "like blood")
    promptlab("prompts", "rename", "red", "crimson")
    promptlab("prompts", "undo")
    assert promptlab("prompts", "reset", "--json").json["dropped"] is True
    assert kept(finished) == before
    assert promptlab("prompts", "redo").out == "Nothing to redo.\n"


def test_places_that_cannot_meet_are_told_and_can_be_undone(promptlab: Call, finished: Path) -> None:
    rows = [
        {"class": "red", "text": text, "use": text == "dark", "place": place} for text, place in (("dark", "inside"), ("wine", "beside"))
    ]
    (finished / "descriptions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert promptlab("prompts", "use", "red").code == 0
    assert "placed `inside` and others `beside`" in promptlab("prompts", "list").err
    assert promptlab("prompts", "undo").code == 0
    assert promptlab("prompts", "list").code == 0


def test_a_run_that_is_not_finished_is_edited_in_place(promptlab: Call, photos: Path) -> None:
    promptlab("score", str(photos), "--rule", "accuracy", "--templates", "simple")
    run = Path("runs/latest") if Path("runs/latest").exists() else next(Path("runs").glob("2*"))
    before = kept(run)
    promptlab("prompts", "rename", "red", "crimson")
    assert b"crimson" in kept(run)["prompts.toml"]
    promptlab("prompts", "undo")
    assert kept(run) == before
    promptlab("prompts", "redo")
    assert promptlab("run", "--json").code == 0
    assert promptlab("prompts", "undo").out == "Nothing to undo.\n"
    assert promptlab("prompts", "list", "--json").json["names"] == {"red": ["crimson"]}


def test_templates_of_a_run_are_offered(promptlab: Call, finished: Path) -> None:
    from click.shell_completion import ShellComplete

    from promptlab.cli.main import cli

    family = promptlab("prompts", "show", "red", "--json").json[0]["family"]
    promptlab("prompts", "toggle", family)
    for words in (["prompts", "toggle"], ["prompts", "remove"], ["prompts", "text", "red"]):
        found = ShellComplete(cli, {}, "promptlab", "_PROMPTLAB_COMPLETE").get_completions(words, "")
        assert family in {item.value for item in found}
