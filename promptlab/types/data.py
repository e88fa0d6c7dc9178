"""The values that go in: classes, prompts, pictures, and their vectors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from promptlab.errors import DataError, MismatchError, unknown_name

Array = NDArray[Any]


class LabelSource(StrEnum):
    """Where the "right answer" of an image comes from."""

    TRUE = "true"
    ENSEMBLE = "ensemble"
    OTHERS = "others"
    SELF = "self"
    ZPE = "zpe"


class Combine(StrEnum):
    """How weighted families become one row per class: mean renormalised (`embedding`) or not (`logit`)."""

    EMBEDDING = "embedding"
    LOGIT = "logit"


class Scope(StrEnum):
    """What a weight belongs to: a family (`global`), or a family and a class (`class`)."""

    GLOBAL = "global"
    CLASS = "class"


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
    """N rows in several memory-mapped arrays, seen as one (N, D)."""

    def __init__(self, parts: Sequence[Array]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *map(len, parts)])
        self.shape: tuple[int, ...] = (int(self._starts[-1]), parts[0].shape[1])
        self.dtype = parts[0].dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Array:
        """The rows of a slice or of an int array (n,), in that order, copied into memory."""
        wanted = np.arange(len(self))[rows]
        out = np.empty((len(wanted), self.shape[1]), self.dtype)
        part = np.searchsorted(self._starts, wanted, "right") - 1
        for p in np.unique(part):
            here = part == p
            out[here] = self._parts[p][wanted[here] - self._starts[p]]
        return out


@dataclass(frozen=True, slots=True)
class Classes:
    """C classes in label order. A label is an index into them; names may repeat, ids may not."""

    ids: tuple[str, ...]
    """(C,) what the data calls each class, e.g. the folder."""
    names: tuple[tuple[str, ...], ...]
    """(C,) the words for each class, at least one; the first is the one that tables show."""

    def __post_init__(self) -> None:
        same_length("Classes", ids=len(self.ids), names=len(self.names))
        if len(set(self.ids)) != len(self.ids):
            twice = sorted({i for i in self.ids if self.ids.count(i) > 1})
            raise DataError(f"The class ids {', '.join(twice[:3])} occur more than once.", "Give every class an id of its own.")
        empty = next((i for i, names in zip(self.ids, self.names, strict=True) if not names or not all(n.strip() for n in names)), None)
        if empty is not None:
            raise DataError(f"The class {empty!r} has an empty name.", "Give every class at least one word.")

    @classmethod
    def of(cls, names: Sequence[str]) -> Self:
        """Classes whose ids are their names; a repeated name gets a number into its id."""
        ids: dict[str, None] = {}
        for name in names:
            n, free = 1, name
            while free in ids or (n > 1 and free in names):
                n, free = n + 1, f"{name}#{n + 1}"
            ids[free] = None
        return cls(tuple(ids), tuple((name,) for name in names))

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, name: str) -> int:
        """The index of the class with that id or name. Raises UsageError that lists the nearest."""
        known = {**{t: c for c, t in enumerate(self.titles)}, **{i: c for c, i in enumerate(self.ids)}}
        if name not in known:
            raise unknown_name("class", name, known)
        return known[name]

    @property
    def titles(self) -> tuple[str, ...]:
        """(C,) one name per class, for tables."""
        return tuple(names[0] for names in self.names)


@dataclass(frozen=True, slots=True)
class Template:
    """One sentence with a hole for the class name."""

    name: str
    """What tables call the family: the sentence with `{}` for the name."""
    source: str
    """Jinja2 with `{{ name }}`."""


@dataclass(frozen=True, slots=True, eq=False)
class PromptGrid:
    """The K x C grid of cells; cell (k, c) holds the texts that family k says of class c, by index, never by class name."""

    classes: Classes
    """The C classes."""
    families: tuple[str, ...]
    """(K,) names of the families."""
    texts: tuple[str, ...]
    """(P,) the distinct texts."""
    cell: Array
    """(T, 3) int: family, class and text of each entry; every cell has at least one."""

    def __post_init__(self) -> None:
        k, c = len(self.families), len(self.classes)
        if self.cell.ndim != 2 or self.cell.shape[1] != 3:
            raise MismatchError(f"PromptGrid.cell has shape {self.cell.shape}; (T, 3) was expected.")
        filled = np.zeros((k, c), bool)
        filled[self.cell[:, 0], self.cell[:, 1]] = True
        if not filled.all():
            raise DataError(f"{int((~filled).sum())} of {k} x {c} cells have no text.", "Every family needs a text for every class.")


@dataclass(frozen=True, slots=True, eq=False)
class TextBank:
    """The unit vectors of a grid's cells."""

    z: Array
    """(K, C, D) f4 unit: the renormalised mean of each cell's unit text vectors. Equal cells are equal to the bit."""
    grid: PromptGrid
    """What the vectors say."""
    encoder: str
    """Fingerprint of the encoder; empty when nobody knows it."""
    scale: float
    """Logits are cosine x scale."""
    too_long: tuple[str, ...] = ()
    """Texts longer than the encoder's context, which it cut."""
    texts: Array | None = None
    """(P, D) f4 unit: each text by itself; None where the data brought cells alone, each of one text."""
    logit_bias: float | None = None
    """What a sigmoid model adds to every logit; None for softmax models."""

    def __post_init__(self) -> None:
        k, c = len(self.grid.families), len(self.grid.classes)
        if self.z.shape[:2] != (k, c):
            raise MismatchError(f"TextBank.z has shape {self.z.shape}; ({k}, {c}, D) was expected.")

    def texts_of(self, c: int) -> tuple[Array, Array, Array]:
        """(families (n,), texts (n,), vectors (n, D)) of everything that is said of class c."""
        families, _, texts = self.grid.cell[self.grid.cell[:, 1] == c].T
        return families, texts, self.z[families, c] if self.texts is None else self.texts[texts]


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """N pictures of one split, not yet read."""

    split: str
    """`all`, or the name of a split that the data itself defines."""
    keys: tuple[str, ...]
    """(N,) what names each picture, e.g. its path below the folder; sorted, distinct."""
    stamps: tuple[str, ...]
    """(N,) changes when the bytes of the picture change, e.g. size and time."""
    labels: Array | None
    """(N,) int class indices; None when the data has none."""
    read: Callable[[int], bytes]
    """The bytes of picture i."""
    root: str = ""
    """Where the pictures are, for caches and messages; empty when they are nowhere in particular."""

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """N picture vectors."""

    x: Rows
    """(N, D) f2 or f4, unit up to their precision; users of it renormalise in fp32."""
    keys: tuple[str, ...]
    """(N,) what names each picture."""
    labels: Array | None
    """(N,) int class indices; None when the data has none."""
    split: str
    """Which split they are of."""
    encoder: str
    """Fingerprint of the encoder; empty when nobody knows it."""
    skipped: tuple[tuple[str, str], ...] = ()
    """Pictures that could not be read: (key, reason)."""

    def __post_init__(self) -> None:
        if len(self.x.shape) != 2:
            raise MismatchError(f"Features.x has shape {self.x.shape}; (N, D) was expected.")
        sizes = {"vectors": len(self.x), "keys": len(self.keys)}
        if self.labels is not None:
            sizes["labels"] = len(self.labels)
        same_length("Features", **sizes)
        if not len(self.x):
            raise DataError(f"The split {self.split!r} holds no picture that can be used.")

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: Array, split: str) -> "Features":
        """The features of some rows, as another split, held in memory."""
        labels = None if self.labels is None else self.labels[rows]
        return Features(self.x[rows], tuple(self.keys[i] for i in rows), labels, split, self.encoder, self.skipped)

    def batches(self, size: int) -> Iterator[tuple[int, Array]]:
        """(start, x (B, D) f4 unit) for one batch after the other; raises DataError on a row that is zero or not finite."""
        for start in range(0, len(self), size):
            x = np.asarray(self.x[start : start + size], np.float32)
            norm = np.sqrt((x * x).sum(1))
            if not (np.isfinite(norm) & (norm > 1e-6)).all():
                bad = start + int(np.argmin(np.isfinite(norm) & (norm > 1e-6)))
                raise DataError(
                    f"The vector of {self.keys[bad]!r} is zero or not finite.",
                    "Encode that picture again, or drop it.",
                )
            yield start, unit(x)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """What a source gives back: classes, and per split either pictures or features."""

    name: str
    """How tables call it."""
    classes: Classes
    """The C classes."""
    splits: Mapping[str, Images | Features]
    """Either one split, which is halved, or `tune` and `eval`."""
    bank: TextBank | None = None
    """Text vectors that come with the data; None when prompts are to be encoded."""
    encoder: str = ""
    """The model that the features belong to, as `--model` takes it; empty when any may be used."""
    notes: tuple[str, ...] = ()
    """What a reader of the report should know about this data."""

    def __post_init__(self) -> None:
        if set(self.splits) not in ({"all"}, {"tune", "eval"}):
            raise DataError(f"The dataset {self.name!r} has the splits {sorted(self.splits)}; `all`, or `tune` and `eval`, were expected.")
        for part in self.splits.values():
            if part.labels is not None and len(part.labels) and not (part.labels.min() >= 0 and part.labels.max() < len(self.classes)):
                raise DataError(
                    f"Labels of {self.name!r} run from {part.labels.min()} to {part.labels.max()}; there are {len(self.classes)} classes.",
                    "Labels are class indices: 0 for the first name, C - 1 for the last.",
                )


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Everything that the main loop needs, encoded."""

    dataset: Dataset
    """What was opened."""
    tune: Features
    """What things are chosen on."""
    judged: Features
    """What is told; the same object as `tune` when that is in-sample."""
    bank: TextBank
    """The families."""
    single: TextBank | None
    """One template beside them; None when there is none."""
    model: str
    """As `--model` takes it; empty when pictures and texts came as vectors."""
    encoded: Mapping[str, int]
    """How many `texts` and `images` were encoded anew."""
    skipped: tuple[tuple[str, str], ...]
    """Pictures that could not be read: (key, reason)."""
    lint: tuple["Check", ...]
    """What is likely wrong with names and texts."""

    @property
    def in_sample(self) -> bool:
        """Whether things are told on the pictures that they were chosen on."""
        return self.tune is self.judged


@dataclass(frozen=True, slots=True)
class Check:
    """One finding of lint or of a health check."""

    name: str
    """Short, stable, e.g. `weights-collapsed`."""
    text: str
    """What was found and what it means, in a sentence or two."""
