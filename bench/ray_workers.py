"""Pictures encoded by two workers of a real local Ray cluster, one of which is killed half way, against a plain run.

    python bench/ray_workers.py [--pictures 10000] [--kill actor|node|nobody] [--gpus]

The pictures are generated, 64 x 64; the model is the embedded one. A cluster of a head without CPUs and two nodes of one CPU each is
started on this machine. `actor` kills the process that encodes, `node` all processes of its node, each without a warning. With `--gpus` the
nodes claim a GPU each, so that pictures are decoded by some processes and encoded by others, as on a cluster that has them. Prints how far
the two runs are apart and what was done twice; exits with 1 unless keys and vectors are the same.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from promptlab.config import Settings
from promptlab.encode.engine import QUIET
from promptlab.events import Event, Progressed, ignore
from promptlab.lab import Lab
from promptlab.types import Features, Images


def draw(folder: Path, n: int) -> None:
    """n pictures in ten sub-folders: noise with a frame of its own colour."""
    rng = np.random.default_rng(0)
    for i in range(n):
        pixels = rng.integers(0, 255, (8, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        place = folder / f"class {i % 10}" / f"{i:06d}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place, quality=90)


def logged(images: Images, folder: Path) -> Images:
    """The same pictures; each process that reads one writes down which, in a file of its own."""
    folder.mkdir()
    inner = images.read

    def read(i: int) -> bytes:
        with open(folder / str(os.getpid()), "ab") as file:
            file.write(i.to_bytes(4, "little"))
        return inner(i)

    return replace(images, read=read)


@contextmanager
def two_workers(gpus: bool = False) -> Iterator[tuple[Any, list[Any]]]:
    """(a cluster, its two nodes that work); RAY_ADDRESS names it."""
    os.environ.update(QUIET)
    from ray.cluster_utils import Cluster

    memory = {"object_store_memory": 256 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **memory})
    try:
        nodes = [cluster.add_node(num_cpus=1, num_gpus=int(gpus), **memory) for _ in range(2)]
        os.environ["RAY_ADDRESS"] = cluster.address
        yield cluster, nodes
    finally:
        os.environ.pop("RAY_ADDRESS", None)
        cluster.shutdown()


def killer(kill: str, cluster: Any, nodes: list[Any], log: Path, at: int) -> tuple[Callable[[Event], None], list[str]]:
    """(a listener that kills a worker once `at` pictures are done, what it killed)."""
    killed = list[str]()

    def listen(event: Event) -> None:
        if killed or kill == "nobody" or not isinstance(event, Progressed) or event.done < at:
            return
        if kill == "node":
            cluster.remove_node(nodes[-1], allow_graceful=False)
            killed.append("a node")
        else:
            busy = max(log.iterdir(), key=lambda file: file.stat().st_mtime_ns)
            os.kill(int(busy.name), signal.SIGKILL)
            killed.append(f"process {busy.name}")

    return listen, killed


def measured(n: int, kill: str, folder: Path, cluster: Any, nodes: list[Any], **settings: Any) -> dict[str, Any]:
    """What came of n pictures encoded both ways, below a folder."""
    draw(folder / "pictures", n)
    plain = Lab(Settings.load({"cache": str(folder / "plain"), **settings}), ignore)
    dataset = plain.open(str(folder / "pictures"))
    wanted, _ = plain.features(dataset, plain.encoder())
    log = folder / "log"
    listen, killed = killer(kill, cluster, nodes, log, n // 2)
    lab = Lab(Settings.load({"cache": str(folder / "ray"), "engine": "ray", **settings}), listen)
    read = replace(dataset, splits={"all": logged(dataset.splits["all"], log)})
    found, new = lab.features(read, lab.encoder())
    times = Counter(i for file in log.iterdir() for i in np.fromfile(file, "<u4").tolist())
    return {
        "pictures": n,
        "encoded anew": new,
        "killed": ", ".join(killed) or "nobody",
        "processes that read": len(list(log.iterdir())),
        "read more than once": sum(count > 1 for count in times.values()),
        "lost": n - len(times),
        "equal keys": found["all"].keys == wanted["all"].keys,
        "largest difference": difference(found["all"], wanted["all"]),
    }


def difference(first: Features, second: Features) -> float:
    """Between any two of their numbers; infinite where they have not equally many."""
    if first.x.shape != second.x.shape:
        return float("inf")
    return max(float(abs(a - b).max()) for (_, a), (_, b) in zip(first.batches(4096), second.batches(4096), strict=True))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--kill", choices=("actor", "node", "nobody"), default="actor")
    parser.add_argument("--gpus", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, two_workers(given.gpus) as (cluster, nodes):
        found = measured(given.pictures, given.kill, Path(folder), cluster, nodes)
    for name, value in found.items():
        print(f"{name}: {value}")
    sys.exit(not found["equal keys"] or found["largest difference"] > 1e-6 or found["encoded anew"] != given.pictures)


if __name__ == "__main__":
    main()
