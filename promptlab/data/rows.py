"""Rows that say what is in a picture, and which split it is of: what tables, shards and parquet files all come to."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from promptlab.data import names
from promptlab.data.captions import listed
from promptlab.errors import DataError
from promptlab.protocols import DataOptions
from promptlab.types import Classes

Label = str | int | None
Answer = Label | tuple[str | int, ...]  # what a row says: one label, or all that its picture shows
INDEX = re.compile(r"[0-9]{1,9}")  # more digits would be no class index, and overflow
LABELS = ("label", "class", "category", "name", "target", "y")
# In this order; eval and test are judged, and where neither or nothing else is there, the last of them is.
SPLITS = ("train", "tune", "val", "valid", "validation", "eval", "test")
JUDGED = {"eval", "test"}
SPLIT = re.compile(rf"(?<![a-z])({'|'.join(SPLITS)})(?![a-z])")
MOST_CELLS = 1 << 33  # pictures times classes, a byte each
MARKS = "|;"  # between the names of a cell
DECIDES = " decides: "  # in the note on what says which pictures are tuned on; `--split` drops it
VALIDATION = {"val", "valid", "validation"}


def split_in(*said: str) -> str:
    """The split that names of a file and of its folder hold as a word of its own, `train` in `cifar-train.0`; empty without one.

    Several that differ are joined by a plus: `parted` knows none of that name.
    """
    words = list(dict.fromkeys(word for name in said for word in SPLIT.findall(name.lower())))
    return words[0] if words and VALIDATION.issuperset(words) else "+".join(words)


def parted(what: str, found: Sequence[str]) -> tuple[dict[str, list[int]], tuple[str, ...]]:
    """({our split: its rows}, notes) of the split that each row names, or of none at all. `what` is what messages call that which names it.

    Raises DataError for a split that nobody knows, and where some rows have none.
    """
    there = set(found)
    if there == {""}:
        return {"all": list(range(len(found)))}, ()
    strange = sorted(there - set(SPLITS))
    if strange:
        raise DataError(
            f"{what} holds {strange[0]!r}; {', '.join(SPLITS)} are known.",
            "Rename it if it means something else." if strange[0] else "Give each row one, or none.",
        )
    if len(there) == 1:
        return {"all": list(range(len(found)))}, ()
    ordered = [name for name in SPLITS if name in there]
    judged = [name for name in ordered if name in JUDGED]
    if judged in ([], ordered):
        judged = ordered[-1:]
    tune = [name for name in ordered if name not in judged]
    note = f"{what}{DECIDES}{', '.join(tune)} to tune, {', '.join(judged)} to judge."
    parts = {part: [i for i, name in enumerate(found) if name in those] for part, those in (("tune", tune), ("eval", judged))}
    return parts, (note,)


def spread(where: str, shows: Sequence[Answer]) -> tuple[list[Answer], tuple[str, ...]]:
    """(rows of the column `labels` with the names that its texts list, notes). A text that is a JSON list of texts is that list; in others
    `|` stands between names, or `;`.

    Raises DataError for texts of both kinds, and where none was split while some look like lists of another kind.
    """
    cells = {one: listed(one) for one in shows if isinstance(one, str)}
    bare = [cell for cell, found in cells.items() if found is None]
    there = [mark for mark in MARKS if any(mark in cell for cell in bare)]
    hint = 'Write car|dog, or ["car", "dog"]; a name that holds such a sign as ["car, red"].'
    if len(there) > 1:
        raise DataError(f"The column `labels` of {where!r} has both `|` and `;` in its cells; one that separates names was expected.", hint)
    odd = next((cell for cell in bare if re.search(r"[\[{,]", cell)), None)
    if odd is not None and not there:
        raise DataError(f"The column `labels` of {where!r} holds {odd[:40]!r}, and no sign that separates names.", hint)
    note = tuple(f"In the column `labels` of {where!r} names are separated by `{mark}`." for mark in there)
    mark = there[0] if there else MARKS[0]
    names = {cell: cell.split(mark) if found is None else found for cell, found in cells.items()}
    made = {cell: tuple(name.strip() for name in row if name.strip()) for cell, row in names.items()}
    return [made[one] if isinstance(one, str) else one for one in shows], note


def labelled(
    where: str,
    found: Sequence[Answer],
    options: DataOptions,
    own: Classes | None = None,
    *,
    is_text: bool = False,
    captioned: bool = False,
) -> tuple[Classes, np.ndarray | None]:
    """(classes, labels): (N,) int, (N, C) bool where rows list theirs, None where no row has one. `own`: the classes that the data names
    itself, in label order. Without them numbers are indices into a names file, and names are sorted.

    is_text: whether the source cannot tell numbers from words. captioned: whether pictures have captions, and so need no classes.
    Raises DataError for labels that are neither, or may be both, and for a bare list of names beside `own`: matched by position it could
    shift labels unseen.
    """
    if any(isinstance(one, tuple) for one in found):
        return _listed(where, found, options, own, is_text)
    if captioned and own is None and not options.names and all(one in (None, "") for one in found):
        return Classes((), ()), None
    return _single(where, [one for one in found if not isinstance(one, tuple)], options, own, is_text)


def _listed(
    where: str, found: Sequence[Answer], options: DataOptions, own: Classes | None, is_text: bool
) -> tuple[Classes, np.ndarray | None]:
    """(classes, labels (N, C) bool) of rows that list theirs."""
    rows = [one for one in found if isinstance(one, tuple)]
    if len(rows) < len(found):
        bare = len(found) - len(rows)
        raise DataError(
            f"{bare} of {len(found)} rows of {where!r} list no labels where others do.", "An empty list says: none of the classes."
        )
    several = next((row for row in rows if len(set(row)) < len(row)), None)
    if several is not None:
        twice = next(label for label, count in Counter(several).items() if count > 1)
        raise DataError(
            f"A row of {where!r} lists the label {twice!r} twice.",
            "List the names or the indices of what a picture shows; vectors of 0 and 1 are read from .npz and .npy.",
        )
    classes, flat = _single(where, [label for row in rows for label in row], options, own, is_text)
    if len(rows) * len(classes) > MOST_CELLS:
        raise DataError(f"{where!r} lists labels of {len(rows):,} pictures and {len(classes):,} classes: too many to be kept.")
    labels = np.zeros((len(rows), len(classes)), bool)
    if flat is not None and flat.max(initial=-1) >= len(classes):
        raise DataError(
            f"Labels of {where!r} run to {flat.max()}; there are {len(classes)} classes.", "0 is the first name, C - 1 the last."
        )
    if flat is not None:
        labels[np.repeat(np.arange(len(rows)), [len(row) for row in rows]), flat] = True
    return classes, labels


def _single(
    where: str, found: Sequence[Label], options: DataOptions, own: Classes | None, is_text: bool
) -> tuple[Classes, np.ndarray | None]:
    """(classes, labels (N,), or None where no row has one) of rows that have one at most."""
    file = names.NamesFile(options.names) if options.names else None
    if own is not None and file is not None:
        if not file.pairs:
            raise DataError(
                f"{where!r} has class names of its own; a list of names would be matched to them by position.",
                "Leave --classes out, or write `name<TAB>new name` lines.",
            )
        own = file.joined(list(own.ids), "class")
    missing = sum(label is None or label == "" for label in found)
    if missing == len(found):
        if own is None and file is None:
            hint = "Give each picture one, or add --classes names.txt; captions go into a column `captions`."
            raise DataError(f"{where!r} has no labels, so the classes are unknown.", hint)
        return own or file.bare(), None  # type: ignore[union-attr]
    if missing:
        raise DataError(f"{missing} of {len(found)} rows of {where!r} have no label.", "Give each row one, or none.")
    said = [str(label) if isinstance(label, bool) or label is None else label for label in found]
    if own is None and file is not None and file.pairs:
        return indexed(where, said, file.joined(sorted({str(label) for label in said}), "label"))
    return _classed(where, said, own or (file.bare() if file else None), is_text)


def _classed(where: str, found: Sequence[str | int], given: Classes | None, is_text: bool) -> tuple[Classes, np.ndarray]:
    """(classes, labels (N,)) of rows that all have one."""
    words = {str(label) for label in found}
    if len({isinstance(label, str) for label in found}) > 1:
        raise DataError(f"The labels of {where!r} are numbers in some rows and words in others.", "Write all of them as one or the other.")
    odd = next((word for word in sorted(words) if not INDEX.fullmatch(word)), None)
    if odd is not None:
        if all(re.fullmatch(r"-?\d+(\.\d+)?", word) for word in words):
            raise DataError(f"The labels of {where!r} are numbers such as {odd[:40]}, and no indices.", "Write 0, 1, 2 or names.")
        return indexed(where, found, given or names.for_folders(sorted(words), ""))
    if given is None:
        raise DataError(f"The labels of {where!r} are numbers, and nothing names them.", "Add --classes names.txt, one name per line.")
    at = {name: i for i, name in enumerate(given.ids) if name in words and isinstance(found[0], str)}
    if at and not is_text:
        return indexed(where, found, given)  # words that look like numbers are names, if there are such names
    shifted = next((name for name, i in at.items() if i != int(name)), None)
    if shifted is not None:
        raise DataError(
            f"The label {shifted!r} in {where!r} may be the class that is called so, the {at[shifted] + 1}. of the names, "
            f"or the one that has this number, the {int(shifted) + 1}.",
            "Say which by `label<TAB>name` lines in --classes.",
        )
    return given, np.array([int(label) for label in found], np.int64)


def indexed(where: str, found: Sequence[Label], classes: Classes) -> tuple[Classes, np.ndarray]:
    """(classes, labels (N,)): each label as the index of its class. Raises DataError for a label that is no class."""
    index = {name: i for i, name in enumerate(classes.ids)}
    strange = next((label for label in found if str(label) not in index), None)
    if strange is not None:
        raise DataError(f"The label {strange!r} in {where!r} is no class that is named.", "Write `label<TAB>name` lines to rename labels.")
    return classes, np.array([index[str(label)] for label in found], np.int64)
