"""The values that go in: pictures, their vectors, and everything that the main loop needs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from promptlab.errors import DataError, MismatchError
from promptlab.types.arrays import Array, Picked, Rows, chosen, same_length, unit
from promptlab.types.prompts import Classes, TextBank


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
    """(N,) int class indices, or (N, C) bool where a picture may show several; None when the data has none."""
    read: Callable[[int], bytes]
    """The bytes of picture i."""
    root: str = ""
    """Where the pictures are, for caches and messages; empty when they are nowhere in particular."""
    captions: tuple[tuple[str, ...], ...] | None = None
    """(N,) the captions that are right for each picture, at least one; None when the data has none."""
    distractors: tuple[tuple[str, ...], ...] | None = None
    """(N,) captions that are wrong for each picture, as the data gives them; None when it gives none."""
    files: bool = False
    """Whether pictures are the files at their places, read as they are: then they are known by their paths, whatever lists them."""

    def __len__(self) -> int:
        return len(self.keys)

    def place(self, i: int) -> str:
        """Where picture i lies, if it is a file: its key below the root, or beside a root that is a table."""
        return f"{self.folder}/{self.keys[i]}" if "://" in self.root else str(Path(self.folder) / self.keys[i])

    @property
    def folder(self) -> str:
        """Where keys begin: the root, or the folder of a root that is a table."""
        root = Path(self.root)
        return self.root.rstrip("/") if "://" in self.root else str(root.parent if root.is_file() else root)


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """N picture vectors; or N right answers to fewer pictures, a row each, where pictures may show several classes (`rows`)."""

    x: Rows
    """(N, D) f2 or f4, unit up to their precision; users of it renormalise in fp32."""
    keys: Sequence[str]
    """(N,) what names each picture."""
    labels: Array | None
    """(N,) int class indices, or (N, C) bool where a picture may show several; None when the data has none."""
    split: str
    """Which split they are of."""
    encoder: str
    """Fingerprint of the encoder; empty when nobody knows it."""
    skipped: tuple[tuple[str, str], ...] = ()
    """Pictures that could not be read: (key, reason)."""
    several: "Several | None" = None
    """The pictures that these rows are right answers to; None where a row is a picture."""

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
        """The features of some rows, as another split; vectors are read when they are asked for."""
        labels = None if self.labels is None else self.labels[rows]
        several = None if self.several is None else Several(self.several.pictures, self.several.picture[rows])
        keys = chosen(self.keys, rows)
        return Features(Picked(self.x, rows), keys, labels, split, self.encoder, self.skipped, several)

    def rows(self) -> "Features":
        """One row for each right answer of each picture, labels (N,) int, where pictures may show several classes; else the same object.

        A picture that shows no class, or every class, has no row: it has no right answer, or nothing to be confused with. Raises DataError
        when no row is left.
        """
        if self.labels is None or self.labels.ndim == 1:
            return self
        picture, label = np.nonzero(self.labels & ~self.labels.all(1, keepdims=True))
        if not len(picture):
            raise DataError(
                f"No picture of the split {self.split!r} shows some of the classes and not all, so none has a right answer.",
                "Add pictures that do, or classes that they do not show.",
            )
        keys = chosen(self.keys, picture)
        return Features(Picked(self.x, picture), keys, label, self.split, self.encoder, self.skipped, Several(self, picture))

    @property
    def pictures(self) -> "Features":
        """Each picture once: what is asked that has no need of labels. The same object where a row is a picture."""
        return self if self.several is None else self.several.pictures

    def hidden(self, rows: slice) -> Array | None:
        """(B, C) bool: the picture's other right answers, which are no rivals of a row's own; None where there can be none."""
        if self.several is None or self.labels is None or self.several.pictures.labels is None:
            return None
        mask: Array = self.several.pictures.labels[self.several.picture[rows]]
        mask[np.arange(len(mask)), self.labels[rows]] = False
        return mask

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
class Several:
    """Which pictures rows are right answers to."""

    pictures: Features
    """Each picture once, with labels (N, C) bool."""
    picture: Array
    """(N',) int: the picture of each row."""


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """What a source gives back: classes, and per split either pictures or features."""

    name: str
    """How tables call it."""
    classes: Classes
    """The C classes; none at all where pictures have captions and no category."""
    splits: Mapping[str, Images | Features]
    """Either one split, which is halved, or `tune` and `eval`."""
    bank: TextBank | None = None
    """Text vectors that come with the data; None when prompts are to be encoded."""
    encoder: str = ""
    """The model that the features belong to, as `--model` takes it; empty when any may be used."""
    notes: tuple[str, ...] = ()
    """What a reader of the report should know about this data."""
    templates: tuple[str, ...] = ()
    """Templates that came with the data; empty when none did."""
    by: str = ""
    """Which plugin opened it, and its version; promptlab fills it in."""
    halves: Mapping[str, str] | None = None
    """{key: `tune` or `eval`}, as `--split` says; promptlab fills it in. None: as `splits` says, or halves by the seed."""

    def __post_init__(self) -> None:
        if set(self.splits) not in ({"all"}, {"tune", "eval"}):
            raise DataError(f"The dataset {self.name!r} has the splits {sorted(self.splits)}; `all`, or `tune` and `eval`, were expected.")
        if len({part.labels.ndim for part in self.splits.values() if part.labels is not None}) > 1:
            raise DataError(
                f"One part of {self.name!r} lists the labels of its pictures, the other gives one each; the same was expected.",
                "List them in both: one alone is a list of one.",
            )
        for part in self.splits.values():
            if part.labels is None or not len(part.labels):
                continue
            if part.labels.ndim == 2:
                if part.labels.dtype != bool or part.labels.shape[1] != len(self.classes):
                    shape = f"{part.labels.dtype} {part.labels.shape}"
                    raise DataError(f"Labels of {self.name!r} are {shape}; bool (N, {len(self.classes)}) was expected.")
            elif not (part.labels.min() >= 0 and part.labels.max() < len(self.classes)):
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
    """The families, with the descriptions that are in use."""
    bare: TextBank
    """The families without any description; the same object as `bank` when none is in use."""
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
