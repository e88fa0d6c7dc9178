import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.encode.parts import Part
from promptlab.errors import UsageError


@given(st.integers(0, 500), st.integers(1, 60))
def test_parts_tile_exactly_and_differ_by_one_at_most(n: int, of: int) -> None:
    parts = [Part(number, of).rows(n) for number in range(1, of + 1)]
    assert [i for rows in parts for i in rows] == list(range(n))
    assert {len(rows) for rows in parts} <= {n // of, n // of + 1}


def test_a_part_is_written_as_its_number_and_how_many_there_are() -> None:
    assert Part.parse("3/10") == Part(3, 10)
    assert str(Part.parse("03/10")) == "3/10"


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "0/0"])
def test_a_part_that_does_not_exist_is_told(text: str) -> None:
    with pytest.raises(UsageError, match=rf"no part {text}; parts are counted from 1"):
        Part.parse(text)


@pytest.mark.parametrize("text", ["a/b", "", "3", "3/", "/3", "-1/3", "1/2/3", "1.5/3", "1 / 3", "٣/٣", "1/3\n", "9999999999/9999999999"])
def test_what_is_no_part_is_told_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="how many there are were expected") as caught:
        Part.parse(text)
    assert "3/10" in caught.value.hint
