"""Which weighting by default? Every way on many problems cut from real data, over fresh random halves.

    python bench/weightings.py [--clip FOLDER] [--pictures FOLDER] [--halves 4]

Problems: `everyday` (shipped; all 40 families, and 4 draws of 8); --pictures: the same of a folder of pictures; --clip: features with
text vectors whose names mostly do not occur: the classes that occur among 0, 100, 250, 600 and all other names, with all families and
with each one left out. A way is weighed on one half and told on the other: difference to uniform in accuracy and in the mean accuracy of
the classes that uniform does worst on, on tune. Prints, per group of problems, the mean and the least over problems, in points.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from promptlab import Lab
from promptlab.config import Settings
from promptlab.events import ignore
from promptlab.score.classifier import classify
from promptlab.score.ensemble import build, uniform
from promptlab.score.evidence import Evidence
from promptlab.score.halves import halves
from promptlab.score.reducers import default_k, worst_order
from promptlab.score.weighting import find, title, weighting
from promptlab.types import Array, Classes, Combine, Features, Material, PromptGrid, TextBank

WAYS: tuple[dict[str, Any], ...] = (
    {"name": "cpe"},
    {"name": "cpe", "scope": "class"},
    {"name": "cpe", "labels": "self"},
    {"name": "cmm-top/worst-k"},
    {"name": "cmm-top/worst-k", "scope": "class"},
    {"name": "zpe"},
    {"name": "zpe", "combine": "embedding"},
    {"name": "carprt"},
    {"name": "shrunk", "evidence": "similarity"},
    {"name": "shrunk", "evidence": "margin"},
    {"name": "shrunk"},
    {"name": "shrunk", "scope": "global"},
    {"name": "shrunk", "labels": "ensemble"},
    {"name": "shrunk", "combine": "logit"},
)


@dataclass(frozen=True)
class Problem:
    """Pictures with labels, and the text vectors that are to tell them apart."""

    group: str
    features: Features
    bank: TextBank


def cut(bank: TextBank, families: Array, classes: Array) -> TextBank:
    """The bank of some families and classes."""
    z = bank.z[np.ix_(families, classes)]
    k, c = (axis.ravel() for axis in np.indices(z.shape[:2]))
    texts = tuple(f"{i} of {j}" for i, j in zip(k, c, strict=True))
    named = Classes(tuple(bank.grid.classes.ids[i] for i in classes), tuple(bank.grid.classes.names[i] for i in classes))
    grid = PromptGrid(named, tuple(bank.grid.families[i] for i in families), texts, np.stack([k, c, np.arange(len(k))], 1))
    return replace(bank, z=z, grid=grid, texts=None)


def whole(material: Material) -> Features:
    """Both halves together again."""
    first, second = material.tune, material.judged
    assert first.labels is not None
    assert second.labels is not None
    x, labels = np.concatenate([first.x[:], second.x[:]]), np.concatenate([first.labels, second.labels])
    return replace(first, x=x, labels=labels, keys=first.keys + second.keys, split="all")


def drawn(group: str, material: Material) -> Iterator[Problem]:
    """All families, and four draws of eight."""
    features, bank, rng = whole(material), material.bank, np.random.default_rng(1)
    every, classes = np.arange(len(bank.z)), np.arange(bank.z.shape[1])
    for families in (every, *(np.sort(rng.choice(every, 8, replace=False)) for _ in range(4))):
        yield Problem(group, features, cut(bank, families, classes))


def among(group: str, material: Material) -> Iterator[Problem]:
    """The classes that occur among more and more that do not, with all families and with each left out."""
    features, bank, rng = whole(material), material.bank, np.random.default_rng(1)
    assert features.labels is not None
    occur, every = np.unique(features.labels), np.arange(bank.z.shape[1])
    rest, families = np.setdiff1d(every, occur), np.arange(len(bank.z))
    for more in (0, 100, 250, 600, len(rest)):
        classes = np.sort(np.concatenate([occur, rng.choice(rest, more, replace=False)]))
        labelled = replace(features, labels=np.searchsorted(classes, features.labels))
        for left_out in (None, *families):
            yield Problem(group, labelled, cut(bank, families[families != left_out], classes))


def told(problem: Problem, lab: Lab, seed: int) -> dict[str, tuple[float, float, float]]:
    """{way: differences to uniform in accuracy, in accuracy of the worst classes, in classes at 0} on one pair of halves."""
    tune_rows, eval_rows = halves(problem.features.labels, len(problem.features), seed)
    tune, judged = problem.features.take(tune_rows, "tune"), problem.features.take(eval_rows, "eval")
    bank, c = problem.bank, problem.bank.z.shape[1]
    evidence = Evidence(tune, bank, lab.rules, lab.device, ignore)
    first = uniform(bank)
    order = worst_order(shares(classify(first, tune, tune.labels, lab.device).hit, tune, c), np.zeros(c))
    worst = order[: default_k(len(order))]

    def figures(w: Array, combine: Combine) -> Array:
        hit = classify(build(bank, w, combine), judged, judged.labels, lab.device).hit
        assert hit is not None
        share = shares(hit, judged, c)
        return np.array([hit.mean(), share[worst].mean(), (share == 0).sum()])

    k = len(bank.z)
    base = figures(np.full(k, 1 / k), Combine.EMBEDDING)
    found = {}
    for way in WAYS:
        how = weighting(way["name"], lab.rules, c, **{name: value for name, value in way.items() if name != "name"})
        found[title(how)] = tuple((figures(find(how, evidence)[0].w, how.combine) - base).tolist())
    return found


def shares(hit: Array | None, features: Features, classes: int) -> Array:
    """(C,) accuracy, NaN where a class does not occur."""
    assert hit is not None
    assert features.labels is not None
    count = np.bincount(features.labels, minlength=classes)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.bincount(features.labels[hit], minlength=classes) / count)


def main() -> int:
    """Run every problem and print one table per group."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--halves", type=int, default=4)
    given = parser.parse_args()
    lab = Lab(Settings.load({}))
    problems = [*drawn("everyday", lab.encode("everyday"))]
    problems += [*drawn(given.pictures.name, lab.encode(str(given.pictures)))] if given.pictures else []
    problems += [*among(given.clip.name, lab.encode(str(given.clip)))] if given.clip else []
    kept: dict[str, dict[str, list[Array]]] = {}
    for problem in problems:
        seeds = [told(problem, lab, 100 + seed) for seed in range(given.halves)]
        for way in seeds[0]:
            kept.setdefault(problem.group, {}).setdefault(way, []).append(np.mean([one[way] for one in seeds], 0))
    for group, ways in kept.items():
        print(f"\n{group}: {len(next(iter(ways.values())))} problems x {given.halves} halves, minus uniform, in points")
        print(f"{'weighting':28s} {'accuracy':>9s} {'least':>7s} {'worst-k':>9s} {'least':>7s} {'at 0':>6s}")
        for way, rows in sorted(ways.items(), key=lambda item: -np.mean(item[1], 0)[1]):
            mean, least = np.mean(rows, 0), np.min(rows, 0)
            print(f"{way:28s} {100 * mean[0]:+9.2f} {100 * least[0]:+7.2f} {100 * mean[1]:+9.2f} {100 * least[1]:+7.2f} {mean[2]:+6.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
