"""What classifiers say of images."""

import numpy as np
import torch

from promptlab.score.contest import Columns, contests
from promptlab.types import Array, Classifier, Features, Guess, Outcomes


def columns_of(classifier: Classifier, device: str) -> Columns:
    """The classifier as a contest of one family, its bias in cosine units."""
    return Columns(classifier.weight[None], classifier.bias / classifier.scale, device)


def classify(classifier: Classifier, features: Features, labels: Array | None, device: str) -> Outcomes:
    """What the classifier does with each image. labels: (N,) int or None."""
    parts = []
    for contest in contests(features, columns_of(classifier, device), labels, classifier.scale):
        margin = contest.true.double() - contest.rival.double()
        parts.append([tensor[:, 0].cpu().numpy() for tensor in (contest.winner, contest.rival_class, margin)])
    winners, rivals, margins = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Outcomes(winners, labels, rivals, margins, None if features.several is None else features.several.picture)


def logits(classifier: Classifier, features: Features, device: str) -> Array:
    """(N, C) f4: scale * x @ weight.T + bias, without the constant of sigmoid models."""
    columns = columns_of(classifier, device)
    blocks = [c.similarity[:, 0].cpu() * classifier.scale for c in contests(features, columns, None, classifier.scale)]
    return torch.cat(blocks).numpy()


def guesses(classifier: Classifier, features: Features, device: str, top: int) -> list[Guess]:
    """One per image: the `top` classes with their shares, of a softmax over classes, or for sigmoid models each class's own; and the margin
    of the winner over the runner-up in cosine units."""
    found = []
    for key, row in zip(features.keys, logits(classifier, features, device), strict=True):
        share = _softmax(row) if classifier.logit_bias is None else 1 / (1 + np.exp(-(row + classifier.logit_bias)))
        order = np.argsort(-row, kind="stable")
        best = tuple((classifier.classes.titles[c], float(share[c])) for c in order[:top])
        found.append(Guess(key, best, float(row[order[0]] - row[order[1]]) / classifier.scale))
    return found


def _softmax(row: Array) -> Array:
    share = np.exp(row - row.max())
    return np.asarray(share / share.sum())
