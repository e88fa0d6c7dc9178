"""Disturb runs, let the next one finish, and compare it with a run that nobody disturbed.

    python bench/disturb.py FOLDER [--kills 50] [--pairs 5] [--full 5] [--seed 0]

Each time with an empty cache of its own. *kills*: SIGKILL after a random part of a usual run. *pairs*: two runs at once on one cache.
*full*: the cache lies on a tmpfs (needs the right to mount) with a random part of the room it takes, which then grows. Prints how often the
next run equalled the undisturbed one and encoded no picture again that was kept.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = [str(Path(sys.executable).with_name("promptlab")), "run", "--json", "--quiet", "--templates", "simple"]
MARK = 16  # bytes of a note for each picture, after its first line
ALIKE = ("baseline", "tried", "result", "difference", "families", "data")
EXIT_FULL = 1


@dataclass(frozen=True)
class Usual:
    """What an undisturbed run gives, takes and leaves."""

    found: dict[str, Any]
    seconds: float
    cache_bytes: int


@contextmanager
def place_of_its_own() -> Iterator[Path]:
    """A folder to run in; its cache is the folder `cache` within."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "cache").mkdir(mode=0o700)
        yield Path(name)


def start(folder: Path, place: Path, project: str = ".") -> "subprocess.Popen[bytes]":
    """The run, in a place of its own."""
    environment = {**os.environ, "PROMPTLAB_CACHE": str(place / "cache")}
    (place / project).mkdir(exist_ok=True)
    command = [*COMMAND, str(folder)]
    return subprocess.Popen(command, cwd=place / project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finished(run: "subprocess.Popen[bytes]") -> dict[str, Any]:
    """What a run that is left alone finds."""
    out, _ = run.communicate()
    found: dict[str, Any] = json.loads(out)
    return found


def undisturbed(folder: Path) -> Usual:
    """The run to compare with: the second of two, so that the disk has read the program before the clock runs."""
    with place_of_its_own() as place:
        finished(start(folder, place))
    with place_of_its_own() as place:
        began = time.monotonic()
        found = finished(start(folder, place))
        taken = sum(p.stat().st_size for p in (place / "cache").rglob("*") if p.is_file())
        return Usual(found, time.monotonic() - began, taken)


def kept(place: Path) -> int:
    """Pictures in the cache: those that a note names."""
    notes = (path.read_bytes() for path in (place / "cache").glob("features/**/*.note"))
    return sum(len(note.partition(b"\n")[2]) // MARK for note in notes)


def next_is_equal(folder: Path, place: Path, usual: Usual) -> bool:
    """Run again where one was disturbed: the same results, and no picture that was kept encoded again."""
    before = kept(place)
    found = finished(start(folder, place))
    return found["encoded"]["images"] <= usual.found["data"]["n"] - before and equal(found, usual)


def equal(found: dict[str, Any], usual: Usual) -> bool:
    """The same results, whatever was cached before."""
    return all(found[key] == usual.found[key] for key in ALIKE)


def killed(folder: Path, usual: Usual, rng: random.Random) -> tuple[bool, bool]:
    """One SIGKILL: did it hit a running run, and is the next one equal?"""
    with place_of_its_own() as place:
        run = start(folder, place)
        time.sleep(rng.uniform(0, usual.seconds))
        hit = run.poll() is None
        run.send_signal(signal.SIGKILL)
        run.communicate()
        return hit, next_is_equal(folder, place, usual)


def paired(folder: Path, usual: Usual) -> tuple[bool, bool]:
    """Two runs at once: was every picture encoded by one of them only, and are both equal?"""
    with place_of_its_own() as place:
        both = [start(folder, place, project) for project in ("one", "two")]
        results = [finished(run) for run in both]
        once = sum(found["encoded"]["images"] for found in results) == usual.found["encoded"]["images"]
        return once, all(equal(found, usual) for found in results)


def filled(folder: Path, usual: Usual, rng: random.Random) -> tuple[bool, bool]:
    """A disk that fills up and is given room: did the run say so, and is the next one equal?"""
    with place_of_its_own() as place:
        cache, size = place / "cache", int(usual.cache_bytes * rng.uniform(0.05, 0.9))
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", cache], check=True)
        try:
            run = start(folder, place)
            _, said = run.communicate()
            explained = run.returncode == EXIT_FULL and (b"No space left" in said or b"disk is full" in said)
            subprocess.run(["mount", "-o", f"remount,size={usual.cache_bytes * 4}", cache], check=True)
            return explained, next_is_equal(folder, place, usual)
        finally:
            subprocess.run(["umount", cache], check=True)


def main() -> int:
    """Disturb, run again, compare; gives back 1 if any next run differed or repeated finished work."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--full", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rng, folder = random.Random(given.seed), given.folder.resolve()
    usual = undisturbed(folder)
    print(
        f"undisturbed: {usual.seconds:.1f} s, {usual.cache_bytes:,} bytes of cache, {usual.found['encoded']['images']} pictures", flush=True
    )
    disturbances = {
        "killed while running": [killed(folder, usual, rng) for _ in range(given.kills)],
        "two at once, each picture encoded once": [paired(folder, usual) for _ in range(given.pairs)],
        "disk full, and told so": [filled(folder, usual, rng) for _ in range(given.full)],
    }
    for what, rounds in disturbances.items():
        print(f"{what}: {sum(hit for hit, _ in rounds)} of {len(rounds)}; equal to the undisturbed run: {sum(same for _, same in rounds)}")
    return int(not all(same for rounds in disturbances.values() for _, same in rounds))


if __name__ == "__main__":
    sys.exit(main())
