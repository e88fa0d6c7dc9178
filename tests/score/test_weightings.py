"""Every way of weighing against its plain version, under every label source, on random worlds and on adversarial ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from promptlab.errors import DataError, UsageError
from promptlab.events import Event, Noted, ignore
from promptlab.score.ensemble import build
from promptlab.score.evidence import Evidence
from promptlab.score.weighting import WAYS, Weighting, find, forward, title, weighting
from promptlab.score.weights import dropped, kept_by_mad, standardised
from promptlab.types import Array, Combine, LabelSource, Scope, Weights, unit
from score import plain
from score.plain import Plain, Scores
from score.planted import RULES, World, bank_of, boards, checked, checked_briefly, features_of, worlds

SCALE = 20.0
CLOSE = 3e-5  # of weights at tau = 1: the contest is fp32, its logits up to 40 here
GAP = 1e-5  # cosines nearer than this are a tie, or are none, by rounding
SOURCES = list(LabelSource)


def evidence_of(world: World, scale: float = SCALE) -> Evidence:
    return Evidence(world.features, bank_of(world.z, scale=scale), RULES, "cpu", ignore)


def way(name: str, world: World, **said: Any) -> Weighting:
    return weighting(name, RULES, world.z.shape[1], **said)


def weights(world: World, name: str, *, scale: float = SCALE, **said: Any) -> Weights:
    return find(way(name, world, **said), evidence_of(world, scale))[0]


def judged_by(made: Plain, evidence: Evidence, source: LabelSource) -> Array:
    """(N, K) labels: what the code says, once each is seen to be the plain argmax, or as good as it by rounding, and the first of twins."""
    n, k, c = made.s.shape
    if source is LabelSource.TRUE:
        return np.repeat(made.world.labels[:, None], k, 1)
    said = made.judge(source.value)
    told = evidence.labels(LabelSource.ENSEMBLE if source is LabelSource.OTHERS and k == 1 else source)
    found = said.argmax(-1) if told is None else np.broadcast_to(told[:, None] if told.ndim == 1 else told, (n, k))
    assert np.take_along_axis(said, found[..., None], -1)[..., 0] == pytest.approx(said.max(-1), abs=GAP)
    first = [min(j for j in range(c) if np.array_equal(made.z[:, j], made.z[:, i])) for i in range(c)]
    assert np.array_equal(np.array(first)[found], found), "of classes with the same texts the lower one wins"
    return np.asarray(found)


def usable(made: Plain) -> bool:
    """Whether no set of families cancels out, so that each classifier has a direction for each class."""
    w = np.exp(made.confidence() - made.confidence().max())
    rest = [made.z.sum(0), np.einsum("k,kcd->cd", w, made.z), *(made.z.sum(0) - rows for rows in made.z if len(made.z) > 1)]
    return all(np.linalg.norm(rows, axis=1).min() > 1e-3 for rows in rest)


def told_apart(scores: Array, least: float) -> bool:
    """Whether scores (K, ...) are either the same or `least` apart, down each column: what lies between is rounding."""
    gaps = np.diff(np.sort(scores, 0), axis=0)
    return not ((gaps > 1e-12) & (gaps < least)).any()


def expected(how: Weighting, scores: Scores) -> tuple[Array, Array]:
    """(weights, (K,) score that stands behind them) of every way but `top` and `forward`."""
    rule, _, reducer = how.rule.partition("/")
    per_class, tau, k = how.scope is Scope.CLASS, how.tau, len(scores.plain.z)
    name = f"{rule}/{reducer or RULES[rule].reducer}".replace("worst-k", f"worst-{min(10, -(-scores.plain.z.shape[1] // 5))}")
    if how.way == "uniform":
        return np.full(k, 1 / k), np.zeros(k)
    if how.way == "cpe":
        return plain.cpe(scores, name, tau, per_class), scores.score(name)
    if how.way == "zpe":
        return plain.zpe(scores, tau, per_class), scores.plain.confidence()
    if how.way == "carprt":
        return plain.carprt(scores, tau, per_class), np.nanmean(scores.board("predicted-sim")[0], 1)
    if how.way == "shrunk":
        return plain.shrunk(scores, how.evidence, tau, per_class), plain.shrunk_score(scores, how.evidence)
    value = scores.score(name)
    made = plain.standardised(scores.board(rule)[0] if per_class else value, rule == "entropy", tau)
    return made, -value if rule == "entropy" else value


NAMED = ("entropy", "accuracy/mean", "cmm-top/worst-k", "cmm-class/min", "loglik", "recall/worst-2")


@given(
    world=worlds(),
    name=st.sampled_from(("uniform", "cpe", "zpe", "carprt", "shrunk", "shrunk", *NAMED)),
    source=st.sampled_from(SOURCES),
    scope=st.sampled_from(["global", "class"]),
    tau=st.sampled_from([0.3, 1.0, 4.0]),
    evidence=st.sampled_from(["similarity", "margin", "both"]),
    drop=st.sampled_from(["", "", "mad:0.37", "mad:-0.73", "mad:50"]),
)
@settings(checked, max_examples=300)
def test_every_way_equals_its_plain_version(
    world: World, name: str, source: LabelSource, scope: str, tau: float, evidence: str, drop: str
) -> None:
    made = Plain(world, SCALE)
    assume(usable(made))
    asked = evidence_of(world)
    scores = Scores(made, judged_by(made, asked, source), source is not LabelSource.TRUE)
    scope, drop = ("global", "") if name == "uniform" else (scope, drop)
    how = way(name, world, labels=source.value, scope=scope, tau=tau, evidence=evidence, drop=drop)
    w, score = expected(how, scores)
    if how.way == "rule":
        assume(told_apart(scores.board(how.rule.partition("/")[0])[0] if scope == "class" else score, 1e-3))
    if how.drop is not None:
        limit = np.median(score) + how.drop * np.median(np.abs(score - np.median(score)))
        assume(told_apart(np.r_[score, limit], 1e-5) and (abs(score - limit) > 1e-5).all())
        w = plain.without(w, plain.kept(score, how.drop))
    found, board = find(how, asked)
    assert found.w == pytest.approx(w, abs=(10 if how.way == "rule" else 1) * CLOSE / min(tau, 1))
    assert found.w.sum(0) == pytest.approx(np.ones(w.shape[1:]), abs=1e-12)
    assert board.labels == ("ensemble" if source is LabelSource.OTHERS and len(world.z) == 1 else source.value)


# -- top and forward ----------------------------------------------------------------------------------------------------------------


@given(world=worlds(ties=False), m=st.integers(1, 5), rule=st.sampled_from(["accuracy", "entropy", "cmm/mean", "similarity"]))
@checked
def test_top_m_is_the_m_best_families_with_equal_weights(world: World, m: int, rule: str) -> None:
    made = Plain(world, SCALE)
    scores = Scores(made, judged_by(made, evidence_of(world), LabelSource.TRUE), pseudo=False)
    score = scores.score(rule if "/" in rule else f"{rule}/overall") * (-1 if rule == "entropy" else 1)
    order = sorted(range(len(score)), key=lambda k: (-score[k], k))[:m]
    w = weights(world, f"top-{m}:{rule}", labels="true").w
    assert np.flatnonzero(w).tolist() == sorted(order)
    assert w[order] == pytest.approx(1 / len(order))


def test_top_m_without_a_rule_goes_by_the_worst_margins_and_equal_families_fall_to_the_lower_index() -> None:
    world = world_of(families=[0, 1, 1, 0])
    score = boards(world.features, world.z, ["cmm/worst-1"], evidence_of(world).labels(LabelSource.ENSEMBLE), LabelSource.ENSEMBLE)
    best = int(np.argmax(score["cmm/worst-1"].value))
    assert weights(world, "top-1").w.tolist() == [float(k == best) for k in range(4)]
    assert best in (0, 1)


@given(world=worlds(ties=False, twins=False), rule=st.sampled_from(["", ":accuracy", ":cmm", ":loglik/mean"]))
@settings(checked_briefly, max_examples=40)
def test_forward_is_the_greedy_path_of_the_renormalised_mean(world: World, rule: str) -> None:
    made = Plain(world, SCALE)
    path = plain.forward(made, lambda some: plain.subset_score(made, some, world.labels, rule[1:].partition("/")[0] or "accuracy"))
    found = forward(way(f"forward{rule}", world), evidence_of(world))
    assert [k for k, _ in found] == [k for k, _ in path]
    assert [v for _, v in found] == pytest.approx([v for _, v in path], abs=1e-4)
    chosen = [k for k, _ in path]
    assert weights(world, f"forward{rule}").w == pytest.approx(np.isin(np.arange(len(world.z)), chosen) / len(chosen))


@given(world=worlds(ties=False), source=st.sampled_from(SOURCES))
@checked_briefly
def test_forward_under_any_labels_ends_where_no_family_raises_the_score(world: World, source: LabelSource) -> None:
    path = forward(way("forward:cmm/worst-2", world, labels=source.value), evidence_of(world))
    assert (np.diff([v for _, v in path]) > 0).all()
    assert len({k for k, _ in path}) == len(path) >= 1


# The oracle's case forward-1: [class][template][dimension], all rows normalised.
TEXTS = [
    [[-3, 4, 3], [4, -1, 3], [-4, -4, -4], [-3, 4, -2]],
    [[-1, -3, 0], [-4, -2, 4], [4, 4, -1], [2, -4, -2]],
    [[-2, 3, 3], [3, -1, -2], [3, -3, 0], [-3, 1, -1]],
]
IMAGES = [
    *([2, 3, -3], [-4, -4, -1], [2, -1, 3], [4, 4, -3], [1, 1, 0], [-2, -1, 1]),
    *([0, 3, -3], [3, 1, 3], [-4, -2, 4], [-2, 0, -3], [4, -2, 4], [-3, 3, 3]),
]
ALL_SUBSETS = ["0", "1", "2", "3", "0,1", "0,2", "0,3", "1,2", "1,3", "2,3", "0,1,2", "0,1,3", "0,2,3", "1,2,3", "0,1,2,3"]
RIGHT = np.array([6, 1, 4, 7, 1, 3, 8, 3, 3, 7, 2, 2, 9, 5, 3])  # images of the 12, by each of these sets


def test_forward_1_of_the_oracle() -> None:
    z, labels = unit(np.array(TEXTS, float).swapaxes(0, 1)), np.arange(12) % 3
    world = World(np.array(IMAGES, np.float32), z.astype(np.float32), labels, tuple(f"{i:02d}" for i in range(12)))
    found = forward(way("forward", world), evidence_of(world))
    assert [k for k, _ in found] == [3, 0, 2]
    assert [v for _, v in found] == pytest.approx([0.5833333333333334, 0.6666666666666666, 0.75], abs=1e-9)
    assert weights(world, "forward").w == pytest.approx([1 / 3, 0, 1 / 3, 1 / 3])
    assert plain.all_subsets(Plain(world, SCALE), labels) == pytest.approx(dict(zip(ALL_SUBSETS, RIGHT / 12, strict=True)), abs=1e-9)
    for some, right in zip(ALL_SUBSETS, RIGHT, strict=True):
        w = np.isin(np.arange(4), [int(k) for k in some.split(",")])
        built = build(bank_of(z), w / w.sum(), Combine.EMBEDDING)
        assert ((unit(world.x) @ built.weight.T).argmax(1) == labels).sum() == right


# -- adversarial worlds -------------------------------------------------------------------------------------------------------------


def world_of(
    n: int = 40, classes: int = 4, families: Sequence[int] = (0, 1, 2), labels: Sequence[int] = (), unlike: tuple[int, ...] = ()
) -> World:
    """Images around prototypes; families that have the same number are equal to the bit. For the families `unlike`, the last class is
    unlike every image."""
    rng = np.random.default_rng(0)
    prototypes = unit(rng.normal(size=(classes, 8)))
    different = unit(prototypes + 0.5 * rng.normal(size=(max(families) + 1, classes, 8)))
    y = np.array(labels) if len(labels) else rng.integers(0, classes, n)
    x = unit(prototypes[y] + 0.4 * rng.normal(size=(len(y), 8)))
    x, z = (np.concatenate([rows, np.ones((*rows.shape[:-1], 1))], -1) / np.sqrt(2) for rows in (x, different[list(families)]))
    z[list(unlike), -1] = -np.eye(9)[8]
    return World(x.astype(np.float32), z.astype(np.float32), y, tuple(f"{i:03d}" for i in range(len(y))))


LABEL_FREE = [name for name in WAYS if name not in ("uniform", "forward")]


@pytest.mark.parametrize("name", [*LABEL_FREE, "entropy", "accuracy/mean"])
@pytest.mark.parametrize("scope", ["global", "class"])
def test_equal_families_have_equal_weights(name: str, scope: str) -> None:
    w = weights(world_of(families=[0, 1, 0, 2, 0]), name, scope=scope).w
    assert np.array_equal(w[0], w[2])
    assert np.array_equal(w[0], w[4])
    alike = weights(world_of(families=[0, 0, 0]), name, scope=scope).w
    assert alike == pytest.approx(np.full_like(alike, 1 / 3))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", [*WAYS, "entropy", "top-2", "forward:cmm/worst-2"])
def test_one_family_has_all_the_weight(name: str, source: LabelSource) -> None:
    noted: list[Event] = []
    world = world_of(families=[0])
    asked = Evidence(world.features, bank_of(world.z), RULES, "cpu", noted.append)
    assert find(way(name, world, labels=source.value), asked)[0].w == pytest.approx(np.ones((1, *find_shape(name, world))))
    said = any(isinstance(event, Noted) and "no others" in event.text for event in noted)
    assert said == (source is LabelSource.OTHERS)


def find_shape(name: str, world: World) -> tuple[int, ...]:
    return (world.z.shape[1],) if way(name, world).scope is Scope.CLASS else ()


def test_a_class_that_nobody_predicts_is_weighed_by_what_its_way_says() -> None:
    world = world_of(labels=[0, 1, 2] * 10, unlike=(0, 1, 2))
    even = np.full(3, 1 / 3)
    carprt, zpe = (weights(world, name, scope="class").w[:, 3] for name in ("carprt", "zpe"))
    assert carprt == pytest.approx(even), "undefined for all families"
    assert zpe == pytest.approx(even)
    whole, each = (weights(world, "shrunk", scope=scope).w for scope in ("global", "class"))
    assert each[:, 3] == pytest.approx(whole), "no image of its own: all classes' evidence alone"
    asked = evidence_of(world)
    lowest = np.minimum(0, np.nanmin(asked.board("cmm", LabelSource.ENSEMBLE).per_class[:, :3], 1))
    assert weights(world, "cpe", scope="class").w[:, 3] == pytest.approx(plain.softmax(SCALE * lowest), abs=CLOSE)


def test_a_class_that_one_family_alone_never_predicts_gives_it_no_weight_there() -> None:
    world = world_of(labels=[0, 1, 2, 3] * 6, unlike=(1,))
    w = weights(world, "carprt").w
    assert w[1, 3] == 0
    assert w[[0, 2], 3].sum() == pytest.approx(1)
    assert (w[1, :3] > 0).all()


def test_a_class_without_images_is_absent_under_true_labels_and_weighed_evenly() -> None:
    world = world_of(labels=[0, 1, 3] * 8)
    for name in ("cpe", "zpe", "accuracy/mean"):
        assert weights(world, name, labels="true", scope="class").w[:, 2] == pytest.approx(1 / 3)
    whole, each = (weights(world, "shrunk", labels="true", scope=scope).w for scope in ("global", "class"))
    assert each[:, 2] == pytest.approx(whole)


def test_constant_similarities_say_nothing_and_give_uniform_weights() -> None:
    same = np.repeat(np.eye(1, 4, dtype=np.float32)[None], 3, 0).repeat(3, 1)
    world = World(np.eye(1, 4, dtype=np.float32).repeat(5, 0), same, np.array([0, 1, 2, 0, 1]), tuple("abcde"))
    for name in [*WAYS, "entropy", "cmm-top/mean", "f1"]:
        if name != "forward":
            assert weights(world, name, labels="true").w == pytest.approx(1 / 3)
    assert weights(world, "forward").w.tolist() == [1.0, 0.0, 0.0], "none raises what the first one has"


@given(world=worlds(), name=st.sampled_from([*WAYS, *NAMED]), source=st.sampled_from(SOURCES), scale=st.sampled_from([1.0, 100.0, 2000.0]))
@checked
def test_weights_are_finite_not_negative_and_sum_to_one_whatever_comes(world: World, name: str, source: LabelSource, scale: float) -> None:
    assume(usable(Plain(world, scale)))
    w = weights(world, name, scale=scale, labels=source.value).w
    assert np.isfinite(w).all()
    assert (w >= 0).all()
    assert w.sum(0) == pytest.approx(np.ones(w.shape[1:]))


# -- temperature, order, invariance -------------------------------------------------------------------------------------------------

SOFT = ["cpe", "zpe", "carprt", "shrunk", "accuracy/mean", "entropy"]


@pytest.mark.parametrize("scope", ["global", "class"])
@pytest.mark.parametrize("name", SOFT)
def test_tau_runs_from_the_best_family_to_uniform(name: str, scope: str) -> None:
    world = world_of(n=80)
    cold, plain_, hot = (weights(world, name, scope=scope, tau=tau).w for tau in (1e-9, 1.0, 1e9))
    assert hot[plain_ > 0] == pytest.approx(1 / 3, abs=1e-6)
    best = plain_ == plain_.max(0)
    assert cold == pytest.approx(best / best.sum(0))


@given(
    world=worlds(ties=False), name=st.sampled_from([*SOFT, "top-2", "forward"]), source=st.sampled_from(SOURCES), seed=st.integers(0, 99)
)
@checked
def test_permuting_families_permutes_weights(world: World, name: str, source: LabelSource, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(world.z))
    turned = World(world.x, world.z[order], world.labels, world.keys)
    if name in ("top-2", "forward"):
        source = LabelSource.TRUE
        accuracy = Scores(Plain(world, SCALE), np.repeat(world.labels[:, None], len(world.z), 1), pseudo=False)
        assume(name == "top-2" or len(set(accuracy.score("accuracy/overall"))) == len(world.z) <= 2)  # equal ones fall to the lower index
    made, back = (weights(w, name, labels=source.value).w for w in (world, turned))
    assert back == pytest.approx(made[order], abs=CLOSE)


@given(world=worlds(ties=False, twins=False), name=st.sampled_from(SOFT), source=st.sampled_from(SOURCES), seed=st.integers(0, 99))
@checked
def test_permuting_classes_permutes_columns(world: World, name: str, source: LabelSource, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(world.z.shape[1])
    turned = World(world.x, world.z[:, order], np.argsort(order)[world.labels], world.keys)
    for scope in ("global", "class"):
        made, back = (weights(w, name, labels=source.value, scope=scope).w for w in (world, turned))
        assert back == pytest.approx(made[..., order] if scope == "class" else made, abs=10 * CLOSE)


@given(seed=st.integers(0, 10**6), source=st.sampled_from([LabelSource.TRUE, LabelSource.ENSEMBLE, LabelSource.ZPE]))
@checked_briefly
def test_a_constant_added_to_all_cosines_of_an_image_changes_no_margin_and_cancels_where_all_families_share_labels(
    seed: int, source: LabelSource
) -> None:
    """Margins lose it at once. In a mean over the same images every family gains the same, so that softmax over families loses it, too.
    `carprt` has images of its own for each family: there it stays."""
    rng = np.random.default_rng(seed)
    n, k, c = 12, 3, 3
    s = rng.uniform(-0.15, 0.15, (n, k, c))
    raised = s + rng.uniform(-0.1, 0.1, (n, 1, 1))
    labels = rng.integers(0, c, n)

    def world(cosines: Array) -> World:
        """Any cosines: each cell has an axis of its own, one more takes the rest."""
        flat = cosines.reshape(n, -1)
        x = np.hstack([flat, np.sqrt(1 - (flat**2).sum(1, keepdims=True))])
        return World(x.astype(np.float32), np.eye(k * c, k * c + 1, dtype=np.float32).reshape(k, c, -1), labels, tuple(map(str, range(n))))

    for name in ("cpe", "zpe", "shrunk", "entropy", "cmm"):
        for scope in ("global", "class"):
            before, after = (weights(world(v), name, labels=source.value, scope=scope).w for v in (s, raised))
            assert after == pytest.approx(before, abs=10 * CLOSE)
    before, after = (weights(world(v), "carprt").w for v in (s, raised))
    assert abs(after - before).max() > 1e-3


# -- dropping families --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "factor", "expected"),
    [
        ([1, 2, 3, 4, 5], 0.0, [2, 3, 4]),
        ([1, 2, 3, 4, 5], 0.5, [3, 4]),
        ([1, 2, 3, 4, 5], -1.0, [1, 2, 3, 4]),
        ([1, 2, 3, 4, 5], 99.0, [4]),
        ([7, 7, 7], 0.5, [0, 1, 2]),
        ([7, 7, 7, 1, 9], 0.5, [0, 1, 2, 4]),
        ([3], 0.5, [0]),
    ],
)
def test_drop_keeps_what_reaches_the_median_and_so_many_deviations(score: list[float], factor: float, expected: list[int]) -> None:
    value = np.array(score, float)
    assert np.flatnonzero(kept_by_mad(value, factor)).tolist() == expected
    assert np.flatnonzero(kept_by_mad(-value, factor, lower_is_better=True)).tolist() == expected
    assert np.array_equal(kept_by_mad(value, factor), plain.kept(value, factor))


def test_dropping_leaves_a_class_that_has_nothing_left_with_even_weights() -> None:
    made = Weights(np.array([[1.0, 0.2], [0.0, 0.3], [0.0, 0.5]]), ("a", "b", "c"), "carprt")
    assert dropped(made, np.array([False, True, True])).w == pytest.approx(np.array([[0, 0], [0.5, 0.375], [0.5, 0.625]]))


@pytest.mark.parametrize("text", ["0.5", "mad", "mad:", "mad:x", "sd:1", "mad:1e3", "mad:nan"])
def test_a_drop_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="mad:NUMBER"):
        weighting("cpe", RULES, 5, drop=text)


# -- names --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["uniform", "top-3", "forward"])
def test_ways_that_choose_families_for_all_classes_have_no_class_scope(name: str) -> None:
    with pytest.raises(UsageError, match="--scope class"):
        weighting(name, RULES, 5, scope="class")


@pytest.mark.parametrize("name", ["top-0", "top-", "forward:", "ensemble", "cmm/median", "top-3:nothing", ""])
def test_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="There is no"):
        weighting(name, RULES, 5)


@pytest.mark.parametrize("name", ["accuracy/zeros", "top-2:accuracy/zeros", "forward:accuracy/zeros"])
def test_the_number_of_classes_at_zero_is_a_figure_and_no_weight(name: str) -> None:
    with pytest.raises(UsageError, match="zeros"):
        weighting(name, RULES, 5)


def test_titles_name_what_was_chosen_otherwise() -> None:
    assert title(weighting("cpe", RULES, 5)) == "cpe"
    said = weighting("shrunk", RULES, 5, labels="self", scope="global", combine="logit", tau=0.5, drop="mad:0.5", evidence="margin")
    assert title(said) == "shrunk margin global labels self logit tau 0.5 drop mad:0.5"
    assert title(weighting("zpe", RULES, 5, combine="embedding")) == "zpe embedding"


# -- from weights to a classifier ---------------------------------------------------------------------------------------------------


@given(world=worlds(), seed=st.integers(0, 10**6), combine=st.sampled_from(list(Combine)))
@checked
def test_weights_per_class_make_rows_as_a_plain_loop_does(world: World, seed: int, combine: Combine) -> None:
    k, c, _ = world.z.shape
    w = np.random.default_rng(seed).dirichlet(np.ones(k), c).T
    rows = [sum(float(w[i, j]) * world.z[i, j].astype(float) for i in range(k)) for j in range(c)]
    assume(min(float(np.linalg.norm(row)) for row in rows) > 1e-3)
    made = build(bank_of(world.z), w, combine).weight
    assert made == pytest.approx(np.array([row / np.linalg.norm(row) if combine is Combine.EMBEDDING else row for row in rows]), abs=1e-6)


@given(world=worlds(), seed=st.integers(0, 10**6), combine=st.sampled_from(list(Combine)))
@checked
def test_a_family_without_weight_in_any_class_is_left_out_to_the_bit(world: World, seed: int, combine: Combine) -> None:
    k, c, _ = world.z.shape
    rng = np.random.default_rng(seed)
    w, at = rng.dirichlet(np.ones(k), c).T, int(rng.integers(0, k + 1))
    junk = np.insert(world.z, at, rng.normal(size=world.z.shape[1:]), 0)
    assert np.array_equal(build(bank_of(junk), np.insert(w, at, 0.0, 0), combine).weight, build(bank_of(world.z), w, combine).weight)


# -- refusals -----------------------------------------------------------------------------------------------------------------------


def test_true_labels_that_are_not_there_are_refused() -> None:
    world = world_of()
    asked = Evidence(features_of(world.x), bank_of(world.z), RULES, "cpu", ignore)
    for name in ("forward", "cpe"):
        with pytest.raises(UsageError, match="no labels"):
            find(way(name, world, labels="true"), asked)


def test_a_rule_that_gives_a_family_no_score_is_refused() -> None:
    board = boards(features_of(np.eye(3), np.arange(3)), np.eye(3)[None], ["cmm"], np.arange(3))["cmm"]
    gone = type(board)(board.rule, "true", ("a",), np.array([np.nan]), board.per_class, board.count, "margin", False, board.ties)
    with pytest.raises(DataError, match="no score to 1 of 1 families"):
        standardised(gone, 1.0, Scope.GLOBAL)


@pytest.mark.parametrize("name", ["uniform", "forward", "forward:recall"])
def test_ways_without_scores_have_nothing_to_drop_by(name: str) -> None:
    with pytest.raises(UsageError, match="--drop"):
        weighting(name, RULES, 10, drop="mad:0.5")
