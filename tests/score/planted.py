"""Planted material: small values made from plain arrays, random worlds, and sets whose right answers are known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st

from promptlab.events import ignore
from promptlab.loops.run import Choice
from promptlab.score.contest import Columns
from promptlab.score.rules import promptlab_rules
from promptlab.score.sweep import sweep
from promptlab.score.weighting import Weighting, weighting
from promptlab.types import (
    Array,
    Classes,
    Classifier,
    Combine,
    Dataset,
    Features,
    LabelSource,
    Material,
    PromptGrid,
    Scoreboard,
    TextBank,
    unit,
)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Products on one thread, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


RULES = {rule.name: rule for rule in promptlab_rules()}

# Seeded: a failure is the same on every machine. No deadline: the first product of a process takes long.
checked = settings(max_examples=50, deadline=None, derandomize=True)
checked_briefly = settings(checked, max_examples=20)

# Unit rows of width 4 whose cosines are exact in every precision: 0, +-0.5 and +-1. Drawn from them, worlds are full of real ties.
ATOMS = np.concatenate([np.eye(4), -np.eye(4), np.array(list(np.ndindex(2, 2, 2, 2))) - 0.5]).astype(np.float32)


def features_of(x: Array, labels: Array | None = None, keys: Sequence[str] = (), encoder: str = "", split: str = "all") -> Features:
    """Features of plain rows (N, D)."""
    named = tuple(keys) or tuple(f"{i:05d}.png" for i in range(len(x)))
    return Features(np.asarray(x, np.float32), named, None if labels is None else np.asarray(labels, np.int64), split, encoder)


def names_of(count: int) -> Classes:
    """That many classes, `class 0` and so on."""
    return Classes.of([f"class {c}" for c in range(count)])


def bank_of(z: Array, families: Sequence[str] = (), encoder: str = "", scale: float = 100.0) -> TextBank:
    """A bank of plain cell vectors (K, C, D), one text per cell."""
    k, c = (axis.ravel() for axis in np.indices(z.shape[:2]))
    texts = tuple(f"{i} says {j}" for i, j in zip(k, c, strict=True))
    named = tuple(families) or tuple(f"family {i}" for i in range(len(z)))
    grid = PromptGrid(names_of(z.shape[1]), named, texts, np.stack([k, c, np.arange(len(k))], 1))
    return TextBank(np.asarray(z, np.float32), grid, encoder, scale)


def classifier_of(weight: Array, bias: Array | None = None, scale: float = 100.0) -> Classifier:
    """A classifier of plain rows (C, D)."""
    offsets = np.zeros(len(weight)) if bias is None else bias
    return Classifier(np.asarray(weight, np.float32), np.asarray(offsets, np.float32), scale, names_of(len(weight)), "")


def from_similarity(s: Array) -> tuple[Array, Array]:
    """(x (N, D) unit, z (C, D) unit) with x @ z.T = s (N, C), whose rows have norm 1 at most: one more width takes the rest."""
    s = np.asarray(s, float)
    rest = np.sqrt(1 - (s * s).sum(1, keepdims=True))
    return np.hstack([s, rest]), np.eye(s.shape[1], s.shape[1] + 1)


def predicting(winners: Array, classes: int) -> tuple[Features, Classifier]:
    """Images and a classifier that gives them these winners, each with a margin of 1."""
    return features_of(np.eye(classes)[winners]), classifier_of(np.eye(classes))


def boards(
    features: Features,
    z: Array,
    names: Sequence[str],
    labels: Array | None,
    source: LabelSource = LabelSource.TRUE,
    *,
    batch: int | None = None,
    offset: Array | None = None,
    scale: float = 100.0,
) -> dict[str, Scoreboard]:
    """One pass of built-in rules over plain cells (K, C, D)."""
    columns = Columns(np.asarray(z, np.float32), offset)
    families = tuple(f"family {i}" for i in range(len(z)))
    return sweep(
        features,
        columns,
        names,
        RULES,
        source=source,
        labels=labels,
        families=families,
        scale=scale,
        listen=ignore,
        batch=batch,
    )


@dataclass(frozen=True)
class World:
    """N images, K x C cells, random labels and keys."""

    x: Array
    z: Array
    labels: Array
    keys: tuple[str, ...]

    @property
    def features(self) -> Features:
        return features_of(self.x, self.labels, self.keys)

    @property
    def similarity(self) -> Array:
        """(N, K, C) f8, product by product: equal cells give equal values to the bit."""
        x, z = unit(self.x.astype(float)), self.z.astype(float)
        return (x[:, None, None] * z).sum(-1)


@st.composite
def worlds(draw: st.DrawFn, *, ties: bool | None = None, twins: bool = True, fewest_classes: int = 2) -> World:
    """Worlds of any small size. ties: whether rows come from ATOMS; None draws it. twins: whether classes may share all their cells."""
    n, c, k = draw(st.integers(1, 24)), draw(st.integers(fewest_classes, 6)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    exact = draw(st.booleans()) if ties is None else ties
    d = 4 if exact else draw(st.integers(3, 8))
    x = ATOMS[rng.integers(0, len(ATOMS), n)] if exact else rng.normal(size=(n, d))
    z = ATOMS[rng.integers(0, len(ATOMS), (k, c))] if exact else unit(rng.normal(size=(k, c, d)))
    for a, b in draw(st.lists(st.tuples(st.integers(0, c - 1), st.integers(0, c - 1)), max_size=3)) if twins else []:
        z[:, a] = z[:, b]
    keys = tuple(f"{i:03d}.png" for i in rng.permutation(n))
    return World(x.astype(np.float32), z.astype(np.float32), rng.integers(0, c, n), keys)


@dataclass(frozen=True)
class Planted:
    """Images of known classes around unit prototypes, and families whose texts lie more or less near to them."""

    prototypes: Array
    z: Array
    x: Array
    labels: Array

    def features(self, rows: Array | slice = slice(None), split: str = "all", encoder: str = "", labelled: bool = True) -> Features:
        labels = self.labels[rows] if labelled else None
        return features_of(self.x[rows], labels, encoder=encoder, split=split)


def planted(
    seed: int,
    *,
    classes: int = 8,
    each: int = 20,
    width: int = 32,
    image_noise: float = 1.0,
    text_noise: Sequence[float] = (0.3, 0.3, 0.3),
) -> Planted:
    """Noise is measured in prototype lengths. Images come class by class, `each` of them."""
    rng = np.random.default_rng(seed)

    def around(rows: Array, noise: float) -> Array:
        return np.asarray(unit(rows + noise * rng.normal(size=rows.shape) / np.sqrt(width)))

    prototypes = unit(rng.normal(size=(classes, width)))
    labels = np.repeat(np.arange(classes), each)
    z = np.stack([around(prototypes, noise) for noise in text_noise])
    return Planted(prototypes, z, around(prototypes[labels], image_noise), labels)


def material_of(tune: Features, judged: Features, bank: TextBank, single: TextBank | None = None) -> Material:
    """What the main loop needs, from parts."""
    data = Dataset("planted", bank.grid.classes, {"tune": tune, "eval": judged}, bank)
    return Material(data, tune, judged, bank, bank, single, "", {}, (), ())


def choice_of(
    weights: str = "cpe",
    labels: LabelSource = LabelSource.ENSEMBLE,
    combine: Combine = Combine.EMBEDDING,
    debias: str = "none",
    tau: float = 1.0,
    k: int = 0,
) -> Choice:
    """The settings of the main loop, on the CPU, seed 0."""
    return Choice(way_of(weights, labels, combine, tau, k), debias, None, k, 0, "cpu")


def way_of(
    weights: str,
    labels: LabelSource = LabelSource.ENSEMBLE,
    combine: Combine = Combine.EMBEDDING,
    tau: float = 1.0,
    k: int = 0,
    scope: str = "auto",
) -> Weighting:
    """A way of weighing, with everything said."""
    return weighting(weights, RULES, 10, labels=labels, combine=combine, tau=tau, k=k, scope=scope)
