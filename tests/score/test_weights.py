"""Weights over families: what they are made from, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.errors import DataError, MismatchError
from promptlab.events import ignore
from promptlab.score.evidence import Evidence
from promptlab.score.reducers import over_classes
from promptlab.score.weighting import find
from promptlab.score.weights import cpe, softmax, uniform
from promptlab.types import Array, LabelSource, Scoreboard, Weights
from score import brute
from score.planted import RULES, World, bank_of, boards, checked, planted, way_of, worlds


def board_of(value: Array) -> Scoreboard:
    """A board of `cmm/worst-k` with these values, one class a family."""
    k = len(value)
    families = tuple(f"family {i}" for i in range(k))
    return Scoreboard(
        "cmm/worst-1",
        "true",
        families,
        value,
        value[:, None],
        np.ones((k, 1), int),
        "margin",
        False,
        np.zeros(k, int),
    )


SCORES = st.lists(st.floats(-1, 1), min_size=1, max_size=8).map(np.array)


@given(score=SCORES, scale=st.floats(1, 200), tau=st.floats(0.01, 10))
@checked
def test_cpe_is_the_softmax_of_margins_in_logits_over_tau(score: Array, scale: float, tau: float) -> None:
    made = cpe(board_of(score), scale, tau)
    assert made.w == pytest.approx(brute.softmax(score * scale / tau), abs=1e-9)
    assert made.w.sum() == pytest.approx(1, abs=1e-12)
    assert made.how == "cpe"
    assert made.score is not None
    assert np.array_equal(made.score, score)


@given(score=SCORES, constant=st.floats(-5, 5))
@checked
def test_weights_follow_the_order_of_scores_and_ignore_a_constant(score: Array, constant: float) -> None:
    w = cpe(board_of(score), 100.0).w
    order = np.argsort(score)
    assert (np.diff(w[order]) >= 0).all()
    assert cpe(board_of(score + constant), 100.0).w == pytest.approx(w, abs=1e-9)


def test_tau_runs_from_one_family_to_uniform() -> None:
    board = board_of(np.array([0.01, 0.02, 0.05]))
    assert cpe(board, 100.0, 1e-6).w.tolist() == [0.0, 0.0, 1.0]
    assert cpe(board, 100.0, 1e9).w == pytest.approx(np.full(3, 1 / 3), abs=1e-6)


@pytest.mark.parametrize("big", [1e3, 1e6])
def test_softmax_of_large_numbers_overflows_nothing(big: float) -> None:
    assert softmax(np.array([big, -big, big])).tolist() == [0.5, 0.0, 0.5]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_family_without_a_score_is_refused(bad: float) -> None:
    with pytest.raises(DataError, match="no score to 1 of 3 families"):
        cpe(board_of(np.array([0.1, bad, 0.2])), 100.0)


@given(world=worlds(ties=False), source=st.sampled_from(list(LabelSource)), k=st.integers(0, 8))
@checked
def test_the_loop_weighs_by_worst_k_margins_of_its_label_source(world: World, source: LabelSource, k: int) -> None:
    bank = bank_of(world.z, scale=20.0)
    made, board = find(way_of("cpe", labels=source, k=k, tau=0.5), Evidence(world.features, bank, RULES, "cpu", ignore))
    assert board.rule == f"cmm/worst-{k or (2 if world.z.shape[1] > 5 else 1)}"
    assert made.w == pytest.approx(brute.softmax(board.value * 40), abs=1e-9)
    assert board.value == pytest.approx(over_classes(board.per_class, board.count, board.rule.partition("/")[2]), abs=1e-12)


def test_the_family_with_the_better_worst_classes_gets_the_larger_weight() -> None:
    material = planted(0, text_noise=(0.2, 1.5))
    board = boards(material.features(), material.z, ["cmm/worst-2"], material.labels)["cmm/worst-2"]
    w = cpe(board, 100.0).w
    assert w[0] > 0.9


def test_uniform_weights_are_one_over_k_and_all_families_count() -> None:
    made = uniform(("a", "b", "c", "d"))
    assert made.w.tolist() == [0.25] * 4
    assert made.effective == pytest.approx(4)
    assert made.score is None


@pytest.mark.parametrize("w", [[0.5, 0.6], [1.2, -0.2], [np.nan, 1.0], [0.0, 0.0], [np.inf, 0.0]])
def test_weights_that_are_none_are_refused(w: list[float]) -> None:
    with pytest.raises(MismatchError, match="sum to 1"):
        Weights(np.array(w), ("a", "b"), "by hand")


def test_weights_of_another_number_of_families_are_refused() -> None:
    with pytest.raises(MismatchError, match="2 weights, 3 families"):
        Weights(np.array([0.5, 0.5]), ("a", "b", "c"), "by hand")
