"""Health checks: what would make the numbers of a run mean less than they seem to."""

import numpy as np

from promptlab.display import many
from promptlab.score.weighting import Weighting
from promptlab.types import Array, Check, Combine, Evaluation, Features, LabelSource, Scoreboard, Weights

FEW = 5  # pictures a class: below, cmm-top is the mean of four margins or fewer


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
        first = int(np.argmax(weights.overall))
        share = f"{weights.overall[first]:.0%}"
        text = f"The weights rest on {weights.effective:.1f} of {k} families; {weights.families[first]!r} alone has {share}."
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
    rho = spearman(weights.overall, accuracy.value)
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


def check_labels(how: Weighting) -> list[Check]:
    """A label source that measures confidence instead of correctness; `carprt` means to."""
    if how.labels is not LabelSource.SELF or how.way in ("uniform", "carprt"):
        return []
    text = "With labels `self` every margin is >= 0 by construction: it measures how sure a family is, not whether it is right."
    return [Check("labels-self", text)]


def check_ties(board: Scoreboard, scored: Features) -> list[Check]:
    """Images whose right answer is tied with another class; scored: what the board was made on."""
    if not board.ties.any():
        return []
    where = f"{int(board.ties.max())} of {len(scored)} {'pictures' if scored.several is None else 'right answers'}"
    text = f"In up to {where} the right class is exactly as similar as another one; the lower index wins."
    return [Check("ties", text)]


def check_logit(combine: Combine, described: bool) -> list[Check]:
    """Descriptions under a combine that counts how much a class's texts agree."""
    if combine is not Combine.LOGIT or not described:
        return []
    text = (
        "Combined in logits, a class counts for more the better its texts agree, and descriptions change that: what a class gains or loses "
        "need not come from what they say. `--combine embedding` is free of it."
    )
    return [Check("logit-with-descriptions", text)]


def check_moved(moved: int, n: int) -> list[Check]:
    """Descriptions in use that change the prediction of none of n pictures."""
    if moved:
        return []
    text = f"Descriptions are in use, and without them each of the {many(n, 'picture')} on eval would be taken for the same class."
    return [Check("enrichment-moved-nothing", text)]


def check_size(labels: Array | None, n: int, classes: int) -> list[Check]:
    """Too few pictures to say anything where no label helps."""
    if labels is not None or n >= FEW * classes:
        return []
    text = (
        f"{many(n, 'picture')} on tune for {classes} classes, without labels: so few say nothing of a class. Bring {FEW} a class or more."
    )
    return [Check("few-pictures", text)]


def check_mix(tune: Features, classes: int, debias: str, mix: Array | None) -> list[Check]:
    """An assumed class mix (C,), None for uniform, that is not the real one, where labels can tell; pictures that show several classes have
    no such mix at all."""
    labels = tune.labels
    if debias == "none":
        return []
    assumed = "all classes are equally common" if mix is None else "the classes have the mix that was given"
    text = f"`{debias}` assumes that {assumed} in these pictures; where it is otherwise it destroys accuracy."
    if labels is None:
        return [Check("debias-assumes-mix", text)]
    if tune.several is not None:
        shown = len(labels) / len(tune.pictures)
        text = f"`{debias}` shares out one class for each picture; here pictures show {shown:.2g} on average, so its offsets mean little."
        return [Check("debias-assumes-one-class", text)]
    real = np.bincount(labels, minlength=classes) / len(labels)
    distance = float(abs(real - (1 / classes if mix is None else mix)).sum() / 2)
    if absent := int((real == 0).sum()):
        text += f" Here {absent} of {classes} classes do not occur on tune."
    if distance > 0.1:
        text += f" On tune {distance:.0%} of the pictures would have to change class for it to be so."
    return [Check("debias-assumes-mix", text)]
