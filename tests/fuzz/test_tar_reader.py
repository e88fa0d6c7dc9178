"""Tars that nobody would write: a dataset or a clear error, and nothing else."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.errors import DataError, UsageError
from promptlab.lab import Lab
from promptlab.plugins.guards import _unusable
from promptlab.types import Images
from tests.data.wds import sample, tar
from tests.fuzz import fuzzed

CLEAR = (DataError, UsageError)  # a PluginError would be a fault of the reader
LABELS = (b"0", b"1", b"2", b"-1", b"", b"9" * 40, b"cat", b"\xff\xfe", b"0x1", b"1_0", "\u0661".encode())
VECTOR = io.BytesIO()
np.save(VECTOR, np.array([1, 0, 1], np.uint8))
VECTORS = (
    VECTOR.getvalue(),
    VECTOR.getvalue()[:-1],
    VECTOR.getvalue().replace(b"|u1", b"|O8"),
    VECTOR.getvalue().replace(b"(3,)", b"(-3,)"),
)
TEXTS = (b"a cat\na pet\n", b"", b"\xff\xfe", b"\n \n", b"\xef\xbb\xbfx", b"\0")
SAYING = {
    "retrieval": tar([(f"{i}.{end}", said) for i in range(3) for end, said in (("jpg", b"p" * 99), ("txt", b"a cat\na pet\n"))]),
    "multilabel": tar([(f"{i}.{end}", said) for i in range(3) for end, said in (("jpg", b"p" * 99), ("npy", VECTORS[0]))]),
}
WHOLE = tar([member for i in range(4) for member in sample(i, b"p" * (300 * i), i % 2)])
NAMES = (
    b"a.jpg",
    b"a.cls",
    b"b.png",
    b"b.json",
    b"../../up.jpg",
    b"/etc/x.jpg",
    b".jpg",
    b"",
    b"\xff\xfe.jpg",
    b"d/",
    b"a\nb.cls",
    b"x.pkl",
    b"a.txt",
    b"a.npy",
    b"b.npy",
)
KINDS = (b"0", b"\0", b"1", b"2", b"3", b"5", b"6", b"7", b"S", b"L", b"K", b"x", b"g", b"V", b"M", b"?", b"\xff")
SIZES = (
    b"00000000000\0",
    b"00000000001\0",
    b"77777777777\0",
    b"-0000000001\0",
    b"\x80" + bytes(10) + b"\x09",
    b"\xff" * 12,
    b"\x80" + b"\xff" * 11,
)
RECORDS = (
    b"13 path=a.jpg\n",
    b"11 path=\xff\xfe\n",
    b"10 size=1\n",
    b"12 size=-99\n",
    b"99999999999 a=b\n",
    b"5 a=\n",
    b"0 a=b\n",
    b"22 GNU.sparse.major=1\n",
)


@st.composite
def tars(draw: st.DrawFn) -> bytes:
    """Members with right checksums and wrong everything else."""
    out = b""
    for _ in range(draw(st.integers(0, 6))):
        content = draw(st.sampled_from((*LABELS, *RECORDS, *TEXTS, *VECTORS, b"p" * 600)) | st.binary(max_size=40))
        head = bytearray(512)
        name = draw(st.sampled_from(NAMES))
        head[: len(name)] = name
        head[156:157] = draw(st.sampled_from(KINDS))
        head[124:136] = draw(st.just(f"{len(content):011o}\0".encode()) | st.sampled_from(SIZES))
        head[257:265] = draw(st.sampled_from((b"ustar\x0000", b"ustar  \0", bytes(8))))
        head[482] = draw(st.integers(0, 1))
        head[148:156] = b" " * 8
        head[148:156] = f"{sum(head):06o}\0 ".encode()
        out += bytes(head) + content + bytes(-len(content) % 512)
    return out + bytes(draw(st.sampled_from((0, 512, 1024))))


@st.composite
def damaged(draw: st.DrawFn, whole: bytes = WHOLE) -> bytes:
    """A good tar with a few bytes changed, or cut."""
    data = bytearray(whole)
    for at, byte in draw(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=4)):
        data[at] = byte
    return bytes(data[: draw(st.just(len(data)) | st.integers(0, len(data)))])


def outcome(data: bytes, lab: Lab, kind: str = "") -> None:
    """Opens the tar and reads all of it."""
    Path("t.tar").write_bytes(data)
    Path("dataset_type.txt").write_text(kind)
    before = sorted(os.listdir("."))
    try:
        dataset = lab.open("t.tar")
    except CLEAR:
        return
    finally:
        assert sorted(os.listdir(".")) == before
    part = dataset.splits["all"]
    assert isinstance(part, Images)
    assert _unusable(part, len(dataset.classes)) is None
    assert len(set(part.keys)) == len(part.keys) == len(part.stamps)
    assert list(part.keys) == sorted(part.keys)
    for i in range(len(part)):
        assert len(part.read(i)) <= len(data)


@pytest.fixture
def named(lab: Lab) -> Lab:
    """A lab that knows three names."""
    Path("names.txt").write_text("cat\ndog\nowl")
    return lab.but(classes="names.txt")


@fuzzed
@given(data=tars(), kind=st.sampled_from(("", *SAYING)))
def test_strange_members(named: Lab, data: bytes, kind: str) -> None:
    outcome(data, named, kind)


@fuzzed
@given(data=damaged())
def test_damaged_tars(named: Lab, data: bytes) -> None:
    outcome(data, named)


@pytest.mark.parametrize("kind", SAYING)
def test_damaged_captions_and_vectors(named: Lab, kind: str) -> None:
    @fuzzed
    @given(data=damaged(SAYING[kind]))
    def holds(data: bytes) -> None:
        outcome(data, named, kind)

    holds()


HEADERS = (
    "{'descr': ",
    "'|u1'",
    "'<f8'",
    "'|O'",
    "[('a', 'f8')]",
    ", 'fortran_order': ",
    "True",
    ", 'shape': ",
    "(3,)",
    "(3L,)",
    "()",
    ", }",
    "\n",
    "(" * 400,
)


@fuzzed
@given(
    pieces=st.lists(st.sampled_from(HEADERS) | st.text(max_size=4), max_size=12),
    version=st.sampled_from((b"\1\0", b"\2\0", b"\3\0", b"\xff\xff")),
    rest=st.binary(max_size=24),
)
def test_strange_vectors(named: Lab, pieces: list[str], version: bytes, rest: bytes) -> None:
    head = "".join(pieces).encode()
    size = len(head).to_bytes(2 if version == b"\1\0" else 4, "little")
    outcome(tar([("0.jpg", b"p"), ("0.npy", b"\x93NUMPY" + version + size + head + rest)]), named, "multilabel")


@fuzzed
@given(said=st.lists(st.sampled_from(TEXTS) | st.binary(max_size=30), min_size=1, max_size=3))
def test_strange_captions(lab: Lab, said: list[bytes]) -> None:
    outcome(tar([(f"{i}.{end}", what) for i, one in enumerate(said) for end, what in (("jpg", b"p"), ("txt", one))]), lab)


@fuzzed
@given(
    labels=st.lists(st.tuples(st.sampled_from(("cls", "json")), st.sampled_from(LABELS) | st.binary(max_size=30)), min_size=1, max_size=3)
)
def test_strange_labels(lab: Lab, labels: list[tuple[str, bytes]]) -> None:
    members = [(f"{i}.jpg", b"p") for i in range(len(labels))] + [(f"{i}.{ending}", said) for i, (ending, said) in enumerate(labels)]
    outcome(tar(members), lab)


@fuzzed
@given(files=st.dictionaries(st.sampled_from(("nshards.txt", "classnames.txt", "dataset_type.txt")), st.binary(max_size=30), min_size=1))
def test_strange_files_beside(lab: Lab, files: dict[str, bytes]) -> None:
    folder = Path("wds/test")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "0.tar").write_bytes(WHOLE)
    for name in ("nshards.txt", "classnames.txt", "dataset_type.txt"):
        (folder / name).unlink(missing_ok=True)
    for name, said in files.items():
        (folder / name).write_bytes(said)
    try:
        assert len(lab.open("wds/test").splits["all"]) == 4  # type: ignore[arg-type]
    except CLEAR:
        return
