"""Enrichment: which descriptions of the worst classes to keep (method, section 6).

A bundle, all that is said of one class in one place, is judged by what its row does to the margins of all classes on tune, against the
classifier with the bundles kept so far; weights and labels are held. The worst class comes first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from promptlab.score.swaps import Change, Swaps
from promptlab.types import Array, Description, Place

Rows = Callable[[Sequence[Description]], Array]


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """What is said of one class, in one place."""

    descriptions: tuple[Description, ...]
    """Of that class, at least one, all in that place."""
    bars: tuple[tuple[Description, ...], ...] = ()
    """Bundles of random words of the same length: without labels it must do better than each of them."""

    @property
    def place(self) -> Place:
        """Where it goes."""
        return self.descriptions[0].place


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A bundle, and what it does on tune."""

    class_index: int
    """The class."""
    bundle: Bundle
    """What was tried."""
    change: Change
    """What its row does to the margins of all classes."""
    fault: str
    """Why it is not good enough; empty when it is."""
    kept: bool = False
    """Whether it was kept."""


Ask = Callable[[Sequence[Trial]], Trial | None]
"""Which of a class's trials to keep: the `--keep` rule."""


def better(trials: Sequence[Trial]) -> Trial | None:
    """The one that raises the mean margin most, of those that are good enough; None when none is."""
    return max((trial for trial in trials if not trial.fault), key=lambda trial: trial.change.value, default=None)


def whatever(trials: Sequence[Trial]) -> Trial | None:
    """The one that raises the mean margin most, good enough or not."""
    return max(trials, key=lambda trial: trial.change.value)


def keep(
    swaps: Swaps, order: Sequence[int], bundles: Mapping[int, Sequence[Bundle]], settled: Sequence[Description], rows: Rows, choose: Ask
) -> tuple[list[Description], list[Trial]]:
    """The descriptions in use afterwards, and every trial, class by class.

    order: classes, worst first; settled: descriptions that hold, which `swaps` has the rows of; rows: the (C, D) rows of a classifier with
    some descriptions, weights held. A class's bundle in place of its name puts an earlier one in that place aside.
    """
    made, trials = _rows_of(bundles, settled, rows), list[Trial]()
    for c in order:
        tried = [_trial(swaps, c, bundle, made[c, n]) for n, bundle in enumerate(bundles.get(c, ()))]
        best = choose(tried) if tried else None
        if best is not None:
            swaps.take(c, made[c, tried.index(best)][0])
            settled = [*_without(settled, best.bundle), *best.bundle.descriptions]
        trials += [replace(trial, kept=trial is best) for trial in tried]
    return list(settled), trials


def _rows_of(bundles: Mapping[int, Sequence[Bundle]], settled: Sequence[Description], rows: Rows) -> dict[tuple[int, int], list[Array]]:
    """{(class, which bundle): the row of its class, then those of its bars}. The n-th of every class are encoded together."""
    queues = {c: [(i, said) for i, one in enumerate(those) for said in (one.descriptions, *one.bars)] for c, those in bundles.items()}
    found: dict[tuple[int, int], list[Array]] = {}
    for n in range(max(map(len, queues.values()), default=0)):
        turn = {c: queue[n] for c, queue in queues.items() if n < len(queue)}
        together = list(settled)
        for _, said in turn.values():
            together = [*_without(together, Bundle(said)), *said]
        made = rows(together)
        for c, (i, _) in turn.items():
            found.setdefault((c, i), []).append(made[c])
    return found


def _without(settled: Sequence[Description], bundle: Bundle) -> list[Description]:
    """What still holds beside a bundle: another in the same place, or one that its place cannot be joined with, gives way."""
    c, gone = bundle.descriptions[0].class_id, {bundle.place} if bundle.place is Place.REPLACE else {Place.INSIDE, Place.BESIDE}
    return [one for one in settled if one.class_id != c or one.place not in gone]


def _trial(swaps: Swaps, c: int, bundle: Bundle, made: Sequence[Array]) -> Trial:
    after = swaps.with_row(c, made[0])
    change = swaps.change(after)
    fault = shortfall(change)
    if not fault and any(swaps.change(after, swaps.with_row(c, bar)).value <= 0 for bar in made[1:]):
        fault = "random words do as much"
    return Trial(c, bundle, change, fault)


def shortfall(change: Change) -> str:
    """Why a change is not good enough; empty when it is. The mean margin over all classes must rise clearly, and where there are labels the
    mean accuracy must rise by more than its standard error: margins alone rise with random words, too (docs/design/keep.md)."""
    if change.value <= 0:
        return "the mean margin of all classes falls"
    if not change.interval.low > 0:
        return "no clear rise of the mean margin"
    if change.accuracy is None or change.accuracy_interval is None:
        return ""
    error = (change.accuracy_interval.high - change.accuracy_interval.low) / 2 / 1.96
    return "" if change.accuracy > error else "no gain in accuracy beyond chance"


def swapped(bundles: Mapping[int, Sequence[Bundle]], seed: int) -> dict[int, list[Bundle]]:
    """Every class gets another class's texts, in the same places: a derangement. Empty below two classes."""
    classes = sorted(bundles)
    if len(classes) < 2:
        return {}
    ring = [classes[i] for i in np.random.default_rng(seed).permutation(len(classes))]  # each takes those of the next: nobody its own
    giver = dict(zip(ring, [*ring[1:], ring[0]], strict=True))
    return {c: [_as_of(bundles[c][0].descriptions[0].class_id, bundle) for bundle in bundles[giver[c]]] for c in classes}


def _as_of(class_id: str, bundle: Bundle) -> Bundle:
    def turned(said: Sequence[Description]) -> tuple[Description, ...]:
        return tuple(replace(one, class_id=class_id) for one in said)

    return Bundle(turned(bundle.descriptions), tuple(map(turned, bundle.bars)))


def worded(bundles: Mapping[int, Sequence[Bundle]], words: Callable[[int, Description], str]) -> dict[int, list[Bundle]]:
    """The same bundles with other texts: `words` says the n-th text of a bundle anew."""

    def told(said: Sequence[Description]) -> tuple[Description, ...]:
        return tuple(replace(one, text=words(n, one)) for n, one in enumerate(said))

    return {c: [Bundle(told(bundle.descriptions), bundle.bars) for bundle in those] for c, those in bundles.items()}


def told(trial: Trial) -> dict[str, Any]:
    """A trial as plain JSON."""
    change = trial.change
    spans = {"margin_interval": change.interval, "accuracy_interval": change.accuracy_interval}
    finite = {name: None if span is None or not np.isfinite(span.low) else [span.low, span.high] for name, span in spans.items()}
    said = {"place": trial.bundle.place.value, "texts": [one.text for one in trial.bundle.descriptions], "kept": trial.kept}
    return {**said, "reason": trial.fault, "margin": change.value, "accuracy": change.accuracy, **finite}
