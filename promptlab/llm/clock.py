"""The one place where asking reads the time, and waits."""

import time
from datetime import UTC, datetime
from threading import Event


class Clock:
    """Time as it goes; tests put another in its place."""

    def now(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()

    def date(self) -> datetime:
        """The time of day, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float, stop: Event) -> None:
        """Waits so long, or until `stop`."""
        stop.wait(seconds)
