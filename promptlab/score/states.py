"""What rules keep while images stream by: small, mergeable by +, one pass for all."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from promptlab.errors import UsageError
from promptlab.score.contest import Columns, Contest, Layout
from promptlab.types import Array


@dataclass(frozen=True, eq=False)
class Setting:
    """What a rule's state is told before the first image."""

    columns: Layout
    """What the candidates are, on the device; `columns.shape` is (K, C, D)."""
    n: int
    """Images that will come, over all shards."""
    places: Callable[[], Array]
    """Makes the (N,) int place of each image's key among the sorted keys; of ten million it takes time, so only when asked."""
    scale: float
    """Logits are cosine x scale."""
    mean: Callable[[], Tensor]
    """Makes the (D,) mean of all N unit images, for rules that compare with an expectation; a pass of its own, so only when asked."""
    shown: Array | None = None
    """(N, C) bool: all that each image shows, where images may show several classes and the rule looks at each once; else None."""
    answers: bool = False
    """Whether what comes are right answers, a row each, of images that may have several."""

    @cached_property
    def order(self) -> Array:
        """(N,) int: the place of each image's key among the sorted keys; breaks ties."""
        return self.places()

    @cached_property
    def expected(self) -> Tensor:
        """(K, C) mean cosine of each candidate's text over all images: cosines are linear, so it is that of the mean image."""
        return self.columns.towards(self.mean())

    def classes(self, rule: str) -> Columns:
        """The class rows, for a rule that compares classes. Raises UsageError where each image has candidates of its own."""
        if isinstance(self.columns, Columns):
            return self.columns
        raise UsageError(f"The rule {rule!r} compares classes; captions are none.", "Use cmm, caption-match, similarity or confidence.")

    def images(self, rule: str) -> "Setting":
        """The same setting, for a rule that counts what each image is taken for. Raises UsageError where right answers come instead: an
        image that has several is taken for several classes."""
        if not self.answers:
            return self
        raise UsageError(
            f"The rule {rule!r} counts each picture once, for one class; these pictures show several.",
            "Use ap, which looks at precision and recall class by class, or recall.",
        )


class MeanState:
    """Sums (K, C) and counts (K, C) of a per-image statistic: additive, so that shards merge by +.

    `by` says to which class an image counts; that of the right answer unless told otherwise.
    """

    def __init__(self, setting: Setting, per_image: Callable[[Any], Any], by: Callable[[Any], Any] = lambda contest: contest.group) -> None:
        self.per_image, self.by = per_image, by
        self.sums = np.zeros(setting.columns.shape[:2])
        self.counts = np.zeros(setting.columns.shape[:2], np.int64)

    def add(self, contest: Contest) -> None:
        value, label, c = _host(self.per_image(contest)), self.by(contest), self.sums.shape[1]
        self.sums[contest.families] += _totals(label, value, c)
        self.counts[contest.families] += _totals(label, np.ones_like(value), c).astype(np.int64)

    def merge(self, other: "MeanState") -> None:
        self.sums += other.sums
        self.counts += other.counts

    def per_class(self) -> tuple[Array, Array]:
        with np.errstate(invalid="ignore"):
            return np.where(self.counts > 0, self.sums / np.maximum(self.counts, 1), np.nan), self.counts


TOGETHER = 1024  # classes whose means are compared with all texts together: C x C numbers would be gigabytes


class ClassMeanState:
    """`cmm-class`: keeps the mean image feature of each class (C, D); one set per family where families label for themselves."""

    def __init__(self, setting: Setting) -> None:
        self.columns = setting.classes("cmm-class")
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
            self.sums[k] = self.sums[k] + sums if k in self.sums else sums.clone()
            self.counts[k] = self.counts.get(k, 0) + other.counts[k]

    def per_class(self) -> tuple[Array, Array]:
        families, c, _ = self.columns.shape
        values, counts = np.full((families, c), np.nan), np.zeros((families, c), np.int64)
        for k in range(families):
            source = k if k in self.sums else -1
            counts[k] = self.counts[source]
            mean = self.sums[source] / torch.from_numpy(np.maximum(counts[k], 1))[:, None]
            for start in range(0, c, TOGETHER):
                here = torch.arange(start, min(start + TOGETHER, c))
                s = self.columns.similarity(mean[here].float().to(self.columns.device), slice(k, k + 1))[:, 0].cpu()
                own = s.gather(1, here[:, None]).double()[:, 0]
                s.scatter_(1, here[:, None], -torch.inf)
                values[k, here] = (own - s.max(1).values.double()).numpy()
            values[k, counts[k] == 0] = np.nan
        return values, counts


class BestListState:
    """`cmm-top`: keeps per class the ceil(N / C) images most similar to its own text, as (similarity, margin); ties fall by key.

    Similarity and key are packed into one int64 whose order is (similarity, then lower key), so that the best are the same however
    the images were cut into batches or shards.
    """

    def __init__(self, setting: Setting) -> None:
        families, c, _ = setting.classes("cmm-top").shape
        self.size = math.ceil(setting.n / c)
        self.order = torch.from_numpy(setting.order.astype(np.int64))
        self.packed = torch.full((self.size, families, c), torch.iinfo(torch.int64).min)
        self.margin = torch.zeros((self.size, families, c))
        self._waiting: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = {}  # of some families, not yet compared with what is kept

    def add(self, contest: Contest) -> None:
        s = contest.similarity
        two = s.topk(2, -1)
        best, second, winner = (v[..., None] for v in (*two.values.unbind(-1), two.indices[..., 0]))
        margin = s - torch.where(winner == torch.arange(s.shape[2], device=s.device), second, best)
        packed = _pack(s, self.order[contest.start : contest.start + len(s)].to(s.device))
        if self.size < len(s):
            packed, rows = packed.topk(self.size, 0)
            margin = margin.gather(0, rows)
        self._offer(packed.cpu(), margin.cpu(), contest.families)

    def _offer(self, packed: Tensor, margin: Tensor, families: slice) -> None:
        """Compared with what is kept only once there are as many as are kept: else each block would cost a look at all of them."""
        waiting = self._waiting.setdefault((families.start, families.stop), [])
        waiting.append((packed, margin))
        if sum(len(some) for some, _ in waiting) >= self.size:
            self._settle(families)

    def _settle(self, families: slice) -> None:
        waiting = self._waiting.pop((families.start, families.stop))
        kept, rows = torch.cat([self.packed[:, families], *(packed for packed, _ in waiting)]).topk(self.size, 0)
        self.packed[:, families] = kept
        self.margin[:, families] = torch.cat([self.margin[:, families], *(margin for _, margin in waiting)]).gather(0, rows)

    def _settle_all(self) -> None:
        for start, stop in tuple(self._waiting):
            self._settle(slice(start, stop))

    def merge(self, other: "BestListState") -> None:
        other._settle_all()
        self._offer(other.packed, other.margin, slice(0, self.packed.shape[1]))

    def per_class(self) -> tuple[Array, Array]:
        self._settle_all()
        values = self.margin.double().mean(0).numpy()
        return values, np.full(values.shape, self.size, np.int64)


def _pack(similarity: Tensor, keys: Tensor) -> Tensor:
    """(B, K', C) int64 that sorts as (similarity, lower key first). keys: (B,) int, < 2^31."""
    bits = (similarity + 0.0).contiguous().view(torch.int32)  # + 0.0 turns -0.0 into 0.0
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # floats below zero sort backwards as integers
    return (ordered.long() << 32) + (2**31 - 1 - keys)[:, None, None]


def _host(values: Tensor) -> Array:
    return values.detach().to("cpu", torch.float64).numpy()


def _totals(classes: Tensor, values: Array, c: int) -> Array:
    """(K', c) f8: sums of values (B, K') by class (B, K'); what is of no class, -1, counts nowhere."""
    k = classes.shape[1]
    of = classes.cpu().numpy().astype(np.int64)
    cell, known = (of + np.arange(k) * c).ravel(), of.ravel() >= 0
    return np.bincount(cell[known], values.ravel()[known], k * c).reshape(k, c)


class F1State:
    """Right, predicted and real images per class (K, C). F1 = 2 right / (predicted + real): defined for classes that are either."""

    def __init__(self, setting: Setting) -> None:
        shape = setting.images("f1").columns.shape[:2]
        self.right, self.predicted, self.real = (np.zeros(shape, np.int64) for _ in range(3))

    def add(self, contest: Contest) -> None:
        real, picked = contest.group, contest.picked
        for kept, classes, counted in (
            (self.right, real, contest.winner == contest.label),
            (self.predicted, picked, torch.ones_like(picked)),
            (self.real, real, torch.ones_like(real)),
        ):
            kept[contest.families] += _totals(classes, _host(counted), kept.shape[1]).astype(np.int64)

    def merge(self, other: "F1State") -> None:
        self.right, self.predicted, self.real = self.right + other.right, self.predicted + other.predicted, self.real + other.real

    def per_class(self) -> tuple[Array, Array]:
        both = self.predicted + self.real
        return np.where(both > 0, 2 * self.right / np.maximum(both, 1), np.nan), self.real

    def micro(self) -> Array:
        """(K,) F1 of the pooled counts."""
        return np.asarray(2 * self.right.sum(1) / (self.predicted + self.real).sum(1))


class TieState:
    """(K,) images whose right answer is exactly as similar as another class. Not a rule; it rides along in the same pass."""

    def __init__(self, families: int) -> None:
        self.count = np.zeros(families, np.int64)

    def add(self, contest: Contest) -> None:
        self.count[contest.families] += (contest.rival == contest.true).sum(0).cpu().numpy()
