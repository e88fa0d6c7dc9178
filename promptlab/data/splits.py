"""A file that says which pictures are tuned on and which are judged: rows of `path` and `split`.

A path is what the data calls a picture, or says where it lies: relative to the file's folder, as in a table, or absolute.
"""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

import numpy as np

from promptlab.data.places import place
from promptlab.data.rows import DECIDES, parted
from promptlab.data.table import Row, rows_of
from promptlab.display import many
from promptlab.errors import DataError
from promptlab.types import Dataset, Features, Images


def split_by(dataset: Dataset, path: str) -> Dataset:
    """The dataset with the halves that a file says, which its notes tell. Its pictures stay all there, so that what is encoded serves any
    file. Raises DataError for a picture that the data does not have, and where nothing is left to tune on or to judge.
    """
    rows = list(rows_of(place(path)))
    if not rows:
        raise DataError(f"The split file {path!r} names no picture.")
    parts, notes = parted(f"The split file {path!r}", [row.split for row in rows])
    if "all" in parts:
        raise DataError(f"The split file {path!r} names one split alone, or none.", "Two are needed: train to tune, test to judge.")
    keys = _keys(dataset, rows, path)
    twice = next((key for key, count in Counter(keys).items() if count > 1), None)
    if twice is not None:
        raise DataError(f"The split file {path!r} names the picture {twice!r} more than once.", "Each picture may be of one split.")
    halves = {keys[i]: half for half, which in parts.items() for i in which}
    more = _labels_agree(dataset, rows, keys)
    left = sum(len(part.keys) for part in dataset.splits.values()) - len(halves)
    more += (f"{many(left, 'picture')} that the split file does not name {'is' if left == 1 else 'are'} left out.",) * (left > 0)
    own = tuple(note for note in dataset.notes if DECIDES not in note)  # of splits that no longer count
    return replace(dataset, halves=halves, notes=(*own, *notes, *more))


def _labels_agree(dataset: Dataset, rows: list[Row], keys: list[str]) -> tuple[str, ...]:
    """Notes on the labels of the file. Raises DataError for one that is another class of the data than the picture's own."""
    index = {name: c for c, name in enumerate(dataset.classes.ids)}
    own = {key: c for part in dataset.splits.values() if part.labels is not None and part.labels.ndim == 1 for key, c in _numbered(part)}
    said = [(row, key) for row, key in zip(rows, keys, strict=True) if row.label not in (None, "", ()) and key in own]
    for row, key in said:
        if index.get(str(row.label), own[key]) != own[key]:
            name = dataset.classes.ids[own[key]]
            raise DataError(f"{row.where} says that {key!r} is {str(row.label)[:40]!r}; the data says {name!r}.", "Which one is right?")
    strange = next((row for row, _ in said if str(row.label) not in index), None)
    if strange is None:
        return ()
    return (f"Labels of the split file, such as {str(strange.label)[:40]!r}, are no classes of the data, and are not looked at.",)


def _numbered(part: Images | Features) -> Iterator[tuple[str, int]]:
    assert part.labels is not None  # asked of such parts alone
    return zip(part.keys, part.labels.tolist(), strict=True)


def _keys(dataset: Dataset, rows: list[Row], path: str) -> list[str]:
    """What the data calls the picture of each row."""
    known = Counter(key for part in dataset.splits.values() for key in part.keys)
    lying: dict[str, str] = {}  # {where a picture lies: its key}
    if any(row.key not in known for row in rows):
        for how in (os.path.realpath, os.path.abspath):  # the latter counts where a file has two names
            lying |= {_plain(part.place(i), how): key for part in _pictures(dataset) for i, key in enumerate(part.keys)}
    folder = place(path).parent.text
    found = [_key(row.key, known, lying, folder) for row in rows]
    strange = [row for row, key in zip(rows, found, strict=True) if not key]
    if strange:
        first = next(iter(known))
        raise DataError(
            f"{strange[0].where} names the picture {strange[0].key!r}, which the data does not have"
            + f" ({len(strange)} rows name such)" * (len(strange) > 1)
            + ".",
            f"It calls its pictures such as {first!r}.",
        )
    both = next((key for key in found if known[key] > 1), None)
    if both is not None:
        raise DataError(f"The data calls two pictures {both!r}, so the split file {path!r} does not say which is meant.")
    return found


def _key(said: str, known: Collection[str], lying: Mapping[str, str], folder: str) -> str:
    """The key of a picture that is named by it, or by where it lies; empty where the data has no such picture."""
    if said in known:
        return said
    plain = os.path.normpath(said)
    ways = (said, *(how(os.path.join(folder, said)) for how in (os.path.abspath, os.path.realpath)))
    return plain if plain in known else next((lying[way] for way in ways if way in lying), "")


def _pictures(dataset: Dataset) -> list[Images]:
    return [part for part in dataset.splits.values() if isinstance(part, Images)]


def _plain(where: str, how: Callable[[str], str]) -> str:
    return where if "://" in where else how(where)


def taken(features: Mapping[str, Features], halves: Mapping[str, str]) -> dict[str, Features]:
    """The features of each half, of whichever split of the data. Raises DataError where one has no picture that can be used."""
    made = {}
    for half in ("tune", "eval"):
        parts = []
        for part in features.values():
            rows = np.array([i for i, key in enumerate(part.keys) if halves.get(key) == half], np.int64)
            lost = tuple(one for one in part.skipped if halves.get(one[0]) == half)
            parts += [replace(part.take(rows, half), skipped=lost)] if len(rows) else []
        if not parts:
            raise DataError(f"No picture of the half {half!r} can be used.")
        made[half] = parts[0] if len(parts) == 1 else _joined(parts)
    return made


def _joined(parts: list[Features]) -> Features:
    """Parts of one half as one."""
    labels = [part.labels for part in parts if part.labels is not None]
    if len(labels) not in (0, len(parts)):
        raise DataError("The split file joins pictures that have labels with pictures that have none.", "Name those of one kind.")
    keys = tuple(key for part in parts for key in part.keys)
    joined = np.concatenate(labels) if labels else None
    skipped = tuple(one for part in parts for one in part.skipped)
    return Features(np.concatenate([part.x[:] for part in parts]), keys, joined, parts[0].split, parts[0].encoder, skipped)
