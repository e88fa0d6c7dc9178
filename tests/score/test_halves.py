"""Halves: by a seed, within classes, and within the rarest class of pictures that show several."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from promptlab.score.halves import halves


def test_a_picture_counts_to_the_rarest_class_that_it_shows() -> None:
    common, rare = np.ones(12, bool), np.arange(12) % 3 == 0  # 12 pictures show the first class, 4 of them the second, too
    labels = np.stack([common, rare], 1)
    for seed in range(20):
        tune, judged = halves(labels, 12, seed)
        assert rare[tune].sum() == rare[judged].sum() == 2
        assert len(tune) == len(judged) == 6


def test_pictures_that_show_nothing_are_a_group_of_their_own() -> None:
    shown = np.arange(10) < 4
    tune, _ = halves(shown[:, None], 10, 0)
    assert shown[tune].sum() == 2
    assert len(tune) == 5


@given(arrays(bool, st.tuples(st.integers(4, 40), st.integers(1, 5))), st.integers(0, 9))
def test_every_group_is_halved_and_its_odd_one_is_judged(labels: np.ndarray, seed: int) -> None:
    def rarest(row: np.ndarray) -> int:  # spelt out: the first of the classes of this picture that the fewest pictures show
        return min(np.flatnonzero(row), key=lambda c: (labels[:, c].sum(), c), default=-1)

    groups = np.array([rarest(row) for row in labels])
    if all((groups == g).sum() < 2 for g in groups):
        return
    tune, judged = halves(labels, len(labels), seed)
    assert sorted([*tune, *judged]) == list(range(len(labels)))
    for group in set(groups.tolist()):
        assert (groups[tune] == group).sum() == (groups == group).sum() // 2


def test_one_label_each_is_halved_as_ever() -> None:
    labels = np.arange(30) % 4
    one = [part.tolist() for part in halves(labels, 30, 3)]
    assert [part.tolist() for part in halves(np.eye(4, dtype=bool)[labels], 30, 3)] == one
