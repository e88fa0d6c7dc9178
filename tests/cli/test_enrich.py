"""`promptlab enrich` on every kind of data, with every choice that it offers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faults import serving

from . import planted
from .conftest import Said
from .planted import FEW, NAMES, WORDS, knowing, of, whom

Things, Call, Paint, Npz = Callable[..., Said], Callable[..., Said], Callable[..., Path], Callable[..., str]
WORDS_FILE = ("--descriptions", "words.tsv")


@pytest.fixture
def words() -> tuple[str, ...]:
    """The flags that bring good words for `bass` and `crane`."""
    Path("words.tsv").write_text("".join(f"{name}\t{text}\n" for name in WORDS for text in WORDS[name]))
    return WORDS_FILE


def latest() -> Path:
    return (Path("runs") / "latest").resolve()


def used() -> list[dict[str, Any]]:
    return [one for line in (latest() / "descriptions.jsonl").read_text("utf-8").splitlines() if (one := json.loads(line))["use"]]


def rows(said: Said) -> dict[str, Any]:
    assert said.code == 0, said.err
    return {row["class"]: row for row in said.json["enrichment"]["classes"]}


def keep_classes(*names: str) -> None:
    """Leaves of things.npz the pictures of some classes."""
    with np.load("things.npz") as file:
        arrays = dict(file)
    which = np.isin(arrays["labels"], [NAMES.index(name) for name in names])
    labels = np.searchsorted([NAMES.index(name) for name in names], arrays["labels"][which])
    np.savez("things.npz", features=arrays["features"][which], labels=labels, names=np.array(names), encoder="mini")


def health(said: Said) -> set[str]:
    assert said.code == 0, said.err
    return {check["name"] for check in said.json["health"]}


# -- data -----------------------------------------------------------------------------------------------------------------------------


def test_without_labels_it_is_told_what_only_labels_can_say(things: Things, words: tuple[str, ...]) -> None:
    planted.plant(Path("things.npz"), labels=None)
    said = things("things.npz", "--templates", "plain", "--worst", "2", *words, "--json")
    found = rows(said)
    assert set(found) == {"bass", "crane"}  # nothing is taken for them
    assert all(row["before"] is None and row["after"] is None for row in found.values())
    assert all(one["accuracy"] is None for row in found.values() for one in row["trials"])
    assert "predictions changed. Whether for the better, only labels can say." in said.json["lead"][-1]
    assert said.json["enrichment"]["collateral"] is None
    report = (latest() / "report.md").read_text()
    assert "## Enrichment without labels, on 48 pictures that nothing was chosen on" in report
    assert "predictions changed %" in report


def test_without_labels_words_must_beat_random_ones(things: Things, monkeypatch: pytest.MonkeyPatch) -> None:
    planted.plant(Path("things.npz"), labels=None)
    Path("words.tsv").write_text("bass\ta green fish on wet grass\n")
    monkeypatch.setattr("promptlab.describing.Babble.__call__", lambda babble, n, text: text)  # random words that say the very same
    said = things("things.npz", "--templates", "plain", "--class", "bass", *WORDS_FILE, "--json")
    assert "random words do as much" in rows(said)["bass"]["verdict"]


def test_a_flat_folder_of_pictures_is_enriched(promptlab: Call, paint: Paint) -> None:
    paint(Path("photos"))
    Path("flat").mkdir()
    for path in Path("photos").rglob("*.png"):
        path.rename(Path("flat") / f"{path.parent.name}-{path.name}")
    Path("names.txt").write_text("red\ngreen leaf\nblue\n")
    Path("words.tsv").write_text("red\tas bright as fire\n")
    said = promptlab("enrich", "flat", "--classes", "names.txt", *FEW, *WORDS_FILE, "--json")
    assert rows(said)["red"]["trials"]
    assert said.json["data"]["n"] == 15


def test_in_sample_is_called_so(things: Things, words: tuple[str, ...]) -> None:
    said = things("things.npz", *FEW, *words, "--transductive")
    assert said.code == 0, said.err
    assert "Enrichment, on 96 pictures that it was chosen on: in-sample" in said.out
    assert "nothing was chosen on" not in said.out


def test_data_with_its_own_text_vectors_cannot_be_enriched(promptlab: Call, npz: Npz) -> None:
    said = promptlab("enrich", npz())
    assert said.code == 2
    assert "The text vectors of 'vectors' came with the data, so nothing can be said anew." in said.err
    assert not list(Path("runs").glob("2*"))


def test_of_two_classes_nothing_can_be_swapped_where_one_is_described(things: Things, words: tuple[str, ...]) -> None:
    keep_classes("bass", "lamp")
    said = things("things.npz", *FEW, *words, "--json")
    assert set(rows(said)) == {"bass", "lamp"}
    assert rows(said)["bass"]["rivals"] == ["lamp"]
    assert rows(said)["bass"]["verdict"].startswith("kept")
    assert rows(said)["lamp"]["verdict"] == "nothing to try"
    assert [one["control"] for one in said.json["enrichment"]["against"]] == ["random words"]


def test_one_class_alone_is_a_plain_error(things: Things, words: tuple[str, ...]) -> None:
    keep_classes("bass")
    said = things("things.npz", *FEW, *words)
    assert said.code == 1
    assert "at least two classes" in said.err
    assert not list(Path("runs").glob("2*"))


def test_a_class_with_one_picture_is_judged_with_the_others(things: Things, words: tuple[str, ...]) -> None:
    with np.load("things.npz") as file:
        arrays = dict(file)
    kept = (arrays["labels"] != 0) | (np.cumsum(arrays["labels"] == 0) == 1)
    arrays |= {name: arrays[name][kept] for name in ("features", "labels", "keys")}
    np.savez("things.npz", **arrays)
    said = things("things.npz", *FEW, "--class", "bass", "--class", "crane", *words, "--json")
    assert rows(said)["crane"]["verdict"].startswith("kept")
    assert "the mean margin of all classes does not rise" in rows(said)["bass"]["verdict"]  # its picture is on eval
    assert rows(said)["bass"]["before"] == 0.0
    assert list(rows(said)) == ["crane", "bass"]


def test_classes_of_one_name_are_each_other_s_rivals(things: Things) -> None:
    planted.plant(Path("things.npz"), names=np.array(["bass", "crane", "cup", "ewer", "lamp", "bass"]))
    with serving(knowing()) as server:
        said = things("things.npz", *FEW, "--class", "bass#2", "--rivals", "1", *whom(server), "--dry-run", "--json")
        found = things("things.npz", *FEW, "--class", "bass#2", *whom(server), "--json")
        assert {of(one) for one in server.received} == {"bass"}
    assert said.code == 0, said.err
    assert "bass" in found.json["enrichment"]["classes"][0]["rivals"]


def test_a_class_is_picked_by_name_and_an_unknown_one_is_told_at_once(things: Things, words: tuple[str, ...]) -> None:
    said = things("things.npz", *FEW, "--class", "lamp", "--class", "bass", "--class", "lamp", *words, "--json")
    assert list(rows(said)) == ["bass", "lamp"]
    said = things("things.npz", *FEW, "--class", "bas", *words)
    assert said.code == 2
    assert "There is no class named 'bas'." in said.err
    assert "Did you mean 'bass'?" in said.err
    assert "crane" in said.err


# -- choices --------------------------------------------------------------------------------------------------------------------------


def test_all_that_was_said_can_be_kept(things: Things, words: tuple[str, ...]) -> None:
    Path("words.tsv").write_text(Path("words.tsv").read_text() + "cup\ta green fish on wet grass\n")
    said = things("things.npz", *FEW, "--class", "bass", "--class", "cup", *words, "--keep", "all", "--json")
    assert {name: row["kept"] for name, row in rows(said).items()} == {"bass": True, "cup": True}


def test_somebody_at_the_terminal_chooses(things: Things, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from promptlab.cli.main import cli

    told = CliRunner().invoke(cli, ["enrich", "things.npz", *FEW, *words, "--keep", "ask", "--json", "--quiet"], input="1\nthree\n0\n")
    assert told.exit_code == 0, told.output
    said = told.stderr
    assert said.index("crane") < said.index("bass")
    assert "1. inside: margin +" in said
    assert "2. replace: margin +" in said
    assert "a tall grey bird in shallow water; a bird with long legs" in said
    assert "Keep which (0: none)? [1]" in said
    assert "'three' is not a valid integer" in said
    found = {row["class"]: row for row in json.loads(told.stdout)["enrichment"]["classes"]}
    assert found["crane"]["verdict"].startswith("kept, inside")
    assert found["bass"]["verdict"].startswith("not kept")
    assert "not wanted" in found["bass"]["verdict"]


@pytest.mark.parametrize("place", ["inside", "replace", "beside"])
def test_words_go_where_they_are_wanted(things: Things, words: tuple[str, ...], place: str) -> None:
    said = things("things.npz", *FEW, *words, "--place", place, "--json")
    assert {trial["place"] for row in rows(said).values() for trial in row["trials"]} == {place}
    assert {one["place"] for one in used()} == {place}
    assert said.json["result"]["worst"]["fixed"] > 0.5


def test_controls_are_drawn_as_often_as_wished(things: Things, words: tuple[str, ...]) -> None:
    said = things("things.npz", *FEW, *words, "--control-draws", "2", "--json")
    assert [one["control"] for one in said.json["enrichment"]["against"]] == ["random words", "random words 2", "swapped"]
    assert "The descriptions clearly beat random words, random words 2 and other classes' descriptions." in said.json["lead"][-1]


METHODS = {
    "uniform": ("--weights", "uniform"),
    "per class": ("--weights", "carprt", "--scope", "class"),
    "logits": ("--combine", "logit"),
    "balance": ("--debias", "balance"),
}


@pytest.mark.parametrize("method", METHODS)
def test_with_every_way_of_weighing_words_help(things: Things, words: tuple[str, ...], method: str) -> None:
    Path("two.txt").write_text("a photo of a {}.\na drawing of a {}.\n")
    said = things("things.npz", "--templates", "two.txt", "--worst", "2", *words, *METHODS[method], "--json")
    assert {name: row["kept"] for name, row in rows(said).items()} == {"bass": True, "crane": True}
    assert said.json["result"]["worst"]["fixed"] == 1.0
    assert ("logit-with-descriptions" in health(said)) == (method == "logits")
    gain = said.json["enrichment"]["gain"]["changed"]
    assert (gain == 0) == ("enrichment-moved-nothing" in health(said)) == (method == "balance")  # offsets alone do here what words do


def test_logits_without_words_are_no_matter(things: Things) -> None:
    assert "logit-with-descriptions" not in health(things("things.npz", *FEW, "--combine", "logit", "--json"))


def test_words_that_move_nothing_are_told(things: Things) -> None:
    Path("words.tsv").write_text("cup\tmade of blue clay\n")
    said = things("things.npz", *FEW, "--class", "cup", "--keep", "all", "--place", "inside", *WORDS_FILE, "--json")
    assert rows(said)["cup"]["kept"]
    assert "enrichment-moved-nothing" in health(said)
    (text,) = [check["text"] for check in said.json["health"] if check["name"] == "enrichment-moved-nothing"]
    assert "each of the 48 pictures" in text
    assert "enrichment-moved-nothing" in (latest() / "report.md").read_text()


def test_texts_that_are_cut_are_named(things: Things) -> None:
    Path("long.txt").write_text("a photo, " + "taken on a very long and very rainy day, " * 8 + "of a {}.\n")
    Path("words.tsv").write_text("bass\ta green fish on wet grass\n")
    said = things("things.npz", "--templates", "long.txt", "--class", "bass", *WORDS_FILE, "--keep", "all", "--json")
    assert "texts-cut" in health(said)


@pytest.mark.parametrize("columns", ["80", "120"])
def test_everything_fits_the_terminal(things: Things, words: tuple[str, ...], columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    said = things("things.npz", *FEW, *words, "--quiet")
    assert said.code == 0, said.err
    paths = ("Descriptions: ", "Report: ", "Classifier: ")
    assert not [line for line in said.out.splitlines() if len(line) > int(columns) and not line.startswith(paths)]
    assert "Enrichment, on 48 pictures that nothing was chosen on" in said.out
    assert "What it cost" not in said.out


def test_the_options_offer_what_enrichment_knows() -> None:
    from promptlab import describing
    from promptlab.cli import enrich

    assert (enrich.PLACES, enrich.KEEPS) == (describing.PLACES, describing.KEEPS)
