"""Cases with known answers, worked out by hand: top-k, ensembles, margins, worst classes."""

import numpy as np
import pytest
from hypothesis import given

from promptlab.score.classifier import classify, guesses, logits
from promptlab.score.ensemble import build
from promptlab.score.evaluate import evaluate
from promptlab.score.reducers import over_classes, worst_order
from promptlab.score.weights import cpe
from promptlab.types import Array, Combine, LabelSource, Scoreboard, unit
from score.planted import RULES, World, bank_of, boards, checked, classifier_of, features_of, from_similarity, predicting, worlds

# Vectors are fp32 in the contest: a cosine is right to about 6e-8.
F4 = 1e-6


def shares(rows: Array, labels: list[int], ks: list[int], scale: float = 1.0, batch: int | None = None) -> list[float]:
    """Share of images among the first k, for each k; rows (N, C) of similarities, made shorter than 1 by a common factor."""
    x, z = from_similarity(np.asarray(rows) / 16)
    found = boards(features_of(x), z[None], [f"hit@{k}" for k in ks], np.array(labels), scale=scale, batch=batch)
    return [float(found[f"hit@{k}"].value[0]) for k in ks]


# -- top-k --------------------------------------------------------------------------------------------------------------------------


def test_topk_1_share_of_ranks_up_to_k() -> None:
    rows = [[9, 7, 5, 3, 1], [1, 9, 7, 5, 3], [2, 4, 9, 8, 6], [5, 4, 3, 2, 1]]
    assert shares(rows, [0, 3, 3, 4], [1, 2, 3, 4, 5]) == [0.25, 0.5, 0.75, 0.75, 1.0]


def test_topk_2_the_last_smaller_batch_weighs_by_its_images() -> None:
    rows = [[3, 2, 1], [1, 3, 2], [3, 1, 2], [1, 2, 3]]
    assert shares(rows, [0, 1, 1, 0], [1, 2], batch=3) == [0.5, 0.5]


@pytest.mark.parametrize(
    ("scale", "top"), [(1.0, [0.340021775594278, 0.3388866378400621]), (100.0, [0.8668133321973347, 0.7213991842739687])]
)
def test_topk_3_scale_changes_shares_but_not_ranks(scale: float, top: list[float]) -> None:
    x, z = from_similarity([[0.31, 0.29, 0.27], [0.2, 0.24, 0.23]])
    found = boards(features_of(x), z[None], ["accuracy", "hit@2"], np.array([0, 2]), scale=scale)
    assert [float(found[name].value[0]) for name in ("accuracy", "hit@2")] == [0.5, 1.0]
    said = guesses(classifier_of(z, scale=scale), features_of(x), "cpu", 3)
    assert [guess.top[0][1] for guess in said] == pytest.approx(top, abs=F4)


def test_topk_4_one_of_two_equal_classes_is_never_right() -> None:
    x, z = from_similarity(np.array([[5, 1], [5, 1], [4, 6]]) / 16)
    labels = np.array([0, 1, 2])
    found = boards(features_of(x), z[[0, 0, 1]][None], ["accuracy", "hit@2"], labels)
    assert found["accuracy"].value[0] == pytest.approx(2 / 3, abs=1e-9)
    assert found["hit@2"].value[0] == 1.0
    assert found["accuracy"].per_class[0].tolist() == [1.0, 0.0, 1.0]
    assert found["accuracy"].ties[0] == 2, "ties are reported"


def test_topk_6_the_published_counts_give_the_published_percents() -> None:
    ranks = np.repeat([1, 3, 6], [5593, 8336 - 5593, 10000 - 8336])
    order = {1: [6, 5, 4, 3, 2, 1], 3: [4, 6, 5, 3, 2, 1], 6: [1, 6, 5, 4, 3, 2]}
    x, z = from_similarity(np.array([order[r] for r in ranks]) / 16)
    features = features_of(x)
    sizes = [len(rows) for _, rows in features.batches(32)]
    assert (len(sizes), sizes[-1]) == (313, 16)
    found = boards(features, z[None], ["accuracy", "hit@5"], np.zeros(10000, int), batch=32)
    assert 100 * found["accuracy"].value[0] == pytest.approx(55.93, abs=1e-9)
    assert 100 * found["hit@5"].value[0] == pytest.approx(83.36, abs=1e-9)


# -- ensembles ----------------------------------------------------------------------------------------------------------------------


def test_ensemble_1_texts_are_normalised_before_and_after_the_mean() -> None:
    raw = np.array([[[10.0, 0.0], [0.6, 0.8]], [[0.0, 1.0], [0.8, 0.6]]])  # class, template, width
    made = build(bank_of(unit(raw).swapaxes(0, 1), scale=1.0), np.array([0.5, 0.5]), Combine.EMBEDDING)
    assert made.weight == pytest.approx(np.array([[0.894427191, 0.4472135955], [0.4472135955, 0.894427191]]), abs=F4)
    image = features_of(np.array([[0.8, 0.6]]))
    assert logits(made, image, "cpu")[0] == pytest.approx([0.9838699101, 0.894427191], abs=F4)
    assert classify(made, image, None, "cpu").winner.tolist() == [0]


@pytest.mark.parametrize("weights", [[0.75, 0.25], [3.0, 1.0], [3e6, 1e6]])
def test_ensemble_3_weights_count_up_to_a_common_factor(weights: list[float]) -> None:
    bank = bank_of(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]))
    made = build(bank, np.array(weights), Combine.EMBEDDING)
    assert made.weight == pytest.approx(np.array([[0.948683298051, 0.316227766017]]), abs=F4)


def test_ensemble_3_a_weight_of_zero_leaves_the_template_out() -> None:
    bank = bank_of(np.array([[[0.6, 0.8]], [[0.0, 1.0]]]))
    made = build(bank, np.array([1.0, 0.0]), Combine.EMBEDDING)
    assert np.array_equal(made.weight, build(bank_of(np.array([[[0.6, 0.8]]])), np.array([1.0]), Combine.EMBEDDING).weight)


# -- margins ------------------------------------------------------------------------------------------------------------------------

MARGINS = np.array([[0.3, 0.2, 0.26], [0.25, 0.28, 0.1], [0.22, 0.27, 0.26], [0.1, 0.31, 0.29]])


@pytest.mark.parametrize(
    ("rule", "per_class", "order", "worst"),
    [
        ("cmm", [0.005, 0.01, -0.02], [2, 0, 1], [-0.02, -0.0075, -0.0016666666666666668]),
        ("cmm-class", [0.035, 0.01, -0.02], [2, 1, 0], [-0.02, -0.005, 0.008333333333333333]),
    ],
)
def test_cmm_1_the_two_readings_rank_classes_differently(rule: str, per_class: list[float], order: list[int], worst: list[float]) -> None:
    x, z = from_similarity(MARGINS)
    names = [f"{rule}/worst-{k}" for k in (1, 2, 3)]
    found = boards(features_of(x), z[None], [*names, "accuracy"], np.array([0, 0, 1, 2]))
    board = found[names[0]]
    assert board.per_class[0] == pytest.approx(per_class, abs=F4)
    assert np.argsort(board.per_class[0]).tolist() == order
    assert [found[name].value[0] for name in names] == pytest.approx(worst, abs=F4)
    assert found["accuracy"].per_class[0].tolist() == [0.5, 1.0, 0.0]


def test_cmm_1_margins_image_by_image() -> None:
    x, z = from_similarity(MARGINS)
    outcomes = classify(classifier_of(z), features_of(x), np.array([0, 0, 1, 2]), "cpu")
    assert outcomes.margin == pytest.approx([0.04, -0.03, 0.01, -0.02], abs=F4)


@pytest.mark.parametrize(("source", "labels"), [(LabelSource.ENSEMBLE, [0, 1, 1, 1]), (LabelSource.SELF, None)])
def test_cmm_2_a_class_without_pseudo_labelled_images_is_kept_as_the_worst(source: LabelSource, labels: list[int] | None) -> None:
    x, z = from_similarity(MARGINS)
    board = boards(features_of(x), z[None], ["cmm/worst-1"], None if labels is None else np.array(labels), source)["cmm/worst-1"]
    assert board.per_class[0][:2] == pytest.approx([0.04, 0.02], abs=F4)
    assert board.count[0].tolist() == [1, 3, 0]
    assert board.per_class[0, 2] == 0.0, "no reward for never being predicted"
    assert board.value[0] == 0.0


def test_cmm_2_a_class_that_is_never_predicted_is_listed_first() -> None:
    x, z = from_similarity(MARGINS)
    outcomes = classify(classifier_of(z), features_of(x), None, "cpu")
    assert outcomes.winner.tolist() == [0, 1, 1, 1]
    assert outcomes.margin == pytest.approx([0.04, 0.03, 0.01, 0.02], abs=F4)
    judged = evaluate(classifier_of(z), features_of(x), RULES, fixed=None, k=1, seed=0, device="cpu")
    assert judged.worst.fixed_classes == (2,)


CMM_4 = np.array([[0.1, 0.08, -0.02], [0.05, 0.04, 0.03], [0.02, 0.02, -0.06]])  # families A, B, C


@pytest.mark.parametrize(
    ("reducer", "values", "order"),
    [
        ("mean", [0.05333333333333334, 0.04, -0.006666666666666667], "ABC"),
        ("worst-1", [-0.02, 0.03, -0.06], "BAC"),
        ("worst-2", [0.03, 0.035, -0.02], "BAC"),
    ],
)
def test_cmm_4_worst_k_and_mean_rank_families_differently(reducer: str, values: list[float], order: str) -> None:
    found = over_classes(CMM_4, np.ones((3, 3), int), reducer)
    assert found == pytest.approx(values, abs=1e-12)
    assert "".join("ABC"[k] for k in np.argsort(-found)) == order


def test_cmm_4_weights_rise_with_worst_k_margins() -> None:
    value = over_classes(CMM_4, np.ones((3, 3), int), "worst-1")
    board = Scoreboard("cmm/worst-1", "true", ("A", "B", "C"), value, CMM_4, np.ones((3, 3), int), "margin", False, np.zeros(3, int))
    assert np.argsort(-cpe(board, 100.0).w).tolist() == [1, 0, 2]


@given(world=worlds())
@checked
def test_cmm_5_a_constant_added_to_an_image_leaves_margins_alone(world: World) -> None:
    turn = np.linspace(0, 3, len(world.x))[:, None]
    x = np.hstack([0.6 * unit(world.x.astype(float)), 0.8 * np.cos(turn), 0.8 * np.sin(turn)])  # unit again; the constant is 0.8 cos
    z = np.pad(0.6 * world.z, [(0, 0), (0, 0), (0, 2)])
    added = z.copy()
    added[..., -2] = 1
    plain, shifted = (boards(features_of(x), rows, ["cmm", "cmm-class"], world.labels) for rows in (z, added))
    for rule in plain:
        assert shifted[rule].per_class == pytest.approx(plain[rule].per_class, abs=F4, nan_ok=True)


@given(world=worlds())
@checked
def test_cmm_5_margins_scale_with_similarities(world: World) -> None:
    plain, doubled = (boards(world.features, s * world.z, ["cmm", "cmm-class"], world.labels) for s in (1.0, 4.0))
    for rule in plain:
        assert doubled[rule].per_class == pytest.approx(4 * plain[rule].per_class, abs=4 * F4, nan_ok=True)


@given(world=worlds())
@checked
def test_cmm_5_the_image_rival_reading_is_never_above_the_class_rival_reading(world: World) -> None:
    found = boards(world.features, world.z, ["cmm", "cmm-class"], world.labels)
    known = found["cmm"].count > 0
    assert (found["cmm"].per_class <= found["cmm-class"].per_class + F4)[known].all()
    alone = found["cmm"].count == 1
    assert found["cmm"].per_class[alone] == pytest.approx(found["cmm-class"].per_class[alone], abs=F4)


@given(world=worlds())
@checked
def test_cmm_5_all_margins_above_zero_is_the_same_as_accuracy_one_without_ties(world: World) -> None:
    for rows in world.z:
        outcomes = classify(classifier_of(rows), world.features, world.labels, "cpu")
        assert outcomes.hit is not None
        assert np.array_equal(outcomes.margin > 0, outcomes.hit & (outcomes.margin != 0))


def test_cmm_5_a_margin_above_zero_does_not_mean_that_most_images_are_right() -> None:
    x, z = from_similarity([[0.9, 0.1], [0.3, 0.32], [0.3, 0.32]])
    found = boards(features_of(x), z[None], ["cmm", "accuracy"], np.zeros(3, int))
    assert found["cmm"].per_class[0, 0] > 0
    assert found["accuracy"].per_class[0, 0] < 0.5


# -- worst classes ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "expected"), [(1, 0.0), (2, 0.125), (3, 0.25), (4, 0.375), (5, 0.5), (10, 0.5)])
def test_worstk_1_mean_of_the_k_lowest_and_all_of_them_above_c(k: int, expected: float) -> None:
    found = over_classes(np.array([[1.0, 0.5, 0.0, 0.75, 0.25]]), np.full((1, 5), 4), f"worst-{k}")
    assert found[0] == pytest.approx(expected, abs=1e-9)


def test_worstk_2_worst_c_is_the_mean_over_classes_and_not_overall() -> None:
    true, said = [0, 0, 0, 0, 1, 2, 2, 2, 2, 2], [0, 0, 0, 1, 2, 2, 2, 2, 0, 2]
    features, classifier = predicting(np.array(said), 3)
    names = ["accuracy/overall", "accuracy/mean", "accuracy/worst-1", "accuracy/worst-2", "accuracy/worst-3"]
    found = boards(features, classifier.weight[None], names, np.array(true))
    assert found[names[0]].per_class[0] == pytest.approx([0.75, 0.0, 0.8], abs=1e-12)
    values = [found[name].value[0] for name in names]
    assert values == pytest.approx([0.7, 0.5166666666666667, 0.0, 0.375, 0.5166666666666667], abs=1e-12)
    assert worst_order(found[names[0]].per_class[0], np.zeros(3))[:2].tolist() == [1, 0]


def test_worstk_3_a_class_without_images_is_left_out_and_not_zero() -> None:
    features, classifier = predicting(np.array([0, 1, 2]), 4)
    found = boards(features, classifier.weight[None], ["accuracy/worst-1", "accuracy/worst-2"], np.array([0, 0, 2]))
    board = found["accuracy/worst-1"]
    assert board.per_class[0] == pytest.approx([0.5, np.nan, 1.0, np.nan], abs=1e-9, nan_ok=True)
    assert [float(b.value[0]) for b in found.values()] == pytest.approx([0.5, 0.75], abs=1e-9)
    assert np.flatnonzero(board.count[0] == 0).tolist() == [1, 3]


def test_worstk_4_arithmetic_mean() -> None:
    assert over_classes(np.array([[0.25, 0.5, 1.0]]), np.full((1, 3), 4), "mean")[0] == pytest.approx(0.5833333333333334, abs=1e-12)


# -- cosines ------------------------------------------------------------------------------------------------------------------------


def test_cosine_1_rows_that_are_not_quite_unit_give_a_dot_product_and_not_a_cosine() -> None:
    u, v = np.array([0.6, 0.8]), np.array([[0.707, 0.707], [-0.707, 0.707]])
    assert v @ u == pytest.approx([0.9898, 0.1414], abs=1e-9)
    assert unit(v) @ u == pytest.approx([0.9899494937, 0.1414213562], abs=1e-9)
    image = features_of(u[None])
    scores = logits(classifier_of(unit(v), scale=1.0), image, "cpu")
    assert scores[0] == pytest.approx([0.9899494937, 0.1414213562], abs=F4)
