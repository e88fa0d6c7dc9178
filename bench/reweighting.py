"""Other weights over vectors that are there: what `promptlab run --weights X` does after loading.

    python bench/reweighting.py [--pictures 10000] [--classes 100] [--families 80] [--width 512] [--threads 1] [--rounds 3] [--json]

Random unit vectors around those of their classes; half of the pictures are for tune, as in every run. Ours scores every family, weighs,
builds and judges with intervals and health checks (`loops.run`), nothing known of any family; once more with what families scored
kept. The peer is what scripts do, in numpy: a loop over templates with a
loop over classes inside, for the mean margin of each class under each family, then a loop over classes that builds a classifier, and
its accuracy. Both give the same margins. The limit is one product of all pictures on tune with all text vectors.
"""

import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rows import alternate, parser, row, told

from promptlab import Lab, Settings
from promptlab.events import ignore
from promptlab.loops.run import run
from promptlab.score.kept import KeptScores
from promptlab.types import Array, Material, unit


def world(file: Path, pictures: int, classes: int, families: int, width: int) -> None:
    """Vectors of pictures and texts in a file."""
    rng = np.random.default_rng(0)
    centre = unit(rng.standard_normal((classes, width), np.float32))
    labels = np.arange(pictures) % classes
    x = unit(centre[labels] + 0.15 * rng.standard_normal((pictures, width), np.float32))
    text = unit(centre + 0.05 * rng.standard_normal((families, classes, width), np.float32))
    names = np.array([f"thing {c}" for c in range(classes)])
    np.savez(file, features=x, labels=labels, names=names, text=text, scale=np.array(100.0))


def naive(material: Material) -> Array:
    """(K, C) mean margins, by loops; builds and judges a classifier from them, too."""
    x, y = np.asarray(material.tune.x), material.tune.labels
    judged, right = np.asarray(material.judged.x), material.judged.labels
    z = material.bank.z
    margins = np.empty(z.shape[:2])
    for k, family in enumerate(z):
        similarity = x @ family.T
        for c in range(len(family)):
            here = similarity[y == c]
            margins[k, c] = (here[:, c] - np.delete(here, c, 1).max(1)).mean()
    weights = np.exp(margins.mean(1) / margins.mean(1).std())
    rows = []
    for c in range(z.shape[1]):
        total = np.zeros(z.shape[2])
        for k in range(len(z)):
            total += weights[k] * z[k, c]
        rows.append(total / np.linalg.norm(total))
    guesses = (judged @ np.stack(rows).astype(np.float32).T).argmax(1)
    for c in range(len(rows)):
        (guesses[right == c] == c).mean()
    return margins


def product(material: Material) -> None:
    """Nothing but the products."""
    x, z = torch.from_numpy(np.asarray(material.tune.x)), torch.from_numpy(material.bank.z.reshape(-1, material.bank.z.shape[2]))
    for start in range(0, len(z), 1000):
        torch.mm(x, z[start : start + 1000].T)


def kept(found: dict[str, Any], name: str, work: Callable[[], Any]) -> Callable[[], None]:
    """The work, whose result is kept by its name."""
    return lambda: found.__setitem__(name, work())


def main() -> int:
    """Measure and print."""
    arguments = parser(__doc__)
    for name, value in {"pictures": 10_000, "classes": 100, "families": 80, "width": 512}.items():
        arguments.add_argument(f"--{name}", type=int, default=value)
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "world.npz"
        world(file, given.pictures, given.classes, given.families, given.width)
        labs = {way: Lab(Settings.load({"weights": way, **how})) for way, how in (("cmm", {"labels": "true"}), ("shrunk", {}))}
        dataset = labs["cmm"].classified(str(file))
        material = labs["cmm"].prepare(dataset)
        choices = {way: replace(lab.choice(dataset), kept=None) for way, lab in labs.items()}
        again = KeptScores(Path(folder) / "scores")
        works: dict[str, Callable[[], None]] = {
            way: kept(found, way, lambda way=way: run(material, choices[way], labs[way].rules, ignore)) for way in choices
        }
        works["again"] = kept(found, "again", lambda: run(material, replace(choices["shrunk"], kept=again), labs["shrunk"].rules, ignore))
        works["again"]()
        works |= {"naive": kept(found, "naive", lambda: naive(material)), "product": lambda: product(material)}
        costs = alternate(given.rounds, works)
    size = f"{given.pictures:,} pictures x {given.classes} classes x {given.families} templates"
    shape: dict[str, Any] = {"threads": given.threads, "rounds": given.rounds, "limit": ("one bare product", costs["product"])}
    difference = float(np.abs(found["cmm"].board.per_class - found["naive"]).max())
    rows = [
        row(f"Re-weighting by cmm: {size}", costs["cmm"], peer=("numpy loops", costs["naive"]), difference=difference, **shape),
        row(f"Re-weighting by default: {size}", costs["shrunk"], note="three questions to all families; wanted: under 1 s", **shape),
        row(f"Re-weighting by default, scores kept: {size}", costs["again"], threads=given.threads, rounds=given.rounds),
    ]
    told(rows, given.as_json)
    return int(difference > 1e-5)


if __name__ == "__main__":
    sys.exit(main())
