"""The half that things are chosen on, and the half that is told."""

import numpy as np

from promptlab.errors import DataError
from promptlab.types import Array


def halves(labels: Array | None, n: int, seed: int) -> tuple[Array, Array]:
    """(tune, eval) row indices, sorted: 50/50 by a seed, within each class where labels exist; the odd one and singletons go to eval.

    labels (N, C) bool: a picture counts to the rarest class that it shows; those that show none are a group of their own.

    Raises DataError when the tune half would be empty.
    """
    rng = np.random.default_rng(seed)
    if labels is not None and labels.ndim == 2:
        labels = _rarest(labels)
    groups = [np.arange(n)] if labels is None else [np.flatnonzero(labels == c) for c in np.unique(labels)]
    tune = np.zeros(n, bool)
    for group in groups:
        tune[rng.permutation(group)[: len(group) // 2]] = True
    if not tune.any():
        raise DataError(f"{n} pictures with at most one per class leave nothing to tune on.", "Add pictures, or use --transductive.")
    return np.flatnonzero(tune), np.flatnonzero(~tune)


def _rarest(labels: Array) -> Array:
    """(N,) int: of the classes (N, C) that each picture shows the rarest, the first of several; -1 where it shows none."""
    counts = np.where(labels, labels.sum(0, dtype=np.int32), np.int32(len(labels) + 1))
    return np.where(labels.any(1), counts.argmin(1) if labels.shape[1] else 0, -1)
