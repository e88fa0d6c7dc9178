"""Pictures in folders, listed fast, and read with care."""

import os
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG

from promptlab.data.places import Place
from promptlab.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm")
# Bytes of the largest picture that is read: 89 million pixels of three colours, 16 bits each, are 537 MB.
LARGEST = 1 << 30


def pictures(folder: Path, root: Path) -> list[tuple[str, str]]:
    """(key, stamp) of every picture below a folder, sorted by key; a key is the path below root, with forward slashes.

    Linked files are read, linked folders are not followed (loops), hidden ones are left out.
    """
    cut = len(os.fspath(root.absolute()).rstrip(os.sep)) + 1
    return sorted((entry.path[cut:].replace(os.sep, "/"), stamp(entry)) for entry in _walk(folder.absolute()))


def _walk(folder: Path) -> Iterator["os.DirEntry[str]"]:
    waiting = [os.fspath(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                    waiting.append(entry.path)
                elif is_picture(entry):
                    yield entry


def is_picture(entry: "os.DirEntry[str]") -> bool:
    """Whether an entry goes by the name of a picture: a file, or a link wherever it leads, so that a broken one is told."""
    named = entry.name.lower().endswith(SUFFIXES) and not entry.name.startswith(".")
    return named and (entry.is_symlink() or entry.is_file())


def is_folder(entry: "os.DirEntry[str]") -> bool:
    """Whether an entry is a folder, or a link to one; a link to itself is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def stamp(file: "Path | os.DirEntry[str]") -> str:
    """What changes when the bytes of a file do: its size and time; `missing` without a file, e.g. for a link to nowhere."""
    try:
        status = file.stat()
    except OSError:
        return "missing"
    return f"{status.st_size}-{status.st_mtime_ns}"


def read(file: Path) -> bytes:
    """The bytes of a picture. Raises OSError as the disk does, DataError for what is no file (a pipe waits for ever) or is too large."""
    try:
        status = file.stat()
    except ValueError as error:  # a NUL
        raise DataError("its path is none") from error
    if not S_ISREG(status.st_mode):
        raise DataError("it is no file")
    if status.st_size > LARGEST:
        raise DataError(f"it has more than {LARGEST:,} bytes")
    return file.read_bytes()


def fetched(picture: Place) -> bytes:
    """The bytes of a picture behind a URL. Raises OSError as its server does, DataError for what is too large."""
    data = picture.read(0, LARGEST + 1)
    if len(data) > LARGEST:
        raise DataError(f"it has more than {LARGEST:,} bytes")
    return data
