"""`promptlab retrieve` with the embedded model: recall both ways, and runs of its own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import Said
from .test_match_command import EVIL, FEW, captioned, folders

__all__ = ["captioned"]

Call = Callable[..., Said]


def test_recall_is_told_both_ways_of_all_pictures(promptlab: Call, captioned: Path) -> None:
    said = promptlab("retrieve", "captions.jsonl", *FEW, "--result", "theirs.json", "--json")
    assert said.code == 0, said.err
    found, (run,) = said.json, folders()
    assert json.loads((run / "run.json").read_text())["task"] == found["task"] == "retrieve"
    assert (found["data"]["pictures"], found["data"]["captions"], found["data"]["tune"]) == (15, 31, 0)
    for name in ("plain", "result"):
        for way, queries, targets in (("captions", 15, 31), ("pictures", 31, 15)):
            one = found[name][way]
            assert one["queries"] == queries
            assert [at["k"] for at in one["at"]] == [1, 5, 10]
            shares = [at["recall"] for at in one["at"]]
            assert shares == sorted(shares)
            assert all(at["interval"][0] <= at["recall"] <= at["interval"][1] for at in one["at"])
            assert (1 <= one["median_place"] <= targets, queries * shares[0] == pytest.approx(round(queries * shares[0]))) == (True, True)
    hard = found["hard"]["captions"]
    assert [one["place"] for one in hard] == sorted((one["place"] for one in hard), reverse=True)
    assert all(one["margin"] <= 0 and one["place"] > 1 for one in hard)
    theirs = json.loads(Path("theirs.json").read_text())
    assert theirs["task"] == "zeroshot_retrieval"
    assert theirs["metrics"]["text_retrieval_recall@5"] == found["result"]["captions"]["at"][1]["recall"]
    assert theirs["metrics"]["image_retrieval_recall@1"] == found["result"]["pictures"]["at"][0]["recall"]
    assert promptlab("results", "theirs.json", "--json").json[0]["metrics"] == theirs["metrics"]


def test_weights_that_are_chosen_are_told_on_the_other_half(promptlab: Call, captioned: Path) -> None:
    promptlab("retrieve", "captions.jsonl", *FEW)
    said = promptlab("retrieve", "--weights", "cpe", "--quiet", "--json")  # goes on with the newest of its kind
    assert said.code == 0, said.err
    assert (said.json["data"]["tune"], said.json["data"]["pictures"], said.json["method"]["weights"]) == (6, 9, "cpe")
    assert not said.json["data"]["in_sample"]
    assert len(folders()) == 2
    whole = promptlab("retrieve", "--weights", "cpe", "--transductive", "--quiet", "--json").json
    assert (whole["data"]["in_sample"], whole["data"]["pictures"]) == (True, 15)
    assert "In-sample" in " ".join(whole["lead"])
    refused = promptlab("retrieve", "--weights", "carprt", "--quiet")
    assert (refused.code, "carprt" in refused.err) == (2, True)


def test_its_runs_are_its_own(promptlab: Call, captioned: Path) -> None:
    assert "no run of `retrieve`" in promptlab("retrieve", "--quiet").err
    promptlab("retrieve", "captions.jsonl", *FEW, "--hard", "2")
    for verb in ("run", "match", "score"):
        refused = promptlab(verb, "--run", "captions", "--quiet")
        assert (refused.code, "one of `retrieve`" in refused.err) == (2, True)
    assert "retrieval: uniform, recall@1" in " ".join(promptlab("runs").out.split())
    page: Any = (folders()[0] / "report.html").read_text()
    assert "<script>" not in page
    assert "\u202e" not in page
    before = page.count("data:image/jpeg")
    said = promptlab("report", "captions", "--thumbnails", "0", "--quiet")
    assert said.code == 0, said.err
    assert before > 0 == (folders()[0] / "report.html").read_text().count("data:image/jpeg")


def test_words_from_outside_are_shown_and_not_obeyed(promptlab: Call, captioned: Path) -> None:
    said = promptlab("retrieve", "captions.jsonl", *FEW)
    assert said.code == 0, said.err
    assert not any(sign in said.out for sign in ("\x1b[31m", "\u202e"))
    assert EVIL not in said.out
