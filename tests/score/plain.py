"""Every way of weighing, written from `method.md` with NumPy and SciPy alone: what the fast code is held against."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import softmax
from scipy.stats import zscore

from promptlab.types import Array
from score import brute
from score.planted import World

MARGINS = ("cmm", "cmm-class", "cmm-top")


def unit(rows: Array) -> Array:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True))


@dataclass(frozen=True)
class Plain:
    """A world as plain f8 numbers, each label source as it is defined."""

    world: World
    scale: float

    @property
    def x(self) -> Array:
        return unit(self.world.x.astype(float))

    @property
    def z(self) -> Array:
        return self.world.z.astype(float)

    @property
    def s(self) -> Array:
        """(N, K, C) cosines."""
        return self.world.similarity

    def confidence(self) -> Array:
        """(K,) mean over images of max over classes of (logit - mean logit of the class)."""
        logit = self.scale * self.s
        return np.asarray((logit - logit.mean(0)).max(-1).mean(0))

    def judge(self, source: str) -> Array:
        """What says the right answer: cosines (N, K, C), one slice per family that is judged."""
        k = len(self.z)
        if source == "self":
            return self.s
        if source == "others" and k > 1:
            return np.stack([self.x @ unit(self.z.sum(0) - rows).T for rows in self.z], 1)
        w = softmax(self.confidence()) if source == "zpe" else np.ones(k)
        rows = np.einsum("k,kcd->cd", w, self.z)
        rows = rows if source == "zpe" else unit(rows)
        return np.repeat((self.x @ rows.T)[:, None], k, 1)


@dataclass(frozen=True)
class Scores:
    """What each family scores by each rule under labels (N, K)."""

    plain: Plain
    labels: Array
    pseudo: bool

    def board(self, rule: str) -> tuple[Array, Array]:
        """((K, C) values, (K, C) counts). Under pseudo-labels a class that got no image has the margin min(0, lowest finite)."""
        s = self.plain.s
        families = range(s.shape[1])
        value = np.array([brute.per_class(rule, s[:, k], self.labels[:, k], self.plain.world.keys, self.plain.scale) for k in families])
        count = np.array([brute.counts(rule, s[:, k], self.labels[:, k]) for k in families])
        if self.pseudo and rule in MARGINS:
            value = np.array([[min([0.0, *row[~np.isnan(row)]]) if np.isnan(v) else v for v in row] for row in value])
        return value, count

    def score(self, name: str) -> Array:
        """(K,) by `rule/reducer`."""
        rule, _, reducer = name.partition("/")
        return np.array([brute.reduce(v, n, reducer) for v, n in zip(*self.board(rule), strict=True)])


def over_families(evidence: Array) -> Array:
    """softmax over the first axis; undefined is weight 0, undefined everywhere is uniform."""
    known = np.where(np.isnan(evidence), -np.inf, evidence)
    return np.asarray(softmax(np.where(np.isnan(evidence).all(0), 0.0, known), axis=0))


def cpe(scores: Scores, name: str, tau: float, per_class: bool) -> Array:
    margin = scores.board("cmm")[0] if per_class else scores.score(name)
    return over_families(margin * scores.plain.scale / tau)


def zpe(scores: Scores, tau: float, per_class: bool) -> Array:
    return over_families((scores.board("confidence")[0] if per_class else scores.plain.confidence()) / tau)


def carprt(scores: Scores, tau: float, per_class: bool) -> Array:
    sure = scores.board("predicted-sim")[0]
    return over_families((sure if per_class else np.nanmean(sure, 1)) / tau)


def shrunk_evidence(scores: Scores, evidence: str) -> Array:
    """(N, K) logits of the label, their margin over the strongest other class, or the sum of both."""
    s, labels = scores.plain.s, scores.labels
    true = np.take_along_axis(s, labels[..., None], -1)[..., 0]
    margin = np.array([[brute.margin(row, label) for row, label in zip(*pair, strict=True)] for pair in zip(s, labels, strict=True)])
    return np.asarray(scores.plain.scale * {"similarity": true, "margin": margin, "both": true + margin}[evidence])


def shrunk_score(scores: Scores, evidence: str) -> Array:
    """(K,) e(k): the mean over all images."""
    return np.asarray(shrunk_evidence(scores, evidence).mean(0))


def shrunk(scores: Scores, evidence: str, tau: float, per_class: bool, n0: int = 5) -> Array:
    """softmax over families of (n_c e(k, c) + n0 e(k)) / (n_c + n0) / tau."""
    e, whole, labels = shrunk_evidence(scores, evidence), shrunk_score(scores, evidence), scores.labels
    told = np.empty((len(whole), scores.plain.z.shape[1]))
    for k, c in np.ndindex(told.shape):
        mine = e[labels[:, k] == c, k]
        told[k, c] = (mine.sum() + n0 * whole[k]) / (len(mine) + n0)
    return over_families((told if per_class else whole) / tau)


def standardised(score: Array, lower_is_better: bool, tau: float) -> Array:
    """softmax of a (K,) or (K, C) score / tau, standardised over the families that have one; equal scores are all 0."""
    better = np.array(np.atleast_2d(score.T)) * (-1 if lower_is_better else 1)
    for column in better:
        known = ~np.isnan(column)
        if known.any():
            column[known] = zscore(column[known]) if np.ptp(column[known]) > 1e-12 else 0.0
    return over_families((better[0] if score.ndim == 1 else better.T) / tau)


def kept(score: Array, x: float) -> Array:
    """(K,) bool: score >= median + x MAD; where MAD is 0 >= median; never empty."""
    mad = np.median(np.abs(score - np.median(score)))
    reached = score >= np.median(score) + x * mad
    return reached if reached.any() else score == score.max()


def without(w: Array, kept: Array) -> Array:
    """Weights (K,) or (K, C) of the kept families (K,) bool, each column summing to 1 again; uniform over them where nothing is left."""
    columns = np.atleast_2d(w.T).T * kept[:, None]
    made = [column / column.sum() if column.sum() > 0 else kept / kept.sum() for column in columns.T]
    return np.array(made[0] if w.ndim == 1 else made).T


def subset_score(plain: Plain, chosen: tuple[int, ...], labels: Array, rule: str = "accuracy") -> float:
    """`accuracy`, or the mean over classes of any other rule, of the renormalised mean of some families; labels: (N,) true ones."""
    s = plain.x @ unit(plain.z[list(chosen)].sum(0)).T
    values = brute.per_class(rule, s, labels, plain.world.keys, plain.scale)
    return brute.reduce(values, brute.counts(rule, s, labels), "overall" if rule == "accuracy" else "mean")


def forward(plain: Plain, score: Callable[[tuple[int, ...]], float]) -> list[tuple[int, float]]:
    """Greedy: the family that raises the score most, lower index first, until none raises it strictly."""
    path: list[tuple[int, float]] = []
    while len(path) < len(plain.z):
        chosen = tuple(k for k, _ in path)
        best, k = max((score((*chosen, k)), -k) for k in range(len(plain.z)) if k not in chosen)
        if path and best <= path[-1][1]:
            break
        path.append((-k, best))
    return path


def all_subsets(plain: Plain, labels: Array) -> dict[str, float]:
    """Accuracy of every non-empty set of families."""
    k = range(len(plain.z))
    return {",".join(map(str, some)): subset_score(plain, some, labels) for size in k for some in combinations(k, size + 1)}
