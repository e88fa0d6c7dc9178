"""Every verb on pictures that show several classes: two of planted vectors in one picture, and some that show nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from promptlab.config import Settings
from promptlab.errors import DataError
from promptlab.lab import Lab
from promptlab.runs import load_classifier
from promptlab.types import Edit, EditKind, unit

from . import planted
from .conftest import Said, draw, inside

N, C = 60, len(planted.NAMES)
NOISE = 0.12  # of each number of a vector
RIGHT = 2 * N  # right answers: every picture but the empty ones shows two classes


def collages(folder: Path, name: str = "pairs.npz", seed: int = 0) -> Path:
    """N pictures of two classes each, and N / 4 of none."""
    with np.load(planted.plant(folder / "single.npz", each=40)) as file:
        x, y = file["features"], file["labels"]
    rng = np.random.default_rng(seed)
    rows, shown = [], np.zeros((N + N // 4, C), bool)
    for i in range(N):
        first, second = (int(rng.choice(np.flatnonzero(y == c))) for c in rng.choice(C, 2, replace=False))
        rows.append(unit(x[first]) + unit(x[second]) + NOISE * rng.normal(size=x.shape[1]))
        shown[i, [y[first], y[second]]] = True
    rows += list(rng.normal(size=(N // 4, x.shape[1])))
    keys = np.array([f"{name[0]}{i:03d}.png" for i in range(len(rows))])
    np.savez(
        folder / name,
        features=np.array(rows, np.float32),
        labels=shown,
        names=np.array(planted.NAMES),
        keys=keys,
        encoder=np.array("mini"),
    )
    return folder / name


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two sets, words, and a finished run."""
    folder = tmp_path_factory.mktemp("pairs")
    collages(folder)
    collages(folder, "other.npz", seed=1)
    (folder / "words.json").write_text(json.dumps(planted.WORDS))
    said = inside("run", "pairs.npz", "--templates", "simple", "--json", folder=folder, cache=folder / "cache")
    assert said.code == 0, said.err
    (folder / "run.json").write_text(said.out)
    return folder


@pytest.fixture
def pairs(made: Path) -> Callable[..., Said]:
    return lambda *arguments: inside(*arguments, folder=made, cache=made / "cache")


def test_a_run_counts_pictures_and_right_answers_and_tells_map_first(made: Path, pairs: Callable[..., Said]) -> None:
    found = json.loads((made / "run.json").read_text())
    assert found["data"]["n"] == N + N // 4
    assert found["data"]["right_answers"] == RIGHT
    assert found["data"]["unanswered"] == N // 4
    assert found["result"]["n"] == found["data"]["eval"]
    assert found["result"]["right_answers"] < 2 * found["data"]["eval"]
    assert found["difference"]["mcnemar_p"] is None
    ranked = found["result"]["average_precision"]
    assert 0 < ranked["interval"][0] < ranked["mean"] < ranked["interval"][1] <= 1
    report = Path(made, found["run"], "report.md").read_text()
    assert report.index("mAP %") < report.index("recall %") < report.index("mean %")
    assert "accuracy %" not in report
    assert "right answers" in report.split("Worst classes")[1].split("taken by")[0]
    assert f"{N // 4} pictures show none of the classes, or all" in report
    assert "recall: shrunk" in pairs("runs").out
    assert "McNemar" not in report
    assert f"with {RIGHT} right answers" in report
    rows = json.loads(Path(made, found["run"], "classes.json").read_text())
    assert sum(row["pictures"] for row in rows) == found["result"]["right_answers"]
    wrong = [wrong for row in rows for wrong in row.get("wrong", ())]
    with np.load(made / "pairs.npz") as file:
        shows = dict(zip(file["keys"].tolist(), file["labels"], strict=True))
    assert wrong
    assert not any(shows[one["picture"]][planted.NAMES.index(one["taken_by"])] for one in wrong)
    assert "mAP %" in Path(made, found["run"], "report.html").read_text()
    assert load_classifier(Path(made, found["run"], "classifier.safetensors")).lineage["tuned_on"] == found["data"]["tune"]


def test_judging_agrees_with_scikit_learn_and_writes_what_clip_benchmark_does(made: Path, pairs: Callable[..., Said]) -> None:
    said = pairs("eval", "other.npz", "--json", "--result", "told.json", "--fail-under", "map=0.999")
    assert said.code == 1
    assert said.json["failed"] == ["map"]
    classifier = Lab(Settings.load({"runs": str(made / "runs")}))._classifier("")
    with np.load(made / "other.npz") as file:
        s = unit(file["features"]) @ classifier.weight.T + classifier.bias / classifier.scale
        wanted = np.mean([average_precision_score(file["labels"][:, c], s[:, c]) for c in range(C)])
    assert said.json["average_precision"]["mean"] == pytest.approx(wanted, abs=1e-6)
    assert json.loads((made / "told.json").read_text())["metrics"] == {"mean_average_precision": said.json["average_precision"]["mean"]}
    shown = pairs("eval", "other.npz").out
    assert "mAP %" in shown
    assert "right answers" in shown.split("Worst classes")[1].split("taken by")[0]
    assert "mean_average_precision" in pairs("results", "told.json").out
    single = pairs("eval", "single.npz", "--fail-under", "map=0.5")
    assert single.code == 2
    assert "one class each" in single.err


def test_scores_weights_comparisons_and_studies(made: Path, pairs: Callable[..., Said]) -> None:
    scores = pairs("score", "--rule", "ap", "--rule", "cmm-top", "--rule", "accuracy", "--rule", "ap/worst-2", "--json").json
    with_all = pairs("score", "--rule", "cmm-top", "--labels", "self", "--json").json
    assert scores["cmm-top"]["value"] == with_all["cmm-top"]["value"]
    assert sum(scores["ap"]["count"][0]) == sum(scores["accuracy"]["count"][0])
    refused = pairs("score", "--rule", "f1")
    assert refused.code == 2
    assert "counts each picture once" in refused.err
    chosen = pairs("run", "pairs.npz", "--weights", "forward:ap", "--debias", "prior", "--json").json
    assert "debias-assumes-one-class" in {check["name"] for check in chosen["health"]}
    duel = pairs("compare", json.loads((made / "run.json").read_text())["run"].rpartition("/")[2], chosen["run"].rpartition("/")[2])
    assert duel.code == 0, duel.err
    assert "mAP" in duel.out
    assert "McNemar" not in duel.out
    study = pairs("study", "pairs.npz", "--weights", "uniform,top-2:ap", "--debias", "none", "--templates", "simple")
    assert study.code == 0, study.err
    assert "mAP %" in study.out


def test_words_are_kept_where_they_help_the_right_answers(made: Path, pairs: Callable[..., Said]) -> None:
    said = pairs("enrich", "pairs.npz", *planted.FEW, "--descriptions", "words.json", "--json")
    assert said.code == 0, said.err
    verdicts = planted.verdicts(said.json)
    assert verdicts["bass"].startswith("kept")
    assert verdicts["crane"].startswith("kept")
    before, after = (next(row for row in said.json["enrichment"]["rows"] if row["kind"] == kind) for kind in ("before", "after"))
    assert after["average_precision"]["mean"] > before["average_precision"]["mean"] + 0.05
    assert said.json["enrichment"]["gain"]["average_precision_interval"][0] > 0
    bench = Lab(Settings.load({"runs": str(made / "runs"), "cache": str(made / "cache")})).workbench()
    assert bench.several
    assert bench.headline.images == len(bench.tune.pictures)
    assert bench.now.standing.count.sum() == len(bench.tune) > len(bench.tune.pictures)
    mean = bench.headline.mean
    bench.edit(Edit(EditKind.LEAVE, class_id=bench.dataset.classes.ids[0]))
    assert bench.headline.mean < mean
    assert bench.undo() is not None
    assert bench.headline.mean == mean
    table = pairs("classes")
    assert "recall %" in table.out


@pytest.mark.parametrize("labels", [["a"], ["a", "b"]])
def test_captions_need_no_right_answer_among_the_classes(lab: Lab, labels: list[str]) -> None:
    root = draw(Path("photos"))
    rows = [{"path": str(path), "captions": [f"picture {i}"], "labels": labels} for i, path in enumerate(sorted(root.rglob("*.*g")))]
    Path("t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    lab = lab.but(model="mini")
    tune, judged = lab.halves(lab.features(lab.open("t.jsonl"), lab.encoder("mini"))[0])
    assert len(tune) + len(judged) == len(rows)
    with pytest.raises(DataError, match="shows some of the classes and not all"):
        lab.encode("t.jsonl")
    assert lab.match("t.jsonl").outcome is not None
    whole = lab.but(transductive=True).match("t.jsonl").material
    assert whole.tune is whole.judged


def test_a_split_file_leaves_nothing_to_transduction(made: Path, pairs: Callable[..., Said]) -> None:
    (made / "split.csv").write_text("path,split\n" + "".join(f"p{i:03d}.png,{'train' if i % 2 else 'test'}\n" for i in range(N)))
    said = pairs("run", "pairs.npz", "--split", "split.csv", "--transductive")
    assert said.code == 2
    assert "--split says" in said.err


def test_a_class_that_is_shown_with_all_others_only_is_not_absent(made: Path, pairs: Callable[..., Said]) -> None:
    with np.load(made / "pairs.npz") as file:
        arrays = dict(file)
    labels = arrays["labels"].copy()
    labels[:, 0] = False
    labels[0] = True
    np.savez(made / "all.npz", **arrays | {"labels": labels})
    found = pairs("run", "all.npz", "--templates", "simple", "--json").json
    assert found["data"]["absent"] == 0
    assert found["data"]["unanswered"] == (~labels.any(1) | labels.all(1)).sum()
