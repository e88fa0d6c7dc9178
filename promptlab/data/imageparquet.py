"""Parquet files that hold the pictures themselves, in Hugging Face's layout: `image` {bytes, path} and a column of labels."""

import json
import re
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate, pairwise
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from promptlab.data.listing import LARGEST
from promptlab.data.places import Place, place
from promptlab.data.rows import LABELS, SPLITS, Label, labelled, parted
from promptlab.errors import DataError, PromptlabError
from promptlab.protocols import DataOptions
from promptlab.types import Classes, Dataset, Images

PICTURES = ("image", "img", "picture", "png", "jpg", "jpeg", "webp")
SPLIT = re.compile(rf"({'|'.join(SPLITS)})(?![a-z])")
SHARD = re.compile(r"(.*?)-?(\d{1,7})-of-(\d{1,7})")
BLOCK = 64  # rows that are decoded at once
KEPT = 4  # blocks in memory; pictures are read by several threads, nearly in order
NONE = -1  # Hugging Face's label of what has none


class Columns(NamedTuple):
    """What of a file is read."""

    picture: str
    inner: bool  # whether pictures are structs with a field `bytes`
    label: str  # empty without one
    names: tuple[str, ...]  # of the labels; empty where the file has none


class Part(NamedTuple):
    """One file."""

    key: str
    place: Place
    split: str
    groups: tuple[int, ...]  # rows of each row group

    @property
    def rows(self) -> int:
        """Rows of all of it."""
        return sum(self.groups)


class ImageParquet:
    """Parquet files with pictures as bytes: one, or a folder of them, split by their names."""

    name = "parquet"
    about = "parquet with pictures as bytes (Hugging Face's layout): a file, or a folder with train-00000-of-00002.parquet, ..."
    example = "promptlab run cifar10/"

    def claims(self, where: str) -> bool:
        """A parquet file with a column of pictures, or a folder that holds such files; their schema alone is read."""
        try:
            files = _files(where)
            return bool(files) and (not _is_installed() or _has_pictures(files[0][1], where))
        except (OSError, PromptlabError):
            return False  # the image folder says what is wrong with a place

    def open(self, where: str, options: DataOptions) -> Dataset:
        """The dataset; pictures are read when they are needed. Raises DataError for files that are broken, missing or do not agree."""
        if not _is_installed():
            raise DataError("Parquet files need the package pyarrow.", "pip install pyarrow")
        files = _files(where)
        _check_whole(where, [key for key, *_ in files])
        columns = _columns(files[0][1])
        parts, found = [], list[Label]()
        for key, file, split in files:
            if _columns(file) != columns:
                raise DataError(f"{file.text!r} has other columns or class names than {files[0][1].text!r}.", "Name one of them.")
            groups, labels = _labels(file, columns)
            parts.append(Part(key, file, split, groups))
            found += labels
        if not found:
            raise DataError(f"{where!r} holds no row.")
        parts, found, bare = _without_bare(parts, found)
        own = Classes.of(columns.names) if columns.names else None
        classes, numbers = labelled(where, found, options, own)
        splits, notes = parted(f"The name of each file of {where!r}", [part.split for part in parts for _ in range(part.rows)])
        root, reader = place(where).root, _Reader(parts, columns)
        made = {name: _images(name, root, reader, numbers, rows) for name, rows in splits.items()}
        return Dataset(place(where).name.removesuffix(".parquet"), classes, made, notes=(*notes, *bare))


def _is_installed() -> bool:
    from importlib.util import find_spec

    return find_spec("pyarrow") is not None


def _files(where: str) -> list[tuple[str, Place, str]]:
    """(key, file, split) of every file, sorted by key; none where there is none."""
    here = place(where)
    if here.name.lower().endswith(".parquet"):
        return [(here.name, here, "")] if here.is_file() else []
    return _inside(here) if here.is_folder() else []


def _inside(folder: Place) -> list[tuple[str, Place, str]]:
    """Those of a folder; where it has none, those of its folders `data/`, or of `train/`, `test/` and so on."""
    entries = folder.entries()
    here = [(one.name, folder / one.name, _split(one.name)) for one in entries if _is_ours(one.name) and not one.is_folder]
    if here:
        return here
    deeper = []
    for one in entries:
        if one.is_folder and one.name.lower() in ("data", *SPLITS):
            split = "" if one.name.lower() == "data" else one.name.lower()
            deeper += [(f"{one.name}/{key}", file, split or own) for key, file, own in _inside(folder / one.name)]
    return sorted(deeper, key=lambda file: file[0])


def _is_ours(name: str) -> bool:
    return name.lower().endswith(".parquet") and not name.startswith((".", "_"))


def _split(name: str) -> str:
    found = SPLIT.match(name.lower())
    return found[1] if found else ""


def _check_whole(where: str, keys: list[str]) -> None:
    """Raises DataError where a file of several (`-00000-of-00002`) is missing: its pictures would be missing unseen."""
    there: dict[tuple[str, str], set[int]] = {}
    for key in keys:
        numbered = SHARD.match(key)
        if numbered:
            there.setdefault((numbered[1], numbered[3]), set()).add(int(numbered[2]))
    for (stem, count), numbers in there.items():
        if len(numbers) != int(count):
            missing = next((i for i in range(int(count)) if i not in numbers), int(count))
            raise DataError(
                f"{where!r} holds {len(numbers)} of the {int(count)} files {stem}-*-of-{count}.",
                f"Fetch number {missing}; the first is 0.",
            )


@contextmanager
def _opened(file: Place) -> Iterator[Any]:
    """The file, its limits those of a stranger's. Raises DataError for what is no parquet file."""
    from pyarrow import ArrowException, parquet

    with file.opened() as raw:
        try:
            yield parquet.ParquetFile(raw, thrift_string_size_limit=1 << 27, thrift_container_size_limit=1 << 24)
        except (ArrowException, OSError, ValueError, KeyError, IndexError, TypeError, MemoryError, RecursionError) as error:
            if isinstance(error, OSError) and error.filename is not None:
                raise  # the disk's, or the server's
            raise DataError(f"{file.text!r} is no parquet file that can be read: {_short(error)}.", "Fetch it again.") from error


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__


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
    with _opened(file) as opened:
        schema = opened.schema_arrow
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


def _labels(file: Place, columns: Columns) -> tuple[tuple[int, ...], list[Label]]:
    """(rows of each row group, labels of all rows). -1 is what Hugging Face gives to pictures without a label."""
    with _opened(file) as opened:
        about = opened.metadata
        groups = tuple(about.row_group(g).num_rows for g in range(about.num_row_groups))
        if any(rows < 0 for rows in groups) or sum(groups) > file.status().size:
            raise DataError(f"{file.text!r} claims to have {sum(groups):,} rows, more than it has bytes.", "Is it whole?")
        if not columns.label:
            return groups, [None] * sum(groups)
        found = opened.read(columns=[columns.label], use_threads=False).column(0).to_pylist()
    if len(found) != sum(groups):
        raise DataError(f"{file.text!r} has {len(found)} labels for {sum(groups)} rows.")
    odd = next((one for one in found if one is not None and not isinstance(one, int | str)), None)
    if odd is not None:
        raise DataError(f"The column {columns.label!r} of {file.text!r} holds {str(odd)[:40]!r}; numbers or names were expected.")
    return groups, [None if one == NONE else one for one in found]


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


class _Reader:
    """Pictures by row, of several files. A few blocks of rows are in memory; reading on from the last one is fast, going back is not."""

    def __init__(self, parts: list[Part], columns: Columns) -> None:
        self.parts, self._columns = parts, columns
        self.stamps = [part.place.status().stamp for part in parts]
        self.starts = list(accumulate((rows for part in parts for rows in part.groups), initial=0))
        self._groups = [(p, g) for p, part in enumerate(parts) for g in range(len(part.groups))]
        self.firsts = list(accumulate((part.rows for part in parts), initial=0))
        self._kept: OrderedDict[tuple[int, int], list[Any]] = OrderedDict()
        self._going: tuple[int, int, Iterator[list[Any]]] | None = None  # (group, block that comes next, blocks)
        self._lock = Lock()

    def name(self, row: int) -> tuple[str, str]:
        """(key, stamp) of a row."""
        p = int(np.searchsorted(self.firsts, row, "right")) - 1
        number = row - self.firsts[p]
        return f"{self.parts[p].key}/{number:08d}", f"{self.stamps[p]}-{number}"

    def read(self, row: int) -> bytes:
        """The picture of a row. Raises DataError where there is none in it."""
        group = int(np.searchsorted(self.starts, row, "right")) - 1
        block, at = divmod(row - self.starts[group], BLOCK)
        with self._lock:
            rows = self._block(group, block)
        found = rows[at] if at < len(rows) else None
        if found is None:
            raise DataError("its row holds no bytes")
        if len(found) > LARGEST:
            raise DataError(f"it has more than {LARGEST:,} bytes")
        return bytes(found)

    def _block(self, group: int, block: int) -> list[Any]:
        kept = self._kept.get((group, block))
        if kept is not None:
            return kept
        if self._going is None or self._going[0] != group or self._going[1] > block:
            self._going = (group, 0, self._blocks(group))
        _, at, blocks = self._going
        rows: list[Any] = []
        while at <= block:
            rows, at = next(blocks, []), at + 1
        self._going = (group, at, blocks)
        self._kept[group, block] = rows
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return rows

    def _blocks(self, group: int) -> Iterator[list[Any]]:
        """The pictures of a row group, some rows at a time."""
        part, number = self._groups[group]
        rows: list[Any] = []
        with _opened(self.parts[part].place) as file:
            for batch in file.iter_batches(BLOCK, row_groups=[number], columns=[self._columns.picture], use_threads=False):
                column = batch.column(0)
                rows += column.field("bytes").to_pylist() if self._columns.inner else column.to_pylist()
                while len(rows) >= BLOCK:
                    yield rows[:BLOCK]
                    rows = rows[BLOCK:]
        yield rows


def _images(split: str, root: str, reader: _Reader, labels: np.ndarray | None, rows: list[int]) -> Images:
    """Some rows as a split."""
    named = sorted((*reader.name(row), row) for row in rows)
    ordered = [row for *_, row in named]
    keys, stamps = tuple(key for key, *_ in named), tuple(stamp for _, stamp, _ in named)
    return Images(split, keys, stamps, None if labels is None else labels[ordered], lambda i: reader.read(ordered[i]), root)
