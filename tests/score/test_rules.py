"""Rules and reducers against plain loops and scikit-learn, whatever the labels, batches, shards and orders."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, log_loss, recall_score, top_k_accuracy_score

from promptlab.errors import UsageError
from promptlab.events import Noted, ignore
from promptlab.protocols import Rule, State, Unit
from promptlab.score.contest import Columns, contests
from promptlab.score.evidence import Evidence
from promptlab.score.reducers import default_k, over_classes
from promptlab.score.rules import parse_rule, promptlab_rules, start
from promptlab.score.states import Setting
from promptlab.score.sweep import sweep
from promptlab.types import Array, LabelSource, Scoreboard, unit
from score import brute
from score.planted import ATOMS, RULES, World, bank_of, boards, checked, checked_briefly, features_of, from_similarity, predicting, worlds

SCALE = 20.0
NAMES = [*(rule.name for rule in promptlab_rules()), "hit@1", "hit@2", "hit@99"]
MEANS_OF_MARGINS = ["cmm", "cmm-class"]
WORLDS_WITHOUT_TIES = worlds(ties=False, twins=False, fewest_classes=3)


def slack(rule: str) -> float:
    """How far fp32 may be off: logits are cosines times the scale."""
    return 1e-6 if rule.startswith(("cmm", "accuracy", "recall", "hit", "f1")) else 1e-5 * SCALE


def winners(s: Array) -> Array:
    """(N, K), the lowest index of equal ones; s: (N, K, C)."""
    return np.asarray(s.argmax(-1))


def labels_of(world: World, source: LabelSource) -> Array:
    """(N, K) labels of a source, from its definition."""
    x, z = unit(world.x.astype(float)), world.z.astype(float)
    k = len(z)
    if source is LabelSource.TRUE:
        return np.repeat(world.labels[:, None], k, 1)
    if source is LabelSource.SELF:
        return winners(world.similarity)
    if source is LabelSource.ZPE:
        # mean over images of the highest logit above its class's mean logit, then the mean of the vectors with softmax weights
        s = SCALE * world.similarity
        confidence = (s - s.mean(0)).max(-1).mean(0)
        rows = np.tensordot(brute.softmax(confidence), z, 1)
        return np.repeat((x @ rows.T).argmax(1)[:, None], k, 1)
    alone = source is LabelSource.ENSEMBLE or k == 1
    judges = [z.mean(0) if alone else np.delete(z, j, 0).mean(0) for j in range(k)]
    return np.stack([(x[:, None] * unit(judge)).sum(-1).argmax(1) for judge in judges], 1)


def expected_per_class(world: World, rule: str, labels: Array, source: LabelSource) -> Array:
    """(K, C), with never predicted classes filled in for margins under pseudo-labels."""
    s, rows = world.similarity, []
    for k in range(s.shape[1]):
        values = brute.per_class(rule, s[:, k], labels[:, k].tolist(), world.keys, SCALE)
        if source is not LabelSource.TRUE and rule.startswith("cmm"):
            lowest = min(0.0, min(v for v in values if not math.isnan(v)))
            values = [lowest if math.isnan(v) else v for v in values]
        rows.append(values)
    return np.array(rows)


# -- every rule against plain loops -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", list(LabelSource))
@given(world=worlds(ties=False))
@checked
def test_every_rule_equals_plain_loops_under_every_label_source(source: LabelSource, world: World) -> None:
    labels = labels_of(world, source)
    bank = bank_of(world.z, scale=SCALE)
    found = Evidence(world.features, bank, RULES, "cpu", ignore).ask(NAMES, source)
    for rule in NAMES:
        assert found[rule].per_class == pytest.approx(expected_per_class(world, rule, labels, source), abs=slack(rule), nan_ok=True), rule
        counts = [brute.counts(rule, world.similarity[:, k], labels[:, k]) for k in range(len(world.z))]
        assert found[rule].count.tolist() == counts, rule


@given(world=worlds(ties=True))
@checked
def test_every_rule_equals_plain_loops_where_ties_are_everywhere(world: World) -> None:
    for source in (LabelSource.TRUE, LabelSource.SELF):
        labels = labels_of(world, source)
        given_labels = world.labels if source is LabelSource.TRUE else None
        found = boards(world.features, world.z, NAMES, given_labels, source, scale=SCALE)
        for rule in NAMES:
            assert found[rule].per_class == pytest.approx(expected_per_class(world, rule, labels, source), abs=slack(rule), nan_ok=True)


@given(world=worlds())
@checked
def test_a_rule_of_somebody_else_rides_along(world: World) -> None:
    rule = Rule("wins-by", lambda contest: (contest.true > contest.rival) * contest.scale, reducer="mean", unit=Unit.LOGIT)
    labels = world.labels
    board = sweep(
        world.features,
        Columns(world.z),
        ["wins-by", "accuracy"],
        RULES | {"wins-by": rule},
        source=LabelSource.TRUE,
        labels=labels,
        families=tuple("abcd"[: len(world.z)]),
        scale=SCALE,
        listen=ignore,
    )["wins-by"]
    s = world.similarity
    for k in range(s.shape[1]):
        wins = [SCALE * (brute.margin(row, y) > 0) for row, y in zip(s[:, k], labels, strict=True)]
        assert board.per_class[k] == pytest.approx(brute.mean_per_class(wins, labels.tolist(), s.shape[2]), nan_ok=True)


@given(world=worlds(ties=True))
@checked
def test_ties_of_the_right_answer_are_counted(world: World) -> None:
    board = boards(world.features, world.z, ["accuracy"], world.labels)["accuracy"]
    strongest = [[max(np.delete(row, y)) == row[y] for row in rows] for rows, y in zip(world.similarity, world.labels, strict=True)]
    assert board.ties.tolist() == np.sum(strongest, 0).tolist()


# -- scikit-learn -------------------------------------------------------------------------------------------------------------------


@given(world=WORLDS_WITHOUT_TIES)
@checked
def test_shares_equal_those_of_scikit_learn(world: World) -> None:
    c = world.z.shape[1]
    classes = list(range(c))
    found = boards(world.features, world.z, ["accuracy", "recall", "hit@2", "f1/macro", "f1/micro", "f1/weighted"], world.labels)
    for k in range(len(world.z)):
        s, y = world.similarity[:, k], world.labels
        said = s.argmax(1)
        assert found["accuracy"].value[k] == pytest.approx(accuracy_score(y, said), abs=1e-12)
        recall = recall_score(y, said, labels=classes, average=None, zero_division=np.nan)
        assert found["recall"].per_class[k] == pytest.approx(recall, abs=1e-12, nan_ok=True)
        assert found["hit@2"].value[k] == pytest.approx(top_k_accuracy_score(y, s, k=2, labels=classes), abs=1e-12)
        for average in ("macro", "micro", "weighted"):
            assert found[f"f1/{average}"].value[k] == pytest.approx(f1_score(y, said, average=average), abs=1e-12), average


@given(world=WORLDS_WITHOUT_TIES)
@checked_briefly
def test_loglik_is_the_negative_log_loss_of_scikit_learn(world: World) -> None:
    scale = 10.0  # scikit-learn clips shares below 2e-16
    found = boards(world.features, world.z, ["loglik"], world.labels, scale=scale)["loglik"]
    for k in range(len(world.z)):
        p = np.array([brute.softmax(row * scale) for row in world.similarity[:, k]])
        loss = log_loss(world.labels, p / p.sum(1, keepdims=True), labels=list(range(p.shape[1])))
        assert found.value[k] == pytest.approx(-loss, abs=1e-4)


# -- reducers -----------------------------------------------------------------------------------------------------------------------

SHARES = st.one_of(st.sampled_from([0.0, 1.0, math.nan]), st.floats(0.0078125, 1, width=32))


@st.composite
def values_and_counts(draw: st.DrawFn, elements: st.SearchStrategy[float]) -> tuple[Array, Array]:
    """(K, C) values, NaN where a class is left out, and counts (K, C)."""
    k, c = draw(st.integers(1, 3)), draw(st.integers(1, 8))
    values = np.array(draw(st.lists(st.lists(elements, min_size=c, max_size=c), min_size=k, max_size=k)))
    counts = np.array(draw(st.lists(st.lists(st.integers(1, 9), min_size=c, max_size=c), min_size=k, max_size=k)))
    return values, counts


@pytest.mark.parametrize("reducer", ["overall", "mean", "min", "zeros", "hmean", "worst-1", "worst-3", "worst-8", "worst-100"])
@given(table=values_and_counts(SHARES))
@checked
def test_reducers_equal_plain_loops(reducer: str, table: tuple[Array, Array]) -> None:
    values, counts = table
    expected = [brute.reduce(v, n, reducer) for v, n in zip(values.tolist(), counts.tolist(), strict=True)]
    assert over_classes(values, counts, reducer) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(table=values_and_counts(st.one_of(st.just(math.nan), st.floats(-2, 2))))
@checked
def test_worst_k_rises_with_k_up_to_the_mean(table: tuple[Array, Array]) -> None:
    values, counts = table
    c = values.shape[1]
    steps = [over_classes(values, counts, f"worst-{k}") for k in range(1, c + 2)]
    known = np.isfinite(steps[0])
    assert all((a <= b + 1e-12)[known].all() for a, b in pairwise(steps))
    assert steps[0] == pytest.approx(over_classes(values, counts, "min"), nan_ok=True)
    assert steps[-1] == pytest.approx(over_classes(values, counts, "mean"), abs=1e-12, nan_ok=True)


@pytest.mark.parametrize(("reducer", "expected"), [("min", 3.0), ("worst-1", 3.0), ("worst-2", 2.5), ("worst-9", 2.0), ("mean", 2.0)])
def test_the_worst_are_the_highest_where_less_is_better(reducer: str, expected: float) -> None:
    values = np.array([[1.0, 3.0, math.nan, 2.0]])
    assert over_classes(values, np.ones((1, 4), int), reducer, lower_is_better=True) == pytest.approx([expected])


def test_the_worst_classes_of_entropy_are_the_unsure_ones() -> None:
    x, z = unit(np.array([[1.0, 0.0], [0.8, 0.6]])), np.eye(2)[None]
    found = boards(features_of(x), z, ["entropy/worst-1", "entropy/mean"], np.array([0, 1]), LabelSource.TRUE, scale=2.0)
    assert found["entropy/worst-1"].value == pytest.approx(found["entropy/worst-1"].per_class.max(1))
    assert found["entropy/worst-1"].value > found["entropy/mean"].value


@given(world=worlds())
@checked_briefly
def test_every_reducer_of_a_board_comes_from_its_own_classes(world: World) -> None:
    names = [f"{rule}/{reducer}" for rule in ("cmm", "accuracy", "cmm-class") for reducer in ("overall", "mean", "worst-2", "min")]
    for board in boards(world.features, world.z, [*names, "accuracy/zeros"], world.labels).values():
        reducer = board.rule.partition("/")[2]
        expected = [brute.reduce(v, n, reducer) for v, n in zip(board.per_class.tolist(), board.count.tolist(), strict=True)]
        assert board.value == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize(("classes", "k"), [(2, 1), (5, 1), (6, 2), (46, 10), (50, 10), (51, 10), (1000, 10)])
def test_worst_k_without_a_number_is_a_fifth_of_the_classes_and_ten_at_most(classes: int, k: int) -> None:
    assert default_k(classes) == k
    assert parse_rule("cmm/worst-k", RULES, classes)[1] == f"worst-{k}"


# -- shards -------------------------------------------------------------------------------------------------------------------------


def scan(world: World, rows: Sequence[int], rule: Rule, labels: Array | None) -> State:
    """The state of one rule over some of the images, as one shard of all of them."""
    columns = Columns(world.z)
    order = np.argsort(np.argsort(np.array(world.keys)))
    whole = unit(world.x.astype(np.float32)).mean(0, dtype=np.float64).astype(np.float32)
    part = world.features.take(np.asarray(rows, int), "shard")
    state = start(rule, setting_of(columns, len(world.x), order[list(rows)], whole))
    for contest in contests(part, columns, None if labels is None else labels[list(rows)], SCALE, batch=3):
        state.add(contest)
    return state


def setting_of(columns: Columns, n: int, order: Array, mean: Array) -> Setting:
    return Setting(columns, n, lambda: order, SCALE, lambda: torch.from_numpy(mean))


@given(world=worlds(), cut=st.integers(1, 23), labelled=st.sampled_from(["one for all", "one a family", "its own winner"]))
@checked
def test_states_of_shards_merge_into_that_of_one_pass(world: World, cut: int, labelled: str) -> None:
    own = np.stack([np.roll(world.labels, k) for k in range(len(world.z))], 1)
    labels = {"one for all": world.labels, "one a family": own, "its own winner": None}[labelled]
    n = len(world.x)
    cut = min(cut, n)
    for name in NAMES:
        rule, _ = parse_rule(name, RULES, world.z.shape[1])
        whole = scan(world, range(n), rule, labels)
        merged = scan(world, range(cut), rule, labels)
        if cut < n:
            merged.merge(scan(world, range(cut, n), rule, labels))
        for a, b in zip(whole.per_class(), merged.per_class(), strict=True):
            assert b == pytest.approx(a, abs=slack(name), nan_ok=True), name


@pytest.mark.parametrize("name", NAMES)
def test_merging_leaves_the_other_state_as_it_was(name: str) -> None:
    rng = np.random.default_rng(0)
    world = World(
        rng.normal(size=(12, 5)), unit(rng.normal(size=(2, 3, 5))).astype(np.float32), rng.integers(0, 3, 12), tuple("abcdefghijkl")
    )
    rule, _ = parse_rule(name, RULES, 3)
    second = scan(world, range(6, 12), rule, world.labels)
    before = [part.copy() for part in second.per_class()]
    empty = start(rule, setting_of(Columns(world.z), 12, np.arange(12), np.zeros(5, np.float32)))
    empty.merge(second)
    for contest in contests(world.features, Columns(world.z), world.labels, SCALE):
        empty.add(contest)
    for kept, now in zip(before, second.per_class(), strict=True):
        assert now == pytest.approx(kept, abs=0, nan_ok=True)


# -- orders -------------------------------------------------------------------------------------------------------------------------


def reordered(world: World, rows: Array) -> World:
    return World(world.x[rows], world.z, world.labels[rows], tuple(world.keys[i] for i in rows))


@given(world=worlds(), seed=st.integers(0, 1000))
@checked
def test_the_order_of_images_changes_nothing(world: World, seed: int) -> None:
    other = reordered(world, np.random.default_rng(seed).permutation(len(world.x)))
    a, b = (boards(w.features, w.z, NAMES, w.labels, scale=SCALE, batch=4) for w in (world, other))
    for rule in NAMES:
        assert b[rule].per_class == pytest.approx(a[rule].per_class, abs=slack(rule), nan_ok=True), rule


@given(world=WORLDS_WITHOUT_TIES, seed=st.integers(0, 1000))
@checked
def test_permuted_classes_permute_class_values(world: World, seed: int) -> None:
    new = np.random.default_rng(seed).permutation(world.z.shape[1])  # old class new[j] becomes class j
    other = World(world.x, world.z[:, new], np.argsort(new)[world.labels], world.keys)
    a, b = (boards(w.features, w.z, NAMES, w.labels, scale=SCALE) for w in (world, other))
    for rule in NAMES:
        assert b[rule].per_class == pytest.approx(a[rule].per_class[:, new], abs=slack(rule), nan_ok=True), rule
        assert b[rule].value == pytest.approx(a[rule].value, abs=slack(rule), nan_ok=True), rule


@given(world=worlds(), seed=st.integers(0, 1000), own=st.booleans())
@checked
def test_permuted_families_permute_values(world: World, seed: int, own: bool) -> None:
    new = np.random.default_rng(seed).permutation(len(world.z))
    other = replace(world, z=world.z[new])
    a, b = (boards(w.features, w.z, NAMES, None if own else w.labels, LabelSource.SELF, scale=SCALE) for w in (world, other))
    for rule in NAMES:
        assert b[rule].per_class == pytest.approx(a[rule].per_class[new], abs=slack(rule), nan_ok=True), rule


@given(seed=st.integers(0, 10**6), n=st.integers(2, 24), batch=st.integers(1, 24))
@checked
def test_images_equally_similar_to_a_class_enter_its_list_by_key(seed: int, n: int, batch: int) -> None:
    rng = np.random.default_rng(seed)
    # Rows of +-1/2: every image is exactly as similar to class 0 as any other, and only its other coordinates tell its margin.
    x = np.hstack([np.full((n, 1), 0.5), rng.choice([-0.5, 0.5], (n, 3))])
    z = np.eye(4)[None]
    keys = tuple(f"{i:03d}" for i in rng.permutation(n))
    found = boards(features_of(x, keys=keys), z, ["cmm-top"], None, LabelSource.SELF, batch=batch)["cmm-top"]
    first = sorted(range(n), key=lambda i: keys[i])[: math.ceil(n / 4)]
    assert found.per_class[0, 0] == pytest.approx(np.mean([0.5 - x[i, 1:].max() for i in first]), abs=1e-6)


@pytest.mark.parametrize("value", [0.0, -0.0, -0.5])
def test_similarities_of_zero_and_below_are_ordered_too(value: float) -> None:
    x = np.array([[value, 1.0, 0.0], [value, 0.0, 1.0], [-0.9, 0.3, 0.3], [-0.8, 0.3, 0.3]])
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    found = boards(features_of(x, keys=("b", "a", "c", "d")), np.eye(2, 3)[None], ["cmm-top"], None, LabelSource.SELF)["cmm-top"]
    expected = np.mean([x[0, 0] - x[0, 1], x[1, 0] - x[1, 1]])
    assert found.per_class[0, 0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("first", [0.0, -0.0])
def test_zero_and_minus_zero_are_equally_similar(first: float) -> None:
    state = start(RULES["cmm-top"], setting_of(Columns(np.eye(2, dtype=np.float32)[None]), 2, np.array([0, 1]), np.zeros(2)))
    similarity = torch.tensor([[[first, -0.5]], [[-first, -0.25]]])
    state.add(SimpleNamespace(similarity=similarity, start=0, families=slice(0, 1)))
    assert state.per_class()[0][0].tolist() == [0.5, -0.25]


def test_keys_are_compared_as_text_and_not_by_place() -> None:
    x = ATOMS[[23, 16]]  # both 1/2 similar to class 0; margins 0 and 1
    for keys, margin in ((("10.png", "9.png"), 0.0), (("9.png", "10.png"), 1.0)):
        found = boards(features_of(x, keys=keys), np.eye(4)[None], ["cmm-top"], None, LabelSource.SELF)["cmm-top"]
        assert found.per_class[0, 0] == margin


# -- margins ------------------------------------------------------------------------------------------------------------------------


@given(world=worlds(), own=st.booleans())
@checked
def test_cmm_is_never_above_cmm_class(world: World, own: bool) -> None:
    labels = None if own else world.labels
    found = boards(world.features, world.z, ["cmm", "cmm-class"], labels, LabelSource.SELF if own else LabelSource.TRUE)
    known = found["cmm"].count > 0
    assert (found["cmm"].per_class <= found["cmm-class"].per_class + 1e-6)[known].all()


@given(world=worlds(), constant=st.floats(-3, 3))
@checked
def test_the_same_offset_for_all_classes_leaves_margins_alone(world: World, constant: float) -> None:
    offset = np.full(world.z.shape[1], constant)
    plain, shifted = (boards(world.features, world.z, MEANS_OF_MARGINS, world.labels, offset=o) for o in (None, offset))
    for rule in MEANS_OF_MARGINS:
        assert shifted[rule].per_class == pytest.approx(plain[rule].per_class, abs=2e-6, nan_ok=True)


@given(world=worlds())
@checked
def test_a_family_judging_itself_has_no_margin_below_zero(world: World) -> None:
    board = boards(world.features, world.z, ["cmm"], None, LabelSource.SELF)["cmm"]
    assert (board.per_class >= 0).all()


@given(world=worlds(fewest_classes=3))
@checked
def test_a_class_without_images_is_absent_under_true_labels(world: World) -> None:
    labels = np.where(world.labels == 1, 0, world.labels)
    for rule in ("cmm", "cmm-class", "accuracy", "recall", "loglik"):
        board = boards(world.features, world.z, [rule], labels)[rule]
        assert np.isnan(board.per_class[:, 1]).all()
        assert (board.count[:, 1] == 0).all()
        kept = np.delete(board.per_class, 1, 1), np.delete(board.count, 1, 1)
        assert board.value == pytest.approx(over_classes(*kept, board.rule.partition("/")[2]), abs=1e-12)


@pytest.mark.parametrize("source", [LabelSource.ENSEMBLE, LabelSource.OTHERS, LabelSource.SELF])
@pytest.mark.parametrize(("margins", "filled"), [([0.2, 0.1], 0.0), ([0.2, -0.1], -0.1), ([-0.3, -0.1], -0.3)])
def test_a_class_that_got_no_image_counts_as_zero_or_the_lowest_class(source: LabelSource, margins: list[float], filled: float) -> None:
    x, z = from_similarity([[0.5, 0.5 - margins[0], 0.0], [0.5 - margins[1], 0.5, 0.0]])
    for rule in ("cmm", "cmm-class"):
        board = boards(features_of(x), z[None], [rule], np.array([0, 1]), source)[rule]
        assert board.per_class[0] == pytest.approx([*margins, filled], abs=1e-6)
        assert board.value[0] == pytest.approx(np.mean([*margins, filled]), abs=1e-6)
        assert board.count[0].tolist() == [1, 1, 0]


def test_collapse_onto_one_class_is_not_rewarded() -> None:
    x, z = from_similarity(np.tile([0.9, 0.1, 0.1], (6, 1)))
    spread, _ = from_similarity(np.array([[0.3, 0.2, 0.2], [0.2, 0.3, 0.2], [0.2, 0.2, 0.3]] * 2))
    collapsed, honest = (boards(features_of(rows), z[None], ["cmm/worst-1"], None, LabelSource.SELF)["cmm/worst-1"] for rows in (x, spread))
    assert collapsed.value[0] == 0.0
    assert honest.value[0] == pytest.approx(0.1, abs=1e-6)


@pytest.mark.parametrize("rule", ["accuracy", "recall", "loglik", "entropy"])
def test_shares_and_logits_of_no_image_stay_undefined_under_pseudo_labels(rule: str) -> None:
    features, classifier = predicting(np.array([0, 1, 0]), 3)
    board = boards(features, classifier.weight[None], [rule], np.array([0, 1, 0]), LabelSource.ENSEMBLE)[rule]
    assert np.isnan(board.per_class[0]).tolist() == [False, False, True]
    assert np.isfinite(board.value).all()


def test_one_family_has_no_others_and_says_so() -> None:
    world = World(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)[None], np.arange(3), ("a", "b", "c"))
    heard: list[object] = []
    bank = bank_of(world.z)
    found = Evidence(world.features, bank, RULES, "cpu", heard.append).board("accuracy", LabelSource.OTHERS)
    assert found.labels == "ensemble"
    assert any(isinstance(event, Noted) and "ensemble" in event.text for event in heard)


# -- names --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rule", "reducer"),
    [
        ("cmm", "cmm", "mean"),
        ("accuracy", "accuracy", "overall"),
        ("accuracy/mean", "accuracy", "mean"),
        ("accuracy/zeros", "accuracy", "zeros"),
        ("hit@5", "hit@5", "overall"),
        ("hit@5/worst-3", "hit@5", "worst-3"),
        ("cmm-top/worst-k", "cmm-top", "worst-2"),
    ],
)
def test_names_of_rules_and_reducers_are_understood(text: str, rule: str, reducer: str) -> None:
    found, how = parse_rule(text, RULES, 10)
    assert (found.name, how) == (rule, reducer)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("cm", "'cmm'"),
        ("cmm-clas", "'cmm-class'"),
        ("acuracy", "'accuracy'"),
        ("hit@0", "'hit@k'"),
        ("cmm/men", "'mean'"),
        ("cmm/wurst-k", "'worst-k'"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_and_with_all(text: str, near: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_rule(text, RULES, 10)
    assert f"Did you mean {near}?" in error.value.hint
    assert all(name in error.value.hint for name in (["overall", "mean", "min", "worst-k"] if "/" in text else [*RULES, "hit@k"]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/mean",
        "cmm/worst-0",
        "cmm/worst-",
        "cmm/worst--1",
        "cmm/mean/min",
        "hit@",
        "hit@-1",
        "hit@1.5",
        "CMM",
        "hit@" + "9" * 24,
        "cmm/worst-" + "9" * 24,
    ],
)
def test_names_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_rule(text, RULES, 10)


@pytest.mark.parametrize("rule", ["cmm", "cmm-class", "cmm-top", "loglik", "entropy"])
@pytest.mark.parametrize("reducer", ["zeros", "hmean"])
def test_reducers_of_shares_are_refused_for_other_units(rule: str, reducer: str) -> None:
    with pytest.raises(UsageError, match=f"needs a share; {rule} is none"):
        parse_rule(f"{rule}/{reducer}", RULES, 10)


@pytest.mark.parametrize("rule", ["accuracy", "recall", "hit@3", "cmm"])
def test_micro_belongs_to_f1(rule: str) -> None:
    with pytest.raises(UsageError, match="f1"):
        parse_rule(f"{rule}/micro", RULES, 10)


def test_every_board_says_its_rule_unit_families_and_labels() -> None:
    features, classifier = predicting(np.array([0, 1]), 3)
    found: dict[str, Scoreboard] = boards(features, classifier.weight[None], ["cmm/worst-k", "hit@2", "entropy"], np.array([0, 1]))
    assert [board.rule for board in found.values()] == ["cmm/worst-1", "hit@2/overall", "entropy/overall"]
    assert [str(board.unit) for board in found.values()] == ["margin", "share", "logit"]
    assert [board.lower_is_better for board in found.values()] == [False, False, True]
    assert {(board.labels, board.families) for board in found.values()} == {("true", ("family 0",))}
