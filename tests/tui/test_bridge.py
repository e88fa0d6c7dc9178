"""What of the events reaches the screen, and how the screen stops the work."""

import asyncio
import time
from threading import Event as Gate

import pytest
from textual.app import App
from textual.worker import WorkerState

from promptlab.events import Cancelled, Event, Finished, Noted, Progressed, Saved, Started
from promptlab.tui.bridge import Bridge, Told, aside

MANY = 20_000


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def posted(bridge_events: list[tuple[float, Event]]) -> list[Event]:
    """What a bridge posts of events told at these times."""
    clock, heard = Clock(), list[Event]()
    bridge = Bridge(lambda told: heard.append(told.event), now=clock)
    for seconds, event in bridge_events:
        clock.seconds = seconds
        bridge(event)
    return heard


def test_progress_is_posted_twenty_times_a_second_at_most() -> None:
    heard = posted([(n / 1024, Progressed("encode", n)) for n in range(201)])
    assert [event.done for event in heard if isinstance(event, Progressed)] == [0, 52, 104, 156]


def test_each_work_has_its_own_pace() -> None:
    events: list[Event] = [Progressed("a", 1), Progressed("b", 1), Progressed("a", 2), Progressed("b", 2)]
    assert posted([(0.0, event) for event in events]) == events[:2]


def test_work_that_begins_again_shows_its_first_step() -> None:
    events: list[Event] = [Progressed("a", 1), Finished("a", 9), Started("a", 9, "pictures"), Progressed("a", 2)]
    assert posted([(0.0, event) for event in events]) == events


def test_everything_else_is_posted_in_order() -> None:
    events: list[Event] = [Started("a", None, "pictures"), Noted("x"), Noted("x"), Saved("x", "y"), Finished("a", 0)] * 3
    assert posted([(0.0, event) for event in events]) == events


def test_the_brake_ends_the_work_at_the_next_event_and_at_every_later_one() -> None:
    heard: list[Event] = []
    bridge = Bridge(lambda told: heard.append(told.event))
    bridge(Noted("before"))
    assert not bridge.stopped
    bridge.stop()
    for event in (Progressed("a", 1), Noted("after")):
        with pytest.raises(Cancelled):
            bridge(event)
    assert bridge.stopped
    assert heard == [Noted("before")]


class Busy(App[None]):
    """An app whose worker tells more than a screen can show."""

    def __init__(self, last: int = MANY) -> None:
        super().__init__()
        self.last, self.heard, self.bridge = last, list[Event](), Bridge(self.post_message)

    def on_told(self, told: Told) -> None:
        self.heard.append(told.event)

    def work_hard(self) -> str:
        try:
            self.bridge(Started("encode", self.last, "pictures"))
            for n in range(self.last):
                self.bridge(Progressed("encode", n))
            self.bridge(Finished("encode", self.last))
        except Cancelled:  # nothing of ours may leave a worker as a BaseException: Textual would not see it end
            return "cancelled"
        return "done"


def test_twenty_thousand_events_cost_the_screen_next_to_nothing() -> None:
    async def scene() -> None:
        app = Busy()
        async with app.run_test() as pilot:
            began = time.monotonic()
            worker = app.run_worker(app.work_hard, thread=True)
            assert await worker.wait() == "done"
            await pilot.pause()
            took = time.monotonic() - began
        assert (app.heard[0], app.heard[-1]) == (Started("encode", MANY, "pictures"), Finished("encode", MANY))
        assert len(app.heard) <= 4 + took / 0.05
        assert took < 10  # posted one by one they would take as long on a fast machine alone

    asyncio.run(scene())


def test_a_worker_that_would_run_for_ever_stops_when_the_app_says_so() -> None:
    async def scene() -> None:
        app = Busy(last=10**12)
        async with app.run_test() as pilot:
            worker = app.run_worker(app.work_hard, thread=True)
            while len(app.heard) < 3:
                await pilot.pause(0.01)
            app.bridge.stop()
            assert await asyncio.wait_for(worker.wait(), 20) == "cancelled"
            assert worker.state is WorkerState.SUCCESS

    asyncio.run(scene())


def test_whoever_leaves_does_not_wait_for_work_that_is_stuck() -> None:
    gate = Gate()

    async def scene() -> None:
        stuck = asyncio.ensure_future(aside(lambda given: gate.wait(60), None))
        await asyncio.sleep(0.01)
        stuck.cancel()

    began = time.monotonic()
    asyncio.run(scene())
    assert time.monotonic() - began < 10
    gate.set()
    assert isinstance(asyncio.run(aside(lambda given: 1 / given, 0)), ZeroDivisionError)
