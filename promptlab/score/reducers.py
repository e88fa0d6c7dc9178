"""How classes are joined into one number a family."""

import math
import re

import numpy as np

from promptlab.errors import UsageError, unknown_name
from promptlab.protocols import Rule, Unit
from promptlab.types import Array, LabelSource

REDUCERS = ("overall", "mean", "macro", "weighted", "micro", "min", "hmean", "zeros")
FOR_SHARES = {"zeros": "counts classes at 0 %", "hmean": "is dragged down by classes near 0 %"}
SAME = {"macro": "mean", "weighted": "overall"}


def worst_order(accuracy: Array, margin: Array) -> Array:
    """Class indices, worst first: lowest accuracy, then lowest margin, then index; absent classes (NaN accuracy) are left out."""
    order = np.lexsort((np.arange(len(accuracy)), margin, accuracy))
    return order[np.isfinite(accuracy[order])]


def default_k(classes: int) -> int:
    """How many classes "the worst" are: min(10, ceil(C / 5))."""
    return min(10, math.ceil(classes / 5))


def parse_reducer(text: str, rule: Rule, classes: int) -> str:
    """The reducer of that name; `worst-k` becomes the default k of this number of classes. Raises UsageError where it makes no sense."""
    reducer = f"worst-{default_k(classes)}" if text == "worst-k" else text
    if reducer not in REDUCERS and not re.fullmatch(r"worst-[1-9]\d{0,8}", reducer):
        raise unknown_name("reducer", reducer, [*REDUCERS, "worst-k"])
    if reducer in FOR_SHARES and rule.unit is not Unit.SHARE:
        raise UsageError(
            f"The reducer `{reducer}` {FOR_SHARES[reducer]} and needs a share; {rule.name} is none.", f"Use `accuracy/{reducer}`."
        )
    if reducer == "micro" and rule.name != "f1":
        raise UsageError(f"The reducer `micro` pools the counts of f1; {rule.name} has none.", "Use `overall`.")
    return reducer


def over_classes(per_class: Array, count: Array, reducer: str, lower_is_better: bool = False) -> Array:
    """(K,) from values (K, C), NaN where a class is left out, and counts (K, C). A family without any class gives NaN.

    worst-k is the mean of the k lowest, of the k highest where lower is better, and min is worst-1; k >= C means all of them.
    hmean is 0 as soon as one class is.
    """
    reducer = SAME.get(reducer, reducer)
    known = np.isfinite(per_class)
    classes = known.sum(1)
    filled = np.where(known, per_class, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        if reducer == "overall":
            return np.asarray((filled * count).sum(1) / np.where(known, count, 0).sum(1))
        if reducer == "mean":
            return np.asarray(filled.sum(1) / classes)
        if reducer == "hmean":
            return np.asarray(classes / np.where(known, 1 / per_class, 0.0).sum(1))
        if reducer == "zeros":
            return np.where(classes > 0, (known & (per_class == 0)).sum(1), np.nan).astype(float)
        k = 1 if reducer == "min" else int(reducer.removeprefix("worst-"))
        sign = -1 if lower_is_better else 1
        worst = np.sort(np.where(known, sign * per_class, np.inf), 1)[:, :k]
        return np.asarray(np.where(np.isfinite(worst), sign * worst, 0.0).sum(1) / np.minimum(classes, k))


def fill_never_predicted(per_class: Array, source: LabelSource, rule: Rule) -> Array:
    """Under pseudo-labels a class without images is never predicted; its margin counts as min(0, lowest finite value of its family), so
    that collapse is never rewarded. Under true labels it is absent and stays NaN; shares and logits of nothing stay NaN too."""
    if source is LabelSource.TRUE or rule.unit is not Unit.MARGIN:
        return per_class
    lowest = np.nanmin(per_class, 1, keepdims=True, initial=0.0)
    return np.where(np.isnan(per_class), np.minimum(0.0, lowest), per_class)
