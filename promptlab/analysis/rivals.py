"""Who stands in the way of a class."""

import numpy as np

from promptlab.types import Array, Classes


def rivals(c: int, most: int, images: Array, winner: Array, rows: Array, classes: Classes) -> list[int]:
    """Up to `most` classes that stand in the way of class c, strongest first: those of its very name, then those that take most of its
    images, then those with the most similar row.

    images: (n,) int, the images taken for c's own; winner: (N,) int; rows: (C, D) unit.
    """
    same = [j for j, title in enumerate(classes.titles) if j != c and title.casefold() == classes.titles[c].casefold()]
    taken = np.bincount(winner[images], minlength=len(classes))
    takers = [int(j) for j in np.argsort(-taken, kind="stable") if taken[j]]
    near = [int(j) for j in np.argsort(-(rows @ rows[c]), kind="stable")]
    return [j for j in dict.fromkeys([*same, *takers, *near]) if j != c][:most]
