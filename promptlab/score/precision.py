"""Average precision: how far the images that show a class come before those that do not, when all are sorted by similarity to it."""

import math
from collections.abc import Sequence

import numpy as np

from promptlab.errors import UsageError
from promptlab.score.contest import Columns, Contest, contests
from promptlab.score.intervals import RESAMPLES, clopper_pearson, percentiles
from promptlab.score.resamples import apart, at_once, draws
from promptlab.score.states import Setting
from promptlab.types import Array, Classifier, Features, Interval, Precision

MOST_CELLS = 500_000_000  # similarities that a rule may hold, N x K x C f4: 2 GB
HELD = 20_000_000  # similarities of a block of classes, with their order
WORK = 40_000_000_000  # pictures x classes x resamples: some minutes
FEWEST = 100  # resamples, however large the data


def average_precision(similarity: Array, shown: Array) -> Array:
    """(C,) f8: of each class, the mean over the images that show it of the precision there: of all images at least as similar to the class,
    the share that shows it. NaN where no image shows the class.

    similarity: (N, C); shown: (N, C) bool. The area under the steps of precision over recall, equal similarities being one step, as
    scikit-learn's `average_precision_score` has it.
    """
    made = np.full(shown.shape[1], np.nan)
    for c in np.flatnonzero(shown.any(0)):
        made[c] = _of_class(similarity[:, c], shown[:, c])
    return made


def _of_class(similarity: Array, shown: Array) -> float:
    order = np.argsort(-similarity, kind="stable")
    ends, right = steps(similarity[order], shown[order])
    gained = np.diff(right, prepend=0)
    return float((gained * right / (ends + 1)).sum() / right[-1])


def steps(similarity: Array, shown: Array) -> tuple[Array, Array]:
    """((G,) int: the last place of each run of equal similarities that holds a right image; (G,) int: the right images up to there), of
    one class with a right image, sorted: similarity (N,) falling, shown (N,) bool."""
    ends = np.flatnonzero(np.append(similarity[1:] != similarity[:-1], True))
    right = np.cumsum(shown)[ends]
    fresh = np.diff(right, prepend=0) > 0
    return ends[fresh], right[fresh]


class PrecisionState:
    """`ap`: keeps every similarity, (N, K, C) f4, because a rank is known only when all have come.

    An image is right for all classes that it shows, else for its label's. Raises UsageError beyond 500 million similarities.
    """

    def __init__(self, setting: Setting) -> None:
        families, c, _ = setting.classes("ap").shape
        if setting.n * families * c > MOST_CELLS:
            raise UsageError(
                f"The rule 'ap' keeps all similarities, and {setting.n:,} pictures x {families} families x {c:,} classes are more than "
                f"{MOST_CELLS:,}.",
                "Use `recall`, or fewer templates.",
            )
        self.width, self.shown = c, setting.shown
        self.similarity: list[list[Array]] = [[] for _ in range(families)]
        self.right: list[list[Array]] = [[] for _ in range(families)]  # labels (B,), or rows of `shown` (B, C)

    def add(self, contest: Contest) -> None:
        similarity = contest.similarity.cpu().numpy()
        label = contest.label.cpu().numpy()
        here = slice(contest.start, contest.start + len(similarity))
        for j, k in enumerate(range(contest.families.start, contest.families.stop)):
            self.similarity[k].append(similarity[:, j].copy())
            self.right[k].append(label[:, j].copy() if self.shown is None else self.shown[here])

    def merge(self, other: "PrecisionState") -> None:
        for k in range(len(self.similarity)):
            self.similarity[k] += other.similarity[k]
            self.right[k] += other.right[k]

    def per_class(self) -> tuple[Array, Array]:
        values, counts = [], []
        for similarity, right in zip(self.similarity, self.right, strict=True):
            shown = np.concatenate(right)
            if shown.ndim == 1:
                shown = shown[:, None] == np.arange(self.width)
            values.append(average_precision(np.concatenate(similarity), shown))
            counts.append(shown.sum(0))
        return np.array(values), np.array(counts)


def judge(classifier: Classifier, pictures: Features, *, followed: Sequence[int] | None, k: int, seed: int, device: str) -> Precision:
    """Average precision of every class over pictures (N, D) with labels (N, C) bool, those that show no class among them.

    followed: the fixed worst classes; None where they were picked here. Read in blocks of classes, so that memory does not grow with N x C.
    Intervals: pictures resampled, 1,000 times; fewer, at least 100, where pictures x classes x resamples would pass 4e10.
    """
    shown = pictures.labels
    assert shown is not None  # only pictures with lists of labels are judged so
    n, c = shown.shape
    most = max(FEWEST, min(RESAMPLES, WORK // (n * c)))
    values, drawn = np.full(c, np.nan), np.full((most, c), np.nan, np.float32)
    for block in np.array_split(np.arange(c), max(1, min(c // 2, math.ceil(n * c / HELD)))):
        s = _similarity(classifier, pictures, block, device)
        values[block] = average_precision(s, shown[:, block])
        drawn[:, block] = _resampled(s, shown[:, block], seed, most)
    count = shown.sum(0)
    images = int(shown.any(1).sum())
    here = np.array([i for i in followed or () if count[i]], int)
    return Precision(
        float(np.nanmean(values)),
        _interval(_means(drawn), float(np.nanmean(values)), images),
        values,
        count,
        float(values[here].mean()) if len(here) else None,
        _interval(_means(drawn[:, here]), float(values[here].mean()), int(shown[:, here].any(1).sum())) if len(here) else None,
        float(np.sort(values[count > 0])[:k].mean()),
        images,
        _means(drawn),
    )


def difference(first: Precision, second: Precision) -> tuple[float, Interval]:
    """(second - first in mean average precision, its 95 % interval) on the same pictures, resampled alike."""
    value, interval = second.mean - first.mean, percentiles(second.resampled - first.resampled)
    return value, interval if interval.low < interval.high else apart(max(value, 0.0), max(-value, 0.0), first.images)


def _similarity(classifier: Classifier, pictures: Features, block: Array, device: str) -> Array:
    """(N, b) f4 cosines with the rows of some classes, offsets added."""
    columns = Columns(classifier.weight[block][None], classifier.bias[block] / classifier.scale, device)
    return np.concatenate([one.similarity[:, 0].cpu().numpy() for one in contests(pictures, columns, None, classifier.scale)])


def _resampled(similarity: Array, shown: Array, seed: int, most: int) -> Array:
    """(most, C) f4: average precision of each resample of the pictures; NaN where it shows a class nowhere.

    A picture that is drawn twice does not stand before itself: of its copies each one's precision counts that one alone. Else copies would
    lift the precision of classes that few pictures show, and the interval would lie above its own point.
    """
    made = np.full((most, shown.shape[1]), np.nan, np.float32)
    ranked = {c: _ranked(similarity[:, c], shown[:, c]) for c in np.flatnonzero(shown.any(0))}
    start = 0
    for drawn in draws(len(shown), seed, at_once(len(shown)), most):
        for c, (order, ends, right, places) in ranked.items():
            weight = drawn[order]
            total = np.cumsum(np.add.reduceat(weight, np.append(0, ends[:-1] + 1), 0), 0)
            own, which = weight[places], np.repeat(np.arange(len(ends)), np.diff(right, prepend=0))
            hits = np.cumsum(own, 0)[right - 1]
            with np.errstate(invalid="ignore"):
                part = own * (hits[which] - own + 1) / (total[which] - own + 1)
                made[start : start + drawn.shape[1], c] = part.sum(0) / own.sum(0)
        start += drawn.shape[1]
    return made


def _ranked(similarity: Array, shown: Array) -> tuple[Array, Array, Array, Array]:
    """(the images up to the last right one, most similar first; then `steps` of them; the places of the right ones)."""
    order = np.argsort(-similarity, kind="stable")
    ends, right = steps(similarity[order], shown[order])
    order = order[: ends[-1] + 1].astype(np.int32)
    return order, ends, right, np.flatnonzero(shown[order])


def _means(drawn: Array) -> Array:
    """(R,) f8 means over the classes that a resample has; NaN where it has none."""
    known = np.isfinite(drawn)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, drawn, 0.0).sum(1, dtype=np.float64) / known.sum(1))


def _interval(drawn: Array, value: float, images: int) -> Interval:
    """95 %; one of width zero is Clopper's and Pearson's, for as many trials as images show one of the classes."""
    interval = percentiles(drawn)
    return interval if interval.low < interval.high else clopper_pearson(value * images, images)
