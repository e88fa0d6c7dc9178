"""What another row would do, against plain loops and against the scoring pass; and the paired interval of a change."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.loops.enrich import shortfall
from promptlab.score.swaps import BATCH, Margins, Swaps, difference
from promptlab.types import Array, LabelSource, unit
from score import brute
from score.planted import ATOMS, World, boards, checked, checked_briefly, features_of, planted, worlds


def plain(x: Array, rows: Array, labels: Array | None) -> list[tuple[int, int, float, float]]:
    """(class, image, own, rival) of every margin that counts, by the definition; ties fall to the earlier image."""
    s = unit(x.astype(float)) @ rows.astype(float).T
    n, c = s.shape
    if labels is not None:
        entries = [(int(y), i) for i, y in enumerate(labels)]
    else:
        rounded = s.round(9)  # exact ties must stay exact
        entries = [(j, i) for j in range(c) for i in sorted(range(n), key=lambda i: (-rounded[i, j], i))[: -(-n // c)]]
    return [(j, i, s[i, j], s[i, j] - brute.margin(s[i], j)) for j, i in sorted(entries)]


def listed(found: Margins) -> list[tuple[int, int, float, float]]:
    return list(zip(found.of.tolist(), found.image.tolist(), found.own.tolist(), found.rival.tolist(), strict=True))


def listed_cells(found: Margins) -> list[tuple[int, int]]:
    return [(one[0], one[1]) for one in listed(found)]


def agree(found: Margins, expected: Sequence[tuple[int, int, float, float]]) -> None:
    """The same images for the same classes in the same order, with the same margins."""
    assert [one[:2] for one in listed(found)] == [one[:2] for one in expected]
    assert np.array([one[2:] for one in listed(found)]) == pytest.approx(np.array([one[2:] for one in expected]), abs=2e-6)
    assert found.margin == pytest.approx(np.array([own - rival for _, _, own, rival in expected]), abs=2e-6)


def other_row(world: World, seed: int) -> Array:
    """A row that is like those of the world: one of ATOMS where its cosines are exact."""
    rng, d = np.random.default_rng(seed), world.z.shape[2]
    exact = d == 4 and all((row == ATOMS).all(1).any() for row in world.z[0])
    return ATOMS[rng.integers(len(ATOMS))] if exact else unit(rng.normal(size=d)).astype(np.float32)


several = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2**31)), min_size=1, max_size=3)


@checked
@given(worlds(), st.booleans(), several)
def test_margins_now_under_any_row_and_after_rows_were_taken_are_those_of_the_definition(
    world: World, labelled: bool, taken: list[tuple[int, int]]
) -> None:
    rows, labels = world.z[0].copy(), world.labels if labelled else None
    swaps = Swaps(features_of(world.x), rows, labels)
    for wanted, seed in taken:
        agree(swaps.now, plain(world.x, rows, labels))
        for c in range(len(rows)):
            tried = rows.copy()
            tried[c] = other_row(world, seed + c)
            agree(swaps.with_row(c, tried[c]), plain(world.x, tried, labels))
        agree(swaps.now, plain(world.x, rows, labels))
        c = wanted % len(rows)
        rows[c] = other_row(world, seed)
        swaps.take(c, rows[c])
    agree(swaps.now, plain(world.x, rows, labels))


@checked
@given(worlds(), st.booleans(), st.integers(0, 2**31))
def test_their_class_means_are_what_the_scoring_pass_finds(world: World, labelled: bool, seed: int) -> None:
    """cmm under true labels, cmm-top without: now, and where one row is another."""
    rows, labels, features = world.z[0], world.labels if labelled else None, features_of(world.x)
    swaps = Swaps(features, rows, labels)
    rule, source = ("cmm", LabelSource.TRUE) if labelled else ("cmm-top", LabelSource.SELF)
    for c in range(len(rows)):
        tried = rows.copy()
        tried[c] = other_row(world, seed + c)
        before, after = (boards(features, made[None], [rule], labels, source)[rule].per_class[0] for made in (rows, tried))
        found = swaps.with_row(c, tried[c])
        for expected, margins in ((before, swaps.now), (after, found)):
            mine = [margins.margin[margins.of == j] for j in range(len(rows))]
            assert [some.mean() if len(some) else np.nan for some in mine] == pytest.approx(expected.tolist(), abs=2e-6, nan_ok=True)
        assert swaps.change(found).value == pytest.approx(np.nanmean(after) - np.nanmean(before), abs=2e-6)


@checked
@given(worlds(), st.booleans(), st.integers(0, 2**31))
def test_with_its_images_held_a_class_is_judged_by_those_of_now(world: World, labelled: bool, seed: int) -> None:
    rows, labels, features = world.z[0], world.labels if labelled else None, features_of(world.x)
    swaps = Swaps(features, rows, labels)
    for c in range(len(rows)):
        tried = rows.copy()
        tried[c] = other_row(world, seed + c)
        s = unit(world.x.astype(float)) @ tried.astype(float).T
        held, wins = swaps.on_held(c, tried[c]), (swaps.now.margin[swaps.now.of == c] > 0).any()
        if held is None:
            assert not wins or np.abs(tried[c] - rows[c]).max() < 1e-5
            continue
        assert wins
        gap = [brute.margin(s[i], j) for j, i in listed_cells(swaps.now)] - swaps.now.margin
        means = [gap[swaps.now.of == j].mean() for j in np.unique(swaps.now.of)]
        assert held.value == pytest.approx(np.mean(means), abs=2e-6)
        if labelled:
            assert held.value == pytest.approx(swaps.change(swaps.with_row(c, tried[c])).value, abs=1e-9)


@pytest.mark.parametrize("labelled", [True, False])
def test_more_pictures_than_a_batch_holds_are_one_row_of_pictures(labelled: bool) -> None:
    n, rng = BATCH + 500, np.random.default_rng(0)
    x, rows, labels = rng.normal(size=(n, 8)).astype(np.float32), unit(rng.normal(size=(3, 8))).astype(np.float32), rng.integers(0, 3, n)
    swaps = Swaps(features_of(x), rows, labels if labelled else None)
    agree(swaps.now, plain(x, rows, labels if labelled else None))
    tried = rows.copy()
    tried[1] = unit(rng.normal(size=8))
    agree(swaps.with_row(1, tried[1]), plain(x, tried, labels if labelled else None))


def test_the_caller_keeps_its_rows() -> None:
    rows = np.eye(3, dtype=np.float32)
    swaps = Swaps(features_of(np.eye(3)), rows, None)
    swaps.take(0, rows[1])
    assert np.array_equal(rows, np.eye(3))


def test_a_class_without_pictures_has_no_margin_and_its_row_is_a_rival_all_the_same() -> None:
    x, labels = np.eye(3)[[0, 0, 1]], np.array([0, 0, 1])
    swaps = Swaps(features_of(x), np.eye(3), labels)
    assert set(swaps.now.of.tolist()) == {0, 1}
    after = swaps.with_row(2, np.eye(3)[0])
    assert after.margin.tolist() == [0.0, 0.0, 1.0]
    assert swaps.change(after).value == pytest.approx(-0.5), "one of the two classes that have pictures loses 1"
    assert swaps.change(after).accuracy == pytest.approx(-0.5)


@pytest.mark.parametrize("labelled", [True, False])
def test_a_row_that_is_there_already_is_no_change_and_not_good_enough(labelled: bool) -> None:
    """Products of one row and of many differ in the last bit; on wide rows that alone once looked like a clear rise."""
    for seed in range(10):
        found = planted(seed, classes=10, width=512)
        swaps = Swaps(found.features(), found.z[0], found.labels if labelled else None)
        for c in range(10):
            row = found.z[0, c].astype(np.float32)
            for same in (row, np.nextafter(row, np.float32(1))):
                change = swaps.change(swaps.with_row(c, same))
                assert (change.value, change.interval.low, change.interval.high) == (0, 0, 0)
                assert shortfall(change)


def test_without_labels_nothing_is_said_of_accuracy() -> None:
    swaps = Swaps(features_of(np.eye(2)), np.eye(2), None)
    change = swaps.change(swaps.with_row(0, np.array([0.6, 0.8])))
    assert (change.accuracy, change.accuracy_interval) == (None, None)


def test_accuracy_is_that_of_the_class_means() -> None:
    """Class 0 with three pictures loses one of them, class 1 with one picture none: a sixth, not a quarter."""
    x = unit(np.array([[1, 0.1], [1, 0.1], [1, 0.9], [0, 1]]))
    swaps = Swaps(features_of(x), np.eye(2), np.array([0, 0, 0, 1]))
    change = swaps.change(swaps.with_row(1, unit(np.array([0.3, 1]))))
    assert change.accuracy == pytest.approx(-1 / 6)


# -- the interval -------------------------------------------------------------------------------------------------------------------

samples = st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.integers(0, 4)), min_size=1, max_size=30)


@checked
@given(samples)
def test_a_difference_is_what_plain_loops_make_of_it(rows: list[tuple[float, float, int]]) -> None:
    before, after, of = (np.array(column) for column in zip(*rows, strict=True))
    value, interval = difference(before, after, of)
    gaps = [(after - before)[of == c] for c in sorted(set(of.tolist()))]
    assert value == pytest.approx(np.mean([gap.mean() for gap in gaps]), abs=1e-12)
    several_each = [gap for gap in gaps if len(gap) > 1]
    if not several_each:
        assert (interval.low, interval.high) == (-np.inf, np.inf)
        return
    pooled = sum(gap.var() * len(gap) for gap in several_each) / sum(len(gap) - 1 for gap in several_each)
    error = np.sqrt(sum((gap.var(ddof=1) if len(gap) > 1 else pooled) / len(gap) for gap in gaps)) / len(gaps)
    assert (interval.low, interval.high) == pytest.approx((value - 1.96 * error, value + 1.96 * error), abs=1e-12)


@checked_briefly
@given(samples, st.randoms(use_true_random=False))
def test_it_does_not_depend_on_the_order_of_pictures(rows: list[tuple[float, float, int]], random: "np.random.Generator") -> None:
    mixed = list(rows)
    random.shuffle(mixed)
    (value, interval), (other, its) = (difference(*(np.array(column) for column in zip(*some, strict=True))) for some in (rows, mixed))
    assert (value, interval.low, interval.high) == pytest.approx((other, its.low, its.high), abs=1e-12)


@pytest.mark.parametrize(("smallest", "uneven"), [(8, 0.5), (1, 0.0)])
def test_the_interval_holds_the_truth_as_often_as_it_says(smallest: int, uneven: float) -> None:
    """Nine classes of unequal sizes, and of unequal spread where each can tell its own; 2,000 draws: 95 %, with two points for chance."""
    rng, sizes = np.random.default_rng(0), np.array([smallest, 8, 10, 15, 20, 20, 30, 40, 60])
    of = np.repeat(np.arange(9), sizes)
    truth, spread = rng.normal(size=9), rng.uniform(1 - uneven, 1 + uneven, 9)
    held = 0
    for _ in range(2000):
        before = rng.normal(size=len(of))
        _, interval = difference(before, before + truth[of] + spread[of] * rng.normal(size=len(of)), of)
        held += interval.low <= truth.mean() <= interval.high
    assert 0.93 <= held / 2000 <= 0.97


def test_a_change_of_all_pictures_alike_is_certain() -> None:
    value, interval = difference(np.zeros(6), np.full(6, 0.25), np.array([0, 0, 1, 1, 2, 2]))
    assert (value, interval.low, interval.high) == (0.25, 0.25, 0.25)
