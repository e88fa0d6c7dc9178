"""One pass over the images for any number of rules."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypedDict

import numpy as np
import torch
from torch import Tensor

from promptlab.events import Finished, Listener, Progressed, Started
from promptlab.protocols import Rule
from promptlab.score.contest import Layout, contests, require_same_width
from promptlab.score.reducers import fill_never_predicted, over_classes
from promptlab.score.rules import parse_rule, start
from promptlab.score.states import F1State, Setting, TieState
from promptlab.types import Array, Features, LabelSource, Named, Scoreboard


class Asked(TypedDict):
    """What every family is asked."""

    source: LabelSource
    labels: Array | None
    families: tuple[str, ...]
    scale: float
    listen: Listener


def sweep(
    features: Features,
    columns: Layout,
    names: Sequence[str],
    rules: Mapping[str, Rule],
    *,
    source: LabelSource,
    labels: Array | None,
    families: tuple[str, ...],
    scale: float,
    listen: Listener,
    batch: int | None = None,
) -> dict[str, Scoreboard]:
    """Scoreboards by the names asked for (`cmm/worst-k`, `accuracy`, ...), all from one pass over features x (N, D).

    labels: (N,) int class indices, (N, K) for the source `others`, None for `self`, where each family judges itself.
    Where features are rows of right answers, rules that look at each picture once have a pass of their own over the pictures.
    Raises UsageError for unknown rules and for those that cannot be asked of this data, MismatchError when widths differ, DataError on
    unusable rows.
    """
    parsed = {name: parse_rule(name, rules, columns.shape[1]) for name in names}
    several = features.several is not None
    passed = partial(_passed, columns=columns, source=source, families=families, scale=scale, listen=listen, batch=batch)
    once = {name: found for name, found in parsed.items() if found[0].pictures and several}
    rest = {name: found for name, found in parsed.items() if name not in once}
    boards = passed(features, rest, labels=labels) if rest else {}
    boards |= passed(features.pictures, once, labels=None) if once else {}
    return {name: boards[name] for name in names}


def _passed(
    features: Features,
    parsed: Mapping[str, tuple[Rule, str]],
    *,
    columns: Layout,
    source: LabelSource,
    labels: Array | None,
    families: tuple[str, ...],
    scale: float,
    listen: Listener,
    batch: int | None,
) -> dict[str, Scoreboard]:
    """The scoreboards of one pass."""
    require_same_width(features, columns)  # before rules look at the mean of all pictures
    shown = features.labels if features.labels is not None and features.labels.ndim == 2 and source is LabelSource.TRUE else None
    setting = Setting(
        columns, len(features), partial(_places, features), scale, partial(_mean, features), shown, features.several is not None
    )
    states = {rule.name: start(rule, setting) for rule, _ in parsed.values()}
    ties = TieState(columns.shape[0])
    takers: list[Any] = [*states.values(), ties]
    listen(Started("score", len(features), "pictures"))
    for contest in contests(features, columns, labels, scale, batch):
        for state in takers:
            state.add(contest)
        if contest.families.stop == columns.shape[0]:
            listen(Progressed("score", contest.start + len(contest.x)))
    listen(Finished("score", len(features)))

    boards = {}
    for name, (rule, reducer) in parsed.items():
        per_class, count = states[rule.name].per_class()
        per_class = fill_never_predicted(per_class, source, rule)
        state, less = states[rule.name], rule.lower_is_better
        value = state.micro() if isinstance(state, F1State) and reducer == "micro" else over_classes(per_class, count, reducer, less)
        boards[name] = Scoreboard(
            f"{rule.name}/{reducer}", source.value, families, value, per_class, count, rule.unit, rule.lower_is_better, ties.count, rule.by
        )
    return boards


def _places(features: Features) -> Array:
    keys = features.keys
    if isinstance(keys, Named) and keys.what.dtype.kind in "iu":
        return np.argsort(np.argsort(keys.what, kind="stable"))
    return np.argsort(np.argsort(np.array(keys), kind="stable"))


def _mean(features: Features) -> Tensor:
    """(D,) f4 mean of the unit images."""
    total = sum(x.sum(0, dtype=np.float64) for _, x in features.batches(4096))
    return torch.from_numpy(np.asarray(total / len(features), np.float32))
