"""Per-class offsets without labels."""

import numpy as np

from promptlab.errors import ConvergenceError
from promptlab.score.classifier import logits
from promptlab.types import Array, Classifier, Features

TOLERANCE = 1e-6
MOST_STEPS = 5000


def balance(classifier: Classifier, features: Features, device: str) -> Array:
    """(C,) f4 offsets in logits under which the mean predicted class mix over the images is uniform within 1e-6.

    Iterates b <- b + log m - log mean_x softmax(l + b), m = 1 / C. This assumes that every class is about equally common: on images where
    few of the classes occur it destroys accuracy. Raises ConvergenceError after 5,000 steps.
    """
    l = logits(classifier, features, device).astype(np.float64)  # noqa: E741
    n, c = l.shape
    odds = np.exp(l - l.max(1, keepdims=True))  # softmax(l + b) = odds * e^b / (odds @ e^b): a step is two products with a vector
    b = np.zeros(c)
    off = np.inf
    with np.errstate(all="ignore"):  # a scale far beyond CLIP's can leave the numbers that f8 holds; then it is no convergence
        for _ in range(MOST_STEPS):
            factor = np.exp(b)
            mix = factor * (odds.T @ (1 / (odds @ factor))) / n
            off = np.abs(mix - 1 / c).max()
            if off <= TOLERANCE:
                return b.astype(np.float32)
            if not np.isfinite(off):
                break
            b -= np.log(c * np.maximum(mix, 1e-300))
            b -= b.mean()
    how_far = f"still off by {off:.1e}" if np.isfinite(off) else "its numbers left the range"
    raise ConvergenceError(
        f"`balance` did not reach a uniform class mix on {n} pictures in {MOST_STEPS} steps ({how_far}).",
        "Its assumption, that all classes are equally common, may not hold here; leave --debias out.",
    )
