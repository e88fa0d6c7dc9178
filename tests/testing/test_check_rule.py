"""check_rule: every rule of ours passes, and each planted fault is named."""

from typing import Any

import numpy as np
import pytest
import torch

from promptlab import Rule, Unit
from promptlab.score.rules import parse_rule, promptlab_rules
from promptlab.score.states import MeanState
from promptlab.testing import check_rule

OURS = {rule.name: rule for rule in promptlab_rules()}


class Kept(MeanState):
    """The mean margin, as a state of a plugin's own."""

    def __init__(self, setting: Any) -> None:
        super().__init__(setting, lambda contest: contest.true - contest.rival)


class Forgets(Kept):
    def merge(self, other: Any) -> None:
        self.counts += other.counts


class Flat(Kept):
    def per_class(self) -> Any:
        return self.sums.sum(1), self.counts.sum(1)


class Overwrites(Kept):
    def add(self, contest: Any) -> None:
        before = self.sums.copy(), self.counts.copy()
        super().add(contest)
        if contest.families.start:  # as does a state that believes to see all families at once
            self.sums[:1], self.counts[:1] = before[0][:1] + self.sums[contest.families], before[1][:1] + self.counts[contest.families]


class Halves(Kept):
    def per_class(self) -> Any:
        values, counts = super().per_class()
        return values, counts / 2


class Infinite(Kept):
    def per_class(self) -> Any:
        counts = super().per_class()[1]
        return np.where(counts > 0, np.inf, np.nan), counts


def breaks_in_place(contest: Any) -> Any:
    return contest.true.sub_(contest.rival)


def hides_the_winner(contest: Any) -> Any:
    contest.similarity.scatter_(-1, contest.winner[..., None], -1.0)
    return contest.true * 1.0


def raises(contest: Any) -> Any:
    raise KeyError("margin")


FAULTS = {
    "too deep": (Rule("x", lambda c: c.similarity), r"It gave shape \(41, 3, 7\); \(B, K\) = \(41, 3\) was expected"),
    "squeezed": (Rule("x", lambda c: (c.true - c.rival).squeeze()), r"It gave shape \(\); \(B, K\) = \(1, 1\)"),
    "a number": (Rule("x", lambda c: 0.5), "It gave a float; a tensor"),
    "an array": (Rule("x", lambda c: c.true.numpy()), "It gave a ndarray; a tensor"),
    "no number": (Rule("x", lambda c: (c.true - c.rival).log()), "It gave NaN or infinity"),
    "raises": (Rule("x", raises), r"raised KeyError: 'margin' \(test_check_rule.py, line \d+\); a value"),
    "batches": (Rule("x", lambda c: c.true - c.true.mean(0)), "It depends on how pictures are cut into batches .values differ by up to"),
    "families": (Rule("x", lambda c: c.true - c.true.mean(1, keepdim=True)), "It depends on which families are judged together"),
    "classes": (Rule("x", lambda c: c.label * 1.0), "It depends on the order of the classes"),
    "random": (Rule("x", lambda c: torch.rand_like(c.true)), "It gave other values the second time"),
    "in place": (Rule("x", breaks_in_place), "It changes `contest.true`"),
    "in place below": (Rule("x", hides_the_winner), "It changes `contest.similarity`"),
    "no share": (Rule("x", lambda c: c.true * 3, unit=Unit.SHARE), r"Its values run from -[\d.]+ to [\d.]+, but its unit is Unit.SHARE"),
    "no unit": (Rule("x", lambda c: c.true, unit="percent"), "The unit is 'percent'; one of Unit.MARGIN"),  # type: ignore[arg-type]
    "no reducer": (Rule("x", lambda c: c.true, reducer="median"), "The reducer 'median' cannot be used: There is no reducer named"),
    "other's reducer": (Rule("x", lambda c: c.true, reducer="zeros"), "The reducer 'zeros' cannot be used: .* needs a share"),
    "name": (Rule("x/mean", lambda c: c.true), "The name is 'x/mean'; a word without spaces and / , :"),
    "merge": (Rule("x", start=Forgets), "Two states that are merged are not what one pass gives"),
    "shapes": (Rule("x", start=Flat), r"per_class.. gave \[\(3,\), \(3,\)\]; values and counts, both \(3, 7\)"),
    "slices": (Rule("x", start=Overwrites), "It depends on which families are judged together"),
    "counts": (Rule("x", start=Halves), "The counts are float64; whole numbers"),
    "infinite": (Rule("x", start=Infinite), "Its values hold NaN or infinity for classes with pictures"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named(fault: str) -> None:
    rule, said = FAULTS[fault]
    with pytest.raises(AssertionError, match=said):
        check_rule(rule)


@pytest.mark.parametrize("name", [*OURS, "hit@3"])
def test_our_own_rules_are_sound(name: str) -> None:
    check_rule(parse_rule(name, OURS, 7)[0])


def test_a_state_of_a_plugin_s_own_is_sound() -> None:
    check_rule(Rule("kept", start=Kept))


def test_a_fault_below_is_told_where_the_author_called() -> None:
    with pytest.raises(AssertionError, match=r"raised RuntimeError: .* \(test_check_rule.py, line \d+\); a value") as told:
        check_rule(Rule("x", lambda contest: torch.cat([contest.true, contest.x])))
    assert isinstance(told.value.__cause__, RuntimeError)


@pytest.mark.parametrize(("given", "said"), [({}, "an object of type dict"), (raises, "the function raises")])
def test_what_is_no_rule_is_told(given: Any, said: str) -> None:
    with pytest.raises(AssertionError, match=rf"check_rule was given {said}; a promptlab.Rule was expected: Rule\('mine', function\)"):
        check_rule(given)


def test_a_fault_of_an_installed_plugin_is_told_where_it_was_called() -> None:
    scope: dict[str, Any] = {"torch": torch}
    code = "\ndef margin(contest):\n    return torch.cat([contest.true, contest.x])"
    exec(compile(code, "/venv/lib/site-packages/mine/margins.py", "exec"), scope)
    with pytest.raises(AssertionError, match=r"raised RuntimeError: .* \(margins.py, line 3\); a value"):
        check_rule(Rule("x", scope["margin"]))
