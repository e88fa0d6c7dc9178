"""The main loop on planted sets: what is chosen, on which half, what is kept, and what refuses to meet."""

from dataclasses import astuple, replace

import numpy as np
import pytest
from score.planted import RULES, Planted, bank_of, choice_of, features_of, from_similarity, material_of, planted

from promptlab.errors import MismatchError, UsageError
from promptlab.events import Cancelled, Event, Finished, Progressed, Started, ignore
from promptlab.loops.run import Choice, Outcome, beats, run
from promptlab.score.ensemble import build, uniform
from promptlab.score.evaluate import compare, evaluate
from promptlab.score.evidence import Evidence
from promptlab.types import Array, Combine, Features, LabelSource, Material, TextBank, unit


def went(material: Material, choice: Choice | None = None) -> Outcome:
    return run(material, choice or choice_of(), RULES, ignore)


def in_halves(found: Planted, z: Array | None = None, labelled: bool = True, encoder: str = "", bank_encoder: str = "") -> Material:
    """Every other image to tune, the rest to eval."""
    rows = np.arange(len(found.x))
    tune, judged = (found.features(rows[start::2], split, encoder, labelled) for start, split in ((0, "tune"), (1, "eval")))
    return material_of(tune, judged, bank_of(found.z if z is None else z, encoder=bank_encoder))


@pytest.fixture(scope="module")
def helped() -> Material:
    """One good family among three that say little: weights can gain much."""
    return in_halves(planted(0, classes=10, each=40, image_noise=1.5, text_noise=(0.3, 6.0, 6.0, 6.0)))


@pytest.fixture(scope="module")
def misled() -> Material:
    """Two vague families that are right and a clear one that names every class's neighbour: confidence points the wrong way."""
    found = planted(0, classes=10, each=40, image_noise=0.5, text_noise=(0.8, 0.8, 0.0))
    z = found.z.copy()
    z[2] = np.roll(z[2], 1, 0)
    return in_halves(found, z)


# -- keeping ------------------------------------------------------------------------------------------------------------------------


def test_a_candidate_that_beats_the_baseline_on_tune_is_kept(helped: Material) -> None:
    found = went(helped, choice_of(labels=LabelSource.TRUE))
    assert found.kept
    assert found.result is found.tried
    assert found.weights.w[0] > 0.9
    assert found.result.evaluation.accuracy > found.baseline.evaluation.accuracy + 0.1
    assert found.difference.interval.low > 0


def test_a_candidate_that_does_not_beat_the_baseline_on_tune_is_told_but_not_kept(misled: Material) -> None:
    found = went(misled, choice_of(labels=LabelSource.SELF, tau=0.3))
    assert found.weights.w[2] > 0.9
    assert not found.kept
    assert not found.same
    assert found.result is found.baseline
    assert found.tried.evaluation.accuracy < found.baseline.evaluation.accuracy
    assert (found.difference.accuracy, found.difference.changed, found.difference.mcnemar_p) == (0.0, 0.0, 1.0)


def test_keeping_is_decided_on_tune_and_not_on_eval(helped: Material) -> None:
    spoilt = replace(helped.judged, labels=np.roll(helped.judged.labels, len(helped.judged) // 2))
    assert went(material_of(helped.tune, spoilt, helped.bank), choice_of(labels=LabelSource.TRUE)).kept


def test_what_is_no_better_is_not_better(helped: Material) -> None:
    judged = evaluate(uniform(helped.bank), helped.tune, RULES, fixed=None, k=None, seed=0, device="cpu")
    assert not beats(judged, judged)


def test_uniform_weights_are_the_baseline_to_the_bit_and_kept(helped: Material) -> None:
    found = went(helped, choice_of(weights="uniform"))
    assert found.same
    assert found.kept
    assert np.array_equal(found.result.classifier.weight, found.baseline.classifier.weight)
    assert found.difference.changed == 0.0


def test_one_family_leaves_nothing_to_weigh(helped: Material) -> None:
    found = went(material_of(helped.tune, helped.judged, bank_of(helped.bank.z[:1])))
    assert found.same
    assert found.weights.w.tolist() == [1.0]


def test_balance_is_no_baseline_even_with_uniform_weights(helped: Material) -> None:
    found = went(helped, choice_of(weights="uniform", debias="balance"))
    assert not found.same
    assert found.tried.classifier.bias.any()
    assert not found.baseline.classifier.bias.any()
    assert found.tried.name == "uniform + balance"


def test_logit_combine_is_not_renormalised_and_named(helped: Material) -> None:
    found = went(helped, choice_of(combine=Combine.LOGIT))
    assert found.tried.name == "cpe logit"
    assert (np.linalg.norm(found.tried.classifier.weight, axis=1) <= 1 + 1e-6).all()
    assert np.linalg.norm(found.baseline.classifier.weight, axis=1) == pytest.approx(1, abs=1e-6)


# -- halves -------------------------------------------------------------------------------------------------------------------------


def torn() -> Material:
    """On tune the images of class 0 look like class 3, on eval those of class 1 do."""
    labels = np.repeat(np.arange(6), 6)
    prototypes, parts = np.eye(6), []
    for lost, split in ((0, "tune"), (1, "eval")):
        seen = np.where(labels == lost, 3, labels)
        x = unit(prototypes[seen] + 0.05 * np.random.default_rng(lost).normal(size=(36, 6)))
        parts.append(features_of(x, labels, split=split))
    return material_of(*parts, bank_of(np.stack([prototypes, unit(prototypes + 0.1)])))


def test_the_fixed_worst_classes_are_the_baselines_on_tune_followed_by_all_on_eval() -> None:
    material = torn()
    found = went(material, choice_of(k=1))
    on_tune = evaluate(uniform(material.bank), material.tune, RULES, fixed=None, k=1, seed=0, device="cpu")
    assert on_tune.worst.fixed_classes == (0,)
    for row in (found.baseline, found.tried, found.result):
        assert row.evaluation.worst.fixed_classes == (0,)
        assert row.evaluation.worst.fixed == 1.0, "the class that failed on tune does well on eval"
        assert row.evaluation.worst.repicked == 0.0, "and another one fails there"


def test_everything_told_is_of_the_eval_half(helped: Material) -> None:
    found = went(helped, choice_of(labels=LabelSource.TRUE))
    for row in (found.baseline, found.tried):
        again = evaluate(row.classifier, helped.judged, RULES, fixed=row.evaluation.worst.fixed_classes, k=None, seed=0, device="cpu")
        assert (row.evaluation.split, row.evaluation.n) == ("eval", len(helped.judged))
        assert (again.accuracy, again.interval) == (row.evaluation.accuracy, row.evaluation.interval)
        assert astuple(again.worst) == astuple(row.evaluation.worst)
    expected = compare(found.baseline.evaluation, found.result.evaluation, 0)
    assert found.difference == expected


def test_eval_changes_nothing_that_is_chosen(helped: Material) -> None:
    other = planted(7, classes=10, each=40, width=32, image_noise=3.0).features(split="eval")
    first, second = went(helped), went(material_of(helped.tune, other, helped.bank))
    assert np.array_equal(first.weights.w, second.weights.w)
    assert np.array_equal(first.tried.classifier.weight, second.tried.classifier.weight)
    assert first.kept == second.kept
    assert first.baseline.evaluation.worst.fixed_classes == second.baseline.evaluation.worst.fixed_classes


def test_the_same_images_for_both_are_in_sample_and_halves_are_not(helped: Material) -> None:
    whole = material_of(helped.tune, helped.tune, helped.bank)
    assert whole.in_sample
    assert not helped.in_sample
    assert went(whole).baseline.evaluation.n == len(helped.tune)


def test_the_same_seed_gives_the_same_outcome(helped: Material) -> None:
    first, again = went(helped), went(helped)
    assert first.difference == again.difference
    assert first.baseline.evaluation.interval == again.baseline.evaluation.interval
    assert first.baseline.evaluation.interval != went(helped, replace(choice_of(), seed=5)).baseline.evaluation.interval


# -- labels -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [LabelSource.ENSEMBLE, LabelSource.OTHERS, LabelSource.SELF])
def test_without_labels_the_loop_runs_and_tells_no_accuracy(source: LabelSource) -> None:
    material = in_halves(planted(0, text_noise=(0.3, 1.0, 2.0)), labelled=False)
    found = went(material, choice_of(labels=source))
    assert found.accuracy is None
    for row in (found.baseline, found.tried):
        assert (row.evaluation.accuracy, row.evaluation.interval, row.evaluation.worst.fixed) == (None, None, None)
        assert np.isfinite(row.evaluation.cmm_top)
    assert (found.difference.accuracy, found.difference.mcnemar_p) == (None, None)
    assert 0 <= found.difference.changed <= 1


def test_without_labels_keeping_goes_by_cmm_top() -> None:
    material = in_halves(planted(0, text_noise=(0.3, 3.0, 3.0)), labelled=False)
    found = went(material)
    judge = [
        evaluate(row.classifier, material.tune, RULES, fixed=None, k=None, seed=0, device="cpu") for row in (found.tried, found.baseline)
    ]
    assert found.kept is (judge[0].cmm_top > judge[1].cmm_top)
    assert found.kept, "the better family got the weight"


def test_labels_of_tune_alone_are_enough_to_choose() -> None:
    material = in_halves(planted(0, text_noise=(0.3, 3.0, 3.0)))
    found = went(material_of(material.tune, replace(material.judged, labels=None), material.bank))
    assert found.accuracy is not None
    assert found.result.evaluation.accuracy is None
    assert found.difference.accuracy is None


def test_true_labels_without_any_are_refused() -> None:
    material = in_halves(planted(0), labelled=False)
    with pytest.raises(UsageError, match="no labels"):
        went(material, choice_of(labels=LabelSource.TRUE))


def test_labels_of_the_ensemble_do_not_look_at_true_ones(helped: Material) -> None:
    blind = [replace(part, labels=None) for part in (helped.tune, helped.judged)]
    assert np.array_equal(went(helped).weights.w, went(material_of(*blind, helped.bank)).weights.w)


def test_the_board_says_which_labels_and_which_k_it_used(helped: Material) -> None:
    found = went(helped, choice_of(labels=LabelSource.OTHERS, k=3))
    assert (found.board.labels, found.board.rule) == ("others", "cmm/worst-3")
    assert found.accuracy.labels == "true"


def test_k_above_the_number_of_classes_is_all_of_them(helped: Material) -> None:
    found = went(helped, choice_of(k=500))
    assert found.board.value == pytest.approx(found.board.per_class.mean(1))
    assert found.result.evaluation.worst.fixed == pytest.approx(found.result.evaluation.mean)


# -- encoders -----------------------------------------------------------------------------------------------------------------------


def of_encoders(tune: str, judged: str, bank: str, single: str | None = None) -> Material:
    """A material whose parts say that they come from these encoders."""
    found = planted(0, classes=4, each=6)
    parts = [found.features(split=split, encoder=name) for split, name in (("tune", tune), ("eval", judged))]
    one = None if single is None else bank_of(found.z[:1], encoder=single)
    return material_of(*parts, bank_of(found.z, encoder=bank), one)


@pytest.mark.parametrize(
    ("tune", "judged", "bank", "single"),
    [("a", "a", "b", None), ("a", "b", "a", None), ("b", "a", "a", None), ("", "b", "a", None), ("a", "a", "a", "b"), ("a", "b", "", None)],
)
def test_vectors_of_different_encoders_refuse_to_meet(tune: str, judged: str, bank: str, single: str | None) -> None:
    with pytest.raises(MismatchError, match="different encoders"):
        went(of_encoders(tune, judged, bank, single))


@pytest.mark.parametrize(
    ("tune", "judged", "bank", "single"), [("a", "a", "a", "a"), ("", "", "a", None), ("a", "a", "", ""), ("", "", "", None)]
)
def test_vectors_of_one_encoder_or_of_an_unknown_one_meet(tune: str, judged: str, bank: str, single: str | None) -> None:
    assert went(of_encoders(tune, judged, bank, single)).baseline.evaluation.n == 24


@pytest.mark.parametrize("wide", ["tune", "judged", "bank"])
def test_vectors_of_different_widths_refuse_to_meet(wide: str) -> None:
    found = planted(0, classes=4, each=6)
    wider = np.pad(found.x, [(0, 0), (0, 1)])
    parts: dict[str, Features] = {
        name: features_of(wider if name == wide else found.x, found.labels, split=name) for name in ("tune", "judged")
    }
    z = np.pad(found.z, [(0, 0), (0, 0), (0, 1)]) if wide == "bank" else found.z
    with pytest.raises(MismatchError, match="width"):
        went(material_of(parts["tune"], parts["judged"], bank_of(z)))


# -- one template -------------------------------------------------------------------------------------------------------------------


def with_families(*names: str, single: TextBank | None = None) -> tuple[Material, Outcome]:
    found = planted(0, text_noise=tuple(0.3 + 0.2 * i for i in range(len(names))))
    material = in_halves(found)
    material = material_of(material.tune, material.judged, bank_of(found.z, names), single)
    return material, went(material)


@pytest.mark.parametrize("name", ["a_photo_of_a_X", "a photo of a {}.", "A photo of a {{ name }}.", "a photo of a {classname}"])
def test_the_family_a_photo_of_a_stands_beside_as_one_template(name: str) -> None:
    material, found = with_families("a drawing of a {}.", name, "{}")
    assert found.single is not None
    assert found.single.name == "one template"
    expected = build(material.bank, np.array([0.0, 1.0, 0.0]), Combine.EMBEDDING).weight
    assert np.array_equal(found.single.classifier.weight, expected)
    assert found.single.evaluation.worst.fixed_classes == found.baseline.evaluation.worst.fixed_classes


def test_the_plain_template_is_found_among_those_that_add_a_word() -> None:
    material, found = with_families("a photo of a small {}.", "a photo of a {}.", "a photo of a large {}.")
    assert found.single is not None
    assert np.array_equal(found.single.classifier.weight, build(material.bank, np.array([0.0, 1.0, 0.0]), Combine.EMBEDDING).weight)


def test_without_such_a_family_there_is_no_one_template_row() -> None:
    assert with_families("a drawing of a {}.", "{}")[1].single is None
    assert with_families("a photo of a small {}.", "{}")[1].single is None, "a word more is another template"


def test_a_template_that_was_encoded_for_it_goes_first() -> None:
    other = bank_of(planted(1, text_noise=(0.0,)).z, ["a photo of a {}."])
    _, found = with_families("a photo of a {}.", "{}", single=other)
    assert found.single is not None
    assert found.single.classifier.weight == pytest.approx(other.z[0], abs=1e-6)


# -- health and events --------------------------------------------------------------------------------------------------------------


def fired(outcome: Outcome) -> set[str]:
    return {check.name for check in outcome.health}


def test_health_checks_of_the_parts_are_gathered(helped: Material, misled: Material) -> None:
    assert "weights-collapsed" in fired(went(helped, choice_of(labels=LabelSource.TRUE)))
    assert {"labels-self", "weights-against-accuracy"} <= fired(went(misled, choice_of(labels=LabelSource.SELF)))
    assert "debias-assumes-mix" in fired(went(helped, choice_of(debias="balance")))


def test_classes_of_a_few_clear_and_many_near_wins_make_margins_doubtful() -> None:
    margins = np.array([[0.8, -0.02, -0.02, -0.02], [0.05, 0.05, 0.05, -0.02], [0.01, 0.01, 0.01, 0.01]])
    labels = np.repeat([0, 1, 2], 4)
    similarity = np.zeros((12, 3))
    similarity[np.arange(12), labels] = 0.1 + margins.ravel()
    similarity[np.arange(12), (labels + 1) % 3] = 0.1
    x, z = from_similarity(similarity)
    parts = [features_of(x, labels, split=split) for split in ("tune", "eval")]
    assert fired(went(material_of(*parts, bank_of(z[None])))) == {"margin-uncorrelated"}


def test_a_sound_set_is_in_good_health() -> None:
    material = in_halves(planted(3, classes=10, each=40, image_noise=2.0, text_noise=(0.5, 0.9, 1.3)))
    assert fired(went(material, choice_of(labels=LabelSource.TRUE, tau=20.0))) == set()


def test_ties_are_told_when_two_classes_have_equal_texts() -> None:
    found = planted(0)
    found.z[:, 1] = found.z[:, 0]
    assert "ties" in fired(went(in_halves(found)))


def test_work_that_starts_also_finishes(helped: Material) -> None:
    heard: list[Event] = []
    run(helped, choice_of(), RULES, heard.append)
    started = [event.work for event in heard if isinstance(event, Started)]
    assert started == [event.work for event in heard if isinstance(event, Finished)]
    assert {"score", "build", "evaluate"} <= set(started)
    assert [event.done for event in heard if isinstance(event, Progressed)][-1] == len(helped.tune)


def test_a_listener_can_stop_the_work(helped: Material) -> None:
    def brake(event: Event) -> None:
        if isinstance(event, Progressed):
            raise Cancelled

    with pytest.raises(Cancelled):
        run(helped, choice_of(), RULES, brake)


# -- scoring families ---------------------------------------------------------------------------------------------------------------


def test_families_are_scored_on_what_the_source_says() -> None:
    x, z = from_similarity([[0.5, 0.4, 0.1], [0.3, 0.5, 0.1], [0.2, 0.5, 0.4]])
    bank = bank_of(np.stack([z, z[[1, 0, 2]]]))
    features = features_of(x, np.array([0, 1, 2]))
    found = {source: Evidence(features, bank, RULES, "cpu", ignore).board("accuracy", source) for source in LabelSource}
    assert found[LabelSource.TRUE].value == pytest.approx([2 / 3, 0.0])
    assert found[LabelSource.SELF].value.tolist() == [1.0, 1.0]
    assert found[LabelSource.OTHERS].value.tolist() == [0.0, 0.0], "each says the other's classes"
    assert {source: board.labels for source, board in found.items()} == {source: source.value for source in LabelSource}
