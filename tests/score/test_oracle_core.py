"""Cases with known answers, worked out by hand: entropy and F1."""

import math

import numpy as np
import pytest

from promptlab.types import LabelSource
from score.planted import boards, features_of, from_similarity, predicting

F4 = 2e-6  # the contest is fp32


def entropy(cosines: list[float], scale: float) -> float:
    x, z = from_similarity([cosines])
    return float(boards(features_of(x), z[None], ["entropy"], np.array([0]), LabelSource.TRUE, scale=scale)["entropy"].value[0])


@pytest.mark.parametrize(
    ("tau", "expected"),
    [(1.0, 0.5822031088882179), (0.5, 0.3653338550872077), (0.25, 0.09009476776617596), (2.0, 0.6628473185791794)],
)
def test_entropy_1_of_two_classes(tau: float, expected: float) -> None:
    assert entropy([0.5, 0.0], 2 / tau) == pytest.approx(expected, abs=F4)


@pytest.mark.parametrize("size", [32, 99, 205, 415])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_entropy_2_of_equal_logits_is_the_log_of_their_number(size: int, scale: float) -> None:
    assert entropy([0.01] * size, scale) == pytest.approx(math.log(size), abs=1e-5)


@pytest.mark.parametrize("scale", [2e3, 2e5])
def test_entropy_3_of_a_sure_image_is_zero(scale: float) -> None:
    assert entropy([0.5, 0.0, -0.5], scale) == pytest.approx(0.0, abs=1e-3 * scale / 2e3)
    assert np.isfinite(entropy([0.5, 0.0, -0.5], scale))


def test_entropy_6_lies_between_zero_and_the_log_of_the_classes_and_grows_with_tau() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        cosines = rng.uniform(-0.3, 0.3, rng.integers(2, 9)).tolist()
        found = [entropy(cosines, 10 / tau) for tau in (0.1, 0.3, 1.0, 3.0)]
        assert min(found) >= -F4
        assert max(found) <= math.log(len(cosines)) + F4
        assert (np.diff(found) >= -F4).all()


F1 = [
    ([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2], [0.8, 0.5, 2 / 3], 0.6555555555555556, 2 / 3, 0.6777777777777779),
    ([0, 0, 1, 2], [0, 0, 0, 0], [2 / 3, 0.0, 0.0], 2 / 9, 0.5, 1 / 3),
]


@pytest.mark.parametrize(("true", "said", "per_class", "macro", "micro", "weighted"), F1, ids=["f1-1", "f1-2-never-predicted"])
def test_f1(true: list[int], said: list[int], per_class: list[float], macro: float, micro: float, weighted: float) -> None:
    features, classifier = predicting(np.array(said), 3)
    found = boards(features, classifier.weight[None], ["f1", "f1/micro", "f1/weighted", "accuracy"], np.array(true))
    assert found["f1"].per_class[0] == pytest.approx(per_class, abs=1e-12)
    assert [float(found[n].value[0]) for n in found] == pytest.approx([macro, micro, weighted, micro], abs=1e-12)
