"""Rows of parquet files: pictures one by one, with bounds on what a file can ask for."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from promptlab.data.listing import LARGEST
from promptlab.data.places import Place
from promptlab.errors import DataError

BLOCK = 64  # rows that are decoded at once, at most
AT_ONCE = 1 << 26  # bytes of them; one picture may have more
KEPT = 1 << 28  # bytes of pictures in memory; several threads read them, nearly in order
GROWN, PACKED = 1 << 28, 64  # bytes that a row group may have in memory, or times those of the file


class Columns(NamedTuple):
    """What of a file is read."""

    picture: str
    inner: bool  # whether pictures are structs with a field `bytes`
    label: str  # empty without one
    listed: bool  # whether it holds lists of labels
    names: tuple[str, ...]  # of the labels; empty where the file has none
    captions: str  # empty without one


class Part(NamedTuple):
    """One file."""

    key: str
    place: Place
    split: str
    stamp: str  # of the file, before anything was read
    groups: tuple[tuple[int, int], ...]  # (rows, bytes in memory) of each row group

    @property
    def rows(self) -> int:
        """Rows of all of it."""
        return sum(rows for rows, _ in self.groups)


@contextmanager
def opened(file: Place, label: str = "") -> Iterator[Any]:
    """The file, its limits those of a stranger's; words of the column `label` come as a dictionary. Raises DataError for what is none."""
    from pyarrow import ArrowException, parquet

    with file.opened() as raw:
        try:
            yield parquet.ParquetFile(
                raw, read_dictionary=[label] if label else None, thrift_string_size_limit=1 << 27, thrift_container_size_limit=1 << 24
            )
        except (ArrowException, OSError, ValueError, KeyError, IndexError, TypeError, MemoryError, RecursionError) as error:
            if isinstance(error, OSError) and error.filename is not None:
                raise  # the disk's, or the server's
            raise DataError(f"{file.text!r} is no parquet file that can be read: {_short(error)}.", "Fetch it again.") from error


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__


def groups_of(file: Place, about: Any) -> tuple[tuple[int, int], ...]:
    """((rows, bytes in memory) of each row group), as the file states them.

    Raises DataError for more rows than the file has bytes, and for groups that would grow out of all proportion to it.
    """
    held = file.status().size
    groups = tuple((group.num_rows, group.total_byte_size) for group in map(about.row_group, range(about.num_row_groups)))
    rows, largest = sum(rows for rows, _ in groups), max((size for _, size in groups), default=0)
    if rows > held or any(rows < 0 for rows, _ in groups):
        raise DataError(f"{file.text!r} claims to have {rows:,} rows, more than it has bytes.", "Is it whole?")
    if largest > max(GROWN, PACKED * held):
        raise DataError(f"{file.text!r} claims to hold {largest:,} bytes in {held:,}.", "Is it whole?")
    return groups


class Reader:
    """Pictures by row, of several files. A few blocks of rows are in memory; reading on from the last one is fast, going back is not."""

    def __init__(self, parts: list[Part], columns: Columns) -> None:
        self.parts, self._columns = parts, columns
        self.starts = list(accumulate((rows for part in parts for rows, _ in part.groups), initial=0))
        self._groups = [(p, g) for p, part in enumerate(parts) for g in range(len(part.groups))]
        self.firsts = list(accumulate((part.rows for part in parts), initial=0))
        # No picture is larger than all of its group, of which equal ones are stored once: so many are in no block more than that.
        self._steps = [max(1, min(BLOCK, AT_ONCE // max(1, size))) for part in parts for _, size in part.groups]
        self._kept: OrderedDict[tuple[int, int], Any] = OrderedDict()
        self._bytes = 0  # in those that are kept
        self._going: tuple[int, int, Iterator[Any]] | None = None  # (group, block that comes next, blocks)
        self._lock = Lock()

    def __reduce__(self) -> tuple[type["Reader"], tuple[list[Part], Columns]]:
        """Another process opens the files itself."""
        return Reader, (self.parts, self._columns)

    def name(self, row: int) -> tuple[str, str]:
        """(key, stamp) of a row."""
        p = int(np.searchsorted(self.firsts, row, "right")) - 1
        number = row - self.firsts[p]
        return f"{self.parts[p].key}/{number:08d}", f"{self.parts[p].stamp}-{number}"

    def read(self, row: int) -> bytes:
        """The picture of a row. Raises DataError where there is none in it."""
        group = int(np.searchsorted(self.starts, row, "right")) - 1
        block, at = divmod(row - self.starts[group], self._steps[group])
        with self._lock:
            rows = self._block(group, block)
        part = self.parts[self._groups[group][0]]
        part.place.check(part.stamp)
        if at >= len(rows) or not rows[at].is_valid:
            raise DataError("its row holds no bytes")
        found = rows[at].as_buffer()
        if found.size > LARGEST:
            raise DataError(f"it has more than {LARGEST:,} bytes")
        return bytes(found.to_pybytes())

    def _block(self, group: int, block: int) -> Any:
        kept = self._kept.get((group, block))
        if kept is not None:
            return kept
        if self._going is None or self._going[0] != group or self._going[1] > block:
            self._going = (group, 0, self._blocks(group))
        _, at, blocks = self._going
        rows = None
        while at <= block:
            rows, at = next(blocks, None), at + 1
        self._going = (group, at, blocks)
        if rows is None:
            raise DataError("its row holds no bytes")
        self._kept[group, block] = rows
        self._bytes += rows.nbytes
        while len(self._kept) > 1 and self._bytes > KEPT:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return rows

    def _blocks(self, group: int) -> Iterator[Any]:
        """The pictures of a row group, some rows at a time."""
        import pyarrow as pa

        part, number = self._groups[group]
        step, rows = self._steps[group], None
        with opened(self.parts[part].place) as file:
            for batch in file.iter_batches(step, row_groups=[number], columns=[self._columns.picture], use_threads=False):
                column = batch.column(0).field("bytes") if self._columns.inner else batch.column(0)
                rows = pa.chunked_array([column] if rows is None else [*rows.chunks, column])
                while len(rows) >= step:
                    yield rows[:step]
                    rows = rows[step:]
        if rows is not None:
            yield rows
