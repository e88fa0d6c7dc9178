"""Honest evaluation: halves, intervals that cover, two worst sets, paired differences."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from promptlab.errors import DataError
from promptlab.score.evaluate import compare, evaluate, worst_sizes
from promptlab.score.halves import halves
from promptlab.score.intervals import clopper_pearson, difference_interval, mcnemar, share_interval
from promptlab.score.reducers import worst_order
from promptlab.types import Array, Classifier, Evaluation, Features, Interval
from score.planted import RULES, checked, checked_briefly, classifier_of, features_of, from_similarity, planted, predicting

# -- halves -------------------------------------------------------------------------------------------------------------------------


def clear(interval: Interval | None) -> bool:
    return interval is not None and interval.clear


@given(labels=st.lists(st.integers(0, 4), min_size=2, max_size=40), seed=st.integers(0, 99))
@checked
def test_every_class_is_halved_and_its_odd_image_goes_to_eval(labels: list[int], seed: int) -> None:
    y = np.array(labels + labels[:1])  # at least one pair
    tune, judged = halves(y, len(y), seed)
    assert sorted([*tune, *judged]) == list(range(len(y)))
    assert (np.diff(tune) > 0).all()
    assert (np.diff(judged) > 0).all()
    for c in set(labels):
        n = int((y == c).sum())
        assert ((y[tune] == c).sum(), (y[judged] == c).sum()) == (n // 2, n - n // 2)


@pytest.mark.parametrize(("n", "sizes"), [(2, (1, 1)), (7, (3, 4)), (100, (50, 50))])
def test_without_labels_the_whole_is_halved(n: int, sizes: tuple[int, int]) -> None:
    tune, judged = halves(None, n, 0)
    assert (len(tune), len(judged)) == sizes
    assert sorted([*tune, *judged]) == list(range(n))


@pytest.mark.parametrize("labels", [None, np.repeat(np.arange(5), 20)])
def test_halves_are_the_same_for_the_same_seed_and_others_for_another(labels: Array | None) -> None:
    first, again, other = (halves(labels, 100, seed)[0] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_image_is_as_likely_in_tune_as_any_other() -> None:
    seen = np.zeros(20)
    for seed in range(400):
        seen[halves(np.repeat([0, 1], 10), 20, seed)[0]] += 1
    assert abs(seen / 400 - 0.5).max() < 0.12


@pytest.mark.parametrize(("labels", "n"), [(np.arange(5), 5), (None, 1)])
def test_halves_without_anything_to_tune_on_are_refused(labels: Array | None, n: int) -> None:
    with pytest.raises(DataError, match="nothing to tune on"):
        halves(labels, n, 0)


# -- intervals of one share ---------------------------------------------------------------------------------------------------------


def ends(interval: Interval | None) -> list[float]:
    assert interval is not None
    return [interval.low, interval.high]


@given(n=st.integers(1, 500), share=st.floats(0, 1))
@checked
def test_clopper_pearson_equals_scipy(n: int, share: float) -> None:
    hits = round(n * share)
    expected = binomtest(hits, n).proportion_ci(method="exact")
    assert ends(clopper_pearson(hits, n)) == pytest.approx([expected.low, expected.high], abs=1e-9)


def test_none_of_a_hundred_is_nought_to_three_point_six_percent() -> None:
    assert ends(clopper_pearson(0, 100)) == pytest.approx([0.0, 0.0362], abs=1e-4)
    assert ends(clopper_pearson(100, 100)) == pytest.approx([0.9638, 1.0], abs=1e-4)


def resampled(statistic: Callable[[list[Array]], float], groups: list[Array], seed: int) -> list[float]:
    """Percentile 95 % of a statistic of images drawn with replacement within classes, image by image."""
    rng = np.random.default_rng(seed)
    draws = [statistic([group[rng.integers(0, len(group), len(group))] for group in groups]) for _ in range(4000)]
    return [float(end) for end in np.percentile(draws, [2.5, 97.5])]


HITS, COUNT = np.array([3, 20, 11, 9]), np.array([10, 25, 40, 9])
GAINED, LOST = np.array([4, 1, 9, 0]), np.array([1, 6, 2, 1])


@pytest.mark.parametrize("per_class", [False, True])
def test_the_interval_of_a_share_is_that_of_resampling_images_within_classes(per_class: bool) -> None:
    groups = [np.arange(n) < h for h, n in zip(HITS, COUNT, strict=True)]
    if per_class:
        slow = resampled(lambda parts: float(np.mean([part.mean() for part in parts])), groups, 1)
    else:
        slow = resampled(lambda parts: float(np.concatenate(parts).mean()), groups, 1)
    assert ends(share_interval(HITS, COUNT, 0, per_class)) == pytest.approx(slow, abs=0.015)


@pytest.mark.parametrize(("hits", "count"), [([0, 0], [60, 40]), ([60, 40], [60, 40]), ([0], [1]), ([5], [5])])
@pytest.mark.parametrize("per_class", [False, True])
def test_a_zero_width_interval_is_replaced_by_clopper_pearson_on_pooled_counts(hits: list[int], count: list[int], per_class: bool) -> None:
    assert share_interval(np.array(hits), np.array(count), 0, per_class) == clopper_pearson(sum(hits), sum(count))


@pytest.mark.parametrize(("hits", "count"), [([0, 50], [50, 50]), ([0, 60], [40, 60]), ([0, 99], [1, 99])])
def test_classes_at_nought_beside_classes_at_one_have_an_interval_around_their_mean(hits: list[int], count: list[int]) -> None:
    found = share_interval(np.array(hits), np.array(count), 0, per_class=True)
    pooled = clopper_pearson(50, 100)
    assert found.low < 0.5 < found.high
    assert found.high - found.low >= pooled.high - pooled.low - 1e-9, "no narrower than that of as many images in classes of equal size"


COUNTED = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 12)), min_size=1, max_size=6)


@given(table=COUNTED, per_class=st.booleans())
@example(table=[(0, 1), (99, 99)], per_class=True)
@checked
def test_an_interval_of_a_share_holds_its_own_point(table: list[tuple[int, int]], per_class: bool) -> None:
    count = np.array([n for _, n in table])
    hits = np.minimum([h for h, _ in table], count)
    point = float((hits / count).mean() if per_class else hits.sum() / count.sum())
    low, high = ends(share_interval(hits, count, 0, per_class))
    assert 0 <= low <= point + 1e-12
    assert point - 1e-12 <= high <= 1


def test_intervals_are_the_same_for_the_same_seed() -> None:
    assert share_interval(HITS, COUNT, 5, True) == share_interval(HITS, COUNT, 5, True)
    assert share_interval(HITS, COUNT, 5, True) != share_interval(HITS, COUNT, 6, True)
    assert difference_interval(GAINED, LOST, COUNT, 5, True) == difference_interval(GAINED, LOST, COUNT, 5, True)
    assert difference_interval(GAINED, LOST, COUNT, 5, True) != difference_interval(GAINED, LOST, COUNT, 6, True)


@pytest.mark.parametrize("per_class", [False, True])
def test_intervals_of_shares_cover_the_truth_about_as_often_as_they_say(per_class: bool) -> None:
    rng = np.random.default_rng(0)
    count, p = np.array([30, 40, 30, 50, 50]), np.array([0.5, 0.7, 0.8, 0.6, 0.4])
    truth = p.mean() if per_class else (count * p).sum() / count.sum()
    found = [ends(share_interval(rng.binomial(count, p), count, seed, per_class)) for seed in range(300)]
    covered = np.mean([low <= truth <= high for low, high in found])
    assert 0.91 <= covered <= 0.985


# -- paired differences -------------------------------------------------------------------------------------------------------------


@given(first=st.integers(0, 200), second=st.integers(0, 200))
@checked
def test_mcnemar_equals_the_exact_binomial_test_of_scipy(first: int, second: int) -> None:
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("per_class", [False, True])
def test_the_interval_of_a_difference_is_that_of_resampling_pairs_within_classes(per_class: bool) -> None:
    groups = [np.repeat([1, -1, 0], [g, s, n - g - s]) for g, s, n in zip(GAINED, LOST, COUNT, strict=True)]
    if per_class:
        slow = resampled(lambda parts: float(np.mean([part.mean() for part in parts])), groups, 1)
    else:
        slow = resampled(lambda parts: float(np.concatenate(parts).mean()), groups, 1)
    assert ends(difference_interval(GAINED, LOST, COUNT, 0, per_class)) == pytest.approx(slow, abs=0.015)


@pytest.mark.parametrize("per_class", [False, True])
def test_a_difference_of_nothing_has_a_width(per_class: bool) -> None:
    nothing = np.array([0, 0])
    interval = difference_interval(nothing, nothing, np.array([60, 40]), 0, per_class)
    high = clopper_pearson(0, 100).high
    assert ends(interval) == pytest.approx([-high, high], abs=1e-9)
    assert not clear(interval)


def test_a_gain_on_every_image_is_clear_although_its_bootstrap_has_no_width() -> None:
    interval = difference_interval(np.array([20, 30]), np.array([0, 0]), np.array([20, 30]), 0, False)
    assert interval.low < 1.0 <= interval.high
    assert clear(interval)


@given(table=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=5), per_class=st.booleans())
@example(table=[(1, 0, 0), (0, 0, 99)], per_class=True)
@checked
def test_an_interval_of_a_difference_holds_its_own_point(table: list[tuple[int, int, int]], per_class: bool) -> None:
    gained, lost, rest = (np.array(column) for column in zip(*table, strict=True))
    count = gained + lost + np.maximum(rest, gained + lost == 0)
    change = (gained - lost) / count
    point = float(change.mean() if per_class else (gained - lost).sum() / count.sum())
    low, high = ends(difference_interval(gained, lost, count, 0, per_class))
    assert low <= point + 1e-12
    assert point - 1e-12 <= high


def test_intervals_of_differences_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    count = np.array([30, 40, 30, 50, 50])
    shares = np.array([0.15, 0.10, 0.75])
    covered = []
    for seed in range(300):
        drawn = rng.multinomial(count, shares)
        low, high = ends(difference_interval(drawn[:, 0], drawn[:, 1], count, seed, False))
        covered.append(low <= 0.05 <= high)
    assert 0.91 <= np.mean(covered) <= 0.985


def test_two_equally_good_classifiers_rarely_differ_clearly() -> None:
    rng = np.random.default_rng(1)
    count = np.array([40, 60])
    drawn = [rng.multinomial(count, [0.1, 0.1, 0.8]) for _ in range(300)]
    found = [clear(difference_interval(d[:, 0], d[:, 1], count, i, False)) for i, d in enumerate(drawn)]
    assert np.mean(found) <= 0.09
    assert np.mean([mcnemar(int(d[:, 1].sum()), int(d[:, 0].sum())) <= 0.05 for d in drawn]) <= 0.07


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (None, False),
        (Interval(-0.1, 0.1), False),
        (Interval(0.0, 0.1), False),
        (Interval(-0.1, 0.0), False),
        (Interval(0.01, 0.1), True),
        (Interval(-0.2, -0.1), True),
    ],
)
def test_a_change_is_clear_when_its_interval_lies_on_one_side_of_zero(interval: Interval | None, expected: bool) -> None:
    assert clear(interval) is expected


# -- worst classes ------------------------------------------------------------------------------------------------------------------


def test_worst_classes_have_the_lowest_accuracy_then_margin_then_index() -> None:
    accuracy = np.array([0.5, 0.0, np.nan, 0.5, 0.0, 0.0, 1.0])
    margin = np.array([0.2, -0.1, -9.0, 0.1, -0.3, -0.1, -0.5])
    assert worst_order(accuracy, margin).tolist() == [4, 1, 5, 3, 0, 6]


# -- evaluating ---------------------------------------------------------------------------------------------------------------------


def judge(classifier: Classifier, features: Features, *, fixed: tuple[int, ...] | None = None, k: int | None = None) -> Evaluation:
    return evaluate(classifier, features, RULES, fixed=fixed, k=k, seed=0, device="cpu")


def said(winners: list[int], labels: list[int] | None, classes: int) -> tuple[Classifier, Features]:
    """A classifier and images for which it says `winners`."""
    features, classifier = predicting(np.array(winners), classes)
    return classifier, features_of(features.x, None if labels is None else np.array(labels))


TRUE, SAID = [0, 0, 0, 0, 1, 1, 2, 2, 2, 2], [0, 0, 0, 1, 2, 2, 2, 2, 0, 2]


def test_accuracy_per_class_counts_and_margins_are_those_of_the_images() -> None:
    judged = judge(*said(SAID, TRUE, 4), k=2)
    assert (judged.n, judged.accuracy, judged.split) == (10, 0.6, "all")
    assert judged.per_class == pytest.approx([0.75, 0.0, 0.75, np.nan], nan_ok=True)
    assert judged.margin == pytest.approx([0.5, -1.0, 0.5, np.nan], nan_ok=True)
    assert judged.count.tolist() == [4, 2, 4, 0]
    assert (judged.mean, judged.zeros) == (0.5, 1)
    assert judged.outcomes.winner.tolist() == SAID
    assert judged.interval == share_interval(np.array([3, 0, 3]), np.array([4, 2, 4]), 0, False)


def test_the_repicked_set_is_the_classifiers_own_and_the_fixed_set_is_followed() -> None:
    own = judge(*said(SAID, TRUE, 3), k=2)
    assert own.worst.fixed_classes == (1, 0)
    assert (own.worst.repicked, own.worst.fixed, own.worst.fixed_interval) == (0.375, None, None)
    followed = judge(*said(SAID, TRUE, 3), k=2, fixed=(2, 0))
    assert followed.worst.fixed_classes == (2, 0)
    assert (followed.worst.repicked, followed.worst.fixed) == (0.375, 0.75)
    assert followed.worst.fixed_interval == share_interval(np.array([3, 3]), np.array([4, 4]), 0, True)


def test_absent_classes_are_left_out_of_both_worst_sets() -> None:
    judged = judge(*said([0, 1, 1], [0, 0, 1], 4), k=10, fixed=(3, 2, 0))
    assert judged.worst.fixed == 0.5
    assert judged.worst.repicked == 0.75
    gone = judge(*said([0, 1, 1], [0, 0, 1], 4), k=1, fixed=(3, 2))
    assert (gone.worst.fixed, gone.worst.fixed_interval) == (None, None)


def test_k_above_the_number_of_classes_means_all_of_them() -> None:
    judged = judge(*said(SAID, TRUE, 3), k=50)
    assert judged.worst.repicked == pytest.approx(0.5)
    assert len(judged.worst.fixed_classes) == 3


def test_without_labels_there_is_no_accuracy_and_never_predicted_classes_come_first() -> None:
    x, _ = from_similarity([[0.5, 0.2, 0.4, 0.1], [0.6, 0.2, 0.5, 0.1], [0.1, 0.3, 0.2, 0.1], [0.1, 0.2, 0.15, 0.1]])
    judged = judge(classifier_of(np.eye(4, 5)), features_of(x), k=3)
    assert judged.outcomes.winner.tolist() == [0, 0, 1, 1]
    assert (judged.accuracy, judged.mean, judged.zeros, judged.interval, judged.outcomes.hit) == (None, None, None, None, None)
    assert (judged.worst.repicked, judged.worst.fixed, judged.worst.fixed_interval) == (None, None, None)
    assert judged.margin == pytest.approx([0.1, 0.1, -0.1, -0.4], abs=1e-6), "cmm-top of each class"
    assert set(judged.worst.fixed_classes[:2]) == {2, 3}
    assert judged.worst.fixed_classes[0] == 3, "of the never predicted, the lowest cmm-top"
    assert judged.cmm_top == pytest.approx((-0.4 - 0.1 + 0.1) / 3, abs=1e-6)
    assert judged.count.tolist() == [0, 0, 0, 0]
    assert np.isnan(judged.per_class).all()


def test_a_never_predicted_class_is_worse_than_a_predicted_one_of_lower_cmm_top() -> None:
    x, _ = from_similarity([[0.6, 0.7, 0.1, 0.0], [0.3, 0.1, 0.1, 0.0], [0.1, 0.55, 0.5, 0.1], [0.0, 0.0, 0.0, 0.5]])
    judged = judge(classifier_of(np.eye(4, 5)), features_of(x), k=2)
    assert judged.outcomes.winner.tolist() == [1, 0, 1, 3]
    assert judged.margin[[0, 2]] == pytest.approx([-0.1, -0.05], abs=1e-6)
    assert judged.worst.fixed_classes == (2, 0)


def test_labels_change_nothing_of_cmm_top_and_the_winners() -> None:
    material = planted(0)
    weight = material.z[0]
    with_labels, without = (judge(classifier_of(weight), material.features(labelled=labelled)) for labelled in (True, False))
    assert with_labels.cmm_top == without.cmm_top
    assert np.array_equal(with_labels.outcomes.winner, without.outcomes.winner)


def test_a_bias_counts_in_accuracy_and_margins() -> None:
    x, _ = from_similarity([[0.5, 0.4]])
    features = features_of(x, np.array([1]))
    judged = judge(classifier_of(np.eye(2, 3), np.array([0.0, 30.0])), features, k=1)
    assert judged.accuracy == 1.0
    assert judged.margin[1] == pytest.approx(0.2, abs=1e-6)


# -- worst sets of every size -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "classes", "sizes"),
    [
        (1, 1, [1]),
        (1, 3, [1]),
        (2, 6, [1, 2, 5]),
        (3, 11, [1, 3, 5, 10]),
        (10, 101, [5, 10, 50]),
        (10, 49, [4, 5, 10]),
        (10, 51, [5, 10, 50]),
        (10, 1000, [5, 10, 50, 100]),
        (99, 12, [1, 5, 10, 99]),
    ],
)
def test_sizes_are_5_10_50_and_a_tenth_where_they_fit_and_always_k(k: int, classes: int, sizes: list[int]) -> None:
    assert worst_sizes(k, classes) == sizes


def drawn(rng: np.random.Generator, c: int, n: int) -> tuple[Classifier, Features]:
    """n images of random classes, some absent, each right as often as its class is easy."""
    labels = rng.choice(rng.permutation(c)[: max(1, c - 2)], n)
    easy = rng.choice([0.0, 0.3, 0.5, 0.9, 1.0], c)
    return said(np.where(rng.random(n) < easy[labels], labels, rng.integers(0, c, n)).tolist(), labels.tolist(), c)


@given(seed=st.integers(0, 10**6), c=st.sampled_from([2, 5, 7, 12, 60]), k=st.sampled_from([1, 3, 10, 70]))
@settings(checked_briefly, max_examples=30)
def test_worst_sets_of_every_size_are_those_of_a_plain_loop_and_their_order_is_followed_elsewhere(seed: int, c: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    (classifier, tune), (_, judged) = drawn(rng, c, 3 * c), drawn(rng, c, 4 * c)
    found = judge(classifier, tune, k=k)
    order = sorted(set(tune.labels.tolist()), key=lambda i: (found.per_class[i], found.margin[i], i))
    assert list(found.order) == order
    again = judge(classifier, judged, k=k, fixed=found.order)
    assert again.order == found.order
    for one, features in ((found, tune), (again, judged)):
        hit, labels = one.outcomes.winner == features.labels, features.labels
        shares = {i: float(hit[labels == i].mean()) for i in set(labels.tolist())}
        assert [w.k for w in one.sizes] == worst_sizes(k, len(shares))
        for worst in one.sizes:
            lowest = sorted(shares.values())[: worst.k]
            assert worst.repicked == pytest.approx(sum(lowest) / len(lowest))
            assert worst.fixed_classes == tuple(order[: worst.k])
            followed = [i for i in order[: worst.k] if i in shares]
            if one is found or not followed:
                assert (worst.fixed, worst.fixed_interval) == (None, None)
                continue
            assert worst.fixed == pytest.approx(sum(shares[i] for i in followed) / len(followed))
            assert worst.fixed >= worst.repicked - 1e-12 or len(followed) < worst.k
            hits, count = (np.array([(features_hit & (labels == i)).sum() for i in followed]) for features_hit in (hit, labels >= 0))
            assert worst.fixed_interval == share_interval(hits, count, 0, True)
        mine = next(w for w in one.sizes if w.k == k)
        assert (one.worst.repicked, one.worst.fixed, one.worst.fixed_interval) == (mine.repicked, mine.fixed, mine.fixed_interval)


@given(seed=st.integers(0, 10**6), c=st.sampled_from([3, 12, 60]))
@checked_briefly
def test_differences_of_every_size_are_those_of_the_fixed_sets_with_paired_intervals(seed: int, c: int) -> None:
    rng = np.random.default_rng(seed)
    (classifier, features), (_, other) = drawn(rng, c, 4 * c), drawn(rng, c, 4 * c)
    order = tuple(rng.permutation(c).tolist())
    first = judge(classifier, features, fixed=order)
    turned = features_of(other.x, features.labels)  # the same images, answered otherwise
    second = judge(classifier, turned, fixed=order)
    found = compare(first, second, 3)
    before, after = {w.k: w for w in first.sizes}, {w.k: w for w in second.sizes}
    told = [k for k, w in before.items() if w.fixed is not None]
    assert [k for k, _, _ in found.sizes] == told
    for k, change, interval in found.sizes:
        assert change == pytest.approx(after[k].fixed - before[k].fixed)
        assert interval.low - 1e-12 <= change <= interval.high + 1e-12
        here = [i for i in before[k].fixed_classes if first.count[i]]
        tables = [[int((mask & (features.labels == i)).sum()) for i in here] for mask in (won(second, first), won(first, second))]
        gained, lost = map(np.array, tables)
        assert interval == difference_interval(gained, lost, first.count[here], 3, True)
        if k == first.worst.k:
            assert (found.worst, found.worst_interval) == (change, interval)


def won(one: Evaluation, other: Evaluation) -> Array:
    """Images that only the first of the two gets right."""
    return np.asarray(one.outcomes.hit & ~other.outcomes.hit)


def test_without_labels_there_are_worst_classes_and_no_sizes() -> None:
    first, second = judge(*said([0, 1, 2, 2], None, 3)), judge(*said([0, 1, 1, 0], None, 3))
    assert [w.k for w in first.sizes] == [1]
    assert sorted(first.order) == [0, 1, 2]
    assert judge(*said([0, 1, 1, 0], None, 3), fixed=first.order).order == first.order
    assert compare(first, second, 0).sizes == ()


# -- comparing ----------------------------------------------------------------------------------------------------------------------


def test_the_difference_is_that_of_the_accuracies_and_its_worst_set_is_the_firsts() -> None:
    first, second = judge(*said(SAID, TRUE, 3), k=2), judge(*said([0, 0, 0, 0, 1, 2, 2, 0, 0, 2], TRUE, 3), k=2)
    found = compare(first, second, 0)
    assert found.accuracy == pytest.approx(0.7 - 0.6)
    assert found.worst == pytest.approx((0.5 + 1.0) / 2 - 0.375)
    assert found.mcnemar_p == mcnemar(1, 2)
    assert found.changed == 0.3
    gained, lost, count = np.array([1, 1, 0]), np.array([0, 0, 1]), np.array([4, 2, 4])
    assert found.interval == difference_interval(gained, lost, count, 0, False)
    assert found.worst_interval == difference_interval(gained[[1, 0]], lost[[1, 0]], count[[1, 0]], 0, True)


@given(seed=st.integers(0, 10**6))
@checked
def test_differences_are_those_of_the_evaluations_and_turn_with_the_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, c = int(rng.integers(1, 40)), int(rng.integers(2, 6))
    labels = rng.integers(0, c, n)
    first, second = (judge(*said(rng.integers(0, c, n).tolist(), labels.tolist(), c), k=2, fixed=(0, 1)) for _ in range(2))
    there, back = compare(first, second, 0), compare(second, first, 0)
    assert first.accuracy is not None
    assert second.accuracy is not None
    assert there.accuracy == pytest.approx(second.accuracy - first.accuracy, abs=1e-12)
    assert back.accuracy == pytest.approx(-there.accuracy, abs=1e-12)
    assert (there.mcnemar_p, there.changed) == (back.mcnemar_p, back.changed)
    won, lost = (int((a.outcomes.hit & ~b.outcomes.hit).sum()) for a, b in ((second, first), (first, second)))
    assert there.mcnemar_p == mcnemar(lost, won)
    if first.worst.fixed is None or second.worst.fixed is None:
        assert there.worst is None
    else:
        assert there.worst == pytest.approx(second.worst.fixed - first.worst.fixed, abs=1e-12)


def test_identical_classifiers_show_no_clear_change() -> None:
    judged = judge(*said(SAID, TRUE, 3), k=2)
    found = compare(judged, judged, 0)
    assert (found.accuracy, found.worst, found.mcnemar_p, found.changed) == (0.0, 0.0, 1.0, 0.0)
    assert not clear(found.interval)
    assert not clear(found.worst_interval)


def test_without_labels_only_the_share_of_changed_predictions_is_told() -> None:
    first, second = judge(*said([0, 1, 2, 2], None, 3)), judge(*said([0, 1, 1, 0], None, 3))
    found = compare(first, second, 0)
    assert found.changed == 0.5
    assert (found.accuracy, found.interval, found.worst, found.worst_interval, found.mcnemar_p) == (None,) * 5
