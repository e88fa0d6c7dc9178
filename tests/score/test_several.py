"""Pictures with several right answers: rows, hidden rivals, average precision, intervals of whole pictures."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from promptlab.errors import DataError, UsageError
from promptlab.events import ignore
from promptlab.score import precision, resamples
from promptlab.score.evaluate import compare, evaluate
from promptlab.score.evidence import Evidence
from promptlab.score.health import check_mix, check_ties
from promptlab.score.live import Live, moved, sampled
from promptlab.score.precision import average_precision
from promptlab.score.resamples import Answers, draws
from promptlab.score.swaps import Swaps, difference
from promptlab.score.texts import score_texts
from promptlab.score.weighting import find, weighting
from promptlab.types import Array, Evaluation, Features, LabelSource
from score import brute
from score.planted import (
    RULES,
    World,
    bank_of,
    boards,
    checked,
    checked_briefly,
    classifier_of,
    features_of,
    from_similarity,
    worlds,
)

SCALE = 20.0
ONCE = ("cmm-top", "confidence", "predicted-sim", "ap")  # rules that look at each picture once
PER_ANSWER = ["cmm", "accuracy", "recall", "hit@1", "hit@2", "loglik", "entropy", "similarity"]


def showing(features: Features, shown: Array) -> Features:
    """The same pictures, with lists of labels (N, C)."""
    return replace(features, labels=np.asarray(shown, bool))


@st.composite
def many(draw: st.DrawFn, ties: bool | None = None) -> tuple[World, Array]:
    """A world and what its pictures show, (N, C) bool: nothing, some, or all; at least one right answer has a rival."""
    world = draw(worlds(ties=ties, twins=False, fewest_classes=3))
    n, c = len(world.x), world.z.shape[1]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shown = rng.random((n, c)) < draw(st.sampled_from([0.2, 0.5, 0.8]))
    shown[0] = np.arange(c) < 2
    return world, shown


def rows_of(shown: Array) -> list[tuple[int, int]]:
    """(picture, class) of each right answer that has a rival."""
    return [(i, c) for i, row in enumerate(shown) for c in range(len(row)) if row[c] and not row.all()]


def masked(s: Array, shown: Array) -> tuple[Array, list[int]]:
    """(similarities (N', K, C), the other right answers at -inf; labels) of every right answer; s: (N, K, C)."""
    out = []
    for i, c in rows_of(shown):
        out.append(s[i].copy())
        out[-1][:, [j for j in range(shown.shape[1]) if shown[i, j] and j != c]] = -math.inf
    return np.array(out), [c for _, c in rows_of(shown)]


# -- the contest --------------------------------------------------------------------------------------------------------------------


@given(found=many(ties=False))
@checked
def test_every_rule_equals_plain_loops_over_right_answers_without_the_picture_s_others(found: tuple[World, Array]) -> None:
    world, shown = found
    rows = showing(world.features, shown).rows()
    made = boards(rows, world.z, [*PER_ANSWER, *ONCE], rows.labels, scale=SCALE)
    s, labels = masked(world.similarity, shown)
    for k in range(len(world.z)):
        for name in PER_ANSWER:
            wanted = brute.per_class(name, s[:, k], labels, rows.keys, SCALE)
            assert made[name].per_class[k] == pytest.approx(wanted, abs=2e-4, nan_ok=True), name
            assert made[name].count[k].tolist() == brute.counts(name, s[:, k], labels), name
        whole = world.similarity[:, k]
        for name in ONCE[:3]:
            assert made[name].per_class[k] == pytest.approx(
                brute.per_class(name, whole, whole.argmax(1).tolist(), world.keys, SCALE), abs=2e-4, nan_ok=True
            ), name
        assert made["ap"].per_class[k] == pytest.approx(brute.average_precision(whole, shown), abs=1e-6, nan_ok=True)
        assert made["ap"].count[k].tolist() == shown.sum(0).tolist()


@given(found=many(), batch=st.integers(1, 9))
@checked_briefly
def test_nothing_is_no_number_and_any_batch_size_gives_the_same(found: tuple[World, Array], batch: int) -> None:
    world, shown = found
    rows = showing(world.features, shown).rows()
    whole, cut = (boards(rows, world.z, [*PER_ANSWER, *ONCE], rows.labels, scale=SCALE, batch=b) for b in (None, batch))
    for name, board in whole.items():
        assert np.isfinite(board.value).all(), name
        assert cut[name].value == pytest.approx(board.value, abs=1e-4), name
        assert np.array_equal(cut[name].count, board.count)


def test_a_picture_that_shows_nothing_or_everything_has_no_right_answer() -> None:
    pictures = showing(features_of(np.eye(4)), np.array([[1, 1, 0], [0, 0, 0], [1, 1, 1], [0, 0, 1]]))
    rows = pictures.rows()
    assert rows.labels.tolist() == [0, 1, 2]
    assert rows.several.picture.tolist() == [0, 0, 3]
    assert rows.pictures is pictures
    with pytest.raises(DataError, match="No picture of the split 'all' shows some of the classes and not all") as caught:
        showing(features_of(np.eye(2)), np.array([[0, 0], [1, 1]])).rows()
    assert caught.value.hint


def test_f1_is_refused_where_pictures_show_several_classes() -> None:
    rows = showing(features_of(np.eye(3)), np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]])).rows()
    with pytest.raises(UsageError, match="counts each picture once"):
        boards(rows, np.eye(3)[None], ["f1"], rows.labels)
    assert boards(rows.pictures, np.eye(3)[None], ["f1"], np.array([0, 1, 2]), LabelSource.ENSEMBLE)["f1"].value == [1.0]


# -- average precision --------------------------------------------------------------------------------------------------------------


@given(n=st.integers(1, 30), c=st.integers(1, 4), levels=st.integers(1, 6), seed=st.integers(0, 2**32 - 1))
@checked
def test_average_precision_is_that_of_scikit_learn_ties_and_all(n: int, c: int, levels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    s, shown = rng.integers(0, levels, (n, c)) / 7, rng.random((n, c)) < 0.4
    wanted = [average_precision_score(shown[:, j], s[:, j]) if shown[:, j].any() else math.nan for j in range(c)]
    assert average_precision(s, shown) == pytest.approx(wanted, abs=1e-12, nan_ok=True)


def test_the_rule_takes_an_image_s_one_label_too_and_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    # Sorted by class 0: right, wrong, right: (1 + 2/3) / 2. By class 1: wrong, right, wrong: 1/2.
    s = np.array([[0.9, 0.6], [0.5, 0.5], [0.3, 0.1]])
    x, z = from_similarity(s / 2)
    found = boards(features_of(x), z[None], ["ap", "ap/worst-1"], np.array([0, 1, 0]))
    assert found["ap"].per_class[0] == pytest.approx([5 / 6, 1 / 2])
    assert found["ap/worst-1"].value == pytest.approx([1 / 2])
    monkeypatch.setattr(precision, "MOST_CELLS", 5)
    with pytest.raises(UsageError, match="keeps all similarities"):
        boards(features_of(x), z[None], ["ap"], np.array([0, 1, 0]))


# -- a set whose answer is known ----------------------------------------------------------------------------------------------------

#            cat  dog  owl
KNOWN_S = [[0.60, 0.50, 0.10],  # cat and dog: both right
           [0.40, 0.20, 0.30],  # dog alone: the cat takes it
           [0.10, 0.10, 0.50],  # owl alone: right
           [0.30, 0.40, 0.20],  # cat and owl: the dog takes both
           [0.05, 0.30, 0.40]]  # nothing: no right answer, but it stands before others  # fmt: skip
KNOWN_SHOWN = [[1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [0, 0, 0]]
# Recall: cat 1/2 (picture 0, not 3), dog 1/2 (0, not 1), owl 1/2 (2, not 3).
# AP. cat: order 0, 1, 3, 2, 4, right at places 1 and 3: (1 + 2/3) / 2. dog: 0, 3, 4, 1, 2, right at 1 and 4: (1 + 2/4) / 2. owl: 2, 4, 1,
# 3, 0, right at 1 and 4.


def known() -> Features:
    x, _ = from_similarity(np.array(KNOWN_S))
    return showing(features_of(x), np.array(KNOWN_SHOWN))


def told(pictures: Features, z: Array, fixed: list[int] | None = None) -> Evaluation:
    return evaluate(classifier_of(z), pictures.rows(), RULES, fixed=fixed, k=1, seed=0, device="cpu")


def test_a_set_by_hand() -> None:
    _, z = from_similarity(np.array(KNOWN_S))
    found = told(known(), z, fixed=[1, 0, 2])
    assert found.n == 5
    assert found.count.tolist() == [2, 2, 2]
    assert found.per_class == pytest.approx([1 / 2, 1 / 2, 1 / 2])
    assert found.accuracy == pytest.approx(1 / 2)
    assert found.precision.per_class == pytest.approx([5 / 6, 3 / 4, 3 / 4])
    assert found.precision.mean == pytest.approx(7 / 9)
    assert found.precision.fixed == pytest.approx(3 / 4)
    assert found.precision.images == 4
    assert found.outcomes.winner.tolist() == [0, 1, 0, 2, 1, 1]  # a lost row says who takes it, never another right answer
    assert found.worst.fixed == pytest.approx(1 / 2)
    assert (found.interval.low, found.interval.high) != (0.5, 0.5)


def test_two_classifiers_are_compared_picture_by_picture() -> None:
    _, z = from_similarity(np.array(KNOWN_S))
    better = z.copy()
    better[0, 3], better[2, 3] = -0.2, -0.2  # all that differs: one width more
    first, second = told(known(), z, [0, 1, 2]), told(known(), better, [0, 1, 2])
    change = compare(first, second, seed=0)
    assert change.mcnemar_p is None
    assert change.precision == pytest.approx(second.precision.mean - first.precision.mean)
    same = compare(first, first, seed=0)
    assert same.precision == 0
    assert same.interval.low == pytest.approx(-same.interval.high)
    assert same.interval.high > 0.3  # four pictures say little
    assert same.precision_interval.high > 0.3


def test_classes_judged_in_blocks_and_pictures_in_few_resamples_are_told_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    pictures, z = showing(features_of(rng.normal(size=(40, 8))), rng.random((40, 5)) < 0.4), rng.normal(size=(5, 8))
    whole = told(pictures, z, [0, 1, 2, 3, 4])
    monkeypatch.setattr(precision, "HELD", 80)
    monkeypatch.setattr(resamples, "CELLS", 200)
    cut = told(pictures, z, [0, 1, 2, 3, 4])
    assert cut.precision.per_class == pytest.approx(whole.precision.per_class)
    assert cut.precision.resampled == pytest.approx(whole.precision.resampled, abs=1e-6)
    assert (cut.interval, cut.worst.fixed_interval) == (whole.interval, whole.worst.fixed_interval)
    monkeypatch.setattr(precision, "WORK", 1)
    assert len(told(pictures, z).precision.resampled) == precision.FEWEST


def drawn_precision(s: Array, shown: Array, drawn: Array) -> list[float]:
    """(C,) average precision of pictures drawn so often, where a picture's own copies do not stand before it."""
    out = []
    for c in range(s.shape[1]):
        mine = [i for i in range(len(s)) if shown[i, c] for _ in range(drawn[i])]
        found = []
        for i in mine:
            above = [i, *(j for j in range(len(s)) if j != i and s[j, c] >= s[i, c] for _ in range(drawn[j]))]
            found.append(sum(bool(shown[j, c]) for j in above) / len(above))
        out.append(sum(found) / len(found) if found else math.nan)
    return out


def test_the_interval_of_precision_lies_around_its_point_even_where_few_pictures_show_a_class() -> None:
    rng = np.random.default_rng(5)
    n, c = 300, 60
    shown = rng.random((n, c)) < 0.02
    pictures = showing(features_of(rng.normal(size=(n, 16))), shown)
    found = told(pictures, rng.normal(size=(c, 16)) + 2 * (shown.T @ pictures.x) / 16, list(range(c))).precision
    low, high = found.mean - found.interval.low, found.interval.high - found.mean
    assert 0.5 < low / high < 2


# -- intervals of whole pictures ----------------------------------------------------------------------------------------------------


@given(found=many(), seed=st.integers(0, 100))
@checked_briefly
def test_resampled_precision_is_that_of_the_drawn_pictures_without_copies_of_the_one_looked_at(
    found: tuple[World, Array], seed: int
) -> None:
    world, shown = found
    s = world.similarity[:, 0].astype(np.float32)
    made = precision._resampled(s, shown, seed, 5)
    for r, drawn in enumerate(np.concatenate(list(draws(len(s), seed, 2, 5)), 1).T.astype(int)):
        assert made[r] == pytest.approx(drawn_precision(s, shown, drawn), abs=1e-5, nan_ok=True)


def test_right_answers_that_go_together_make_intervals_wide() -> None:
    """Two right answers a picture, both right or both wrong: half as many trials as there are right answers."""
    n, rng = 400, np.random.default_rng(1)
    right = rng.random(n) < 0.5
    value, label, picture = np.repeat(right, 2)[:, None].astype(float), np.tile([0, 1], n), np.repeat(np.arange(n), 2)
    together = Answers(value, label, picture, n, 0).share(np.array([0, 1]), True)
    apart = Answers(value, label, np.arange(2 * n), 2 * n, 0).share(np.array([0, 1]), True)
    assert (together.high - together.low) / (apart.high - apart.low) == pytest.approx(math.sqrt(2), rel=0.1)


def test_the_interval_of_recall_holds_the_truth_about_as_often_as_it_says() -> None:
    """True recall 0.7, the answers of a picture right or wrong together; 95 of 100 are expected, 0.2 % of such tests see 88 or fewer."""
    rng, n, held = np.random.default_rng(2), 120, 0
    for seed in range(100):
        answers = rng.integers(1, 5, n)
        picture = np.repeat(np.arange(n), answers)
        value = (rng.random(n) < 0.7)[picture][:, None].astype(float)
        interval = Answers(value, np.zeros(len(picture), int), picture, n, seed).share(np.array([0]), False)
        held += interval.low <= 0.7 <= interval.high
    assert 88 < held <= 100


def test_a_share_that_no_resample_changes_stands_on_pictures_and_not_on_right_answers() -> None:
    one = np.ones((20, 1))
    found = Answers(one, np.tile([0, 1], 10), np.repeat(np.arange(10), 2), 10, 0).share(np.array([0, 1]), True)
    assert (found.low, found.high) == (pytest.approx(0.025 ** (1 / 10), abs=1e-6), 1.0)  # Clopper and Pearson, 10 of 10


# -- what stands on rows ------------------------------------------------------------------------------------------------------------


def test_labels_that_are_made_are_those_of_pictures_and_true_ones_those_of_right_answers() -> None:
    rng = np.random.default_rng(3)
    rows = showing(features_of(rng.normal(size=(30, 6))), rng.random((30, 4)) < 0.4).rows()
    bank = bank_of(rng.normal(size=(3, 4, 6)))
    evidence = Evidence(rows, bank, RULES, "cpu", ignore)
    for name in ("ap", "top-2:ap", "forward:ap", "forward", "shrunk", "carprt", "ap/worst-k"):
        for labels in ("auto", "true", "ensemble", "others"):
            weights, board = find(weighting(name, RULES, 4, labels=labels), evidence)
            assert weights.w.sum(0) == pytest.approx(1)
            assert board.count.sum() > 0
    assert len(evidence.labels(LabelSource.TRUE)) == len(rows) != len(evidence.labels(LabelSource.ENSEMBLE)) == 30


def test_health_counts_right_answers_and_says_that_no_mix_can_be() -> None:
    rows = showing(features_of(np.eye(4)[:2]), np.array([[1, 1, 0], [1, 1, 0]])).rows()
    assert "pictures show 2 on average" in check_mix(rows, 3, "balance", None)[0].text
    twins = boards(rows, np.eye(4)[[0, 1, 0]][None], ["cmm"], rows.labels)["cmm"]
    assert "of 4 right answers" in check_ties(twins, rows)[0].text


@given(found=many(ties=False), seed=st.integers(0, 99))
@checked_briefly
def test_what_a_row_would_do_is_what_it_does_once_it_is_there(found: tuple[World, Array], seed: int) -> None:
    """Swaps and the workbench's view against the contest, with another row for one class."""
    world, shown = found
    rows, rng = showing(world.features, shown).rows(), np.random.default_rng(seed)
    z = world.z[0].copy()
    c, new = int(rng.integers(len(z))), z[0] + 0.3 * rng.normal(size=z.shape[1])
    new = (new / np.sqrt(new @ new)).astype(np.float32)
    after = z.copy()
    after[c] = new
    swaps = Swaps(rows, z, rows.labels)
    wanted, was = (boards(rows, one[None], ["cmm", "accuracy/mean"], rows.labels) for one in (after, z))
    change = swaps.change(swaps.with_row(c, new))
    assert change.value == pytest.approx(float(wanted["cmm"].value[0] - was["cmm"].value[0]), abs=1e-5)
    live = Live(rows, z, np.zeros(len(z)))
    before = live.standing(rows.labels)
    live.put(after)
    now = live.standing(rows.labels)
    assert now.cmm == pytest.approx(wanted["cmm"].per_class[0], abs=1e-5, nan_ok=True)
    assert now.accuracy == pytest.approx(wanted["accuracy/mean"].per_class[0], abs=1e-6, nan_ok=True)
    assert moved(before, now).cmm == pytest.approx(change.value, abs=1e-5)
    swaps.take(c, new)
    assert swaps.now.margin.mean() == pytest.approx(now.margin.mean(), abs=1e-5)


def test_a_normal_interval_of_single_answers_is_the_same_with_pictures_as_without() -> None:
    rng = np.random.default_rng(4)
    before, after, of = rng.normal(size=50), rng.normal(size=50), np.sort(rng.integers(0, 5, 50))
    of[-1] = 5  # a class with one image
    value, plain = difference(before, after, of)
    _, single = difference(before, after, of, np.arange(50))
    assert (single.low, single.high) == (pytest.approx(plain.low), pytest.approx(plain.high))
    of[-1] = 4
    value, plain = difference(before, after, of)
    _, double = difference(np.tile(before, 2), np.tile(after, 2), np.append(of, of + 6), np.tile(np.arange(50), 2))
    assert double.high - value == pytest.approx(plain.high - value)  # every gap counted twice, and known to be one


def test_single_texts_are_not_judged_against_the_picture_s_other_classes() -> None:
    x, z = from_similarity(np.array([[0.5, 0.6, 0.1], [0.5, 0.2, 0.1]]))
    rows = showing(features_of(x), np.array([[1, 1, 0], [1, 0, 0]])).rows()
    found = score_texts(rows, replace(bank_of(z[None]), texts=z.astype(np.float32)), rows.labels, 0, "cpu")
    assert found.images == 2
    assert found.accuracy == pytest.approx([1.0])
    assert found.cmm == pytest.approx([(0.4 + 0.3) / 2], abs=1e-6)


def test_a_sample_takes_whole_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = showing(features_of(np.eye(10)), np.tile([1, 1, 0, 0], (10, 1))).rows()
    monkeypatch.setattr("promptlab.score.live.MOST_CELLS", 40)
    few = sampled(rows, 4, seed=0)
    assert len(few.pictures) == 5
    assert len(few) == 10


def test_where_figures_only_serve_to_choose_nothing_is_resampled() -> None:
    rng = np.random.default_rng(2)
    x, z = rng.normal(size=(40, 6)), rng.normal(size=(4, 6))
    rows = showing(features_of(x), rng.random((40, 4)) < 0.4).rows()
    whole, spare = (
        evaluate(classifier_of(z), rows, RULES, fixed=[3, 1, 0, 2], k=2, seed=0, device="cpu", told=told) for told in (True, False)
    )
    assert (spare.mean, spare.accuracy, spare.order, spare.worst.fixed) == (whole.mean, whole.accuracy, whole.order, whole.worst.fixed)
    assert whole.precision is not None
    assert (spare.precision, spare.interval, spare.worst.fixed_interval) == (None, None, None)
