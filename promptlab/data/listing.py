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
    return sorted((os.fspath(entry.path)[cut:].replace(os.sep, "/"), stamp(entry)) for entry in _walk(folder))


def _walk(folder: Path) -> Iterator["os.DirEntry[str]"]:
    waiting = [os.fspath(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.name.lower().endswith(SUFFIXES) and (entry.is_file() or entry.is_symlink()):
                    yield entry


def stamp(file: "Path | os.DirEntry[str]") -> str:
    """What changes when the bytes of a file do: its size and time; `missing` without a file, e.g. for a link to nowhere."""
    try:
        status = file.stat()
    except OSError:
        return "missing"
    return f"{status.st_size}-{status.st_mtime_ns}"
