import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from promptlab.errors import DataError, MismatchError
from promptlab.runs import load_classifier, save_classifier
from promptlab.types import Classes, Classifier, Combine

FIVE_LINES = """
import json, numpy as np
from safetensors import safe_open
f = safe_open("{path}", "np")
about = json.loads(f.metadata()["promptlab"])
logits = about["scale"] * np.array([[1, 0, 0], [0, 0.6, 0.8]], "f4") @ f.get_tensor("weight").T + f.get_tensor("bias")
import sys
assert not [m for m in sys.modules if m.startswith("promptlab")]
print(json.dumps([about["classes"], logits.tolist(), about["lineage"], about["names"], about["encoder"], about["combine"]]))
"""


def made(combine: Combine = Combine.EMBEDDING) -> Classifier:
    classes = Classes(("a", "b#1"), (("cat", "kitten"), ("Straße 🐟 \x1b[31m",)))
    weight = np.array([[1, 0, 0], [0, 0.6, 0.8]], np.float32)
    return Classifier(weight, np.array([0, 0.5], np.float32), 42.5, classes, "abc", combine, {"families": ["a {}"], "weights": [1.0]})


@pytest.mark.parametrize("combine", list(Combine))
def test_a_classifier_comes_back_as_it_went(tmp_path: Path, combine: Combine) -> None:
    first = made(combine)
    save_classifier(tmp_path / "c.safetensors", first)
    second = load_classifier(tmp_path / "c.safetensors")
    np.testing.assert_array_equal(first.weight, second.weight)
    np.testing.assert_array_equal(first.bias, second.bias)
    assert (first.classes, first.scale, first.encoder, first.combine, first.lineage) == (
        second.classes,
        second.scale,
        second.encoder,
        second.combine,
        second.lineage,
    )


def test_it_loads_in_five_lines_without_promptlab(tmp_path: Path) -> None:
    save_classifier(tmp_path / "c.safetensors", made())
    code = FIVE_LINES.format(path=tmp_path / "c.safetensors")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert not done.stderr
    names, logits, lineage, all_names, encoder, combine = json.loads(done.stdout)
    assert names == ["cat", "Straße 🐟 \x1b[31m"]
    np.testing.assert_allclose(logits, [[42.5, 0.5], [0, 43]], atol=1e-5)
    assert lineage == {"families": ["a {}"], "weights": [1.0]}
    assert (all_names[0], encoder, combine) == (["cat", "kitten"], "abc", "embedding")


def test_a_classifier_in_fortran_order_is_kept_right(tmp_path: Path) -> None:
    first = made()
    turned = Classifier(np.asfortranarray(first.weight), first.bias, first.scale, first.classes, "abc")
    save_classifier(tmp_path / "c.safetensors", turned)
    np.testing.assert_array_equal(load_classifier(tmp_path / "c.safetensors").weight, first.weight)


@pytest.mark.parametrize("content", [b"", b"garbage" * 99, None], ids=["empty", "garbage", "cut"])
def test_a_broken_file_is_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "c.safetensors"
    save_classifier(path, made())
    path.write_bytes(path.read_bytes()[:-10] if content is None else content)
    with pytest.raises(DataError, match=r"c\.safetensors.* is no classifier"):
        load_classifier(path)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.safetensors"):
        load_classifier(tmp_path / "gone.safetensors")


@pytest.mark.parametrize(
    "about",
    [
        None,
        "{",
        "[]",
        "{}",
        '{"ids": ["a"], "names": [["a"]], "scale": "x", "encoder": "", "combine": "embedding", "lineage": {}}',
        '{"ids": ["a"], "names": [["a"]], "scale": 1, "encoder": "", "combine": "other", "lineage": {}}',
        '{"ids": ["a"], "names": [[]], "scale": 1, "encoder": "", "combine": "embedding", "lineage": {}}',
    ],
    ids=["none", "no json", "list", "empty", "scale", "combine", "names"],
)
def test_other_safetensors_are_no_classifier(tmp_path: Path, about: str | None) -> None:
    tensors = {"weight": np.ones((1, 2), np.float32), "bias": np.zeros(1, np.float32)}
    save_file(tensors, tmp_path / "c.safetensors", None if about is None else {"promptlab": about})
    with pytest.raises(DataError):
        load_classifier(tmp_path / "c.safetensors")


ABOUT = {"ids": ["a", "b"], "names": [["a"], ["b"]], "scale": 1, "encoder": "", "combine": "embedding", "lineage": {}}
IMPOSSIBLE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "bias nan": ({}, {"bias": np.array([0, np.nan], np.float32)}),
    "weight inf": ({}, {"weight": np.array([[1, 0], [np.inf, 0]], np.float32)}),
    "weight of integers": ({}, {"weight": np.eye(2, dtype=np.int32)}),
    "weight flat": ({}, {"weight": np.ones(2, np.float32)}),
    "bias of another length": ({}, {"bias": np.zeros(3, np.float32)}),
    "scale nan": ({"scale": math.nan}, {}),
    "scale zero": ({"scale": 0}, {}),
    "scale below zero": ({"scale": -3}, {}),
    "scale infinite": ({"scale": math.inf}, {}),
    "scale of 400 digits": ({"scale": 10**400}, {}),
    "names are numbers": ({"names": [[1], [2]]}, {}),
    "names are words": ({"names": ["cat", "dog"]}, {}),
    "ids are a word": ({"ids": "ab"}, {}),
    "ids occur twice": ({"ids": ["a", "a"]}, {}),
    "lineage none": ({"lineage": None}, {}),
    "lineage a list": ({"lineage": []}, {}),
    "encoder a number": ({"encoder": 5}, {}),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_impossible_classifiers_are_refused_by_name(tmp_path: Path, case: str) -> None:
    about, tensors = IMPOSSIBLE[case]
    whole = {"weight": np.eye(2, dtype=np.float32), "bias": np.zeros(2, np.float32)} | tensors
    save_file(whole, tmp_path / "c.safetensors", {"promptlab": json.dumps(ABOUT | about)})
    with pytest.raises(DataError, match=r"c\.safetensors.* is no classifier"):
        load_classifier(tmp_path / "c.safetensors")


def test_a_classifier_of_other_floats_is_read_as_f4(tmp_path: Path) -> None:
    save_file({"weight": np.eye(2), "bias": np.zeros(2, np.float16)}, tmp_path / "c.safetensors", {"promptlab": json.dumps(ABOUT)})
    found = load_classifier(tmp_path / "c.safetensors")
    assert found.weight.dtype == found.bias.dtype == np.float32


def test_shapes_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    first = made()
    with pytest.raises(MismatchError, match="2 rows, 3 biases"):
        Classifier(first.weight, np.zeros(3, np.float32), 1, first.classes, "")
