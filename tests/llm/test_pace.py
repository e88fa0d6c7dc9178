"""Requests follow each other no faster than they may, by a clock that nobody waits for."""

from threading import Event

import pytest
from faults import reply, serving

from promptlab.llm.pace import Pace
from promptlab.llm.question import Limits

from .conftest import Asked, Hourglass, questions


def starts(pace: Pace, clock: Hourglass, n: int, tokens: int = 0) -> list[float]:
    found = []
    for _ in range(n):
        pace.wait(tokens)
        found.append(clock.now())
    return found


def busiest(times: list[float]) -> int:
    return max(sum(t <= other < t + 60 for other in times) for t in times)


def test_no_minute_has_more_requests_than_it_may(hourglass: Hourglass) -> None:
    times = starts(Pace(Limits(rate=30), hourglass, Event()), hourglass, 100)
    assert busiest(times) <= 30
    assert times[-1] - times[0] == pytest.approx(99 * 2)


def test_no_minute_has_more_tokens_than_it_may(hourglass: Hourglass) -> None:
    times = starts(Pace(Limits(tokens=6000), hourglass, Event()), hourglass, 50, tokens=500)
    assert busiest(times) * 500 <= 6000
    assert times[-1] - times[0] == pytest.approx(49 * 5)


def test_tokens_that_were_not_used_are_free_again(hourglass: Hourglass) -> None:
    pace = Pace(Limits(tokens=6000), hourglass, Event())
    for _ in range(10):
        pace.wait(500)
        pace.give_back(400)
    assert sum(hourglass.slept) == pytest.approx(9)


def test_an_idle_minute_is_not_saved_up(hourglass: Hourglass) -> None:
    pace = Pace(Limits(rate=30), hourglass, Event())
    pace.wait(0)
    hourglass.time += 600
    assert busiest(starts(pace, hourglass, 100)) <= 30


def test_without_limits_nobody_waits(hourglass: Hourglass) -> None:
    starts(Pace(Limits(), hourglass, Event()), hourglass, 100, tokens=10_000)
    assert not hourglass.slept


def test_a_pause_that_the_server_asks_for_holds_for_all(hourglass: Hourglass) -> None:
    pace = Pace(Limits(), hourglass, Event())
    pace.hold(7)
    times = starts(pace, hourglass, 3)
    assert times == [1007.0] * 3


def test_after_a_pause_the_pace_is_kept(hourglass: Hourglass) -> None:
    pace = Pace(Limits(rate=30), hourglass, Event())
    pace.hold(60)
    assert starts(pace, hourglass, 4) == [1060.0, 1062.0, 1064.0, 1066.0]


def test_asking_keeps_the_pace(asked: Asked, hourglass: Hourglass) -> None:
    with serving(reply()) as server:
        asked(server, questions(12), rate=20)
    assert sum(hourglass.slept) == pytest.approx(11 * 3)
