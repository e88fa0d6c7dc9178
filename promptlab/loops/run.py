"""The main loop: score, weigh, build, judge, on halves."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from promptlab.analysis.changes import changes
from promptlab.analysis.ranking import LABEL_FREE, agreement
from promptlab.events import Finished, Listener, Started, ignore
from promptlab.protocols import Rule
from promptlab.score.classifier import classify, columns_of
from promptlab.score.contest import require_same_encoder
from promptlab.score.debias import balance, prior
from promptlab.score.ensemble import build, uniform
from promptlab.score.evaluate import compare, evaluate
from promptlab.score.evidence import Evidence
from promptlab.score.health import (
    check_labels,
    check_logit,
    check_margins,
    check_mix,
    check_moved,
    check_ranking,
    check_size,
    check_ties,
    check_weights,
)
from promptlab.score.kept import KeptScores
from promptlab.score.sweep import sweep
from promptlab.score.weighting import Weighting, find, rules_of, title
from promptlab.types import (
    Agreement,
    Array,
    Changes,
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


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """How the classifier is to be made and judged."""

    how: Weighting
    """How families are weighted and joined."""
    debias: str
    """`none`, `prior` or `balance`."""
    mix: Array | None
    """(C,) the class mix that offsets aim at, > 0, sums to 1; None is uniform."""
    k: int
    """Size of the worst sets; 0 is min(10, ceil(C / 5))."""
    seed: int
    """Of the resamples."""
    device: str
    """Where the products run."""
    kept: KeptScores | None = None
    """What families scored before; None scores them all anew."""
    described: bool = True
    """Whether the descriptions in use take part."""


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
    """Uniform weights, the same families, no descriptions."""
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
    changes: Changes | None
    """What the candidate wins and loses against the baseline, on eval; None without labels."""
    ranking: tuple[Agreement, ...]
    """Whether each rule, read off the baseline on tune, finds the classes that fail on eval; empty without labels."""
    health: tuple[Check, ...]
    """Checks that fired."""


def make(tune: Features, bank: TextBank, weights: Weights, choice: Choice) -> Classifier:
    """The classifier of these weights, with offsets if they are asked for."""
    made = build(bank, weights.w, choice.how.combine)
    if choice.debias == "none":
        return made
    c = len(made.classes)
    mix = np.full(c, 1 / c) if choice.mix is None else choice.mix
    return replace(made, bias={"prior": prior, "balance": balance}[choice.debias](made, tune.pictures, choice.device, mix))


def named(choice: Choice, described: bool = False) -> str:
    """How tables call what is made so, with descriptions or without."""
    return " + ".join([title(choice.how), *["descriptions"] * described, *[choice.debias] * (choice.debias != "none")])


def beats(candidate: Evaluation, baseline: Evaluation) -> bool:
    """Whether the candidate is better on tune: in mean class accuracy, which counts every class alike;
    where pictures may show several classes in mean recall; without labels in cmm-top/worst-k."""
    if candidate.mean is not None and baseline.mean is not None:
        return candidate.mean > baseline.mean
    return candidate.cmm_top > baseline.cmm_top


def run(material: Material, choice: Choice, rules: Mapping[str, Rule], listen: Listener) -> Outcome:
    """Everything chosen on the tune half, everything told on the other."""
    tune, bank = material.tune, material.bank
    for one, other in itertools.combinations([p for p in (tune, material.judged, bank, material.single) if p is not None], 2):
        require_same_encoder(one, other)
    evidence = Evidence(tune, bank, rules, choice.device, listen, material.bare, choice.kept)
    if choice.how.labels is LabelSource.TRUE:
        evidence.ask((*rules_of(choice.how), "accuracy"), LabelSource.TRUE)  # in one pass
    weights, board = find(choice.how, evidence)
    accuracy = None if tune.labels is None else evidence.board("accuracy", LabelSource.TRUE)
    listen(Started("build", None, "classifiers"))
    first, candidate = uniform(material.bare), make(tune, bank, weights, choice)
    listen(Finished("build", 2))

    listen(Started("evaluate", None, "classifiers"))
    judge = partial(evaluate, rules=rules, k=choice.k or None, seed=choice.seed, device=choice.device)
    before = judge(first, tune, fixed=None, told=False)
    fixed = before.order
    same = np.array_equal(first.weight, candidate.weight) and not candidate.bias.any()
    # Offsets raise cmm-top by construction; without labels nothing can tell whether they help, so they have no say.
    shown = candidate if tune.labels is not None else replace(candidate, bias=np.zeros_like(candidate.bias))
    kept = same or beats(judge(shown, tune, fixed=fixed, told=False), before)
    baseline = Row("baseline", first, judge(first, material.judged, fixed=fixed))
    tried = Row(named(choice, bank is not material.bare), candidate, judge(candidate, material.judged, fixed=fixed))
    alone = _one_template(material)
    single = None if alone is None else Row("one template", alone, judge(alone, material.judged, fixed=fixed))
    listen(Finished("evaluate", 5))

    result = tried if kept else baseline
    difference = compare(baseline.evaluation, result.evaluation, choice.seed)
    described = bank is not material.bare
    health = (
        *health_of(weights, board, accuracy, choice, tune, described),
        *check_margins(before),
        *_idle(tried, weights, material, choice),
    )
    won = changes(baseline.evaluation, tried.evaluation)
    ranking = rank(first, tune, baseline.evaluation, rules, choice)
    return Outcome(baseline, result, tried, single, difference, weights, board, accuracy, kept, same, won, ranking, health)


def rank(classifier: Classifier, tune: Features, truth: Evaluation, rules: Mapping[str, Rule], choice: Choice) -> tuple[Agreement, ...]:
    """Whether each rule's order of the classes on tune is that of their accuracy in `truth`; `cmm` with true labels beside those that need
    none."""
    if tune.labels is None or truth.accuracy is None:
        return ()
    columns, boards = columns_of(classifier, choice.device), list[Scoreboard]()
    for source, names in ((LabelSource.SELF, LABEL_FREE), (LabelSource.TRUE, ("cmm",))):
        made = sweep(
            tune if source is LabelSource.TRUE else tune.pictures,
            columns,
            names,
            rules,
            source=source,
            labels=tune.labels if source is LabelSource.TRUE else None,
            families=("classifier",),
            scale=classifier.scale,
            listen=ignore,
        )
        boards += made.values()
    return agreement(boards, truth, truth.worst.k)


def _one_template(material: Material) -> Classifier | None:
    """The classifier of one template: the one that was encoded beside the families, or the family `a photo of a ...` among them."""
    if material.single is not None:
        return uniform(material.single)
    names = [name.lower().replace("_", " ") for name in material.bank.grid.families]
    alone = np.array([bool(ONE_TEMPLATE.fullmatch(name)) for name in names], float)
    return build(material.bank, alone, Combine.EMBEDDING) if alone.sum() == 1 else None


def _idle(tried: Row, weights: Weights, material: Material, choice: Choice) -> list[Check]:
    """Whether descriptions are in use for nothing: the same weights and offsets without them predict the same on eval."""
    if material.bank is material.bare:
        return []
    bare = replace(tried.classifier, weight=build(material.bare, weights.w, choice.how.combine).weight)
    without = classify(bare, material.judged, None, choice.device).winner
    return check_moved(int((without != tried.evaluation.outcomes.winner).sum()), len(material.judged.pictures))


def health_of(
    weights: Weights, board: Scoreboard, accuracy: Scoreboard | None, choice: Choice, tune: Features, described: bool
) -> list[Check]:
    """What makes these weights mean less than they seem to, on tune; described: whether descriptions are in use."""
    return [
        *check_weights(weights),
        *check_ranking(weights, accuracy),
        *check_labels(choice.how),
        *check_logit(choice.how.combine, described),
        *check_ties(board, tune if board.labels == LabelSource.TRUE else tune.pictures),
        *check_size(tune.labels, len(tune), board.per_class.shape[1]),
        *check_mix(tune, board.per_class.shape[1], choice.debias, choice.mix),
    ]
