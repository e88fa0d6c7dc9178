"""What code does while it runs, as Python's audit events tell it: files that it opens, folders that it lists, whether it asks
the network or another process.

They are heard from every thread, whichever function opens a file; only what a C library opens by itself is not seen.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LISTS = ("os.listdir", "os.scandir")
WAITS = {
    "socket.connect": "went to the network",
    "socket.getaddrinfo": "went to the network",
    "subprocess.Popen": "started a process",
}
STANDARD = os.path.dirname(os.__file__)
CODE = (".py", ".pyc", ".so", ".pyd", ".dll")


class Seen:
    """What was seen so far."""

    def __init__(self) -> None:
        self.opened: set[str] = set()
        self.listed = 0
        self.waited: set[str] = set()

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """One audit event. Modules that are imported count as nothing."""
        if event == "open" and isinstance(arguments[0], str | bytes) and not os.fsdecode(arguments[0]).endswith(CODE):
            self.opened.add(os.fsdecode(arguments[0]))
        elif event in LISTS:
            self.listed += 1
        elif event in WAITS:
            self.waited.add(WAITS[event])

    def files(self) -> set[str]:
        """The files that were opened, links followed."""
        return {os.path.realpath(path) for path in self.opened}


# An audit hook stays for as long as the process does, so there is one, and it hears only while somebody watches.
_watching: list[Seen] = []
_hooked: list[bool] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    for seen in _watching:
        seen.hear(event, arguments)


@contextmanager
def watching() -> Iterator[Seen]:
    """What the code inside does."""
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_hook)
    seen = Seen()
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.remove(seen)


@contextmanager
def taking_turns() -> Iterator[None]:
    """Threads that are started inside give way to others after every step of Python code: what one can do to another happens at once, not
    once in a thousand times."""

    def step(frame: Any, event: str, argument: Any) -> Any:
        file = frame.f_code.co_filename
        if file.startswith(STANDARD) and "site-packages" not in file:
            return None  # Python's own: it would take seconds, and is not what is tested
        frame.f_trace_opcodes = True
        time.sleep(0)
        return step

    before = threading.gettrace()
    threading.settrace(step)
    try:
        yield
    finally:
        threading.settrace(before)
