"""Weights over families."""

import numpy as np

from promptlab.errors import DataError
from promptlab.types import Array, Scoreboard, Weights


def softmax(x: Array) -> Array:
    """(K,) f8, sums to 1."""
    e = np.exp(x - x.max())
    return np.asarray(e / e.sum())


def uniform(families: tuple[str, ...]) -> Weights:
    """1 / K for every family."""
    return Weights(np.full(len(families), 1 / len(families)), families, "uniform")


def cpe(board: Scoreboard, scale: float, tau: float = 1.0) -> Weights:
    """softmax over families of cmm/worst-k x scale / tau: CMM in logits, as in class-wise prompt ensembling.

    board: of `cmm/worst-k`, value (K,) in cosine units. Raises DataError when a family has no score.
    """
    if not np.isfinite(board.value).all():
        raise DataError(
            f"The rule {board.rule} gives no score to {int((~np.isfinite(board.value)).sum())} families.",
            "Is the tune half empty?",
        )
    return Weights(softmax(board.value * scale / tau), board.families, "cpe", board.value)
