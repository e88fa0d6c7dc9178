"""The caption task: families weighted on tune, right captions told from wrong ones on eval."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from promptlab.display import many
from promptlab.events import Finished, Listener, Started
from promptlab.loops.run import Choice
from promptlab.protocols import Rule
from promptlab.score.contest import require_same_encoder
from promptlab.score.ensemble import joined, uniform
from promptlab.score.health import check_labels, check_ranking, check_weights
from promptlab.score.matches import CaptionEvidence, compare, match
from promptlab.score.weighting import WAYS, Weighting, find, title
from promptlab.types import Array, Captioned, Cases, Check, Difference, LabelSource, Matched, Scoreboard, Weights

RULE = "caption-match"
MATCHING = "match captions"
WHERE = {"given": "in the data", "same": "of the same category", "other": "of another category"}  # by `Cases.source`


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One way of scoring captions, and how it does on the eval half."""

    name: str
    """How tables call it."""
    matched: Matched
    """On eval."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What matching captions found."""

    plain: Row
    """The captions as they are, without a template."""
    baseline: Row
    """Uniform weights."""
    tried: Row
    """The weights that were asked for, kept or not."""
    result: Row
    """What is kept: the tried ones, or the baseline when they do not beat it on tune."""
    difference: Difference
    """Result minus baseline, on eval."""
    weights: Weights
    """Of the families, as tried."""
    board: Scoreboard
    """The score behind the weights, on tune."""
    accuracy: Scoreboard
    """`caption-match` of each family on tune, with true answers."""
    chosen: bool
    """Whether anything was chosen on tune; uniform weights choose nothing."""
    kept: bool
    """Whether the tried weights are kept."""
    same: bool
    """Whether they score as the baseline does, to the bit."""
    cases: Cases
    """Of the eval half."""
    shares: Array
    """(N, M) the share that the result gives each candidate, in the order of `Cases.texts`."""
    matched: int
    """How many cases were scored in all, for the time that one takes."""
    health: tuple[Check, ...]
    """Checks that fired."""


def run(material: Captioned, tune: Cases, judged: Cases, choice: Choice, rules: Mapping[str, Rule], listen: Listener) -> Outcome:
    """Everything chosen on the cases of the tune half, everything told on those of the other.

    Worst categories are found by looking, too: where nothing is chosen and both are the same pictures, none is followed.
    """
    for half in (material.tune, material.judged):
        require_same_encoder(half, material.bank)
    evidence = CaptionEvidence(material.tune, material.bank, rules, choice.device, listen, material.tune_captions, tune)
    weights, board = find(choice.how, evidence)
    accuracy = evidence.board(RULE, LabelSource.TRUE)
    first, candidate = uniform(material.bank).weight, joined(material.bank.z, weights.w, choice.how.combine)
    same, chosen = np.array_equal(first, candidate), choice.how.way != "uniform"

    listen(Started(MATCHING, None, "pictures"))
    matcher = partial(match, k=choice.k, seed=choice.seed, device=choice.device)
    on_tune = partial(matcher, features=material.tune, captions=material.tune_captions, cases=tune)
    on_eval = partial(matcher, features=material.judged, captions=material.judged_captions, cases=judged)
    before = on_tune(first, fixed=None) if chosen or not material.in_sample else None
    followed = None if before is None else before.order
    kept = same or before is None or on_tune(candidate, fixed=followed).mean > before.mean
    plain = Row("plain captions", on_eval(material.plain.z[0], fixed=followed))
    baseline = Row("baseline", on_eval(first, fixed=followed))
    tried = Row(named(choice.how), baseline.matched if same else on_eval(candidate, fixed=followed))
    scored = ((before is not None) + (not same)) * len(tune) + (2 + (not same)) * len(judged)
    listen(Finished(MATCHING, scored))

    result = tried if kept else baseline
    share = shares(result.matched, material.bank.scale, material.bank.logit_bias)
    difference = compare(baseline.matched, result.matched, material.judged_captions, choice.seed)
    health = (
        *check_weights(weights),
        *check_ranking(weights, accuracy),
        *check_labels(choice.how),
        *check_cases(judged, result.matched),
        *check_texts(material),
    )
    return Outcome(plain, baseline, tried, result, difference, weights, board, accuracy, chosen, kept, same, judged, share, scored, health)


def named(how: Weighting) -> str:
    """How tables call what is weighed so: that weights belong to families is no choice here, and not said."""
    return title(replace(how, scope=WAYS[how.way].scope) if how.way in WAYS else how)


def check_cases(cases: Cases, found: Matched) -> list[Check]:
    """Pictures with fewer candidates than were asked for, or with those of another source, and right captions tied with wrong ones."""
    checks = []
    if cases.elsewhere:
        text = f"For {many(cases.elsewhere, 'picture')} of {len(cases)} there is no wrong caption {WHERE[cases.source]}"
        text += "; those of any other picture serve."
        checks.append(Check("other-captions", text))
    if cases.short:
        least = int(cases.size.min())
        text = f"{many(cases.short, 'picture')} of {len(cases)} have fewer than {cases.asked} candidates, at least {least}: fewer fit."
        checks.append(Check("few-candidates", f"{text} The chance level counts each with its own number."))
    if found.ties:
        text = f"In {many(found.ties, 'picture')} the right caption is exactly as similar as a wrong one; the seed says which wins."
        checks.append(Check("ties", text))
    return checks


def check_texts(material: Captioned) -> list[Check]:
    """Texts that the encoder cut, and captions that are right for several pictures."""
    checks, too_long = [], material.bank.too_long
    if too_long:
        of = len(material.bank.grid.texts)
        text = f"{len(too_long)} of {of} texts are longer than the model reads; what comes after that is lost, e.g. {too_long[0][:80]!r}."
        checks.append(Check("truncated", text))
    halves = [material.tune_captions, *([] if material.in_sample else [material.judged_captions])]
    used = np.bincount(np.concatenate([half.right[:, 1] for half in halves]), minlength=1)
    if twice := int((used > 1).sum()):
        example = halves[0].texts[int(np.argmax(used))]
        text = f"{many(twice, 'caption')} of {int((used > 0).sum())} are right for several pictures, e.g. {example[:80]!r}."
        checks.append(Check("same-captions", f"{text} They are never each other's wrong candidates, but they tell little."))
    return checks


def shares(found: Matched, scale: float, logit_bias: float | None) -> Array:
    """(N, M) the share of each candidate: of the softmax over a picture's candidates, of sigmoid models its own; 0 where there is none."""
    logits = found.similarity.astype(np.float64) * scale
    if logit_bias is not None:
        return np.asarray(1 / (1 + np.exp(-(logits + logit_bias))))
    rise = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(rise / rise.sum(1, keepdims=True))
