"""Where queries find their right answers, against plain loops over all similarities."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.errors import MismatchError
from promptlab.score import retrieval
from promptlab.score.retrieval import Found, find, of_rows
from promptlab.types import Array, unit
from score.planted import checked


def found(x: Array, z: Array, right: Sequence[tuple[int, int]]) -> Found:
    return find(of_rows(x), of_rows(z), (len(x), len(z)), np.array(right), "cpu", lambda done: None)


def plainly(s: Array, right: Sequence[tuple[int, int]], q: int) -> tuple[int, int, int, float]:
    """Sort the targets of one query; the first right one in that order, and how far it is above the best wrong one."""
    mine = {t for query, t in right if query == q}
    order = sorted(range(s.shape[1]), key=lambda t: (-s[q, t], t))
    place = next(n for n, t in enumerate(order) if t in mine)
    wrong = [s[q, t] for t in range(s.shape[1]) if t not in mine]
    return place, order[place], order[0], float(s[q, order[place]]) - float(max(wrong, default=-np.inf))


@st.composite
def asked(draw: st.DrawFn) -> tuple[Array, Array, list[tuple[int, int]]]:
    """Queries and targets on a coarse grid, so that many are tied, and at least one right target for each query."""
    q, r, d = (draw(st.integers(1, most)) for most in (7, 9, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    x, z = (np.where((v := rng.integers(-1, 2, (n, d))).any(1, keepdims=True), v, 1).astype(np.float32) for n in (q, r))
    answers = rng.random((q, r)) < draw(st.sampled_from([0.0, 0.3, 1.0]))
    answers[np.arange(q), rng.integers(0, r, q)] = True
    return x, z, [(int(i), int(j)) for i, j in rng.permutation(np.argwhere(answers))]  # whole numbers: products are exact


@given(case=asked(), block=st.sampled_from([1, 20, 2**20]))
@checked
def test_ranks_equal_those_of_a_plain_sort(case: tuple[Array, Array, list[tuple[int, int]]], block: int) -> None:
    x, z, right = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "BLOCK", {"cpu": block})
        patch.setattr(retrieval, "FEWEST", 2)
        patch.setattr(retrieval, "BATCH", 3)
        mine = found(x, z, right)
    expected = [plainly(x @ z.T, right, q) for q in range(len(x))]
    assert list(zip(mine.rank, mine.right, mine.first, strict=True)) == [row[:3] for row in expected]
    assert mine.gap.tolist() == [row[3] for row in expected]


def test_several_captions_of_a_picture_count_once() -> None:
    """The best of a picture's own captions counts, and its other captions are not in its way; each caption looks for its one picture."""
    x = np.eye(3, dtype=np.float32)
    z = unit(np.array([[5, 4, 0], [9, 1, 0], [9, 0, 1], [4, 5, 0], [0, 1, 9], [0, 9, 1]], np.float32))
    pairs = [(0, 0), (0, 3), (1, 1), (1, 5), (2, 2), (2, 4)]
    assert found(x, z, pairs).rank.tolist() == [2, 0, 0]  # captions 2 and 1 are before the first of picture 0
    assert found(z, x, [(t, i) for i, t in pairs]).rank.tolist() == [0, 1, 1, 1, 0, 0]


@pytest.mark.parametrize("targets", [10, 4097, 4100])
def test_equal_targets_are_tied_wherever_they_stand_in_a_block(targets: int) -> None:
    """Products round by the place in a block: without care an equal target beats the right one by the last bit, or loses to it."""
    rng = np.random.default_rng(0)
    z = unit(rng.standard_normal((targets, 64)).astype(np.float32))
    z[-1] = z[0]
    x = np.repeat(z[:1], 50, 0)
    for right, place in ((0, 0), (targets - 1, 1)):
        assert set(found(x, z, [(q, right) for q in range(50)]).rank.tolist()) == {place}
        assert (abs(found(x, z, [(q, right) for q in range(50)]).gap) <= retrieval.SAME).all()


def test_what_has_no_answer_is_told() -> None:
    with pytest.raises(MismatchError, match="Query 1 has no right answer; 1 of 2"):
        found(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), [(0, 0)])


def test_widths_that_differ_are_told() -> None:
    with pytest.raises(MismatchError, match="widths 2 and 3"):
        found(np.eye(2, dtype=np.float32), np.eye(3, dtype=np.float32), [(0, 0), (1, 1)])
