"""Does a rule find the classes that fail? Its order of the classes on tune against their accuracy on eval."""

from collections.abc import Iterable

import numpy as np

from promptlab.score.health import spearman
from promptlab.types import Agreement, Array, Evaluation, Scoreboard

# Without labels each image counts to the class that wins it; cmm-top asks for none.
LABEL_FREE = ("cmm", "cmm-class", "cmm-top", "predicted-sim", "confidence", "loglik", "entropy")


def agreement(boards: Iterable[Scoreboard], truth: Evaluation, k: int) -> tuple[Agreement, ...]:
    """One row a board of one family: rank correlation with class accuracy over classes with images, and how many of the k classes that it
    ranks lowest are among the k worst. Classes as bad as the k-th worst count as worst, too. Best rank correlation first.

    A class without a value (never predicted) is ranked lowest. Empty without labels.
    """
    if truth.accuracy is None:
        return ()
    present = np.flatnonzero(truth.count > 0)
    accuracy = truth.per_class[present]
    k = min(k, len(present))
    threshold = np.sort(accuracy)[k - 1]
    rows = []
    for board in boards:
        value = _ascending(board)[present]
        lowest = np.argsort(value, kind="stable")[:k]
        found = int((accuracy[lowest] <= threshold).sum())
        rows.append(Agreement(board.rule.partition("/")[0], board.labels, spearman(value, accuracy), found, k))
    return tuple(sorted(rows, key=lambda row: -np.nan_to_num(row.spearman, nan=-2.0)))


def _ascending(board: Scoreboard) -> Array:
    """(C,) values of the first family, more is better, classes without one below all others."""
    value = -board.per_class[0] if board.lower_is_better else board.per_class[0]
    known = np.isfinite(value)
    return np.where(known, value, (value[known].min() if known.any() else 0.0) - 1)
