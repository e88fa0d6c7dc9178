"""promptlab shots, and --split: what they print, write and refuse."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Said

Call = Callable[..., Said]


def test_a_table_of_what_was_drawn(promptlab: Call, photos: Path) -> None:
    said = promptlab("shots", str(photos), "--k", "1,2", "--seeds", "2", "--seed", "5", "--val", "1", "-o", "splits", "--quiet")
    assert said.code == 0
    lines = [line.split() for line in said.out.splitlines() if "shot" in line]
    assert lines == [
        ["5", "1", "3", "3", "6", "seed5-1shot.csv"],
        ["5", "2", "6", "3", "6", "seed5-2shot.csv"],
        ["6", "1", "3", "3", "6", "seed6-1shot.csv"],
        ["6", "2", "6", "3", "6", "seed6-2shot.csv"],
    ]
    assert said.out.rstrip().endswith("Splits: splits")


def test_the_same_for_programs(promptlab: Call, photos: Path) -> None:
    said = promptlab("shots", str(photos), "--k", "2", "--format", "coop", "-o", "splits", "--json", "--quiet")
    file = str(Path("splits", "seed0-2shot.json"))
    assert said.json == {"data": "photos", "splits": [{"seed": 0, "k": 2, "train": 6, "val": 0, "test": 9, "file": file}]}
    assert {part: len(rows) for part, rows in json.loads(Path(file).read_text()).items()} == {"train": 6, "val": 0, "test": 9}


def test_a_run_and_its_judgement_keep_to_the_split(promptlab: Call, photos: Path) -> None:
    assert promptlab("shots", str(photos), "--k", "2", "--val", "1", "-o", "splits", "--quiet").code == 0
    split = ("--split", "splits/seed0-2shot.csv")
    ran = promptlab("run", str(photos), *split, "--templates", "plain", "--json", "--quiet").json
    assert ran["data"]["n"] == 15
    judged = promptlab("eval", str(photos), *split, "--json", "--quiet").json
    assert (judged["n"], judged["in_sample"]) == (6, False)
    assert promptlab("eval", str(photos), "--json", "--quiet").json["in_sample"]  # all 15, of which it was tuned on 9
    assert promptlab("compare", "latest", "latest", "--data", str(photos), *split, "--json", "--quiet").code == 0
    with open("splits/seed0-2shot.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] != "val"]
    Path("fewer.csv").write_text("\n".join(["path,split", *(f"{row['path']},{row['split']}" for row in rows)]))
    again = promptlab("run", str(photos), "--split", "fewer.csv", "--templates", "plain")
    assert "3 pictures that the split file does not name are left out." in again.out
    assert [event["done"] for event in again.events if event["event"] == "finished" and event["work"] == "encode pictures"] == [0]


def test_short_classes_are_told(promptlab: Call, photos: Path) -> None:
    refused = promptlab("shots", str(photos), "--k", "1,5", "-o", "splits")
    assert (refused.code, refused.out) == (1, "")
    assert "3 classes have fewer pictures than 5 to train, 1 to test: 'blue' 5, 'green_leaf' 5, 'red' 5." in refused.err
    assert "--short" in refused.err
    assert not Path("splits").exists()
    taken = promptlab("shots", str(photos), "--k", "1,5", "-o", "splits", "--short")
    assert "3 classes have too few pictures for the largest k" in taken.err
    assert taken.out.splitlines()[4].split() == ["0", "5", "12", "0", "3", "seed0-5shot.csv"]


@pytest.mark.parametrize("wrong", [("--k", "0"), ("--k", "1,x"), ("--k", ""), ("--seeds", "0"), ("--val", "-1"), ("--format", "xml")])
def test_what_is_no_number_of_shots(promptlab: Call, photos: Path, wrong: tuple[str, str]) -> None:
    said = promptlab("shots", str(photos), "-o", "splits", *wrong)
    assert (said.code, said.out) == (2, "")


def test_a_split_of_other_data_is_refused(promptlab: Call, photos: Path) -> None:
    Path("other.csv").write_text("path,split\nblue/0.png,train\n\x1b[31mred,test\n")
    said = promptlab("run", str(photos), "--split", "other.csv")
    assert said.code == 1
    assert "Line 3 of" in said.err
    assert "\x1b" not in said.err
    assert "the data does not have" in said.err
    assert not Path("runs").exists()


def test_captions_are_not_for_a_run(promptlab: Call) -> None:
    Path("pairs.csv").write_text("image,caption\na.jpg,a cat\n")
    said = promptlab("run", "pairs.csv")
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines()[-2:] == [
        "Error: 'pairs.csv' has captions and no categories, so there are no classes to tell apart.",
        "       promptlab match pairs.csv",
    ]
