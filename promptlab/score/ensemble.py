"""Classifiers: K weighted families become one row per class. Needs no torch, which takes two seconds to import."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from promptlab.types import Array, Classifier, Combine, TextBank, unit


def build(bank: TextBank, w: Array, combine: Combine) -> Classifier:
    """The classifier of weights w (K,) or (K, C): weighted mean of unit cell vectors, renormalised under `embedding`, left as it is under
    `logit`.

    The sum runs family by family in f8, so that equal cells give rows that are equal to the bit, and a weight of 0 leaves a family out
    exactly.
    """
    weight = joined(bank.z, w, combine)
    zeros = np.zeros(len(weight), np.float32)
    return Classifier(weight, zeros, bank.scale, bank.grid.classes, bank.encoder, combine, logit_bias=bank.logit_bias)


def joined(z: Iterable[Array], w: Array, combine: Combine) -> Array:
    """(C, D) f4: families z, K of (C, D), joined under weights w (K,) or (K, C)."""
    total: Any = 0.0
    for weight, rows in zip(np.asarray(w), z, strict=True):
        if np.any(weight):
            total = total + weight[..., None] * rows.astype(np.float64)
    return np.asarray(unit(total) if combine is Combine.EMBEDDING else total, np.float32)


def subset_rows(total: Array, z: Array) -> Array:
    """(M, C, D) f4: the embedding ensemble of some families, whose cell vectors add up to total (C, D), and one more, for each of z
    (M, C, D)."""
    return np.stack([unit(total + rows).astype(np.float32) for rows in z])


def uniform(bank: TextBank) -> Classifier:
    """The baseline: uniform weights, embedding combine, no bias."""
    k = len(bank.z)
    return build(bank, np.full(k, 1 / k), Combine.EMBEDDING)
