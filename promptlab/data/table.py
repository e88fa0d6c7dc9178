"""A table of pictures: csv, tsv, jsonl or parquet with a column of paths and, if there are any, columns of labels and of splits."""

import csv
import itertools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from promptlab.data import names
from promptlab.data.listing import read, stamp
from promptlab.errors import DataError
from promptlab.protocols import DataOptions
from promptlab.types import Classes, Dataset, Images

PATHS = ("path", "image", "image_path", "file", "filename", "filepath", "file_name")
INDEX = re.compile(r"[0-9]{1,9}")  # more digits would be no class index, and overflow
LABELS = ("label", "class", "category", "name", "target", "y")
SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
# In this order; eval and test are judged, and where neither or nothing else is there, the last of them is.
SPLITS = ("train", "tune", "val", "valid", "validation", "eval", "test")
JUDGED = {"eval", "test"}


class Row(NamedTuple):
    """A line of a table."""

    key: str  # the path as the table has it
    label: str | int | None
    split: str  # lower case; empty without one


class Table:
    """Pictures listed in a table; paths are relative to the table's folder."""

    name = "table"
    about = "csv, tsv, jsonl or parquet with the columns path, label and, if you like, split"
    example = "promptlab run pictures.csv"

    def claims(self, where: str) -> bool:
        """A file of one of the known endings."""
        return where.lower().endswith(SUFFIXES) and os.path.isfile(where)

    def open(self, where: str, options: DataOptions) -> Dataset:
        """The dataset. Labels are class names, or indices into --classes. Raises DataError that names file, line and column."""
        path = Path(where)
        rows = sorted(_rows(path), key=lambda row: row.key)
        if not rows:
            raise DataError(f"{where!r} lists no picture.")
        twice = next((a.key for a, b in itertools.pairwise(rows) if a.key == b.key), None)
        if twice is not None:
            raise DataError(f"{where!r} lists the picture {twice!r} more than once.", "Each picture may have one row.")
        classes, labels = _labelled(path, [row.label for row in rows], options)
        splits, notes = _splits(path, [row.split for row in rows])
        return Dataset(path.stem, classes, {name: _images(path, name, rows, labels, which) for name, which in splits.items()}, notes=notes)


def _images(path: Path, split: str, rows: list[Row], labels: np.ndarray | None, which: list[int]) -> Images:
    """Some rows of the table as a split."""
    keys = tuple(rows[i].key for i in which)
    files = [path.parent / key for key in keys]
    some = None if labels is None else labels[which]
    return Images(split, keys, tuple(map(stamp, files)), some, lambda i: read(files[i]), str(path.resolve()))


def _splits(path: Path, found: list[str]) -> tuple[dict[str, list[int]], tuple[str, ...]]:
    """({our split: its rows}, notes). Raises DataError for a split that nobody knows."""
    there = set(found)
    if there == {""}:
        return {"all": list(range(len(found)))}, ()
    strange = sorted(there - set(SPLITS))
    if strange:
        raise DataError(
            f"The column `split` of {str(path)!r} holds {strange[0]!r}; {', '.join(SPLITS)} are known.",
            "Rename the column if it means something else." if strange[0] else "Give each row one, or none.",
        )
    if len(there) == 1:
        return {"all": list(range(len(found)))}, ()
    ordered = [name for name in SPLITS if name in there]
    judged = [name for name in ordered if name in JUDGED]
    if judged in ([], ordered):
        judged = ordered[-1:]
    tune = [name for name in ordered if name not in judged]
    note = f"The table's column `split` decides: {', '.join(tune)} to tune, {', '.join(judged)} to judge."
    parts = {part: [i for i, name in enumerate(found) if name in those] for part, those in (("tune", tune), ("eval", judged))}
    return parts, (note,)


def _labelled(path: Path, found: list[str | int | None], options: DataOptions) -> tuple[Classes, np.ndarray | None]:
    """(classes, labels (N,)). Names are sorted where they come from the table alone."""
    file = names.NamesFile(options.names) if options.names else None
    missing = sum(label is None or label == "" for label in found)
    if missing == len(found):
        if file is None:
            raise DataError(
                f"{str(path)!r} has no labels, so the classes are unknown.", f"Add a column {LABELS[0]}, or --classes names.txt."
            )
        return file.bare(), None
    if missing:
        raise DataError(f"{missing} of {len(found)} rows of {str(path)!r} have no label.", "Give each row one, or none.")
    if file is not None and file.pairs:
        return _indexed(path, found, file.joined(sorted({str(label) for label in found}), "label"))
    given = file.bare() if file else None
    if all(INDEX.fullmatch(str(label)) for label in found):
        if given is None:
            raise DataError(
                f"The labels of {str(path)!r} are numbers, and nothing names them.", "Add --classes names.txt, one name per line."
            )
        return given, np.array([int(label) for label in found if label is not None], np.int64)
    odd = next(str(label) for label in found if not INDEX.fullmatch(str(label)))
    if all(re.fullmatch(r"-?\d+(\.\d+)?", str(label)) for label in found):
        raise DataError(f"The labels of {str(path)!r} are numbers such as {odd[:40]}, and no indices.", "Write 0, 1, 2 or names.")
    return _indexed(path, found, given or names.for_folders(sorted({str(label) for label in found}), ""))


def _indexed(path: Path, found: list[str | int | None], classes: Classes) -> tuple[Classes, np.ndarray]:
    """(classes, labels (N,)): each label as the index of its class. Raises DataError for a label that is no class."""
    index = {name: i for i, name in enumerate(classes.ids)}
    strange = next((label for label in found if str(label) not in index), None)
    if strange is not None:
        raise DataError(
            f"The label {strange!r} in {str(path)!r} is not in the names file.", "Write `label<TAB>name` lines to rename labels."
        )
    return classes, np.array([index[str(label)] for label in found], np.int64)


def _rows(path: Path) -> Iterator[Row]:
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            yield from _pairs(path, enumerate(_parquet(path), 1))
        elif suffix in (".jsonl", ".ndjson"):
            yield from _pairs(path, _jsonl(path))
        else:
            yield from _pairs(path, _csv(path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}.") from error


def _pairs(path: Path, lines: Iterator[tuple[int, Any]]) -> Iterator[Row]:
    """The rows of lines with columns, which go by their usual names."""
    for number, row in lines:
        if not isinstance(row, dict):
            raise DataError(f"Line {number} of {str(path)!r} is no object with columns.", 'Each line: {"path": ..., "label": ...}')
        by_name = {str(name).strip().lower(): value for name, value in row.items() if name is not None}
        key = next((by_name[name] for name in PATHS if by_name.get(name)), None)
        if not isinstance(key, str):
            other = len(by_name) == 1 and re.search(r"[;|\t]", next(iter(by_name)))
            raise DataError(
                f"Line {number} of {str(path)!r} has no path; its columns are {', '.join(map(str, by_name))}.",
                "Separate the columns by commas." if other else f"Name it {PATHS[0]!r}; csv and tsv begin with the header: path,label.",
            )
        if "\0" in key:
            raise DataError(f"Line {number} of {str(path)!r} has a path with a zero byte: {key[:60]!r}.", "No file is called so.")
        label = next((by_name[name] for name in LABELS if by_name.get(name) is not None), None)
        split = str(by_name.get("split") or "").strip().lower()
        yield Row(key, label if isinstance(label, int | str) or label is None else str(label), split)


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", restkey="", strict=True)
        for row in reader:
            width = len(reader.fieldnames or ())
            if "" in row or None in row.values():
                found = sum(v is not None for n, v in row.items() if n != "") + len(row.get("") or ())
                raise DataError(
                    f"Line {reader.line_num} of {str(path)!r} has {found} cells; {width} were expected.",
                    "Quote cells that hold the delimiter.",
                )
            yield reader.line_num, row


def _jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield number, json.loads(line)
                except (ValueError, RecursionError) as error:  # ValueError: no JSON, or a number of 5,000 digits
                    raise DataError(f"Line {number} of {str(path)!r} is no JSON: {getattr(error, 'msg', error)}.") from error


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise DataError("Parquet files need the package pyarrow.", "pip install pyarrow") from error
    try:
        file = parquet.ParquetFile(path)
        wanted = [name for name in file.schema_arrow.names if name.lower() in (*PATHS, *LABELS, "split")]
        for batch in file.iter_batches(columns=wanted):
            yield from batch.to_pylist()
    except ArrowException as error:
        raise DataError(f"{str(path)!r} is no parquet file: {error}.") from error
