"""What both sources share: splits that become tune and eval, and names of classes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from promptlab import Classes, DataError, DataOptions, Dataset, Images

TUNE = ("trainval", "train", "train-standard")
JUDGE = ("test", "val", "validation", "valid")


class Part(NamedTuple):
    """One split of a dataset."""

    labels: list[int] | list[list[int]] | None  # lists where pictures may show several classes; None where it has none
    stamps: list[str]  # of each picture; changes when its bytes do
    read: Callable[[int], bytes]
    captions: list[tuple[str, ...]] | None = None


def dataset(where: str, name: str, parts: dict[str, Part], classes: Classes) -> Dataset:
    """The splits as a dataset: one alone is halved; of several one is to tune and one to judge, which is said."""
    if len(parts) == 1:
        return Dataset(name, classes, {"all": _images(where, "all", *next(iter(parts.items())), len(classes))})
    tune = next((split for split in TUNE if split in parts), None)
    judge = next((split for split in JUDGE if split in parts and (parts[split].labels is not None or parts[split].captions)), None)
    if tune is None or judge is None:
        raise DataError(f"{where!r} has the splits {', '.join(parts)}, and it is not clear which to judge on.", f"Name one: {where}:SPLIT")
    others = [split for split in parts if split not in (tune, judge)]
    note = f"{tune} to tune, {judge} to judge" + (f"; {', '.join(others)} not used." if others else ".")
    both = {
        "tune": _images(where, "tune", tune, parts[tune], len(classes)),
        "eval": _images(where, "eval", judge, parts[judge], len(classes)),
    }
    return Dataset(name, classes, both, notes=(f"The splits of {where!r}: {note}",))


def _images(where: str, split: str, name: str, part: Part, classes: int) -> Images:
    keys = tuple(f"{name}/{i:08d}" for i in range(len(part.stamps)))
    captions = None if part.captions is None else tuple(part.captions)
    return Images(split, keys, tuple(part.stamps), _labels(where, part.labels, classes), part.read, where, captions)


def _labels(where: str, labels: list[int] | list[list[int]] | None, classes: int) -> "np.ndarray | None":
    """(N,) int, or (N, C) bool where pictures list theirs. Raises DataError for an index in a list that is no class, or there twice."""
    if labels is None or not any(isinstance(one, list) for one in labels):
        return None if labels is None else np.array(labels, np.int64)
    shown = np.zeros((len(labels), classes), bool)
    for row, listed in zip(shown, labels, strict=True):
        assert isinstance(listed, list)  # all are, or none
        odd = next((one for one in listed if not 0 <= one < classes), None)
        if odd is not None:
            raise DataError(
                f"{where!r} has the label {odd} in a list; there are {classes} classes.", "0 is the first name, C - 1 the last."
            )
        if len(set(listed)) < len(listed):
            twice = next(one for one in listed if listed.count(one) > 1)
            raise DataError(
                f"A row of {where!r} lists the label {twice} twice.",
                "Indices or names of what a picture shows were expected; vectors of 0 and 1 are read from .npz and .npy.",
            )
        row[listed] = True
    return shown


def classes(where: str, found: Sequence[str], options: DataOptions) -> Classes:
    """The names that came with the data, renamed by the `name<TAB>new name` lines of a names file; where none came, its lines."""
    lines = _lines(options.names) if options.names else []
    pairs = [line.split("\t") for line in lines if "\t" in line]
    if not found:
        if not lines or pairs:
            raise DataError(f"{where!r} does not name its classes.", "Add --classes names.txt, one name per line in label order.")
        return Classes.of(lines)
    made = Classes.of(found)
    if lines and len(pairs) < len(lines):
        raise DataError(f"{where!r} has class names of its own.", "Leave --classes out, or write `name<TAB>new name` lines.")
    new = {old.strip(): tuple(name.strip() for name in names if name.strip()) for old, *names in pairs}
    strange = next((old for old in new if old not in made.ids), None)
    if strange is not None:
        raise DataError(f"{options.names!r} renames the class {strange!r}, which is not in {where!r}.")
    return Classes(made.ids, tuple(new.get(i) or names for i, names in zip(made.ids, made.names, strict=True)))


def _lines(path: str) -> list[str]:
    try:
        return [line for line in Path(path).read_text("utf-8-sig").split("\n") if line.strip() and not line.startswith("#")]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The names file {path!r} cannot be read: {error}.", "It must be a UTF-8 text file.") from error
