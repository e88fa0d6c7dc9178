"""`promptlab match` with the embedded model: what it keeps, what it goes on with, and that other verbs stay out of its runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptlab.errors import UsageError
from promptlab.lab import Lab

from .conftest import Said, draw

Call, Npz = Callable[..., Said], Callable[..., str]
FEW = ("--templates", "few.txt", "--quiet")
EVIL = "A <script>alert(1)</script> bl\u202eue\x1b[31m sheet"


@pytest.fixture
def captioned(loaded: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table of 16 pictures with captions and labels, one picture broken; the model is loaded once for all tests."""
    encoder = Lab.encoder
    monkeypatch.setattr(Lab, "encoder", lambda lab, name: loaded.setdefault(name, encoder(lab, name)))
    root = draw(Path.cwd() / "photos")
    (root / "blue" / "broken.jpg").write_bytes(b"this is no picture")
    lines = []
    for path in sorted(root.rglob("*.*g")):
        name, n = path.parent.name, path.stem
        said = [f"A {name} sheet, number {n}", f"Paper number {n}, {name}"]
        said += [EVIL] if (name, n) == ("blue", "0") else []
        lines.append({"image": f"photos/{path.relative_to(root)}", "captions": said, "label": name})
    table = Path.cwd() / "captions.jsonl"
    table.write_text("".join(json.dumps(line) + "\n" for line in lines))
    Path("few.txt").write_text("{}\na photo: {}\n")
    return table


def folders() -> list[Path]:
    return sorted(path for path in Path("runs").iterdir() if not path.is_symlink())


def test_a_caption_run_keeps_its_figures_its_cases_and_a_page(promptlab: Call, captioned: Path) -> None:
    said = promptlab("match", "captions.jsonl", *FEW, "--candidates", "4", "--json")
    assert said.code == 0, said.err
    found, (run,) = said.json, folders()
    assert json.loads((run / "run.json").read_text())["task"] == found["task"] == "match"
    assert found["data"]["n"] == 15
    assert [one["picture"] for one in found["data"]["skipped"]] == ["photos/blue/broken.jpg"]
    about = {"asked": 4, "least": 4, "most": 4, "short": 0, "from": "any", "elsewhere": 0, "chance": 0.25}
    assert found["candidates"] == about
    assert found["data"]["tune"] == 6
    assert found["result"]["n"] == found["data"]["eval"] == 9
    assert found["result"]["interval"][0] <= found["result"]["accuracy"] <= found["result"]["interval"][1]
    assert {row["category"] for row in found["categories"]} == {"blue", "green leaf", "red"}
    assert sum(row["pictures"] for row in found["categories"]) == 9
    assert found["per_sample"]["encoded"] == 15
    assert found["per_sample"]["encode_ms"] > 0
    assert found["per_sample"]["match_ms"] > 0
    cases = [json.loads(line) for line in (run / "cases.jsonl").read_text().splitlines()]
    assert cases == found["hard"]
    order = [(case["hit"], case["margin"]) for case in cases]
    assert order == sorted(order)
    for case in cases:
        texts, share = ([one[name] for one in case["candidates"]] for name in ("caption", "share"))
        assert len(set(texts)) == 4
        assert sum(share) == pytest.approx(1)
        assert {case["right"], case["picked"]} <= set(texts)
        assert texts[int(np.argmax(share))] == case["picked"]
        assert not any("broken" in text for text in texts)
    page = (run / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 9
    assert found["lead"][0].startswith("captions: 15 pictures, 31 captions, 3 categories; 2 templates; model: mini.")
    assert {path.name for path in run.iterdir()} >= {"result.json", "report.md", "prompts.toml", "events.jsonl"}
    assert not (run / "classifier.safetensors").exists()


def test_captions_from_outside_are_shown_and_not_obeyed(promptlab: Call, captioned: Path) -> None:
    said = promptlab("match", "captions.jsonl", *FEW, "--transductive", "--candidates", "30", "--k", "2")
    assert said.code == 0, said.err
    (run,) = folders()
    told = said.out + (run / "report.md").read_text() + (run / "report.html").read_text()
    assert "\u202e" not in told
    assert "\x1b" not in told
    assert "<script>" not in (run / "report.html").read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in (run / "report.html").read_text()
    assert "in-sample" in said.out
    assert "fixed worst-2 %" in said.out
    assert "few-candidates" in said.out, "there are 31 captions, and 2 or 3 are a picture's own"


def test_uniform_weights_choose_nothing_and_tell_all_pictures(promptlab: Call, captioned: Path) -> None:
    said = promptlab("match", "captions.jsonl", *FEW, "--weights", "uniform", "--k", "99")
    assert said.code == 0, said.err
    (run,) = folders()
    found = json.loads((run / "result.json").read_text())
    assert (found["result"]["n"], found["result"]["split"], found["per_sample"]["matched"]) == (15, "all", 30)
    assert (found["data"]["n"], found["data"]["tune"], found["data"]["chosen"], found["data"]["in_sample"]) == (15, 0, False, False)
    assert (found["result"]["worst"]["k"], found["result"]["worst"]["fixed"], found["result"]["worst"]["fixed_categories"]) == (3, None, [])
    assert {row["worst"] for row in found["categories"]} == {None}
    assert found["difference"]["worst"] is None
    for told in (said.out, (run / "report.md").read_text(), (run / "report.html").read_text()):
        assert "on 15 pictures; nothing was chosen" in " ".join(told.split())
        assert "re-picked worst-3 %" in " ".join(told.split())
        for word in ("in-sample", "In-sample", "tuned on", "on tune", "fixed worst", "Fixed"):
            assert word not in told
    split = [json.loads(line) | {"split": "train" if n % 2 else "test"} for n, line in enumerate(captioned.read_text().splitlines())]
    Path("parts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in split))
    parts = promptlab("match", "parts.jsonl", *FEW, "--weights", "uniform", "--json").json
    assert parts["data"]["n"] == 15 > parts["result"]["n"] == parts["data"]["eval"]
    assert parts["result"]["worst"]["fixed"] is not None


def test_a_table_that_is_listed_the_other_way_round_says_the_same(promptlab: Call, captioned: Path) -> None:
    first = promptlab("match", "captions.jsonl", *FEW, "--json").json
    rows = [json.loads(line) for line in captioned.read_text().splitlines()][::-1]
    captioned.write_text("".join(json.dumps(row | {"captions": row["captions"][::-1]}) + "\n" for row in rows))
    second = promptlab("match", "captions.jsonl", *FEW, "--json").json
    for name in ("candidates", "families", "result", "baseline", "plain", "difference", "hard", "categories"):
        assert first[name] == second[name], name


def test_a_category_of_one_picture_is_no_stumbling_block(promptlab: Call, captioned: Path) -> None:
    rows = [json.loads(line) for line in captioned.read_text().splitlines()]
    rows[0]["label"] = "alone"
    captioned.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = promptlab("match", "captions.jsonl", *FEW, "--weights", "uniform", "--distractors", "same", "--json").json
    assert found["candidates"]["elsewhere"] == 1
    told = {one["name"]: one["text"] for one in found["health"]}
    assert told["other-captions"] == "For 1 picture of 15 there is no wrong caption of the same category; those of any other picture serve."


@pytest.mark.parametrize(
    "damaged",
    ["x", None, [], {}, {"candidates": 1.5}, {"hard": 1.5}, {"hard": True}, {"distractors": None}, {"candidates": "4"}, {"more": 1}],
)
def test_a_damaged_run_is_said(promptlab: Call, captioned: Path, damaged: Any) -> None:
    path = Path("runs/one/run.json")
    path.parent.mkdir(parents=True)
    asked = {"candidates": 0, "distractors": "auto", "hard": 20}
    manifest = {"created": "2026-01-01", "data": "captions.jsonl", "settings": {}, "task": "match"}
    about = asked | damaged if isinstance(damaged, dict) and damaged else damaged
    path.write_text(json.dumps(manifest | {"match": about}))
    said = promptlab("match", "--quiet")
    assert (said.code, "the `match` of its run.json is broken" in said.err) == (1, True), said.err
    assert "Name the data" in said.err


def test_the_newest_caption_run_goes_on_and_changed_questions_make_a_new_one(promptlab: Call, captioned: Path) -> None:
    first = promptlab("match", "captions.jsonl", *FEW, "--candidates", "5", "--distractors", "other", "--json").json
    again = promptlab("match", "--quiet", "--json").json
    assert len(folders()) == 1
    timeless = ("seconds", "per_sample", "encoded", "lead")
    assert {k: v for k, v in first.items() if k not in timeless} == {k: v for k, v in again.items() if k not in timeless}
    assert again["per_sample"]["encode_ms"] is None
    few = promptlab("match", "--quiet", "--hard", "2", "--json").json
    assert len(folders()) == 2
    assert few["hard"] == first["hard"][:2]
    assert (few["candidates"], few["method"]["families"]) == (first["candidates"], 2), "what was not given is as it was"
    same = promptlab("match", "--quiet", "--distractors", "same", "--weights", "cpe", "--json").json
    assert same["candidates"]["from"] == "same"
    assert same["result"]["errors"]["other"] == 0
    assert len(same["hard"]) == 2


def test_other_verbs_stay_out_of_caption_runs_and_the_other_way_round(promptlab: Call, captioned: Path, npz: Npz) -> None:
    assert promptlab("match", "captions.jsonl", *FEW).code == 0
    (captions,) = folders()
    none = promptlab("run", "--quiet")
    assert (none.code, "There is no run" in none.err) == (2, True)
    assert promptlab("runs", "show").code == 2, "the latest has a classifier, and none has"
    made = Path(promptlab("run", npz(), "--json").json["run"]).name
    assert promptlab("match", "--quiet").code == 0
    newer = Path(promptlab("match", "captions.jsonl", *FEW, "--seed", "1", "--json").json["run"]).name
    assert promptlab("run", "--quiet").code == 0
    assert Path("runs/latest").resolve().name == made
    for verb, name in (("run", newer), ("score", newer), ("compare", newer), ("match", made)):
        said = promptlab(verb, *(("latest",) if verb == "compare" else ("--run",)), name)
        kinds = ("match", "run") if name == newer else ("run", "match")
        assert said.code == 2
        assert f"The run '{name}' is one of `{kinds[0]}`, not of `{kinds[1]}`" in said.err
    table = promptlab("runs").out
    assert table.count(": shrunk") == table.count("captions, ") == 2
    assert "Hard cases" in promptlab("runs", "show", newer).out
    assert promptlab("report", newer, "--thumbnails", "3").code == 0
    assert Path("runs", newer, "report.html").read_text().count("data:image/jpeg") == 3
    copied = promptlab("runs", "export", newer, "copy", "--json").json["files"]
    assert {Path(file).name for file in copied} == {"cases.jsonl", "prompts.toml", "report.html", "report.md", "result.json"}
    assert promptlab("runs", "remove", newer, captions.name, "--yes").code == 0
    assert [path.name for path in folders()] == [made]


def test_what_cannot_be_matched_is_said_in_a_sentence(promptlab: Call, captioned: Path) -> None:
    for flags, said in (
        (("--weights", "carprt"), "captions are no classes"),
        (("--scope", "class"), "captions are no classes"),
        (("--distractors", "given"), "The data gives no wrong captions"),
        (("--candidates", "1"), "candidates"),
        (("--candidates", "1001"), "candidates"),
        (("--fail-under", "mean=1"), "accuracy=SHARE"),
    ):
        answer = promptlab("match", "captions.jsonl", *FEW, *flags)
        assert (answer.code, said in answer.err) == (2, True), answer.err
    with pytest.raises(UsageError, match="2 to 1000 candidates"):
        Lab().match("captions.jsonl", candidates=1001)
    folder = promptlab("match", "photos", "--quiet")
    assert (folder.code, "have no captions" in folder.err) == (1, True)
    assert not Path("runs").exists() or not folders(), "a command that fails leaves no run"
    low = promptlab("match", "captions.jsonl", *FEW, "--fail-under", "accuracy=1")
    assert (low.code, "Below the floor" in low.out) == (1, True)


def test_wrong_captions_of_the_data_are_used(promptlab: Call, captioned: Path) -> None:
    lines = [json.loads(line) for line in captioned.read_text().splitlines() if "broken" not in line]
    for line in lines:
        del line["label"]
        line["distractors"] = ["A photo of a train", "Two dogs on a beach"]
    Path("given.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = promptlab("match", "given.jsonl", *FEW, "--json").json
    about = {"asked": None, "least": 3, "most": 3, "short": 0, "from": "given", "elsewhere": 0, "chance": pytest.approx(1 / 3)}
    assert found["candidates"] == about
    assert (found["categories"], found["result"]["f1"], found["result"]["worst"]["fixed"]) == ([], None, None)
    for case in found["hard"]:
        assert {one["caption"] for one in case["candidates"]} == {case["right"], "A photo of a train", "Two dogs on a beach"}


def test_real_pictures_are_far_above_chance(promptlab: Call, captioned: Path, shared: Path) -> None:
    folder = shared / "data" / "flickr8k"
    lines = [json.loads(line) for line in (folder / "captions.jsonl").read_text("utf-8").splitlines()[:50]]
    Path("flickr").symlink_to(folder / "images")
    rows = [{"image": line["image"].replace("images", "flickr"), "captions": line["captions"]} for line in lines]
    Path("flickr.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = promptlab("match", "flickr.jsonl", *FEW, "--json").json
    assert found["candidates"]["most"] == 12
    assert found["result"]["interval"][0] > 2 * found["candidates"]["chance"]
    assert len(found["hard"]) == 20
