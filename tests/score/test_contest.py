"""The kernel: what a contest says of each image, however images and families are cut, and what it refuses."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.errors import DataError, MismatchError
from promptlab.score import contest as kernel
from promptlab.score.classifier import classify, logits
from promptlab.score.contest import Columns, Contest, contests
from promptlab.score.ensemble import build
from promptlab.score.rules import promptlab_rules
from promptlab.types import Array, Combine, LabelSource, Scoreboard, unit
from score import brute
from score.planted import World, bank_of, boards, checked, classifier_of, features_of, worlds

SCALE = 20.0
EVERY_RULE = [*(rule.name for rule in promptlab_rules()), "hit@2", "cmm/worst-2"]


def gathered(world: World, labels: Array | None, what: Callable[[Contest], Array], offset: Array | None = None) -> Array:
    """(N, K) of one name of the contest, from one batch after the other."""
    columns = Columns(world.z, offset)
    out = np.empty((len(world.x), len(world.z)))
    for contest in contests(world.features, columns, labels, SCALE, batch=5):
        out[contest.start : contest.start + len(contest.x), contest.families] = what(contest)
    return out


def duels(s: Array, labels: Array) -> Array:
    """(4, N, K): true, rival, winner, rank of every image and family; s: (N, K, C), labels: (N, K)."""
    found = [[brute.duel(row, y) for row, y in zip(rows, ys, strict=True)] for rows, ys in zip(s, labels, strict=True)]
    return np.moveaxis(np.array(found, float), -1, 0)


def labels_for(world: World, source: str) -> tuple[Array | None, Array]:
    """What the kernel is given, and the (N, K) labels that it stands for."""
    if source == "one for all":
        return world.labels, np.repeat(world.labels[:, None], len(world.z), 1)
    if source == "one a family":
        own = np.stack([np.roll(world.labels, k) for k in range(len(world.z))], 1)
        return own, own
    return None, duels(world.similarity, np.zeros((len(world.x), len(world.z)), int))[2].astype(int)


# -- what each name means -----------------------------------------------------------------------------------------------------------


@given(world=worlds(), source=st.sampled_from(["one for all", "one a family", "its own winner"]))
@checked
def test_true_rival_winner_and_rank_equal_plain_loops(world: World, source: str) -> None:
    given_labels, labels = labels_for(world, source)
    true, rival, winner, rank = duels(world.similarity, labels)
    assert gathered(world, given_labels, lambda c: c.true.numpy()) == pytest.approx(true, abs=1e-6)
    assert gathered(world, given_labels, lambda c: c.rival.numpy()) == pytest.approx(rival, abs=1e-6)
    assert np.array_equal(gathered(world, given_labels, lambda c: c.winner.numpy()), winner)
    assert np.array_equal(gathered(world, given_labels, lambda c: c.rank.numpy()), rank)


@given(world=worlds())
@checked
def test_logz_and_expected_equal_plain_loops(world: World) -> None:
    logits = world.similarity * SCALE
    logz = np.log(np.exp(logits).sum(-1))
    expected = np.array([[brute.softmax(row) @ row for row in rows] for rows in logits])
    assert gathered(world, world.labels, lambda c: c.logz.numpy()) == pytest.approx(logz, abs=1e-4)
    assert gathered(world, world.labels, lambda c: c.expected.numpy()) == pytest.approx(expected, abs=1e-4)


@given(world=worlds())
@checked
def test_the_rival_class_is_the_strongest_other_class(world: World) -> None:
    s, found = world.similarity, gathered(world, world.labels, lambda c: c.rival_class.numpy()).astype(int)
    _, labels = labels_for(world, "one for all")
    assert (found != labels).all()
    assert np.take_along_axis(s, found[..., None], -1)[..., 0] == pytest.approx(duels(s, labels)[1], abs=1e-6)


@given(world=worlds())
@checked
def test_looking_for_the_rival_leaves_the_similarities_as_they_were(world: World) -> None:
    for contest in contests(world.features, Columns(world.z), world.labels, SCALE):
        before = contest.similarity.clone()
        assert contest.rival.shape == contest.true.shape
        assert np.array_equal(contest.similarity.numpy(), before.numpy())


@given(world=worlds(ties=True))
@checked
def test_equal_similarities_are_won_by_the_lowest_index(world: World) -> None:
    s = world.similarity
    tied = (s == s.max(-1, keepdims=True)).sum(-1) > 1
    assert np.array_equal(gathered(world, None, lambda c: c.winner.numpy())[tied], s.argmax(-1)[tied])


@given(world=worlds(ties=False, twins=False), first=st.integers(0, 5), second=st.integers(0, 5))
@checked
def test_equal_columns_give_similarities_that_are_equal_to_the_bit(world: World, first: int, second: int) -> None:
    c = world.z.shape[1]
    world.z[:, first % c] = world.z[:, second % c]
    for contest in contests(world.features, Columns(world.z), None, SCALE, batch=7):
        s = contest.similarity.numpy()
        assert np.array_equal(s[..., first % c], s[..., second % c])


@pytest.mark.parametrize("classes", [3, 100, 1000])
def test_equal_columns_stay_equal_among_many_classes_and_wide_vectors(classes: int) -> None:
    rng = np.random.default_rng(classes)
    z = unit(rng.normal(size=(2, classes, 513))).astype(np.float32)
    z[:, -1] = z[:, 0]
    for contest in contests(features_of(rng.normal(size=(37, 513))), Columns(z), None, 100.0, batch=16):
        s = contest.similarity.numpy()
        assert np.array_equal(s[..., 0], s[..., -1])
        assert not (contest.winner.numpy() == classes - 1).any()


# -- however it is cut --------------------------------------------------------------------------------------------------------------


def assert_same(a: dict[str, Scoreboard], b: dict[str, Scoreboard], tolerance: float = 1e-6) -> None:
    for name, board in a.items():
        slack = tolerance * (SCALE if board.unit == "logit" else 1)
        assert b[name].value == pytest.approx(board.value, abs=slack, nan_ok=True)
        assert b[name].per_class == pytest.approx(board.per_class, abs=slack, nan_ok=True)
        assert np.array_equal(b[name].count, board.count)
        assert np.array_equal(b[name].ties, board.ties)


@given(world=worlds(), batch=st.integers(1, 30), labels=st.sampled_from(["one for all", "one a family", "its own winner"]))
@checked
def test_any_batch_size_gives_the_same_scoreboards(world: World, batch: int, labels: str) -> None:
    given_labels, _ = labels_for(world, labels)
    whole, cut = (boards(world.features, world.z, EVERY_RULE, given_labels, scale=SCALE, batch=b) for b in (None, batch))
    assert_same(whole, cut)


@given(
    world=worlds(),
    size=st.integers(1, 9),
    together=st.integers(1, 4),
    labels=st.sampled_from(["one for all", "one a family", "its own winner"]),
)
@checked
def test_families_cut_into_any_slices_give_the_same_scoreboards(world: World, size: int, together: int, labels: str) -> None:
    given_labels, _ = labels_for(world, labels)
    whole = boards(world.features, world.z, EVERY_RULE, given_labels, scale=SCALE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "block", lambda *_: (size, together))
        cut = boards(world.features, world.z, EVERY_RULE, given_labels, scale=SCALE)
    assert_same(whole, cut)


@given(classes=st.integers(2, 10**6), families=st.integers(1, 300), images=st.integers(1, 10**7), device=st.sampled_from(["cpu", "cuda"]))
@checked
def test_a_block_holds_at_least_one_family_and_no_more_than_there_are(classes: int, families: int, images: int, device: str) -> None:
    batch, together = kernel.block(device, classes, families, images)
    assert 1 <= batch <= images
    assert 1 <= together <= families
    assert together == 1 or batch * together * classes <= kernel.BLOCK[device]


# -- offsets ------------------------------------------------------------------------------------------------------------------------


@given(world=worlds(ties=False), seed=st.integers(0, 1000))
@checked
def test_an_offset_is_added_to_every_similarity_of_its_class(world: World, seed: int) -> None:
    offset = np.random.default_rng(seed).normal(size=world.z.shape[1])
    _, labels = labels_for(world, "one for all")
    true, rival, winner, rank = duels(world.similarity + offset, labels)
    near = abs(true - rival) < 1e-6  # f4 offsets can break or make a tie of f8 ones
    assert gathered(world, world.labels, lambda c: c.true.numpy(), offset) == pytest.approx(true, abs=1e-6)
    assert gathered(world, world.labels, lambda c: c.rival.numpy(), offset) == pytest.approx(rival, abs=1e-6)
    assert np.array_equal(gathered(world, world.labels, lambda c: c.rank.numpy(), offset)[~near], rank[~near])
    assert (gathered(world, world.labels, lambda c: c.winner.numpy(), offset) == winner)[~near].all()


@pytest.mark.parametrize("nothing", [None, np.zeros(3)])
def test_an_offset_of_nothing_changes_nothing(nothing: Array | None) -> None:
    world = World(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)[None], np.arange(3), ("a", "b", "c"))
    assert gathered(world, world.labels, lambda c: c.true.numpy(), nothing).tolist() == [[1.0], [1.0], [1.0]]
    assert gathered(world, world.labels, lambda c: c.rival.numpy(), nothing).tolist() == [[0.0], [0.0], [0.0]]


def test_a_bias_in_logits_is_an_offset_in_cosines_divided_by_the_scale() -> None:
    image = features_of(np.array([[0.8, 0.6]]))
    made = classifier_of(np.eye(2), np.array([0.0, 5.0]), scale=10.0)
    assert logits(made, image, "cpu")[0] == pytest.approx([8.0, 11.0], abs=1e-5)
    outcomes = classify(made, image, np.array([0]), "cpu")
    assert (outcomes.winner[0], outcomes.rival[0]) == (1, 1)
    assert outcomes.margin[0] == pytest.approx(-0.3, abs=1e-6)


# -- edges --------------------------------------------------------------------------------------------------------------------------


def test_one_class_is_refused() -> None:
    with pytest.raises(MismatchError, match="at least two classes"):
        Columns(np.ones((2, 1, 4), np.float32))


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 3, 4])
def test_a_row_that_cannot_be_used_is_refused_by_its_key(bad: float, row: int) -> None:
    x = np.eye(5, 4) + 0.1
    x[row] = bad
    with pytest.raises(DataError, match=f"'{row:05d}.png'"):
        boards(features_of(x), np.eye(3, 4)[None], ["cmm"], np.zeros(5, int), batch=2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
@pytest.mark.parametrize("labels", [np.zeros(4, int), None])
def test_a_text_that_cannot_be_used_is_refused(bad: float, labels: Array | None) -> None:
    z = np.eye(3, 4)[None].repeat(2, 0)
    z[1, 2] *= bad if bad == 0 else 1
    z[1, 2, 0] = bad
    source = LabelSource.SELF if labels is None else LabelSource.TRUE

    def score() -> None:
        boards(features_of(np.eye(4)), bank_of(z).z, ["accuracy"], labels, source)

    with pytest.raises(DataError):
        score()


def test_vectors_of_another_width_are_refused() -> None:
    with pytest.raises(MismatchError, match=r"width 5.*width 4"):
        boards(features_of(np.eye(5)), np.eye(3, 4)[None], ["cmm"], np.zeros(5, int))


@pytest.mark.parametrize("shape", [(4,), (6,), (1,), (4, 2), (5, 1), (5, 3)])
def test_labels_of_another_length_are_refused(shape: tuple[int, ...]) -> None:
    z = np.eye(3, 5)[None].repeat(2, 0)
    with pytest.raises(MismatchError):
        boards(features_of(np.eye(5)), z, ["accuracy"], np.zeros(shape, int))


def test_equal_texts_give_defined_values_throughout() -> None:
    z = np.tile(np.array([0.6, 0.8]), (2, 4, 1))
    found = boards(features_of(np.array([[1.0, 0.0]] * 4)), z, EVERY_RULE, np.arange(4), scale=SCALE)
    assert all(np.isfinite(board.value).all() for name, board in found.items() if name != "predicted-sim")
    for name, value in {"cmm": 0.0, "cmm-class": 0.0, "cmm-top": 0.0, "accuracy": 0.25, "hit@2": 0.5, "cmm/worst-2": 0.0}.items():
        assert found[name].value.tolist() == [value, value], name
    assert found["entropy"].value == pytest.approx(np.log(4), abs=1e-5)
    assert found["accuracy"].ties.tolist() == [4, 4]


@given(world=worlds())
@checked
def test_entropy_lies_between_zero_and_that_of_chance(world: World) -> None:
    h = gathered(world, world.labels, lambda c: (c.logz - c.expected).numpy())
    assert (h >= -1e-5).all()
    assert (h <= np.log(world.z.shape[1]) + 1e-5).all()


@pytest.mark.parametrize("scale", [100.0, 1e4])
def test_large_scales_overflow_nothing(scale: float) -> None:
    for contest in contests(features_of(np.eye(3)), Columns(np.eye(3, dtype=np.float32)[None]), np.arange(3), scale):
        assert contest.logz.numpy() == pytest.approx(scale)
        assert contest.expected.numpy() == pytest.approx(scale)


@given(world=worlds(ties=True))
@checked
def test_half_precision_pictures_are_renormalised_and_score_alike(world: World) -> None:
    half = replace(world.features, x=(3 * world.x).astype(np.float16))
    assert_same(
        boards(world.features, world.z, EVERY_RULE, world.labels, scale=SCALE), boards(half, world.z, EVERY_RULE, world.labels, scale=SCALE)
    )


def test_logit_rows_shorter_than_one_lower_similarities() -> None:
    bank = bank_of(np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]]), scale=10.0)
    image = features_of(np.array([[0.8, 0.6]]))
    assert logits(build(bank, np.array([0.5, 0.5]), Combine.LOGIT), image, "cpu")[0] == pytest.approx([7.0, 6.0], abs=1e-5)


def test_one_image_is_enough() -> None:
    found = boards(features_of(np.array([[0.6, 0.8]])), np.eye(2)[None], EVERY_RULE, np.array([0]))
    assert found["cmm"].value == pytest.approx([-0.2], abs=1e-6)
    assert found["accuracy"].value.tolist() == [0.0]
    assert found["cmm-top"].per_class[0] == pytest.approx([-0.2, 0.2], abs=1e-6)
