"""Intervals and tests: of shares, and of paired differences."""

import numpy as np

from promptlab.types import Array, Interval

RESAMPLES = 1000
CELLS = 1 << 20  # numbers that are drawn together


def clopper_pearson(hits: float, n: float) -> Interval:
    """Exact 95 % interval of a share (Clopper and Pearson 1934): 0 of 100 gives 0 to 3.6 %. Counts need not be whole."""
    from scipy.special import betaincinv  # takes 0.2 s, which listing runs need not wait for

    low = 0.0 if hits == 0 else float(betaincinv(hits, n - hits + 1, 0.025))
    high = 1.0 if hits == n else float(betaincinv(hits + 1, n - hits, 0.975))
    return Interval(low, high)


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided McNemar p for the images that exactly one of two classifiers gets right (McNemar 1947)."""
    from scipy.special import bdtr

    n = only_first + only_second
    return 1.0 if n == 0 else min(1.0, 2 * float(bdtr(min(only_first, only_second), n, 0.5)))


def percentiles(draws: Array) -> Interval:
    """The middle 95 % of draws; those that are NaN count for nothing."""
    low, high = np.percentile(draws[np.isfinite(draws)], [2.5, 97.5])
    return Interval(float(low), float(high))


def _parts(classes: int) -> list[int]:
    """How many resamples are drawn together: all at once would be gigabytes for many classes. The draws are the same."""
    most = max(1, CELLS // classes)
    return [min(most, RESAMPLES - done) for done in range(0, RESAMPLES, most)]


def share_interval(hits: Array, count: Array, seed: int, per_class: bool) -> Interval:
    """95 % interval of pooled accuracy, or (`per_class`) of the mean class accuracy: class-stratified bootstrap,
    1,000 resamples, percentile.

    hits, count: (C,) int, classes without images dropped. A zero-width interval is replaced by Clopper-Pearson on pooled counts.
    """
    rng = np.random.default_rng(seed)
    # Resampling the n_c images of a class with replacement gives a binomial number of hits.
    shares = [
        (drawn / count).mean(1) if per_class else drawn.sum(1) / count.sum()
        for size in _parts(len(count))
        for drawn in (rng.binomial(count, hits / count, (size, len(count))),)
    ]
    interval = percentiles(np.concatenate(shares))
    return _exact(hits, count, per_class) if interval.low == interval.high else interval


def _exact(hits: Array, count: Array, per_class: bool) -> Interval:
    """Clopper-Pearson on pooled counts. A mean over classes of which some are at 0 and some at 1 is no pooled share where their sizes
    differ (0 of 1 and 99 of 99: mean 0.5, pooled 0.945 to 1.000): it counts as that share of the n = C² / sum(1 / n_c) images that
    would give its variance, which is sum(n_c) where classes are alike."""
    share = hits / count
    if not per_class or (share == share[0]).all():
        return clopper_pearson(float(hits.sum()), float(count.sum()))
    n = len(count) ** 2 / (1 / count).sum()
    return clopper_pearson(float(share.mean()) * n, n)


def difference_interval(gained: Array, lost: Array, count: Array, seed: int, per_class: bool) -> Interval:
    """95 % interval of the paired difference of two accuracies: images resampled within classes, both classifiers on the same ones.

    gained, lost: (C,) images that only the second, only the first gets right. A zero-width interval is replaced by the difference of the
    Clopper-Pearson intervals of the two shares, which is wider than needed.
    """
    rng = np.random.default_rng(seed)
    share = np.stack([gained, lost, count - gained - lost], 1) / count[:, None]
    changes = []
    for size in _parts(len(count)):
        drawn = rng.multinomial(count, share, (size, len(count)))
        change = drawn[..., 0] - drawn[..., 1]
        changes.append((change / count).mean(1) if per_class else change.sum(1) / count.sum())
    interval = percentiles(np.concatenate(changes))
    if interval.low < interval.high:
        return interval
    up, down = (_exact(side, count, per_class) for side in (gained, lost))
    return Interval(up.low - down.high, up.high - down.low)
