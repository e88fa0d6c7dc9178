"""A run that another process works on."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from rich.text import Text
from textual.widgets import Static

from promptlab.display import safe
from promptlab.events import Event, Finished, Started
from promptlab.runs import Run, State
from promptlab.tui.commands import Command
from promptlab.tui.follow import Follow
from promptlab.tui.page import Page
from promptlab.tui.widgets.log import Log, LogTable, spoken
from promptlab.tui.widgets.work import duration

EVERY = 0.5  # seconds between two looks


class Following(Page):
    """What the run's events say, as they come; the run is opened when it is finished."""

    MODE = "log"
    ABOUT = "A run that another process works on. It is opened as soon as it is finished; leave it with esc, and it goes on all the same."
    DOES = (
        Command("following.leave", "escape", "leave", "Leave", "Leave it; it goes on.", "promptlab runs"),
        Command("following.copy", "y", "copy", "Copy", "Copy what happened.", "promptlab runs show latest", False),
    )

    def __init__(self, run: Run, now: Callable[[], datetime] = datetime.now) -> None:
        super().__init__()
        self.run, self.over, self.log_of = run, False, Log()
        self._follow, self._now = Follow(run.path), now
        self._began = now()
        self._works: dict[str, tuple[datetime, Started]] = {}

    def body(self) -> Iterable[Any]:
        """What is being done, and what was."""
        yield Static("", id="following", markup=False)
        yield LogTable(self.log_of, id="followed")

    def on_mount(self) -> None:
        """Look at once, then again and again."""
        self.query_one(LogTable).focus()
        self._timer = self.set_interval(EVERY, self.look)
        self.look()

    def on_screen_resume(self) -> None:
        """A run that ended while another screen was in front is opened now."""
        if self.over:
            self._conclude()

    def look(self) -> None:
        """Show what is new, and whether it is over."""
        state = self.run.state if self.run.is_ours else None  # before the events: those of its last moment are read as well
        for when, event in self._follow.new():
            self._take(when, event)
            if (said := spoken(event)) is not None:
                self.log_of.add(*said, when)
        self.query_one("#following", Static).update(Text(self.said(), "bold", no_wrap=True, overflow="ellipsis"))
        if state is not State.RUNNING:
            self.over = True
            self._timer.stop()
            self._conclude()

    def _take(self, when: datetime, event: Event) -> None:
        if isinstance(event, Started):
            self._works[event.work] = when, event
        elif isinstance(event, Finished):
            self._works.pop(event.work, None)

    def said(self) -> str:
        """What is being done, and for how long."""
        name = safe(self.run.name, 60)
        if not self._works:
            return f" {name}: at work for {self._since(self._began)}"
        when, event = next(reversed(self._works.values()))
        total = "" if event.total is None else f"{event.total:,} "
        return f" {name}: {safe(event.work, 60)}, {total}{safe(event.unit, 20)}, for {self._since(when)}"

    def _since(self, when: datetime) -> str:
        return duration((self._now().replace(tzinfo=None) - when.replace(tzinfo=None)).total_seconds())

    def _conclude(self) -> None:
        """Open the run, or say what became of it; where another screen is in front, only say so."""
        app, state = self.lab_app, self.run.state if self.run.is_ours else None
        if not self.is_active:
            app.tell(f"{self.run.name} is over; the log shows it." if state is None else f"{self.run.name} is {state}. 6 opens it.")
            return
        app.pop_screen()
        if state is None:
            self._leave(f"The run {self.run.name} is gone: it failed, or somebody deleted it.")
        elif state is State.UNFINISHED:
            self._leave(f"The run {self.run.name} was broken off. `promptlab run --run {self.run.name}` goes on with it.")
        else:
            app.open_run(str(self.run.path))

    def _leave(self, why: str) -> None:
        self.lab_app.log_line("warning", why)
        self.lab_app.tell(why, "warning")
        self.lab_app.call_later(self.lab_app.go, "start" if self.bench is None else "runs")

    def action_leave(self) -> None:
        """To the runs; it goes on without being watched."""
        self.app.pop_screen()
        self.lab_app.call_later(self.lab_app.go, "runs")

    def action_copy(self) -> None:
        """What happened, line by line."""
        self.app.copy_to_clipboard(self.query_one(LogTable).copied())
        self.lab_app.tell("Copied.")
