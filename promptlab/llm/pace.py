"""How fast requests may follow each other: a bucket of requests and one of tokens, both filled by the minute."""

import math
from threading import Event, Lock

from promptlab.llm.clock import Clock
from promptlab.llm.question import Limits

MINUTE = 60.0


class Pace:
    """When the next request may start; threads share it. A bucket holds one request's worth, so a minute has no burst at its beginning."""

    def __init__(self, limits: Limits, clock: Clock, stop: Event) -> None:
        self._each = {"requests": limits.rate, "tokens": limits.tokens}
        self._free = dict.fromkeys(self._each, -math.inf)
        self._held = -math.inf
        self._clock, self._stop, self._lock = clock, stop, Lock()

    def wait(self, tokens: int) -> None:
        """Until a request of so many tokens may start, or until the stop."""
        with self._lock:
            now = self._clock.now()
            start = max(now, self._held, *self._free.values())
            self._take({"requests": 1, "tokens": tokens}, start)
        # What is held back meanwhile, because the server asked for a pause, holds for those that wait already, too.
        while not self._stop.is_set() and (rest := max(start, self._held) - self._clock.now()) > 0:
            self._clock.sleep(rest, self._stop)

    def _take(self, amounts: dict[str, int], start: float) -> None:
        for name, amount in amounts.items():
            if self._each[name]:
                self._free[name] = max(start, self._free[name]) + amount * MINUTE / self._each[name]

    def give_back(self, tokens: int) -> None:
        """Tokens that were waited for and not used."""
        with self._lock:
            if self._each["tokens"]:
                self._free["tokens"] -= tokens * MINUTE / self._each["tokens"]

    def hold(self, seconds: float) -> None:
        """No request starts within so many seconds."""
        with self._lock:
            self._held = max(self._held, self._clock.now() + seconds)
