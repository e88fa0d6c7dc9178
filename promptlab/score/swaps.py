"""What another row of one class would do to the margins of all classes: a pass over one column, not over all of them."""

from dataclasses import dataclass

import numpy as np

from promptlab.types import Array, Features, Interval

BATCH = 4096
SAME = 1e-6  # a row that differs by less is the same one, rounded otherwise


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """Other rows against those that are there, over all classes."""

    value: float
    """Change of the mean over classes of cmm (labels) or cmm-top (none), in cosine units."""
    interval: Interval
    """Its paired 95 % interval; infinite where no class has two pictures."""
    accuracy: float | None
    """Change of the mean class accuracy; None without labels."""
    accuracy_interval: Interval | None
    """Its paired 95 % interval; None without labels."""


@dataclass(frozen=True, slots=True, eq=False)
class Margins:
    """Margins as the criterion counts them: with labels one for each image, without them those of each class's most similar images."""

    image: Array
    """(E,) int: the image of each."""
    of: Array
    """(E,) int: the class that it counts for; ascending, then by image."""
    own: Array
    """(E,) f4: similarity to that class."""
    rival: Array
    """(E,) f4: the highest similarity to any other class."""

    @property
    def margin(self) -> Array:
        """(E,) f8: own - rival, in cosine units."""
        return self.own.astype(np.float64) - self.rival


class Swaps:
    """The tune images against a classifier's unit rows (C, D), and what becomes of the margins when one class gets another row.

    labels: (N,) int, or None: then each class is judged by the ceil(N / C) images most similar to its row, as `cmm-top` does. Of all
    similarities the three highest of each image are kept: (N, 3). Where tune is rows of right answers, an image is a row, and its picture's
    other right answers are no rivals.
    """

    def __init__(self, tune: Features, rows: Array, labels: Array | None) -> None:
        self._tune, self._rows, self._labels = tune, np.array(rows, np.float32), labels
        self._picture = None if tune.several is None else tune.several.picture
        self._size = -(-len(tune) // len(rows))
        self.listed = 0 if labels is not None else self._size  # images that each class is judged by without labels
        self._look()

    def _look(self) -> None:
        n, c = len(self._tune), len(self._rows)
        self._top, self._who = np.full((n, 3), -np.inf, np.float32), np.full((n, 3), -1)
        lists, own = (np.zeros((0, c), int), np.zeros((0, c), np.float32)), np.zeros(n, np.float32)
        for start, x in self._tune.batches(BATCH):
            s, here = x @ self._rows.T, slice(start, start + len(x))
            hidden = self._tune.hidden(here)
            if hidden is not None:
                s[hidden] = -np.inf
            part = np.argpartition(-s, min(3, c) - 1, 1)[:, :3]
            self._who[here, : min(3, c)] = part
            self._top[here, : min(3, c)] = np.take_along_axis(s, part, 1)
            if self._labels is None:
                lists = _longest(lists, s, start, self._size)
            else:
                own[here] = s[np.arange(len(x)), self._labels[here]]
        image, which = (
            (np.arange(n), self._labels) if self._labels is not None else (lists[0].T.ravel(), np.repeat(np.arange(c), self._size))
        )
        own = own if self._labels is not None else lists[1].T.ravel()
        self.now = self._margins(image, which, own, self._rival(image, which))

    @staticmethod
    def _margins(image: Array, which: Array, own: Array, rival: Array) -> Margins:
        order = np.lexsort((image, which))
        return Margins(image[order], which[order], own[order], rival[order])

    def _rival(self, image: Array, *hidden: Array | int) -> Array:
        """(E,) the highest similarity of each entry's image to any class but the hidden ones."""
        who, top = self._who[image], self._top[image].copy()
        for those in hidden:
            top[who == np.reshape(those, (-1, 1))] = -np.inf
        return np.asarray(top.max(1))

    def with_row(self, c: int, row: Array) -> Margins:
        """The margins if class c had the unit row (D,); those of now, to the bit, where it has it."""
        new = self._similar(c, row)
        if new is None:
            return self.now
        held = self.now.image[self.now.of == c]
        return self._after(c, new, held if self._labels is not None else np.argsort(-new, kind="stable")[: self._size])

    def on_held(self, c: int, row: Array) -> Change | None:
        """What the unit row (D,) does when class c is judged by the images that it is judged by now; None where it wins none of them, so
        that none is its own to hold. With labels that is what `with_row` does."""
        new, now = self._similar(c, row), self.now
        if new is None or not ((now.of == c) & (now.margin > 0)).any():
            return None
        return self.change(self._after(c, new, now.image[now.of == c]))

    def _similar(self, c: int, row: Array) -> Array | None:
        """(N,) the similarity of every image to the row; None where it is that of class c."""
        # A product with one row and one with many round differently. That alone would pass for a rise that is small but clear.
        if np.abs(row - self._rows[c]).max() < SAME:
            return None
        parts = []
        for start, x in self._tune.batches(BATCH):
            hidden = self._tune.hidden(slice(start, start + len(x)))
            parts.append(x @ np.asarray(row, np.float32))
            if hidden is not None:
                parts[-1][hidden[:, c]] = -np.inf
        return np.concatenate(parts)

    def _after(self, c: int, new: Array, mine: Array) -> Margins:
        """The margins where class c is as similar to the images as `new` (N,) says, and is judged by the images `mine`."""
        now, others = self.now, self.now.of != c
        image, of = np.concatenate([now.image[others], mine]), np.concatenate([now.of[others], np.full(len(mine), c)])
        own = np.concatenate([now.own[others], new[mine]])
        rival = self._rival(image, of, c)
        return self._margins(image, of, own, np.where(of == c, rival, np.maximum(rival, new[image])))

    def take(self, c: int, row: Array) -> None:
        """Give class c that row for good."""
        self._rows[c] = row
        self._look()

    def change(self, after: Margins, before: Margins | None = None) -> Change:
        """What these margins have over others, by default over those of now."""
        first = before or self.now
        picture = None if self._picture is None else self._picture[after.image]
        value, interval = difference(first.margin, after.margin, after.of, picture)
        if self._labels is None:
            return Change(value, interval, None, None)
        return Change(value, interval, *difference(first.margin > 0, after.margin > 0, after.of, picture))


def difference(before: Array, after: Array, of: Array, picture: Array | None = None) -> tuple[float, Interval]:
    """The mean over classes of each class's mean of after - before (E,), and its 95 % interval: images resampled within classes, in the
    normal approximation. of: (E,) int, the class of each. A class with one image is given the pooled variance of the others.

    picture: (E,) int, the picture of each where one may count for several classes; what they add is then summed before it is squared.
    """
    count = np.bincount(of)
    count, which = count[count > 0], np.unique(of, return_inverse=True)[1]
    gap = after.astype(np.float64) - before
    mean = np.bincount(which, gap) / count
    squares = np.bincount(which, (gap - mean[which]) ** 2)
    freedom = count - 1
    if not freedom.any():
        return float(mean.mean()), Interval(-np.inf, np.inf)
    variance = np.where(freedom > 0, squares / np.maximum(freedom, 1), squares.sum() / freedom.sum())
    total = (variance / count).sum()
    if picture is not None:
        added = (gap - mean[which]) * np.sqrt(count / np.maximum(freedom, 1))[which] / count[which]
        total = (np.bincount(picture, added) ** 2).sum() + variance[freedom == 0].sum()
    error = 1.96 * np.sqrt(total) / len(count)
    return float(mean.mean()), Interval(float(mean.mean() - error), float(mean.mean() + error))


def _longest(lists: tuple[Array, Array], s: Array, start: int, size: int) -> tuple[Array, Array]:
    """Each class's `size` most similar images so far, (M, C) images and similarities, with those of one more batch s (B, C)."""
    image = np.concatenate([lists[0], np.broadcast_to(np.arange(start, start + len(s))[:, None], s.shape)])
    similar = np.concatenate([lists[1], s])
    order = np.argsort(-similar, 0, kind="stable")[:size]
    return np.take_along_axis(image, order, 0), np.take_along_axis(similar, order, 0)
