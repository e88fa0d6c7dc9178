"""Every class kept up to date while rows change: against loops over plain numbers, and against a start from scratch."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.score import live as module
from promptlab.score.live import Live, Standing, moved
from promptlab.score.reducers import worst_order
from promptlab.types import Array, unit

from .planted import ATOMS, checked, features_of

NEAR = 1e-6


@dataclass(frozen=True)
class Game:
    """Images, rows before and after some edits, right answers."""

    x: Array
    rows: tuple[Array, ...]
    offsets: tuple[Array, ...]
    label: Array
    exact: bool

    @property
    def live(self) -> Live:
        return Live(features_of(self.x), self.rows[0], self.offsets[0])

    @property
    def edited(self) -> Live:
        made = self.live
        for rows, offsets in zip(self.rows[1:], self.offsets[1:], strict=True):
            made.put(rows, offsets)
        return made

    def similarity(self, at: int = -1) -> Array:
        """(N, C) f8, product by product."""
        return (self.x[:, None].astype(float) * self.rows[at].astype(float)).sum(-1) + self.offsets[at]


@st.composite
def games(draw: st.DrawFn, fewest_classes: int = 1) -> Game:
    """Any small game: equal rows, ties, offsets or none, classes without images."""
    n, c, steps = draw(st.integers(1, 30)), draw(st.integers(fewest_classes, 6)), draw(st.integers(0, 5))
    rng, exact = np.random.default_rng(draw(st.integers(0, 2**32 - 1))), draw(st.booleans())

    def some(count: int) -> Array:
        made = ATOMS[rng.integers(0, len(ATOMS), count)] if exact else unit(rng.normal(size=(count, 5)))
        return np.asarray(made, np.float32)

    rows, offset = [some(c)], np.zeros(c, np.float32)
    offsets = [offset]
    for _ in range(steps):
        now = rows[-1].copy()
        for target in draw(st.lists(st.integers(0, c - 1), max_size=c)):
            now[target] = now[rng.integers(0, c)] if draw(st.booleans()) else some(1)[0]
        rows.append(now)
        if draw(st.booleans()):
            offset = np.asarray(rng.integers(-2, 3, c) / 4 if exact else rng.normal(size=c) / 10, np.float32)
        offsets.append(offset)
    return Game(some(n), tuple(rows), tuple(offsets), rng.integers(0, draw(st.integers(1, c)), n), exact)


def near_tie(s: Array) -> Array:
    """(N,) bool: images whose two best are so near that rounding may choose."""
    best = np.sort(s, 1)
    return np.asarray(best[:, -1] - best[:, -2] < NEAR) if s.shape[1] > 1 else np.zeros(len(s), bool)


def same(one: Standing, other: Standing, unsure: Array) -> None:
    """Both say the same, but for images where rounding may choose."""
    np.testing.assert_allclose(one.margin, other.margin, atol=NEAR)
    np.testing.assert_allclose(one.cmm, other.cmm, atol=NEAR)
    assert (one.winner == other.winner)[~unsure].all()
    assert (one.count == other.count).all()
    if not unsure.any():
        np.testing.assert_array_equal(one.accuracy, other.accuracy)
        np.testing.assert_array_equal(one.taker, other.taker)
        np.testing.assert_array_equal(one.lost, other.lost)


@checked
@given(games())
def test_after_any_edits_it_says_what_a_fresh_start_says(game: Game) -> None:
    fresh = Live(features_of(game.x), game.rows[-1], game.offsets[-1])
    unsure = np.zeros(len(game.x), bool) if game.exact else near_tie(game.similarity())
    same(game.edited.standing(game.label), fresh.standing(game.label), unsure)
    assert (game.edited.winners() == fresh.winners())[~unsure].all()
    np.testing.assert_array_equal(game.edited.rows, game.rows[-1])


@checked
@given(games(fewest_classes=2))
def test_it_says_what_loops_over_plain_numbers_say(game: Game) -> None:
    found, s = game.edited.standing(game.label), game.similarity()
    unsure = np.zeros(len(s), bool) if game.exact else near_tie(s)
    for n, label in enumerate(game.label):
        others = [j for j in range(s.shape[1]) if j != label]
        rival = max(others, key=lambda j: (s[n, j], -j))
        assert found.margin[n] == pytest.approx(s[n, label] - s[n, rival], abs=NEAR)
        if not unsure[n]:
            assert found.winner[n] == max(range(s.shape[1]), key=lambda j: (s[n, j], -j))
        assert s[n, found.rival[n]] == pytest.approx(s[n, rival], abs=NEAR)
        assert found.rival[n] != label
        if game.exact:
            assert found.rival[n] == rival
    for c in range(s.shape[1]):
        mine = game.label == c
        assert found.count[c] == mine.sum()
        if not mine.any():
            assert np.isnan([found.accuracy[c], found.cmm[c]]).all()
            assert (found.taker[c], found.lost[c]) == (-1, 0)
            continue
        winners = found.winner[mine].tolist()
        assert found.accuracy[c] == pytest.approx(winners.count(c) / len(winners))
        assert found.cmm[c] == pytest.approx(found.margin[mine].astype(float).mean(), abs=NEAR)
        taken = {j: winners.count(j) for j in winners if j != c}
        most = max(taken.values(), default=0)
        assert found.lost[c] == pytest.approx(most / len(winners))
        assert found.taker[c] == (min(j for j in taken if taken[j] == most) if taken else -1)


@checked
@given(games(fewest_classes=2), st.data())
def test_equal_rows_tie_to_the_bit_and_the_lowest_index_wins(game: Game, data: st.DataObject) -> None:
    live, c = game.edited, len(game.rows[0])
    low, high = sorted(data.draw(st.lists(st.integers(0, c - 1), min_size=2, max_size=2, unique=True)))
    target, source = data.draw(st.sampled_from([(low, high), (high, low)]))
    rows = live.rows.copy()
    rows[target] = rows[source]
    live.put(rows, np.zeros(c))
    found = live.standing(np.full(len(game.x), high))
    assert not (live.winners() == high).any()
    assert not (found.winner == high).any()
    assert (found.margin <= 0).all()
    if c == 2:
        assert (found.margin == 0).all()
    np.testing.assert_array_equal(live.standing(game.label).winner, live.winners())


@checked
@given(games(fewest_classes=2), st.data())
def test_a_vector_alone_does_what_it_does_in_its_row(game: Game, data: st.DataObject) -> None:
    live, c = game.edited, int(game.label[0])
    images = np.flatnonzero(game.label == c)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    z = np.asarray(ATOMS[rng.integers(0, len(ATOMS), 3)] if game.exact else unit(rng.normal(size=(3, 5))), np.float32)
    cmm, accuracy = live.alone(images, c, z)
    before = live.standing(game.label)
    for n, vector in enumerate(z):
        rows = game.rows[-1].copy()
        rows[c] = vector
        placed = Live(features_of(game.x), rows, game.offsets[-1]).standing(game.label)
        assert cmm[n] == pytest.approx(placed.cmm[c], abs=NEAR)
        if game.exact or (np.abs(placed.margin[images]) > NEAR).all():
            assert accuracy[n] == pytest.approx(placed.accuracy[c])
    same(live.standing(game.label), before, np.zeros(len(game.x), bool))  # looking changes nothing


@checked
@given(games(fewest_classes=2))
def test_what_moved_is_the_paired_difference_of_class_means(game: Game) -> None:
    before, after = game.live.standing(game.label), game.edited.standing(game.label)
    found = moved(before, after)
    known = after.count > 0
    assert found.accuracy == pytest.approx(float((after.accuracy - before.accuracy)[known].mean()))
    assert found.cmm == pytest.approx(float((after.cmm - before.cmm)[known].mean()), abs=NEAR)
    assert found.images == sum(one != other for one, other in zip(before.winner, after.winner, strict=True))
    if (after.count[known] > 1).all():
        gain = (after.winner == after.label).astype(float) - (before.winner == before.label)
        spread = sum(gain[after.label == c].var(ddof=1) / after.count[c] for c in np.flatnonzero(known))
        assert found.interval.high - found.interval.low == pytest.approx(2 * 1.96 * np.sqrt(spread) / known.sum())
        assert found.interval.high + found.interval.low == pytest.approx(2 * found.accuracy)


def test_nothing_moved_where_nothing_was_edited() -> None:
    live = Live(features_of(ATOMS), ATOMS[:3], np.zeros(3))
    label = np.arange(len(ATOMS)) % 3
    before = live.standing(label)
    live.put(live.rows.copy())
    found = moved(before, live.standing(label))
    assert (found.accuracy, found.cmm, found.images) == (0, 0, 0)
    assert (found.interval.low, found.interval.high) == (0, 0)


def test_only_columns_of_changed_rows_are_computed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows = np.asarray(unit(rng.normal(size=(6, 5))), np.float32)
    live = Live(features_of(unit(rng.normal(size=(9, 5)))), rows, np.zeros(6))
    live._s[:] = 7.0  # what is not computed anew keeps this
    rows = rows.copy()
    rows[2] = rows[4]
    live.put(rows)
    assert [c for c in range(6) if not (live._s[:, c] == 7).any()] == [2, 4]
    live.put(rows, np.eye(6)[5])
    assert [c for c in range(6) if not (live._s[:, c] == 7).any()] == [2, 4, 5]


def test_rows_given_are_not_kept_by_reference() -> None:
    rows = ATOMS[:3].copy()
    live = Live(features_of(ATOMS), rows, np.zeros(3))
    before = live.winners()
    rows[:] = ATOMS[4]
    np.testing.assert_array_equal(live.winners(), before)
    live.put(rows)
    assert (live.winners() == 0).all()


def test_images_come_in_batches_and_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Live(features_of(ATOMS), ATOMS[:5], np.zeros(5)).winners()
    monkeypatch.setattr(module, "BATCH", 7)
    np.testing.assert_array_equal(Live(features_of(ATOMS), ATOMS[:5], np.zeros(5)).winners(), whole)


def test_one_class_alone_wins_everything() -> None:
    found = Live(features_of(ATOMS), ATOMS[:1], np.zeros(1)).standing(np.zeros(len(ATOMS), int))
    assert (found.winner == 0).all()
    assert (found.accuracy.tolist(), found.taker.tolist(), found.lost.tolist()) == ([1.0], [-1], [0.0])


def test_classes_are_ordered_worst_first_and_the_mean_of_some_leaves_out_those_without_images() -> None:
    x = np.eye(4)[[0, 0, 1, 1, 2]]
    rows = np.eye(4)[[0, 2, 3, 1]]  # class 1 loses its images to class 3, and class 2 its own to class 1
    found = Live(features_of(x), rows, np.zeros(4)).standing(np.array([0, 0, 1, 1, 2]))
    assert found.order.tolist() == worst_order(found.accuracy, found.cmm).tolist() == [1, 2, 0]
    assert found.worst(np.array([0, 1, 3])) == 0.5
    assert np.isnan(found.worst(np.array([3])))
    assert found.taker.tolist() == [-1, 3, 1, -1]
