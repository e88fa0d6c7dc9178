"""The half that things are chosen on, and the half that is told."""

import numpy as np

from promptlab.errors import DataError
from promptlab.types import Array


def halves(labels: Array | None, n: int, seed: int) -> tuple[Array, Array]:
    """(tune, eval) row indices, sorted: 50/50 by a seed, within each class where labels (N,) exist; the odd one and singletons go to eval.

    Raises DataError when the tune half would be empty.
    """
    rng = np.random.default_rng(seed)
    groups = [np.arange(n)] if labels is None else [np.flatnonzero(labels == c) for c in np.unique(labels)]
    tune = np.zeros(n, bool)
    for group in groups:
        tune[rng.permutation(group)[: len(group) // 2]] = True
    if not tune.any():
        raise DataError(f"{n} pictures with at most one per class leave nothing to tune on.", "Add pictures, or use --transductive.")
    return np.flatnonzero(tune), np.flatnonzero(~tune)
