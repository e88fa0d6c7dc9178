"""Health checks: each fires on its planted problem and is silent where all is well."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from promptlab.score.evaluate import evaluate
from promptlab.score.health import check_labels, check_margins, check_mix, check_ranking, check_ties, check_weights, spearman
from promptlab.types import Array, Check, Evaluation, LabelSource, Weights
from score.planted import RULES, boards, checked, classifier_of, features_of, planted, way_of


def weights(*w: float, how: str = "cpe") -> Weights:
    return Weights(np.array(w) / sum(w), tuple(f"family {i}" for i in range(len(w))), how)


def names(checks: list[Check]) -> list[str]:
    return [check.name for check in checks]


# -- rank correlation ---------------------------------------------------------------------------------------------------------------


@given(pairs=st.lists(st.tuples(st.integers(-3, 3), st.floats(-5, 5)), min_size=3, max_size=30))
@checked
def test_spearman_equals_scipy_with_and_without_ties(pairs: list[tuple[int, float]]) -> None:
    a, b = (np.array(column, float) for column in zip(*pairs, strict=True))
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert np.isnan(spearman(a, b))
    else:
        assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic, abs=1e-9)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_spearman_of_fewer_than_three_says_nothing(n: int) -> None:
    assert np.isnan(spearman(np.arange(n), np.arange(n)))


@pytest.mark.parametrize(("b", "rho"), [([1, 2, 3, 4], 1.0), ([4, 3, 2, 1], -1.0), ([1, 10, 100, 1e9], 1.0)])
def test_spearman_of_an_order_and_its_reverse(b: list[float], rho: float) -> None:
    assert spearman(np.arange(4), np.array(b)) == pytest.approx(rho)


# -- weights ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (weights(100, 1, 1), ["weights-collapsed"]),
        (weights(5, 1, 1, 1), []),
        (weights(100, 1), []),
        (weights(1, 1.01, 1), ["weights-uniform"]),
        (weights(1, 1.01), ["weights-uniform"]),
        (weights(4, 2, 1), []),
        (weights(1, 1, 1, how="uniform"), []),
        (weights(1), []),
    ],
)
def test_weights_on_fewer_than_two_families_or_on_all_alike_are_told(made: Weights, expected: list[str]) -> None:
    assert names(check_weights(made)) == expected


def test_a_collapse_names_the_family_that_has_it_all() -> None:
    text = check_weights(weights(1, 98, 1))[0].text
    assert "family 1" in text
    assert "98%" in text


# -- ranking ------------------------------------------------------------------------------------------------------------------------


def ranked(z_noise: tuple[float, ...], *w: float, how: str = "cpe") -> list[str]:
    material = planted(0, image_noise=2.5, text_noise=z_noise)
    board = boards(material.features(), material.z, ["accuracy"], material.labels)["accuracy"]
    assert (np.diff(board.value) < 0).all(), "noise falls from family to family"
    return names(check_ranking(weights(*w, how=how), board))


def test_weights_against_accuracy_are_told() -> None:
    noise = (0.0, 1.5, 4.0)
    assert ranked(noise, 1, 2, 3) == ["weights-against-accuracy"]
    assert ranked(noise, 3, 2, 1) == []
    assert ranked(noise, 1, 1, 1) == []
    assert ranked(noise, 1, 2, 3, how="uniform") == []


def test_without_accuracy_nothing_is_said_of_the_ranking() -> None:
    assert check_ranking(weights(1, 2, 3), None) == []


# -- margins ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    material = planted(0, classes=10, image_noise=2.5, text_noise=(0.5,))
    return evaluate(classifier_of(material.z[0]), material.features(), RULES, fixed=None, k=None, seed=0, device="cpu")


def with_margin(evaluation: Evaluation, margin: Array) -> list[str]:
    return names(check_margins(replace(evaluation, margin=margin)))


def test_margins_that_do_not_follow_accuracy_are_told(evaluation: Evaluation) -> None:
    assert names(check_margins(evaluation)) == []
    assert with_margin(evaluation, -evaluation.per_class) == ["margin-uncorrelated"]
    assert with_margin(evaluation, evaluation.per_class**3) == []


def test_margins_of_absent_classes_do_not_count(evaluation: Evaluation) -> None:
    gone = np.r_[np.nan, evaluation.per_class[1:]]
    assert with_margin(replace(evaluation, per_class=gone), np.r_[-99.0, evaluation.per_class[1:]]) == []


def test_margins_without_labels_say_nothing(evaluation: Evaluation) -> None:
    assert check_margins(replace(evaluation, per_class=np.full(10, np.nan))) == []


# -- labels, ties, balance ----------------------------------------------------------------------------------------------------------


def test_only_labels_of_the_family_itself_are_told() -> None:
    for source in LabelSource:
        fired = names(check_labels(way_of("cpe", labels=source)))
        assert fired == (["labels-self"] if source is LabelSource.SELF else [])
    assert check_labels(way_of("carprt", labels=LabelSource.SELF)) == []
    assert check_labels(way_of("uniform", labels=LabelSource.SELF)) == []


def test_ties_are_told_with_their_number() -> None:
    twins, distinct = np.eye(2)[[0, 0, 1]][None], np.eye(3)[None]
    features = features_of(np.eye(2)[[0, 0, 1]], np.array([0, 1, 2]))
    found = check_ties(boards(features, twins, ["cmm"], features.labels)["cmm"], features)
    assert names(found) == ["ties"]
    assert "2 of 3 pictures" in found[0].text
    clean = features_of(np.eye(3), np.arange(3))
    assert check_ties(boards(clean, distinct, ["cmm"], clean.labels)["cmm"], clean) == []


def test_the_assumed_mix_is_told_and_absent_classes_are_counted() -> None:
    def said(labels: list[int] | None, classes: int = 3) -> str:
        return check_mix(features_of(np.eye(4)[: len(labels or "abc")], labels), classes, "balance", None)[0].text

    assert check_mix(features_of(np.eye(3), np.arange(3)), 3, "none", None) == []
    assert "do not occur" not in said([0, 1, 2])
    assert "do not occur" not in said(None)
    assert "2 of 5 classes do not occur" in said([0, 1, 2, 2], 5)
