"""Cases: what is drawn for a picture, against definitions written out."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.errors import DataError, UsageError
from promptlab.score.cases import draw
from promptlab.types import NO_TEXT, Captions, Cases
from score.planted import checked

WORDS = ("a dog", "A dog", "a cat", "a tree", "two men", "Two Men", "the sea", "a red car", "snow", "Snow")


def captions_of(
    own: Sequence[Sequence[str]], category: Sequence[int] = (), wrong: Sequence[Sequence[str]] | None = None, categories: int = 0
) -> Captions:
    """Captions of plain lists of texts."""
    texts = tuple(sorted({text for side in (own, wrong or ()) for said in side for text in said}))

    def pairs(side: Sequence[Sequence[str]]) -> np.ndarray:
        return np.array([(i, texts.index(text)) for i, said in enumerate(side) for text in said]).reshape(-1, 2)

    group = np.array(category, int) if len(category) else np.zeros(len(own), int)
    return Captions(texts, pairs(own), None if wrong is None else pairs(wrong), group, tuple(f"category {c}" for c in range(categories)))


def keys_of(n: int) -> tuple[str, ...]:
    return tuple(f"{i:03d}.jpg" for i in range(n))


def said(cases: Cases, captions: Captions, i: int) -> list[str]:
    """The candidates of picture i."""
    return [captions.texts[t] for t in cases.texts[i] if t != NO_TEXT]


@st.composite
def worlds(draw_: st.DrawFn) -> Captions:
    n = draw_(st.integers(2, 7))
    some = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3, unique=True)
    own = [draw_(some) for _ in range(n)]
    wrong = [draw_(some) for _ in range(n)] if draw_(st.booleans()) else None
    return captions_of(own, [draw_(st.integers(0, 1)) for _ in range(n)], wrong, categories=2)


@given(captions=worlds(), source=st.sampled_from(["given", "same", "other", "any"]), asked=st.integers(2, 6), seed=st.integers(0, 3))
@checked
def test_candidates_are_what_the_definition_allows_and_as_many_as_there_are(captions: Captions, source: str, asked: int, seed: int) -> None:
    if source == "given" and captions.wrong is None:
        return
    own = [{captions.texts[t].casefold() for t in texts} for texts in captions.of(captions.right)]
    offered, elsewhere = [], 0
    for i, mine in enumerate(own):
        if source == "given":
            assert captions.wrong is not None
            pool = {captions.texts[t].casefold() for t in captions.of(captions.wrong)[i]}
        else:
            kin = {"any": [0, 1], "same": [captions.category[i]], "other": [1 - captions.category[i]]}[source]
            pool = {text for j, texts in enumerate(own) if j != i and captions.category[j] in kin for text in texts}
        every = {text for j, texts in enumerate(own) if j != i for text in texts}
        elsewhere += not pool - mine
        offered.append(pool - mine or every - mine)
    keys = keys_of(len(captions))
    if not all(offered):
        with pytest.raises(DataError, match=f"'{keys[[bool(pool) for pool in offered].index(False)]}'"):
            draw(captions, keys, asked, source, seed)
        return
    cases = draw(captions, keys, asked, source, seed)
    assert cases.elsewhere == elsewhere
    for i, (mine, pool) in enumerate(zip(own, offered, strict=True)):
        row = said(cases, captions, i)
        assert (cases.texts[i, len(row) :] == NO_TEXT).all()
        right = row.pop(int(cases.right[i]))
        assert right.casefold() in mine
        assert {text.casefold() for text in row} <= pool
        assert len({text.casefold() for text in row}) == len(row) == min(asked - 1, len(pool))
        assert sorted(cases.shown[i].tolist()) == sorted([*range(len(row) + 1), *[NO_TEXT] * (cases.texts.shape[1] - len(row) - 1)])
    assert cases.chance == pytest.approx(np.mean([1 / (1 + min(asked - 1, len(pool))) for pool in offered]))


def test_one_caption_of_each_other_picture_before_a_second_one() -> None:
    captions = captions_of([[f"{i} says {j}" for j in range(3)] for i in range(6)])
    for asked, most in ((6, 1), (7, 2), (11, 2), (12, 3)):
        for seed in range(5):
            cases = draw(captions, keys_of(6), asked, "any", seed)
            for i in range(6):
                whose = [text.split()[0] for text in said(cases, captions, i)]
                others = [who for who in whose if who != str(i)]
                assert len(others) == asked - 1
                assert max(others.count(who) for who in others) == most
                assert len(set(others)) == 5


def test_the_right_caption_of_a_picture_is_the_same_among_whatever_others() -> None:
    own = [[f"{i} says {j}" for j in range(5)] for i in range(30)]
    keys, some = keys_of(30), np.arange(3, 30, 2)
    whole = draw(captions_of(own), keys, 4, "any", 7)
    part = draw(captions_of([own[i] for i in some]), [keys[i] for i in some], 4, "any", 7)
    of_whole = [said(whole, captions_of(own), i)[whole.right[i]] for i in some]
    of_part = [said(part, captions_of([own[i] for i in some]), n)[part.right[n]] for n in range(len(some))]
    assert of_whole == of_part
    assert len({text.split()[-1] for text in of_whole}) > 1, "not always the first"


def test_other_seeds_draw_other_cases_and_the_same_seed_the_same() -> None:
    captions = captions_of([[f"{i} says {j}" for j in range(5)] for i in range(30)])
    first, again, other = (draw(captions, keys_of(30), 6, "any", seed) for seed in (0, 0, 1))
    assert np.array_equal(first.texts, again.texts)
    assert np.array_equal(first.shown, again.shown)
    assert not np.array_equal(first.texts, other.texts)
    assert first.source == "any"
    assert len(np.unique(first.right)) > 1, "the right one stands anywhere"


def test_what_the_data_gives_is_taken_whatever_order_it_has_and_all_of_it_unless_fewer_are_asked_for() -> None:
    own, wrong = [["a dog"], ["a cat"]], [["x", "y", "z", "A DOG"], ["y", "x"]]
    captions, turned = captions_of(own, wrong=wrong), captions_of(own, wrong=[said[::-1] for said in wrong])
    cases = draw(captions, keys_of(2), 0, "auto", 0)
    assert [sorted(said(cases, captions, i)) for i in range(2)] == [["a dog", "x", "y", "z"], ["a cat", "x", "y"]]
    assert (cases.source, cases.short, cases.chance) == ("given", 0, pytest.approx((1 / 4 + 1 / 3) / 2))
    few = [draw(one, keys_of(2), 3, "given", 5) for one in (captions, turned)]
    assert np.array_equal(few[0].texts, few[1].texts)
    assert few[0].size.tolist() == [3, 3]
    asked = draw(captions, keys_of(2), 4, "given", 0)
    assert (asked.size.tolist(), asked.short) == ([4, 3], 1)


def test_what_cannot_be_drawn_is_said() -> None:
    plain = captions_of([["a dog"], ["a cat"]])
    for source in ("given", "same", "other"):
        with pytest.raises(UsageError, match=f"(or may show several|no wrong captions), so --distractors {source} cannot be used"):
            draw(plain, keys_of(2), 2, source, 0)
    for own in ([["Snow"], ["snow"]], [["snow"]]):
        with pytest.raises(DataError, match=r"No caption is wrong for the picture '000.jpg'") as found:
            draw(captions_of(own), keys_of(len(own)), 2, "any", 0)
        assert "--" not in found.value.hint, "not every command that draws cases has that option"


def test_a_picture_that_the_source_has_nothing_for_gets_captions_of_any_other() -> None:
    alone = captions_of([["a dog"], ["a cat"], ["snow"]], [0, 0, 1], categories=2)
    cases = draw(alone, keys_of(3), 3, "same", 0)
    assert [sorted(said(cases, alone, i)) for i in range(3)] == [["a cat", "a dog"], ["a cat", "a dog"], ["a cat", "a dog", "snow"]]
    assert (cases.elsewhere, cases.short, cases.source) == (1, 2, "same")
    some = captions_of([[f"{i} says so"] for i in range(20)], wrong=[["a tree"], ["snow", "19 SAYS SO"], *[[]] * 17, ["19 Says so"]])
    given_ = draw(some, keys_of(20), 0, "auto", 0)
    assert (given_.source, given_.elsewhere, given_.size.tolist()) == ("given", 18, [2, 3, *[12] * 18])


def test_no_order_in_which_anything_is_listed_changes_a_case() -> None:
    own = [[f"{i} says {j}" for j in range(4)] for i in range(20)]
    wrong = [[f"{i} never says {j}" for j in range(6)] for i in range(20)]
    category, keys, turn = [i % 3 for i in range(20)], keys_of(20), np.random.default_rng(0).permutation(20)
    plain = captions_of(own, category, wrong, categories=3)
    turned = captions_of([own[i][::-1] for i in turn], [category[i] for i in turn], [wrong[i][::-1] for i in turn], categories=3)
    for source in ("given", "same", "other", "any"):
        first = draw(plain, keys, 5, source, 1)
        second = draw(turned, [keys[i] for i in turn], 5, source, 1)
        for name in ("texts", "right", "shown"):
            assert np.array_equal(getattr(first, name)[turn], getattr(second, name)), (source, name)


@pytest.mark.parametrize("right_first", [True, False])
def test_where_a_right_caption_stands_follows_neither_the_alphabet_nor_what_is_right(right_first: bool) -> None:
    n, (early, late) = 1200, ("a{}", "b{}")
    mine, others = (early, late) if right_first else (late, early)
    captions = captions_of([[mine.format(i)] for i in range(n)], wrong=[[others.format(3 * i + j) for j in range(3)] for i in range(n)])
    cases = draw(captions, keys_of(n), 4, "given", 0)
    places = np.bincount(cases.right, minlength=4)
    assert (abs(places - n / 4) < 4 * np.sqrt(n * 3 / 16)).all(), "of four equal vectors the right one wins in a quarter of the cases"
    twin = captions_of([["a dog"], ["a cat"]], wrong=[["a cat"], ["a dog"]])
    for seed in range(20):
        same = draw(twin, ("k.jpg", "l.jpg"), 2, "given", seed)
        turned = draw(captions_of([["a cat"], ["a dog"]], wrong=[["a dog"], ["a cat"]]), ("k.jpg", "l.jpg"), 2, "given", seed)
        assert np.array_equal(same.texts, turned.texts), "the row is the same whichever caption of it is right"


def test_thousands_of_pictures_are_drawn_without_trying_all_pairs() -> None:
    n = 4000
    rng = np.random.default_rng(0)
    right = np.stack([np.arange(n), np.arange(n)], 1)
    captions = Captions(tuple(f"{i:05d}" for i in range(n)), right, None, rng.integers(0, 20, n), tuple(map(str, range(20))))
    for source in ("same", "other", "any"):
        cases = draw(captions, keys_of(n), 12, source, 0)
        kin = captions.category[cases.texts] == captions.category[:, None]
        wrong = cases.texts != np.arange(n)[:, None]
        assert cases.texts.shape == (n, 12)
        assert wrong.sum() == 11 * n
        assert source == "any" or (kin[wrong] == (source == "same")).all()
        assert np.bincount(cases.texts[wrong]).max() < 45, "no caption is drawn far more often than others"
