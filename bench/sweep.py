"""One pass of the contest against the matrix products alone, in one process, side by side.

    python bench/sweep.py [--families 80] [--classes 1000] [--images 50000] [--width 512] [--rounds 3] [--threads 0]

Random unit vectors. The sweep reads `cmm`, `hit@5` (rank) and `loglik` (logz) off every image and family; the peer multiplies the same
blocks and keeps nothing. Rounds alternate; prints the median seconds of both, their ratio, and the largest memory of the process.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from promptlab.events import ignore
from promptlab.score.contest import Columns, block
from promptlab.score.rules import promptlab_rules
from promptlab.score.sweep import sweep
from promptlab.types import Array, Features, LabelSource, unit

RULES = {rule.name: rule for rule in promptlab_rules()}
NAMES = ("cmm", "hit@5", "loglik")


def bare(x: Array, z: Array) -> None:
    """The products of the sweep's own blocks, nothing else."""
    size, _ = block("cpu", z.shape[1], len(z), len(x))
    rows = [torch.from_numpy(family) for family in z]
    for start in range(0, len(x), size):
        images = torch.from_numpy(x[start : start + size])
        for family in rows:
            images @ family.T


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> int:
    """Time both in turn and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, value in {"families": 80, "classes": 1000, "images": 50_000, "width": 512, "rounds": 3, "threads": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    rng = np.random.default_rng(0)
    x = unit(rng.standard_normal((given.images, given.width), np.float32))
    z = unit(rng.standard_normal((given.families, given.classes, given.width), np.float32))
    labels = rng.integers(0, given.classes, given.images)
    features = Features(x, tuple(f"{i:08d}" for i in range(given.images)), labels, "all", "")
    columns, families = Columns(z), tuple(f"family {k}" for k in range(given.families))

    def ours() -> None:
        sweep(features, columns, NAMES, RULES, source=LabelSource.TRUE, labels=labels, families=families, scale=100.0, listen=ignore)

    pairs = [(seconds(lambda: bare(x, z)), seconds(ours)) for _ in range(given.rounds)]
    product, whole = (float(np.median(side)) for side in zip(*pairs, strict=True))
    flops = 2 * given.families * given.classes * given.images * given.width
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{given.families} families x {given.classes} classes x {given.images} images x {given.width}, {torch.get_num_threads()} threads")
    print(f"products alone {product:.2f} s ({flops / product / 1e9:.0f} GFLOP/s), sweep of {', '.join(NAMES)} {whole:.2f} s")
    print(f"the sweep runs at {product / whole:.0%} of the products' rate; largest memory {memory:.2f} GiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
