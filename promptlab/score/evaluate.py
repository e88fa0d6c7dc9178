"""Honest evaluation: two worst sets, intervals, paired differences."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from promptlab.events import Listener, ignore
from promptlab.protocols import Rule
from promptlab.score import precision
from promptlab.score.classifier import classify, columns_of
from promptlab.score.intervals import difference_interval, mcnemar, share_interval
from promptlab.score.reducers import default_k, worst_order
from promptlab.score.resamples import Answers
from promptlab.score.sweep import sweep
from promptlab.types import Array, Classifier, Difference, Evaluation, Features, Interval, LabelSource, Outcomes, Scoreboard, WorstSet

Span = Callable[[Array, bool], Interval | None]
"""The interval of some classes, pooled or (True) of the mean over them; None where nobody asked for it."""


def _tally(outcomes: Outcomes, labels: Array, classes: int) -> tuple[Array, Array]:
    assert outcomes.hit is not None
    return np.bincount(labels[outcomes.hit], minlength=classes), np.bincount(labels, minlength=classes)


def evaluate(
    classifier: Classifier,
    features: Features,
    rules: Mapping[str, Rule],
    *,
    fixed: Sequence[int] | None,
    k: int | None,
    seed: int,
    device: str,
    top5: bool = False,
    told: bool = True,
    listen: Listener = ignore,
) -> Evaluation:
    """How the classifier does on these features. `fixed`: all classes, worst first, whose first k are followed; None picks this
    classifier's own worst here.

    k: size of the worst sets; None is min(10, ceil(C / 5)). top5: whether to look at the first five, too, in the same pass. Without labels
    every accuracy is None, and the worst are the classes that are never predicted, then those with the lowest cmm-top.

    Where features are rows of right answers, accuracy is recall, average precision stands beside it, over the pictures, and every interval
    comes from whole pictures. told: whether these figures are told; where they only serve to choose, rows of right answers get no interval
    and no average precision, which cost far more than all the rest.
    """
    labels, c = features.labels, len(classifier.classes)
    k = k or default_k(c)
    columns = columns_of(classifier, device)
    source = LabelSource.SELF if labels is None else LabelSource.TRUE
    names = [f"cmm-top/worst-{k}"] + (["cmm"] if labels is not None else [])
    names += ["hit@5"] * (top5 and labels is not None and c >= 5)
    scale, one = classifier.scale, ("classifier",)
    boards = sweep(features, columns, names, rules, source=source, labels=labels, families=one, scale=scale, listen=listen)
    top = boards[names[0]]
    outcomes = classify(classifier, features, labels, device)
    if labels is None:
        return _unlabelled(features, outcomes, top, fixed, k)
    hits, count = _tally(outcomes, labels, c)
    with np.errstate(invalid="ignore"):
        per_class = hits / count
    margin = boards["cmm"].per_class[0]
    own = worst_order(per_class, margin)
    present = np.flatnonzero(count)
    spare = features.several is not None and not told
    span = (lambda *_: None) if spare else _span(outcomes, features, hits, count, seed)
    sizes = {size: _worst_set(size, hits, count, own, fixed, span) for size in worst_sizes(k, len(present))}
    interval = span(present, False)
    accuracy = float(hits.sum() / count.sum())
    first = float(boards["hit@5"].value[0]) if "hit@5" in boards else None
    figures = (features.split, len(features.pictures), accuracy, interval, per_class, count, margin, sizes[k], tuple(sizes.values()))
    made = Evaluation(*figures, tuple(own.tolist() if fixed is None else fixed), float(top.value[0]), outcomes, first)
    if features.several is None or spare:
        return made
    followed = None if fixed is None else made.worst.fixed_classes
    return replace(made, precision=precision.judge(classifier, features.pictures, followed=followed, k=k, seed=seed, device=device))


def _unlabelled(features: Features, outcomes: Outcomes, top: Scoreboard, fixed: Sequence[int] | None, k: int) -> Evaluation:
    """What can be said without labels; top: the scoreboard of cmm-top."""
    c = top.per_class.shape[1]
    predicted = np.bincount(outcomes.winner, minlength=c) > 0
    order = np.lexsort((np.arange(c), top.per_class[0], predicted)) if fixed is None else np.array(fixed)
    worst = WorstSet(k, None, None, None, tuple(order[:k].tolist()))
    unknown, told = (features.split, len(features), None, None, np.full(c, np.nan), np.zeros(c, int)), top.per_class[0]
    return Evaluation(*unknown, told, worst, (worst,), tuple(order.tolist()), float(top.value[0]), outcomes)


def _span(outcomes: Outcomes, features: Features, hits: Array, count: Array, seed: int) -> Span:
    """How intervals of shares are made: images resampled within classes; whole pictures where right answers share one."""
    if outcomes.picture is None:
        return lambda classes, per_class: share_interval(hits[classes], count[classes], seed, per_class)
    assert outcomes.hit is not None  # rows of right answers have labels
    assert outcomes.label is not None
    return Answers(outcomes.hit[:, None].astype(float), outcomes.label, outcomes.picture, len(features.pictures), seed).share


def worst_sizes(k: int, classes: int) -> list[int]:
    """The sizes of worst sets that are told: k, and of 5, 10, 50 and 10 % those that are fewer than all classes."""
    return sorted({k, *(size for size in (5, 10, 50, max(1, classes // 10)) if size < classes)})


def _worst_set(k: int, hits: Array, count: Array, own: Array, fixed: Sequence[int] | None, span: Span) -> WorstSet:
    followed = tuple(int(i) for i in (own if fixed is None else fixed)[:k])
    # Classes picked on the very images that they are judged on are re-picked: no fixed set, and no interval.
    here = np.array([i for i in followed if count[i] and fixed is not None], int)
    return WorstSet(
        k,
        float((hits[own[:k]] / count[own[:k]]).mean()),
        float((hits[here] / count[here]).mean()) if len(here) else None,
        span(here, True) if len(here) else None,
        followed,
    )


def compare(first: Evaluation, second: Evaluation, seed: int) -> Difference:
    """The paired difference second - first on the same images; the worst set is the one that `first` followed.

    Where images may show several classes every interval comes from whole images, and there is no McNemar p: it takes right answers for
    independent.
    """
    changed = float((first.outcomes.winner != second.outcomes.winner).mean())
    labels, before, after = first.outcomes.label, first.outcomes.hit, second.outcomes.hit
    if labels is None or before is None or after is None:
        return Difference(None, None, None, None, (), None, changed)
    c = len(first.count)
    gained, lost = np.bincount(labels[after & ~before], minlength=c), np.bincount(labels[before & ~after], minlength=c)
    count, present = first.count, np.flatnonzero(first.count)
    span = _paired(first, labels, before, after, seed)
    sizes = {}
    for worst in first.sizes:
        here = np.array([i for i in worst.fixed_classes if count[i]], int)
        if len(here):
            change = float(((gained - lost)[here] / count[here]).mean())
            sizes[worst.k] = (worst.k, change, span(here, True))
    _, change_of_worst, its_interval = sizes.get(first.worst.k, (0, None, None))
    independent = first.outcomes.picture is None
    return Difference(
        float((gained - lost).sum() / count.sum()),
        span(present, False),
        change_of_worst,
        its_interval,
        tuple(sizes.values()),
        mcnemar(int(lost.sum()), int(gained.sum())) if independent else None,
        changed,
        *(precision.difference(first.precision, second.precision) if first.precision and second.precision else ()),
    )


def _paired(first: Evaluation, labels: Array, before: Array, after: Array, seed: int) -> Callable[[Array, bool], Interval]:
    """How intervals of paired differences are made: as those of shares."""
    gained, lost = after & ~before, before & ~after
    if first.outcomes.picture is not None:
        both = np.stack([gained, lost], 1).astype(float)
        return Answers(both, labels, first.outcomes.picture, first.n, seed).difference
    up, down = (np.bincount(labels[which], minlength=len(first.count)) for which in (gained, lost))
    return lambda classes, per_class: difference_interval(up[classes], down[classes], first.count[classes], seed, per_class)
