"""What looking for pictures by their captions, and for captions by their pictures, comes to."""

from dataclasses import dataclass

import numpy as np

from promptlab.types.arrays import Array
from promptlab.types.results import Interval


@dataclass(frozen=True, slots=True, eq=False)
class Recall:
    """How queries of one kind find their right answers."""

    rank: Array
    """(Q,) int: targets before the first right one, 0 when a right one comes first; equal ones count by their index."""
    right: Array
    """(Q,) int: the right target that comes first."""
    first: Array
    """(Q,) int: the target that comes first of all."""
    gap: Array
    """(Q,) f8 cosine units: the best right target minus the best wrong one."""
    picture: Array
    """(Q,) int: the picture that each query is, or is right for: what intervals resample."""
    ks: tuple[int, ...]
    """The k of the recalls that are told."""
    share: tuple[float, ...]
    """Recall at each k: the share of queries with a right answer among the first k."""
    interval: tuple[Interval, ...]
    """95 % interval of each, over pictures."""
    chance: tuple[float, ...]
    """What guessing would reach: the chance that one of k targets, drawn blindly, is right."""

    @property
    def median(self) -> float:
        """The place at which half of all queries have found a right answer, 1 at best."""
        return float(sorted(self.rank.tolist())[(len(self.rank) - 1) // 2] + 1)

    def hit(self, k: int) -> Array:
        """(Q,) bool: whether a right answer is among the first k."""
        return np.asarray(self.rank < k)
