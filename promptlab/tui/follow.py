"""What a run's events.jsonl has that it had not before: for a run that another process works on."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from promptlab.events import Event, Finished, Noted, Saved, Started

FILE = "events.jsonl"
AT_ONCE = 1_000_000  # bytes that one look reads
KINDS: dict[str, tuple[Callable[..., Event], dict[str, tuple[type, ...]]]] = {
    "Started": (Started, {"work": (str,), "total": (int, type(None)), "unit": (str,)}),
    "Noted": (Noted, {"text": (str,), "level": (str,)}),
    "Saved": (Saved, {"what": (str,), "path": (str,)}),
    "Finished": (Finished, {"work": (str,), "done": (int,)}),
}


class Follow:
    """Reads on where it stopped. A line that is not yet whole waits; what is no event of ours is passed over."""

    def __init__(self, run: Path) -> None:
        self._path = run / FILE
        self._read, self._torn = 0, b""

    def new(self) -> list[tuple[datetime, Event]]:
        """(when, event) of every line since the last call, AT_ONCE bytes of them at most; none where nothing can be read."""
        try:
            with open(self._path, "rb") as file:
                if file.seek(0, 2) < self._read:  # another file has its place
                    self._read, self._torn = 0, b""
                file.seek(self._read)
                fresh = file.read(AT_ONCE)
        except OSError:
            return []
        self._read += len(fresh)
        *whole, torn = (self._torn + fresh).split(b"\n")
        self._torn = torn if len(torn) <= AT_ONCE else b""  # so long a line is none of ours
        return [found for found in map(parsed, whole) if found]


def parsed(line: bytes) -> tuple[datetime, Event] | None:
    """(when, event) of a line of events.jsonl; None where it is none."""
    try:
        found = json.loads(line)
        when = datetime.fromisoformat(found["time"])
        kind, fields = KINDS[found["event"]]
    except (ValueError, TypeError, KeyError, RecursionError):  # ValueError: no JSON, no UTF-8, no time
        return None
    if not all(_is_one(found.get(name), types) for name, types in fields.items()):
        return None
    return when, kind(**{name: found[name] for name in fields})


def _is_one(value: Any, types: tuple[type, ...]) -> bool:
    return isinstance(value, types) and not isinstance(value, bool)
