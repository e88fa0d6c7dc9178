"""The keep step: what it is asked, in which order, what gives way to what, and what is not good enough."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score.planted import checked_briefly, features_of, planted

from loops.planted_words import Speech, class_id, said
from promptlab.loops.enrich import Bundle, Trial, better, enrich, keep, shortfall, swapped, whatever, worded
from promptlab.score.swaps import Change, Swaps
from promptlab.types import Array, Description, Features, Interval, Place, unit

INSIDE, REPLACE, BESIDE = Place.INSIDE, Place.REPLACE, Place.BESIDE


def bundle(c: int, *texts: str, place: Place = REPLACE, bars: Sequence[str] = ()) -> Bundle:
    return Bundle(said(c, *texts, place=place), tuple(said(c, bar, place=place) for bar in bars))


class Ground:
    """Four classes with clear pictures whose names all lie beside them; texts that mend or spoil a name."""

    def __init__(self, labelled: bool = True) -> None:
        found = planted(0, classes=4, each=40, width=16, image_noise=1.2, text_noise=(1.5,))
        self.tune: Features = found.features(labelled=labelled)
        good = {f"good {c}": found.prototypes[c] for c in range(4)}
        fair = {f"fair {c}": unit(found.z[0, c] + 0.7 * found.prototypes[c]) for c in range(4)}
        bad = {f"bad {c}": found.prototypes[(c + 1) % 4] for c in range(4)}
        self.rows = Speech(found.z[0], {**good, **fair, **bad, "same": found.z[0, 0], "noise": unit(np.arange(16.0))})

    def keep(
        self, order: Sequence[int], bundles: dict[int, list[Bundle]], settled: Sequence[Description] = (), ask=better
    ) -> tuple[list[Description], list[Trial]]:
        swaps = Swaps(self.tune, self.rows(settled), self.tune.labels)
        self.rows.asked.clear()
        return keep(swaps, order, bundles, settled, self.rows, ask)


@pytest.fixture
def ground() -> Ground:
    return Ground()


# -- what is kept -------------------------------------------------------------------------------------------------------------------


def test_what_helps_is_kept_and_what_harms_is_not(ground: Ground) -> None:
    settled, trials = ground.keep([0, 1], {0: [bundle(0, "good 0")], 1: [bundle(1, "bad 1")]})
    assert [one.text for one in settled] == ["good 0"]
    assert [(trial.class_id, trial.kept, bool(trial.fault)) for trial in trials] == [("c0", True, False), ("c1", False, True)]
    assert trials[0].verdict.startswith("kept, replace: margin +")
    assert trials[1].verdict == f"not kept, replace: the mean margin of all classes does not rise ({trials[1].figures})"


def test_the_best_of_those_that_are_good_enough_is_kept(ground: Ground) -> None:
    trials = ground.keep([0], {0: [bundle(0, "fair 0"), bundle(0, "good 0"), bundle(0, "bad 0")]})[1]
    assert [trial.kept for trial in trials] == [False, True, False]
    assert trials[0].fault == ""
    assert trials[0].verdict.startswith("not kept, replace: not wanted (margin +")


def test_whatever_keeps_the_least_bad_of_every_class(ground: Ground) -> None:
    bundles = {0: [bundle(0, "good 0"), bundle(0, "bad 0")], 1: [bundle(1, "bad 1"), bundle(1, "noise")]}
    settled, trials = ground.keep([1, 0], bundles, ask=whatever)
    chosen = max((trial for trial in trials if trial.class_index == 1), key=lambda trial: trial.change.value)
    assert {one.text for one in settled} == {"good 0", *chosen.texts}
    assert chosen.fault


def test_somebody_who_is_asked_sees_all_trials_of_a_class_and_has_the_last_word(ground: Ground) -> None:
    seen = []

    def ask(trials: Sequence[Trial]) -> Trial | None:
        seen.append([trial.texts for trial in trials])
        return None if trials[0].class_index == 0 else trials[-1]

    settled, trials = ground.keep([0, 1], {0: [bundle(0, "good 0")], 1: [bundle(1, "good 1"), bundle(1, "bad 1")]}, ask=ask)
    assert seen == [[("good 0",)], [("good 1",), ("bad 1",)]]
    assert [one.text for one in settled] == ["bad 1"]
    assert [trial.kept for trial in trials] == [False, False, True]


def test_the_same_words_again_are_not_kept_and_equals_go_to_the_first(ground: Ground) -> None:
    settled, trials = ground.keep([0], {0: [bundle(0, "same")]})
    assert (settled, trials[0].change.value, trials[0].kept) == ([], 0, False)
    trials = ground.keep([1], {1: [bundle(1, "good 1"), bundle(1, "good 1")]})[1]
    assert [trial.kept for trial in trials] == [True, False]


def test_nothing_said_is_nothing_tried_and_nobody_is_asked(ground: Ground) -> None:
    def never(trials: Sequence[Trial]) -> Trial | None:
        raise AssertionError("there is nothing to choose from")

    held = said(2, "good 2", place=REPLACE)
    for bundles in ({}, {0: []}):
        assert ground.keep([0, 1], bundles, held, never) == (list(held), [])
    assert ground.rows.asked == []


def test_what_helps_its_class_but_costs_the_others_more_is_rejected() -> None:
    """Class 0 is told by what all pictures share: its margins rise by 0.24, those of each of the three others fall by 0.63."""
    meaning, common = np.eye(5)[:4], np.eye(5)[4]
    labels = np.repeat(np.arange(4), 10)
    x, generic = unit(meaning[labels] + common), unit(meaning[0] + 2 * common)
    for known in (labels, None):
        swaps, rows = Swaps(features_of(x, known), meaning, known), Speech(meaning, {"a thing": generic})
        gain = swaps.with_row(0, generic).margin - swaps.now.margin
        assert gain == pytest.approx(np.where(swaps.now.of == 0, 3 / np.sqrt(10) - np.sqrt(0.5), -2 / np.sqrt(10)), abs=1e-6)
        settled, trials = keep(swaps, [0], {0: [bundle(0, "a thing")]}, [], rows, better)
        assert settled == []
        assert trials[0].change.value == pytest.approx(gain.mean())


def test_without_labels_words_for_another_class_are_not_taken_however_sharp() -> None:
    """Class 0 is told as class 3 is meant, better than class 3's own name tells it: its most similar pictures are then those of class 3."""
    rng, meaning = np.random.default_rng(0), np.eye(8)[:4]
    x = unit(meaning[np.repeat(np.arange(4), 20)] + 0.15 * rng.normal(size=(80, 8)))
    names = unit(meaning + 0.8 * meaning[[1, 0, 3, 2]])
    swaps, rows = Swaps(features_of(x), names, None), Speech(names, {"the other": meaning[3], "its own": meaning[0]})
    assert not shortfall(swaps.change(swaps.with_row(0, meaning[3]))), "the margins alone are taken in"
    settled, trials = keep(swaps, [0], {0: [bundle(0, "the other")]}, [], rows, better)
    assert (settled, trials[0].fault) == ([], "it fits other pictures than those of the class")
    assert keep(swaps, [0], {0: [bundle(0, "its own")]}, [], rows, better)[0]


def test_without_labels_a_bundle_must_beat_each_of_its_bars() -> None:
    ground = Ground(labelled=False)
    assert ground.keep([3], {3: [bundle(3, "fair 3", bars=["noise", "bad 3"])]})[0]
    settled, trials = ground.keep([3], {3: [bundle(3, "fair 3", bars=["noise", "good 3"])]})
    assert (settled, trials[0].fault) == ([], "random words do as much")
    assert ground.keep([3], {3: [bundle(3, "good 3", bars=["good 3"])]})[1][0].fault == "random words do as much", "as much is not more"


@pytest.mark.parametrize(
    ("value", "low", "accuracy", "error", "fault"),
    [
        (0.1, 0.01, 0.02, 0.01, ""),
        (0.1, 0.01, None, None, ""),
        (0.1, 0.01, 0.01, 0.02, "no gain in accuracy beyond chance"),
        (0.1, 0.01, 0.0, 0.0, "no gain in accuracy beyond chance"),
        (0.1, 0.01, -0.1, 0.01, "no gain in accuracy beyond chance"),
        (0.1, 0.0, 0.02, 0.01, "no clear rise of the mean margin"),
        (0.1, -np.inf, 0.02, 0.01, "no clear rise of the mean margin"),
        (0.1, np.nan, 0.02, 0.01, "no clear rise of the mean margin"),
        (0.0, 0.0, 0.02, 0.01, "the mean margin of all classes does not rise"),
        (-0.1, -0.2, None, None, "the mean margin of all classes does not rise"),
    ],
)
def test_why_a_change_is_not_good_enough(value: float, low: float, accuracy: float | None, error: float | None, fault: str) -> None:
    its = None if accuracy is None or error is None else Interval(accuracy - 1.96 * error, accuracy + 1.96 * error)
    assert shortfall(Change(value, Interval(low, 2 * value - low), accuracy, its)) == fault


# -- turns --------------------------------------------------------------------------------------------------------------------------


def test_the_first_in_order_comes_first_and_those_after_it_are_judged_with_what_it_kept(ground: Ground) -> None:
    bundles = {c: [bundle(c, f"good {c}")] for c in range(4)}
    for order in ([2, 0, 3, 1], [1, 3, 0, 2]):
        settled, trials = ground.keep(order, bundles)
        assert [trial.class_index for trial in trials] == order
        swaps, now = Swaps(ground.tune, ground.rows(()), ground.tune.labels), list[Description]()
        for trial in trials:
            alone = swaps.change(swaps.with_row(trial.class_index, ground.rows(trial.bundle.descriptions)[trial.class_index]))
            assert (trial.change.value, trial.change.accuracy) == (alone.value, alone.accuracy)
            if trial.kept:
                swaps.take(trial.class_index, ground.rows(trial.bundle.descriptions)[trial.class_index])
                now += trial.bundle.descriptions
        assert settled == now
    first, second = (ground.keep(order, bundles)[1] for order in ([2, 0, 3, 1], [1, 3, 0, 2]))
    assert {t.class_index: t.change.value for t in first} != {t.class_index: t.change.value for t in second}


def test_rows_are_asked_once_a_turn_for_all_classes_together() -> None:
    ground = Ground(labelled=False)
    bundles = {
        0: [bundle(0, "good 0", bars=["noise"]), bundle(0, "fair 0", bars=["noise"])],
        1: [bundle(1, "good 1")],
        2: [bundle(2, "good 2"), bundle(2, "bad 2"), bundle(2, "fair 2")],
    }
    ground.keep([2, 1, 0], bundles, said(3, "good 3"))
    turns = [{one.text for one in asked} for asked in ground.rows.asked]
    each = [{"good 0", "good 1", "good 2"}, {"noise", "bad 2"}, {"fair 0", "fair 2"}, {"noise"}]
    assert turns == [{"good 3", *some} for some in each]


# -- what gives way to what ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("earlier", "later", "stays"),
    [(one, other, (one is REPLACE) != (other is REPLACE)) for one in Place for other in Place],
)
def test_what_stands_in_the_same_place_gives_way_and_the_rest_stays(ground: Ground, earlier: Place, later: Place, stays: bool) -> None:
    held = (*said(0, "fair 0", place=earlier), *said(1, "fair 1", place=later))
    settled, _ = ground.keep([0], {0: [bundle(0, "good 0", place=later)]}, held, whatever)
    mine = [one for one in held if stays or one.class_id != class_id(0)]
    assert settled == [*mine, *said(0, "good 0", place=later)]
    assert ground.rows.asked == [tuple(settled)], "the row that is judged is the one that would be in use"


def test_descriptions_inside_go_on_top_of_a_better_name_that_was_kept(ground: Ground) -> None:
    names, bundles = {0: [bundle(0, "fair 0")]}, {0: [bundle(0, "good 0", place=INSIDE)]}
    controls = {"noise": {0: [bundle(0, "noise", place=INSIDE)]}}
    found = enrich(ground.tune, [0], said(3, "fair 3"), names, bundles, controls, ground.rows, better)
    assert [one.text for one in found.named] == ["fair 3", "fair 0"]
    assert [one.text for one in found.settled] == ["fair 3", "fair 0", "good 0"]
    assert [trial.texts for trial in found.trials] == [("fair 0",), ("good 0",)]
    assert found.controls == {"noise": found.named}


def test_controls_start_from_the_names_that_were_kept_not_from_the_descriptions(ground: Ground) -> None:
    controls = {"again": {0: [bundle(0, "good 0")]}, "all": {0: [bundle(0, "bad 0")], 1: [bundle(1, "noise")]}}
    found = enrich(ground.tune, [0, 1], (), {}, {0: [bundle(0, "good 0")]}, controls, ground.rows, better)
    assert [one.text for one in found.controls["again"]] == ["good 0"], "as good as the first time"
    assert found.controls["all"] == ()
    loose = enrich(ground.tune, [0, 1], (), {}, {0: [bundle(0, "good 0")]}, controls, ground.rows, whatever)
    assert {one.text for one in loose.controls["all"]} == {"bad 0", "noise"}, "controls are kept by the rule that holds for all"


def test_nobody_is_asked_about_controls(ground: Ground) -> None:
    asked = []

    def ask(trials: Sequence[Trial]) -> Trial | None:
        asked.append(trials[0].texts)
        return trials[0]

    found = enrich(ground.tune, [0], (), {}, {0: [bundle(0, "fair 0")]}, {"other": {0: [bundle(0, "good 0")]}}, ground.rows, ask)
    assert asked == [("fair 0",)]
    assert [one.text for one in found.controls["other"]] == ["good 0"]


# -- controls -----------------------------------------------------------------------------------------------------------------------


def told(c: int) -> list[Bundle]:
    return [bundle(c, f"{c} a", f"{c} b", place=place, bars=[f"bar {c}"]) for place in (INSIDE, REPLACE)]


@settings(checked_briefly, max_examples=200)
@given(st.sets(st.integers(0, 50), min_size=2, max_size=12), st.integers(0, 2**32 - 1))
def test_swapped_texts_are_a_derangement_whatever_the_seed(classes: set[int], seed: int) -> None:
    found = swapped({c: told(c) for c in classes}, seed)
    givers = {c: int(those[0].descriptions[0].text.split()[0]) for c, those in found.items()}
    assert set(givers) == set(givers.values()) == classes
    assert all(giver != c for c, giver in givers.items())
    for c, those in found.items():
        assert [one.place for one in those] == [INSIDE, REPLACE]
        for mine, theirs in zip(those, told(givers[c]), strict=True):
            turned = [replace(one, class_id=class_id(c)) for one in theirs.descriptions]
            assert list(mine.descriptions) == turned
            assert {one.class_id for bar in mine.bars for one in bar} == {class_id(c)}


def test_swapping_needs_two_classes_of_which_something_is_said() -> None:
    assert swapped({}, 0) == swapped({3: told(3)}, 0) == swapped({3: told(3), 4: []}, 0) == {}
    assert set(swapped({3: told(3), 4: [], 5: told(5)}, 0)) == {3, 5}


def test_other_seeds_swap_otherwise() -> None:
    bundles = {c: told(c) for c in range(6)}
    made = [tuple(those[0].descriptions[0].text for those in swapped(bundles, seed).values()) for seed in (0, 0, 1, 2, 3)]
    assert made[0] == made[1]
    assert len(set(made)) > 1


def test_other_words_are_one_list_that_all_classes_share() -> None:
    bundles = {0: told(0), 4: [bundle(4, "x", "yy", "zzz")]}
    found = worded(bundles, lambda n, text: f"word {n}")
    assert [[d.text for d in one.descriptions] for one in found[0]] == [["word 0", "word 1"]] * 2
    assert [d.text for d in found[4][0].descriptions] == ["word 0", "word 1", "word 2"]
    assert [(d.class_id, d.place) for one in found[0] for d in one.descriptions] == [
        (d.class_id, d.place) for one in bundles[0] for d in one.descriptions
    ]
    assert [one.bars for one in found[0]] == [one.bars for one in bundles[0]]
    assert bundles[0][0].descriptions[0].text == "0 a", "what came is as it was"


# -- random vectors -----------------------------------------------------------------------------------------------------------------


def at_random(seed: int, labelled: bool) -> tuple[int, int]:
    """(kept, tried): classes of a set with noisy names, each with a bundle of random vectors in two places."""
    rng = np.random.default_rng([seed, 1])
    found = planted(seed, classes=10, each=20, width=32, image_noise=2.0, text_noise=(1.0,))
    bars = [f"bar {n}" for n in range(4)]
    texts: dict[str, Array] = {text: unit(rng.normal(size=32)) for text in (*map(str, range(10)), *bars)}
    bundles = {c: [bundle(c, f"{c}", place=place, bars=() if labelled else bars) for place in (INSIDE, REPLACE)] for c in range(10)}
    tune, rows = found.features(labelled=labelled), Speech(found.z[0], texts)
    trials = keep(Swaps(tune, rows(()), tune.labels), range(10), bundles, (), rows, better)[1]
    return sum(trial.kept for trial in trials), 10


@pytest.mark.parametrize("labelled", [True, False])
def test_of_random_words_one_in_twenty_is_kept_at_most(labelled: bool) -> None:
    kept, tried = np.sum([at_random(seed, labelled) for seed in range(40)], 0)
    assert kept <= 0.05 * tried
