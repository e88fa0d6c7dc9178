"""A table of pictures: csv, tsv, jsonl or parquet with a column of paths and, if there are any, columns of labels and of splits."""

import csv
import itertools
import json
import os
import re
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from promptlab.data.listing import fetched, read, stamp
from promptlab.data.places import Place, Remote, bare, is_url, place
from promptlab.data.rows import LABELS, labelled, parted
from promptlab.errors import DataError
from promptlab.protocols import DataOptions
from promptlab.types import Dataset, Images

PATHS = ("path", "image", "image_path", "file", "filename", "filepath", "file_name")
SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
TEXT = (".csv", ".tsv")  # numbers are words in them


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
        """A file of one of the known endings, or a URL."""
        return bare(where).lower().endswith(SUFFIXES) and (is_url(where) or os.path.isfile(where))

    def open(self, where: str, options: DataOptions) -> Dataset:
        """The dataset. Labels are class names, or indices into --classes. Raises DataError that names file, line and column."""
        here = place(where)
        rows = sorted(_rows(here), key=lambda row: row.key)
        if not rows:
            raise DataError(f"{where!r} lists no picture.")
        twice = next((a.key for a, b in itertools.pairwise(rows) if a.key == b.key), None)
        if twice is not None:
            raise DataError(f"{where!r} lists the picture {twice!r} more than once.", "Each picture may have one row.")
        classes, labels = labelled(where, [row.label for row in rows], options, is_text=Path(here.name).suffix.lower() in TEXT)
        splits, notes = parted(f"The column `split` of {where!r}", [row.split for row in rows])
        return Dataset(
            Path(here.name).stem, classes, {name: _images(here, name, rows, labels, which) for name, which in splits.items()}, notes=notes
        )


def _images(here: Place, split: str, rows: list[Row], labels: np.ndarray | None, which: list[int]) -> Images:
    """Some rows of the table as a split."""
    keys = tuple(rows[i].key for i in which)
    some = None if labels is None else labels[which]
    if isinstance(here, Remote):
        return Images(split, keys, _stamps(here, keys), some, lambda i: fetched(here.parent / keys[i]), here.root)
    files = [Path(here.text).parent / key for key in keys]
    return Images(split, keys, tuple(map(stamp, files)), some, lambda i: read(files[i]), here.root)


def _stamps(here: Remote, keys: tuple[str, ...]) -> tuple[str, ...]:
    """Those of pictures beside a table behind a URL; the table's own where its folder cannot be listed."""
    if not here.lists:
        return (here.status().stamp,) * len(keys)
    there = dict(here.parent.files())
    return tuple(there[key].stamp if key in there else "missing" for key in keys)


def _rows(path: Place) -> Iterator[Row]:
    suffix = Path(path.name).suffix.lower()
    try:
        if suffix == ".parquet":
            yield from _pairs(path, enumerate(_parquet(path), 1))
        elif suffix in (".jsonl", ".ndjson"):
            yield from _pairs(path, _jsonl(path))
        else:
            yield from _pairs(path, _csv(path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path.text!r} cannot be read: {error}.") from error


def _pairs(path: Place, lines: Iterator[tuple[int, Any]]) -> Iterator[Row]:
    """The rows of lines with columns, which go by their usual names."""
    for number, row in lines:
        if not isinstance(row, dict):
            raise DataError(f"Line {number} of {path.text!r} is no object with columns.", 'Each line: {"path": ..., "label": ...}')
        by_name = {str(name).strip().lower(): value for name, value in row.items() if name is not None}
        key = next((by_name[name] for name in PATHS if by_name.get(name)), None)
        if not isinstance(key, str):
            other = len(by_name) == 1 and re.search(r"[;|\t]", next(iter(by_name)))
            raise DataError(
                f"Line {number} of {path.text!r} has no path; its columns are {', '.join(map(str, by_name))}.",
                "Separate the columns by commas." if other else f"Name it {PATHS[0]!r}; csv and tsv begin with the header: path,label.",
            )
        if "\0" in key:
            raise DataError(f"Line {number} of {path.text!r} has a path with a zero byte: {key[:60]!r}.", "No file is called so.")
        label = next((by_name[name] for name in LABELS if by_name.get(name) is not None), None)
        split = str(by_name.get("split") or "").strip().lower()
        yield Row(key, label if isinstance(label, int | str) or label is None else str(label), split)


def _csv(path: Place) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.opened() as raw, TextIOWrapper(raw, "utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t" if Path(path.name).suffix.lower() == ".tsv" else ",", restkey="", strict=True)
        for row in reader:
            width = len(reader.fieldnames or ())
            if "" in row or None in row.values():
                found = sum(v is not None for n, v in row.items() if n != "") + len(row.get("") or ())
                raise DataError(
                    f"Line {reader.line_num} of {path.text!r} has {found} cells; {width} were expected.",
                    "Quote cells that hold the delimiter.",
                )
            yield reader.line_num, row


def _jsonl(path: Place) -> Iterator[tuple[int, Any]]:
    with path.opened() as raw, TextIOWrapper(raw, "utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield number, json.loads(line)
                except (ValueError, RecursionError) as error:  # ValueError: no JSON, or a number of 5,000 digits
                    raise DataError(f"Line {number} of {path.text!r} is no JSON: {getattr(error, 'msg', error)}.") from error


def _parquet(path: Place) -> Iterator[dict[str, Any]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise DataError("Parquet files need the package pyarrow.", "pip install pyarrow") from error
    try:
        with path.opened() as raw:
            file = parquet.ParquetFile(raw)
            wanted = [name for name in file.schema_arrow.names if name.lower() in (*PATHS, *LABELS, "split")]
            for batch in file.iter_batches(columns=wanted):
                yield from batch.to_pylist()
    except ArrowException as error:
        raise DataError(f"{path.text!r} is no parquet file: {error}.") from error
