"""The index of a tar: where its regular members begin and how long they are. Nothing is extracted.

Names are only ever keys, whatever they look like. Links, devices, folders and sparse members are counted and passed over.
"""

import re
from collections.abc import Callable
from typing import IO, NamedTuple, NoReturn

from promptlab.data.places import Place
from promptlab.errors import DataError

BLOCK = 512
OCTAL = re.compile(rb" *([0-7]*) *\0*[ \0]*")
REGULAR = (b"0", b"\0", b"7")
NO_DATA = (b"1", b"2", b"3", b"4", b"5", b"6")  # links, devices, folders and pipes, whatever size they claim
MOST_MEMBERS = 10_000_000
LONGEST_ABOUT = 1 << 20  # bytes of a long name, or of pax records
LONGEST_TEXT = 1 << 16  # bytes of a member that is read at once, such as a label
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


class Member(NamedTuple):
    """A regular member of a tar."""

    name: str  # bytes that are no UTF-8 become lone surrogates, as in names of files
    offset: int  # of its first byte
    size: int
    content: bytes | None  # of those that were wanted


class Index(NamedTuple):
    """What a tar holds."""

    members: list[Member]
    others: int  # links, devices, folders, sparse members


def index(shard: Place, size: int, wanted: Callable[[str], bool], longest: int = LONGEST_TEXT) -> Index:
    """The members of a tar of that size, in its order, with the bytes of those whose names are wanted, which must be `longest` at most.

    Raises DataError that names the shard for what is no whole, uncompressed tar.
    """
    with shard.opened() as file:
        return _Reader(file, size, shard.text, longest).index(wanted)


class _Header(NamedTuple):
    name: bytes
    kind: bytes
    size: int
    block: bytes


class _Reader:
    """Goes through one tar, header by header; each step is one block or more, so that it ends with the file."""

    def __init__(self, file: IO[bytes], size: int, where: str, longest: int) -> None:
        self._file, self._size, self._where, self._longest = file, size, where, longest
        self._at = 0

    def index(self, wanted: Callable[[str], bool]) -> Index:
        members: list[Member] = []
        others, long_name, records = 0, b"", dict[str, bytes]()
        while (header := self._header()) is not None:
            if header.kind in (b"L", b"x", b"g", b"K"):
                about = self._about(header)
                if header.kind == b"L":
                    long_name = about.split(b"\0", 1)[0]
                elif header.kind == b"x":
                    records = self._records(about)
                continue
            name = (records.get("path") or long_name or header.name).decode("utf-8", "surrogateescape")
            size = self._checked(self._decimal(records["size"])) if "size" in records else header.size
            sparse = header.kind == b"S" or any(key.startswith("GNU.sparse.") for key in records)
            long_name, records = b"", {}
            if header.kind == b"S":
                self._sparse_maps(header.block)
            if header.kind in REGULAR and not sparse and not name.endswith("/"):
                members.append(Member(name, self._at, size, self._text(name, size) if wanted(name) else None))
            else:
                others += 1
            if len(members) + others > MOST_MEMBERS:
                self._fault(f"holds more than {MOST_MEMBERS:,} members")
            self._skip(0 if header.kind in NO_DATA else size)
        return Index(members, others)

    def _fault(self, what: str, hint: str = "") -> NoReturn:
        raise DataError(f"The shard {self._where!r} {what}.", hint)

    def _read(self, length: int) -> bytes:
        """Bytes from here on; the place stays."""
        self._file.seek(self._at)
        found = self._file.read(length)
        if len(found) < length:
            self._fault(f"is cut off at byte {self._at + len(found):,}", "Fetch it again; pictures would be missing unseen.")
        return found

    def _skip(self, size: int) -> None:
        self._at += -(-size // BLOCK) * BLOCK
        if self._at > self._size:
            self._fault(f"is cut off at byte {self._size:,}", "Fetch it again; pictures would be missing unseen.")

    def _header(self) -> _Header | None:
        """The header here, which is then behind us; None at the end mark."""
        block = self._read(BLOCK)
        if not block.strip(b"\0"):
            self._check_end()
            return None
        stated = OCTAL.fullmatch(block, 148, 156)
        if stated is None or int(stated[1] or b"0", 8) not in _sums(block):
            packed = next((name for magic, name in PACKED.items() if self._at == 0 and block.startswith(magic)), "")
            if packed:
                self._fault(f"is packed with {packed}", "Unpack it: pictures are packed already, and a packed tar cannot be read in parts.")
            self._fault(f"has no header of a tar at byte {self._at:,}", "Is it a tar, and whole?")
        self._at += BLOCK
        name, prefix = block[:100].split(b"\0", 1)[0], block[345:500].split(b"\0", 1)[0]
        if prefix and block[257:263] == b"ustar\0":
            name = prefix + b"/" + name
        return _Header(name, block[156:157], self._checked(self._number(block[124:136])), block)

    def _check_end(self) -> None:
        """Zeros to the end. Two tars joined into one would lose the second unseen."""
        self._at += BLOCK
        self._file.seek(self._at)
        if self._file.read(1 << 20).strip(b"\0"):
            self._fault("goes on after its end mark", "Were several joined? Give each as a shard of its own.")

    def _number(self, field: bytes) -> int:
        if field[0] == 0x80:
            return int.from_bytes(field[1:], "big")
        found = OCTAL.fullmatch(field)
        if found is None:
            self._fault(f"has a member of the size {field[:12]!r} at byte {self._at:,}")
        return int(found[1] or b"0", 8)

    def _decimal(self, field: bytes) -> int:
        if not re.fullmatch(rb"[0-9]{1,19}", field):
            self._fault(f"has a member of the size {field[:20]!r} at byte {self._at:,}")
        return int(field)

    def _checked(self, size: int) -> int:
        if size > self._size:
            self._fault(f"has a member of {size:,} bytes, more than the {self._size:,} that it has", "Is it whole?")
        return size

    def _about(self, header: _Header) -> bytes:
        """What an extra header says of the member after it; then behind us."""
        if header.size > LONGEST_ABOUT:
            self._fault(f"has a name, or notes on one, of {header.size:,} bytes at byte {self._at:,}")
        found = self._read(header.size)
        self._skip(header.size)
        return found

    def _records(self, said: bytes) -> dict[str, bytes]:
        """pax records: `LENGTH KEY=VALUE` and a line feed, the length that of all of it."""
        found, at = dict[str, bytes](), 0
        while at < len(said):
            head = re.compile(rb"([0-9]{1,7}) ([^=]+)=").match(said, at)
            end = at + int(head[1]) if head else 0
            if head is None or not head.end() < end <= len(said) or said[end - 1 : end] != b"\n":
                self._fault(f"has broken pax records before byte {self._at:,}")
            found[head[2].decode("utf-8", "surrogateescape")] = said[head.end() : end - 1]
            at = end
        return found

    def _sparse_maps(self, block: bytes) -> None:
        """The further blocks of GNU's map of holes; then behind us."""
        more = block[482]
        while more:
            more = self._read(BLOCK)[504]
            self._at += BLOCK

    def _text(self, name: str, size: int) -> bytes:
        if size > self._longest:
            self._fault(f"has {size:,} bytes in {name!r}, which is too long: {self._longest:,} are the most for labels or captions")
        return self._read(size)


def _sums(block: bytes) -> tuple[int, int]:
    """The checksum of a header, with its own field as spaces: of bytes, and of signed ones as old programs wrote it."""
    unsigned = sum(block) - sum(block[148:156]) + 8 * 32
    high = sum(byte > 127 for byte in block) if max(block) > 127 else 0
    return unsigned, unsigned - 256 * (high - sum(byte > 127 for byte in block[148:156]))
