"""A world of words without an encoder: every text is a vector, names are ambiguous, and some of what is said of a class helps.

Classes come in pairs that share a name, as a crane and a crane do: the vectors of both names lie between the two meanings, each a little
nearer to its own. Pictures lie around their meaning. All pictures and texts lean towards one direction, as CLIP's do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from promptlab.loops.enrich import Ask, Bundle, Trial, keep
from promptlab.score.swaps import Swaps
from promptlab.types import Array, Description, Features, Form, Place, unit

GOOD, OTHER, STRANGER, GENERIC = "good", "other meaning", "stranger", "generic"
KINDS = (GOOD, OTHER, STRANGER, GENERIC)


def class_id(c: int) -> str:
    """What the tests call class c."""
    return f"c{c}"


def said(c: int, *texts: str, place: Place = Place.INSIDE, use: bool = True) -> tuple[Description, ...]:
    """Phrases about class c."""
    return tuple(Description(class_id(c), text, Form.PHRASE, place, use) for text in texts)


@dataclass
class Speech:
    """Rows of a classifier under descriptions, from vectors alone: the parts of a cell joined as `encode.text.cells` joins them."""

    names: Array
    """(C, D) unit rows of the names."""
    texts: Mapping[str, Array]
    """{text: its unit vector (D,)}."""
    asked: list[tuple[Description, ...]] = field(default_factory=list)
    """What each call was about."""

    def __call__(self, descriptions: Sequence[Description]) -> Array:
        """(C, D) f4 unit rows."""
        self.asked.append(tuple(descriptions))
        return np.asarray(np.stack([self._row(c, descriptions) for c in range(len(self.names))]), np.float32)

    def _row(self, c: int, descriptions: Sequence[Description]) -> Array:
        mine = [one for one in descriptions if one.class_id == class_id(c)]
        instead, beside = ([self.texts[one.text] for one in mine if (one.place is Place.REPLACE) == asked] for asked in (True, False))
        bare = unit(np.sum(instead, 0)) if instead else self.names[c]
        return np.asarray(unit(bare + unit(np.sum(beside, 0))) if beside else bare)


@dataclass(frozen=True)
class Words:
    """Pictures of known classes in halves, names, and one bundle of phrases for every class in each place, of a known kind."""

    tune: Features
    judged: Features
    rows: Speech
    kinds: tuple[str, ...]
    """(C,) what is said of each class."""
    order: tuple[int, ...]
    """Worst class first, on tune."""
    bundles: Mapping[int, Sequence[Bundle]]


def _around(rng: np.random.Generator, rows: Array, noise: float) -> Array:
    """Unit rows near those; noise in lengths of a row."""
    return np.asarray(unit(unit(rows) + noise * rng.normal(size=rows.shape) / np.sqrt(rows.shape[-1])))


def words(seed: int, *, labelled: bool = True, pairs: int = 10, each: int = 20, width: int = 64, own: float = 0.55, bars: int = 4) -> Words:
    """own: how much of a name is its own meaning, the rest is the other one; bars: bundles of random words to beat without labels."""
    rng = np.random.default_rng(seed)
    c = 2 * pairs
    twin = np.arange(c) ^ 1
    common, meaning = unit(rng.normal(size=width)), unit(rng.normal(size=(c, width)))
    names = _around(rng, 0.7 * common + own * meaning + (1 - own) * meaning[twin], 0.3)
    stranger = (np.arange(c) + 2 + 2 * rng.integers(0, pairs - 1, c)) % c  # of another pair
    towards = {GOOD: meaning, OTHER: meaning[twin], STRANGER: meaning[stranger], GENERIC: np.zeros((c, width))}
    kinds = tuple(KINDS[i] for i in rng.permutation(np.arange(c) % len(KINDS)))
    texts = {f"{n} of {i}": _around(rng, 0.7 * common + towards[kinds[i]][i], 0.7) for i in range(c) for n in range(2)}
    texts |= {f"random {b} {n}": _around(rng, common, 1.5) for b in range(bars) for n in range(2)}
    lower = [] if labelled else [[f"random {b} {n}" for n in range(2)] for b in range(bars)]

    def bundle(i: int, place: Place) -> Bundle:
        return Bundle(said(i, f"0 of {i}", f"1 of {i}", place=place), tuple(said(i, *low, place=place) for low in lower))

    bundles = {i: [bundle(i, Place.INSIDE), bundle(i, Place.REPLACE)] for i in range(c)}
    labels = np.repeat(np.arange(c), 2 * each)
    x = _around(rng, 0.7 * common + meaning[labels], 1.0).astype(np.float32)
    keys = tuple(f"{i:05d}.png" for i in range(len(x)))
    every = Features(x, keys, labels, "all", "")
    tune, held_out = (every.take(np.arange(start, len(x), 2), split) for start, split in ((0, "tune"), (1, "eval")))
    tune = tune if labelled else replace(tune, labels=None)
    now = Swaps(tune, names, tune.labels).now
    order = np.argsort(class_means(now.margin, now.of, c), kind="stable")
    return Words(tune, held_out, Speech(names, texts), kinds, tuple(order.tolist()), bundles)


def class_means(values: Array, of: Array, classes: int) -> Array:
    """(C,) mean value of each class."""
    return np.asarray(np.bincount(of, values, classes) / np.maximum(np.bincount(of, minlength=classes), 1))


def accuracy(features: Features, rows: Array) -> float:
    """Share of the pictures that their class wins."""
    return float((np.argmax(features.x[:] @ rows.T, 1) == features.labels).mean())


@dataclass(frozen=True)
class Verdict:
    """What the keep step made of a world."""

    kept: Mapping[str, int]
    """{kind: classes of which something was kept}."""
    tried: Mapping[str, int]
    """{kind: classes}."""
    before: float
    """Accuracy on the judged half."""
    after: float
    """Accuracy there with what was kept."""
    everything: float
    """Accuracy there with every bundle, in the place that raises the mean margin most."""


def judged(world: Words, choose: Ask, everything: Ask) -> Verdict:
    """What is kept, and what becomes of pictures that nobody chose on."""

    def told(ask: Ask) -> tuple[list[Trial], float]:
        swaps = Swaps(world.tune, world.rows(()), world.tune.labels)
        settled, trials = keep(swaps, world.order, world.bundles, (), world.rows, ask)
        return trials, accuracy(world.judged, world.rows(settled))

    trials, after = told(choose)
    mine = {trial.class_index for trial in trials if trial.kept}
    kept = {kind: sum(world.kinds[c] == kind for c in mine) for kind in KINDS}
    tried = {kind: world.kinds.count(kind) for kind in KINDS}
    return Verdict(kept, tried, accuracy(world.judged, world.rows(())), after, told(everything)[1])
