"""Few-shot splits: so many pictures of each class to train, and the same pictures to test for every k, so that figures can be compared.

Which pictures are drawn goes by a hash of the seed, the class and the picture's key: the same ones whatever the order of files, and
whatever other classes there are.
"""

import csv
import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from promptlab.errors import DataError, UsageError
from promptlab.store import written
from promptlab.types import Classes, Dataset, Images

SHOWN = 8  # classes with too few pictures that a message names


@dataclass(frozen=True, slots=True, eq=False)
class Shots:
    """One few-shot split of a dataset; no picture is in two of its parts."""

    seed: int
    """What it was drawn by."""
    k: int
    """How many pictures of each class are to train."""
    train: tuple[str, ...]
    """Keys, sorted; those of a smaller k of the same seed are among them."""
    val: tuple[str, ...]
    """Keys, sorted; the same for every k of one seed."""
    test: tuple[str, ...]
    """Keys, sorted; the same for every k of one seed."""
    file: str = ""
    """Where it was written; empty until it is."""


class Source(NamedTuple):
    """What is drawn from."""

    where: str  # as the user named it
    classes: Classes
    pool: dict[str, int]  # {key: class} of the pictures that may be drawn
    test: dict[str, int] | None  # those that are to test; None: all that are not drawn
    files: dict[str, str]  # {key: where the picture lies}; empty where pictures are no files


def source_of(dataset: Dataset, where: str) -> Source:
    """What can be drawn from a dataset: its tune part, where it brings one, and eval is to test; else all of it.

    Raises DataError for pictures without labels, or with several, and for a picture that is there twice: it could be in two parts.
    """
    parts: dict[str, dict[str, int]] = {"tune": {}, "eval": {}}
    files: dict[str, str] = {}
    keys = list[str]()
    for split, part in dataset.splits.items():
        if part.labels is None:
            raise DataError(f"{where!r} has no labels, so nothing can be drawn class by class.", "Give each picture one.")
        if part.labels.ndim == 2:
            raise DataError(f"{where!r} lists several labels for a picture, so none can be drawn for one class alone.")
        for key, label in zip(part.keys, part.labels.tolist(), strict=True):
            half = split if dataset.halves is None else dataset.halves.get(key, "")
            if half:
                keys.append(key)
                parts["eval" if half == "eval" else "tune"][key] = label
        if isinstance(part, Images) and "://" not in part.root:
            places = [part.place(i) for i in range(len(part))]
            files |= dict(zip(part.keys, places, strict=True)) if any(map(os.path.isfile, places)) else {}
    _check_once(where, keys, files)
    return Source(where, dataset.classes, parts["tune"], parts["eval"] or None, files)


def _check_once(where: str, keys: Sequence[str], files: Mapping[str, str]) -> None:
    """Raises DataError for a key that two pictures have, and for a file that two keys name."""
    twice = next((key for key, count in Counter(keys).items() if count > 1), None)
    if twice is not None:
        raise DataError(
            f"{where!r} calls two pictures {twice!r}, so drawn splits could not tell them apart.", "Give each a key of its own."
        )
    known: dict[str, str] = {}
    for key in keys:
        other = known.setdefault(os.path.realpath(files[key]), key) if key in files else key
        if other != key:
            raise DataError(
                f"{where!r} has one file as two pictures, {other!r} and {key!r}: it could be drawn twice.", "Remove one of them."
            )


def draw(source: Source, ks: Sequence[int], seed: int, val: int = 0, short: bool = False) -> list[Shots]:
    """A split for each k, fewest first: train nested, val and test the same for all. Of a class's pictures in the order of their hashes the
    first are to validate, so that they are the same whichever ks are asked for; then come those to train.

    short: classes with too few pictures give what they have, one at least to train and one to test; those without any are left out.
    Raises DataError for classes with too few, UsageError for ks that are none.
    """
    if not ks or min(ks) < 1 or val < 0:
        raise UsageError(f"k is {list(ks)} and val is {val}; numbers of pictures of each class, from 1 and from 0, were expected.")
    most, kept = max(ks), int(source.test is None)
    few = {c: n for c, n in _few(source, 1 + kept if short else most + val + kept).items() if n or not short}
    if few:
        named = ", ".join(f"{source.classes.ids[c]!r} {n}" for c, n in list(few.items())[:SHOWN])
        named += f" and {len(few) - SHOWN} more" * (len(few) > SHOWN)
        wanted = f"{most} to train" + f", {val} to validate" * (val > 0) + ", 1 to test" * kept
        hint = "Drop them." if short else "Draw fewer (--k), or take what there is: --short."
        raise DataError(f"Of {source.where!r} {_have(few)} fewer pictures than {wanted}: {named}.", hint)
    train: dict[int, list[str]] = {k: [] for k in sorted(set(ks))}
    held, rest = list[str](), list[str]()
    for c, keys in enumerate(_by_class(source)):
        ordered = sorted(keys, key=lambda key: (_mark(seed, source.classes.ids[c], key), key))
        end = len(ordered) - kept
        first = max(0, min(val, end - 1))
        for k, some in train.items():
            some += ordered[first : max(0, min(first + k, end))]
        held += ordered[:first]
        rest += ordered[min(first + most, end) :]
    test = tuple(sorted(rest if source.test is None else source.test))
    return [Shots(seed, k, tuple(sorted(some)), tuple(sorted(held)), test) for k, some in train.items()]


def _mark(seed: int, class_: str, key: str) -> bytes:
    return hashlib.sha256(json.dumps([seed, class_, key]).encode()).digest()


def _by_class(source: Source) -> list[list[str]]:
    """(C,) the keys of each class's pictures."""
    found: list[list[str]] = [[] for _ in source.classes.ids]
    for key, c in source.pool.items():
        found[c].append(key)
    return found


def _few(source: Source, least: int) -> dict[int, int]:
    """{class: its pictures} of the classes that have fewer."""
    return {c: len(keys) for c, keys in enumerate(_by_class(source)) if len(keys) < least}


def notes(source: Source, most: int, val: int) -> list[str]:
    """What whoever uses the splits should know."""
    few = _few(source, most + val + int(source.test is None))
    none = [c for c, n in few.items() if not n]
    few = {c: n for c, n in few.items() if n}
    said = []
    if source.test is not None:
        said.append("The data brings its own halves: pictures are drawn from the one to tune, and the one to judge is to test.")
    if none:
        left = "1 class has no picture and is" if len(none) == 1 else f"{len(none)} classes have no picture and are"
        said.append(f"{left} left out, e.g. {source.classes.ids[none[0]]!r}.")
    if few:
        first = source.classes.ids[min(few)]
        said.append(f"{_have(few)} too few pictures for the largest k: val and train get what there is, e.g. of {first!r}.")
    return said


def _have(few: dict[int, int]) -> str:
    return "1 class has" if len(few) == 1 else f"{len(few)} classes have"


def save(shots: Shots, source: Source, folder: Path, form: str) -> Shots:
    """The split as a file: `csv` with path, label and split, or `coop`, the JSON {part: [[path, label, class name], ...]}.

    In csv a path is relative to the folder where the picture lies below it, else absolute; where pictures are no files it is the key, as
    always in JSON, whose readers know the folder of pictures. Raises DataError for a name that is no text.
    """
    file = folder / f"seed{shots.seed}-{shots.k}shot.{'json' if form == 'coop' else 'csv'}"
    labels = source.pool | (source.test or {})
    parts = {"train": shots.train, "val": shots.val, "test": shots.test}
    odd = next((key for keys in parts.values() for key in keys if key.encode("utf-8", "replace").decode() != key), None)
    if odd is not None:
        raise DataError(f"The name of the picture {odd!r} is no text, so no file can hold it.", "Rename it.")
    with written(file, "w") as out:
        if form == "coop":
            rows = {part: [[key, labels[key], source.classes.titles[labels[key]]] for key in keys] for part, keys in parts.items()}
            json.dump(rows, out, ensure_ascii=False)
        else:
            table, root = csv.writer(out, lineterminator="\n"), os.path.realpath(folder)
            table.writerow(("path", "label", "split"))
            for part, keys in parts.items():
                table.writerows((_path(source.files.get(key, ""), key, root), source.classes.ids[labels[key]], part) for key in keys)
    return replace(shots, file=str(file))


def _path(lies: str, key: str, folder: str) -> str:
    """How a table in the folder names a picture."""
    if not lies:
        return key
    below = os.path.normpath(lies).removeprefix(folder.rstrip(os.sep) + os.sep)
    return below.replace(os.sep, "/")
