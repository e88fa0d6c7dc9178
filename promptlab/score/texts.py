"""Every single text, judged in its class's row."""

import numpy as np
import torch

from promptlab.errors import DataError
from promptlab.score.contest import Columns
from promptlab.score.ensemble import uniform
from promptlab.types import Array, Features, TextBank, TextScores


def score_texts(features: Features, bank: TextBank, labels: Array, c: int, device: str) -> TextScores:
    """How well each text of class c would do alone, swapped into its row of the uniform ensemble while all other rows stay.

    labels: (N,) int. Per text: cmm, the mean over images of class c of (cosine with the text - strongest other row), and the share of these
    images that the text wins (equal cosines fall to the lower class index). A picture's other right answers are no rivals. Raises DataError
    when no image is of class c.
    """
    rows = np.flatnonzero(labels == c)
    if not len(rows):
        raise DataError(f"No picture on tune is of class {bank.grid.classes.titles[c]!r}, so its texts cannot be scored.")
    families, texts, z = bank.texts_of(c)
    rest = uniform(bank).weight
    # One set of columns, so that a text that equals another class's row ties with it to the bit.
    columns = Columns(np.concatenate([rest, z])[None], device=device)
    margin, wins = np.zeros(len(z)), np.zeros(len(z))
    mine = features.take(rows, features.split)
    for start, x in mine.batches(4096):
        s = columns.similarity(torch.from_numpy(x).to(device), slice(0, 1))[:, 0]
        own, others = s[:, len(rest) :], s[:, : len(rest)].clone()
        others[:, c] = -torch.inf
        hidden = mine.hidden(slice(start, start + len(x)))
        if hidden is not None:
            others[torch.from_numpy(hidden).to(device)] = -torch.inf
        rival, taker = (part[:, None] for part in others.max(1))
        gap = own - rival
        margin += gap.double().sum(0).cpu().numpy()
        wins += ((gap > 0) | ((gap == 0) & (taker > c))).sum(0).cpu().numpy()
    return TextScores(c, families, texts, margin / len(rows), wins / len(rows), len(rows))
