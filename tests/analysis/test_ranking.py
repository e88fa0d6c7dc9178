"""Whether a rule's order of the classes is that of their accuracy."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from score.planted import RULES, boards, features_of, planted, predicting

from promptlab.analysis.ranking import agreement
from promptlab.score.evaluate import evaluate
from promptlab.types import Array, Evaluation, LabelSource, Scoreboard

nan = float("nan")


def truth(hits: list[int], count: list[int]) -> Evaluation:
    """An evaluation of classes with so many images, so many of them right."""
    c = len(count)
    labels = np.repeat(np.arange(c), count)
    right = np.concatenate([np.arange(n) < h for h, n in zip(hits, count, strict=True)])
    features, classifier = predicting(np.where(right, labels, (labels + 1) % c), c)
    return evaluate(classifier, features_of(features.x, labels), RULES, fixed=None, k=None, seed=0, device="cpu")


def board(value: list[float], rule: str = "cmm/mean", counts: list[int] | None = None, lower_is_better: bool = False) -> Scoreboard:
    per_class = np.array([value])
    count = np.array([counts or [int(v == v) for v in value]])
    return Scoreboard(rule, "ensemble", ("classifier",), np.zeros(1), per_class, count, "margin", lower_is_better, np.zeros(1, int))


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 8)), min_size=3, max_size=12), st.integers(1, 14), st.booleans())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_correlation_is_scipys_and_found_is_what_a_plain_count_finds(pairs: list[tuple[int, int]], k: int, less_is_better: bool) -> None:
    value, hits = map(list, zip(*pairs, strict=True))
    made = truth(hits, [8] * len(hits))
    sign = -1 if less_is_better else 1
    (found,) = agreement([board([sign * float(v) for v in value], lower_is_better=less_is_better)], made, k)
    lowest = sorted(range(len(hits)), key=lambda c: (value[c], c))[:k]
    limit = sorted(hits)[min(k, len(hits)) - 1]
    assert (found.found, found.k) == (sum(hits[c] <= limit for c in lowest), min(k, len(hits)))
    if len(set(value)) == 1 or len(set(hits)) == 1:
        assert np.isnan(found.spearman)
    else:
        assert found.spearman == pytest.approx(spearmanr(value, hits).statistic)


def test_classes_without_images_are_left_out() -> None:
    made = truth([0, 0, 3, 4], [4, 0, 4, 4])
    (found,) = agreement([board([-0.3, -9.0, 0.1, 0.2])], made, 1)
    assert (found.found, found.k) == (1, 1)
    assert found.spearman == pytest.approx(1.0)


@pytest.mark.parametrize("value", [nan, -0.5])
def test_a_class_that_is_never_predicted_is_ranked_below_all_others(value: float) -> None:
    """Its margin counts as the lowest of the others; it comes before them all the same."""
    made = truth([2, 0, 4], [4, 4, 4])
    (found,) = agreement([board([-0.5, value, 0.2], counts=[5, 0, 5])], made, 1)
    assert found.found == 1
    assert found.spearman == pytest.approx(1.0)


def test_the_best_order_comes_first_and_what_says_nothing_last() -> None:
    made = truth([0, 2, 4], [4, 4, 4])
    several = [
        board([1.0, 1, 1], "f1/macro"),
        board([3.0, 2, 1], "entropy/mean"),
        board([1.0, 2, 3], "cmm/mean"),
        board([2.0, 1, 3], "recall/mean"),
    ]
    assert [row.rule for row in agreement(several, made, 1)] == ["cmm", "recall", "entropy", "f1"]


def test_without_labels_there_is_nothing_to_agree_with() -> None:
    made = truth([1, 2], [4, 4])
    assert agreement([board([0.1, 0.2])], replace(made, accuracy=None), 1) == ()


def test_on_a_planted_set_accuracy_itself_agrees_wholly_and_margins_nearly() -> None:
    found = planted(0, classes=10, each=40, image_noise=3.0, text_noise=(0.5,))
    features = found.features()
    told = boards(features, found.z, ["recall", "cmm"], found.labels, LabelSource.TRUE)
    made = truth(*hits_of(told["recall"]))
    recall, cmm = agreement(told.values(), made, 3)
    assert (recall.rule, recall.spearman, recall.found) == ("recall", pytest.approx(1.0), 3)
    assert cmm.spearman > 0.7


def hits_of(recall: Scoreboard) -> tuple[list[int], list[int]]:
    count: Array = recall.count[0]
    return np.rint(recall.per_class[0] * count).astype(int).tolist(), count.tolist()
