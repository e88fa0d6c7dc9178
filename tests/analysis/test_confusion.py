"""The confusion matrix, and its strongest pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix as sklearn_confusion

from promptlab.analysis.confusion import confusion_matrix, confusions, row_normalised, takers
from promptlab.types import Confusion


def test_confusion_1_worked_out_by_hand() -> None:
    labels, winner = np.array([0, 0, 1, 1, 1, 2]), np.array([0, 1, 1, 1, 2, 2])
    matrix = confusion_matrix(labels, winner, 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 2, 1], [0, 0, 1]]
    assert row_normalised(matrix) == pytest.approx(np.array([[0.5, 0.5, 0], [0, 2 / 3, 1 / 3], [0, 0, 1]]), abs=1e-12)
    assert confusions(labels, winner, 3) == [Confusion(0, 1, 1, 0.5), Confusion(1, 2, 1, pytest.approx(1 / 3))]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_the_matrix_is_scikit_learns_and_the_pairs_are_read_off_it(pairs: list[tuple[int, int]]) -> None:
    labels, winner = np.array(pairs).T
    matrix = confusion_matrix(labels, winner, 5)
    assert np.array_equal(matrix, sklearn_confusion(labels, winner, labels=range(5)))
    found = confusions(labels, winner, 5)
    assert {(c.true, c.predicted, c.count) for c in found} == {
        (i, j, matrix[i, j]) for i in range(5) for j in range(5) if i != j and matrix[i, j]
    }
    assert [c.rate for c in found] == sorted((c.rate for c in found), reverse=True)
    for c in range(5):
        counts = [t.count for t in takers(labels, winner, c, most=5)]
        assert counts == sorted((int(v) for j, v in enumerate(matrix[c]) if j != c and v), reverse=True)


def test_a_class_without_pictures_has_no_shares_and_no_takers() -> None:
    labels, winner = np.array([0, 0]), np.array([0, 1])
    assert np.isnan(row_normalised(confusion_matrix(labels, winner, 3))[2]).all()
    assert takers(labels, winner, 2) == []
