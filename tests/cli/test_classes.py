"""The table of classes, and a run given away: what the terminal UI shows and does, on the command line."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from promptlab.cli import classes
from promptlab.report.classes import ClassRow, chosen
from promptlab.runs import EXPORTED, Run

from .conftest import Said

Call, Npz = Callable[..., Said], Callable[..., str]


def names(said: Said) -> list[str]:
    return [row["class"] for row in said.json["classes"]]


def test_classes_are_those_of_the_run_worst_first(promptlab: Call, in_a_run: str) -> None:
    said = promptlab("classes", "--json")
    found = said.json
    assert (found["run"], found["half"], found["labelled"], len(found["classes"])) == (in_a_run, "tune", True, 101)
    assert found["pictures"] == sum(row["pictures"] for row in found["classes"])
    accuracies = [row["accuracy"] for row in found["classes"]]
    assert accuracies == sorted(accuracies)
    assert names(promptlab("classes", "--run", in_a_run, "--top", "3", "--json")) == names(said)[:3]
    assert names(promptlab("classes", "--reverse", "--json"))[0] == names(said)[-1]
    by_name = names(promptlab("classes", "--sort", "name", "--json"))
    assert by_name == sorted(names(said), key=str.casefold)
    lost = [row["lost"] for row in promptlab("classes", "--sort", "lost", "--json").json["classes"]]
    assert lost == sorted(lost, reverse=True)
    found = [name for name in names(said) if "cat" in name]
    assert found
    assert names(promptlab("classes", "--find", "CAT", "--json")) == found
    table = promptlab("classes", "--top", "2").out
    assert "on tune" in table
    assert "flatter" in table
    assert len([line for line in table.splitlines() if line.startswith(tuple(names(said)[:2]))]) == 2


def test_the_fields_that_can_be_sorted_by_are_those_of_a_row() -> None:
    assert ClassRow._fields == classes.FIELDS


def test_what_has_no_value_comes_last_either_way() -> None:
    nan = float("nan")
    rows = {name: ClassRow(n, name, 1, x, 0.0, x, "", 0.0, 1) for n, (name, x) in enumerate([("a", nan), ("b", 0.5), ("c", 0.1)])}
    assert list(chosen(rows, field="accuracy")) == ["c", "b", "a"]
    assert list(chosen(rows, field="accuracy", turned=True)) == ["b", "c", "a"]


def test_classes_without_a_run_are_a_plain_error(promptlab: Call) -> None:
    said = promptlab("classes")
    assert said.code == 2
    assert "There is no run" in said.err


def test_a_run_is_exported_whole_and_overwrites_only_when_told(promptlab: Call, script: Call, npz: Npz) -> None:
    run = Run(Path(promptlab("run", npz(), "--json").json["run"]))
    said = promptlab("runs", "export", "latest", "out/there", "--json")
    assert said.json["run"] == run.name
    there = {path.name: path.read_bytes() for path in Path("out/there").iterdir()}
    assert there == {name: (run.path / name).read_bytes() for name in EXPORTED if (run.path / name).is_file()}
    assert {"classifier.safetensors", "report.md", "result.json"} <= set(there)
    Path("out/there/report.md").write_text("mine")
    said = script("runs", "export", run.name, "out/there")
    assert said.code == 130
    assert "report.md" in said.err
    assert Path("out/there/report.md").read_text() == "mine"
    assert promptlab("runs", "export", run.name, "out/there", "--yes").code == 0
    assert Path("out/there/report.md").read_bytes() == there["report.md"]


@pytest.mark.parametrize("folder", ["taken", "taken/below"])
def test_an_export_to_where_nothing_can_be_is_a_plain_error(promptlab: Call, npz: Npz, folder: str) -> None:
    promptlab("run", npz())
    Path("taken").write_text("a file")
    said = promptlab("runs", "export", "latest", folder)
    assert said.code == 1
    assert "taken" in said.err


def test_a_run_that_did_not_finish_is_not_exported(promptlab: Call, npz: Npz) -> None:
    promptlab("score", npz())
    (scored,) = (path.name for path in Path("runs").iterdir())
    said = promptlab("runs", "export", scored, "out")
    assert said.code == 2
    assert "is scored" in said.err
    assert not Path("out").exists()


def test_a_run_that_is_known_is_opened_without_torch(promptlab: Call, in_a_run: str) -> None:
    assert promptlab("classes").code == 0
    code = "import sys; from promptlab.cli.main import cli; cli(['classes'], standalone_mode=False); print(sys.modules.keys() & {'torch'})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PROMPTLAB_DEVICE": "cpu"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "set()"
