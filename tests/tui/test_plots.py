"""Plots: the right lengths, the whole width and height, and no number that breaks them."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult

from promptlab.tui.widgets.plots import COLUMNS, Ranked, bar, columns, spark

NUMBERS = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))


@pytest.mark.parametrize(
    ("share", "width", "shown"),
    [
        (0.0, 4, "    "),
        (1.0, 4, "████"),
        (0.5, 4, "██  "),
        (0.5, 1, "▌"),
        (1 / 32, 4, "▏   "),
        (31 / 32, 4, "███▉"),
        (7.0, 2, "██"),
        (-1.0, 2, "  "),
        (None, 3, "   "),
        (math.nan, 3, "   "),
        (0.5, 0, ""),
    ],
)
def test_a_bar_is_right_to_the_eighth(share: float | None, width: int, shown: str) -> None:
    assert bar(share, width).plain == shown


@given(NUMBERS, st.integers(0, 40))
def test_a_bar_is_as_wide_as_it_was_asked_to_be(share: float | None, width: int) -> None:
    assert cell_len(bar(share, width).plain) == width


def test_a_spark_goes_from_lowest_to_highest_with_gaps() -> None:
    assert spark([0, 1, None, 7]).plain == "▁▂ █"
    assert spark([0.5, math.nan, 1.0], low=0.0, high=1.0).plain == "▅ █"


def test_a_spark_of_what_is_all_the_same_is_in_the_middle() -> None:
    assert spark([3, 3, 3]).plain == "▄▄▄"
    assert spark([]).plain == ""
    assert spark([None]).plain == " "


@given(st.lists(NUMBERS, max_size=30))
def test_a_spark_has_one_cell_a_value(values: list[float | None]) -> None:
    shown = spark(values).plain
    assert len(shown) == len(values)
    assert [mark == " " for mark in shown] == [v is None or not math.isfinite(v) for v in values]


def test_columns_have_the_heights_of_their_values() -> None:
    assert columns([0.0, 0.5, 1.0], 3, 2) == ["  █", "▁██"]
    assert columns([0.25, 0.75], 4, 1) == ["▂▂▆▆"]
    assert columns([0.0, 1.0, 1.0, 1.0], 2, 1) == ["▄█"]


@given(st.lists(st.floats(0, 1), max_size=50), st.integers(0, 30), st.integers(0, 5))
def test_columns_fill_width_and_height_and_keep_their_order(values: list[float], width: int, height: int) -> None:
    rows = columns(sorted(values), width, height)
    assert [len(row) for row in rows] == [width] * height
    heights = [sum(COLUMNS.index(row[x]) for row in rows) for x in range(width)]
    assert heights == sorted(heights)
    if values and width and height:
        assert min(heights) >= 1


class Place(App[None]):
    """An app with the plot."""

    CSS = "Ranked { height: 1fr; }"

    def compose(self) -> ComposeResult:
        yield Ranked([0.9, None, 0.1, 0.5])


def test_ranked_sorts_fills_its_place_and_says_what_it_shows() -> None:
    async def scene() -> None:
        app = Place()
        async with app.run_test(size=(60, 5)) as pilot:
            plot = app.query_one(Ranked)
            *rows, legend = plot.render().plain.split("\n")
            assert [len(row) for row in rows] == [60] * 4
            assert rows[-1] == "▃" * 20 + "█" * 40
            assert legend.startswith("10.0% · median 50.0% · 90.0% · 3 classes")
            assert len(legend) <= 60
            await pilot.resize_terminal(90, 3)
            await pilot.pause(0.05)
            assert plot.render().plain.split("\n")[-1].endswith("3 classes · 1 without a value")
            assert len(plot.render().plain.split("\n")) == 3
            plot.set_values([])
            assert plot.render().plain.split("\n")[-1] == "nothing to show"
            await pilot.resize_terminal(2, 1)
            await pilot.pause(0.05)

    asyncio.run(scene())
