"""Arrays: rows of vectors, in memory or in shards on disk."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from promptlab.errors import MismatchError

Array = NDArray[Any]


def unit(x: Any) -> Any:
    """Rows of `x` (..., D) with L2 norm 1, as numpy array or torch tensor, whichever came; zero rows stay zero.

    The only place where rows are normalised. Half precision must be cast to fp32 before: bf16 "unit" rows have norm 0.9994.
    """
    return x / ((x * x).sum(-1, keepdims=True) ** 0.5).clip(min=1e-12)


def same_length(what: str, **sizes: int) -> None:
    """Raises MismatchError, naming the sizes, unless they are equal."""
    if len(set(sizes.values())) > 1:
        raise MismatchError(f"{what}: " + ", ".join(f"{n} {name}" for name, n in sizes.items()) + "; they must be equal.")


class Rows(Protocol):
    """What holds N rows of width D and gives back any of them as an array: a numpy array, or shards on disk."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> Any: ...
    def __len__(self) -> int: ...
    def __getitem__(self, rows: Any) -> Any: ...


class Shards:
    """N rows in several arrays on disk, seen as one (N, D)."""

    def __init__(self, parts: Sequence[Rows]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *map(len, parts)])
        self.shape: tuple[int, ...] = (int(self._starts[-1]), parts[0].shape[1])
        self.dtype = parts[0].dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Array:
        """The rows of a slice, of an int array (n,) in that order, or of a bool array (N,), copied into memory."""
        if isinstance(rows, slice):
            wanted = np.arange(*rows.indices(len(self)))
        else:
            some = np.asarray(rows)
            wanted = np.flatnonzero(some) if some.dtype == bool else np.where(some < 0, some + len(self), some).astype(np.int64)
        out = np.empty((len(wanted), self.shape[1]), self.dtype)
        part = np.searchsorted(self._starts, wanted, "right") - 1
        for p in np.unique(part):
            here = part == p
            out[here] = self._parts[p][wanted[here] - self._starts[p]]
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """All rows, for whoever wants a plain array."""
        return np.asarray(self[:], dtype)


class Picked:
    """Some rows of others, in any order and any number of times; nothing is copied until they are asked for."""

    def __init__(self, rows: Rows, which: Array) -> None:
        """rows: (N, D). which: (n,) int."""
        self._rows: Rows = rows
        self._which: Array = which
        if isinstance(rows, Picked):
            self._rows, self._which = rows._rows, rows._which[which]
        self.shape: tuple[int, ...] = (len(which), rows.shape[1])
        self.dtype = rows.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Array:
        """The rows of a slice or of an int array (n,), in that order, copied into memory."""
        return np.asarray(self._rows[self._which[rows]])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """All rows, for whoever wants a plain array."""
        return np.asarray(self[:], dtype)


class Named(Sequence[str]):
    """N keys that are made when they are asked for: ten million strings would take a gigabyte and seconds."""

    def __init__(self, what: Array, prefix: str = "") -> None:
        """what: (N,) texts, which are the keys; or integers, which follow the prefix as seven digits or more."""
        self.what, self.prefix = what, prefix
        self._form = prefix.replace("%", "%%") + "%07d" if what.dtype.kind in "iu" else "%s"

    def __len__(self) -> int:
        return len(self.what)

    def __getitem__(self, i: Any) -> Any:
        """The key of one place; for a slice or an int array the keys of these places."""
        found = self.what[i]
        return Named(found, self.prefix) if isinstance(found, np.ndarray) else self._form % found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named | tuple | list) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]


def chosen(keys: Sequence[str], rows: Array) -> Sequence[str]:
    """The keys of some rows (n,), in that order."""
    return keys[rows] if isinstance(keys, Named) else tuple(keys[i] for i in rows)
