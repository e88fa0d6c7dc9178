"""Kill a run at random moments, let the next one finish, and compare with a run that nobody disturbed.

    python bench/kills.py FOLDER [--times 50] [--seed 0]

Each time: an empty cache, `promptlab run FOLDER`, SIGKILL after a random part of its usual time, then the same command again. Prints how
often the second run equalled the undisturbed one without encoding a picture of a finished shard again.
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
from pathlib import Path
from typing import Any

COMMAND = [str(Path(sys.executable).with_name("promptlab")), "run", "--json", "--quiet", "--templates", "simple"]
PER_SHARD = 256
ALIKE = ("baseline", "tried", "result", "difference", "families", "data")


def start(folder: Path, place: Path) -> "subprocess.Popen[bytes]":
    """The run, in a place of its own."""
    environment = {**os.environ, "PROMPTLAB_CACHE": str(place / "cache")}
    return subprocess.Popen([*COMMAND, str(folder)], cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def finished(folder: Path, place: Path) -> dict[str, Any]:
    """What a run that is left alone finds."""
    out, _ = start(folder, place).communicate()
    found: dict[str, Any] = json.loads(out)
    return found


def shards(place: Path) -> int:
    """Finished shards in the cache: those with a note."""
    return len([p for p in (place / "cache").rglob("features/**/*.json") if p.name != "index.json"])


def main() -> int:
    """Kill, repeat, compare; gives back 1 if any run differed or repeated finished work."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rng, folder, wrong, killed = random.Random(given.seed), given.folder.resolve(), 0, 0
    with tempfile.TemporaryDirectory() as undisturbed:
        began = time.monotonic()
        expected = finished(folder, Path(undisturbed))
        usual = time.monotonic() - began
    for _ in range(given.times):
        with tempfile.TemporaryDirectory() as name:
            place = Path(name)
            run = start(folder, place)
            time.sleep(rng.uniform(0, usual))
            killed += run.poll() is None
            run.send_signal(signal.SIGKILL)
            run.communicate()
            kept = shards(place)
            found = finished(folder, place)
            again = found["encoded"]["images"] > max(0, expected["data"]["n"] - kept * PER_SHARD)
            wrong += again or any(found[key] != expected[key] for key in ALIKE)
    print(f"{given.times} runs, {killed} of them killed; {given.times - wrong} next runs equal an undisturbed one, and do no shard again")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
