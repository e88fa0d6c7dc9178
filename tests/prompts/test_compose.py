import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.errors import DataError, MismatchError
from promptlab.prompts.compose import clean, compose
from promptlab.prompts.templates import template
from promptlab.types import Classes, PromptGrid

words = st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp")), min_size=1, max_size=8)
name_lists = st.lists(st.lists(words, min_size=1, max_size=3), min_size=1, max_size=6)
template_lists = st.lists(st.sampled_from(["{}", "a {}", "the {}.", "{} {}", "A {}"]), min_size=1, max_size=4, unique=True)


def grid_of(names: list[list[str]], *sources: str) -> PromptGrid:
    ids = tuple(str(c) for c in range(len(names)))
    return compose(Classes(ids, tuple(tuple(n) for n in names)), [template(s) for s in sources])


def texts_in(grid: PromptGrid, k: int, c: int) -> list[str]:
    return [grid.texts[p] for i, j, p in grid.cell if (i, j) == (k, c)]


@given(name_lists, template_lists)
def test_the_grid_is_rectangular(names: list[list[str]], sources: list[str]) -> None:
    grid = grid_of(names, *sources)
    cells = {(int(k), int(c)) for k, c, _ in grid.cell}
    assert cells == {(k, c) for k in range(len(sources)) for c in range(len(names))}


@given(name_lists, template_lists)
def test_each_text_is_kept_once_and_used(names: list[list[str]], sources: list[str]) -> None:
    grid = grid_of(names, *sources)
    assert len(set(grid.texts)) == len(grid.texts)
    assert set(grid.cell[:, 2]) == set(range(len(grid.texts)))


def test_a_cell_says_its_template_of_its_class() -> None:
    grid = grid_of([["cat"], ["dog"]], "a {}", "the {}.")
    assert [[texts_in(grid, k, c) for c in (0, 1)] for k in (0, 1)] == [[["a cat"], ["a dog"]], [["the cat."], ["the dog."]]]
    assert grid.families == ("a {}", "the {}.")


def test_several_names_give_several_texts_in_the_cell() -> None:
    grid = grid_of([["cat", "kitten"], ["dog"]], "a {}")
    assert texts_in(grid, 0, 0) == ["a cat", "a kitten"]
    assert texts_in(grid, 0, 1) == ["a dog"]


def test_equal_names_of_one_class_count_once() -> None:
    assert texts_in(grid_of([["cat", "cat", " cat "]], "a {}"), 0, 0) == ["a cat"]


def test_classes_with_equal_names_keep_their_own_cells() -> None:
    grid = grid_of([["missile"], ["cat"], ["missile"]], "a {}")
    assert len(grid.texts) == 2
    assert texts_in(grid, 0, 0) == texts_in(grid, 0, 2) == ["a missile"]
    assert sorted(map(tuple, grid.cell[:, :2])) == [(0, 0), (0, 1), (0, 2)]


@pytest.mark.parametrize(
    "token",
    [
        "<end_of_text>",
        "<start_of_text>",
        "<END_OF_TEXT>",
        "<|endoftext|>",
        "<|startoftext|>",
        "&lt;end_of_text&gt;",
        "&amp;lt;end_of_text&amp;gt;",
        "&amp;amp;lt;end_of_text&amp;amp;gt;",
        "&" + "amp;" * 20 + "lt;end_of_text>",
        "＆lt;end_of_text＆gt;",
        "＜end_of_text＞",
        "<end_of_&#116;ext>",
        "<end_of\u200b_text>",
    ],
)
def test_a_special_token_in_a_name_does_not_end_the_text(token: str) -> None:
    # The tokenizer repairs full-width signs and unescapes HTML twice before it looks for its tokens.
    import open_clip

    (text,) = grid_of([[f"cat {token} dog"]], "a {} here").texts
    ids = open_clip.get_tokenizer("ViT-B-32")([text])[0].tolist()
    plain = open_clip.get_tokenizer("ViT-B-32")(["a cat dog here"])[0].tolist()
    assert ids.count(49407) == plain.count(49407) == 1
    assert ids.count(49406) == 1
    assert {320, 2368, 1929} <= set(ids)


@pytest.mark.parametrize("token", ["</s>", "<s>", "<pad>", "<eos>", "<BOS>", "&lt;/s&gt;", "&amp;amp;amp;lt;pad>", "<unk>", "<mask>"])
def test_the_tokens_of_other_tokenizers_are_gone(token: str) -> None:
    assert clean(f"cat {token} dog") == "cat dog"


def test_entities_without_end_take_no_time() -> None:
    assert clean("&" + "amp;" * 1_000_000 + "lt;end_of_text>") == ""


@given(st.text(max_size=60))
def test_clean_text_has_no_control_character_and_stays_clean(text: str) -> None:
    cleaned = clean(text)
    assert not [ch for ch in cleaned if unicodedata.category(ch) == "Cc"]
    assert clean(cleaned) == cleaned
    assert cleaned == " ".join(cleaned.split())


@given(words)
def test_ordinary_words_pass_unchanged(word: str) -> None:
    assert clean(f"a {word} b") == f"a {word} b"


@pytest.mark.parametrize("bad", ["\x1b]0;x\x07", "\x9b31m", "\u202ecat", "a\x00b", "tab\there", "line\nbreak", "\ufeffcat"])
def test_control_and_bidi_characters_are_gone(bad: str) -> None:
    cleaned = clean(bad)
    assert not [ch for ch in cleaned if unicodedata.category(ch) == "Cc" or unicodedata.bidirectional(ch) in ("RLO", "LRO", "RLE")]
    assert "\ufeff" not in cleaned


@pytest.mark.parametrize("emoji", ["🐟", "⭐️", "👩‍🚀", "🏳️‍🌈", "🇩🇪"])
def test_emoji_survive(emoji: str) -> None:
    assert clean(f"a {emoji} here") == f"a {emoji} here"


@pytest.mark.parametrize("name", ["\x07", "\u202e", "<end_of_text>", " \x00 "])
def test_a_name_of_which_nothing_is_left_is_refused_by_its_class(name: str) -> None:
    with pytest.raises(DataError, match="class 'c1'"):
        compose(Classes(("c0", "c1"), (("cat",), (name,))), [template("a {}")])


def test_a_name_of_which_nothing_is_left_is_no_matter_beside_a_good_one() -> None:
    assert texts_in(grid_of([["\x07", "cat"]], "a {}"), 0, 0) == ["a cat"]


def test_a_very_long_name_makes_a_text() -> None:
    name = "long " * 1000
    assert grid_of([[name]], "a photo of a {}.").texts == (f"a photo of a {name.strip()}.",)


def test_an_entry_points_to_family_class_and_text() -> None:
    grid = grid_of([["cat"], ["dog"]], "a {}", "{}")
    assert grid.cell.dtype.kind == "i"
    assert [grid.texts[p] for _, _, p in grid.cell] == ["a cat", "a dog", "cat", "dog"]


def test_a_grid_with_an_empty_cell_is_refused() -> None:
    with pytest.raises(DataError, match="1 of 1 x 2 cells"):
        PromptGrid(Classes.of(["cat", "dog"]), ("a {}",), ("a cat",), np.array([[0, 0, 0]]))


def test_a_grid_of_another_shape_is_refused() -> None:
    with pytest.raises(MismatchError, match=r"\(T, 3\)"):
        PromptGrid(Classes.of(["cat"]), ("a {}",), ("a cat",), np.zeros((1, 2), int))
