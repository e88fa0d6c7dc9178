"""Who stands in the way of a class: its namesakes, then those that take its images, then those whose row is near."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.analysis.rivals import rivals
from promptlab.types import Array, Classes, unit

CLASSES = Classes(tuple("abcdef"), (("crane",), ("heron",), ("CRANE", "lift"), ("owl",), ("emu",), ("bird", "crane")))
ROWS = unit(np.array([[1, 0, 0], [0.2, 1, 0], [0, 0, 1], [0.9, 0.1, 0], [0.5, 1, 0], [-1, 0, 0]], float))


def found(most: int, taken: list[int], c: int = 0) -> list[int]:
    """The rivals of class c where its images are won by those classes; other images are won by class 5."""
    winner = np.array([5, 5, 5, 5, *taken])
    return rivals(c, most, np.arange(4, len(winner)), winner, ROWS, CLASSES)


def test_namesakes_come_first_then_takers_then_the_nearest() -> None:
    assert found(9, [1, 4, 4, 0, 0, 0]) == [2, 4, 1, 3, 5]
    assert found(3, [1, 4, 4, 0, 0, 0]) == [2, 4, 1]


def test_takers_of_as_many_come_in_class_order() -> None:
    assert found(3, [4, 1, 3, 4, 3, 1]) == [2, 1, 3]


def test_only_the_images_of_the_class_count() -> None:
    assert found(9, [0]) == [2, 3, 4, 1, 5], "class 5 wins other images"


def test_a_class_without_images_is_told_by_its_row() -> None:
    assert found(3, [], c=1) == [4, 3, 0]


def test_a_second_name_makes_no_namesake() -> None:
    assert found(1, [], c=5) == [2], "the nearest, not `crane`"


def test_nobody_is_asked_for_none() -> None:
    assert found(0, [1]) == []


@given(st.integers(0, 5), st.integers(0, 9), st.lists(st.integers(0, 5), max_size=20))
def test_each_rival_once_never_the_class_itself_as_many_as_there_are(c: int, most: int, taken: list[int]) -> None:
    made = found(most, taken, c)
    assert c not in made
    assert len(set(made)) == len(made) == min(most, 5)


@pytest.mark.parametrize("images", [np.array([], int), np.array([], np.int64)])
def test_one_class_has_no_rival(images: Array) -> None:
    assert rivals(0, 3, images, np.array([0]), np.eye(1), Classes.of(["a"])) == []
