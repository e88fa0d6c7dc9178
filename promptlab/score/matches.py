"""Captions matched with pictures: which candidate is the most similar, how often that is the right one, and where it is not."""

from collections.abc import Mapping, Sequence

import numpy as np

from promptlab.errors import UsageError
from promptlab.events import Listener
from promptlab.protocols import Rule
from promptlab.score.candidates import Candidates
from promptlab.score.contest import Layout, contests
from promptlab.score.evidence import Evidence
from promptlab.score.intervals import clopper_pearson, difference_interval, mcnemar, share_interval
from promptlab.score.reducers import default_k, worst_order
from promptlab.score.weighting import Weighting
from promptlab.types import NO_TEXT, Array, Captions, Cases, Difference, Features, LabelSource, Matched, Scope, TextBank, WorstSet


def layout_of(z: Array, cases: Cases, captions: Captions, device: str) -> Candidates:
    """The candidates of these cases under text vectors z (K, P, D)."""
    return Candidates(z, cases.texts, captions.category, captions.counted(cases.texts), captions.groups, device)


class CaptionEvidence(Evidence):
    """What a weighting may ask of pictures with candidates of their own. Every right answer is a place among a picture's candidates.

    Categories are known by looking, too: only the source `true` sees them, to all others pictures are of one class.
    """

    def __init__(
        self, tune: Features, bank: TextBank, rules: Mapping[str, Rule], device: str, listen: Listener, captions: Captions, cases: Cases
    ) -> None:
        super().__init__(tune, bank, rules, device, listen)
        self._captions, self._cases = captions, cases

    def true_labels(self) -> Array:
        """(N,) int: the place of the right caption."""
        return self._cases.right

    def layout(self, z: Array) -> Layout:
        """The candidates of each picture under text vectors z (K, P, D)."""
        return layout_of(z, self._cases, self._captions, self.device)

    def seen(self, layout: Layout, source: LabelSource) -> Layout:
        """The same without categories, for all sources but `true`."""
        return layout.in_one() if isinstance(layout, Candidates) and source is not LabelSource.TRUE else layout


def require_global(how: Weighting) -> None:
    """Raises UsageError for weights that belong to a class: a caption is none."""
    if how.scope is Scope.CLASS:
        said = f"`{how.name}` weighs class by class" if how.way == "carprt" else "--scope class weighs class by class"
        raise UsageError(f"{said}; captions are no classes.", "Weigh families for all captions alike, e.g. --weights shrunk or cpe.")


def match(
    rows: Array,
    features: Features,
    captions: Captions,
    cases: Cases,
    *,
    fixed: Sequence[int] | None,
    k: int,
    seed: int,
    device: str,
) -> Matched:
    """How text rows (P, D) do on N cases. fixed: all categories, worst first, whose first k are followed; None picks this one's own worst.
    k: 0 is min(10, ceil(C / 5)); more than C are C."""
    layout = layout_of(rows[None], cases, captions, device)
    found = list[tuple[Array, ...]]()
    for contest in contests(features, layout, cases.right, 1.0):
        parts = (contest.similarity, contest.winner, contest.true.double() - contest.rival.double())
        found.append(tuple(part[:, 0].cpu().numpy() for part in parts))
    similarity, winner, margin = (np.concatenate(part) for part in zip(*found, strict=True))
    return judged(similarity, winner, margin, captions, cases, fixed=fixed, k=k, seed=seed)


def judged(
    similarity: Array, winner: Array, margin: Array, captions: Captions, cases: Cases, *, fixed: Sequence[int] | None, k: int, seed: int
) -> Matched:
    """The figures of N cases, of which the candidate at place `winner` (N,) was picked."""
    hit = winner == cases.right
    category, c = captions.category, captions.groups
    picked = cases.texts[np.arange(len(cases)), winner]
    predicted = captions.counted(picked[:, None])[:, 0]
    count, hits = np.bincount(category, minlength=c), np.bincount(category[hit], minlength=c)
    both = count + np.bincount(predicted[predicted != NO_TEXT], minlength=c)
    with np.errstate(invalid="ignore"):
        per_category = hits / count
        mean_margin = np.bincount(category, margin, minlength=c) / count
        f1 = 2 * hits / both
    own = worst_order(per_category, mean_margin)
    size = min(k or default_k(c), c)
    followed = tuple(int(i) for i in (own if fixed is None else fixed)[:size])
    here = np.array([i for i in followed if count[i] and fixed is not None], int)
    worst = WorstSet(
        size,
        float(per_category[own[:size]].mean()),
        float(per_category[here].mean()) if len(here) else None,
        share_interval(hits[here], count[here], seed, per_class=True) if len(here) else None,
        followed,
    )
    # One group: of categories with a picture each no resample would differ.
    interval = share_interval(hits.sum(keepdims=True), count.sum(keepdims=True), seed, per_class=False)
    side = against(int(hit.sum()), len(cases), cases.chance)
    errors = int((~hit & (predicted == category)).sum()), int((~hit & (predicted != category) & (predicted != NO_TEXT)).sum())
    order = tuple(own.tolist() if fixed is None else fixed)
    return Matched(similarity, winner, margin, hit, float(hit.mean()), interval, side, per_category, count, f1, worst, order, *errors)


def against(hits: int, n: int, chance: float) -> str:
    """`above`, `below` or `unclear`: where guessing lies, seen from Clopper's and Pearson's interval of hits of n, which a percentile of
    resamples is no match for: of guesses it calls one in ten unlike guessing. Exact for cases of one size; hits among cases of several
    sizes spread less than this has it, so it says too little rather than too much."""
    interval = clopper_pearson(hits, n)
    return "above" if interval.low > chance else "below" if interval.high < chance else "unclear"


def compare(first: Matched, second: Matched, captions: Captions, seed: int) -> Difference:
    """The paired difference second - first on the same cases; the worst categories are those that `first` followed."""
    c, category, count = captions.groups, captions.category, first.count
    gained, lost = (np.bincount(category[mask], minlength=c) for mask in (second.hit & ~first.hit, first.hit & ~second.hit))
    followed = first.worst.fixed_classes if captions.categories and first.worst.fixed is not None else ()
    here = np.array([i for i in followed if count[i]], int)
    return Difference(
        second.accuracy - first.accuracy,
        difference_interval(gained.sum(keepdims=True), lost.sum(keepdims=True), count.sum(keepdims=True), seed, per_class=False),
        float(((gained - lost)[here] / count[here]).mean()) if len(here) else None,
        difference_interval(gained[here], lost[here], count[here], seed, per_class=True) if len(here) else None,
        (),
        mcnemar(int(lost.sum()), int(gained.sum())),
        float((first.winner != second.winner).mean()),
    )


def hardest(found: Matched, n: int) -> Array:
    """(n',) int: the n hardest of N cases: the wrong ones, lowest margin first, then the right ones that were closest."""
    return np.lexsort((np.arange(len(found.hit)), found.margin, found.hit))[:n]
