"""How long promptlab takes to answer: `--help`, `runs list`, and the first screen of the terminal UI.

    python bench/startup.py [--rounds 7] [--json]

Whole processes, in rounds in which each has its turn. The terminal UI runs in a terminal of its own; its time ends when the names of the
classes stand on it. Told are medians.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

import numpy as np
from rows import Cost, cost, median, parser, row, run, told

PROMPTLAB = Path(sys.executable).with_name("promptlab")
CLASSES = 100
LAST = 20  # seconds after which something is wrong


def world(folder: Path) -> None:
    """A run of made-up vectors."""
    rng = np.random.default_rng(0)
    text = rng.standard_normal((8, CLASSES, 64)).astype(np.float32)
    labels = np.arange(20 * CLASSES) % CLASSES
    names = np.array([f"thing {c}" for c in range(CLASSES)])
    np.savez(folder / "world.npz", features=text[0][labels], labels=labels, names=names, text=text)
    run([PROMPTLAB, "run", "world.npz", "--quiet"], folder)


def first_paint(folder: Path) -> Cost:
    """From the start of `promptlab tui` until class names stand on its screen. Raises RuntimeError when they never do."""
    began = time.perf_counter()
    child, screen = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execve(PROMPTLAB, [str(PROMPTLAB), "tui"], os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"})
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 45, 140, 0, 0))
    drawn = b""
    try:
        while b"thing " not in drawn:
            ready, _, _ = select.select([screen], [], [], LAST)
            if not ready:
                raise RuntimeError(f"The terminal UI drew nothing in {LAST} s.")
            drawn += os.read(screen, 2**16)
        wall = time.perf_counter() - began
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        return Cost(wall, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
    finally:
        os.kill(child, signal.SIGKILL)
        os.close(screen)
        os.waitpid(child, 0)


def main() -> int:
    """Measure and print."""
    given = parser(__doc__, rounds=7).parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {"PROMPTLAB_CACHE": str(folder / "cache"), "PROMPTLAB_CONFIG": str(folder / "config")}
        world(folder)
        works = {
            "promptlab --help": (0.25, lambda: cost(lambda: run([PROMPTLAB, "--help"], folder))),
            "promptlab runs list": (0.4, lambda: cost(lambda: run([PROMPTLAB, "runs", "list"], folder))),
            "promptlab tui, first screen": (1.0, lambda: first_paint(folder)),
        }
        found: dict[str, list[Cost]] = {what: [] for what in works}
        for _ in range(given.rounds):
            for what, (_, work) in works.items():
                found[what].append(work())
    rows = [
        row(what, median(found[what]), threads=given.threads, rounds=given.rounds, note=f"wanted: under {aim} s by the clock")
        for what, (aim, _) in works.items()
    ]
    told(rows, given.as_json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
