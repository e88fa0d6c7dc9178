"""Names from data may hold anything; what is shown and what is written must stay harmless."""

import json
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from .conftest import Said, draw, inside

Call, Paint, Npz = Callable[..., Said], Callable[..., Path], Callable[..., str]
HOSTILE = {
    "a": "[@click=app.quit]",
    "b": "[/x] [red]",
    "c": "cat\x1b]0;x\x07",
    "d": "\x9b31m dog",
    "e": "\u202eevil\u2066",
    "f": "👩‍🚀 ⭐️",
    "g": "../../../etc/passwd",
    "h": "a|b <script>alert(1)</script> `x` **y**",
    "i": "=1+1",
    "j": "{{ 7 * 7 }} {} %s",
}
BAD = ("\x1b]0;x\x07.jpg", "[@click=app.quit].jpg", "\u202egnp.jpg", "new\nline.jpg", "\x9b2J.jpg")
RAW = [*HOSTILE.values(), "line\nbreak", "tab\ttab", "nul-free \x7f", "\u2028next"]


def control(text: str) -> list[str]:
    """Characters that move the cursor, hide or reorder text; line breaks are the reports' own."""
    kinds = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    return sorted({f"{ord(ch):x}" for ch in text if unicodedata.category(ch) in kinds and ch not in "\n\u200d\ufe0f"})


def cells(row: str) -> int:
    return row.replace("\\|", "").count("|")


def report_of(folder: Path) -> str:
    (path,) = folder.glob("runs/2*/report.md")
    return path.read_text("utf-8")


class Hostile(NamedTuple):
    """What was said of a labelled folder whose names file is hostile, with unreadable pictures of hostile names."""

    run: Said
    """`run`, as tables."""
    json: Said
    """`run --json`."""
    others: dict[str, Said]
    """Other verbs, as tables."""
    folder: Path
    """Where."""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    """All of it, called once."""
    folder = tmp_path_factory.mktemp("hostile")
    root = draw(folder / "photos", {name: (20 * i, 255 - 20 * i, 100) for i, name in enumerate(HOSTILE)}, each=2)
    for i, name in enumerate(BAD):
        (root / "abc"[i % 3] / name).write_bytes(b"no picture")
    (folder / "names.txt").write_text("".join(f"{c}\t{name}\n" for c, name in HOSTILE.items()))

    def call(*arguments: str) -> Said:
        return inside(*arguments, folder=folder, cache=folder / "cache")

    run = call("run", "photos", "--classes", "names.txt", "--templates", "plain", "--k", "10")
    pictures = ("photos/a/" + BAD[0], "photos/a/0.png")
    others = {" ".join(a[:2]): call(*a) for a in (("score", "--worst", "10"), ("runs",), ("runs", "show"), ("classify", *pictures))}
    return Hostile(run, call("run", "--json"), others, folder)


def test_hostile_names_pass_through_a_run_harmlessly(hostile: Hostile) -> None:
    assert hostile.run.code == 0, hostile.run.err
    assert not control(hostile.run.out)
    assert "app.quit" in hostile.run.out
    assert "etc/passwd" in hostile.run.out


def test_hostile_names_pass_through_the_report_harmlessly(hostile: Hostile) -> None:
    report = report_of(hostile.folder)
    assert not control(report)
    assert "<script" not in report.replace("\\<script", "")


def test_hostile_names_do_not_break_the_tables_of_the_report(hostile: Hostile) -> None:
    tables = [block.splitlines() for block in report_of(hostile.folder).split("\n\n") if block.startswith("| ")]
    assert len(tables) == 7
    assert all(len({cells(line) for line in table}) == 1 for table in tables)


def test_hostile_names_pass_through_the_other_verbs(hostile: Hostile) -> None:
    for verb, said in hostile.others.items():
        assert said.code == 0, said.err
        assert not control(said.out), verb


def test_hostile_names_write_nothing_outside(hostile: Hostile) -> None:
    assert {path.name for path in hostile.folder.iterdir()} == {"photos", "names.txt", "cache", "runs"}


def test_skipped_pictures_of_hostile_names_are_told_as_they_are(hostile: Hostile) -> None:
    found = hostile.json.json["data"]["skipped"]
    assert sorted(entry["picture"].partition("/")[2] for entry in found) == sorted(BAD)


def test_json_for_programs_carries_no_raw_control_character(hostile: Hostile) -> None:
    # --json is read on terminals, too, and \x9b alone begins an escape sequence there.
    assert hostile.json.code == 0, hostile.json.err
    assert not control(hostile.json.out)
    assert not control(hostile.json.err)


def test_names_are_kept_as_they_are_for_programs(hostile: Hostile) -> None:
    (path,) = hostile.folder.glob("runs/2*/classes.json")
    assert "\x9b31m dog" in [row["class"] for row in json.loads(path.read_text("utf-8"))]


@pytest.mark.parametrize("name", RAW, ids=lambda name: ascii(name)[:20])
def test_a_feature_file_of_hostile_names_is_harmless(promptlab: Call, npz: Npz, name: str) -> None:
    data = npz(
        names=np.array([name, "cat", "dog"]), families=np.array([name + " {}", "b"]), keys=np.array([f"{name}{i}" for i in range(24)])
    )
    for arguments in (("run", data), ("score", data), ("run", data, "--weights", "uniform"), ("runs",), ("runs", "show")):
        said = promptlab(*arguments)
        assert said.code == 0, said.err
        assert not control(said.out), arguments


def test_a_hostile_error_is_harmless(promptlab: Call, npz: Npz) -> None:
    features = np.zeros((24, 8), np.float32)
    said = promptlab("run", npz(features=features, keys=np.array([f"\x1b[2J\u202e{i}" for i in range(24)])), "--quiet")
    assert said.code == 1
    assert not control(said.err)


def test_hostile_folder_names_are_class_names_like_others(promptlab: Call, paint: Paint) -> None:
    names = ("[@click=app.quit]", "x\x1b]0;x\x07", "\u202eevil", "..evil", "new\nline", "-rf", "🐟")
    paint(Path("photos"), {name: (30 * i, 100, 200) for i, name in enumerate(names)}, each=2)
    said = promptlab("run", "photos", "--templates", "plain", "--quiet")
    assert said.code == 0, said.err
    assert not control(said.out)
    assert not control(report_of(Path.cwd()))


def test_a_data_folder_of_hostile_name_is_harmless(promptlab: Call, paint: Paint) -> None:
    paint(Path("pho\x1b]0;x\x07\u202etos"), each=2)
    for arguments in (("run", "pho\x1b]0;x\x07\u202etos", "--templates", "plain"), ("run", "--quiet"), ("runs",), ("runs", "show")):
        said = promptlab(*arguments)
        assert said.code == 0, said.err
        assert not control(said.out), arguments
    assert not control(report_of(Path.cwd()))


def test_a_name_of_5000_characters_passes_through(promptlab: Call, paint: Paint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    paint(Path("photos"), each=2)
    Path("names.txt").write_text("red\t" + "very " * 1000 + "red\n")
    said = promptlab("run", "photos", "--classes", "names.txt", "--templates", "plain")
    assert said.code == 0, said.err
    assert len(said.out) < 20_000
    assert "texts-cut" in said.out


def non_utf8(paint: Paint, what: str) -> Path:
    root = paint(Path("photos"), each=2)
    folder = os.fsencode(root)
    if what == "folder":
        os.rename(folder + b"/red", folder + b"/caf\xe9")
    else:
        content = b"no picture" if what == "bad picture" else (root / "red" / "0.png").read_bytes()
        with open(folder + b"/red/caf\xe9.png", "wb") as file:
            file.write(content)
    return root


@pytest.mark.parametrize("what", ["folder", "picture", "bad picture"])
def test_names_that_are_no_utf8_pass_through(promptlab: Call, paint: Paint, what: str) -> None:
    for arguments in (("run", str(non_utf8(paint, what)), "--templates", "plain"), ("run", "--json"), ("runs",), ("runs", "show")):
        said = promptlab(*arguments)
        assert said.code == 0, said.err
        said.out.encode("utf-8")
        assert not control(said.out)
