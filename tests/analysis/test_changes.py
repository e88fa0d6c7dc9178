"""Classes won and lost between two classifiers, and who takes what is lost."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score.planted import RULES, features_of, predicting

from promptlab.analysis.changes import changes
from promptlab.score.evaluate import evaluate
from promptlab.types import Array, Evaluation

CLASSES = 5


def judged(winner: list[int], labels: list[int] | None) -> Evaluation:
    features, classifier = predicting(np.array(winner), CLASSES)
    told = features_of(features.x, None if labels is None else np.array(labels))
    return evaluate(classifier, told, RULES, fixed=None, k=None, seed=0, device="cpu")


IMAGES = st.lists(st.tuples(*[st.integers(0, CLASSES - 1)] * 3), min_size=1, max_size=40)


@given(images=IMAGES)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_what_is_won_and_lost_is_what_a_plain_count_finds(images: list[tuple[int, int, int]]) -> None:
    labels, before, after = map(list, zip(*images, strict=True))
    found = changes(judged(before, labels), judged(after, labels))
    assert found is not None
    assert found.gained_images == sum(b != y == a for y, b, a in images)
    assert found.lost_images == sum(b == y != a for y, b, a in images)
    net = {c: sum((a == c) - (b == c) for y, b, a in images if y == c) for c in range(CLASSES)}
    size = Counter(labels)
    assert {one.class_index for one in found.won} == {c for c, n in net.items() if n > 0}
    assert {one.class_index for one in found.lost} == {c for c, n in net.items() if n < 0}
    for side in (found.won, found.lost):
        assert [abs(one.after - one.before) for one in side] == sorted((abs(one.after - one.before) for one in side), reverse=True)
    for one in (*found.won, *found.lost):
        c = one.class_index
        assert one.images == size[c]
        assert one.after - one.before == pytest.approx(net[c] / size[c])
        takers = Counter(a for y, b, a in images if y == c == b != a)
        assert {t.predicted: t.count for t in one.taken} == takers
        assert [t.count for t in one.taken] == sorted(takers.values(), reverse=True)
        assert sum(t.rate for t in one.taken) == pytest.approx(1.0 if takers else 0.0)


def test_a_class_that_wins_as_many_images_as_it_loses_has_not_changed_but_its_images_count() -> None:
    found = changes(judged([0, 1], [0, 0]), judged([1, 0], [0, 0]))
    assert found is not None
    assert (found.won, found.lost, found.gained_images, found.lost_images) == ((), (), 1, 1)


def test_without_labels_nothing_is_won_or_lost() -> None:
    assert changes(judged([0, 1], None), judged([1, 0], None)) is None


def equal(first: Array, second: Array) -> bool:
    return np.array_equal(first, second, equal_nan=True)


def test_the_same_classifier_changes_nothing() -> None:
    one = judged([0, 1, 2], [0, 1, 1])
    found = changes(one, one)
    assert found is not None
    assert (found.won, found.lost, found.gained_images, found.lost_images) == ((), (), 0, 0)
    assert equal(one.per_class, np.array([1.0, 0.5, np.nan, np.nan, np.nan]))
