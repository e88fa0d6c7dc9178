"""promptlab study: what it prints and writes, what it refuses, and that it goes on where it was stopped."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptlab.loops.run import Choice
from promptlab.loops.study import Bench, Tried

from .conftest import Said

Call, Npz = Callable[..., Said], Callable[..., str]
SMALL = ("--weights", "uniform,cpe,zpe", "--scope", "auto", "--combine", "auto")  # six combinations
DRIVER = """
import os, signal, sys
from promptlab.cli.main import main
from promptlab.loops.study import Bench
real, left = Bench.attempt, [2]
def attempt(self, choice):
    if not left[0]:
        os.kill(os.getpid(), signal.{signal})
    left[0] -= 1
    return real(self, choice)
Bench.attempt = attempt
sys.argv = ["promptlab", *{arguments!r}]
main()
"""


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[Choice]:
    """What is computed from now on."""
    made: list[Choice] = []
    real = Bench.attempt

    def attempt(self: Bench, choice: Choice) -> Tried:
        made.append(choice)
        return real(self, choice)

    monkeypatch.setattr(Bench, "attempt", attempt)
    return made


def rows_kept(cache: Path) -> int:
    return len(list((cache / "study").glob("*.json")))


def test_json_is_one_object_with_every_row_best_worst_classes_first(promptlab: Call, npz: Npz) -> None:
    said = promptlab("study", npz(), *SMALL, "--json", "--quiet")
    assert said.code == 0, said.err
    found = said.json
    assert set(found) == {"run", "chosen", "rows"}
    assert [row["name"] for row in found["rows"] if row["name"] == found["chosen"]]
    assert sorted(row["name"] for row in found["rows"]) == ["cpe", "cpe + balance", "uniform", "uniform + balance", "zpe", "zpe + balance"]
    worst = [row["eval"]["worst"]["fixed"] for row in found["rows"]]
    assert worst == sorted(worst, reverse=True)
    assert json.loads((Path(found["run"]) / "study.json").read_text()) == found["rows"]
    uniform = next(row for row in found["rows"] if row["name"] == "uniform")
    assert uniform["difference"]["accuracy"] == uniform["difference"]["worst"] == uniform["difference"]["changed"] == 0


def test_people_get_a_table_and_are_told_of_rows_that_are_not_shown(promptlab: Call, npz: Npz, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    said = promptlab("study", npz(), *SMALL, "--most", "2", "--quiet")
    assert said.code == 0, said.err
    assert "Chosen on tune: " in said.out
    assert "6 combinations on " in said.out
    assert "4 more rows are there" in said.out
    assert "more rows" not in promptlab("study", npz(), *SMALL, "--quiet").out


def test_csv_goes_where_it_is_asked_and_into_the_run(promptlab: Call, npz: Npz) -> None:
    found = promptlab("study", npz(), *SMALL, "--csv", "table.csv", "--json", "--quiet").json
    text = Path("table.csv").read_text()
    assert text == (Path(found["run"]) / "study.csv").read_text()
    lines = list(csv.DictReader(text.splitlines()))
    assert [line["name"] for line in lines] == [row["name"] for row in found["rows"]]
    assert [line["name"] for line in lines if line["chosen"]] == [found["chosen"]]


def test_without_labels_a_study_tells_what_changes_and_ranks_by_cmm_top(promptlab: Call, npz: Npz) -> None:
    said = promptlab("study", npz(labels=None), *SMALL, "--quiet")
    assert said.code == 0, said.err
    assert "Without labels nothing here says which is better" in said.out
    assert "cmm-top" in said.out
    assert "accuracy" not in said.out.partition("\nHealth\n")[0]


def test_temperatures_and_evidence_are_axes_too(promptlab: Call, npz: Npz) -> None:
    grid = (
        "--weights",
        "shrunk",
        "--scope",
        "auto",
        "--combine",
        "auto",
        "--debias",
        "none",
        "--tau",
        "0.5,1",
        "--evidence",
        "margin,both",
    )
    found = promptlab("study", npz(), *grid, "--json", "--quiet").json
    assert sorted(row["name"] for row in found["rows"]) == ["shrunk", "shrunk margin", "shrunk margin tau 0.5", "shrunk tau 0.5"]


REFUSED = {
    "an unknown weighting": (("--weights", "cpe,carpt"), "carprt"),
    "an empty weighting": (("--weights", "cpe,"), "There is no weighting named ''"),
    "an unknown scope": (("--scope", "clas"), "class"),
    "an unknown label source": (("--labels", "tru"), "true"),
    "an unknown way to combine": (("--combine", "logits"), "logit"),
    "unknown offsets": (("--debias", "balanced"), "balance"),
    "unknown evidence": (("--evidence", "margins"), "margin"),
    "a tau of nothing": (("--tau", "0"), "above 0"),
    "a tau that is no number": (("--tau", "1,x"), "numbers"),
    "a mix that is not there": (("--mix", "nowhere"), "nowhere"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_studied_is_explained_and_leaves_no_run(what: str, promptlab: Call, npz: Npz) -> None:
    arguments, meant = REFUSED[what]
    said = promptlab("study", npz(), *arguments, "--quiet")
    assert said.code == (1 if "mix" in what else 2)
    assert meant in said.err
    assert "Something broke" not in said.err
    assert not [path for path in Path("runs").glob("*") if path.is_dir()]


@pytest.mark.parametrize("arguments", [("--weights", "forward"), ("--labels", "true")])
def test_labels_that_are_not_there_are_a_mistake(promptlab: Call, npz: Npz, arguments: tuple[str, ...]) -> None:
    said = promptlab("study", npz(labels=None), *arguments, "--quiet")
    assert said.code == 2
    assert "no labels" in said.err


def test_a_table_that_cannot_be_written_is_explained(promptlab: Call, npz: Npz) -> None:
    said = promptlab("study", npz(), *SMALL, "--csv", "no/such/folder.csv", "--quiet")
    assert said.code == 1
    assert "'no/such/folder.csv' cannot be written" in said.err


def test_a_second_study_computes_nothing_and_says_the_same(promptlab: Call, npz: Npz, attempts: list[Choice]) -> None:
    first = promptlab("study", npz(), *SMALL, "--json", "--quiet").json
    assert len(attempts) == 6
    again = promptlab("study", npz(), *SMALL, "--json", "--quiet").json
    assert len(attempts) == 6
    assert (again["rows"], again["chosen"]) == (first["rows"], first["chosen"])
    assert promptlab("study", *SMALL, "--json", "--quiet").json["rows"] == first["rows"], "the latest run knows its data"
    assert len(attempts) == 6


def test_ctrl_c_keeps_what_is_finished(
    promptlab: Call, npz: Npz, attempts: list[Choice], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    counted = Bench.attempt

    def impatient(self: Bench, choice: Choice) -> Any:
        if len(attempts) == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return counted(self, choice)

    data = npz()
    with monkeypatch.context() as patched:
        patched.setattr(Bench, "attempt", impatient)
        said = promptlab("study", data, *SMALL, "--quiet")
    assert said.code == 130
    assert said.out == ""
    assert "Stopping at the next batch" in said.err
    assert "what was finished is kept" in said.err
    assert rows_kept(tmp_path / "cache") == 5, "the one that was being made is finished, too"
    whole = promptlab("study", data, *SMALL, "--json", "--quiet").json
    assert len(attempts) == 6
    assert len(whole["rows"]) == 6


def test_a_study_that_is_killed_goes_on_where_it_was_and_ends_like_an_undisturbed_one(
    promptlab: Call, npz: Npz, attempts: list[Choice], tmp_path: Path
) -> None:
    data = npz()
    driver = DRIVER.format(signal="SIGKILL", arguments=["study", data, *SMALL, "--quiet"])
    done = subprocess.run([sys.executable, "-c", driver], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert rows_kept(tmp_path / "cache") == 2
    found = promptlab("study", data, *SMALL, "--json", "--quiet").json
    assert len(attempts) == 4
    undisturbed = promptlab("study", data, *SMALL, "--cache", str(tmp_path / "other"), "--json", "--quiet").json
    assert len(attempts) == 10
    assert found["rows"] == undisturbed["rows"]


def test_other_vectors_labels_and_texts_are_studied_anew(promptlab: Call, npz: Npz, attempts: list[Choice]) -> None:
    promptlab("study", npz(), *SMALL, "--quiet")
    rng = np.random.default_rng(9)
    for n, changed in enumerate(
        ({"features": rng.normal(size=(24, 8))}, {"labels": rng.permutation(24) % 3}, {"text": rng.normal(size=(2, 3, 8))}), 2
    ):
        said = promptlab("study", npz(**changed), *SMALL, "--quiet")
        assert said.code == 0, said.err
        assert len(attempts) == 6 * n
