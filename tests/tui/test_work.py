"""The line for long work: what it says at each point, and that it fits."""

import asyncio

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.widgets import Footer, Static

from promptlab.events import Event, Finished, Noted, Progressed, Saved, Started
from promptlab.tui.widgets.work import WorkLine, duration, line

from .hostile import HOSTILE


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 50.0

    def __call__(self) -> float:
        return self.seconds


class Place(App[None]):
    """An app with the line and a footer."""

    CSS = "#body { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()

    def compose(self) -> ComposeResult:
        yield Static("x\n" * 20, id="body")
        yield Footer()
        yield WorkLine("esc: cancel", now=self.clock)


def said(steps: list[tuple[float, Event]], width: int = 100, title: str = "Run") -> str:
    """The line after these events at these seconds since it began."""

    async def scene() -> str:
        app = Place()
        async with app.run_test(size=(width, 10)) as pilot:
            shown = app.query_one(WorkLine)
            shown.begin(title)
            for seconds, event in steps:
                app.clock.seconds = 50.0 + seconds
                shown.show(event)
            await pilot.pause()
            text = shown.render().plain
            assert "".join(segment.text for segment in shown.render_line(0)).strip() == text.strip()
            assert cell_len(text) <= width
            return text

    return asyncio.run(scene())


ENCODE = Started("encode pictures", 5000, "pictures")


def test_it_says_work_how_far_how_fast_and_when_it_is_done() -> None:
    text = said([(0, ENCODE), (1, Progressed("encode pictures", 0)), (5, Progressed("encode pictures", 1240))], width=120)
    assert text.split("  ")[0] == "Run: encode pictures"
    assert "1,240/5,000 pictures  0:12 left  310/s" in text
    assert text.endswith("esc: cancel")
    assert text.count("█") == int(32 * 1240 / 5000)


def test_what_was_there_before_does_not_count_as_fast() -> None:
    text = said([(0, ENCODE), (1, Progressed("encode pictures", 4000)), (11, Progressed("encode pictures", 4100))])
    assert "1:30 left" in text
    assert "10/s" in text


def test_the_rate_forgets_what_was_long_ago() -> None:
    slow = [(float(n), Progressed("encode pictures", n)) for n in range(101)]
    fast = [(100.0 + n, Progressed("encode pictures", 100 + 50 * n)) for n in range(1, 31)]
    assert "50/s" in said([(0, ENCODE), *slow, *fast])


def test_without_a_total_there_is_no_bar_and_no_time_left() -> None:
    text = said([(0, Started("walk", None, "files")), (1, Progressed("walk", 10)), (9, Progressed("walk", 50))])
    assert "50 files  0:09  5.0/s" in text
    assert "█" not in text
    assert "left" not in text


def test_before_any_event_it_says_how_long_it_has_been() -> None:
    assert said([]).startswith("Run  0:00")


def test_inner_work_is_shown_until_it_ends_then_the_outer_again() -> None:
    outer: list[tuple[float, Event]] = [(0, Started("study", 3, "rules")), (1, Progressed("study", 1))]
    inner: list[tuple[float, Event]] = [(2, Started("encode", 9, "texts")), (3, Progressed("encode", 4))]
    assert "4/9 texts" in said(outer + inner)
    assert "1/3 rules" in said([*outer, *inner, (4, Finished("encode", 9))])
    assert "study" not in said([*outer, (4, Finished("study", 3))])


def test_events_of_work_that_never_began_and_nothing_to_do_are_borne() -> None:
    assert said([(0, Progressed("x", 3)), (0, Finished("x", 3)), (0, Noted("note")), (0, Saved("a", "b"))]).startswith("Run  0:00")
    assert "0 pictures" in said([(0, Started("encode", 0, "pictures")), (1, Progressed("encode", 0))])


def test_more_done_than_there_is_fills_the_bar_and_no_more() -> None:
    text = said([(0, Started("a", 10, "b")), (1, Progressed("a", 0)), (2, Progressed("a", 70))])
    assert text.count("█") == 32


def test_it_is_hidden_when_idle_and_above_the_footer_when_not() -> None:
    async def scene() -> None:
        app = Place()
        async with app.run_test(size=(80, 10)) as pilot:
            shown = app.query_one(WorkLine)
            assert not shown.display
            assert app.query_one("#body").region.height == 9
            shown.begin("Run")
            await pilot.pause()
            assert shown.working
            assert (shown.region.y, shown.region.height, app.query_one(Footer).region.y) == (8, 1, 9)
            assert app.query_one("#body").region.height == 8
            shown.end()
            await pilot.pause()
            assert not shown.display
            assert app.query_one("#body").region.height == 9
            shown.show(Progressed("a", 1))  # a message that was on its way
            assert not shown.working

    asyncio.run(scene())


def test_the_line_of_another_screen_goes_on_where_the_first_was() -> None:
    async def scene() -> None:
        app = Place()
        async with app.run_test(size=(100, 10)) as pilot:
            first, second = app.query_one(WorkLine), WorkLine(now=app.clock)
            await app.mount(second)
            second.take_over(first)
            assert not second.working
            first.begin("Run")
            first.show(ENCODE)
            first.show(Progressed("encode pictures", 0))
            second.take_over(first)
            app.clock.seconds += 10
            second.show(Progressed("encode pictures", 100))
            await pilot.pause()
            assert second.working
            assert "100/5,000 pictures  8:10 left  10/s" in second.render().plain
            assert second.render().plain.endswith("esc: cancel")

    asyncio.run(scene())


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:12])
@pytest.mark.parametrize("width", [1, 20, 80])
def test_outside_text_stays_text_and_the_line_one_line(text: str, width: int) -> None:
    shown = said([(0, Started(text, 10, text)), (1, Progressed(text, 1))], width, title=text)
    assert not [ch for ch in shown if ch in "\x1b\x07\u202e\n\u2028\t"]
    if text.startswith("[") and width == 80:
        assert text in shown


@pytest.mark.parametrize("width", range(0, 130, 3))
def test_the_line_fits_every_width_and_gives_up_the_title_last(width: int) -> None:
    shown = line(["Run: encode", "1/2 pictures", "0:01 left", "5/s"], 0.5, "esc", width)
    assert shown.cell_length <= width
    if width > 20:
        assert shown.plain.startswith("Run: encode")
        assert shown.plain.endswith("esc")


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (760, "12:40"), (11100, "3:05:00"), (-1, "0:00")]
)
def test_durations(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
