"""Health checks: what would make the numbers of a run mean less than they seem to."""

import numpy as np

from promptlab.types import Array, Check, Evaluation, Scoreboard, Weights


def spearman(a: Array, b: Array) -> float:
    """Rank correlation of two (n,) arrays, ties by mean rank; NaN when one of them is constant or n < 3."""
    if len(a) < 3:
        return float("nan")
    ranks = [_mean_ranks(v) for v in (a, b)]
    if any(r.std() == 0 for r in ranks):
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _mean_ranks(v: Array) -> Array:
    _, place, count = np.unique(v, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[place])


def check_weights(weights: Weights) -> list[Check]:
    """Weights that rest on fewer than two families, or that say nothing."""
    k = len(weights.w)
    if weights.how == "uniform" or k < 2:
        return []
    if k > 2 and weights.effective < 2:
        first = int(np.argmax(weights.w))
        text = f"The weights rest on {weights.effective:.1f} of {k} families; {weights.families[first]!r} alone has {weights.w[first]:.0%}."
        return [Check("weights-collapsed", text)]
    if weights.effective > 0.99 * k:
        return [
            Check(
                "weights-uniform",
                f"The weights are as good as uniform ({weights.effective:.1f} of {k} families count): they change nothing.",
            )
        ]
    return []


def check_ranking(weights: Weights, accuracy: Scoreboard | None) -> list[Check]:
    """Weights that run against the families' accuracy on tune."""
    if accuracy is None or weights.how == "uniform":
        return []
    rho = spearman(weights.w, accuracy.value)
    if not rho < 0:
        return []
    text = f"The weighting ranks the families against their accuracy on tune (Spearman {rho:.2f}): it prefers the worse ones."
    return [Check("weights-against-accuracy", text)]


def check_margins(evaluation: Evaluation) -> list[Check]:
    """CMM per class that says nothing of class accuracy on the same images."""
    known = np.isfinite(evaluation.margin) & np.isfinite(evaluation.per_class)
    rho = spearman(evaluation.margin[known], evaluation.per_class[known])
    if not rho < 0.3:
        return []
    return [
        Check(
            "margin-uncorrelated",
            f"CMM hardly follows class accuracy here (Spearman {rho:.2f}): do not trust a margin to find the worst classes.",
        )
    ]


def check_labels(source: str) -> list[Check]:
    """A label source that measures confidence instead of correctness."""
    if source != "self":
        return []
    text = "With labels `self` every margin is >= 0 by construction: it measures how sure a family is, not whether it is right."
    return [Check("labels-self", text)]


def check_ties(board: Scoreboard, n: int) -> list[Check]:
    """Images whose right answer is tied with another class."""
    if not board.ties.any():
        return []
    text = f"In up to {int(board.ties.max())} of {n} pictures the right class is exactly as similar as another one; the lower index wins."
    return [Check("ties", text)]


def check_balance(labels: Array | None, classes: int, debias: str) -> list[Check]:
    """An assumed class mix that is not the real one."""
    if debias == "none":
        return []
    text = "`balance` assumes that all classes are equally common in these pictures; where few of them occur it destroys accuracy."
    if labels is not None and (absent := classes - len(np.unique(labels))) > 0:
        text += f" Here {absent} of {classes} classes do not occur on tune."
    return [Check("balance-assumes-mix", text)]
