"""A table of pictures: csv, tsv, jsonl or parquet with a column of paths and, if there are labels, a column of them."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from promptlab.data import names
from promptlab.data.listing import stamp
from promptlab.errors import DataError
from promptlab.protocols import DataOptions
from promptlab.types import Classes, Dataset, Images

PATHS = ("path", "image", "image_path", "file", "filename", "filepath", "file_name")
LABELS = ("label", "class", "category", "name", "target", "y")
SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
ROW = tuple[str, str | int | None]


class Table:
    """Pictures listed in a table; paths are relative to the table's folder."""

    name = "table"
    about = "csv, tsv, jsonl or parquet with the columns path and label"
    example = "promptlab run pictures.csv"

    def claims(self, where: str) -> bool:
        """A file of one of the known endings."""
        return Path(where).suffix.lower() in SUFFIXES and Path(where).is_file()

    def open(self, where: str, options: DataOptions) -> Dataset:
        """The dataset. Labels are class names, or indices into --classes. Raises DataError that names file, line and column."""
        path = Path(where)
        rows = list(_rows(path))
        if not rows:
            raise DataError(f"{where!r} lists no picture.")
        keys = [key for key, _ in rows]
        if len(set(keys)) != len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise DataError(f"{where!r} lists the picture {twice!r} more than once.", "Each picture may have one row.")
        rows.sort(key=lambda row: row[0])
        classes, labels = _labelled(path, [label for _, label in rows], options)
        files = [path.parent / key for key, _ in rows]
        images = Images(
            "all", tuple(k for k, _ in rows), tuple(map(stamp, files)), labels, lambda i: files[i].read_bytes(), str(path.resolve())
        )
        return Dataset(path.stem, classes, {"all": images})


def _labelled(path: Path, found: list[str | int | None], options: DataOptions) -> tuple[Classes, np.ndarray | None]:
    """(classes, labels (N,)). Names are sorted where they come from the table alone."""
    given = names.bare_list(options.names) if options.names else None
    missing = sum(label is None or label == "" for label in found)
    if missing == len(found):
        if given is None:
            raise DataError(
                f"{str(path)!r} has no labels, so the classes are unknown.", f"Add a column {LABELS[0]}, or --classes names.txt."
            )
        return given, None
    if missing:
        raise DataError(f"{missing} of {len(found)} rows of {str(path)!r} have no label.", "Give each row one, or none.")
    if all(str(label).isdecimal() for label in found):
        if given is None:
            raise DataError(
                f"The labels of {str(path)!r} are numbers, and nothing names them.", "Add --classes names.txt, one name per line."
            )
        return given, np.array([int(label) for label in found if label is not None], np.int64)
    if all(re.fullmatch(r"-?\d+(\.\d+)?", str(label)) for label in found):
        raise DataError(f"The labels of {str(path)!r} are numbers such as {found[0]}, and no indices.", "Write 0, 1, 2 or names.")
    ids = list(given.ids) if given else sorted({str(label) for label in found})
    strange = next((label for label in found if str(label) not in ids), None)
    if strange is not None:
        raise DataError(f"The label {strange!r} in {str(path)!r} is not in {options.names!r}.")
    index = {name: i for i, name in enumerate(ids)}
    made = given or Classes(tuple(ids), tuple((names.from_folder(i),) for i in ids))
    return made, np.array([index[str(label)] for label in found], np.int64)


def _rows(path: Path) -> Iterator[ROW]:
    try:
        if path.suffix == ".parquet":
            yield from _pairs(path, enumerate(_parquet(path), 1))
        elif path.suffix in (".jsonl", ".ndjson"):
            yield from _pairs(path, _jsonl(path))
        else:
            yield from _pairs(path, _csv(path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}.") from error


def _pairs(path: Path, lines: Iterator[tuple[int, Any]]) -> Iterator[ROW]:
    """(path, label) of each line; columns go by their usual names."""
    for number, row in lines:
        if not isinstance(row, dict):
            raise DataError(f"Line {number} of {str(path)!r} is no object with columns.", 'Each line: {"path": ..., "label": ...}')
        by_name = {str(name).strip().lower(): value for name, value in row.items() if name is not None}
        key = next((by_name[name] for name in PATHS if by_name.get(name)), None)
        if not isinstance(key, str):
            raise DataError(
                f"Line {number} of {str(path)!r} has no path; its columns are {', '.join(map(str, by_name))}.", f"Name it {PATHS[0]!r}."
            )
        label = next((by_name[name] for name in LABELS if by_name.get(name) is not None), None)
        yield key, label if isinstance(label, int | str) or label is None else str(label)


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",", restkey="", strict=True)
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
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield number, json.loads(line)
                except json.JSONDecodeError as error:
                    raise DataError(f"Line {number} of {str(path)!r} is no JSON: {error.msg}.") from error


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise DataError("Parquet files need the package pyarrow.", "pip install pyarrow") from error
    try:
        file = parquet.ParquetFile(path)
        wanted = [name for name in file.schema_arrow.names if name.lower() in PATHS + LABELS]
        for batch in file.iter_batches(columns=wanted):
            yield from batch.to_pylist()
    except ArrowException as error:
        raise DataError(f"{str(path)!r} is no parquet file: {error}.") from error
