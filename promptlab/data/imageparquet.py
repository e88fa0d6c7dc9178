"""Parquet files that hold the pictures themselves, in Hugging Face's layout: `image` {bytes, path} and columns of labels and captions."""

import json
from itertools import accumulate, islice, pairwise
from typing import Any, NamedTuple

import numpy as np

from promptlab.data import captions
from promptlab.data.captions import Texts
from promptlab.data.parquetfiles import left_out, ways, whole
from promptlab.data.parquetrows import GROWN, PACKED, Columns, Part, Reader, groups_of, opened
from promptlab.data.places import Place, place
from promptlab.data.rows import LABELS, Answer, labelled, parted, spread
from promptlab.errors import DataError, PromptlabError
from promptlab.protocols import DataOptions
from promptlab.types import Classes, Dataset, Images

PICTURES = ("image", "img", "picture", "png", "jpg", "jpeg", "webp")
LISTS = "labels"  # the usual name of a column of all that a picture shows
LONGEST, LONGEST_CAPTION = 1 << 12, 1 << 16  # bytes of a label, and of a caption
ROWS = 1024  # of lists and captions that are read at once
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
        parts, found = [], list[Said]()
        for key, file, split in files:
            if _columns(file) != columns:
                raise DataError(f"{file.text!r} has other columns or class names than {files[0].place.text!r}.", "Name one of them.")
            stamp = file.status().stamp
            groups, rows_of = _said(file, columns)
            parts.append(Part(key, file, split, stamp, groups))
            found += rows_of
        if not found:
            raise DataError(f"{where!r} holds no row.")
        parts, found, bare = _without_bare(parts, found)
        answers, split_by = spread(where, [row.label for row in found]) if columns.listed else ([row.label for row in found], ())
        own = Classes.of(columns.names) if columns.names else None
        texts, _ = captions.checked([(row.where, row.captions, ()) for row in found])
        classes, numbers = labelled(where, answers, options, own, captioned=texts is not None)
        splits, notes = parted(f"The name of each file of {where!r}", [part.split for part in parts for _ in range(part.rows)])
        root, reader = place(where).root, Reader(parts, columns)
        made = {name: _images(name, root, reader, numbers, texts, rows) for name, rows in splits.items()}
        aside = left_out(where, files)
        if aside:
            bare.append(f"The folders {', '.join(aside)} hold parquet files, but no split is called so, and are left out.")
        return Dataset(
            place(where).name.removesuffix(".parquet"), classes, made, notes=(*notes, *bare, *split_by, *_aside(files[0].place, columns))
        )


class Said(NamedTuple):
    """What a row says of its picture."""

    where: str  # which row of which file
    label: Answer
    captions: Texts


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
        """Columns that go by the name of labels, or are said to hold them; of numbers or words, else of lists of such. `labels` goes
        before what is merely called `name`, `category` and the like."""
        single = [
            name
            for name, kind in self.kinds.items()
            if _is_word(kind) and (name.lower() in LABELS or name.lower().endswith("label") or self._is_noted(name))
        ]
        sure = [name for name in single if name.lower() not in LABELS[1:] or self._is_noted(name)]
        return sure or self.lists or single

    @property
    def lists(self) -> list[str]:
        """Columns of all that a picture shows, whatever they hold; those called `labels` alone where there are some."""
        said = [name for name in self.kinds if _inner(self.features.get(name, {})).get("_type") == "ClassLabel"]
        named = [name for name, kind in self.kinds.items() if name.lower() in LABELS and _is_list(kind) and _is_word(kind.value_type)]
        usual = [name for name in self.kinds if name.lower() == LISTS and not self._is_noted(name)]
        return usual or list(dict.fromkeys((*said, *named)))

    def _is_noted(self, name: str) -> bool:
        return self.features.get(name, {}).get("_type") == "ClassLabel"

    @property
    def captions(self) -> str:
        """The column of captions, of texts or of lists of texts; empty without one."""
        import pyarrow as pa

        def is_text(kind: Any) -> bool:
            return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))

        fitting = {
            name.lower(): name for name, kind in self.kinds.items() if is_text(kind) or (_is_list(kind) and is_text(kind.value_type))
        }
        return fitting.get(captions.column(fitting, bool(self.labels)), "")


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
    label = _obvious(file, "labels", schema.labels, (*LABELS, LISTS))
    is_listed = label in schema.lists
    if label and not _is_word(_inmost(schema.kinds[label])):
        raise DataError(
            f"The column {label!r} of {file.text!r} is of {schema.kinds[label]}.",
            "Lists of names, or of indices into --classes, were expected.",
        )
    about = schema.features.get(label, {})
    said = about.get("names", _inner(about).get("names"))
    named = tuple(said) if isinstance(said, list) and all(isinstance(name, str) for name in said) else ()
    return Columns(picture, schema.pictures[picture], label, is_listed, named, schema.captions)


def _features(metadata: dict[bytes, bytes] | None) -> dict[str, dict[str, Any]]:
    """{column: what Hugging Face's note in the schema says of it}; empty where there is none."""
    try:
        found = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    items = found.items() if isinstance(found, dict) else ()
    known = {name: {"feature": about[0]} if isinstance(about, list) and len(about) == 1 else about for name, about in items}
    return {name: about for name, about in known.items() if isinstance(about, dict)}


def _inner(about: dict[str, Any]) -> dict[str, Any]:
    """What the note says of the elements of a list; nothing where it is none."""
    found = about.get("feature")
    return found if isinstance(found, dict) else {}


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _inmost(kind: Any) -> Any:
    """The type of the elements of a list, else the type itself."""
    return kind.value_type if _is_list(kind) else kind


def _is_word(kind: Any) -> bool:
    """Whether it is of numbers or words, of each as it is or by a dictionary."""
    import pyarrow as pa

    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_integer(plain) or pa.types.is_string(plain) or pa.types.is_large_string(plain))


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


def _said(file: Place, columns: Columns) -> tuple[tuple[tuple[int, int], ...], list[Said]]:
    """((rows, bytes) of each row group, what each row says). -1 is what Hugging Face gives to pictures without a label."""
    with opened(file, "" if columns.listed else columns.label) as raw:
        groups = groups_of(file, raw.metadata)
        rows = sum(rows for rows, _ in groups)
        labels = _held(file, raw, columns.label, "label", LONGEST) if columns.label else [None] * rows
        texts = _held(file, raw, columns.captions, "caption", LONGEST_CAPTION) if columns.captions else [None] * rows
    if not len(labels) == len(texts) == rows:
        raise DataError(f"{file.text!r} has {len(labels)} labels and {len(texts)} captions for {rows} rows.")
    found = []
    for i, (label, said) in enumerate(zip(labels, texts, strict=True)):
        where = f"Row {i} of {file.text!r}"
        found.append(Said(where, _label(where, columns, label), captions.texts(where, "captions", said)))
    return groups, found


def _aside(file: Place, columns: Columns) -> list[str]:
    """A note on lists that are not read, since another column has one label for each picture."""
    lists = [] if columns.listed or not columns.label else _schema(file).lists
    return [f"The column {columns.label!r} is read, one class a picture, and {lists[0]!r} is not."] if lists else []


def _label(where: str, columns: Columns, said: Any) -> Answer:
    """A label, a list of them, or a text that may list several. Raises DataError for what is neither."""
    odd = [one for one in (said if isinstance(said, list) else [said] * (said is not None)) if not isinstance(one, int | str)]
    if odd:
        raise DataError(f"{where} holds {str(odd[0])[:40]!r} in its column {columns.label!r}; numbers or names were expected.")
    if isinstance(said, list):
        return tuple(said)
    return None if said is None or said == NONE else (said,) if columns.listed and isinstance(said, int) else said


def _held(file: Place, raw: Any, column: str, what: str, longest: int) -> list[Any]:
    """What all rows of a column hold. Raises DataError where that would grow out of all proportion to the file."""
    import pyarrow as pa

    if pa.types.is_dictionary(_inmost(raw.schema_arrow.field(column).type)):  # which pyarrow reads by whole row groups alone
        groups = range(raw.metadata.num_row_groups)
        chunks = (chunk for n in groups for chunk in raw.read_row_group(n, [column], use_threads=False).column(0).chunks)
        return [one for chunk in chunks for one in _words(file, chunk, what, longest)]
    found, size, most = list[Any](), 0, max(GROWN, PACKED * file.status().size)
    for batch in raw.iter_batches(ROWS, columns=[column], use_threads=False):
        size += batch.nbytes
        if size > most:
            raise DataError(f"{file.text!r} claims to hold more than {most:,} bytes in its column {column!r}.", "Is it whole?")
        found += _words(file, batch.column(0), what, longest)
    return found


def _words(file: Place, chunk: Any, what: str, longest: int) -> list[Any]:
    """Numbers, words, or lists of them. A word that many rows share is in memory once. Raises DataError for one that is too long."""
    import pyarrow as pa
    from pyarrow import compute

    chunk.validate(full=True)  # of a damaged file, indices may lie outside the dictionary
    is_shared = pa.types.is_dictionary(chunk.type)
    is_list = _is_list(chunk.type)
    if is_list and pa.types.is_dictionary(chunk.type.value_type):
        flat = iter(_words(file, chunk.flatten(), what, longest))
        return [None if n is None else list(islice(flat, n)) for n in compute.list_value_length(chunk).to_pylist()]
    words = chunk.dictionary if is_shared else chunk.flatten() if is_list else chunk
    if not pa.types.is_integer(words.type) and (compute.max(compute.binary_length(words)).as_py() or 0) > longest:
        raise DataError(f"{file.text!r} has a {what} of more than {longest:,} bytes.")
    if not is_shared:
        return list(chunk.to_pylist())
    known = words.to_pylist()
    return [None if i is None else known[i] for i in chunk.indices.to_pylist()]


def _without_bare(parts: list[Part], found: list[Said]) -> tuple[list[Part], list[Said], list[str]]:
    """(files, rows, notes) without the splits that have no label where others have: a test set whose labels are kept back."""
    bounds = pairwise(accumulate((part.rows for part in parts), initial=0))
    rows = {part.key: found[start:end] for part, (start, end) in zip(parts, bounds, strict=True)}
    known = {part.split for part in parts if any(row.label is not None for row in rows[part.key])}
    bare = sorted({part.split for part in parts} - known)
    if not known or not bare:
        return parts, found, []
    kept = [part for part in parts if part.split in known]
    note = f"The files of {', '.join(bare)} have no labels and are left out."
    return kept, [row for part in kept for row in rows[part.key]], [note]


def _images(split: str, root: str, reader: Reader, labels: np.ndarray | None, texts: tuple[Texts, ...] | None, rows: list[int]) -> Images:
    """Some rows as a split."""
    named = sorted((*reader.name(row), row) for row in rows)
    ordered = [row for *_, row in named]
    keys, stamps = tuple(key for key, *_ in named), tuple(stamp for _, stamp, _ in named)
    some, said = None if labels is None else labels[ordered], None if texts is None else tuple(texts[row] for row in ordered)
    return Images(split, keys, stamps, some, lambda i: reader.read(ordered[i]), root, said)
