"""The main loop: score, weigh, build, judge, on halves."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from promptlab.errors import UsageError
from promptlab.events import Finished, Listener, Noted, Started, ignore
from promptlab.protocols import Rule
from promptlab.score import weights as weighting
from promptlab.score.classifier import build, classify, others_say, uniform
from promptlab.score.contest import Columns, require_same_encoder
from promptlab.score.debias import balance
from promptlab.score.evaluate import compare, evaluate
from promptlab.score.health import check_balance, check_labels, check_margins, check_ranking, check_ties, check_weights
from promptlab.score.reducers import default_k
from promptlab.score.rules import parse_rule
from promptlab.score.sweep import sweep
from promptlab.types import (
    Array,
    Check,
    Classifier,
    Combine,
    Difference,
    Evaluation,
    Features,
    LabelSource,
    Material,
    Scoreboard,
    TextBank,
    Weights,
)

ONE_TEMPLATE = re.compile(r"a photo of an? (\{.*\}|x|…)\.?")


@dataclass(frozen=True, slots=True)
class Choice:
    """How the classifier is to be made and judged."""

    weights: str
    """`uniform` or `cpe`."""
    labels: LabelSource
    """Where the right answers for weighting come from."""
    combine: Combine
    """How families are joined."""
    debias: str
    """`none` or `balance`."""
    tau: float
    """Temperature of the softmax over families."""
    k: int
    """Size of the worst sets; 0 is min(10, ceil(C / 5))."""
    seed: int
    """Of the resamples."""
    device: str
    """Where the products run."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One classifier and how it does on the eval half."""

    name: str
    """How tables call it."""
    classifier: Classifier
    """The classifier."""
    evaluation: Evaluation
    """On eval."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What the main loop found."""

    baseline: Row
    """Uniform weights, the same families."""
    result: Row
    """What is kept: the candidate, or the baseline when the candidate does not beat it on tune."""
    tried: Row
    """The candidate, kept or not."""
    single: Row | None
    """One template, `a photo of a`; None when the text vectors came with the data and none is it."""
    difference: Difference
    """Result minus baseline, on eval."""
    weights: Weights
    """Of the families, as tried."""
    board: Scoreboard
    """The score behind the weights, on tune."""
    accuracy: Scoreboard | None
    """Accuracy of each family on tune; None without labels."""
    kept: bool
    """Whether the candidate is kept."""
    same: bool
    """Whether the candidate is the baseline, to the bit."""
    health: tuple[Check, ...]
    """Checks that fired."""


def check_question(names: Sequence[str], rules: Mapping[str, Rule], source: LabelSource, labelled: bool, classes: int) -> None:
    """Raises UsageError for an unknown rule or for labels that are not there, before anything is encoded for it."""
    for name in names:
        parse_rule(name, rules, classes)
    if source is LabelSource.TRUE and not labelled:
        raise UsageError("The data has no labels, so --labels true cannot be used.", "Use --labels ensemble.")


def labels_on(tune: Features, bank: TextBank, source: LabelSource, device: str) -> Array | None:
    """The right answers: (N,) int, (N, K) for `others`, None for `self`. Raises UsageError for `true` where there are none."""
    if source is LabelSource.SELF:
        return None
    if source is LabelSource.ENSEMBLE:
        return classify(uniform(bank), tune, None, device).winner
    if source is LabelSource.OTHERS:
        return others_say(bank, tune, device)
    check_question([], {}, source, tune.labels is not None, bank.z.shape[1])
    return tune.labels


def score_families(
    tune: Features,
    bank: TextBank,
    names: Sequence[str],
    source: LabelSource,
    rules: Mapping[str, Rule],
    device: str,
    listen: Listener,
) -> dict[str, Scoreboard]:
    """Scoreboards of all families on tune under one label source. Raises UsageError for `true` without labels."""
    require_same_encoder(tune, bank)
    if source is LabelSource.OTHERS and len(bank.z) == 1:
        listen(Noted("There is one family, so it has no others to judge it; labels `ensemble` are used."))
        source = LabelSource.ENSEMBLE
    labels = labels_on(tune, bank, source, device)
    columns = Columns(bank.z, device=device)
    return sweep(tune, columns, names, rules, source=source, labels=labels, families=bank.grid.families, scale=bank.scale, listen=listen)


def weigh(tune: Features, bank: TextBank, choice: Choice, rules: Mapping[str, Rule], listen: Listener) -> tuple[Weights, Scoreboard]:
    """Weights of the families, and the scores that stand behind them."""
    k = choice.k or default_k(bank.z.shape[1])
    board = score_families(tune, bank, [f"cmm/worst-{k}"], choice.labels, rules, choice.device, listen)[f"cmm/worst-{k}"]
    made = weighting.uniform(bank.grid.families) if choice.weights == "uniform" else weighting.cpe(board, bank.scale, choice.tau)
    return made, board


def make(tune: Features, bank: TextBank, weights: Weights, choice: Choice) -> Classifier:
    """The classifier of these weights, with offsets if they are asked for."""
    made = build(bank, weights.w, choice.combine)
    return replace(made, bias=balance(made, tune, choice.device)) if choice.debias == "balance" else made


def _title(choice: Choice) -> str:
    words = [
        choice.weights,
        *(["logit"] if choice.combine is Combine.LOGIT else []),
        *([choice.debias] if choice.debias != "none" else []),
    ]
    return " + ".join(words)


def beats(candidate: Evaluation, baseline: Evaluation) -> bool:
    """Whether the candidate is better on tune: in mean class accuracy, which counts every class alike;
    without labels in cmm-top/worst-k."""
    if candidate.mean is not None and baseline.mean is not None:
        return candidate.mean > baseline.mean
    return candidate.cmm_top > baseline.cmm_top


def run(material: Material, choice: Choice, rules: Mapping[str, Rule], listen: Listener) -> Outcome:
    """Everything chosen on the tune half, everything told on the other."""
    tune, bank = material.tune, material.bank
    for one, other in itertools.combinations([p for p in (tune, material.judged, bank, material.single) if p is not None], 2):
        require_same_encoder(one, other)
    weights, board = weigh(tune, bank, choice, rules, listen)
    accuracy = None
    if tune.labels is not None:
        accuracy = score_families(tune, bank, ["accuracy"], LabelSource.TRUE, rules, choice.device, ignore)["accuracy"]
    listen(Started("build", None, "classifiers"))
    first, candidate = uniform(bank), make(tune, bank, weights, choice)
    listen(Finished("build", 2))

    listen(Started("evaluate", None, "classifiers"))
    judge = partial(evaluate, rules=rules, k=choice.k or None, seed=choice.seed, device=choice.device)
    before = judge(first, tune, fixed=None)
    fixed = before.worst.fixed_classes
    same = np.array_equal(first.weight, candidate.weight) and not candidate.bias.any()
    # Offsets raise cmm-top by construction; without labels nothing can tell whether they help, so they have no say.
    shown = candidate if tune.labels is not None else replace(candidate, bias=np.zeros_like(candidate.bias))
    kept = same or beats(judge(shown, tune, fixed=fixed), before)
    baseline = Row("baseline", first, judge(first, material.judged, fixed=fixed))
    tried = Row(_title(choice), candidate, judge(candidate, material.judged, fixed=fixed))
    alone = _one_template(material)
    single = None if alone is None else Row("one template", alone, judge(alone, material.judged, fixed=fixed))
    listen(Finished("evaluate", 5))

    result = tried if kept else baseline
    difference = compare(baseline.evaluation, result.evaluation, choice.seed)
    health = (*_health(weights, board, accuracy, choice, tune), *check_margins(before))
    return Outcome(baseline, result, tried, single, difference, weights, board, accuracy, kept, same, health)


def _one_template(material: Material) -> Classifier | None:
    """The classifier of one template: the one that was encoded beside the families, or the family `a photo of a ...` among them."""
    if material.single is not None:
        return uniform(material.single)
    names = [name.lower().replace("_", " ") for name in material.bank.grid.families]
    alone = np.array([bool(ONE_TEMPLATE.fullmatch(name)) for name in names], float)
    return build(material.bank, alone, Combine.EMBEDDING) if alone.sum() == 1 else None


def _health(weights: Weights, board: Scoreboard, accuracy: Scoreboard | None, choice: Choice, tune: Features) -> list[Check]:
    return [
        *check_weights(weights),
        *check_ranking(weights, accuracy),
        *check_labels(choice.labels.value if choice.weights != "uniform" else ""),
        *check_ties(board, len(tune)),
        *check_balance(tune.labels, board.per_class.shape[1], choice.debias),
    ]
