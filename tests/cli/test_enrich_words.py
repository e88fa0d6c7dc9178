"""Descriptions that somebody brings, edits or takes along: used everywhere, told where they belong to nothing, never lost."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faults import serving

from . import planted
from .conftest import Said
from .planted import FEW, knowing, verdicts, whom

Things, Call = Callable[..., Said], Callable[..., Said]
FILES = {
    "words.json": json.dumps({"bass": planted.WORDS["bass"], "crane": planted.WORDS["crane"], "zebra": "with stripes"}),
    "words.jsonl": "".join(json.dumps({"class": name, "text": text}) + "\n" for name in ("bass", "crane") for text in planted.WORDS[name])
    + '{"class": "zebra", "text": "with stripes"}\n',
    "words.tsv": "".join(f"{name}\t{text}\n" for name in ("bass", "crane") for text in planted.WORDS[name]) + "zebra\twith stripes\n",
}


def latest() -> Path:
    return (Path("runs") / "latest").resolve()


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "descriptions.jsonl").read_text("utf-8").splitlines()]


def write(run: Path, rows: list[dict[str, Any]]) -> None:
    (run / "descriptions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def notes(said: Said) -> str:
    return "\n".join(event["text"] for event in said.events if event["event"] == "noted")


@pytest.fixture
def brought(things: Things) -> Things:
    """Descriptions of `bass` and `crane` are in use in the newest run."""
    Path("words.json").write_text(FILES["words.json"])
    said = things("things.npz", *FEW, "--descriptions", "words.json", "--quiet")
    assert said.code == 0, said.err
    return things


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_descriptions_asks_nobody(things: Things, name: str) -> None:
    Path(name).write_text(FILES[name])
    with serving() as server:
        said = things("things.npz", *FEW, "--descriptions", name, *whom(server), "--json")
        assert not server.received
    assert said.code == 0, said.err
    found = said.json["enrichment"]
    assert found["asked"] is None
    assert [verdicts(said.json)[c].startswith("kept") for c in ("bass", "crane")] == [True, True]
    assert f"Descriptions from {name}; nobody was asked." in said.json["lead"]
    assert f"{name!r} describes 1 class that the data does not have, e.g. 'zebra'." in notes(said)
    assert {one["source"] for one in lines(latest())} == {"file"}


def test_words_of_classes_that_were_not_picked_are_told(things: Things) -> None:
    Path("cupl.json").write_text(json.dumps({"things": {name: list(those) for name, those in planted.WORDS.items()}, "other": {}}))
    keyed = ("--as", "clip-benchmark-prompts", "--key", "things")
    said = things("things.npz", *FEW, "--class", "bass", "--descriptions", "cupl.json", *keyed, "--json")
    assert "1 class described there were not picked: see --worst, --class." in notes(said)
    assert {one["class"] for one in lines(latest())} == {"bass"}


def test_without_words_only_names_are_tried_and_the_way_to_words_is_told(things: Things) -> None:
    said = things("things.npz", *FEW)
    assert said.code == 0, said.err
    assert "No language model was named, so only names were tried: --llm, or --descriptions FILE." in said.out
    assert "random words" not in said.out
    assert "Enrichment, on" not in said.out
    assert "Enriched classes" in said.out


def test_a_better_name_is_found_for_nothing(things: Things) -> None:
    names = [f"{name}es" if name == "watch" else name for name in planted.NAMES]
    planted.plant(Path("plural.npz"), names=np.array(names))
    said = things("plural.npz", "--templates", "plain", "--class", "watches", "--keep", "all", "--json")
    assert said.code == 0, said.err
    assert any(line.startswith("Of 1 class, 0 got descriptions and 1 a better name.") for line in said.json["lead"])
    (used,) = [one for one in lines(latest()) if one["use"]]
    assert (used["text"], used["place"], used["source"]) == ("watch", "replace", "lint")
    assert [row["kind"] for row in said.json["enrichment"]["rows"]] == ["before", "after"]
    again = things("--class", "watches", "--keep", "all", "--json")
    assert [one["text"] for one in lines(latest()) if one["use"]] == ["watch"], again.err


def test_a_synonym_in_use_stays_without_its_file(things: Things) -> None:
    Path("synonyms.tsv").write_text("bass\tgreen fish, fish on wet grass\n")
    first = things("things.npz", *FEW, "--synonyms", "synonyms.tsv", "--json")
    assert verdicts(first.json)["bass"].startswith("kept, replace"), first.err
    again = things("--class", "bass", "--json")
    assert verdicts(again.json)["bass"].startswith("kept, replace"), again.err


@pytest.mark.parametrize("flag", ["--descriptions", "--synonyms"])
def test_a_file_that_is_not_there_is_told_before_anything(things: Things, flag: str) -> None:
    said = things("things.npz", *FEW, flag, "nowhere.tsv")
    assert said.code == 2
    assert "'nowhere.tsv' cannot be read" in said.err
    assert not Path("runs").exists()


def test_a_file_about_other_things_is_a_plain_error(things: Things) -> None:
    Path("words.json").write_text('{"zebra": ["with stripes"]}')
    said = things("things.npz", *FEW, "--descriptions", "words.json")
    assert said.code == 2
    assert "describes none of the 6 classes" in said.err
    assert not list(Path("runs").glob("2*"))


# -- the file in the run --------------------------------------------------------------------------------------------------------------


def test_edited_descriptions_make_a_new_run(brought: Things, promptlab: Call) -> None:
    before = latest()
    result, rows = (before / "result.json").read_bytes(), lines(before)
    rows = [row | {"use": row["use"] and row["class"] != "bass"} for row in rows]
    write(before, [*rows, {"class": "cup", "text": "made of blue clay"}])
    said = promptlab("run", "--json")
    assert said.code == 0, said.err
    assert latest() != before
    assert (before / "result.json").read_bytes() == result
    assert said.json["enrichment"] is None
    assert 0.4 < said.json["result"]["worst"]["fixed"] < 0.6  # of the two worst one has its words still
    assert "a photo of a cup, made of blue clay." in promptlab("prompts", "show", "cup").out
    assert "fish" not in promptlab("prompts", "show", "bass").out
    assert [(one["class"], one["text"]) for one in lines(latest()) if one["use"]][-1] == ("cup", "made of blue clay")
    assert promptlab("run", "--json").json["run"] == said.json["run"]


def test_a_broken_line_is_named(brought: Things, promptlab: Call) -> None:
    kept = (latest() / "descriptions.jsonl").read_text()
    count = len(kept.splitlines())
    for line, complaint in (
        ('{"class": "cup"', "Expecting"),
        ('{"class": "cup", "text": "blue", "use": "yes"}', "true or false was expected"),
    ):
        (latest() / "descriptions.jsonl").write_text(f"{kept}{line}\n")
        for verb in ("run", "build", "score", "study", "enrich"):
            said = promptlab(verb)
            assert said.code == 2, verb
            assert f"descriptions.jsonl', line {count + 1}" in said.err
            assert complaint in said.err


def test_every_verb_uses_them(brought: Things, promptlab: Call) -> None:
    assert "a tall grey bird in shallow water" in promptlab("prompts", "show", "crane").out
    scored = promptlab("score", "--rule", "accuracy", "--json")
    assert scored.code == 0, scored.err
    assert scored.json["accuracy"]["value"][0] > 0.9
    assert promptlab("build", "--output", "it.safetensors", "--quiet").code == 0
    judged = promptlab("eval", "things.npz", "--classifier", "it.safetensors", "--json")
    assert judged.json["accuracy"] > 0.9
    rows = promptlab("study", "--weights", "uniform", "--scope", "global", "--combine", "embedding", "--debias", "none", "--json")
    assert rows.code == 0, rows.err
    assert {one["descriptions"]: one["eval"]["accuracy"] > 0.9 for one in rows.json["rows"]} == {"with": True, "without": False}


def test_they_go_along_to_other_data(brought: Things, promptlab: Call) -> None:
    name = latest().name
    with np.load("things.npz") as file:
        arrays = dict(file)
    few = arrays["labels"] < 1
    rest = arrays["labels"] >= 2
    labels = np.where(few, 0, arrays["labels"] - 1)[few | rest]
    np.savez("fewer.npz", features=arrays["features"][few | rest], labels=labels, names=np.delete(arrays["names"], 1), encoder="mini")
    said = promptlab("run", "fewer.npz", "--from", name, "--json")
    assert said.code == 0, said.err
    assert "Descriptions and texts of 1 class that the data does not have are left out." in notes(said)
    assert {one["class"] for one in lines(latest()) if one["use"]} == {"bass"}
    assert said.json["result"]["accuracy"] == 1.0


def test_enriching_again_loses_nothing_that_a_person_wrote(brought: Things) -> None:
    mine = [
        {"class": "bass", "text": "held by a happy angler"},
        {"class": "bass", "text": "never mind this one", "use": False},
        {"class": "lamp", "text": "lit from within"},
        {"class": "watch", "text": "on a wrist", "use": False},
    ]
    write(latest(), [*lines(latest()), *mine])
    with serving(knowing({"bass": ("with fins", "with scales")})) as server:
        said = brought("--class", "bass", *whom(server), "--json")
    assert said.code == 0, said.err
    texts = {(one["class"], one["text"]): one["use"] for one in lines(latest())}
    assert {(one["class"], one["text"]) for one in mine} <= set(texts)
    assert texts["lamp", "lit from within"] is True
    assert texts["watch", "on a wrist"] is False
    assert texts["bass", "never mind this one"] is False
    assert texts["bass", "a green fish on wet grass"] is True  # it was there, competed, and won
    assert texts["crane", "a tall grey bird in shallow water"] is True
    assert said.json["result"]["worst"]["fixed"] == 1.0


def test_a_run_can_be_enriched_by_name(brought: Things) -> None:
    first = latest().name
    shutil.copytree(latest(), Path("runs") / "2000-01-01-000000-other")
    said = brought("--run", first, "--worst", "3", "--descriptions", "words.json", "--json")
    assert said.code == 0, said.err
    assert Path(said.json["run"]).name == first
