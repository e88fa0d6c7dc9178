"""The store of one encoder's picture vectors: segments on disk, in which a picture is found by its mark.

A segment is a file of rows and a note beside it, which is written last: no note, no segment. It is named by the pictures that it holds, so
that several processes may write at once, and a killed one finds its finished segments again. A note carries a seal of all it says, of its
encoder and of its rows: one that was damaged, swapped or edited costs its segment.
"""

import io
import json
import os
from collections.abc import Iterable
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from promptlab.errors import StoreError
from promptlab.store import explained, file_sha256, fingerprint, written
from promptlab.types import Array, Images, Picked, Rows, Shards

MARK = 16  # bytes
# Up to this many bytes rows are compared with their checksums when a store is opened, and made again if need be; beyond, when they are
# first read: 10 million vectors are 10 GB.
SOON = 1 << 28


def marks(images: Images, name: str) -> Array:
    """(N, 16) u1: what each picture is known by: the path and stamp of a file; else key and stamp within what it is a part of.

    name: of the dataset, and of the plugin whose it is: of a picture that is no file nobody else can say that it is the same.
    """
    folder, out = images.folder, bytearray()
    top = f"{name}\0{images.root}\0{images.split}"
    for key, stamp in zip(images.keys, images.stamps, strict=True):
        what = _path(folder, key) if images.files else f"{top}\0{key}"
        out += blake2b(f"{what}\0{stamp}".encode("utf-8", "surrogatepass"), digest_size=MARK).digest()
    return np.frombuffer(bytes(out), np.uint8).reshape(-1, MARK)


def _path(folder: str, key: str) -> str:
    """A folder and a table over the same files share vectors, however the table writes their paths."""
    path = os.path.join(folder, key)
    return os.path.normpath(path) if "./" in path or "//" in path else path


class Segment:
    """Some pictures' vectors. Rows are read when they are asked for; what seems wrong with them then is a StoreError."""

    def __init__(self, file: Path, encoder: str, note: bytes) -> None:
        """Raises ValueError, KeyError or TypeError for a note that does not fit its file and encoder."""
        head, _, rest = note.partition(b"\n")
        said = json.loads(head)
        self.file, self.sha256 = file, str(said["sha256"])
        self.shape: tuple[int, int] = tuple(said["shape"])
        self.dtype = np.dtype(said["dtype"])
        self.bad = {int(i): str(reason) for i, reason in said["bad"].items()}
        self.marks = np.frombuffer(rest, np.uint8).reshape(-1, MARK)
        stem = _stem(self.marks)
        if head != _head(encoder, stem, self.bad, self.shape, self.dtype, self.sha256) or file.stem != stem:
            raise ValueError("another seal, or another name")
        if len(self.marks) != self.shape[0] + len(self.bad):
            raise ValueError("another number of rows")

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Array:
        return np.asarray(self._rows[rows])

    @cached_property
    def _rows(self) -> Array:
        if not self.is_whole:
            self.drop()
            raise StoreError(
                f"The picture vectors in {str(self.file)!r} are damaged, and were removed.", "Run it again: they will be made anew."
            )
        try:
            found: Array = np.load(self.file, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise StoreError(
                f"The picture vectors in {str(self.file)!r} are gone: {error}.", "Run it again: they will be made anew."
            ) from error
        return found

    @cached_property
    def is_whole(self) -> bool:
        """Whether the rows are those that were written."""
        try:
            return file_sha256(self.file) == self.sha256
        except OSError:
            return False

    def drop(self) -> None:
        """Forget it, on disk, too, if the disk lets us: it would be looked at again each time."""
        for path in (self.file.with_suffix(".note"), self.file):
            try:
                path.unlink(missing_ok=True)
            except OSError:
                return


class Store:
    """All segments of one encoder and precision. Not for use by two threads at once; other processes may write meanwhile."""

    def __init__(self, folder: Path, encoder: str) -> None:
        """encoder: its fingerprint. Raises StoreError where the disk refuses."""
        self.folder, self._encoder = folder, encoder
        self._segments: list[Segment] = []
        self.refresh()

    def refresh(self) -> None:
        """Look again at what is on disk."""
        with explained(self.folder):
            notes = list(self.folder.glob("*.note")) if self.folder.is_dir() else []
            # As they were written, which is the order of the pictures wherever one process wrote them.
            found = sorted((one for path in notes if (one := self._read(path)) is not None), key=lambda one: (one[0], one[1].file))
            self._take(segment for _, segment in found)

    def _read(self, path: Path) -> tuple[int, Segment] | None:
        """(when it was written, the segment); None for what is gone again, or damaged."""
        try:
            return path.stat().st_mtime_ns, Segment(path.with_suffix(".npy"), self._encoder, path.read_bytes())
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError):
            return None

    def _take(self, segments: Iterable[Segment]) -> None:
        self._segments = list(segments)
        self._marks = np.concatenate([np.zeros((0, MARK), np.uint8), *(one.marks for one in self._segments)])
        self._starts = np.cumsum([0, *(len(one.marks) for one in self._segments)])
        self._readable = np.ones(len(self._marks), bool)
        for start, one in zip(self._starts, self._segments, strict=False):
            self._readable[[start + i for i in one.bad]] = False

    def find(self, wanted: Array) -> Array:
        """(n,) int: where each of the marks (n, 16) stands among all that there are; -1 where it does not.

        Small segments that are used are compared with their checksums first, and dropped if they are damaged.
        """
        while True:
            entries = _positions(self._marks, wanted)
            asked = np.zeros(len(self._marks), bool)
            asked[entries[entries >= 0]] = True
            used = [one for start, one in zip(self._starts, self._segments, strict=False) if asked[start : start + len(one.marks)].any()]
            if sum(len(one) * one.shape[1] * one.dtype.itemsize for one in used) > SOON or all(one.is_whole for one in used):
                return entries
            for one in used:
                if not one.is_whole:
                    one.drop()
            self._take(one for one in self._segments if one not in used or one.is_whole)

    def rows(self, entries: Array) -> tuple[Rows | None, Array]:
        """(vectors of the pictures that could be read, None where none could; (n,) bool: which these are). entries: from `find`."""
        good = self._readable[entries]
        if not good.any():
            return None, good
        row = (np.cumsum(self._readable) - 1)[entries[good]]
        parts = [one for one in self._segments if len(one)]
        if len({(one.shape[1], one.dtype) for one in parts}) > 1:
            raise StoreError(
                f"The picture vectors in {str(self.folder)!r} differ in width or kind: the model changed, and its fingerprint did not.",
                "Delete that folder; they will be made again.",
            )
        whole = Shards(parts)
        return whole if np.array_equal(row, np.arange(len(whole))) else Picked(whole, row), good

    def reason(self, entry: int) -> str:
        """Why a picture that is known could not be read."""
        s = int(np.searchsorted(self._starts, entry, "right")) - 1
        return self._segments[s].bad[int(entry - self._starts[s])]

    def add(self, marks: Array, z: Array, bad: dict[int, str]) -> None:
        """Keep vectors z (m, D) of the n pictures with these marks (n, 16), without those that are bad, {place among the n: reason}.

        Both are on disk when this returns; `refresh` finds them. Raises StoreError where the disk refuses.
        """
        stem = _stem(marks)
        file = self.folder / f"{stem}.npy"
        rows = io.BytesIO()  # numpy writes past Python's file and would hide what the disk says
        np.save(rows, z, allow_pickle=False)
        with written(file) as out:
            out.write(rows.getbuffer())
        head = _head(self._encoder, stem, bad, z.shape, z.dtype, file_sha256(file))
        with written(file.with_suffix(".note")) as out:
            out.write(head + b"\n" + marks.tobytes())


def _stem(marks: Array) -> str:
    """What names a segment: a hash of the pictures that it holds."""
    return fingerprint(marks.tobytes())[:32]


def _head(encoder: str, stem: str, bad: dict[int, str], shape: tuple[int, ...], dtype: np.dtype[Any], sha256: str) -> bytes:
    """The first line of a note; the marks follow."""
    said = {"sha256": sha256, "shape": list(shape), "dtype": dtype.str, "bad": {str(i): reason for i, reason in sorted(bad.items())}}
    return json.dumps(said | {"seal": fingerprint("segment", encoder, stem, said)}).encode()


def _positions(known: Array, wanted: Array) -> Array:
    """(n,) int: where each row of wanted (n, 16) u1 stands in known (T, 16) u1, -1 where it does not."""
    if np.array_equal(known, wanted):
        return np.arange(len(known))
    have, want = (np.ascontiguousarray(one).view("<u8") for one in (known, wanted))
    order = np.lexsort((have[:, 1], have[:, 0]))
    first = have[order, 0]
    at = np.searchsorted(first, want[:, 0])
    out = np.full(len(want), -1)
    open_rows = np.arange(len(want))
    while len(open_rows):  # once, but for marks that begin alike
        open_rows = open_rows[at[open_rows] < len(first)]
        open_rows = open_rows[first[at[open_rows]] == want[open_rows, 0]]
        found = order[at[open_rows]]
        same = have[found, 1] == want[open_rows, 1]
        out[open_rows[same]] = found[same]
        open_rows = open_rows[~same]
        at[open_rows] += 1
    return out
