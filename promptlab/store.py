"""Fingerprints, atomic files, and where the cache is laid out."""

import hashlib
import itertools
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from filelock import FileLock, Timeout

from promptlab.errors import StoreError


def fingerprint(*parts: Any) -> str:
    """sha256 (hex) of canonical content: JSON values, bytes and numpy arrays, each with its kind, so that ("a", "b") is not ("ab",)."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            head, body = f"array {part.dtype.str} {part.shape}", np.ascontiguousarray(part).tobytes()
        elif isinstance(part, bytes):
            head, body = "bytes", part
        else:
            head, body = (
                "json",
                json.dumps(part, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"),
            )
        digest.update(f"{head} {len(body)}\n".encode())
        digest.update(body)
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """sha256 (hex) of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns what the file system says into a StoreError that names the place and the remedy."""
    try:
        yield
    except OSError as error:
        hint = "Free some space." if error.errno == 28 else "Choose a folder that you can write to (--cache, or --runs)."
        raise StoreError(f"{str(path)!r} cannot be written: {error.strerror or error}.", hint) from error


def private_folder(path: Path) -> None:
    """Make a folder, and those above it that are not there, for the owner alone: mkdir's `mode` is that of the last one only."""
    for place in (*reversed(path.parents), path):
        place.mkdir(mode=0o700, exist_ok=True)


# A lone surrogate (a file name that is no text) becomes an escape, which is JSON too.
TEXT: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace"}


@contextmanager
def written(path: Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """A file that appears under its name only when it is whole: temporary name, flush to disk, rename."""
    with explained(path):
        private_folder(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(handle, mode, **({} if "b" in mode else TEXT)) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def write_json(path: Path, value: Any) -> None:
    """Indented JSON, written atomically; NaN is refused."""
    with written(path, "w") as file:
        json.dump(value, file, indent=1, ensure_ascii=False, allow_nan=False)
        file.write("\n")


def read_json(path: Path) -> Any:
    """What a JSON file holds; None when there is none, or when it is damaged."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    except OSError as error:
        raise StoreError(f"{str(path)!r} cannot be read: {error.strerror or error}.") from error


def slug(text: str, longest: int = 40) -> str:
    """A safe part of a file name from any text."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:longest] or "data"


@contextmanager
def locked(file: Path, waiting: Callable[[int], None]) -> Iterator[None]:
    """Only one process, and one thread, at a time holds the lock `file`.

    While it waits it calls `waiting` twice a second, with how many times it did so before; what that raises ends the wait.
    """
    with explained(file.parent):
        private_folder(file.parent)
        lock = FileLock(file, mode=0o600)
        for times in itertools.count():
            try:
                lock.acquire(timeout=0.5 if times else 0)
                break
            except Timeout:
                waiting(times)
    try:
        yield
    finally:
        lock.release()


# What the cache holds; anything else in its folder is not ours.
KINDS = ("features", "text", "scores", "hashes", "scales", "names", "study", "llm")


class Cache:
    """The cache folder: content-addressed, deletable at any time, readable by its owner alone."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _place(self, *parts: str) -> Path:
        with explained(self.root):
            private_folder(self.root)
        return self.root.joinpath(*parts)

    def features(self, encoder: str, precision: str) -> Path:
        """The folder of one encoder's picture vectors."""
        return self._place("features", f"{encoder[:16]}-{precision}")

    def texts(self, encoder: str) -> Path:
        """The file of one encoder's text vectors."""
        return self._place("text", encoder[:16], "texts.sqlite")

    def scores(self) -> Path:
        """The folder of what families scored."""
        return self._place("scores")

    def replies(self) -> Path:
        """The folder of what language models replied, one folder a provider."""
        return self._place("llm")

    def remembered(self, topic: str, key: str, make: Callable[[], Any], fits: Callable[[Any], bool] = lambda value: True) -> Any:
        """A JSON value that `make` computed once for this key; computed again when what was kept does not fit."""
        path = self._place(topic, f"{fingerprint(key)[:32]}.json")
        kept = read_json(path)
        if isinstance(kept, dict) and kept.get("key") == key and "value" in kept and fits(kept["value"]):
            return kept["value"]
        value = make()
        write_json(path, {"key": key, "value": value})
        return value

    def models(self) -> dict[str, str]:
        """{how `contents` begins to call an encoder: the model that somebody named}."""
        kept = [read_json(path) for path in sorted((self.root / "names").glob("*.json"))]
        return {str(entry["key"])[:16]: str(entry["value"]) for entry in kept if isinstance(entry, dict)}

    def contents(self) -> list[tuple[str, str, int, float]]:
        """(kind, encoder, bytes, newest change in seconds since 1970) of everything kept."""
        found: dict[tuple[str, str], tuple[int, float]] = {}
        for path in (p for kind in KINDS for p in (self.root / kind).rglob("*")):
            if path.is_file():
                parts = path.relative_to(self.root).parts
                key = (parts[0], parts[1] if len(parts) > 2 else "")
                status = path.stat()
                size, newest = found.get(key, (0, 0.0))
                found[key] = size + status.st_size, max(newest, status.st_mtime)
        return [(kind, encoder, size, newest) for (kind, encoder), (size, newest) in sorted(found.items())]

    def remove(self, kind: str, encoder: str) -> None:
        """Delete what is kept of one kind for one encoder."""
        with explained(self.root):
            shutil.rmtree(self.root / kind / encoder)
