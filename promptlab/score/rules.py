"""Scoring rules: what is read off each image."""

import re
from collections.abc import Iterable, Mapping

from promptlab.errors import unknown_name
from promptlab.hookspecs import hookimpl
from promptlab.protocols import Rule, State, Unit
from promptlab.score.precision import PrecisionState
from promptlab.score.reducers import parse_reducer
from promptlab.score.states import BestListState, ClassMeanState, F1State, MeanState, Setting


def _confidence(setting: Setting) -> MeanState:
    """Zero-shot prompt ensembling's score (Allingham et al. 2023), without its extra image set: E_c is taken over these images."""
    scale, expected = setting.scale, setting.expected
    return MeanState(setting, lambda contest: scale * (contest.similarity - contest.each(expected)).amax(-1))


def _predicted_sim(setting: Setting) -> MeanState:
    """Mean logit over the images that a family itself gives to a class; undefined where it gives none."""
    scale = setting.scale
    return MeanState(setting, lambda contest: scale * contest.similarity.amax(-1), by=lambda contest: contest.picked)


@hookimpl
def promptlab_rules() -> Iterable[Rule]:
    """The built-in rules."""
    margin, share, logit = Unit.MARGIN, Unit.SHARE, Unit.LOGIT
    return [
        Rule("cmm", lambda c: c.true - c.rival, unit=margin, about="Class-wise Matching Margin: mean of true - rival"),
        Rule("cmm-class", start=ClassMeanState, unit=margin, about="the margin of the class's mean image feature"),
        Rule(
            "cmm-top",
            start=BestListState,
            unit=margin,
            about="the margin over the N / C images most similar to the class; needs no label",
            pictures=True,
        ),
        Rule("accuracy", lambda c: c.right, reducer="overall", unit=share, about="share of images whose class wins"),
        Rule("caption-match", lambda c: c.right, reducer="overall", unit=share, about="share of pictures whose caption wins"),
        Rule("recall", lambda c: c.right, unit=share, about="share of a class's images that it wins, mean over classes"),
        Rule(
            "ap",
            start=PrecisionState,
            unit=share,
            about="average precision: how far a class's images come before all others; its mean over classes is mAP",
            pictures=True,
        ),
        Rule("f1", start=F1State, reducer="macro", unit=share, about="harmonic mean of precision and recall; /macro, /micro, /weighted"),
        Rule("loglik", lambda c: c.scale * c.true - c.logz, reducer="overall", unit=logit, about="log of the right class's softmax share"),
        Rule("similarity", lambda c: c.scale * c.true, reducer="overall", unit=logit, about="mean logit of the image's own class"),
        Rule(
            "entropy",
            lambda c: c.logz - c.expected,
            reducer="overall",
            unit=logit,
            lower_is_better=True,
            about="of the softmax, in nats; less is better",
        ),
        Rule(
            "confidence",
            start=_confidence,
            reducer="overall",
            unit=logit,
            about="mean of the highest logit above its class's mean logit",
            pictures=True,
        ),
        Rule(
            "predicted-sim",
            start=_predicted_sim,
            reducer="mean",
            unit=logit,
            about="mean logit over the images that the family gives a class",
            pictures=True,
        ),
    ]


def _hit_at(k: int, by: str) -> Rule:
    about = f"share of images whose class is among the first {k}"
    return Rule(f"hit@{k}", lambda contest: contest.rank < k, reducer="overall", unit=Unit.SHARE, about=about, by=by)


def parse_rule(text: str, rules: Mapping[str, Rule], classes: int) -> tuple[Rule, str]:
    """(rule, reducer) for `rule` or `rule/reducer`. Raises UsageError for unknown names, listing those that exist."""
    name, _, reducer = text.partition("/")
    hit = re.fullmatch(r"hit@([1-9]\d{0,8})", name)
    if not hit and name not in rules:
        raise unknown_name("rule", name, [*rules, "hit@k"])
    by = rules["accuracy"].by if "accuracy" in rules else ""
    rule = _hit_at(int(hit[1]), by) if hit else rules[name]
    return rule, parse_reducer(reducer or rule.reducer, rule, classes)


def start(rule: Rule, setting: Setting) -> State:
    """The empty state of a rule."""
    if rule.start is not None:
        return rule.start(setting)
    assert rule.per_image is not None
    return MeanState(setting, rule.per_image)
