"""Judging finished classifiers: labels are joined by class, and the first one's worst classes are followed."""

import numpy as np
import pytest
from score.planted import RULES, classifier_of, features_of, planted

from promptlab.errors import MismatchError
from promptlab.loops.judge import duel, labels_for
from promptlab.score.evaluate import compare, evaluate
from promptlab.types import Array, Classes, Classifier

ABC, CBA = Classes.of(["a", "b", "c"]), Classes.of(["c", "b", "a"])


@pytest.mark.parametrize(
    ("classifier", "data", "labels", "expected"),
    [
        (ABC, ABC, [0, 1, 2], [0, 1, 2]),
        (CBA, ABC, [0, 1, 2, 2], [2, 1, 0, 0]),
        (ABC, Classes.of(["c", "a"]), [0, 1, 0], [2, 0, 2]),
    ],
)
def test_labels_follow_the_class_and_not_its_place(classifier: Classes, data: Classes, labels: list[int], expected: list[int]) -> None:
    found = labels_for(classifier, data, np.array(labels))
    assert found is not None
    assert found.tolist() == expected


def test_no_labels_stay_none() -> None:
    assert labels_for(ABC, CBA, None) is None


def test_columns_of_several_right_answers_are_moved() -> None:
    wider = Classes.of(["a", "b", "c", "d"])
    shown = np.array([[True, False, False], [True, True, False], [False, False, False]])  # c; c and b; none
    found = labels_for(wider, CBA, shown)
    assert found is not None
    assert found.tolist() == [[False, False, True, False], [False, True, True, False], [False] * 4]


def test_a_class_that_the_classifier_does_not_know_is_named() -> None:
    with pytest.raises(MismatchError, match="no class 'd'") as error:
        labels_for(ABC, Classes.of(["a", "d", "e"]), np.array([0]))
    assert "2 of 3 are unknown" in error.value.message
    assert "It knows: a, b, c." in error.value.hint


def two() -> tuple[Classifier, Classifier]:
    found = planted(0, text_noise=(1.0, 0.3))
    return classifier_of(found.z[0]), classifier_of(found.z[1])


def test_a_duel_follows_the_classes_that_the_first_is_worst_at_on_tune() -> None:
    tune, judged = (planted(0, image_noise=2.0).features(slice(start, None, 2)) for start in (0, 1))
    first, second = two()
    found = duel(first, second, tune, judged, RULES, k=2, seed=0, device="cpu")
    before = evaluate(first, tune, RULES, fixed=None, k=2, seed=0, device="cpu")
    assert found.first.worst.fixed_classes == found.second.worst.fixed_classes == before.worst.fixed_classes
    assert found.first.n == found.second.n == len(judged)
    assert found.difference == compare(found.first, found.second, 0)
    assert found.first.accuracy is not None
    assert found.second.accuracy is not None
    assert found.difference.accuracy == pytest.approx(found.second.accuracy - found.first.accuracy, abs=1e-12)


def test_a_duel_with_itself_shows_nothing() -> None:
    features = planted(0).features()
    first, _ = two()
    difference = duel(first, first, features, features, RULES, k=0, seed=0, device="cpu").difference
    assert (difference.accuracy, difference.changed, difference.mcnemar_p) == (0.0, 0.0, 1.0)


def test_classifiers_of_other_classes_are_not_compared() -> None:
    def other(rows: Array) -> None:
        features = features_of(np.eye(4))
        duel(classifier_of(np.eye(4)), classifier_of(rows), features, features, RULES, k=0, seed=0, device="cpu")

    with pytest.raises(MismatchError, match="different classes"):
        other(np.eye(3, 4))
