"""Captions matched with pictures: cases worked out by hand, and the definitions written out."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.errors import UsageError
from promptlab.events import ignore
from promptlab.loops.match import shares
from promptlab.report.match import per_sample
from promptlab.score.matches import CaptionEvidence, compare, hardest, judged, layout_of, match, require_global
from promptlab.score.sweep import sweep
from promptlab.score.weighting import find, weighting
from promptlab.types import NO_TEXT, Array, Captions, Cases, Features, LabelSource, Matched, unit
from score import brute
from score.planted import ATOMS, RULES, bank_of, checked, features_of, from_similarity

F4 = 1e-6
SCORES = np.array([[0.31, 0.28, 0.2, 0.25], [0.22, 0.3, 0.27, 0.26], [0.19, 0.21, 0.24, 0.29], [0.33, 0.32, 0.1, 0.12]])
CORRECT = np.array([0, 2, 3, 1])
SHUFFLED = np.array([[0.28, 0.31, 0.2, 0.25], [0.27, 0.3, 0.22, 0.26], [0.29, 0.19, 0.21, 0.24], [0.32, 0.33, 0.1, 0.12]])
# Of pictures 1 and 3, the wrong ones, the caption that takes them is right for a picture of their own category.
CATEGORY, TAKES = np.array([0, 0, 1, 0]), {5: 0, 12: 1}


def by_hand(shown: Array) -> tuple[Features, Array, Captions, Cases]:
    """Four pictures with four candidates each: text 4 i + j is candidate j of picture i."""
    wide = np.zeros((4, 16))
    for i, row in enumerate(SCORES):
        wide[i, 4 * i : 4 * i + 4] = row
    x, z = from_similarity(wide)
    right = sorted([(i, 4 * i + int(j)) for i, j in enumerate(CORRECT)] + [(picture, text) for text, picture in TAKES.items()])
    captions = Captions(tuple(f"{p:02d}" for p in range(16)), np.array(right), None, CATEGORY, ("a", "b"))
    return features_of(x), z, captions, Cases(np.arange(16).reshape(4, 4), CORRECT, shown, 4, "any")


def matched(features: Features, rows: Array, captions: Captions, cases: Cases, fixed: tuple[int, ...] | None = None) -> Matched:
    return match(rows, features, captions, cases, fixed=fixed, k=1, seed=0, device="cpu")


def positions(found: Matched, cases: Cases) -> tuple[list[int], list[int]]:
    """Where the picked and the right candidates stand among those that are shown."""
    place = np.argsort(cases.shown, 1)
    return [[int(place[i, j]) for i, j in enumerate(which)] for which in (found.winner, cases.right)]  # type: ignore[return-value]


def test_caption_1_accuracy_margins_hard_cases_and_whose_caption_is_picked() -> None:
    features, z, captions, cases = by_hand(np.tile(np.arange(4), (4, 1)))
    found = matched(features, z, captions, cases)
    assert found.winner.tolist() == [0, 1, 3, 0]
    assert (found.accuracy, cases.chance) == (0.5, 0.25)
    # The third is 0.29 - 0.24 by the case's own definition, though it lists 0.03.
    assert found.margin == pytest.approx([0.03, -0.03, 0.05, -0.01], abs=F4)
    assert hardest(found, 4)[:2].tolist() == [1, 3]
    assert hardest(found, 1).tolist() == [1]
    assert (found.same, found.other) == (2, 0)
    picked, right = positions(found, cases)
    assert np.nan_to_num(brute.f1(picked, right, 4)).mean() == pytest.approx(0.41666666666666663, abs=1e-12)


def test_caption_2_a_shuffle_moves_positions_and_nothing_else() -> None:
    features, z, captions, plain = by_hand(np.tile(np.arange(4), (4, 1)))
    shown = np.array([[int(np.flatnonzero(row == s)[0]) for s in after] for row, after in zip(SCORES, SHUFFLED, strict=True)])
    shuffled = replace(plain, shown=shown)
    before, after = (matched(features, z, captions, cases) for cases in (plain, shuffled))
    picked, right = positions(after, shuffled)
    assert (picked, right) == ([1, 1, 0, 1], [1, 0, 0, 0])
    assert np.nan_to_num(brute.f1(picked, right, 4)).mean() == pytest.approx(0.25, abs=1e-12), "so F1 by position says nothing"
    assert before.accuracy == after.accuracy == 0.5
    for name in ("similarity", "margin", "f1", "per_category", "winner"):
        assert np.array_equal(getattr(before, name), getattr(after, name), equal_nan=True)
    assert before.interval == after.interval


@pytest.mark.parametrize(
    ("right", "seconds", "accuracy", "each"),
    [
        (10496, 153.556601, 0.901718, 13.192148),
        (10382, 152.817952, 0.891924, 13.12869),
        (10472, 143.099318, 0.899656, 12.293756),
        (10476, 142.681351, 0.9, 12.257848),
    ],
)
def test_caption_4_published_counts_give_the_published_figures(right: int, seconds: float, accuracy: float, each: float) -> None:
    n = 11640
    texts = np.tile(np.arange(12), (n, 1))
    cases = Cases(texts, np.zeros(n, int), texts, 12, "any")
    pairs = np.stack([np.arange(n), np.zeros(n, int)], 1)
    captions = Captions(tuple(f"{p:02d}" for p in range(12)), pairs, None, np.zeros(n, int), ())
    winner = np.where(np.arange(n) < right, 0, 1)
    found = judged(np.zeros((n, 12)), winner, np.where(winner == 0, 0.1, -0.1), captions, cases, fixed=None, k=0, seed=0)
    assert found.accuracy == pytest.approx(accuracy, abs=1e-6)
    assert cases.chance == pytest.approx(1 / 12, abs=1e-12)
    assert per_sample(seconds, n) == pytest.approx(each, abs=1e-6)
    assert per_sample(seconds, 0) is None
    assert found.interval.low < found.accuracy < found.interval.high


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Features, Array, Captions, Cases]:
    """Random pictures and texts, of exact cosines so that ties are real; rows of different lengths."""
    n, p, k, c = draw(st.integers(1, 12)), draw(st.integers(4, 9)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x, z = ATOMS[rng.integers(0, len(ATOMS), n)], ATOMS[rng.integers(0, len(ATOMS), (k, p))]
    rows = [np.sort(rng.permutation(p)[: rng.integers(2, 5)]) for _ in range(n)]
    texts = np.full((n, 4), NO_TEXT)
    for i, row in enumerate(rows):
        texts[i, : len(row)] = row
    right = np.array([rng.integers(len(row)) for row in rows])
    pairs = {(i, int(row[r])) for i, (row, r) in enumerate(zip(rows, right, strict=True))}
    pairs |= {(int(i), int(rng.integers(p))) for i in range(n)}
    names = tuple(f"category {j}" for j in range(c)) if c > 1 else ()
    captions = Captions(tuple(f"{t:02d}" for t in range(p)), np.array(sorted(pairs)), None, rng.integers(0, c, n), names)
    return features_of(x), z, captions, Cases(texts, right, np.zeros_like(texts), 4, "any")


@given(world=worlds())
@checked
def test_figures_are_those_of_the_definitions(world: tuple[Features, Array, Captions, Cases]) -> None:
    features, z, captions, cases = world
    found, category = matched(features, z[0], captions, cases), captions.category.tolist()
    rows = [unit(x) @ z[0].T for x in np.asarray(features.x, float)]
    duels = [brute.duel(row[texts[texts != NO_TEXT]], r) for row, texts, r in zip(rows, cases.texts, cases.right, strict=True)]
    assert found.winner.tolist() == [winner for _, _, winner, _ in duels]
    assert found.margin == pytest.approx([true - rival for true, rival, _, _ in duels], abs=F4)
    assert found.hit.tolist() == [winner == r for (_, _, winner, _), r in zip(duels, cases.right, strict=True)]
    assert found.accuracy == pytest.approx(np.mean(found.hit), abs=1e-12)
    per = brute.mean_per_class(found.hit.astype(float).tolist(), category, captions.groups)
    assert found.per_category == pytest.approx(per, abs=1e-12, nan_ok=True)
    owners: dict[int, list[int]] = {}
    for picture, text in captions.right.tolist():
        owners.setdefault(text, []).append(category[picture])
    picks = [int(cases.texts[i, winner]) for i, (_, _, winner, _) in enumerate(duels)]
    of = [y if y in owners.get(t, ()) else owners.get(t, [NO_TEXT])[0] for t, y in zip(picks, category, strict=True)]
    wrong = [i for i, hit in enumerate(found.hit) if not hit]
    assert found.same == sum(of[i] == category[i] for i in wrong)
    assert found.other == sum(of[i] not in (category[i], NO_TEXT) for i in wrong)
    for c in range(captions.groups):
        right = sum(bool(found.hit[i]) and y == c for i, y in enumerate(category))
        both = category.count(c) + of.count(c)
        assert found.f1[c] == pytest.approx(2 * right / both if both else math.nan, nan_ok=True)
    order = hardest(found, len(duels)).tolist()
    assert order == sorted(range(len(duels)), key=lambda i: (found.hit[i], found.margin[i], i))


@given(world=worlds())
@checked
def test_the_rules_say_the_same_whatever_blocks_they_see(world: tuple[Features, Array, Captions, Cases]) -> None:
    features, z, captions, cases = world
    layout = layout_of(z, cases, captions, "cpu")
    names = [f"family {k}" for k in range(len(z))]
    made = [
        sweep(
            features,
            layout,
            ["caption-match", "cmm/overall"],
            RULES,
            source=LabelSource.TRUE,
            labels=cases.right,
            families=tuple(names),
            scale=1.0,
            listen=ignore,
            batch=batch,
        )
        for batch in (None, 1, 3)
    ]
    alone = [matched(features, rows, captions, cases) for rows in z]
    for board in made:
        assert board["caption-match"].value == pytest.approx([one.accuracy for one in alone], abs=1e-12)
        assert board["cmm/overall"].value == pytest.approx([one.margin.mean() for one in alone], abs=F4)


@given(world=worlds(), seed=st.integers(0, 99))
@checked
def test_the_order_in_which_pictures_and_texts_come_changes_no_figure(world: tuple[Features, Array, Captions, Cases], seed: int) -> None:
    features, z, captions, cases = world
    turn = np.random.default_rng(seed).permutation(len(cases))
    turned = replace(cases, texts=cases.texts[turn], right=cases.right[turn], shown=cases.shown[turn])
    first, second = matched(features, z[0], captions, cases), matched(features.take(turn, "all"), z[0], captions.take(turn), turned)
    assert np.array_equal(first.winner[turn], second.winner)
    assert (first.accuracy, first.interval) == (second.accuracy, second.interval)
    assert np.array_equal(first.per_category, second.per_category, equal_nan=True)


def test_a_comparison_is_paired() -> None:
    n, rng = 200, np.random.default_rng(0)
    captions = Captions(("0", "1"), np.stack([np.arange(n), np.zeros(n, int)], 1), None, rng.integers(0, 2, n), ("a", "b"))
    cases = Cases(np.tile([0, 1], (n, 1)), np.zeros(n, int), np.tile([0, 1], (n, 1)), 2, "any")

    def of(winner: Array) -> Matched:
        return judged(np.zeros((n, 2)), winner, 0.1 - 0.2 * winner, captions, cases, fixed=(1, 0), k=1, seed=0)

    base = (np.arange(n) < 80).astype(int)
    better = base * (np.arange(n) >= 20)
    d = compare(of(base), of(better), captions, 0)
    assert d.accuracy == pytest.approx(0.1)
    assert d.changed == pytest.approx(0.1)
    assert d.mcnemar_p == pytest.approx(2 * 0.5**20)
    assert d.interval is not None
    assert d.interval.low > 0
    gained = (base != better)[captions.category == 1].sum() / (captions.category == 1).sum()
    assert d.worst == pytest.approx(gained)
    same = compare(of(base), of(base), captions, 0)
    assert (same.accuracy, same.mcnemar_p, same.interval and same.interval.clear) == (0.0, 1.0, False)


@pytest.mark.parametrize("source", list(LabelSource))
def test_weights_of_every_source_prefer_the_family_that_is_right(source: LabelSource) -> None:
    n, rng = 60, np.random.default_rng(1)
    z = unit(rng.normal(size=(40, 16)))
    texts = np.sort(np.stack([rng.permutation(40)[:6] for _ in range(n)]), 1)
    right = rng.integers(0, 6, n)
    x = unit(z[texts[np.arange(n), right]] + 0.1 * rng.normal(size=(n, 16)))
    noise = unit(0.25 * z + unit(rng.normal(size=z.shape)))
    bank = bank_of(np.stack([z, z, noise]), scale=20.0)
    pairs = np.stack([np.arange(n), texts[np.arange(n), right]], 1)
    captions = Captions(tuple(f"{p:02d}" for p in range(40)), pairs, None, np.arange(n) % 3, ("a", "b", "c"))
    cases = Cases(texts, right, texts, 6, "any")
    evidence = CaptionEvidence(features_of(x), bank, RULES, "cpu", ignore, captions, cases)
    for way in ("cpe", "shrunk", "zpe", "caption-match"):
        if (way, source) == ("caption-match", LabelSource.SELF):
            continue  # each family is right by its own lights
        how = weighting(way, RULES, 3, scope="global", labels=source.value)
        weights, _ = find(how, evidence)
        assert weights.w[2] < weights.w[0] - 0.01, way
        assert weights.w[0] == pytest.approx(weights.w[1])
    forward, _ = find(weighting("forward:caption-match", RULES, 3), evidence)
    assert forward.w[2] == 0.0


@pytest.mark.parametrize(("name", "scope"), [("carprt", "auto"), ("cpe", "class"), ("shrunk", "auto")])
def test_weights_of_classes_are_refused(name: str, scope: str) -> None:
    with pytest.raises(UsageError, match="captions are no classes"):
        require_global(weighting(name, RULES, 3, scope=scope))


def test_shares_are_of_the_softmax_or_of_sigmoid_models_each_its_own() -> None:
    features, z, captions, cases = by_hand(np.tile(np.arange(4), (4, 1)))
    short = replace(cases, texts=np.where(np.arange(4) < 3, cases.texts, NO_TEXT), right=np.array([0, 2, 2, 1]))
    found = matched(features, z, captions, short)
    soft, own = shares(found, 100.0, None), shares(found, 100.0, -20.0)
    assert soft[:, :3] == pytest.approx(np.stack([brute.softmax(100 * row[:3]) for row in SCORES]), abs=1e-4)
    assert soft[:, 3].tolist() == own[:, 3].tolist() == [0.0] * 4
    assert own[0, 0] == pytest.approx(1 / (1 + math.exp(-11)), rel=1e-3)
