"""What long work says of itself while it runs, and the brake.

A function that takes long has one extra parameter, `listen`. It calls it with the events below, at batch boundaries. The listener is
also the brake: it may raise `Cancelled`, and everything finished until then is kept.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Started:
    """A piece of work begins."""

    work: str
    """What is done, e.g. `encode pictures`: the name that its `Progressed` and `Finished` carry."""
    total: int | None
    """How many units there are; None when nobody knows yet, 0 when there is nothing to do."""
    unit: str
    """What one unit is, in the plural, e.g. `pictures`."""


@dataclass(frozen=True, slots=True)
class Progressed:
    """Some units of a piece of work are done."""

    work: str
    """As in `Started`."""
    done: int
    """Units done since the start, never a difference; 0 is possible."""


@dataclass(frozen=True, slots=True)
class Noted:
    """Something that a person should know; the work goes on."""

    text: str
    """One or two sentences."""
    level: str = "warning"
    """`info` or `warning`."""


@dataclass(frozen=True, slots=True)
class Saved:
    """Something is on disk now."""

    what: str
    """What it is: `classifier`, `report`, `scores` or `study`."""
    path: str
    """Where it is."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A piece of work is done."""

    work: str
    """As in `Started`."""
    done: int
    """Units done anew; 0 when all of it was there before."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A question to a language model got its reply, or is given up."""

    about: str
    """What was asked about, e.g. the class."""
    text: str
    """The reply as it came; empty when there is none."""
    fault: str
    """Why there is none; empty when there is one."""
    kept: bool
    """Whether it had been answered before, so that nothing was sent."""


Event = Started | Progressed | Noted | Saved | Finished | Answered
Listener = Callable[[Event], None]


class Cancelled(BaseException):
    """Raised by a listener to stop the work at the next batch. A BaseException, so that no guard against a plugin swallows it."""


def counted_from(start: int, listen: Listener) -> Listener:
    """A listener for a part of a larger work, whose progress counts on from `start`."""

    def later(event: Event) -> None:
        listen(Progressed(event.work, event.done + start) if isinstance(event, Progressed) else event)

    return later


def ignore(event: Event) -> None:
    """The listener of somebody who does not listen."""
