"""Weights over families, global (K,) or per class (K, C), from scores: the formulas alone.

Sources: CPE, class-wise matching margin (CMM) as weight; ZPE, Allingham et al. 2023, "A Simple Zero-shot Prompt Weighting Technique to
Improve Prompt Ensembling in Text-Image Models"; CARPRT, class-aware prompt reweighting. `shrunk` is promptlab's own.
"""

import numpy as np

from promptlab.errors import DataError
from promptlab.types import Array, Scope, Scoreboard, Weights

PRIOR_IMAGES = 5  # n0: a class with this many images stands half on its own evidence, half on that of all classes
ROUNDING = 1e-5  # equal scores differ by so much, the contest being fp32; a spread of that must not be blown up to 1


def softmax(x: Array) -> Array:
    """Over the first axis of (K,) or (K, C) f8. Where a value is undefined (NaN) the weight is 0; where all are, it is uniform."""
    known = np.isfinite(x)
    top = np.max(np.where(known, x, -np.inf), 0, initial=-np.inf, keepdims=True)
    e = np.where(known, np.exp(np.where(known, x, 0.0) - np.where(np.isfinite(top), top, 0.0)), 0.0)
    e = np.where(known.any(0), e, 1.0)
    return np.asarray(e / e.sum(0))


def uniform(families: tuple[str, ...]) -> Weights:
    """1 / K for every family."""
    return Weights(np.full(len(families), 1 / len(families)), families, "uniform")


def cpe(board: Scoreboard, scale: float, tau: float = 1.0, scope: Scope = Scope.GLOBAL) -> Weights:
    """softmax over families of cmm/worst-k x scale / tau: CMM in logits, as in class-wise prompt ensembling.

    board: of `cmm/worst-k`, in cosine units. Class scope: softmax of the per-class cmm x scale / tau. Raises DataError when a family has
    no score.
    """
    return _from_board("cpe", board, scale / tau, scope)


def zpe(board: Scoreboard, tau: float = 1.0, scope: Scope = Scope.GLOBAL) -> Weights:
    """softmax over families of confidence / tau: mean over images of the highest logit above what its class gets on average
    (Allingham et al. 2023, without the extra image set that they take the averages from).

    board: of `confidence`, in logits. Class scope: the mean over the images that the labels give a class.
    """
    return _from_board("zpe", board, 1 / tau, scope)


def carprt(board: Scoreboard, tau: float = 1.0, scope: Scope = Scope.CLASS) -> Weights:
    """softmax over families, class by class, of predicted-sim / tau: the mean logit of the images that a family itself gives to the
    class. A family that gives it none has weight 0 there; where none gives it any, weights are uniform.

    board: of `predicted-sim`, in logits. Global scope: softmax of its mean over classes.
    """
    return _from_board("carprt", board, 1 / tau, scope)


def shrunk(logit: Array, count: Array, tau: float = 1.0, scope: Scope = Scope.CLASS, families: tuple[str, ...] = ()) -> Weights:
    """softmax over families of (n_c e(k, c) + n0 e(k)) / (n_c + n0) / tau: each class's own evidence, shrunk towards that of all classes.

    logit: (K, C) e, mean evidence in logits of the images that the labels give to class c, read only where n_c > 0. count: (K, C) n_c.
    e(k) is the mean over all images, n0 = 5. Global scope is n0 without end: softmax of e(k) / tau.
    """
    total = np.where(count > 0, logit * count, 0.0)
    overall = total.sum(1) / count.sum(1)
    if scope is Scope.GLOBAL:
        return Weights(softmax(overall / tau), families, "shrunk", overall)
    e = (total + PRIOR_IMAGES * overall[:, None]) / (count + PRIOR_IMAGES)
    return Weights(softmax(e / tau), families, "shrunk", overall)


def standardised(board: Scoreboard, tau: float, scope: Scope) -> Weights:
    """softmax over families of a rule's score / tau, standardised over families first (mean 0, standard deviation 1; equal scores give
    uniform weights). A rule of which less is better is negated."""
    x = (board.value if scope is Scope.GLOBAL else board.per_class) * (-1 if board.lower_is_better else 1)
    _require_scores(board)
    known = np.isfinite(x)
    n = np.maximum(known.sum(0), 1)
    mean = np.where(known, x, 0.0).sum(0) / n
    deviation = np.where(known, x - mean, 0.0)
    spread = np.sqrt((deviation**2).sum(0) / n)
    z = deviation / np.where(spread > ROUNDING * np.maximum(1.0, abs(mean)), spread, np.inf)
    return Weights(softmax(np.where(known, z, np.nan) / tau), board.families, board.rule, board.value)


def best(board: Scoreboard, m: int) -> Weights:
    """Equal weights for the m best families by a rule; equal scores fall to the lower index. All families where m >= K."""
    _require_scores(board)
    order = np.argsort(board.value if board.lower_is_better else -board.value, kind="stable")[:m]
    w = np.zeros(len(board.value))
    w[order] = 1 / len(order)
    return Weights(w, board.families, f"top-{m}", board.value)


def subset(chosen: list[int], families: tuple[str, ...]) -> Weights:
    """Equal weights for the chosen families."""
    w = np.zeros(len(families))
    w[chosen] = 1 / len(chosen)
    return Weights(w, families, "forward")


def kept_by_mad(value: Array, factor: float, lower_is_better: bool = False) -> Array:
    """(K,) bool: families whose score reaches median + factor x MAD. Raw median absolute deviation; where it is 0, those that reach the
    median; never empty."""
    score = -value if lower_is_better else value
    middle = np.median(score)
    mad = np.median(abs(score - middle))
    kept = score >= middle + factor * mad
    return np.asarray(kept if kept.any() else score == score.max())


def dropped(weights: Weights, kept: Array) -> Weights:
    """The weights of the kept families (K,) bool, made to sum to 1 again; a class left without any gets uniform ones over them."""
    w = np.where(kept if weights.w.ndim == 1 else kept[:, None], weights.w, 0.0)
    total = w.sum(0)
    even = kept / kept.sum()
    w = np.where(total > 0, w / np.where(total > 0, total, 1.0), even if w.ndim == 1 else even[:, None])
    return Weights(w, weights.families, weights.how, weights.score)


def _from_board(how: str, board: Scoreboard, factor: float, scope: Scope) -> Weights:
    _require_scores(board)
    return Weights(softmax((board.value if scope is Scope.GLOBAL else board.per_class) * factor), board.families, how, board.value)


def _require_scores(board: Scoreboard) -> None:
    bad = int((~np.isfinite(board.value)).sum())
    if bad:
        raise DataError(f"The rule {board.rule} gives no score to {bad} of {len(board.value)} families.", "Is the tune half empty?")
