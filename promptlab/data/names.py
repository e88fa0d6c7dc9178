"""Class names, from folders and from files; and shares of classes."""

import difflib
import re
from pathlib import Path

import numpy as np

from promptlab.errors import DataError
from promptlab.types import Array, Classes


def from_folder(folder: str) -> str:
    """The words in a folder's name: `001.ak47` gives `ak47`, `04-car_side` gives `car side`; case stays, and so does `747`."""
    words = re.sub(r"^(?:\d+[._ ]|\d\d+-)[._\- ]*(?=[^\W\d])", "", folder).replace("_", " ")
    return " ".join(words.split()) or folder


class NamesFile:
    """The lines of a names file that are neither empty nor begin with #. Read once: what a pipe says cannot be read twice.

    Raises DataError when it cannot be read or holds no line.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            text = Path(path).read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"The names file {path!r} cannot be read: {error}.", "It must be a UTF-8 text file.") from error
        numbered = enumerate((line.rstrip("\r") for line in text.split("\n")), 1)
        self.lines = [(number, line) for number, line in numbered if line.strip() and not line.startswith("#")]
        if not self.lines:
            raise DataError(f"The names file {path!r} is empty.", "Write one class name per line.")

    @property
    def pairs(self) -> bool:
        """Whether it pairs names with something: a line has a tab."""
        return any("\t" in line.strip() for _, line in self.lines)

    def bare(self) -> Classes:
        """Classes from one name per line. Raises DataError for lines with tabs."""
        tabbed = next((line for _, line in self.lines if "\t" in line.strip()), None)
        if tabbed is not None:
            raise DataError(
                f"{self.path!r} has the line {tabbed[:60]!r}; one name per line was expected, without tabs.",
                "Pairs rename labels that are names.",
            )
        return Classes.of([" ".join(line.split()) for _, line in self.lines])

    def joined(self, ids: list[str], kind: str) -> Classes:
        """Classes with these ids and the names of `id<TAB>name` lines; an id may have several lines, and several names in one.

        An id without a line is named by its own words. `kind` is what messages call an id: `folder`, `label`. Raises DataError for a line
        that is no pair (matched by position it would shift labels in silence) and for an id that is not there.
        """
        names: dict[str, list[str]] = {}
        for number, line in self.lines:
            first, *rest = (cell.strip() for cell in line.split("\t"))
            found = [" ".join(name.split()) for name in rest if name]
            if not found:
                raise DataError(
                    f"Line {number} of {self.path!r} is {line[:60]!r}; `{kind}<TAB>name` was expected.",
                    "A bare list would be matched by position and shift labels unseen.",
                )
            names.setdefault(first, []).extend(found)
        strange = next((name for name in names if name not in ids), None)
        if strange is not None:
            near = [f"Did you mean {match!r}? " for match in difflib.get_close_matches(strange, ids, n=1)]
            known = ", ".join(ids[:8]) + ("..." if len(ids) > 8 else "")
            raise DataError(f"{self.path!r} names the {kind} {strange!r}, which is not there.", f"{''.join(near)}The {kind}s are: {known}.")
        return Classes(tuple(ids), tuple(tuple(names.get(i) or [from_folder(i)]) for i in ids))


def bare_list(path: str) -> Classes:
    """Classes from a file with one name per line. Raises DataError for lines with tabs: they pair names with something."""
    return NamesFile(path).bare()


def for_folders(folders: list[str], path: str) -> Classes:
    """Classes of labelled folders; `path` names a file of `folder<TAB>name` lines, or is empty. Raises DataError for a bare list."""
    if path:
        return NamesFile(path).joined(folders, "folder")
    return Classes(tuple(folders), tuple((from_folder(folder),) for folder in folders))


def read_mix(path: str, classes: Classes) -> Array:
    """(C,) f8 shares of the classes, > 0, summing to 1, from `folder<TAB>share` lines; counts do as well.

    Raises DataError for a line that is none, for a class that is unknown, missing, named twice, or has no share.
    """
    shares: dict[str, float] = {}
    for number, line in NamesFile(path).lines:
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
