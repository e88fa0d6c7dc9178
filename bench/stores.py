"""Picture vectors by the million: how long a store takes to open, and what a sweep over it takes.

    python bench/stores.py [--pictures 1300000 10000000] [--width 64] [--classes 100] [--rounds 3] [--threads 2] [--json]

Random unit vectors in half precision. Of each size two things are opened: the store that `encode` fills, in which every picture is then
found by its mark; and a folder of .npy files, as `promptlab run FOLDER` opens it. Then one classifier is scored by `cmm` on all of it.
Each step is a process of its own, so that its largest memory is told. The files were just written, so that the disk is left out.
"""

import json
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rows import Cost, cost, median, parser, row, run, told

from promptlab.data.features import FeatureFiles
from promptlab.encode.segments import MARK, Store
from promptlab.events import ignore
from promptlab.protocols import DataOptions
from promptlab.score.contest import Columns
from promptlab.score.rules import promptlab_rules
from promptlab.score.sweep import sweep
from promptlab.types import Array, Features, LabelSource, Named, unit

PIECE = 16_384


def write(folder: Path, pictures: int, width: int, classes: int) -> None:
    """Both, with the same vectors."""
    rng, store = np.random.default_rng(0), Store(folder / "store", "bench")
    (folder / "files").mkdir(parents=True)
    x = np.lib.format.open_memmap(folder / "files" / "features.npy", "w+", np.float16, (pictures, width))
    marks = np.lib.format.open_memmap(folder / "marks.npy", "w+", np.uint8, (pictures, MARK))
    for start in range(0, pictures, PIECE):
        some = slice(start, min(start + PIECE, pictures))
        x[some] = unit(rng.standard_normal((some.stop - start, width), np.float32))
        marks[some] = rng.integers(0, 256, (some.stop - start, MARK), np.uint8)
        store.add(marks[some], x[some], {})
    np.save(folder / "files" / "labels.npy", rng.integers(0, classes, pictures))
    np.save(folder / "files" / "names.npy", np.array([f"class {c}" for c in range(classes)]))


def from_store(folder: Path) -> Features:
    """Every picture found, in their order."""
    store, marks = Store(folder / "store", "bench"), np.load(folder / "marks.npy", mmap_mode="r")
    x, _ = store.rows(store.find(np.asarray(marks)))
    assert x is not None  # all were written
    labels = np.load(folder / "files" / "labels.npy")
    return Features(x, Named(np.arange(len(x))), labels, "all", "bench")


def from_files(folder: Path) -> Features:
    """As `promptlab run FOLDER` opens it."""
    found = FeatureFiles().open(str(folder / "files"), DataOptions()).splits["all"]
    assert isinstance(found, Features)
    return found


def scored(features: Features, classes: int) -> None:
    """One classifier by `cmm`."""
    z: Array = unit(np.random.default_rng(1).standard_normal((1, classes, features.x.shape[1]), np.float32))
    rules = {rule.name: rule for rule in promptlab_rules()}
    asked: dict[str, Any] = {"source": LabelSource.TRUE, "labels": features.labels, "families": ("one",), "scale": 100.0, "listen": ignore}
    sweep(features, Columns(z), ["cmm"], rules, **asked)


def step(name: str, folder: Path, classes: int, rounds: int) -> dict[str, Any]:
    """What one step takes, and the largest memory in GB."""
    if name.startswith("open"):
        opened = {"open store": from_store, "open files": from_files}[name]
        took = median([cost(lambda: opened(folder)) for _ in range(rounds)])
    else:
        features = from_store(folder)
        took = cost(lambda: scored(features, classes))
    return {"took": took, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9}


STEPS = {
    "open store": "a store is opened and every picture found",
    "open files": "a folder of .npy files is opened",
    "sweep": "one classifier is scored by cmm over the store",
}


def main() -> int:
    """Each size and step, in processes of their own."""
    made = parser(__doc__, threads=2)
    made.add_argument("--pictures", type=int, nargs="+", default=[1_300_000, 10_000_000])
    made.add_argument("--width", type=int, default=64)
    made.add_argument("--classes", type=int, default=100)
    made.add_argument("--step", nargs=2, metavar=("NAME", "FOLDER"), help="do one step in this process")
    given = made.parse_args()
    torch.set_num_threads(given.threads)
    if given.step:
        print(json.dumps(step(given.step[0], Path(given.step[1]), given.classes, given.rounds)))
        return 0
    rows = []
    for pictures in given.pictures:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write(folder, pictures, given.width, given.classes)
            for one, about in STEPS.items():
                shape = ["--classes", given.classes, "--threads", given.threads, "--rounds", given.rounds]
                found = json.loads(run([sys.executable, Path(__file__).resolve(), "--step", one, folder, *map(str, shape)], folder))
                what = f"{about}: {pictures:,} x {given.width}"
                took, rounds = Cost(*found["took"]), 1 if one == "sweep" else given.rounds
                rows.append(row(what, took, threads=given.threads, rounds=rounds, note=f"{found['memory']:.2g} GB at most"))
    told(rows, given.as_json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
