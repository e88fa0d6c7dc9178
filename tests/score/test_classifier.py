"""Classifiers: how weighted families become one row per class, and what the rows say of images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.errors import MismatchError
from promptlab.events import ignore
from promptlab.score.classifier import classify, guesses, logits
from promptlab.score.ensemble import build, uniform
from promptlab.score.evidence import Evidence
from promptlab.types import Array, Combine, LabelSource, unit
from score import brute
from score.planted import World, bank_of, boards, checked, classifier_of, features_of, from_similarity, worlds


@st.composite
def weighted(draw: st.DrawFn) -> tuple[World, Array]:
    """A world and weights of its families, one of them above 0 at least."""
    world = draw(worlds(ties=False))
    w = np.array(draw(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.0]), min_size=len(world.z), max_size=len(world.z))))
    w[draw(st.integers(0, len(w) - 1))] += 1
    return world, w / w.sum()


# -- building -----------------------------------------------------------------------------------------------------------------------


@given(case=weighted())
@checked
def test_rows_are_the_weighted_mean_of_the_cells(case: tuple[World, Array]) -> None:
    world, w = case
    mean = np.einsum("k,kcd->cd", w, world.z.astype(float))
    assert build(bank_of(world.z), w, Combine.LOGIT).weight == pytest.approx(mean, abs=1e-6)
    embedding = build(bank_of(world.z), w, Combine.EMBEDDING).weight
    assert embedding == pytest.approx(mean / np.linalg.norm(mean, axis=1, keepdims=True), abs=1e-6)
    assert np.linalg.norm(embedding, axis=1) == pytest.approx(1, abs=1e-6)


@given(case=weighted(), factor=st.floats(1e-3, 1e3))
@checked
def test_a_common_factor_of_the_weights_changes_no_embedding(case: tuple[World, Array], factor: float) -> None:
    world, w = case
    once, scaled = (build(bank_of(world.z), v, Combine.EMBEDDING).weight for v in (w, factor * w))
    assert scaled == pytest.approx(once, abs=1e-6)


@given(case=weighted(), combine=st.sampled_from(list(Combine)))
@checked
def test_a_weight_of_zero_is_the_same_to_the_bit_as_leaving_the_family_out(case: tuple[World, Array], combine: Combine) -> None:
    world, w = case
    kept = w > 0
    assert np.array_equal(build(bank_of(world.z), w, combine).weight, build(bank_of(world.z[kept]), w[kept], combine).weight)


@given(case=weighted(), combine=st.sampled_from(list(Combine)), a=st.integers(0, 5), b=st.integers(0, 5))
@checked
def test_classes_with_equal_cells_have_rows_equal_to_the_bit_and_the_lower_one_wins(
    case: tuple[World, Array], combine: Combine, a: int, b: int
) -> None:
    world, w = case
    c = world.z.shape[1]
    world.z[:, a % c] = world.z[:, b % c]
    made = build(bank_of(world.z), w, combine)
    assert np.array_equal(made.weight[a % c], made.weight[b % c])
    if a % c != b % c:
        assert max(a % c, b % c) not in classify(made, world.features, None, "cpu").winner


@given(case=weighted())
@checked
def test_mean_logits_are_those_of_the_logit_classifier(case: tuple[World, Array]) -> None:
    world, w = case
    made = build(bank_of(world.z, scale=10.0), w, Combine.LOGIT)
    mean = np.einsum("k,nkc->nc", w, world.similarity) * 10
    assert logits(made, world.features, "cpu") == pytest.approx(mean, abs=1e-4)
    assert (np.linalg.norm(made.weight, axis=1) <= 1 + 1e-6).all()


def test_mean_logits_scale_a_class_by_how_much_its_texts_agree() -> None:
    bank = bank_of(np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]]))
    lengths = {combine: np.linalg.norm(build(bank, np.array([0.5, 0.5]), combine).weight, axis=1) for combine in Combine}
    assert lengths[Combine.EMBEDDING] == pytest.approx([1.0, 1.0], abs=1e-6)
    assert lengths[Combine.LOGIT] == pytest.approx([0.5**0.5, 1.0], abs=1e-6)


@given(world=worlds(ties=False))
@checked
def test_the_baseline_is_the_plain_ensemble_without_bias(world: World) -> None:
    made = uniform(bank_of(world.z, encoder="e", scale=7.0))
    assert made.weight == pytest.approx(unit(world.z.astype(float).mean(0)), abs=1e-6)
    assert (made.scale, made.encoder, made.combine) == (7.0, "e", Combine.EMBEDDING)
    assert not made.bias.any()


@pytest.mark.parametrize("count", [1, 3])
def test_weights_of_another_number_of_families_are_refused(count: int) -> None:
    with pytest.raises((ValueError, MismatchError)):
        build(bank_of(np.eye(2)[None].repeat(2, 0)), np.full(count, 1 / count), Combine.EMBEDDING)


# -- classifying --------------------------------------------------------------------------------------------------------------------


@given(world=worlds(ties=False, twins=False), labelled=st.booleans(), seed=st.integers(0, 999))
@checked
def test_outcomes_equal_plain_loops(world: World, labelled: bool, seed: int) -> None:
    bias = np.random.default_rng(seed).normal(size=world.z.shape[1])
    s = world.similarity[:, 0] + bias / 100
    made = classifier_of(world.z[0], bias)
    found = classify(made, world.features, world.labels if labelled else None, "cpu")
    answers = world.labels if labelled else s.argmax(1)
    duels = [brute.duel(row, y) for row, y in zip(s, answers, strict=True)]
    assert found.winner.tolist() == [winner for _, _, winner, _ in duels]
    assert found.margin == pytest.approx([true - rival for true, rival, _, _ in duels], abs=1e-6)
    others = np.where(np.eye(s.shape[1], dtype=bool)[answers], -np.inf, s)
    assert found.rival.tolist() == others.argmax(1).tolist()
    assert (found.hit is None) is not labelled
    assert found.hit is None or found.hit.tolist() == (s.argmax(1) == world.labels).tolist()


@given(world=worlds(), seed=st.integers(0, 999))
@checked
def test_logits_are_scale_times_cosine_plus_bias(world: World, seed: int) -> None:
    bias = np.random.default_rng(seed).normal(size=world.z.shape[1])
    found = logits(classifier_of(world.z[0], bias, scale=30.0), world.features, "cpu")
    assert found == pytest.approx(30 * world.similarity[:, 0] + bias, abs=1e-4)


@given(world=worlds(), top=st.integers(1, 8))
@checked
def test_guesses_are_softmax_shares_best_first_and_the_lead_of_the_winner(world: World, top: int) -> None:
    made = classifier_of(world.z[0], scale=10.0)
    s = world.similarity[:, 0]
    for key, row, guess in zip(world.keys, s, guesses(made, world.features, "cpu", top), strict=True):
        shares = brute.softmax(10 * row)
        best = np.sort(row)[::-1]
        assert guess.key == key
        assert len(guess.top) == min(top, len(row))
        assert [share for _, share in guess.top] == pytest.approx(sorted(shares, reverse=True)[:top], abs=1e-5)
        assert all(shares[int(name.removeprefix("class "))] == pytest.approx(share, abs=1e-5) for name, share in guess.top)
        assert guess.margin == pytest.approx(best[0] - best[1], abs=1e-6)
        assert guess.fault == ""


def test_the_guess_is_what_the_classifier_gives_and_equal_classes_come_in_order() -> None:
    x, z = from_similarity([[0.2, 0.5], [0.5, 0.2]])
    made = classifier_of(z[[0, 1, 1]])
    found = guesses(made, features_of(x), "cpu", 3)
    assert [name for name, _ in found[0].top] == ["class 1", "class 2", "class 0"]
    assert [name for name, _ in found[1].top] == ["class 0", "class 1", "class 2"]
    assert found[0].margin == 0.0
    assert [int(guess.top[0][0][-1]) for guess in found] == classify(made, features_of(x), None, "cpu").winner.tolist()


def test_a_bias_moves_shares_and_margins() -> None:
    x, z = from_similarity([[0.5, 0.4]])
    plain, moved = (guesses(classifier_of(z, np.array(bias)), features_of(x), "cpu", 1)[0] for bias in ([0.0, 0.0], [0.0, 20.0]))
    assert (plain.top[0][0], moved.top[0][0]) == ("class 0", "class 1")
    assert (plain.margin, moved.margin) == (pytest.approx(0.1, abs=1e-6), pytest.approx(0.1, abs=1e-6))


# -- labels of the others -----------------------------------------------------------------------------------------------------------


@given(world=worlds(ties=False))
@checked
def test_others_judge_by_the_ensemble_without_the_judged_family(world: World) -> None:
    if len(world.z) < 2:
        return
    said = Evidence(world.features, bank_of(world.z), {}, "cpu", ignore).labels(LabelSource.OTHERS)
    assert said is not None
    for k in range(len(world.z)):
        judge = build(bank_of(np.delete(world.z, k, 0)), np.full(len(world.z) - 1, 1 / (len(world.z) - 1)), Combine.EMBEDDING)
        assert np.array_equal(said[:, k], classify(judge, world.features, None, "cpu").winner)


def test_a_family_that_is_always_wrong_cannot_judge_itself_right_among_others() -> None:
    good, shifted = np.eye(3), np.roll(np.eye(3), 1, 0)
    z = np.stack([good, good, shifted])
    features = features_of(np.eye(3)[[0, 1, 2]], np.arange(3))
    said = Evidence(features, bank_of(z), {}, "cpu", ignore).labels(LabelSource.OTHERS)
    assert said is not None
    assert said[:, 2].tolist() == [0, 1, 2]
    others = boards(features, z, ["accuracy"], said, LabelSource.OTHERS)["accuracy"]
    own = boards(features, z, ["accuracy"], None, LabelSource.SELF)["accuracy"]
    assert (others.value[2], own.value[2]) == (0.0, 1.0)
