"""Ways of weighing by name: what each is made from when nobody says otherwise, and how it is found on tune."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from promptlab.errors import UsageError, unknown_name
from promptlab.events import ignore
from promptlab.protocols import Rule, Unit
from promptlab.score import weights as formulas
from promptlab.score.ensemble import subset_rows
from promptlab.score.evidence import Evidence
from promptlab.score.rules import parse_rule
from promptlab.score.sweep import sweep
from promptlab.types import Array, Combine, LabelSource, Scope, Scoreboard, Weights

MARGIN, CONFIDENCE, PREDICTED, SIMILARITY = "cmm/worst-k", "confidence", "predicted-sim", "similarity"
BOTH = "both"
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Way:
    """A way of weighing families, and what it is made from when nobody says otherwise."""

    name: str
    """The word that the user types."""
    about: str
    """One line."""
    rule: str
    """The rule whose scores stand behind it."""
    labels: LabelSource = LabelSource.ENSEMBLE
    """Where its right answers come from."""
    scope: Scope = Scope.GLOBAL
    """One weight per family, or one per family and class."""
    combine: Combine = Combine.EMBEDDING
    """How its families are joined."""


UNIFORM = Way("uniform", "1/K for every family: the baseline", MARGIN)
WAYS = {
    way.name: way
    for way in (
        UNIFORM,
        Way("cpe", "softmax of cmm/worst-k in logits: families that do well on the hardest classes", MARGIN),
        Way("zpe", "softmax of confidence, families joined as logits", CONFIDENCE, combine=Combine.LOGIT),
        Way("carprt", "class by class, softmax of predicted-sim", PREDICTED, LabelSource.SELF, Scope.CLASS),
        Way(
            "shrunk",
            "class by class, softmax of mean logit + margin, shrunk towards all classes'",
            SIMILARITY,
            LabelSource.ZPE,
            Scope.CLASS,
        ),
        Way("forward", "greedy choice of families while accuracy on tune rises; needs labels", "accuracy", LabelSource.TRUE),
    )
}
PATTERNS = ("top-M", "top-M:RULE", "forward:RULE", "RULE", "RULE/REDUCER")


@dataclass(frozen=True, slots=True)
class Weighting:
    """How weights are to be found, every choice made."""

    name: str
    """As the user typed it: `cpe`, `top-3:accuracy/mean`, `entropy`."""
    way: str
    """A name of WAYS, `top`, or `rule`."""
    rule: str
    """The rule whose scores stand behind it."""
    labels: LabelSource
    """Where the right answers come from."""
    scope: Scope
    """One weight per family, or one per family and class."""
    combine: Combine
    """How families are joined."""
    tau: float = 1.0
    """Temperature of the softmax over families; larger is flatter."""
    drop: float | None = None
    """Families below median + drop x MAD of their scores get no weight; None keeps all."""
    evidence: str = BOTH
    """What `shrunk` is made from: `similarity`, `margin` (CMM), or `both`."""
    m: int = 0
    """How many families `top-M` keeps; 0 for all other ways."""


def weighting(
    name: str,
    rules: Mapping[str, Rule],
    classes: int,
    *,
    labels: str = AUTO,
    scope: str = AUTO,
    combine: str = AUTO,
    tau: float = 1.0,
    drop: str = "",
    evidence: str = BOTH,
    k: int = 0,
) -> Weighting:
    """The way of that name; `auto` leaves labels, scope and combine as the way has them. Raises UsageError that says what there is."""
    top = re.fullmatch(r"top-([1-9]\d*)(?::(.+))?", name)
    before, _, after = name.partition(":")
    if top:
        way, kind, rule = UNIFORM, "top", top[2] or MARGIN
    elif name in WAYS or (before == "forward" and after):
        way = WAYS[before]
        kind, rule = way.name, after or way.rule
    else:
        way, kind, rule = UNIFORM, "rule", name
    rule = rule.replace("/worst-k", f"/worst-{k}") if k else rule
    try:
        _, reducer = parse_rule(rule, rules, classes)
    except UsageError as error:
        raise error if kind != "rule" or "/" in name else unknown_name("weighting", name, [*WAYS, *PATTERNS, *rules]) from error
    if reducer == "zeros":
        raise UsageError(f"`{name}` counts classes at 0 %: a figure that is never a weight.", f"Use `{rule.partition('/')[0]}/worst-k`.")
    if kind in ("top", "forward", "uniform") and scope == Scope.CLASS:
        raise UsageError(f"`{name}` chooses families for all classes alike, so --scope class cannot be used.", "Leave --scope out.")
    if kind in ("forward", "uniform") and drop:
        raise UsageError(f"`{name}` has no scores to drop families by, so --drop cannot be used.", "Leave --drop out.")
    return Weighting(
        name,
        kind,
        rule,
        way.labels if labels == AUTO else LabelSource(labels),
        way.scope if scope == AUTO else Scope(scope),
        way.combine if combine == AUTO else Combine(combine),
        tau,
        _drop(drop),
        evidence,
        int(top[1]) if top else 0,
    )


def title(how: Weighting) -> str:
    """The way, and what was chosen otherwise than it has it."""
    way = WAYS.get(how.way, UNIFORM)
    said = [how.name, *([how.evidence] if how.way == "shrunk" and how.evidence != BOTH else [])]
    if how.scope is not way.scope:
        said.append("per class" if how.scope is Scope.CLASS else "global")
    if how.labels is not way.labels and how.way != "uniform":
        said.append(f"labels {how.labels}")
    if how.combine is not way.combine:
        said.append(how.combine.value)
    return " ".join([*said, *([f"tau {how.tau:g}"] if how.tau != 1 else []), *([f"drop mad:{how.drop:g}"] if how.drop is not None else [])])


def _drop(text: str) -> float | None:
    if not text:
        return None
    found = re.fullmatch(r"mad:(-?\d+(?:\.\d+)?)", text)
    if not found:
        raise UsageError(f"--drop is {text!r}; mad:NUMBER was expected.", "mad:0.5 keeps families whose score reaches median + 0.5 MAD.")
    return float(found[1])


def rules_of(how: Weighting) -> tuple[str, ...]:
    """The rules whose scores weights are made from."""
    if how.way != "shrunk":
        return (how.rule,)
    return {"similarity": (SIMILARITY,), "margin": ("cmm",), BOTH: (SIMILARITY, "cmm")}[how.evidence]


def find(how: Weighting, evidence: Evidence) -> tuple[Weights, Scoreboard]:
    """Weights of the families, and the scores that they were made from (without any, those that stand beside them)."""
    if how.way == "shrunk":
        weights, board = _shrunk(how, evidence)
    else:
        board = evidence.board(how.rule, how.labels)
        weights = _find(how, evidence, board)
    if how.drop is not None and weights.score is not None:
        weights = formulas.dropped(weights, formulas.kept_by_mad(weights.score, how.drop, board.lower_is_better))
    return weights, board


def _find(how: Weighting, evidence: Evidence, board: Scoreboard) -> Weights:
    match how.way:
        case "uniform":
            return formulas.uniform(evidence.families)
        case "cpe":
            return formulas.cpe(board, evidence.scale, how.tau, how.scope)
        case "zpe":
            return formulas.zpe(board, how.tau, how.scope)
        case "carprt":
            return formulas.carprt(board, how.tau, how.scope)
        case "forward":
            return formulas.subset([k for k, _ in forward(how, evidence)], evidence.families)
        case "top":
            return formulas.best(board, how.m)
        case _:
            return formulas.standardised(board, how.tau, how.scope)


def _shrunk(how: Weighting, evidence: Evidence) -> tuple[Weights, Scoreboard]:
    """The weights, and a board of their own evidence, in logits."""
    boards = list(evidence.ask(rules_of(how), how.labels).values())
    logit = sum((b.per_class * (evidence.scale if b.unit == "margin" else 1.0) for b in boards), np.zeros(()))
    weights = formulas.shrunk(logit, boards[0].count, how.tau, how.scope, evidence.families)
    assert weights.score is not None  # shrunk weights always have one
    said = {"similarity": "similarity", "margin": "margin", BOTH: "similarity + margin"}[how.evidence]
    return weights, replace(boards[0], rule=said, unit=Unit.LOGIT, value=weights.score, per_class=logit)


def forward(how: Weighting, evidence: Evidence) -> list[tuple[int, float]]:
    """The path of greedy forward selection, (family, score once it is in): the family that raises the rule's score of the renormalised mean
    most, until none raises it strictly; equal ones fall to the lower index."""
    labels, path = evidence.labels(how.labels), list[tuple[int, float]]()
    total: Array = np.zeros(evidence.bank.z.shape[1:])
    left = list(range(len(evidence.families)))
    while left:
        columns = evidence.seen(evidence.layout(subset_rows(total, evidence.bank.z[left])), how.labels)
        made = sweep(
            evidence.images(how.labels),
            columns,
            [how.rule],
            evidence.rules,
            source=how.labels,
            labels=labels[:, left] if labels is not None and labels.ndim == 2 else labels,
            families=tuple(evidence.families[k] for k in left),
            scale=evidence.scale,
            listen=ignore,
        )
        board = made[how.rule]
        value = -board.value if board.lower_is_better else board.value
        best = int(np.argmax(value))
        if path and not value[best] > path[-1][1]:
            break
        path.append((left[best], float(value[best])))
        total = total + evidence.bank.z[left.pop(best)]
    return path
