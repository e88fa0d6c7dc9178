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

    labels: list[int] | None  # None where it has none
    stamps: list[str]  # of each picture; changes when its bytes do
    read: Callable[[int], bytes]


def dataset(where: str, name: str, parts: dict[str, Part], classes: Classes) -> Dataset:
    """The splits as a dataset: one alone is halved; of several one is to tune and one to judge, which is said."""
    if len(parts) == 1:
        return Dataset(name, classes, {"all": _images(where, "all", *next(iter(parts.items())))})
    tune = next((split for split in TUNE if split in parts), None)
    judge = next((split for split in JUDGE if split in parts and parts[split].labels is not None), None)
    if tune is None or judge is None:
        raise DataError(f"{where!r} has the splits {', '.join(parts)}, and it is not clear which to judge on.", f"Name one: {where}:SPLIT")
    others = [split for split in parts if split not in (tune, judge)]
    note = f"{tune} to tune, {judge} to judge" + (f"; {', '.join(others)} not used." if others else ".")
    both = {"tune": _images(where, "tune", tune, parts[tune]), "eval": _images(where, "eval", judge, parts[judge])}
    return Dataset(name, classes, both, notes=(f"The splits of {where!r}: {note}",))


def _images(where: str, split: str, name: str, part: Part) -> Images:
    keys = tuple(f"{name}/{i:08d}" for i in range(len(part.stamps)))
    labels = None if part.labels is None else np.array(part.labels, np.int64)
    return Images(split, keys, tuple(part.stamps), labels, part.read, where)


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
