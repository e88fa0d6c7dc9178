"""Judge finished classifiers: one on data, or two against each other."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from promptlab.errors import MismatchError
from promptlab.protocols import Rule
from promptlab.score.evaluate import compare, evaluate
from promptlab.types import Array, Classes, Classifier, Difference, Evaluation, Features


@dataclass(frozen=True, slots=True, eq=False)
class Duel:
    """Two classifiers on the same pictures."""

    first: Evaluation
    """Of the first, on eval."""
    second: Evaluation
    """Of the second, on eval."""
    difference: Difference
    """Second minus first."""
    in_sample: bool = False
    """Whether one of them was tuned on pictures that both are judged on."""


def labels_for(classifier: Classes, data: Classes, labels: Array | None) -> Array | None:
    """(N,) the data's labels as the classifier counts its classes, joined by id. Raises MismatchError for a class that it does not know."""
    if labels is None or classifier.ids == data.ids:
        return labels
    place = {i: n for n, i in enumerate(classifier.ids)}
    strange = [i for i in data.ids if i not in place]
    if strange:
        raise MismatchError(
            f"The classifier knows no class {strange[0]!r}, which the data has.",
            f"{len(strange)} of {len(data)} classes are unknown to it; is it a classifier for this data?",
        )
    return np.array([place[i] for i in data.ids])[labels]


def duel(
    first: Classifier, second: Classifier, tune: Features, judged: Features, rules: Mapping[str, Rule], *, k: int, seed: int, device: str
) -> Duel:
    """Both on `judged`; the worst set is the first one's, picked on `tune`. Raises MismatchError when they have other classes."""
    if first.classes.ids != second.classes.ids:
        raise MismatchError("The two classifiers have different classes, so they cannot be compared.")
    before = evaluate(first, tune, rules, fixed=None, k=k or None, seed=seed, device=device)
    told = [evaluate(c, judged, rules, fixed=before.order, k=k or None, seed=seed, device=device) for c in (first, second)]
    return Duel(told[0], told[1], compare(told[0], told[1], seed))
