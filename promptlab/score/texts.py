"""Every single text, judged in its class's row."""

import numpy as np
import torch

from promptlab.errors import DataError
from promptlab.score.classifier import columns_of, uniform
from promptlab.score.contest import contests
from promptlab.types import Array, Features, TextBank, TextScores


def score_texts(features: Features, bank: TextBank, labels: Array, c: int, device: str) -> TextScores:
    """How well each text of class c would do alone, swapped into its row of the uniform ensemble while all other rows stay.

    labels: (N,) int. Per text: cmm, the mean over images of class c of (cosine with the text - strongest other row), and the share of these
    images that the text wins (equal cosines fall to the lower class index). Raises DataError when no image is of class c.
    """
    rows = np.flatnonzero(labels == c)
    if not len(rows):
        raise DataError(f"No picture on tune is of class {bank.grid.classes.titles[c]!r}, so its texts cannot be scored.")
    some = features.take(rows, features.split)
    families, texts, z = bank.texts_of(c)
    vectors = torch.from_numpy(np.ascontiguousarray(z, np.float32)).to(device)
    margin, wins = np.zeros(len(z)), np.zeros(len(z))
    for contest in contests(some, columns_of(uniform(bank), device), np.full(len(rows), c), bank.scale):
        own = contest.x @ vectors.T
        gap = own - contest.rival
        won = (gap > 0) | ((gap == 0) & (contest.rival_class > c))
        margin += gap.double().sum(0).cpu().numpy()
        wins += won.sum(0).cpu().numpy()
    return TextScores(c, families, texts, margin / len(rows), wins / len(rows), len(rows))
