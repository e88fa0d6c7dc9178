"""The main loop and the study with descriptions in use: the baseline has none, and both ways are tried side by side."""

import json
from dataclasses import replace

import numpy as np
import pytest
from score.planted import RULES, bank_of, choice_of, material_of, planted

from promptlab.errors import UsageError
from promptlab.events import ignore
from promptlab.lab import Lab
from promptlab.loops.enrich import NAMES, compared
from promptlab.loops.run import Choice, make, named, run
from promptlab.loops.study import Bench, Grid, Tried, choices, key
from promptlab.report.study import as_csv, row
from promptlab.score.ensemble import uniform
from promptlab.score.evaluate import compare
from promptlab.score.evidence import Evidence
from promptlab.score.weighting import find
from promptlab.types import LabelSource, Material, unit

FOUND = planted(0, classes=6, each=20, image_noise=2.0, text_noise=(1.5, 2.0, 3.0))
BARE = bank_of(FOUND.z)
GOOD, BAD = (FOUND.z.copy(), FOUND.z.copy())
GOOD[:, :5] = unit(FOUND.z[:, :5] + unit(FOUND.prototypes[:5]))  # the descriptions of five classes say what is meant
BAD[:, :2] = unit(FOUND.z[:, :2] + unit(FOUND.prototypes[[3, 4]]))  # or those of two say what others are
SMALL = Grid(("uniform", "cpe", "shrunk"), scope=("global",), combine=("embedding",), debias=("none", "balance"))


def material(described: np.ndarray | None = None, labelled: bool = True) -> Material:
    tune, judged = (FOUND.features(slice(start, None, 2), split, labelled=labelled) for start, split in ((0, "tune"), (1, "eval")))
    made = material_of(tune, judged, BARE)
    return made if described is None else replace(made, bank=bank_of(described))


def went(made: Material, choice: Choice | None = None):
    return run(made, choice or choice_of(), RULES, ignore)


# -- the main loop ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labelled", [True, False])
def test_the_baseline_is_that_of_the_families_without_descriptions(labelled: bool) -> None:
    plain, found = went(material(None, labelled)), went(material(GOOD, labelled))
    assert np.array_equal(found.baseline.classifier.weight, uniform(BARE).weight)
    assert found.baseline.evaluation.order == plain.baseline.evaluation.order
    assert found.baseline.evaluation.worst.fixed_classes == plain.baseline.evaluation.worst.fixed_classes
    assert found.ranking == plain.ranking


def test_descriptions_alone_make_a_candidate_that_is_named_and_kept_where_it_helps() -> None:
    found = went(material(GOOD), choice_of("uniform"))
    assert (found.tried.name, found.same, found.kept) == ("uniform + descriptions", False, True)
    assert np.array_equal(found.tried.classifier.weight, uniform(bank_of(GOOD)).weight)
    assert found.difference.accuracy > 0


def test_descriptions_that_harm_are_told_and_the_baseline_is_kept() -> None:
    found = went(material(BAD), choice_of("uniform"))
    assert (found.kept, found.result) == (False, found.baseline)
    assert found.tried.evaluation.accuracy < found.baseline.evaluation.accuracy


def test_weights_are_found_on_the_described_families_under_labels_of_the_bare_ones() -> None:
    made, choice = material(BAD), choice_of("cpe", LabelSource.ENSEMBLE)
    right = find(choice.how, Evidence(made.tune, made.bank, RULES, "cpu", ignore, BARE))[0]
    wrong = find(choice.how, Evidence(made.tune, made.bank, RULES, "cpu", ignore))[0]
    assert np.array_equal(went(made, choice).weights.w, right.w)
    assert not np.allclose(right.w, wrong.w)


# -- the comparison of an enrichment --------------------------------------------------------------------------------------------------


def test_a_comparison_tells_each_bank_weighed_alike_against_the_one_before() -> None:
    made, choice = material(GOOD), choice_of("cpe")
    outcome = went(made, choice)
    found = compared(made, outcome, BARE, {NAMES: bank_of(unit(GOOD + FOUND.z)), "random words": bank_of(BAD)}, choice, RULES)
    before = went(material(), choice).tried
    assert (found.before.name, [one.name for one in found.controls]) == ("cpe", ["random words"])
    assert found.named is not None
    assert np.array_equal(found.before.classifier.weight, before.classifier.weight)
    assert found.after is outcome.tried
    assert found.gain == compare(found.before.evaluation, outcome.tried.evaluation, choice.seed)
    assert found.against == (compare(found.controls[0].evaluation, outcome.tried.evaluation, choice.seed),)
    assert found.against[0].accuracy > 0
    weights = find(choice.how, Evidence(made.tune, bank_of(BAD), RULES, "cpu", ignore, BARE))[0]
    assert np.array_equal(found.controls[0].classifier.weight, make(made.tune, bank_of(BAD), weights, choice).weight), "under bare labels"
    fixed = outcome.baseline.evaluation.worst.fixed_classes
    assert {one.evaluation.worst.fixed_classes for one in (found.before, found.named, *found.controls)} == {fixed}


def test_without_better_names_and_labels_it_tells_neither_names_nor_collateral() -> None:
    made = material(GOOD, labelled=False)
    found = compared(made, went(made), BARE, {}, choice_of(), RULES)
    assert (found.named, found.controls, found.against, found.changes, found.gain.accuracy) == (None, (), (), None, None)


# -- the study ----------------------------------------------------------------------------------------------------------------------


def listed(grid: Grid, described: bool) -> list[tuple[str, bool]]:
    return [
        (named(choice, described and choice.described), choice.described)
        for choice in choices(grid, choice_of(), RULES, 6, True, described)
    ]


def test_every_combination_is_tried_with_descriptions_and_without_where_any_are_in_use() -> None:
    plain, both = listed(SMALL, False), listed(SMALL, True)
    assert len(both) == 2 * len(plain) == 12
    names = [name for name, _ in plain]
    assert [name for name, said in both if not said] == names
    assert {name for name, said in both if said} == {
        name.replace(" + balance", "") + " + descriptions" + " + balance" * ("balance" in name) for name in names
    }
    for said, shown in (("with", True), ("without", False)):
        one = replace(SMALL, descriptions=(said,))
        assert {told for _, told in listed(one, True)} == {shown}
        assert [name for name, _ in listed(one, False)] == names, "one and the same where none is in use"


def test_a_value_that_the_axis_does_not_know_is_refused() -> None:
    with pytest.raises(UsageError, match="'both'") as error:
        Grid(descriptions=("with", "both"))
    assert "without" in error.value.hint


@pytest.mark.parametrize("labelled", [True, False])
def test_each_row_is_that_of_a_run_of_its_own(labelled: bool) -> None:
    described, bare = material(GOOD, labelled), material(None, labelled)
    bench = Bench(described, RULES, choice_of())
    for choice in choices(SMALL, choice_of(), RULES, 6, labelled, True):
        tried, alone = bench.attempt(choice), went(described if choice.described else bare, choice)
        assert (tried.name, tried.described) == (alone.tried.name, choice.described)
        assert np.array_equal(tried.weights.w, alone.weights.w)
        assert tried.evaluation.cmm_top == alone.tried.evaluation.cmm_top
        assert tried.evaluation.accuracy == alone.tried.evaluation.accuracy
        assert tried.difference == compare(alone.baseline.evaluation, alone.tried.evaluation, 0)
        told = row(tried, described.dataset.classes)
        assert told["descriptions"] == ("with" if choice.described else "without")
        assert told["name"] == tried.name
        json.dumps(told, allow_nan=False)


def test_where_no_description_is_in_use_every_row_says_so() -> None:
    bench = Bench(material(), RULES, choice_of())
    for described in (True, False):
        tried = bench.attempt(replace(choice_of(), described=described))
        assert (tried.described, tried.name) == (False, "cpe")
        assert row(tried, BARE.grid.classes)["descriptions"] == "without"


def test_sheets_tell_rows_with_and_without_apart() -> None:
    bench = Bench(material(GOOD), RULES, choice_of())
    rows = [row(bench.attempt(choice), BARE.grid.classes) for choice in choices(SMALL, choice_of(), RULES, 6, True, True)]
    lines = as_csv(rows).splitlines()
    column = lines[0].split(",").index("descriptions")
    assert sorted(line.split(",")[column] for line in lines[1:]) == ["with"] * 6 + ["without"] * 6


def test_what_is_remembered_without_descriptions_is_not_taken_for_what_is_with_them(lab: Lab) -> None:
    keys = [key(material(said)) for said in (None, GOOD, BAD)]
    assert len(set(keys)) == 3
    other = replace(material(GOOD), bare=bank_of(np.roll(FOUND.z, 1, 0)))
    assert key(other) not in keys, "the baseline stands on the bare families"
    attempts, bench = list[bool](), Bench(material(GOOD), RULES, choice_of())

    def row_of(described: bool) -> dict:
        choice = replace(choice_of(), described=described)

        def attempt() -> Tried:
            attempts.append(described)
            return bench.attempt(choice)

        return lab._kept_row(keys[1], BARE.grid.classes, choice, attempt)

    first = [row_of(described) for described in (True, False)]
    assert attempts == [True, False]
    assert [row_of(described) for described in (True, False)] == first
    assert attempts == [True, False]
    assert first[0]["eval"]["cmm_top"] != first[1]["eval"]["cmm_top"]
