"""Parquet files that hold the pictures themselves, in Hugging Face's layout: `image` {bytes, path} and a column of labels."""

import json
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np

from promptlab.data.parquetfiles import left_out, ways, whole
from promptlab.data.parquetrows import Columns, Part, Reader, groups_of, opened
from promptlab.data.places import Place, place
from promptlab.data.rows import LABELS, Label, labelled, parted
from promptlab.errors import DataError, PromptlabError
from promptlab.protocols import DataOptions
from promptlab.types import Classes, Dataset, Images

PICTURES = ("image", "img", "picture", "png", "jpg", "jpeg", "webp")
LONGEST = 1 << 12  # bytes of a label
NONE = -1  # Hugging Face's label of what has none


class ImageParquet:
    """Parquet files with pictures as bytes: one, or a folder of them, split by their names."""

    name = "parquet"
    about = "parquet with pictures as bytes (Hugging Face's layout): a file, or a folder with train-00000-of-00002.parquet, ..."
    example = "promptlab run cifar10/"

    def claims(self, where: str) -> bool:
        """A parquet file with a column of pictures, or a folder that holds such files; their schema alone is read."""
        try:
            first = [files[0].place for files in ways(where).values()]
            return bool(first) and (not _is_installed() or any(_has_pictures(file, where) for file in first))
        except (OSError, PromptlabError):
            return False  # the image folder says what is wrong with a place

    def open(self, where: str, options: DataOptions) -> Dataset:
        """The dataset; pictures are read when they are needed. Raises DataError for files that are broken, missing or do not agree."""
        if not _is_installed():
            raise DataError("Parquet files need the package pyarrow.", "pip install pyarrow")
        files = whole(where)
        columns = _columns(files[0].place)
        parts, found = [], list[Label]()
        for key, file, split in files:
            if _columns(file) != columns:
                raise DataError(f"{file.text!r} has other columns or class names than {files[0].place.text!r}.", "Name one of them.")
            stamp = file.status().stamp
            groups, labels = _labels(file, columns)
            parts.append(Part(key, file, split, stamp, groups))
            found += labels
        if not found:
            raise DataError(f"{where!r} holds no row.")
        parts, found, bare = _without_bare(parts, found)
        own = Classes.of(columns.names) if columns.names else None
        classes, numbers = labelled(where, found, options, own)
        splits, notes = parted(f"The name of each file of {where!r}", [part.split for part in parts for _ in range(part.rows)])
        root, reader = place(where).root, Reader(parts, columns)
        made = {name: _images(name, root, reader, numbers, rows) for name, rows in splits.items()}
        aside = left_out(where, files)
        if aside:
            bare.append(f"The folders {', '.join(aside)} hold parquet files, but no split is called so, and are left out.")
        return Dataset(place(where).name.removesuffix(".parquet"), classes, made, notes=(*notes, *bare))


def _is_installed() -> bool:
    from importlib.util import find_spec

    return find_spec("pyarrow") is not None


class _Schema(NamedTuple):
    kinds: dict[str, Any]  # {column: its arrow type}
    features: dict[str, dict[str, Any]]  # {column: what Hugging Face's note says of it}; empty where there is none

    @property
    def pictures(self) -> dict[str, bool]:
        """{column of pictures: whether they are structs with a field `bytes`}."""
        import pyarrow as pa

        found: dict[str, bool] = {}
        for name, kind in self.kinds.items():
            if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
                found |= {name: True} if _is_binary(kind.field("bytes").type) else {}
            elif _is_binary(kind) and (name.lower() in PICTURES or self.features.get(name, {}).get("_type") == "Image"):
                found[name] = False
        return found

    @property
    def labels(self) -> list[str]:
        """Columns that go by the name of labels, or are said to hold them; of numbers or words."""
        import pyarrow as pa

        fits = (pa.types.is_integer, pa.types.is_string, pa.types.is_large_string, pa.types.is_dictionary)
        return [
            name
            for name, kind in self.kinds.items()
            if any(fit(kind) for fit in fits)
            and (name.lower() in LABELS or name.lower().endswith("label") or self.features.get(name, {}).get("_type") == "ClassLabel")
        ]


def _schema(file: Place) -> _Schema:
    with opened(file) as found:
        schema = found.schema_arrow
        return _Schema(dict(zip(schema.names, schema.types, strict=True)), _features(schema.metadata))


def _has_pictures(file: Place, where: str) -> bool:
    try:
        return bool(_schema(file).pictures)
    except DataError:
        return file.text != where  # the table says what is wrong with a file alone


def _columns(file: Place) -> Columns:
    """What of the file is read. Raises DataError where there is no picture, or several columns of a kind of which none is obvious."""
    schema = _schema(file)
    picture = _obvious(file, "pictures", list(schema.pictures), PICTURES)
    if not picture:
        raise DataError(f"{file.text!r} has no column of pictures.", f"Call it {PICTURES[0]!r}.")
    label = _obvious(file, "labels", schema.labels, LABELS)
    said = schema.features.get(label, {}).get("names")
    named = tuple(said) if isinstance(said, list) and all(isinstance(name, str) for name in said) else ()
    return Columns(picture, schema.pictures[picture], label, named)


def _features(metadata: dict[bytes, bytes] | None) -> dict[str, dict[str, Any]]:
    """{column: what Hugging Face's note in the schema says of it}; empty where there is none."""
    try:
        found = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return {name: about for name, about in found.items() if isinstance(about, dict)} if isinstance(found, dict) else {}


def _is_binary(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _obvious(file: Place, what: str, found: list[str], usual: tuple[str, ...]) -> str:
    """The column that is meant: the one alone, or the one of the most usual name; empty where there is none."""
    if len(found) < 2:
        return "".join(found)
    first = next((name for word in usual for name in found if name.lower() == word), None)
    if first is None:
        raise DataError(f"{file.text!r} has several columns of {what}: {', '.join(found)}.", f"Call the one that is meant {usual[0]!r}.")
    return first


def _labels(file: Place, columns: Columns) -> tuple[tuple[tuple[int, int], ...], list[Label]]:
    """((rows, bytes) of each row group, labels of all rows). -1 is what Hugging Face gives to pictures without a label."""
    found: list[Any] = []
    with opened(file, columns.label) as raw:
        groups = groups_of(file, raw.metadata)
        rows = sum(rows for rows, _ in groups)
        if not columns.label:
            return groups, [None] * rows
        for number in range(len(groups)):
            for chunk in raw.read_row_group(number, [columns.label], use_threads=False).column(0).chunks:
                found += _words(file, chunk)
    if len(found) != rows:
        raise DataError(f"{file.text!r} has {len(found)} labels for {rows} rows.")
    odd = next((one for one in found if one is not None and not isinstance(one, int | str)), None)
    if odd is not None:
        raise DataError(f"The column {columns.label!r} of {file.text!r} holds {str(odd)[:40]!r}; numbers or names were expected.")
    return groups, [None if one == NONE else one for one in found]


def _words(file: Place, chunk: Any) -> list[Any]:
    """The labels of some rows. A word that many rows share is in memory once. Raises DataError for one that is too long."""
    import pyarrow as pa
    from pyarrow import compute

    if not pa.types.is_dictionary(chunk.type):
        return list(chunk.to_pylist())
    chunk.validate(full=True)  # of a damaged file, indices may lie outside the dictionary
    words = chunk.dictionary
    if not pa.types.is_integer(words.type) and (compute.max(compute.binary_length(words)).as_py() or 0) > LONGEST:
        raise DataError(f"{file.text!r} has a label of more than {LONGEST:,} bytes.")
    known = words.to_pylist()
    return [None if i is None else known[i] for i in chunk.indices.to_pylist()]


def _without_bare(parts: list[Part], found: list[Label]) -> tuple[list[Part], list[Label], list[str]]:
    """(files, labels, notes) without the splits that have no label where others have: a test set whose labels are kept back."""
    bounds = pairwise(accumulate((part.rows for part in parts), initial=0))
    labels = {part.key: found[start:end] for part, (start, end) in zip(parts, bounds, strict=True)}
    known = {part.split for part in parts if any(label is not None for label in labels[part.key])}
    bare = sorted({part.split for part in parts} - known)
    if not known or not bare:
        return parts, found, []
    kept = [part for part in parts if part.split in known]
    note = f"The files of {', '.join(bare)} have no labels and are left out."
    return kept, [label for part in kept for label in labels[part.key]], [note]


def _images(split: str, root: str, reader: Reader, labels: np.ndarray | None, rows: list[int]) -> Images:
    """Some rows as a split."""
    named = sorted((*reader.name(row), row) for row in rows)
    ordered = [row for *_, row in named]
    keys, stamps = tuple(key for key, *_ in named), tuple(stamp for _, stamp, _ in named)
    return Images(split, keys, stamps, None if labels is None else labels[ordered], lambda i: reader.read(ordered[i]), root)
