"""One line for the work at hand: what it is, how far it is, when it will be done, and how to stop it."""

import time
from collections import deque
from collections.abc import Callable

from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.widget import Widget

from promptlab.display import safe
from promptlab.events import Event, Finished, Progressed, Started
from promptlab.tui.widgets.plots import eighths

LOOKS_BACK = 20.0  # seconds that the rate is taken over: work that speeds up or slows down is seen to
BAR = (8, 32)  # cells: without the first there is no bar, and it grows no longer than the second


class _Work:
    """A piece of work that has begun and not finished."""

    def __init__(self, event: Started, now: float) -> None:
        self.name, self.total, self.unit, self.done, self.began = event.work, event.total, event.unit, 0, now
        self._steps: deque[tuple[float, int]] = deque()

    def step(self, done: int, now: float) -> None:
        """Takes down how much is done. The first step is where the rate begins: what was there before took no time."""
        self.done = done
        self._steps.append((now, done))
        while now - self._steps[0][0] > LOOKS_BACK and len(self._steps) > 2:
            self._steps.popleft()

    @property
    def rate(self) -> float:
        """Units a second; 0 while nobody can say."""
        if len(self._steps) < 2:
            return 0.0
        (began, first), (now, last) = self._steps[0], self._steps[-1]
        return (last - first) / (now - began) if now - began > 0.2 and last > first else 0.0

    @property
    def share(self) -> float | None:
        """The part that is done; None when nobody knows how much there is."""
        return min(self.done / self.total, 1.0) if self.total else None


class WorkLine(Widget):
    """The line, docked above a footer. It is hidden but between `begin` and `end`; work inside of work is shown while it lasts. Nothing in
    it moves by itself."""

    DEFAULT_CSS = """
    WorkLine { dock: bottom; margin: 0 0 1 0; height: 1; padding: 0 1; background: $panel; color: $foreground; display: none; }
    WorkLine.-working { display: block; }
    """

    def __init__(self, hint: str = "", now: Callable[[], float] = time.monotonic, id: str | None = None) -> None:
        super().__init__(id=id)
        self.hint, self._now = hint, now
        self._title, self._began = "", 0.0
        self._works: dict[str, _Work] = {}

    def on_mount(self) -> None:
        self._tick = self.set_interval(1.0, self.refresh, pause=True)

    def begin(self, title: str, hint: str | None = None) -> None:
        """Shows the line for work of this title; `hint` says how to stop it, the one from before when not given."""
        self._title, self._began, self.hint = safe(title, 60), self._now(), self.hint if hint is None else hint
        self._works.clear()
        self.add_class("-working")
        self._tick.resume()
        self.refresh()

    def take_over(self, other: "WorkLine") -> None:
        """Goes on where the line of another screen is."""
        if other.working:
            self.begin(other._title, other.hint)
            self._began, self._works = other._began, dict(other._works)

    def end(self) -> None:
        """Hides the line."""
        self._works.clear()
        self.remove_class("-working")
        self._tick.pause()

    @property
    def working(self) -> bool:
        """Whether it is shown."""
        return self.has_class("-working")

    def show(self, event: Event) -> None:
        """Takes in what the work says of itself; notes and what was saved are not for this line."""
        if isinstance(event, Started):
            self._works[event.work] = _Work(event, self._now())
        elif isinstance(event, Progressed) and event.work in self._works:
            self._works[event.work].step(event.done, self._now())
        elif isinstance(event, Finished):
            self._works.pop(event.work, None)
        else:
            return
        self.refresh()

    def render(self) -> Content:
        """The line, as much of it as there is room for."""
        return line(self._parts(), self._share(), self.hint, self.content_size.width)

    def _share(self) -> float | None:
        latest = next(reversed(self._works.values()), None)
        return latest.share if latest else None

    def _parts(self) -> list[str]:
        """What is said, the most important first."""
        work = next(reversed(self._works.values()), None)
        if work is None:
            return [self._title, duration(self._now() - self._began)]
        name = safe(work.name, 60)
        title = f"{self._title}: {name}" if self._title and name else self._title or name
        total = f"/{work.total:,}" if work.total else ""
        rate, left = work.rate, 0.0
        if work.total and rate:
            left = max(work.total - work.done, 0) / rate
        time_said = f"{duration(left)} left" if left else duration(self._now() - work.began)
        return [title, f"{work.done:,}{total} {safe(work.unit, 20)}", time_said, *([f"{_short(rate)}/s"] if rate else [])]


def line(parts: list[str], share: float | None, hint: str, width: int) -> Content:
    """Title, bar, figures, and the hint on the right; what there is no room for is left out, the hint and the title last."""
    room = max(width - (cell_len(hint) + 2 if hint else 0), 0)
    title = _cut(parts[0], room)
    said, used = "", cell_len(title)
    for part in parts[1:]:
        if used + cell_len(part) + 2 > room:
            break
        said, used = f"{said}  {part}", used + cell_len(part) + 2
    length = min(room - used - 2, BAR[1])
    bar = "" if share is None or length < BAR[0] else eighths(share, length)
    middle = Content.assemble("  ", (bar, "$primary on $surface")) if bar else Content("")
    left = Content.assemble((title, "bold"), middle, said)
    gap = max(width - left.cell_length - cell_len(hint), 0)
    return Content.assemble(left, " " * gap, (hint, "$text-muted")).truncate(width)


def duration(seconds: float) -> str:
    """`0:07`, `12:40`, `3:05:00`."""
    whole = max(round(seconds), 0)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def _short(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, max(width - 1, 0)).rstrip() + "…" * (width > 0)
