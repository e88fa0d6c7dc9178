import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score

from promptlab.config import Settings
from promptlab.lab import Lab
from promptlab.score.halves import halves

from .conftest import Said, Twice

EVERYDAY = Path(__file__).parents[2] / "plugins" / "promptlab-demo" / "promptlab_demo" / "everyday.npz"


def without_its_own(result: dict[str, Any]) -> dict[str, Any]:
    """What must be equal between two runs of the same."""
    return {name: value for name, value in result.items() if name not in ("run", "seconds", "encoded")}


def is_interval(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and value[0] <= value[1]


def test_both_runs_finish_and_print_one_json_object(everyday: Twice, pictures: Twice) -> None:
    for said in (everyday.cold, everyday.warm, pictures.cold, pictures.warm):
        assert said.code == 0, said.err
        assert isinstance(said.json, dict)


def test_the_result_says_what_it_stands_on(everyday: Twice) -> None:
    data = everyday.cold.json["data"]
    assert (data["n"], data["tune"], data["eval"], data["classes"], data["absent"], data["skipped"]) == (2020, 1010, 1010, 101, 0, [])
    assert data["in_sample"] is False
    assert data["model"] == "mini"


@pytest.mark.parametrize("part", ["baseline", "result"])
def test_baseline_and_result_are_judged_in_full(everyday: Twice, part: str) -> None:
    found = everyday.cold.json[part]
    assert 0 < found["accuracy"] < 1
    assert found["interval"][0] < found["accuracy"] < found["interval"][1]
    assert isinstance(found["zeros"], int)
    worst = found["worst"]
    assert worst["k"] == 10
    assert len(worst["fixed_classes"]) == 10
    assert is_interval(worst["fixed_interval"])
    assert worst["repicked"] <= worst["fixed"]


def test_both_follow_the_same_fixed_classes(everyday: Twice) -> None:
    found = everyday.cold.json
    assert found["baseline"]["worst"]["fixed_classes"] == found["result"]["worst"]["fixed_classes"]


def test_the_difference_is_the_difference(everyday: Twice) -> None:
    found = everyday.cold.json
    change = found["difference"]
    assert change["accuracy"] == pytest.approx(found["result"]["accuracy"] - found["baseline"]["accuracy"])
    assert change["worst"] == pytest.approx(found["result"]["worst"]["fixed"] - found["baseline"]["worst"]["fixed"])
    assert is_interval(change["interval"])
    assert is_interval(change["worst_interval"])
    assert 0 <= change["mcnemar_p"] <= 1


def test_families_have_name_weight_and_score(everyday: Twice) -> None:
    families = everyday.cold.json["families"]
    assert len(families) == 7
    assert {"name", "weight", "score"} <= set(families[0])
    assert sum(family["weight"] for family in families) == pytest.approx(1)
    assert "a photo of a {}." in [family["name"] for family in families]


def test_health_seconds_and_work_are_told(everyday: Twice) -> None:
    found = everyday.cold.json
    assert all(set(check) == {"name", "text"} for check in found["health"])
    assert found["seconds"]["total"] > 0
    assert found["encoded"]["images"] == 0
    assert found["encoded"]["texts"] > 600


def test_a_warm_run_encodes_nothing_and_is_equal_to_the_bit(everyday: Twice, pictures: Twice) -> None:
    for runs in (everyday, pictures):
        assert sum(runs.cold.json["encoded"].values()) > 0
        assert runs.warm.json["encoded"] == {"texts": 0, "images": 0}
        assert without_its_own(runs.cold.json) == without_its_own(runs.warm.json)


def tensors(runs: Twice, said: Said) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    with safe_open(runs.folder / said.json["run"] / "classifier.safetensors", "np") as file:
        return file.get_tensor("weight"), file.get_tensor("bias"), json.loads(file.metadata()["promptlab"])


def test_both_classifiers_are_equal_to_the_bit(everyday: Twice, pictures: Twice) -> None:
    for runs in (everyday, pictures):
        (first, _, about), (second, _, other) = tensors(runs, runs.cold), tensors(runs, runs.warm)
        np.testing.assert_array_equal(first, second)
        assert about == other


def predicted(runs: Twice) -> tuple[np.ndarray, np.ndarray]:
    weight, bias, about = tensors(runs, runs.cold)
    with np.load(EVERYDAY) as file:
        x, labels = file["features"].astype(np.float32), file["labels"]
    _, judged = halves(labels, len(labels), 0)
    x = x[judged] / np.linalg.norm(x[judged], axis=1, keepdims=True)
    return labels[judged], (about["scale"] * x @ weight.T + bias).argmax(1)


def test_the_accuracy_is_the_one_that_scikit_learn_finds(everyday: Twice) -> None:
    truth, guessed = predicted(everyday)
    found = everyday.cold.json["result"]
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, guessed), abs=1e-12)
    assert found["mean"] == pytest.approx(balanced_accuracy_score(truth, guessed), abs=1e-12)
    recalls = recall_score(truth, guessed, average=None)
    assert found["zeros"] == (recalls == 0).sum()
    assert found["worst"]["repicked"] == pytest.approx(np.sort(recalls)[:10].mean(), abs=1e-12)


def test_the_fixed_worst_classes_are_followed_as_scikit_learn_would(everyday: Twice) -> None:
    truth, guessed = predicted(everyday)
    _, _, about = tensors(everyday, everyday.cold)
    found = everyday.cold.json["result"]["worst"]
    recalls = recall_score(truth, guessed, average=None)
    followed = [about["classes"].index(name) for name in found["fixed_classes"]]
    assert found["fixed"] == pytest.approx(recalls[followed].mean(), abs=1e-12)


def test_the_weights_in_the_classifier_are_those_of_the_result(everyday: Twice) -> None:
    found = everyday.cold.json
    _, _, about = tensors(everyday, everyday.cold)
    wanted = [family["weight"] for family in found["families"]] if found["method"]["kept"] else [1 / 7] * 7
    weights = np.array(about["lineage"]["weights"])
    np.testing.assert_allclose(weights if weights.ndim == 1 else weights.mean(1), wanted)
    assert about["lineage"]["families"] == [family["name"] for family in found["families"]]


def test_a_bad_picture_is_counted_named_and_left_out(pictures: Twice) -> None:
    for said in (pictures.cold, pictures.warm):
        data = said.json["data"]
        assert data["n"] == 15
        assert [entry["picture"] for entry in data["skipped"]] == ["blue/broken.jpg"]
        assert "UnidentifiedImageError" in data["skipped"][0]["reason"]
        report = (pictures.folder / said.json["run"] / "report.md").read_text("utf-8")
        assert "Left out: 1 picture that could not be read" in report
        assert "broken.jpg" in report


def test_folder_names_become_class_names(pictures: Twice) -> None:
    classes = json.loads((pictures.folder / pictures.cold.json["run"] / "classes.json").read_text())
    assert [row["class"] for row in classes] == ["blue", "green leaf", "red"]
    assert sum(row["pictures"] for row in classes) == pictures.cold.json["data"]["eval"]


def test_a_run_folder_is_whole(everyday: Twice) -> None:
    run = everyday.folder / everyday.cold.json["run"]
    assert {"run.json", "result.json", "report.md", "classes.json", "classifier.safetensors", "events.jsonl"} <= {
        p.name for p in run.iterdir()
    }
    assert json.loads((run / "result.json").read_text()) == everyday.cold.json
    assert json.loads((run / "run.json").read_text())["settings"]["templates"] == ["simple"]


def test_piped_stderr_is_json_lines_and_stdout_the_result_alone(everyday: Twice, pictures: Twice) -> None:
    for said in (everyday.cold, pictures.cold):
        kinds = [event["event"] for event in said.events]
        assert {"started", "finished", "saved"} <= set(kinds)
        assert said.out.startswith("{")
        assert said.out.count("\n}") == 1
    assert any(event["event"] == "noted" and "broken.jpg" in event["text"] for event in pictures.cold.events)


def test_every_work_that_starts_is_finished(everyday: Twice, pictures: Twice) -> None:
    for said in (everyday.cold, everyday.warm, pictures.cold):
        started = [event["work"] for event in said.events if event["event"] == "started"]
        finished = [event["work"] for event in said.events if event["event"] == "finished"]
        assert started == finished


def test_a_warm_run_imports_no_open_clip(everyday: Twice) -> None:
    code = (
        "import sys; from promptlab import Lab, Settings; found = Lab(Settings.load({'templates': ('simple',)})).run('everyday'); "
        "print(found.summary['encoded'], sorted(set(sys.modules) & {'open_clip', 'timm', 'torchvision', 'transformers'}))"
    )
    environment = os.environ | {"PROMPTLAB_CACHE": str(everyday.cache)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment)
    assert done.stdout.strip() == "{'texts': 0, 'images': 0} []", done.stderr


def test_real_photographs_are_recognised(shared: Path) -> None:
    lab = Lab(Settings.load({"templates": ("plain",), "transductive": True}))
    found = lab.run(str(shared / "data" / "photos")).summary
    assert found["data"]["n"] == 200
    assert found["data"]["in_sample"] is True
    assert 0.90 <= found["baseline"]["accuracy"] <= 0.98
    assert 0.90 <= found["one_template"]["accuracy"] <= 0.98
