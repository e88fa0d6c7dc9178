"""How every class stands on tune, kept up to date while rows of the classifier change one by one."""

from dataclasses import dataclass

import numpy as np

from promptlab.score.reducers import worst_order
from promptlab.score.swaps import difference
from promptlab.types import Array, Features, Interval

BATCH = 4096
MOST_CELLS = 250_000_000  # similarities that are held: a gigabyte


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Every class under one classifier, on the same labelled images; the labels may be made ones, which are held."""

    label: Array
    """(N,) int: the right answers."""
    winner: Array
    """(N,) int: the class that wins each image; the lowest index wins a tie."""
    rival: Array
    """(N,) int: the strongest class other than the label."""
    margin: Array
    """(N,) f4 cosine units: label - rival."""
    count: Array
    """(C,) int: images of each class."""
    accuracy: Array
    """(C,) f8: share of its images that each class wins; NaN without images."""
    cmm: Array
    """(C,) f8 cosine units: mean margin of its images; NaN without images."""
    taker: Array
    """(C,) int: the class that takes most of its images; -1 where it loses none."""
    lost: Array
    """(C,) f8: share of its images that the taker takes; 0 where it loses none."""
    picture: Array | None = None
    """(N,) int: the picture of each, where N counts right answers of pictures that may have several; None where it counts images."""

    @property
    def order(self) -> Array:
        """Class indices, worst first: lowest accuracy, then lowest cmm, then index; classes without images are left out."""
        return worst_order(self.accuracy, self.cmm)

    def worst(self, classes: Array) -> float:
        """Mean accuracy of some classes; NaN where none of them has an image."""
        here = self.accuracy[classes]
        return float(np.nanmean(here)) if np.isfinite(here).any() else float("nan")


@dataclass(frozen=True, slots=True)
class Moved:
    """A classifier against another one on the same images, in paired differences with 95 % intervals."""

    accuracy: float
    """Change of the mean class accuracy."""
    interval: Interval
    """Its interval; infinite where no class has two images."""
    cmm: float
    """Change of the mean over classes of cmm, in cosine units."""
    cmm_interval: Interval
    """Its interval."""
    images: int
    """Images whose winner is another one."""


class Live:
    """Images against rows that change. All similarities are held, (N, C) f4: one new row costs one column and one look at all of them.

    Where tune is rows of right answers, an image is a row, and its picture's other right answers are no rivals.
    """

    def __init__(self, tune: Features, rows: Array, offsets: Array) -> None:
        """rows: (C, D) f4; offsets: (C,) in cosine units, added to every similarity of a class."""
        self._x = np.concatenate([x for _, x in tune.batches(BATCH)])
        self._picture = None if tune.several is None else tune.several.picture
        self._hidden = tune.hidden(slice(0, len(tune)))
        self._rows, self._offsets = np.array(rows, np.float32), np.asarray(offsets, np.float32)
        self._s = np.empty((len(self._x), len(rows)), np.float32)
        self._fill(np.arange(len(rows)))

    @property
    def rows(self) -> Array:
        """(C, D) f4: the rows as they are."""
        return self._rows

    def put(self, rows: Array, offsets: Array | None = None) -> None:
        """Other rows (C, D), and other offsets (C,) where given; only columns that differ are computed anew."""
        changed = (rows != self._rows).any(1)
        if offsets is not None:
            changed |= offsets != self._offsets
            self._offsets = np.asarray(offsets, np.float32)
        self._rows = np.array(rows, np.float32)
        self._fill(np.flatnonzero(changed))

    def _fill(self, changed: Array) -> None:
        """The similarities of classes whose rows changed, and of those whose rows equal theirs: two products may round differently, and
        break a tie."""
        keys = [row.tobytes() for row in self._rows]
        wanted = {keys[c]: c for c in changed}
        if len(wanted) == len(keys):
            np.matmul(self._x, self._rows.T, out=self._s)
            self._s += self._offsets
            self._hide()
            return
        plain = dict(zip(wanted, (self._x @ self._rows[list(wanted.values())].T).T, strict=True))
        for c, key in enumerate(keys):
            if key in plain:
                self._s[:, c] = plain[key] + self._offsets[c]
        self._hide()

    def _hide(self) -> None:
        if self._hidden is not None:
            self._s[self._hidden] = -np.inf

    def winners(self) -> Array:
        """(N,) int: the class with the highest similarity; the lowest index wins a tie."""
        return np.asarray(self._s.argmax(1))

    def standing(self, label: Array) -> Standing:
        """How every class stands under these right answers (N,)."""
        n, classes = np.arange(len(label)), self._s.shape[1]
        own = self._s[n, label]
        self._s[n, label] = -np.inf
        rival = self._s.argmax(1)
        strongest = self._s[n, rival]
        self._s[n, label] = own
        hit = (own > strongest) | ((own == strongest) & (label < rival))
        winner, margin, count = np.where(hit, label, rival), own - strongest, np.bincount(label, minlength=classes)
        taker, lost = _takers(label[~hit], winner[~hit], count)
        with np.errstate(invalid="ignore"):
            accuracy = np.bincount(label[hit], minlength=classes) / count
            cmm = np.bincount(label, margin.astype(np.float64), minlength=classes) / count
        return Standing(label, winner, rival, margin, count, accuracy, cmm, taker, lost, self._picture)

    def alone(self, images: Array, c: int, z: Array) -> tuple[Array, Array]:
        """(cmm (n,), accuracy (n,)) of vectors z (n, D), each alone in the row of class c, on some images; all other rows stay."""
        others = self._s[images].copy()
        others[:, c] = -np.inf
        rival = others.argmax(1)
        strongest = others[np.arange(len(images)), rival][:, None]
        own = self._x[images] @ np.asarray(z, np.float32).T + self._offsets[c]
        return np.asarray((own - strongest).mean(0, dtype=np.float64)), np.asarray(
            ((own > strongest) | ((own == strongest) & (c < rival)[:, None])).mean(0)
        )


def moved(before: Standing, after: Standing) -> Moved:
    """What changed between two classifiers on the same images with the same labels."""
    was, now = ((one.winner == one.label).astype(np.float64) for one in (before, after))
    accuracy = difference(was, now, after.label, after.picture)
    cmm = difference(before.margin, after.margin, after.label, after.picture)
    other = before.winner != after.winner
    return Moved(*accuracy, *cmm, int(other.sum() if after.picture is None else len(np.unique(after.picture[other]))))


def _takers(label: Array, winner: Array, count: Array) -> tuple[Array, Array]:
    """((C,) the class that takes most images of each, -1 where none does; (C,) the share that it takes) of images that were lost."""
    classes = len(count)
    taker, lost = np.full(classes, -1), np.zeros(classes)
    pair, images = np.unique(label.astype(np.int64) * classes + winner, return_counts=True)
    for i in np.argsort(images, kind="stable"):  # most images last, so that they stay
        c = pair[i] // classes
        if images[i] / count[c] > lost[c]:
            taker[c], lost[c] = pair[i] % classes, images[i] / count[c]
    return taker, lost


def sampled(tune: Features, classes: int, seed: int) -> Features:
    """The features, or as many of them as similarities can be held; of right answers those of whole pictures."""
    most = max(1, MOST_CELLS // classes)
    if len(tune) <= most:
        return tune
    pictures = tune.pictures
    few = max(1, most * len(pictures) // len(tune))
    return pictures.take(np.sort(np.random.default_rng(seed).choice(len(pictures), few, replace=False)), tune.split).rows()
