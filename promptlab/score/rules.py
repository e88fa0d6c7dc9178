"""Scoring rules: what is read off each image, and how classes are joined into one number a family."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from promptlab.errors import UsageError, unknown_name
from promptlab.hookspecs import hookimpl
from promptlab.protocols import Rule, State
from promptlab.score.contest import Columns, Contest
from promptlab.types import Array, LabelSource


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """What a rule's state is told before the first image."""

    columns: Columns
    """The K x C class rows."""
    n: int
    """Images that will come, over all shards."""
    order: Array
    """(N,) int: the place of each image's key among the sorted keys; breaks ties."""


class MeanState:
    """Sums (K, C) and counts (K, C) of a per-image statistic: additive, so that shards merge by +."""

    def __init__(self, rule: Rule, setting: Setting) -> None:
        self.per_image = rule.per_image
        self.sums = np.zeros(setting.columns.shape[:2])
        self.counts = np.zeros(setting.columns.shape[:2], np.int64)

    def add(self, contest: Contest) -> None:
        assert self.per_image is not None
        value = _host(self.per_image(contest))
        label = _host(contest.label).astype(np.int64)
        k, c = label.shape[1], self.sums.shape[1]
        cell = (label + np.arange(k) * c).ravel()
        self.sums[contest.families] += np.bincount(cell, value.ravel(), k * c).reshape(k, c)
        self.counts[contest.families] += np.bincount(cell, minlength=k * c).reshape(k, c)

    def merge(self, other: "MeanState") -> None:
        self.sums += other.sums
        self.counts += other.counts

    def per_class(self) -> tuple[Array, Array]:
        with np.errstate(invalid="ignore"):
            return np.where(self.counts > 0, self.sums / np.maximum(self.counts, 1), np.nan), self.counts


class ClassMeanState:
    """`cmm-class`: keeps the mean image feature of each class (C, D); one set per family where families label for themselves."""

    def __init__(self, setting: Setting) -> None:
        self.columns = setting.columns
        self.sums: dict[int, Tensor] = {}
        self.counts: dict[int, Array] = {}

    def add(self, contest: Contest) -> None:
        if contest.shared_labels and contest.families.start:
            return
        _, c, d = self.columns.shape
        x, labels = contest.x.cpu().double(), contest.label.cpu()
        for j in range(1 if contest.shared_labels else labels.shape[1]):
            k = -1 if contest.shared_labels else contest.families.start + j
            self.sums.setdefault(k, torch.zeros(c, d, dtype=torch.float64)).index_add_(0, labels[:, j], x)
            self.counts[k] = self.counts.get(k, 0) + np.bincount(labels[:, j].numpy(), minlength=c)

    def merge(self, other: "ClassMeanState") -> None:
        for k, sums in other.sums.items():
            self.sums[k] = self.sums[k] + sums if k in self.sums else sums
            self.counts[k] = self.counts.get(k, 0) + other.counts[k]

    def per_class(self) -> tuple[Array, Array]:
        families, c, _ = self.columns.shape
        values, counts = np.full((families, c), np.nan), np.zeros((families, c), np.int64)
        for k in range(families):
            source = k if k in self.sums else -1
            counts[k] = self.counts[source]
            mean = self.sums[source] / torch.from_numpy(np.maximum(counts[k], 1))[:, None]
            s = self.columns.similarity(mean.float().to(self.columns.device), slice(k, k + 1))[:, 0].cpu().double()
            own = s.diagonal().clone()
            s.fill_diagonal_(-torch.inf)
            values[k] = np.where(counts[k] > 0, (own - s.max(1).values).numpy(), np.nan)
        return values, counts


class BestListState:
    """`cmm-top`: keeps per class the ceil(N / C) images most similar to its own text, as (similarity, margin); ties fall by key.

    Similarity and key are packed into one int64 whose order is (similarity, then lower key), so that the best are the same however
    the images were cut into batches or shards.
    """

    def __init__(self, setting: Setting) -> None:
        families, c, _ = setting.columns.shape
        self.size = math.ceil(setting.n / c)
        self.order = torch.from_numpy(setting.order.astype(np.int64))
        self.packed = torch.full((self.size, families, c), torch.iinfo(torch.int64).min)
        self.margin = torch.zeros((self.size, families, c))

    def add(self, contest: Contest) -> None:
        s = contest.similarity
        two = s.topk(2, -1)
        keys = self.order[contest.start : contest.start + len(s)].to(s.device)
        packed, rows = _pack(s, keys).topk(min(self.size, len(s)), 0)
        own = s.gather(0, rows)
        best, second, winner = (v[..., None].expand_as(s).gather(0, rows) for v in (*two.values.unbind(-1), two.indices[..., 0]))
        rival = torch.where(winner == torch.arange(s.shape[2], device=s.device), second, best)
        self._keep(packed.cpu(), (own - rival).cpu(), contest.families)

    def _keep(self, packed: Tensor, margin: Tensor, families: slice) -> None:
        both = torch.cat([self.packed[:, families], packed])
        kept, rows = both.topk(self.size, 0)
        self.packed[:, families] = kept
        self.margin[:, families] = torch.cat([self.margin[:, families], margin]).gather(0, rows)

    def merge(self, other: "BestListState") -> None:
        self._keep(other.packed, other.margin, slice(None))

    def per_class(self) -> tuple[Array, Array]:
        values = self.margin.double().mean(0).numpy()
        return values, np.full(values.shape, self.size, np.int64)


def _pack(similarity: Tensor, keys: Tensor) -> Tensor:
    """(B, K', C) int64 that sorts as (similarity, lower key first). keys: (B,) int, < 2^31."""
    bits = (similarity + 0.0).contiguous().view(torch.int32)  # + 0.0 turns -0.0 into 0.0
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # floats below zero sort backwards as integers
    return (ordered.long() << 32) + (2**31 - 1 - keys)[:, None, None]


def _host(values: Tensor) -> Array:
    return values.detach().to("cpu", torch.float64).numpy()


class TieState:
    """(K,) images whose right answer is exactly as similar as another class. Not a rule; it rides along in the same pass."""

    def __init__(self, families: int) -> None:
        self.count = np.zeros(families, np.int64)

    def add(self, contest: Contest) -> None:
        self.count[contest.families] += (contest.rival == contest.true).sum(0).cpu().numpy()


@hookimpl
def promptlab_rules() -> Iterable[Rule]:
    """The built-in rules."""
    return [
        Rule(
            "cmm",
            lambda contest: contest.true - contest.rival,
            about="Class-wise Matching Margin: mean of true - rival, in cosine units",
        ),
        Rule("cmm-class", start=ClassMeanState, about="the margin of the class's mean image feature"),
        Rule(
            "cmm-top",
            start=BestListState,
            about="the margin over the ceil(N / C) images most similar to the class's own text; needs no label",
        ),
        Rule("accuracy", lambda contest: contest.winner == contest.label, None, "overall", True, "share of images whose class wins"),
    ]


def _hit_at(k: int) -> Rule:
    return Rule(
        f"hit@{k}",
        lambda contest: contest.rank < k,
        reducer="overall",
        share=True,
        about=f"share of images whose class is among the first {k}",
    )


def parse_rule(text: str, rules: Mapping[str, Rule], classes: int) -> tuple[Rule, str]:
    """(rule, reducer) for `rule` or `rule/reducer`; `worst-k` becomes the default k of this number of classes.

    Raises UsageError for unknown names, listing those that exist.
    """
    name, _, reducer = text.partition("/")
    hit = re.fullmatch(r"hit@([1-9]\d*)", name)
    if not hit and name not in rules:
        raise unknown_name("rule", name, [*rules, "hit@k"])
    rule = _hit_at(int(hit[1])) if hit else rules[name]
    reducer = reducer or rule.reducer
    if reducer == "worst-k":
        reducer = f"worst-{default_k(classes)}"
    if reducer not in REDUCERS and not re.fullmatch(r"worst-[1-9]\d*", reducer):
        raise unknown_name("reducer", reducer, [*REDUCERS, "worst-k"])
    if reducer == "zeros" and not rule.share:
        raise UsageError(f"The reducer `zeros` counts classes at 0 % and needs a share; {name} is none.", "Use `accuracy/zeros`.")
    return rule, reducer


def default_k(classes: int) -> int:
    """How many classes "the worst" are: min(10, ceil(C / 5))."""
    return min(10, math.ceil(classes / 5))


REDUCERS = ("overall", "mean", "min", "zeros")


def over_classes(per_class: Array, count: Array, reducer: str) -> Array:
    """(K,) from values (K, C), NaN where a class is left out, and counts (K, C). A family without any class gives NaN.

    worst-k is the mean of the k lowest; k >= C means all of them.
    """
    known = np.isfinite(per_class)
    classes = known.sum(1)
    filled = np.where(known, per_class, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        if reducer == "overall":
            return np.asarray((filled * count).sum(1) / np.where(known, count, 0).sum(1))
        if reducer == "mean":
            return np.asarray(filled.sum(1) / classes)
        if reducer == "zeros":
            return np.where(classes > 0, (known & (per_class == 0)).sum(1), np.nan).astype(float)
        k = 1 if reducer == "min" else int(reducer.removeprefix("worst-"))
        lowest = np.sort(np.where(known, per_class, np.inf), 1)[:, :k]
        return np.asarray(np.where(np.isfinite(lowest), lowest, 0.0).sum(1) / np.minimum(classes, k))


def fill_never_predicted(per_class: Array, source: LabelSource, rule: Rule) -> Array:
    """Under pseudo-labels a class without images is never predicted; its margin counts as min(0, lowest finite value of its family), so
    that collapse is never rewarded. Under true labels it is absent and stays NaN; shares of nothing stay NaN too."""
    if source is LabelSource.TRUE or rule.share:
        return per_class
    lowest = np.nanmin(per_class, 1, keepdims=True, initial=0.0)
    return np.where(np.isnan(per_class), np.minimum(0.0, lowest), per_class)


def start(rule: Rule, setting: Setting) -> State:
    """The empty state of a rule."""
    return MeanState(rule, setting) if rule.start is None else rule.start(setting)
