"""Pictures in folders, listed fast."""

import os
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm")


def pictures(folder: Path, root: Path) -> list[tuple[str, str]]:
    """(key, stamp) of every picture below a folder, sorted by key; a key is the path below root, with forward slashes.

    Linked files are read, linked folders are not followed (loops), hidden ones are left out.
    """
    cut = len(os.fspath(root).rstrip(os.sep)) + 1
    return sorted((os.fspath(entry.path)[cut:].replace(os.sep, "/"), _stamp(status)) for entry, status in _walk(folder))


def _walk(folder: Path) -> Iterator[tuple["os.DirEntry[str]", os.stat_result]]:
    waiting = [os.fspath(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.name.lower().endswith(SUFFIXES):
                    try:
                        yield entry, entry.stat()
                    except OSError:
                        continue  # a link to nowhere


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}"


def stamp(file: Path) -> str:
    """What changes when the bytes of a file do: its size and time; `missing` without a file."""
    try:
        return _stamp(os.stat(file))
    except OSError:
        return "missing"
