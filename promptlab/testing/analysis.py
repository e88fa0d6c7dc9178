"""Whether an analysis keeps its promises, on small runs with and without labels."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from promptlab.plugins.guards import read_only
from promptlab.protocols import Analysis, Judged
from promptlab.testing.found import Found, check_given
from promptlab.testing.tiny import tiny_features
from promptlab.types import Array, Classes, Classifier, Features, Finding, unit

# Two classes of one name, and one without a picture: both occur.
CLASSES = Classes(("crane", "crane#2", "heron", "stork", "ibis"), (("crane", "digger"), ("crane",), ("heron",), ("stork",), ("ibis",)))
PRESENT, EACH = 4, 12  # classes with pictures, and how many


class Case(NamedTuple):
    """A run that an analysis may be asked about."""

    called: str
    judged: Judged


def check_analysis(analysis: Analysis) -> None:
    """Nothing where the analysis is sound. Raises AssertionError that lists every fault: what it raises, what is no Finding, one without
    a sentence or with cells that are no text, other answers the second time, and changes to what it was given. It is asked about three
    small runs: with labels, with labels and no mistake, and without labels; one class has no picture, two have one name.
    """
    __tracebackhide__ = True  # pytest shows the line of the test instead
    check_given("check_analysis", analysis, Analysis, "a promptlab.Analysis was expected: Analysis('mine', function)")
    found = Found("check_analysis", f"the analysis {analysis.name!r}")
    if not isinstance(analysis.name, str) or not analysis.name.strip() or not analysis.name.isprintable():
        found.add(f"The name is {analysis.name!r}; a word or two were expected: it is the report's heading.")
    for case in cases():
        _check_case(analysis, case, found)
    found.tell()


def cases() -> Iterator[Case]:
    """Runs with labels, with labels and no mistake, and without labels."""
    dataset = tiny_features([f"{i}" for i in range(PRESENT)], EACH)
    part, bank = dataset.splits["all"], dataset.bank
    assert isinstance(part, Features)
    assert bank is not None
    assert part.labels is not None
    missing = unit(np.random.default_rng(1).normal(size=(len(bank.z), 1, bank.z.shape[2]))).astype(np.float32)
    z = np.concatenate([bank.z, missing], 1)
    yield Case("a run with labels", _judged(part, part.x[:], part.labels, z))
    exact = unit(z.mean(0))[part.labels].astype(np.float32)
    yield Case("a run without a mistake", _judged(part, exact, part.labels, z))
    yield Case("a run without labels", _judged(part, part.x[:], None, z))


def _judged(part: Features, x: Array, labels: Array | None, z: Array) -> Judged:
    """The mean family judged, against the first."""
    from promptlab.score.evaluate import evaluate
    from promptlab.score.rules import promptlab_rules

    features, rules = Features(x, part.keys, labels, "eval", "tiny"), {rule.name: rule for rule in promptlab_rules()}
    lineage = {"families": [f"template {k}" for k in range(len(z))]}
    first, mean = (
        Classifier(row.astype(np.float32), np.zeros(len(row), np.float32), 20.0, CLASSES, "tiny", lineage=lineage)
        for row in (z[0], unit(z.mean(0)))
    )
    before = evaluate(first, features, rules, fixed=None, k=2, seed=0, device="cpu")
    after = evaluate(mean, features, rules, fixed=before.order, k=2, seed=0, device="cpu")
    return Judged(features, mean, before, after)


def _check_case(analysis: Analysis, case: Case, found: Found) -> None:
    answers: list[Finding | None] = []
    wanted = "a Finding was expected, or None where there is nothing to say; what it is given is for reading."
    for _ in range(2):
        with found.during(f"find() of {case.called}", wanted):
            made: object = analysis.find(read_only(case.judged))
            if not isinstance(made, Finding | None):
                found.add(f"find() gave an object of type {type(made).__name__}; a promptlab.Finding or None was expected.")
                return
            answers.append(made)
            if made is not None and not made.headline.strip():
                found.add(f"find() of {case.called} gave a Finding without a headline; the answer in a sentence was expected, else None.")
    if len(answers) == 2 and answers[0] != answers[1]:
        found.add(f"find() of {case.called} gave something else the second time; it may depend on nothing but the run.")
