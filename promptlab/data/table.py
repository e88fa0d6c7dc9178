"""A table of pictures: csv, tsv, jsonl or parquet with a column of paths and, if there are any, of labels, captions and splits."""

import csv
import itertools
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from promptlab.data.captions import CAPTIONS, DISTRACTORS, UNLABELLED, Texts, checked, column, distractors_in, listed, texts
from promptlab.data.listing import fetched, read, stamp
from promptlab.data.places import Place, Remote, bare, is_url, place
from promptlab.data.rows import LABELS, Answer, labelled, parted, spread
from promptlab.errors import DataError
from promptlab.protocols import DataOptions
from promptlab.types import Dataset, Images

PATHS = ("path", "image", "image_path", "file", "filename", "filepath", "file_name")
SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
TEXT = (".csv", ".tsv")  # numbers are words in them
LISTS = "labels"  # the column of all that a picture shows
KNOWN = (*PATHS, *LABELS, LISTS, *CAPTIONS, UNLABELLED, *DISTRACTORS, "split")


class Row(NamedTuple):
    """A picture of a table."""

    key: str  # the path as the table has it
    where: str  # which line of which file
    label: Answer
    split: str  # lower case; empty without one
    captions: Texts
    distractors: Texts
    is_own: bool  # whether its label is of the column `label`, and not empty
    shows: Answer  # of the column `labels`: a list, or a text that may hold several; None without it
    is_captioned: bool  # whether there is a column of captions, which may be empty


class Table:
    """Pictures listed in a table; paths are relative to the table's folder."""

    name = "table"
    about = "csv, tsv, jsonl or parquet with the columns path, label (or labels, captions) and, if you like, split"
    example = "promptlab run pictures.csv"

    def claims(self, where: str) -> bool:
        """A file of one of the known endings, or a URL."""
        return bare(where).lower().endswith(SUFFIXES) and (is_url(where) or os.path.isfile(where))

    def open(self, where: str, options: DataOptions) -> Dataset:
        """The dataset. Labels are class names, or indices into --classes. Raises DataError that names file, line and column."""
        here = place(where)
        rows = _joined(where, sorted(rows_of(here), key=lambda row: row.key))
        if not rows:
            raise DataError(f"{where!r} lists no picture.")
        captions, distractors = checked([(row.where, row.captions, row.distractors) for row in rows])
        answers, said = _answers(where, rows)
        if captions is None and any(row.is_captioned for row in rows) and not options.names and all(one in (None, "") for one in answers):
            raise DataError(f"The captions of {where!r} are empty in all rows, and there are no labels.", "Give each picture a caption.")
        is_text = _is_text(here)
        classes, labels = labelled(where, answers, options, is_text=is_text, captioned=captions is not None)
        splits, notes = parted(f"The column `split` of {where!r}", [row.split for row in rows])

        def part(split: str, which: list[int]) -> Images:
            made = _images(here, split, [rows[i] for i in which], None if labels is None else labels[which])
            right, wrong = (None if texts is None else tuple(texts[i] for i in which) for texts in (captions, distractors))
            return replace(made, captions=right, distractors=wrong)

        return Dataset(Path(here.name).stem, classes, {name: part(name, which) for name, which in splits.items()}, notes=(*said, *notes))


def _joined(where: str, rows: list[Row]) -> list[Row]:
    """The rows, sorted by key, with those of one picture, a caption each, as one row. Raises DataError for others of one picture."""
    joined: list[Row] = []
    for _, group in itertools.groupby(rows, key=lambda row: row.key):
        first, *others = same = list(group)
        if others and not all(row.captions for row in same):
            said = f"{where!r} lists the picture {first.key!r} more than once."
            raise DataError(said, "Each picture may have one row, or one for each caption.")
        odd = next((row for row in others if (row.label, row.shows, row.split) != (first.label, first.shows, first.split)), None)
        if odd is not None:
            other = "split" if (odd.label, odd.shows) == (first.label, first.shows) else "label"
            said = f"{odd.where} gives {odd.key!r} another {other} than {first.where}."
            raise DataError(said, "One picture has one, whatever is said of it.")
        right = tuple(text for row in same for text in row.captions)
        wrong = tuple(dict.fromkeys(text for row in same for text in row.distractors))
        joined.append(first._replace(captions=right, distractors=wrong))
    return joined


def _is_text(path: Place) -> bool:
    return Path(path.name).suffix.lower() in TEXT


def _answers(where: str, rows: list[Row]) -> tuple[list[Answer], tuple[str, ...]]:
    """(what each row says is in its picture, notes). A column `label` that is not empty goes before `labels`, other columns do not."""
    own, shows = any(row.is_own for row in rows), any(row.shows not in (None, "", ()) for row in rows)
    if own or not (shows or all(row.label in (None, "") for row in rows)) or all(row.shows is None for row in rows):
        both = f"{where!r} has the columns `label` and `labels`; `label` is read, one class a picture."
        return [row.label for row in rows], (both,) * (own and shows)
    return spread(where, [row.shows for row in rows])


def _images(here: Place, split: str, rows: list[Row], labels: np.ndarray | None) -> Images:
    """Some rows of the table as a split."""
    keys = tuple(row.key for row in rows)
    if isinstance(here, Remote):
        return Images(split, keys, _stamps(here, keys), labels, lambda i: fetched(here.parent / keys[i]), here.root)
    files = [Path(here.text).parent / key for key in keys]
    root = str(Path(here.text).parent.resolve() / here.name)  # of a link to a table: pictures lie beside the link
    return Images(split, keys, tuple(map(stamp, files)), labels, lambda i: read(files[i]), root, files=True)


def _stamps(here: Remote, keys: tuple[str, ...]) -> tuple[str, ...]:
    """Those of pictures beside a table behind a URL; the table's own where its folder cannot be listed."""
    if not here.lists:
        return (here.status().stamp,) * len(keys)
    there = dict(here.parent.files())
    return tuple(there[key].stamp if key in there else "missing" for key in keys)


def rows_of(path: Place) -> Iterator[Row]:
    """Its lines as rows, in its order. Raises DataError that names file and line."""
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
        where = f"Line {number} of {path.text!r}"
        shows = by_name.get(LISTS)
        of_captions = column(by_name, not by_name.keys().isdisjoint((*LABELS, LISTS)))
        said, wrong = by_name.get(of_captions), distractors_in(by_name)
        if _is_text(path):
            said, wrong = (cell if listed(cell) is None else listed(cell) for cell in (said, wrong))
        yield Row(
            key,
            where,
            _checked(where, next((by_name[name] for name in LABELS if by_name.get(name) is not None), None)),
            str(by_name.get("split") or "").strip().lower(),
            texts(where, "captions", said),
            texts(where, "distractors", wrong),
            by_name.get(LABELS[0]) not in (None, ""),
            _checked(where, shows if isinstance(shows, str | list) or shows is None else [shows]),
            bool(of_captions),
        )


def _checked(where: str, said: Any) -> Answer:
    """A label, or a list of them, as a tuple. Raises DataError for a list of anything else."""
    if not isinstance(said, list):
        return said if isinstance(said, int | str) or said is None else str(said)
    odd = next((one for one in said if isinstance(one, bool) or not isinstance(one, int | str) or one == ""), None)
    if odd is not None or None in said:
        raise DataError(f"{where} lists {str(odd)[:40]!r} among its labels.", "Names, or indices into --classes, were expected.")
    return tuple(said)


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
            wanted = [name for name in file.schema_arrow.names if name.lower() in KNOWN]
            for batch in file.iter_batches(columns=wanted):
                yield from batch.to_pylist()
    except ArrowException as error:
        raise DataError(f"{path.text!r} is no parquet file: {error}.") from error
