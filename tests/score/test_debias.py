"""`balance`: offsets that bring the predicted class mix to the one assumed, and an honest error where there are none; `prior`: one step."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, logsumexp, softmax

from promptlab.errors import ConvergenceError
from promptlab.score import debias
from promptlab.score.classifier import logits
from promptlab.score.debias import balance as balance_to
from promptlab.score.debias import prior
from promptlab.score.evaluate import evaluate
from promptlab.types import Array, Classifier, Features
from score.planted import RULES, checked_briefly, classifier_of, features_of, from_similarity, planted


def mix(classifier: Classifier, features: Features) -> Array:
    """(C,) mean softmax over the images."""
    return np.asarray(softmax(logits(classifier, features, "cpu").astype(float), axis=1).mean(0))


def balance(classifier: Classifier, features: Features) -> Array:
    """Offsets towards a uniform mix."""
    c = len(classifier.classes)
    return balance_to(classifier, features, "cpu", np.full(c, 1 / c))


def balanced(classifier: Classifier, features: Features) -> Classifier:
    return replace(classifier, bias=classifier.bias + balance(classifier, features))


def accuracy(classifier: Classifier, features: Features) -> float:
    found = evaluate(classifier, features, RULES, fixed=None, k=None, seed=0, device="cpu").accuracy
    assert found is not None
    return found


@given(seed=st.integers(0, 10**6), classes=st.integers(2, 12), each=st.integers(5, 20), scale=st.floats(2, 20))
@checked_briefly
def test_the_predicted_mix_is_uniform(seed: int, classes: int, each: int, scale: float) -> None:
    material = planted(seed, classes=classes, each=each, image_noise=2.5, text_noise=(0.5,))
    found = balanced(classifier_of(material.z[0], scale=scale), material.features())
    assert mix(found, material.features()) == pytest.approx(np.full(classes, 1 / classes), abs=2e-6)


@pytest.mark.parametrize("seed", range(3))
def test_planted_offsets_are_recovered_where_classes_are_equally_common(seed: int) -> None:
    # Logits of 20, 24 for the right class, and noise of 2: the classes are alike but for the planted offsets.
    rng = np.random.default_rng(seed)
    classes, each = 8, 250
    labels = np.repeat(np.arange(classes), each)
    cosines = 0.2 + 0.04 * np.eye(classes)[labels] + 0.02 * rng.normal(size=(len(labels), classes))
    x, z = from_similarity(cosines)
    offset = rng.normal(size=classes).astype(np.float32)
    found = balance(classifier_of(z, offset, scale=100.0), features_of(x))
    off = found + offset - (found + offset).mean()
    assert np.sqrt((off**2).mean()) <= 0.1


@pytest.mark.parametrize("seed", range(3))
def test_an_offset_put_in_comes_out_again(seed: int) -> None:
    material = planted(seed, classes=8, each=30, image_noise=2.5, text_noise=(0.5,))
    offset = np.random.default_rng(seed).normal(size=8) * 2
    plain = classifier_of(material.z[0], scale=20.0)
    without, with_it = (balance(replace(plain, bias=b.astype(np.float32)), material.features()) for b in (0 * offset, offset))
    change = with_it - without + offset
    assert change - change.mean() == pytest.approx(0, abs=1e-3)


def test_a_classifier_that_favours_a_class_gets_better() -> None:
    material = planted(0, classes=8, each=40, image_noise=2.0, text_noise=(0.3,))
    spoilt = classifier_of(material.z[0], np.r_[20.0, np.zeros(7)], scale=50.0)
    assert accuracy(balanced(spoilt, material.features()), material.features()) > accuracy(spoilt, material.features()) + 0.1


def test_where_few_classes_occur_it_destroys_accuracy_as_it_says() -> None:
    material = planted(0, classes=8, each=40, image_noise=1.5, text_noise=(0.3,))
    few = material.features(material.labels < 2)
    plain = classifier_of(material.z[0], scale=50.0)
    assert accuracy(plain, few) > 0.9
    assert accuracy(balanced(plain, few), few) < 0.6


@pytest.mark.parametrize("lead", [0.1, 0.15, 0.2, 0.25])
def test_a_sure_classifier_on_equally_common_classes_is_balanced(lead: float) -> None:
    # Nearly every image is certain, so the mix hardly answers to an offset; yet the assumption holds exactly.
    labels = np.repeat(np.arange(10), 10)
    x, z = from_similarity(lead * np.eye(10)[labels] + 0.02 * np.random.default_rng(0).normal(size=(100, 10)))
    features, plain = features_of(x), classifier_of(z, scale=100.0)
    assert mix(balanced(plain, features), features) == pytest.approx(np.full(10, 0.1), abs=2e-6)


def test_a_uniform_mix_needs_no_offset() -> None:
    x, z = from_similarity(0.5 * np.eye(4))
    assert balance(classifier_of(z), features_of(x)).tolist() == [0.0] * 4


def test_offsets_are_single_precision_and_sum_to_nothing() -> None:
    material = planted(1, image_noise=2.0)
    found = balance(classifier_of(material.z[0], scale=20.0), material.features())
    assert found.dtype == np.float32
    assert abs(found.mean()) < 1e-5


def test_a_mix_far_away_is_reached() -> None:
    # 501 images are sure of one class and 500 of the other: the offset must grow to 95 logits, in plain steps of 0.002.
    x, z = from_similarity(np.repeat([[1.0, 0.0], [0.0, 1.0]], [501, 500], 0))
    features, plain = features_of(x), classifier_of(z, scale=100.0)
    found = replace(plain, bias=balance(plain, features))
    assert mix(found, features) == pytest.approx([0.5, 0.5], abs=1e-4)  # the offsets are kept in f4


def test_the_error_names_the_steps_that_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debias, "MOST_STEPS", 2)
    monkeypatch.setattr(debias, "MOST_NEWTON_STEPS", 1)
    material = planted(0, image_noise=2.0)
    with pytest.raises(ConvergenceError, match=r"in 3 steps \(still off by \d\.\de-0\d\)") as error:
        balance(classifier_of(material.z[0], scale=20.0), material.features())
    assert "--debias" in error.value.hint


@pytest.mark.parametrize("scale", [700.0, 2000.0])
@pytest.mark.parametrize("counts", [[3, 1], [1, 0]])
def test_scales_beyond_those_of_clip_end_in_a_value_or_an_honest_error(scale: float, counts: list[int]) -> None:
    x, z = from_similarity(np.repeat([[1.0, 0.0], [0.0, 1.0]], counts, 0))
    features, plain = features_of(x), classifier_of(z, scale=scale)
    try:
        found = replace(plain, bias=balance(plain, features))
    except ConvergenceError as error:
        assert "off by nan" not in error.message  # noqa: PT017
        assert "off by inf" not in error.message  # noqa: PT017
    else:
        assert mix(found, features) == pytest.approx([0.5, 0.5], abs=1e-4)


# -- a mix that is given ------------------------------------------------------------------------------------------------------------


def plain_logits(classifier: Classifier, features: Features) -> Array:
    """(N, C) scale * x @ weight.T + bias in f8."""
    x = np.asarray(features.x[:], float)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(classifier.scale * x @ classifier.weight.astype(float).T + classifier.bias)


@given(seed=st.integers(0, 10**6), classes=st.integers(2, 10), scale=st.floats(2, 20), skew=st.floats(0.3, 20))
@checked_briefly
def test_prior_is_the_log_of_the_mix_over_the_mean_prediction(seed: int, classes: int, scale: float, skew: float) -> None:
    material = planted(seed, classes=classes, image_noise=2.5, text_noise=(0.5,))
    wanted = np.random.default_rng(seed).dirichlet(np.full(classes, skew)) * 0.9 + 0.1 / classes
    plain, features = classifier_of(material.z[0], scale=scale), material.features()
    l = plain_logits(plain, features)  # noqa: E741
    step = np.log(wanted) - logsumexp(log_softmax(l, axis=1), axis=0, b=1 / len(l))
    assert prior(plain, features, "cpu", wanted) == pytest.approx(step - step.mean(), abs=1e-4)


@given(seed=st.integers(0, 10**6), classes=st.integers(2, 10), scale=st.sampled_from([2.0, 20.0, 100.0]), skew=st.floats(0.3, 20))
@checked_briefly
def test_a_given_mix_is_reached_and_is_the_bottom_of_its_convex_function(seed: int, classes: int, scale: float, skew: float) -> None:
    material = planted(seed, classes=classes, image_noise=2.5, text_noise=(0.5,))
    rng = np.random.default_rng(seed)
    wanted = rng.dirichlet(np.full(classes, skew)) * 0.9 + 0.1 / classes
    plain, features = classifier_of(material.z[0], rng.normal(size=classes), scale=scale), material.features()
    b, l = balance_to(plain, features, "cpu", wanted).astype(float), plain_logits(plain, features)  # noqa: E741
    assert softmax(l + b, axis=1).mean(0) == pytest.approx(wanted, abs=2e-5 if scale == 100 else 3e-6)  # 1e-6, and rounding of f4 logits
    bottom = logsumexp(l + b, axis=1).mean() - wanted @ b
    for away in rng.normal(size=(20, classes)):
        assert logsumexp(l + b + away, axis=1).mean() - wanted @ (b + away) > bottom


def test_the_real_mix_as_given_mix_spares_the_accuracy_that_a_uniform_one_destroys() -> None:
    material = planted(0, classes=4, each=60, image_noise=2.5, text_noise=(0.3,))
    rows = np.flatnonzero((material.labels == 0) | (np.arange(240) % 12 == 0))  # 60 of class 0, 5 of each other one
    features, plain = material.features(rows), classifier_of(material.z[0], scale=20.0)
    real = np.bincount(material.labels[rows]) / len(rows)
    to_real, to_uniform = (replace(plain, bias=balance_to(plain, features, "cpu", m)) for m in (real, np.full(4, 0.25)))
    assert accuracy(to_real, features) >= accuracy(plain, features)
    assert accuracy(to_uniform, features) < accuracy(to_real, features) - 0.1


def test_one_step_goes_the_way_that_balance_goes_to_its_end() -> None:
    material = planted(3, classes=6, image_noise=2.5, text_noise=(0.5,))
    plain, features, wanted = classifier_of(material.z[0], scale=20.0), material.features(), np.full(6, 1 / 6)
    off = [abs(mix(replace(plain, bias=b), features) - wanted).max() for b in (0 * plain.bias, prior(plain, features, "cpu", wanted))]
    assert off[1] < off[0]
    made = debias.balance(plain, features, "cpu", wanted)
    assert np.corrcoef(made, prior(plain, features, "cpu", wanted))[0, 1] > 0.9
