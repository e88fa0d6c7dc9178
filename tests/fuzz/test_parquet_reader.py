"""Parquet files that nobody would write: a dataset or a clear error, and nothing else."""

import io
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from promptlab.errors import DataError, UsageError
from promptlab.lab import Lab
from promptlab.plugins.guards import _unusable
from promptlab.types import Images
from tests.fuzz import fuzzed

CLEAR = (DataError, UsageError)  # a PluginError would be a fault of the reader
STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
WORDS = st.sampled_from(
    ("image", "img", "bytes", "label", "fine_label", "coarse_label", "Label", "labels", "caption", "text", "path", "x", "\u202e", "")
)
VALUES: list[Any] = [
    pa.array([{"bytes": b"p", "path": "a"}, None, {"bytes": None, "path": "b"}], STRUCT),
    pa.array([b"p", b"", None]),
    pa.array([0, 1, 2]),
    pa.array([-1, -1, -1]),
    pa.array([0, None, 9]),
    pa.array([2**40, -(2**40), 0]),
    pa.array([0.0, float("nan"), 1.0]),
    pa.array(["cat", "dog", ""]),
    pa.array(["cat", "dog", "cat"]).dictionary_encode(),
    pa.array([[0], [1], None]),
    pa.array([["cat"], ["dog", "cat"], []]),
    pa.array([["a cat", None], None, [""]], pa.large_list(pa.string())),
    pa.array([["cat"], ["dog"], ["owl"]]).cast(pa.list_(pa.string(), 1)),
    pa.array([[b"\xff"], [b"\xfe"], []]).cast(pa.list_(pa.binary())),
    pa.array([[["cat"]], [], None]),
    pa.array(["a cat", " ", "an owl"], pa.large_string()),
    pa.array([None, None, None]),
    pa.array([True, False, True]),
]
NOTES = st.recursive(
    st.none() | st.integers() | st.text(max_size=4),
    lambda deep: (
        st.lists(deep, max_size=3) | st.dictionaries(st.sampled_from(("info", "features", "label", "names", "_type")), deep, max_size=3)
    ),
    max_leaves=6,
)


def made(columns: dict[str, Any], note: bytes) -> bytes:
    """A parquet file of these columns."""
    out = io.BytesIO()
    parquet.write_table(pa.table(columns).replace_schema_metadata({b"huggingface": note}), out, row_group_size=2)
    return out.getvalue()


GOOD = {"info": {"features": {"label": {"_type": "ClassLabel", "names": ["cat", "dog", "owl"]}}}}
WHOLE = made({"image": VALUES[0], "label": VALUES[2]}, json.dumps(GOOD).encode())


def outcome(data: bytes, lab: Lab) -> None:
    """Opens the file and reads all of it."""
    Path("x").mkdir(exist_ok=True)
    Path("x/t.parquet").write_bytes(data)
    for where in ("x/t.parquet", "x"):
        try:
            dataset = lab.open(where)
        except CLEAR:
            continue
        part = dataset.splits["all"]
        assert isinstance(part, Images)
        assert _unusable(part, len(dataset.classes)) is None
        assert list(part.keys) == sorted(set(part.keys))
        for i in range(len(part)):
            try:
                assert isinstance(part.read(i), bytes)
            except (DataError, OSError):
                continue
    assert sorted(os.listdir("x")) == ["t.parquet"]


@fuzzed
@given(
    columns=st.dictionaries(WORDS, st.sampled_from(VALUES), min_size=1, max_size=4),
    note=NOTES.map(json.dumps).map(str.encode) | st.binary(max_size=20),
)
def test_strange_columns(lab: Lab, columns: dict[str, Any], note: bytes) -> None:
    outcome(made(columns, note), lab)


@fuzzed
@given(labels=st.sampled_from(VALUES), names=NOTES)
def test_strange_labels(lab: Lab, labels: Any, names: Any) -> None:
    inner = {"_type": "ClassLabel", "names": names}
    note = {"info": {"features": {"label": [inner] if pa.types.is_list(labels.type) else inner}}}
    outcome(made({"image": VALUES[0], "label": labels}, json.dumps(note).encode()), lab)


@fuzzed
@given(
    changes=st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=5), cut=st.none() | st.integers(0, len(WHOLE))
)
def test_damaged_files(lab: Lab, changes: list[tuple[int, int]], cut: int | None) -> None:
    data = bytearray(WHOLE)
    for at, byte in changes:
        data[at] = byte
    outcome(bytes(data[:cut]), lab)
