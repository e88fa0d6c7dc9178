"""Retrieval: pictures look for their captions among all, and captions for their pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promptlab.display import many
from promptlab.events import Finished, Listener, Progressed, Started
from promptlab.loops.match import check_texts
from promptlab.loops.run import Choice
from promptlab.score.contest import require_same_encoder
from promptlab.score.ensemble import build, uniform
from promptlab.score.resamples import Answers
from promptlab.score.retrieval import SAME, Found, find, of_pictures, of_rows
from promptlab.types import Array, Captioned, Check, Classifier, Combine, Interval, Recall, Weights

KS = (1, 5, 10)
WORK, BASELINE = "retrieve", "baseline"


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One way of scoring captions, and what is found by it."""

    name: str
    """How tables call it."""
    captions: Recall
    """Each picture looks for one of its captions."""
    pictures: Recall
    """Each caption looks for its picture, or for one of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What retrieval found."""

    plain: Row
    """The captions as they are, without a template."""
    baseline: Row
    """All families under uniform weights."""
    result: Row
    """All families under the weights that were asked for; the same object as `baseline` where those are uniform."""
    reference: Row
    """What the result is compared with: the baseline, or where the result is that the captions as they are."""
    differences: tuple[tuple[Interval, ...], tuple[Interval, ...]]
    """95 % intervals of result minus reference at each k, over pictures, paired: of looking for captions, then for pictures."""
    weights: Weights
    """Of the families."""
    texts: Array
    """(P',) int: the captions among which pictures look, which are those that `Recall` counts; each names one of the data set's texts."""
    health: tuple[Check, ...]
    """Checks that fired."""


def run(material: Captioned, weights: Weights, choice: Choice, listen: Listener, ks: Sequence[int] = KS) -> Outcome:
    """Recall at each k both ways on the judged half: captions as they are, within families of equal weights, and of those asked for.
    Nothing is kept or dropped by what comes out.

    Among the captions are those of these pictures alone, each text once. Raises MismatchError when pictures and texts come from different
    encoders.
    """
    require_same_encoder(material.judged, material.bank)
    own = material.judged_captions.right
    texts, place = np.unique(own[:, 1], return_inverse=True)
    pairs = np.stack([own[:, 0], place], 1)
    families = {"plain captions": build(material.plain, np.ones(1), Combine.EMBEDDING), BASELINE: uniform(material.bank)}
    if choice.how.way != "uniform":
        families[choice.how.name] = build(material.bank, weights.w, choice.how.combine)
    n, made, queries = len(material.judged), list[Row](), len(material.judged) + len(texts)
    listen(Started(WORK, len(families) * queries, "queries"))
    for name, classifier in families.items():
        made.append(Row(name, *_both_ways(material, classifier, texts, pairs, len(made) * queries, tuple(ks), choice, listen)))
    listen(Finished(WORK, len(families) * queries))
    (plain, baseline, *_), reference, result = made, made[-2], made[-1]
    both = ((reference.captions, result.captions), (reference.pictures, result.pictures))
    there, back = (_differences(*pair, n, choice.seed) for pair in both)
    health = (*check_texts(material), *check_ties(result))
    return Outcome(plain, baseline, result, reference, (there, back), weights, texts, health)


def _both_ways(
    material: Captioned,
    classifier: Classifier,
    texts: Array,
    pairs: Array,
    before: int,
    ks: tuple[int, ...],
    choice: Choice,
    listen: Listener,
) -> tuple[Recall, Recall]:
    """(pictures look for captions, captions look for pictures). before: how many queries were done before."""
    pictures, sentences, n = of_pictures(material.judged), of_rows(classifier.weight[texts]), len(material.judged)

    def tell(done: int) -> None:
        listen(Progressed(WORK, before + done))

    device, seed = choice.device, choice.seed
    there = find(pictures, sentences, (n, len(texts)), pairs, device, tell)
    back = find(sentences, pictures, (len(texts), n), pairs[:, ::-1], device, lambda done: tell(n + done))
    whose = np.empty(len(texts), int)
    whose[pairs[::-1, 1]] = pairs[::-1, 0]  # the first picture of a caption that several have
    chances = [tuple(chance(np.bincount(column), of, k) for k in ks) for column, of in zip(pairs.T, (len(texts), n), strict=True)]
    return _recall(there, np.arange(n), ks, n, seed, chances[0]), _recall(back, whose, ks, n, seed, chances[1])


def chance(right: Array, targets: int, k: int) -> float:
    """The share of queries that k targets drawn blindly hold a right answer of; right: (Q,) int, how many each query has among all."""
    miss = np.ones(len(right))
    for drawn in range(min(k, targets)):
        miss *= np.maximum(targets - right - drawn, 0) / (targets - drawn)
    return float(1 - miss.mean())


def _recall(found: Found, picture: Array, ks: tuple[int, ...], n: int, seed: int, chances: tuple[float, ...]) -> Recall:
    hits = np.stack([found.rank < k for k in ks], 1).astype(float)
    intervals = tuple(_answers(column[:, None], picture, n, seed).share(ALL, per_class=False) for column in hits.T)
    return Recall(found.rank, found.right, found.first, found.gap, picture, ks, tuple(hits.mean(0).tolist()), intervals, chances)


ALL = np.zeros(1, int)  # queries are of one class


def _answers(value: Array, picture: Array, n: int, seed: int) -> Answers:
    return Answers(value, np.zeros(len(value), int), picture, n, seed)


def _differences(first: Recall, second: Recall, n: int, seed: int) -> tuple[Interval, ...]:
    """The 95 % interval of second - first at each k, on the same resamples of pictures."""
    out = []
    for k in first.ks:
        was, now = first.hit(k), second.hit(k)
        value = np.stack([now & ~was, was & ~now], 1).astype(float)
        out.append(_answers(value, first.picture, n, seed).difference(ALL, per_class=False))
    return tuple(out)


def check_ties(row: Row) -> list[Check]:
    """Queries whose best right target is as similar as a wrong one."""
    tied = [int((abs(one.gap) <= SAME).sum()) for one in (row.captions, row.pictures)]
    if not any(tied):
        return []
    said = f"{many(tied[0], 'picture')} and {many(tied[1], 'caption')} are as similar to a wrong answer as to the best right one"
    return [Check("ties", f"{said}, within 1e-6; equal ones stand in the order of the data.")]
