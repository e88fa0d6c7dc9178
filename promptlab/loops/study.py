"""A grid of ways to weigh, join and balance on one dataset: every one chosen and judged alike, told in one table."""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from promptlab.config import CHOICES, LOWEST_TAU
from promptlab.errors import UsageError, unknown_name
from promptlab.events import Finished, Listener, Progressed, Started, ignore
from promptlab.loops.run import Choice, health_of, make, named
from promptlab.protocols import Rule
from promptlab.score.ensemble import uniform
from promptlab.score.evaluate import compare, evaluate
from promptlab.score.evidence import Evidence, check_question
from promptlab.score.weighting import BOTH, WAYS, find, weighting
from promptlab.store import fingerprint
from promptlab.types import Check, Classifier, Difference, Evaluation, LabelSource, Material, Weights


@dataclass(frozen=True, slots=True)
class Grid:
    """What is to be tried: every combination, each once. Raises UsageError for a value that no axis knows."""

    weights: tuple[str, ...] = ("uniform", "cpe", "zpe", "carprt", "shrunk", "cmm-top/worst-k")
    """Ways of weighing, as `--weights` takes them."""
    scope: tuple[str, ...] = ("global", "class")
    """`auto`, `global`, `class`."""
    labels: tuple[str, ...] = ("auto",)
    """`auto`, or label sources."""
    combine: tuple[str, ...] = ("embedding", "logit")
    """`auto`, `embedding`, `logit`."""
    debias: tuple[str, ...] = ("none", "balance")
    """`none`, `prior`, `balance`."""
    tau: tuple[float, ...] = (1.0,)
    """Temperatures."""
    evidence: tuple[str, ...] = (BOTH,)
    """What `shrunk` is made from."""
    descriptions: tuple[str, ...] = ("with", "without")
    """`with`, `without`; one and the same where no description is in use."""

    def __post_init__(self) -> None:
        for axis in ("scope", "labels", "combine", "debias", "evidence"):
            for value in getattr(self, axis):
                if value not in CHOICES[axis]:
                    raise unknown_name(f"value of `{axis}`", value, CHOICES[axis])
        for value in self.descriptions:
            if value not in ("with", "without"):
                raise unknown_name("value of `descriptions`", value, ("with", "without"))
        if bad := [tau for tau in self.tau if not LOWEST_TAU <= tau < math.inf]:
            raise UsageError(f"tau is {bad[0]}; a number above 0, of at least {LOWEST_TAU:g}, was expected.")


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """One combination and how it did."""

    name: str
    """How tables call it."""
    choice: Choice
    """What was chosen."""
    weights: Weights
    """Of the families."""
    tune: Evaluation
    """On tune, where things are chosen."""
    evaluation: Evaluation
    """On eval, where they are told."""
    difference: Difference
    """Minus the baseline, on eval."""
    by: str
    """Which plugin brought the rule that its families were weighed by, and its version."""
    health: tuple[Check, ...]
    """Checks that fired."""
    in_sample: bool
    """Whether eval holds the pictures of tune."""
    described: bool
    """Whether descriptions take part."""


def choices(grid: Grid, base: Choice, rules: Mapping[str, Rule], classes: int, labelled: bool, described: bool = False) -> list[Choice]:
    """Every combination of the grid once, those left out that cannot be: class scope of ways that choose families for all
    classes, offsets on top of nothing else twice; `described` tells whether any description is in use. Raises UsageError for a name that
    is unknown, or for labels that are not there."""
    found: dict[str, Choice] = {}
    for name, labels, evidence, combine, tau, debias, said in itertools.product(
        grid.weights, grid.labels, grid.evidence, grid.combine, grid.tau, grid.debias, grid.descriptions
    ):
        for scope in grid.scope:
            plain = name.startswith(("uniform", "top-", "forward"))
            how = weighting(
                name, rules, classes, labels=labels, scope="auto" if plain else scope, combine=combine, tau=tau, evidence=evidence, k=base.k
            )
            if name == "uniform":
                how = replace(how, tau=1.0, labels=WAYS[name].labels)
            if how.way != "shrunk":
                how = replace(how, evidence=BOTH)
            check_question([], rules, how.labels, labelled, classes)
            choice = replace(base, how=how, debias=debias, described=said == "with")
            found.setdefault(named(choice, described and choice.described), choice)
    return list(found.values())


def key(material: Material) -> str:
    """Changes when anything that a study stands on does: vectors, labels, halves, classes, texts."""
    pictures = (material.tune.pictures, material.judged.pictures)
    halves = [part for f in pictures for part in (list(f.keys), f.x[:], f.labels if f.labels is not None else None)]
    bank = material.bank
    bare = () if material.bare is bank else (material.bare.z,)
    return fingerprint(list(bank.grid.classes.titles), list(bank.grid.families), bank.z, bank.scale, *bare, *halves)


class Bench:
    """One dataset to try classifiers on; what they share is computed when the first of them asks."""

    def __init__(self, material: Material, rules: Mapping[str, Rule], base: Choice) -> None:
        self.material, self.rules, self.base = material, rules, base
        bare = Evidence(material.tune, material.bare, rules, base.device, ignore, kept=base.kept)
        same = material.bank is material.bare
        described = bare if same else Evidence(material.tune, material.bank, rules, base.device, ignore, material.bare, base.kept)
        self.evidence = {True: described, False: bare}
        first = uniform(material.bare)
        self.before = self._judge(first, tune=True, fixed=None)
        self.baseline = self._judge(first, tune=False, fixed=self.before.order)

    def _judge(self, classifier: Classifier, *, tune: bool, fixed: Sequence[int] | None) -> Evaluation:
        features = self.material.tune if tune else self.material.judged
        base = self.base
        return evaluate(classifier, features, self.rules, fixed=fixed, k=base.k or None, seed=base.seed, device=base.device, told=not tune)

    def attempt(self, choice: Choice) -> Tried:
        """The classifier of this choice, on both halves, against the baseline."""
        tune, evidence = self.material.tune, self.evidence[choice.described]
        weights, board = find(choice.how, evidence)
        made = make(tune, evidence.bank, weights, choice)
        # Without labels offsets have no say in what is chosen: they raise cmm-top by construction.
        shown = made if tune.labels is not None else replace(made, bias=np.zeros_like(made.bias))
        chosen = self._judge(shown, tune=True, fixed=self.before.order)
        told = self._judge(made, tune=False, fixed=self.before.order)
        accuracy = None if tune.labels is None else evidence.board("accuracy", LabelSource.TRUE)
        described = evidence.bank is not self.material.bare
        health = tuple(health_of(weights, board, accuracy, choice, tune, described))
        name = named(choice, described)
        difference = compare(self.baseline, told, self.base.seed)
        return Tried(name, choice, weights, chosen, told, difference, board.by, health, self.material.in_sample, described)


def study(
    wanted: Sequence[Choice], bench: Callable[[], Bench], keep: Callable[[Choice, Callable[[], Any]], Any], listen: Listener
) -> Iterable[Any]:
    """What `keep` makes or remembers of every choice, one after the other; the bench is set up for the first that is not remembered."""
    listen(Started("study", len(wanted), "classifiers"))
    shared: list[Bench] = []
    for n, choice in enumerate(wanted, 1):

        def attempt(choice: Choice = choice) -> Tried:
            if not shared:
                shared.append(bench())
            return shared[0].attempt(choice)

        yield keep(choice, attempt)
        listen(Progressed("study", n))
    listen(Finished("study", len(wanted)))
