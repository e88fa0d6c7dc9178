"""check_analysis: ours pass, and each planted fault is named."""

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import pytest

from promptlab import Analysis, Finding, Judged
from promptlab.analysis import promptlab_analyses
from promptlab.testing import check_analysis
from promptlab.testing.analysis import cases

TIMES = count()


def sound(judged: Judged) -> Finding | None:
    return None if judged.after.accuracy is None else Finding(f"{judged.after.accuracy:.1%} are right.")


def needs_labels(judged: Judged) -> Finding:
    return Finding(f"{judged.after.outcomes.hit.sum()} are right.")  # type: ignore[union-attr]


def needs_a_mistake(judged: Judged) -> Finding | None:
    hit = judged.after.outcomes.hit
    return None if hit is None else Finding(f"The first mistake is {judged.features.keys[np.flatnonzero(~hit)[0]]}.")


def needs_every_class(judged: Judged) -> Finding | None:
    if judged.after.accuracy is None:
        return None
    return Finding("Pictures for each mistake.", (">share",), tuple((str(int(100 * share)),) for share in judged.after.per_class))


def renormalises(judged: Judged) -> None:
    judged.features.x[:] *= 2  # type: ignore[index]


def sorts(judged: Judged) -> None:
    judged.after.outcomes.margin.sort()


FAULTS: dict[str, tuple[Callable[[Judged], Any], str]] = {
    "needs labels": (
        needs_labels,
        r"find.. of a run without labels raised AttributeError: .* \(test_check_analysis.py, line \d+\); a Finding",
    ),
    "needs a mistake": (needs_a_mistake, r"find.. of a run without a mistake raised IndexError: .* \(test_check_analysis.py, line \d+\)"),
    "needs every class": (needs_every_class, "find.. of a run with labels raised ValueError: cannot convert float NaN"),
    "cells of numbers": (lambda j: Finding("Margins.", (">margin",), ((j.after.cmm_top,),)), "raised MismatchError: .* no text"),  # type: ignore[arg-type]
    "rows too long": (lambda j: Finding("Margins.", (">margin",), (("1", "2"),)), "raised MismatchError: A row of a Finding has 2 cells"),
    "no finding": (lambda j: "All is well.", "gave an object of type str; a promptlab.Finding or None was expected"),
    "no sentence": (lambda j: Finding(" "), "gave a Finding without a headline"),
    "counts": (lambda j: Finding(str(next(TIMES))), "gave something else the second time"),
    "changes pictures": (renormalises, "ValueError: output array is read-only .*; what it is given is for reading"),
    "changes outcomes": (sorts, "ValueError: sort array is read-only"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named(fault: str) -> None:
    find, said = FAULTS[fault]
    with pytest.raises(AssertionError, match=said):
        check_analysis(Analysis("mine", find))


def test_names_and_other_things_are_looked_at() -> None:
    with pytest.raises(AssertionError, match=r"The name is ' '; a word or two"):
        check_analysis(Analysis(" ", sound))
    with pytest.raises(
        AssertionError, match=r"was given the function sound; a promptlab.Analysis was expected: Analysis\('mine', function\)"
    ):
        check_analysis(sound)  # type: ignore[arg-type]


def test_sound_ones_pass() -> None:
    for analysis in (Analysis("mine", sound), *promptlab_analyses()):
        check_analysis(analysis)


def test_the_runs_are_what_they_are_called() -> None:
    some, none, unknown = (case.judged for case in cases())
    assert some.after.outcomes.hit is not None
    assert 0 < some.after.outcomes.hit.mean() < 1
    assert np.isnan(some.after.per_class[-1])
    assert none.after.accuracy == 1
    assert unknown.after.accuracy is unknown.features.labels is None
