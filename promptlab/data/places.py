"""Where bytes lie: a path on this machine, or a URL that fsspec reads. Nothing is ever written, and no program is ever run."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EIO, ENOENT
from pathlib import Path
from stat import S_ISREG
from typing import IO, Any, NamedTuple

from promptlab.errors import DataError

URL = re.compile(r"pipe:|[A-Za-z][A-Za-z0-9+.-]*:(?::|//)")
FILE = "file://"
# Names of datasets with a folder in them: (what is before it, the folder, what is after it).
NAMED = re.compile(r"(hf:|torchvision:\w+@)(.+?)((?:@[^:@/\[]+)?(?::[^/]+)?)")
# What may be read, and the packages that fsspec needs for it. Chains of protocols, archives and caches of fsspec's are no places.
PACKAGES = {
    **dict.fromkeys(("http", "https"), "aiohttp"),
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("az", "abfs", "abfss"), "adlfs"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
    "hf": "huggingface_hub",
    "oci": "ocifs",
    "oss": "ossfs",
    "hdfs": "pyarrow",
    "webhdfs": "requests",
    "ftp": "",
    "memory": "",
}
AHEAD = 4 << 20  # bytes that are fetched at once where a remote file is read from front to back
STAMPS = ("mtime", "LastModified", "last_modified", "updated", "created", "generation", "ETag", "etag", "blob_id")


class Status(NamedTuple):
    """What is known of a file without reading it."""

    size: int  # bytes
    stamp: str  # changes when the bytes do


class Entry(NamedTuple):
    """What a folder holds."""

    name: str
    is_folder: bool


class Place:
    """A file or a folder on this machine. Several threads may use one. What the disk says is raised as OSError."""

    lists = True  # whether folders can be listed

    def __init__(self, text: str) -> None:
        self.text = text

    @property
    def name(self) -> str:
        """The last part of the path."""
        return os.path.basename(os.path.abspath(self.text))  # not that of what a link leads to

    @property
    def root(self) -> str:
        """The same place whatever the current folder is."""
        return str(Path(self.text).resolve())

    @property
    def parent(self) -> "Place":
        """The folder that it lies in."""
        return Place(str(Path(self.text).absolute().parent))

    def __truediv__(self, name: str) -> "Place":
        return Place(os.path.join(self.text, name))

    def is_file(self) -> bool:
        """Whether a file is there."""
        return os.path.isfile(self.text)

    def is_folder(self) -> bool:
        """Whether a folder is there."""
        return os.path.isdir(self.text)

    def entries(self) -> list[Entry]:
        """What the folder holds, by name; links to nowhere are left out."""
        with os.scandir(self.text) as found:
            return sorted(Entry(one.name, one.is_dir()) for one in found if not one.is_symlink() or os.path.exists(one.path))

    def status(self) -> Status:
        """Size and stamp. Raises DataError for what is no file: a pipe would be waited for."""
        status = os.stat(self.text)
        if not S_ISREG(status.st_mode):
            raise DataError(f"{self.text!r} is no file.")
        return Status(status.st_size, f"{status.st_size}-{status.st_mtime_ns}")

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """The file, to be read from front to back. Raises DataError for what is no file."""
        with open(self.text, "rb", opener=_regular) as file:
            yield file

    def read(self, start: int = 0, length: int | None = None) -> bytes:
        """Bytes of the file from `start` on; fewer than `length` where it ends before. Raises DataError for what is no file."""
        with open(self.text, "rb", buffering=0, opener=_regular) as file:
            if length is None:
                return file.read()[start:]
            return os.pread(file.fileno(), length, start)

    def check(self, stamp: str) -> None:
        """Raises DataError where the file is another one than it was; to be asked after reading. Of one behind a URL nothing is asked."""
        if self.status().stamp != stamp:
            raise DataError(f"{self.text!r} changed after it was opened")


class Remote(Place):
    """A file or a folder behind a URL. Whatever a server or its client says is raised as OSError."""

    def __init__(self, text: str, system: Any, path: str) -> None:
        super().__init__(text)
        self._system, self._path = system, path
        self.lists = not text.startswith("http")

    @property
    def name(self) -> str:
        """The last part of the path, without what follows a question mark."""
        return bare(self.text).rstrip("/").rpartition("/")[2]

    @property
    def root(self) -> str:
        """The URL."""
        return self.text

    @property
    def parent(self) -> "Remote":
        """The folder that it lies in."""
        return Remote(_parent(self.text), self._system, _parent(self._path))

    def __truediv__(self, name: str) -> "Remote":
        return Remote(f"{bare(self.text).rstrip('/')}/{name}", self._system, f"{bare(self._path).rstrip('/')}/{name}")

    def check(self, stamp: str) -> None:
        """Nothing: it would take a request for each picture."""

    def _about(self) -> dict[str, Any] | None:
        with _told(self.text):
            try:
                found: dict[str, Any] = self._system.info(self._path)
            except FileNotFoundError:
                return None
        return found

    def is_file(self) -> bool:
        """Whether a file is there; one request."""
        return (self._about() or {}).get("type") == "file"

    def is_folder(self) -> bool:
        """Whether a folder is there; one request. Of what cannot be listed nobody knows."""
        return self.lists and (self._about() or {}).get("type") == "directory"

    def entries(self) -> list[Entry]:
        """What the folder holds, by name."""
        with _told(self.text):
            found = self._system.ls(self._path, detail=True)
        named = {str(one["name"]).rstrip("/").rpartition("/")[2]: one.get("type") == "directory" for one in found}
        return sorted(Entry(name, is_folder) for name, is_folder in named.items() if name)

    def files(self) -> list[tuple[str, Status]]:
        """(path below this folder, status) of every file below it, sorted. Raises FileNotFoundError where there is nothing."""
        with _told(self.text):
            found = self._system.find(self._path, detail=True)
        if not found:
            raise FileNotFoundError(ENOENT, "there is nothing", self.text)
        cut = len(self._path.rstrip("/")) + 1
        return sorted((path[cut:], _status(about)) for path, about in found.items())

    def status(self) -> Status:
        """Size and stamp, of all that the server tells. Raises DataError where it tells no size."""
        about = self._about()
        if about is None:
            raise FileNotFoundError(ENOENT, "there is nothing", self.text)
        if not isinstance(about.get("size"), int):
            raise DataError(f"{self.text!r} is no file whose size is known.")
        return _status(about)

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """The file, to be read from front to back, some megabytes at a time."""
        with _told(self.text), self._system.open(self._path, "rb", block_size=AHEAD, cache_type="readahead") as file:
            yield file

    def read(self, start: int = 0, length: int | None = None) -> bytes:
        """Bytes of the file from `start` on. Raises OSError for a server that gives more than it was asked for."""
        with _told(self.text):
            found = bytes(self._system.cat_file(self._path, start=start or None, end=None if length is None else start + length))
        if length is not None and len(found) > length:
            raise OSError(EIO, "its server gives no parts of files", self.text)
        return found


def _regular(path: str, flags: int) -> int:
    """Opens a file. Raises DataError for what is none: a pipe would be waited for."""
    number = os.open(path, flags | os.O_NONBLOCK)
    if not S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise DataError(f"{path!r} is no file.")
    return number


def _parent(path: str) -> str:
    return bare(path).rstrip("/").rpartition("/")[0]


def _status(about: dict[str, Any]) -> Status:
    said = [about[key] for key in STAMPS if about.get(key) is not None]
    return Status(about.get("size") or 0, "-".join(map(str, [about.get("size"), *said])))


@contextmanager
def _told(text: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(ENOENT, "there is nothing", text) from error  # some clients give no name
    except (OSError, DataError):
        raise
    except Exception as error:  # each of fsspec's clients has errors of its own
        raise OSError(EIO, f"{type(error).__name__}: {error}", text) from error


def is_url(where: str) -> bool:
    """Whether `where` has the form of a URL, understood or not."""
    return URL.match(where) is not None


def bare(where: str) -> str:
    """A URL without what follows a question mark; a path as it is."""
    return where.partition("?")[0] if is_url(where) else where


def is_far(where: str) -> bool:
    """Whether reading it would take a network."""
    return is_url(where) and not where.lower().startswith((FILE, "memory://"))


def place(where: str) -> Place:
    """Where `where` is; nothing is looked for yet. Raises DataError for a URL that is not understood, or whose package is missing."""
    if not is_url(where):
        return Place(where)
    if where.startswith("pipe:"):
        raise DataError(f"{where!r} would run a program.", "promptlab runs none; save what it prints into a file.")
    where = _lowered(where)
    if where.startswith(FILE):
        return Place(where.removeprefix(FILE))
    scheme = where.partition(":")[0]
    if "::" in where or scheme not in PACKAGES:
        kind = "is a chain of protocols" if "::" in where else f"has the protocol {scheme!r}"
        raise DataError(f"{where!r} {kind}, which is not read.", f"One of these alone is: {', '.join(sorted([*PACKAGES, 'file']))}.")
    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(where)
    except ImportError as error:
        packages = PACKAGES[scheme] or "fsspec"
        raise DataError(f"{scheme}:// needs {packages.replace(' ', ' and ')}, not installed here.", f"pip install {packages}") from error
    except Exception as error:  # each of fsspec's clients has errors of its own
        raise DataError(f"{where!r} cannot be used: {type(error).__name__}: {error}.") from error
    system.invalidate_cache()  # what was there a while ago may not be now
    return Remote(where, system, path)


def _lowered(where: str) -> str:
    """The URL with its protocol in small letters."""
    scheme, colon, rest = where.partition(":")
    return scheme.lower() + colon + rest


def rooted(where: str) -> str:
    """The same data whatever the current folder is: paths and patterns of shards in full, folders in names, too; URLs as they are."""
    if is_url(where):
        where = _lowered(where)
        return FILE + os.path.abspath(where.removeprefix(FILE)) if where.startswith(FILE) else where
    named = NAMED.fullmatch(where)
    if named:
        folder = os.path.expanduser(named[2])
        is_name = named[1] == "hf:" and not os.path.isdir(folder)
        return where if is_name else named[1] + os.path.abspath(folder) + named[3]
    if os.path.exists(where):
        return str(Path(where).resolve())
    return os.path.abspath(where) if where.endswith(".tar") else where
