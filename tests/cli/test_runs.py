"""Run folders as the commands see them: what is finished, what is the latest, what may be deleted."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from promptlab.runs import Run

from .conftest import Said

Call, Npz, Paint = Callable[..., Said], Callable[..., str], Callable[..., Path]


def state_of(promptlab: Call) -> dict[str, str]:
    return {entry["run"]: entry["state"] for entry in promptlab("runs", "list", "--json").json}


def newest() -> Run:
    return Run(max(p for p in Path("runs").iterdir() if not p.is_symlink()))


@pytest.fixture
def scored_and_built(promptlab: Call, npz: Npz) -> dict[str, str]:
    """One folder of each kind, by kind."""
    data = npz()
    found = {"finished": promptlab("run", data, "--json").json["run"]}
    before = set(Path("runs").iterdir())
    assert promptlab("score", data).code == 0
    (scored,) = set(Path("runs").iterdir()) - before
    before = set(Path("runs").iterdir())
    assert promptlab("build", data).code == 0
    (built,) = set(Path("runs").iterdir()) - before
    return {"finished": Path(found["finished"]).name, "scored": scored.name, "built": built.name}


def test_runs_say_what_was_made(promptlab: Call, scored_and_built: dict[str, str]) -> None:
    assert state_of(promptlab) == {name: state for state, name in scored_and_built.items()}
    table = promptlab("runs").out
    assert "built" in table
    assert "scored" in table
    assert "unfinished" not in table
    said = promptlab("runs", "show", scored_and_built["scored"])
    assert said.code == 2
    assert "it is scored" in said.err


def test_gc_deletes_what_was_broken_off_and_nothing_else(promptlab: Call, scored_and_built: dict[str, str]) -> None:
    broken, busy = (Path("runs", f"2026-01-01-00000{n}-x") for n in (1, 2))
    for folder in (broken, busy):
        folder.mkdir()
        shutil.copy(Path("runs", scored_and_built["built"], "run.json"), folder)
    with Run(busy).work():
        assert promptlab("runs", "gc", "--yes", "--json").json == {"deleted": [broken.name]}
    assert set(state_of(promptlab)) == {*scored_and_built.values(), busy.name}
    assert promptlab("runs", "gc", "--yes").out.startswith("removed 2026-01-01-000002-x\nDeleted 1 run, kept 3.")


def test_gc_keeps_the_latest_in_any_case(promptlab: Call, scored_and_built: dict[str, str]) -> None:
    assert promptlab("runs", "gc", "--keep", "0", "--yes").code == 0
    assert list(state_of(promptlab)) == [Path("runs/latest").resolve().name]


def test_latest_does_not_move_to_scores(promptlab: Call, npz: Npz) -> None:
    data = npz()
    run = Path(promptlab("run", data, "--json").json["run"]).name
    assert promptlab("score", data, "--rule", "accuracy").code == 0
    assert Path("runs/latest").resolve().name == run
    assert promptlab("compare", "latest", run).code == 0
    assert promptlab("runs", "show").code == 0


def test_the_classifier_that_nobody_named_is_told(promptlab: Call, npz: Npz) -> None:
    data = npz()
    run = Path(promptlab("run", data, "--json").json["run"]).name
    promptlab("score", data)
    said = promptlab("eval", data, "--json")
    assert f"With the classifier of the run {run}" in said.err
    assert promptlab("eval", data, "--run", run).err.count("With the classifier") == 0
    assert promptlab("eval", data, "--quiet").err == ""


def test_a_classifier_and_a_run_cannot_both_be_meant(promptlab: Call, npz: Npz) -> None:
    data = npz()
    run = Path(promptlab("run", data, "--json").json["run"])
    said = promptlab("eval", data, "--classifier", str(run / "classifier.safetensors"), "--run", run.name)
    assert said.code == 2
    assert "both given" in said.err


def test_a_run_without_classifier_says_what_it_is(promptlab: Call, npz: Npz) -> None:
    data = npz()
    promptlab("score", data)
    scored = newest().name
    for arguments in (("eval", data, "--run", scored), ("compare", scored, scored)):
        said = promptlab(*arguments)
        assert said.code == 2
        assert "has no classifier: it is scored" in said.err
    assert promptlab("eval", data).code == 2


def test_a_part_of_a_run_s_name_is_enough(promptlab: Call, npz: Npz) -> None:
    promptlab("run", npz())
    assert promptlab("runs", "show", "vectors").code == 0
    assert promptlab("score", "--run", "vector").code == 0


def test_the_first_of_a_comparison_is_a_run(promptlab: Call, npz: Npz) -> None:
    run = Path(promptlab("run", npz(), "--json").json["run"])
    said = promptlab("compare", str(run / "classifier.safetensors"), "latest")
    assert said.code == 2
    assert "The first is no run but a file" in said.err
    assert "--data" in said.err


# -- data that changes --------------------------------------------------------------------------------------------------------------


def test_a_finished_run_stays_as_it_is_when_the_data_changes(promptlab: Call, photos: Path) -> None:
    first = Path(promptlab("run", str(photos), "--templates", "plain", "--json").json["run"]).resolve()
    before = {p.name: p.read_bytes() for p in first.iterdir() if p.name != "events.jsonl"}
    shutil.copy(photos / "red" / "0.png", photos / "red" / "new.png")
    said = promptlab("run", "--json")
    assert "The data has changed" in said.err
    assert Path(said.json["run"]).resolve() != first
    assert {p.name: p.read_bytes() for p in first.iterdir() if p.name != "events.jsonl"} == before
    assert Path(promptlab("run", "--json").json["run"]).name == Path(said.json["run"]).name


def test_another_folder_of_the_same_name_is_not_in_sample_and_a_copy_is(promptlab: Call, paint: Paint) -> None:
    paint(Path("one/val"))
    paint(Path("two/val"), {"red": (190, 40, 30), "green_leaf": (40, 170, 50), "blue": (30, 50, 200)})
    assert promptlab("run", "one/val", "--templates", "plain").code == 0
    shutil.copytree("one/val", "copy", copy_function=shutil.copyfile)
    assert promptlab("eval", "two/val", "--json").json["in_sample"] is False
    assert promptlab("eval", "copy", "--json").json["in_sample"] is True


def test_a_copy_whose_other_half_was_tuned_on_gives_no_verdict(promptlab: Call, photos: Path) -> None:
    first = Path(promptlab("run", str(photos), "--templates", "plain", "--json").json["run"]).name
    shutil.copytree(photos, "renamed", copy_function=shutil.copyfile)
    promptlab("run", "renamed", "--templates", "plain", "--seed", "5")
    assert promptlab("compare", first, "latest", "--json").json["in_sample"] is True
    same = Path(promptlab("run", str(photos), "--weights", "uniform", "--templates", "plain", "--json").json["run"]).name
    assert promptlab("compare", first, same, "--json").json["in_sample"] is False


def test_vectors_of_another_model_are_refused(promptlab: Call, npz: Npz) -> None:
    promptlab("run", npz(encoder=np.array("one")))
    stranger = npz(encoder=np.array("two"))
    assert promptlab("eval", stranger, "--model", "two").code == 0  # who names it knows it
    said = promptlab("eval", stranger, "--model", "one")
    assert said.code == 1
    assert "different models" in said.err


def test_vectors_of_another_model_than_the_classifier_s_are_refused(promptlab: Call, npz: Npz, photos: Path) -> None:
    promptlab("run", str(photos), "--templates", "plain")
    names = {"names": np.array(["blue", "green_leaf", "red"]), "text": None, "features": np.ones((24, 384), np.float32)}
    said = promptlab("eval", npz(encoder=np.array("other"), **names))
    assert said.code == 1
    assert "('other' and 'mini')" in said.err
    assert promptlab("eval", npz(encoder=np.array("mini"), **names)).code == 0


# -- what strangers write -----------------------------------------------------------------------------------------------------------


def test_a_report_of_a_stranger_is_shown_harmlessly(promptlab: Call, npz: Npz) -> None:
    run = Path(promptlab("run", npz(), "--json").json["run"])
    (run / "report.md").write_bytes(b"# hello\n\x1b]0;evil\x07 caf\xe9\n")
    said = promptlab("runs", "show")
    assert said.code == 0
    assert "\x1b" not in said.out
    assert "caf\\xe9" in said.out


@pytest.mark.parametrize("result", [{}, {"result": {}, "method": {}}, {"result": 3, "method": {"tried": "x"}}])
def test_a_result_of_a_stranger_is_no_trouble(promptlab: Call, npz: Npz, result: object) -> None:
    run = Path(promptlab("run", npz(), "--json").json["run"])
    (run / "result.json").write_text(json.dumps(result))
    for arguments in (("runs",), ("runs", "show", "--json"), ("runs", "gc", "--yes")):
        assert promptlab(*arguments).code == 0


def test_a_run_folder_of_hostile_name_is_asked_about_harmlessly(script: Call) -> None:
    evil = Path("runs", "x\x1b]0;evil\x07")
    evil.mkdir(parents=True)
    (evil / "run.json").write_text('{"created": "", "data": "", "settings": {}}')
    said = script("runs", "remove", evil.name)
    assert said.code == 130
    assert "\x1b" not in said.err
    assert os.path.isdir(evil)
