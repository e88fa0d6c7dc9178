"""Per-class offsets without labels. Both ways assume that the class mix m is the real one of the images: where it is not, they destroy
accuracy."""

import numpy as np

from promptlab.errors import ConvergenceError
from promptlab.score.classifier import logits
from promptlab.types import Array, Classifier, Features

TOLERANCE = 1e-6
MOST_STEPS = 300
MOST_NEWTON_STEPS = 60


def prior(classifier: Classifier, features: Features, device: str, mix: Array) -> Array:
    """(C,) f4 offsets in logits, b = log m - log mean_x softmax(l): one step of `balance` from zero, centred. mix: (C,) m, > 0, sums to 1.

    Dividing by the marginal prediction is the prior correction of Allingham et al. 2023 and of calibrated zero-shot prompting.
    """
    share = _convex(logits(classifier, features, device).astype(np.float64), np.zeros(len(mix)), mix)[1].mean(0)
    b = np.log(mix) - np.log(np.maximum(share, 1e-300))
    return np.asarray(b - b.mean(), np.float32)


def balance(classifier: Classifier, features: Features, device: str, mix: Array) -> Array:
    """(C,) f4 offsets in logits under which the mean predicted class mix over the images is m within 1e-6. mix: (C,) m, > 0, sums to 1.

    Iterates b <- b + log m - log mean_x softmax(l + b); where that crawls, because nearly every image is sure of its class, damped Newton
    steps on the convex function whose slope is the same difference of mixes, mean_x logsumexp(l + b) - sum m b, go on to the same
    offsets. Raises ConvergenceError when the mix is not reached.
    """
    l = logits(classifier, features, device).astype(np.float64)  # noqa: E741
    odds = np.exp(l - l.max(1, keepdims=True))  # softmax(l + b) = odds * e^b / (odds @ e^b): a step is two products with a vector
    with np.errstate(all="ignore"):  # a scale far beyond CLIP's can leave the numbers that f8 holds; then it is no convergence
        b, off = _plain(odds, mix)
        if off > TOLERANCE:
            b, off = _newton(l, b, mix)
    if off <= TOLERANCE:
        return b.astype(np.float32)
    how_far = f"still off by {off:.1e}" if np.isfinite(off) else "its numbers left the range"
    raise ConvergenceError(
        f"`balance` did not reach the class mix on {len(l)} pictures in {MOST_STEPS + MOST_NEWTON_STEPS} steps ({how_far}).",
        "Its assumption, that the pictures have this mix of classes, may not hold here; leave --debias out.",
    )


def _plain(odds: Array, mix: Array) -> tuple[Array, float]:
    """(offsets, largest distance of the mix) after the fixed-point iteration."""
    n, c = odds.shape
    b = np.zeros(c)
    for _ in range(MOST_STEPS):
        factor = np.exp(b)
        predicted = factor * (odds.T @ (1 / (odds @ factor))) / n
        off = float(np.abs(predicted - mix).max())
        if off <= TOLERANCE:
            return b, off
        if not np.isfinite(off):
            return np.zeros(c), np.inf
        b += np.log(mix) - np.log(np.maximum(predicted, 1e-300))
        b -= b.mean()
    return b, np.inf


def _newton(l: Array, b: Array, mix: Array) -> tuple[Array, float]:  # noqa: E741
    """(offsets, largest distance of the mix) after damped Newton steps from b."""
    n, c = l.shape
    value, share = _convex(l, b, mix)
    for _ in range(MOST_NEWTON_STEPS):
        predicted = share.mean(0)
        slope = predicted - mix
        off = float(np.abs(slope).max())
        if off <= TOLERANCE or not np.isfinite(off):
            return b, off
        # The function is flat along (1, ..., 1), and nearly flat where images are sure: both are held by a little more curvature.
        curve = np.diag(predicted + 1e-2 * off) - share.T @ share / n + 1 / c**2
        step = np.linalg.solve(curve, -slope)
        for _ in range(40):
            tried, tried_share = _convex(l, b + step, mix)
            if tried < value + 1e-4 * float(slope @ step):
                break
            step /= 2
        b, value, share = b + step, tried, tried_share
    return b, float(np.abs(share.mean(0) - mix).max())


def _convex(l: Array, b: Array, mix: Array) -> tuple[float, Array]:  # noqa: E741
    """(mean_x logsumexp(l + b) - sum m b, softmax(l + b) (N, C))."""
    z = l + b
    top = z.max(1, keepdims=True)
    e = np.exp(z - top)
    total = e.sum(1, keepdims=True)
    return float((top + np.log(total)).mean() - mix @ b), e / total
