"""The definitions, written out with plain loops over plain numbers: what the fast code is held against."""

import math
from collections.abc import Sequence

import numpy as np

from promptlab.types import Array


def duel(row: Array, label: int) -> tuple[float, float, int, int]:
    """(true, rival, winner, rank) of one row (C,) of similarities."""
    values = [float(v) for v in row]
    true = values[label]
    others = [(v, j) for j, v in enumerate(values) if j != label]
    winner = min(range(len(values)), key=lambda j: (-values[j], j))
    rank = sum(v > true or (v == true and j < label) for v, j in others)
    return true, max(v for v, _ in others), winner, rank


def softmax(row: Array) -> Array:
    """(C,) shares of logits (C,)."""
    e = [math.exp(v - max(row)) for v in row]
    return np.array(e) / sum(e)


def mean_per_class(values: Sequence[float], labels: Sequence[int], classes: int) -> list[float]:
    """(C,) mean value of each class's images; NaN where there is none."""
    groups = [[v for v, y in zip(values, labels, strict=True) if y == c] for c in range(classes)]
    return [sum(group) / len(group) if group else math.nan for group in groups]


def margin(row: Array, c: int) -> float:
    """row[c] minus the largest other value."""
    return float(row[c] - max(v for j, v in enumerate(row) if j != c))


def cmm_class(s: Array, labels: Sequence[int]) -> list[float]:
    """(C,) margins of each class's mean row; s: (N, C)."""
    out = []
    for c in range(s.shape[1]):
        mine = [row for row, y in zip(s, labels, strict=True) if y == c]
        out.append(margin(sum(mine) / len(mine), c) if mine else math.nan)
    return out


def cmm_top(s: Array, keys: Sequence[str]) -> list[float]:
    """(C,) mean margin of the ceil(N / C) images most similar to each class, ties by key; s: (N, C)."""
    n, c = s.shape
    out = []
    for j in range(c):
        best = sorted(range(n), key=lambda i: (-s[i, j], keys[i]))[: math.ceil(n / c)]
        out.append(sum(margin(s[i], j) for i in best) / len(best))
    return out


def f1(winners: Sequence[int], labels: Sequence[int], classes: int) -> list[float]:
    """(C,) 2 right / (predicted + real); NaN for a class that is neither."""
    out = []
    for c in range(classes):
        right = sum(w == c and y == c for w, y in zip(winners, labels, strict=True))
        both = sum(w == c for w in winners) + sum(y == c for y in labels)
        out.append(2 * right / both if both else math.nan)
    return out


def average_precision(s: Array, shown: Array) -> list[float]:
    """(C,) mean over a class's images of the share of its images among all that are at least as similar; NaN without images. s, shown:
    (N, C)."""
    out = []
    for c in range(s.shape[1]):
        mine = [i for i in range(len(s)) if shown[i, c]]
        above = [[j for j in range(len(s)) if s[j, c] >= s[i, c]] for i in mine]
        out.append(sum(sum(bool(shown[j, c]) for j in js) / len(js) for js in above) / len(mine) if mine else math.nan)
    return out


def loglik(row: Array, label: int, scale: float) -> float:
    """Log of the right class's softmax share."""
    shares = softmax(row * scale)
    return scale * (row[label] - max(row)) + math.log(shares[int(np.argmax(row))])


def entropy(row: Array, scale: float) -> float:
    """Of the softmax, in nats."""
    return -sum(p * math.log(p) for p in softmax(row * scale) if p > 0)


def per_class(rule: str, s: Array, labels: Sequence[int], keys: Sequence[str], scale: float) -> list[float]:
    """(C,) of one family; s: (N, C). NaN where a class has no image."""
    duels = [duel(row, y) for row, y in zip(s, labels, strict=True)]
    winners = [winner for _, _, winner, _ in duels]
    if rule in ("cmm-class", "cmm-top", "f1", "ap"):
        return {
            "cmm-class": lambda: cmm_class(s, labels),
            "cmm-top": lambda: cmm_top(s, keys),
            "f1": lambda: f1(winners, labels, s.shape[1]),
            "ap": lambda: average_precision(s, np.asarray(labels)[:, None] == np.arange(s.shape[1])),
        }[rule]()
    if rule == "predicted-sim":
        return mean_per_class([scale * max(row) for row in s], winners, s.shape[1])
    usual = s.mean(0)
    one = {
        "cmm": lambda i: duels[i][0] - duels[i][1],
        "accuracy": lambda i: float(winners[i] == labels[i]),
        "caption-match": lambda i: float(winners[i] == labels[i]),
        "recall": lambda i: float(winners[i] == labels[i]),
        "loglik": lambda i: loglik(s[i], labels[i], scale),
        "similarity": lambda i: scale * s[i, labels[i]],
        "entropy": lambda i: entropy(s[i], scale),
        "confidence": lambda i: scale * max(s[i] - usual),
    }.get(rule) or (lambda i: float(duels[i][3] < int(rule.removeprefix("hit@"))))
    return mean_per_class([one(i) for i in range(len(s))], labels, s.shape[1])


def counts(rule: str, s: Array, labels: Sequence[int]) -> list[int]:
    """(C,) images that each value of one family stands on."""
    if rule == "cmm-top":
        return [math.ceil(len(s) / s.shape[1])] * s.shape[1]
    of = [duel(row, 0)[2] for row in s] if rule == "predicted-sim" else labels
    return [sum(int(y) == c for y in of) for c in range(s.shape[1])]


def reduce(values: Sequence[float], counts: Sequence[int], reducer: str) -> float:
    """One number from class values (C,), NaN where a class is left out."""
    known = [(v, n) for v, n in zip(values, counts, strict=True) if not math.isnan(v)]
    if not known:
        return math.nan
    ordered = sorted(v for v, _ in known)
    if reducer == "overall":
        return sum(v * n for v, n in known) / sum(n for _, n in known)
    if reducer == "zeros":
        return float(sum(v == 0 for v in ordered))
    if reducer == "hmean":
        return 0.0 if ordered[0] == 0 else len(ordered) / sum(1 / v for v in ordered)
    k = {"mean": len(ordered), "min": 1}.get(reducer) or int(reducer.removeprefix("worst-"))
    lowest = ordered[:k]
    return sum(lowest) / len(lowest)
