"""Class names, from folders and from files; and shares of classes."""

import re
from pathlib import Path

import numpy as np

from promptlab.errors import DataError
from promptlab.types import Array, Classes


def from_folder(folder: str) -> str:
    """The words in a folder's name: `001.ak47` gives `ak47`, `car_side` gives `car side`; case stays."""
    words = re.sub(r"^\d+\.\s*(?=[^\W\d])", "", folder).replace("_", " ")
    return " ".join(words.split()) or folder


def read_lines(path: str) -> list[str]:
    """The lines of a names file, empty ones left out. Raises DataError when it cannot be read or is empty."""
    try:
        lines = [line.rstrip("\r") for line in Path(path).read_text("utf-8-sig").split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The names file {path!r} cannot be read: {error}.", "It must be a UTF-8 text file.") from error
    if not lines:
        raise DataError(f"The names file {path!r} is empty.", "Write one class name per line.")
    return lines


def bare_list(path: str) -> Classes:
    """Classes from a file with one name per line. Raises DataError for lines with tabs: they pair names with something."""
    tabbed = next((line for line in read_lines(path) if "\t" in line.strip()), None)
    if tabbed is not None:
        raise DataError(
            f"{path!r} has the line {tabbed[:60]!r}; one name per line was expected, without tabs.", "Pairs are for labelled folders."
        )
    return Classes.of([" ".join(line.split()) for line in read_lines(path)])


def for_folders(folders: list[str], path: str) -> Classes:
    """Classes of labelled folders; `path` names a file of `folder<TAB>name` lines, or is empty. A folder may have several lines.

    Raises DataError for a bare list: matched by position it would shift labels in silence.
    """
    names: dict[str, list[str]] = {}
    for number, line in enumerate(read_lines(path) if path else [], 1):
        folder, tab, name = line.partition("\t")
        if not tab or not name.strip():
            raise DataError(
                f"Line {number} of {path!r} is {line[:60]!r}; `folder<TAB>name` was expected.",
                "A bare list would be matched by position and shift labels unseen.",
            )
        names.setdefault(folder.strip(), []).append(" ".join(name.split()))
    strangers = sorted(set(names) - set(folders))
    if strangers:
        raise DataError(f"{path!r} names the folder {strangers[0]!r}, which is not there.", f"The folders are: {', '.join(folders[:8])}...")
    return Classes(tuple(folders), tuple(tuple(names.get(f) or [from_folder(f)]) for f in folders))


def read_mix(path: str, classes: Classes) -> Array:
    """(C,) f8 shares of the classes, > 0, summing to 1, from `folder<TAB>share` lines; counts do as well.

    Raises DataError for a line that is none, for a class that is unknown, missing, named twice, or has no share.
    """
    shares: dict[str, float] = {}
    for number, line in enumerate(read_lines(path), 1):
        folder, _, share = line.partition("\t")
        if folder.strip() in shares:
            raise DataError(f"Line {number} of {path!r} names {folder.strip()!r} twice.", "Every class of the data needs one line.")
        try:
            shares[folder.strip()] = float(share)
        except ValueError:
            raise DataError(f"Line {number} of {path!r} is {line[:60]!r}; `folder<TAB>share` was expected.") from None
    strange, missing = sorted(set(shares) - set(classes.ids)), [i for i in classes.ids if i not in shares]
    if strange or missing:
        which = f"names the class {strange[0]!r}, which the data has not" if strange else f"has no share for {missing[0]!r}"
        raise DataError(f"{path!r} {which}.", "Every class of the data needs one line.")
    mix = np.array([shares[i] for i in classes.ids])
    if not (np.isfinite(mix) & (mix > 0)).all():
        bad = classes.ids[int(np.argmin(np.isfinite(mix) & (mix > 0)))]
        raise DataError(f"{path!r} gives {bad!r} the share {shares[bad]:g}; more than 0 was expected.", "Drop classes that do not occur.")
    return np.asarray(mix / mix.sum())
