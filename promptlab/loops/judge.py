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
    """The data's labels, (N,) int or (N, C) bool, as the classifier counts its classes, joined by id, else by name.

    Raises MismatchError for a class that it does not know, and for two that it holds for one.
    """
    if labels is None or classifier.ids == data.ids:
        return labels
    place, names = {i: n for n, i in enumerate(classifier.ids)}, _by_name(classifier)
    found = [
        place.get(i, next((names[n.casefold()] for n in own if n.casefold() in names), None))
        for i, own in zip(data.ids, data.names, strict=True)
    ]
    strange = [i for i, c in zip(data.ids, found, strict=True) if c is None]
    if strange:
        known = ", ".join(classifier.ids[:8]) + ", ..." * (len(classifier) > 8)
        raise MismatchError(
            f"The classifier knows no class {strange[0]!r}, which the data has; {len(strange)} of {len(data)} are unknown to it.",
            f"It knows: {known}. Rename the folders, or give them these names with --classes.",
        )
    if len(set(found)) < len(found):
        twice = next(i for i, c in zip(data.ids, found, strict=True) if found.count(c) > 1)
        raise MismatchError(f"Two classes of the data are one to the classifier, e.g. {twice!r}.", "Give each a name of its own.")
    if labels.ndim == 1:
        return np.array(found)[labels]
    moved = np.zeros((len(labels), len(classifier)), bool)
    moved[:, np.array(found)] = labels
    return moved


def _by_name(classes: Classes) -> dict[str, int]:
    """{name, case aside: class}, without names that more than one class has."""
    folded = [{name.casefold() for name in names} for names in classes.names]
    return {name: c for c, names in enumerate(folded) for name in names if sum(name in other for other in folded) == 1}


def duel(
    first: Classifier, second: Classifier, tune: Features, judged: Features, rules: Mapping[str, Rule], *, k: int, seed: int, device: str
) -> Duel:
    """Both on `judged`; the worst set is the first one's, picked on `tune`. Raises MismatchError when they have other classes."""
    if first.classes.ids != second.classes.ids:
        raise MismatchError("The two classifiers have different classes, so they cannot be compared.")
    before = evaluate(first, tune, rules, fixed=None, k=k or None, seed=seed, device=device, told=False)
    told = [evaluate(c, judged, rules, fixed=before.order, k=k or None, seed=seed, device=device) for c in (first, second)]
    return Duel(told[0], told[1], compare(told[0], told[1], seed))
