"""Who takes whose pictures."""

import numpy as np

from promptlab.types import Array, Confusion


def confusion_matrix(labels: Array, winner: Array, classes: int) -> Array:
    """(C, C) int: images of each class (rows: right answers) by what they are taken for (columns). labels, winner: (N,) int."""
    return np.bincount(labels * classes + winner, minlength=classes**2).reshape(classes, classes)


def row_normalised(matrix: Array) -> Array:
    """(C, C) f8: shares of each class's images; NaN in the row of a class without images."""
    with np.errstate(invalid="ignore"):
        return np.asarray(matrix / matrix.sum(1, keepdims=True))


def confusions(labels: Array, winner: Array, classes: int) -> list[Confusion]:
    """Every pair of classes of which the second takes images of the first: highest share first, then most images, then lowest index.

    labels, winner: (N,) int. Needs memory for the pairs that occur, not for C x C.
    """
    wrong = labels != winner
    pair, count = np.unique(labels[wrong].astype(np.int64) * classes + winner[wrong], return_counts=True)
    rate = count / np.bincount(labels, minlength=classes)[pair // classes]
    order = np.lexsort((pair, -count, -rate))
    return [Confusion(int(pair[i] // classes), int(pair[i] % classes), int(count[i]), float(rate[i])) for i in order]


def takers(labels: Array, winner: Array, c: int, most: int = 3) -> list[Confusion]:
    """The classes that take images of class c, most images first, then lowest index."""
    mine = winner[labels == c]
    classes, count = np.unique(mine[mine != c], return_counts=True)
    order = np.lexsort((classes, -count))[:most]
    return [Confusion(c, int(classes[i]), int(count[i]), float(count[i] / len(mine))) for i in order]
