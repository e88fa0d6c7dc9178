"""Random words: the same for every class, as long as what they stand in for, and others for another seed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.prompts.babble import Babble
from promptlab.shipped import folder


def counted(text: str) -> int:
    """Tokens as a tokenizer counts them that marks start and end and cuts words after four letters."""
    return 2 + sum(-(-len(word) // 4) for word in text.split())


def test_the_same_seed_says_the_same_to_everybody_and_another_something_else() -> None:
    like = "a tall wading bird with a long neck"
    said = [Babble(seed, counted)(n, like) for seed in (0, 0, 1) for n in (0, 1)]
    assert said[:2] == said[2:4]
    assert len(set(said)) == 4


@given(st.integers(0, 5), st.lists(st.text("abcdefgh", min_size=1, max_size=9), max_size=12).map(" ".join))
def test_it_is_as_long_and_not_a_word_longer(n: int, like: str) -> None:
    words = Babble(3, counted)(n, like).split()
    assert words
    assert counted(" ".join(words)) >= counted(like)
    assert len(words) == 1 or counted(" ".join(words[:-1])) < counted(like)


def test_a_shorter_phrase_is_the_beginning_of_a_longer_one() -> None:
    babble = Babble(0, counted)
    long, short = babble(2, "one two three four five six seven eight"), babble(2, "one two")
    assert long.startswith(short + " ")


@pytest.mark.parametrize("like", ["", "  "])
def test_nothing_is_answered_with_one_word(like: str) -> None:
    assert len(Babble(0, counted)(0, like).split()) == 1


def test_its_words_are_plain_ones() -> None:
    known = set(folder("words.txt").read_text("utf-8").split())
    said = {word for n in range(20) for word in Babble(0, counted)(n, "one two three four five").split()}
    assert said <= known
    assert len(said) > 30
    assert all(word.isascii() and word.isalpha() and word.islower() for word in known)
