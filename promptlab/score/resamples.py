"""Intervals where pictures may show several classes: whole pictures are resampled, since the right answers of one depend on each other."""

from collections.abc import Iterator

import numpy as np

from promptlab.score.intervals import RESAMPLES, clopper_pearson, percentiles
from promptlab.types import Array, Interval

CELLS = 4_000_000  # numbers of one block of pictures x resamples, f4


def draws(n: int, seed: int, together: int, most: int = RESAMPLES) -> Iterator[Array]:
    """How often each of n pictures is drawn, (n, R) f4 for up to `together` resamples at a time, `most` in all: the same ones however they
    are cut."""
    rng = np.random.default_rng(seed)
    for start in range(0, most, together):
        found = [np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(min(together, most - start))]
        yield np.array(found, np.float32).T


def at_once(rows: int) -> int:
    """How many resamples fit into a block."""
    return max(1, min(RESAMPLES, CELLS // max(rows, 1)))


class Answers:
    """Resampled sums over right answers, class by class.

    value: (N', S) f8, S figures of each right answer, e.g. whether it was right under each of two classifiers; label: (N',) int;
    picture: (N',) int, the picture of each, of n. Kept are (RESAMPLES, C, S) sums and (RESAMPLES, C) counts of the C classes that have one.
    """

    def __init__(self, value: Array, label: Array, picture: Array, n: int, seed: int) -> None:
        order = np.argsort(label, kind="stable")
        self.classes, starts = np.unique(label[order], return_index=True)
        self._label, self._picture, self._value = label, picture, value
        sums, counts = [], []
        for drawn in draws(n, seed, at_once(max(n, len(label)))):
            weight = drawn[picture[order]]
            counts.append(np.add.reduceat(weight, starts, 0).T)
            sums.append(np.stack([np.add.reduceat(weight * column[order, None], starts, 0).T for column in value.T], -1))
        self._sums, self._counts = np.concatenate(sums).astype(np.float64), np.concatenate(counts).astype(np.float64)

    def pooled(self, classes: Array) -> Array:
        """(RESAMPLES, S) means over the right answers of some classes; NaN where a resample has none."""
        here = np.isin(self.classes, classes)
        with np.errstate(invalid="ignore"):
            return np.asarray(self._sums[:, here].sum(1) / self._counts[:, here].sum(1)[:, None])

    def by_class(self, classes: Array) -> Array:
        """(RESAMPLES, S) means over some classes of the mean of each; classes that a resample has nothing of are left out of it."""
        here = np.isin(self.classes, classes)
        known = self._counts[:, here] > 0
        share = self._sums[:, here] / np.maximum(self._counts[:, here], 1)[..., None]
        with np.errstate(invalid="ignore"):
            return np.asarray(share.sum(1) / known.sum(1)[:, None])

    def share(self, classes: Array, per_class: bool) -> Interval:
        """95 % interval of the first figure, a share. One of width zero is Clopper's and Pearson's, for as many trials as pictures show one
        of the classes."""
        interval = percentiles((self.by_class if per_class else self.pooled)(classes)[:, 0])
        if interval.low < interval.high:
            return interval
        point, n = self._point(classes, per_class)
        return clopper_pearson(float(point[0]) * n, n)

    def difference(self, classes: Array, per_class: bool) -> Interval:
        """95 % interval of the first figure minus the second: shares of what only one of two classifiers has right, on the same resamples.
        One of width zero is the difference of the intervals of the two shares, which is wider than needed."""
        drawn = (self.by_class if per_class else self.pooled)(classes)
        interval = percentiles(drawn[:, 0] - drawn[:, 1])
        if interval.low < interval.high:
            return interval
        point, n = self._point(classes, per_class)
        return apart(float(point[0]), float(point[1]), n)

    def _point(self, classes: Array, per_class: bool) -> tuple[Array, int]:
        """((S,) the figures themselves, how many pictures they stand on)."""
        mine = np.isin(self._label, classes)
        value, label = self._value[mine], self._label[mine]
        means = np.array([value[label == c].mean(0) for c in np.unique(label)])
        return (means.mean(0) if per_class else value.mean(0)), len(np.unique(self._picture[mine]))


def apart(gained: float, lost: float, n: int) -> Interval:
    """The interval of a difference that no resample changes, from those of the shares of n pictures that were gained and lost."""
    up, down = clopper_pearson(gained * n, n), clopper_pearson(lost * n, n)
    return Interval(up.low - down.high, up.high - down.low)
