"""From the thread that works to the screen: few enough messages for the screen to keep up with, and the brake."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any, TypeVar

from textual.message import Message

from promptlab.events import Cancelled, Event, Progressed, Started

T = TypeVar("T")


def guarded(do: Callable[[Any], T], given: Any) -> "T | BaseException":
    """What something gave, or how it failed: no worker may close the app."""
    try:
        return do(given)
    except BaseException as error:  # plugins and libraries raise what they like; in this thread nothing else is there to end
        return error


async def aside(do: Callable[[Any], T], given: Any) -> "T | BaseException":
    """What something long gave, or how it failed. Whoever leaves while it is stuck need not wait, as for a thread of asyncio's own."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[T | BaseException] = loop.create_future()

    def work() -> None:
        made = guarded(do, given)
        with suppress(RuntimeError):  # nobody waits any more: the loop is closed
            loop.call_soon_threadsafe(lambda: None if found.done() else found.set_result(made))

    Thread(target=work, daemon=True, name="work").start()
    return await found


class Told(Message):
    """Work said something of itself."""

    def __init__(self, event: Event) -> None:
        super().__init__()
        self.event = event


class Bridge:
    """A listener that is called where the work is done, and posts what it hears to where it is shown.

    Of progress it posts what comes `every` seconds or later after the last of the same work; of everything else, all. A message takes
    the screen a tenth of a millisecond and more, so that 20,000 of them would hold up the keys for seconds.
    """

    def __init__(self, post: Callable[[Told], object], every: float = 0.05, now: Callable[[], float] = time.monotonic) -> None:
        self._post, self._every, self._now = post, every, now
        self._posted: dict[str, float] = {}
        self._stopped = False

    def __call__(self, event: Event) -> None:
        """Passes the event on. Raises Cancelled once it was stopped."""
        if self._stopped:
            raise Cancelled
        if self._is_wanted(event):
            self._post(Told(event))

    def stop(self) -> None:
        """Makes the next event, and all after it, end the work; what is finished by then is kept. For any thread."""
        self._stopped = True

    @property
    def stopped(self) -> bool:
        """Whether somebody stopped it; the work may be on its way to its next event still."""
        return self._stopped

    def _is_wanted(self, event: Event) -> bool:
        if isinstance(event, Started):
            self._posted.pop(event.work, None)  # work that comes again shows its first step again
        if not isinstance(event, Progressed):
            return True
        now = self._now()
        if now - self._posted.get(event.work, -self._every) < self._every:
            return False
        self._posted[event.work] = now
        return True
