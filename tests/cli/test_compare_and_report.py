"""`compare` of files on data that is named, and `report` of a run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Said

Call, Npz = Callable[..., Said], Callable[..., str]


@pytest.fixture
def two(promptlab: Call, npz: Npz) -> tuple[str, str, str]:
    """(data, a classifier file, another one)."""
    data = npz()
    for way in ("uniform", "carprt"):
        assert promptlab("build", data, "--weights", way, "-o", f"{way}.safetensors").code == 0
    return data, "uniform.safetensors", "carprt.safetensors"


def test_two_files_are_compared_on_data_that_is_named(promptlab: Call, two: tuple[str, str, str]) -> None:
    data, first, second = two
    found = promptlab("compare", first, second, "--data", data, "--json").json
    back = promptlab("compare", second, first, "--data", data, "--json").json
    assert found["first"]["accuracy"] == back["second"]["accuracy"]
    assert found["difference"]["accuracy"] == -back["difference"]["accuracy"]
    assert found["in_sample"] is False
    for size in found["difference"]["worst_sizes"]:
        assert size["interval"][0] <= size["difference"] <= size["interval"][1]
    assert found["changes"]["gained_pictures"] == back["changes"]["lost_pictures"]


def test_files_without_data_are_refused_with_the_remedy(promptlab: Call, two: tuple[str, str, str]) -> None:
    said = promptlab("compare", *two[1:])
    assert said.code == 2
    assert "--data" in said.err


def test_a_run_and_a_file_are_judged_as_each_alone(promptlab: Call, two: tuple[str, str, str]) -> None:
    data, first, _ = two
    run = promptlab("run", data, "--weights", "uniform", "--json").json
    found = promptlab("compare", "latest", first, "--json").json
    assert found["first"]["accuracy"] == found["second"]["accuracy"] == run["baseline"]["accuracy"]
    assert found["changes"] == {"won": [], "lost": [], "gained_pictures": 0, "lost_pictures": 0}


def test_a_report_is_written_where_it_is_asked_for(promptlab: Call, npz: Npz) -> None:
    promptlab("run", npz())
    assert promptlab("report", "latest", "-o", "page.html", "--json").json == {"report": "page.html"}
    assert Path("page.html").read_text("utf-8").startswith("<!doctype html>")


def test_thumbnails_are_pictures_of_the_worst_classes_and_only_when_asked_for(promptlab: Call, photos: Path) -> None:
    found = promptlab("run", str(photos), "--templates", "plain", "--weights", "uniform", "--json").json
    page = Path(found["run"]) / "report.html"
    assert "data:image" not in page.read_text("utf-8")
    wrong = 1 - found["result"]["accuracy"] > 0
    promptlab("report", "--thumbnails", "2")
    assert ("data:image/jpeg;base64," in page.read_text("utf-8")) == wrong


def test_a_run_without_result_has_no_report(promptlab: Call, npz: Npz) -> None:
    promptlab("build", npz())
    said = promptlab("report")
    assert said.code == 2
    assert "promptlab run" in said.err


def test_without_labels_a_comparison_tells_cmm_top(promptlab: Call, npz: Npz) -> None:
    data = npz(labels=None)
    first = promptlab("run", data, "--weights", "uniform", "--json").json
    promptlab("run", data, "--weights", "carprt")
    said = promptlab("compare", Path(first["run"]).name, "latest")
    assert "cmm-top" in said.out
    assert f"{first['baseline']['cmm_top']:+.4f}" in said.out


def test_a_transductive_study_says_in_sample_and_marks_nothing(promptlab: Call, npz: Npz) -> None:
    data = npz()
    said = promptlab("study", data, "--transductive")
    assert "In-sample" in said.out
    assert "(best)" not in said.out
    assert all(row["in_sample"] for row in promptlab("study", data, "--transductive", "--json").json["rows"])
    assert not any(row["in_sample"] for row in promptlab("study", data, "--json").json["rows"])


@pytest.mark.parametrize(("evidence", "rule"), [("both", "similarity + margin"), ("margin", "margin"), ("similarity", "similarity")])
def test_the_score_beside_shrunk_weights_is_what_made_them(promptlab: Call, npz: Npz, evidence: str, rule: str) -> None:
    found = promptlab("run", npz(), "--scope", "global", "--evidence", evidence, "--json").json
    assert found["method"]["rule"] == rule
    by_weight = sorted(found["families"], key=lambda row: row["weight"])
    assert [row["score"] for row in by_weight] == sorted(row["score"] for row in found["families"])
