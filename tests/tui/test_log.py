"""The log: what it says, that it follows its end, and that nothing from outside is more than text."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from promptlab.events import Event, Finished, Noted, Progressed, Saved, Started
from promptlab.tui.widgets import log as module
from promptlab.tui.widgets.log import CAPACITY, Log, LogTable

from .hostile import HOSTILE

NOON = datetime(2026, 1, 2, 12, 0, 0)
Scene = Callable[["Pilot[None]", LogTable, Log], Coroutine[Any, Any, None]]


class Place(App[None]):
    """An app with a log."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = Log(now=lambda: NOON)

    def compose(self) -> ComposeResult:
        yield LogTable(self.kept)


def played(scene: Scene, size: tuple[int, int] = (60, 10)) -> None:
    async def play() -> None:
        app = Place()
        async with app.run_test(size=size) as pilot:
            await scene(pilot, app.query_one(LogTable), app.kept)

    asyncio.run(play())


def screen(log: LogTable) -> list[str]:
    return [log.render_line(y).text.rstrip() for y in range(log.size.height)]


async def filled(pilot: Pilot[None], kept: Log, n: int, start: int = 0) -> None:
    for i in range(start, start + n):
        kept.add("warning" if i % 10 == 0 else "note", f"line {i}")
    await pilot.pause()


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Started("encode", 1234, "pictures"), "12:00:00  work     encode: 1,234 pictures"),
        (Started("walk", None, "files"), "12:00:00  work     walk: files"),
        (Finished("encode", 5), "12:00:00  work     encode: done, 5 anew"),
        (Saved("classifier", "/a/b"), "12:00:00  saved    classifier: /a/b"),
        (Noted("mind", "info"), "12:00:00  note     mind"),
        (Noted("mind"), "12:00:00  warning  mind"),
        (Noted("mind", "error"), "12:00:00  error    mind"),
        (Noted("mind", "[/x]"), "12:00:00  warning  mind"),
    ],
)
def test_events_become_lines(event: Event, line: str) -> None:
    async def scene(pilot: Pilot[None], log: LogTable, kept: Log) -> None:
        kept.tell(event)
        await pilot.pause()
        assert log.lines == [line]
        assert screen(log)[0] == line

    played(scene)


def test_progress_is_no_news() -> None:
    async def scene(pilot: Pilot[None], log: LogTable, kept: Log) -> None:
        kept.tell(Progressed("a", 1))
        assert log.lines == []

    played(scene)


def test_it_follows_the_end_until_it_is_scrolled_up_and_again_once_it_is_back() -> None:
    async def scene(pilot: Pilot[None], log: LogTable, kept: Log) -> None:
        await filled(pilot, kept, 300)
        assert screen(log)[-1].endswith("line 299")
        log.scroll_to(y=50, animate=False)
        await pilot.pause()
        await filled(pilot, kept, 100, 300)
        assert screen(log)[0].endswith("line 50")
        log.scroll_end(animate=False)
        await pilot.pause()
        await filled(pilot, kept, 5, 400)
        assert screen(log)[-1].endswith("line 404")
        await pilot.resize_terminal(60, 5)
        await pilot.pause()
        assert screen(log)[-1].endswith("line 404")
        await pilot.resize_terminal(60, 20)
        await pilot.pause()
        assert screen(log)[-1].endswith("line 404")

    played(scene)


def test_keys_scroll_it() -> None:
    async def scene(pilot: Pilot[None], log: LogTable, kept: Log) -> None:
        await filled(pilot, kept, 100)
        log.focus()
        await pilot.press("home")
        await pilot.pause(0.6)
        assert screen(log)[0].endswith("line 0")
        await filled(pilot, kept, 5, 100)
        assert screen(log)[0].endswith("line 0")

    played(scene)


def test_lines_added_while_it_is_hidden_are_there_when_it_is_shown() -> None:
    async def scene(pilot: Pilot[None], log: LogTable, kept: Log) -> None:
        log.display = False
        await pilot.pause()
        await filled(pilot, kept, 100)
        log.display = True
        await pilot.pause()
        assert screen(log)[-1].endswith("line 99")

    played(scene)


def test_the_oldest_lines_go_and_those_that_are_read_stay_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CAPACITY", 100)

    async def scene(pilot: Pilot[None], log: LogTable, kept: Log) -> None:
        await filled(pilot, kept, 150)
        assert (len(log.lines), log.lines[0][-7:]) == (100, "line 50")
        log.scroll_to(y=30, animate=False)
        await pilot.pause()
        await filled(pilot, kept, 20, 150)
        assert screen(log)[0].endswith("line 80")
        await filled(pilot, kept, 200, 170)
        assert screen(log)[0].endswith("line 270")

    played(scene)


def test_warnings_alone_and_all_again() -> None:
    async def scene(pilot: Pilot[None], log: LogTable, kept: Log) -> None:
        await filled(pilot, kept, 95)
        kept.add("error", "broken")
        log.loud_only = True
        await pilot.pause()
        assert [line.split()[-1] for line in log.lines] == [*map(str, range(0, 95, 10)), "broken"]
        assert screen(log)[-1].endswith("broken")
        kept.add("note", "quiet")
        assert not log.lines[-1].endswith("quiet")
        log.loud_only = False
        await pilot.pause()
        assert len(log.lines) == 97
        assert screen(log)[-1].endswith("quiet")

    played(scene)


def test_when_full_it_still_takes_lines_quickly() -> None:
    async def scene(pilot: Pilot[None], log: LogTable, kept: Log) -> None:
        await filled(pilot, kept, CAPACITY + 2000)
        assert len(log.lines) == CAPACITY
        assert screen(log)[-1].endswith(f"line {CAPACITY + 1999}")
        log.loud_only = True
        assert len(log.lines) == CAPACITY // 10

    began = datetime.now()
    played(scene)
    assert (datetime.now() - began).total_seconds() < 10


def test_copying_gives_what_is_shown_or_what_is_selected() -> None:
    async def scene(pilot: Pilot[None], log: LogTable, kept: Log) -> None:
        assert log.copied() == ""
        await filled(pilot, kept, 30)
        assert log.copied() == "\n".join(log.lines)
        assert log.copied().count("\n") == 29
        await pilot.mouse_down(log, offset=(0, 2))
        await pilot.hover(log, offset=(30, 4))
        await pilot.mouse_up(log, offset=(30, 4))
        await pilot.pause()
        assert log.copied().split("\n") == log.lines[22:25]
        assert pilot.app.screen.get_selected_text() == log.copied()

    played(scene)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:12])
def test_what_comes_from_outside_stays_text_on_one_line(text: str) -> None:
    async def scene(pilot: Pilot[None], log: LogTable, kept: Log) -> None:
        kept.add(text, text)
        for event in (Started(text, 1, text), Noted(text, text), Saved(text, text), Finished(text, 1)):
            kept.tell(event)
        await pilot.pause()
        assert len(log.lines) == 5
        assert len(log.copied().splitlines()) == 5
        assert not [ch for line in screen(log) for ch in line if ch in "\x1b\x07\u202e"]
        if text.startswith("["):
            assert screen(log)[0].endswith(text)
        await pilot.click(log, offset=(20, 0))
        assert pilot.app.is_running

    played(scene)


def test_a_log_is_kept_while_nothing_shows_it_and_then_shown_whole() -> None:
    async def scene(pilot: Pilot[None], log: LogTable, kept: Log) -> None:
        await filled(pilot, kept, 3)
        await log.remove()
        await filled(pilot, kept, 30, 3)
        assert kept.watchers == []
        kept.add("note", "earlier", datetime(2026, 1, 2, 3, 4, 5))
        again = LogTable(kept)
        await pilot.app.mount(again)
        await pilot.pause()
        assert again.lines == [line.plain for line in kept.lines]
        assert screen(again)[-1] == "03:04:05  note     earlier"

    played(scene)
