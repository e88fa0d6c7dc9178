"""What happened, line by line: the newest last, warnings apart if wanted, and plain text to copy."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.geometry import Size
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from promptlab.display import safe
from promptlab.events import Event, Finished, Noted, Saved, Started

LEVELS = ("note", "warning", "error", "work", "saved")
LOUD = ("warning", "error")
CAPACITY = 5000  # lines
LONGEST = 2000  # characters of a line


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the log."""

    when: datetime
    """When it happened."""
    level: str
    """One of LEVELS."""
    text: str
    """What happened, safe to show."""

    @property
    def plain(self) -> str:
        """The line as it is shown and copied."""
        return f"{self.when:%H:%M:%S}  {self.level:<7}  {self.text}"


def spoken(event: Event) -> tuple[str, str] | None:
    """(level, text) of an event; None for progress, which is no news."""
    if isinstance(event, Started):
        return "work", f"{event.work}: {'' if event.total is None else f'{event.total:,} '}{event.unit}"
    if isinstance(event, Finished):
        return "work", f"{event.work}: done, {event.done:,} anew"
    if isinstance(event, Saved):
        return "saved", f"{event.what}: {event.path}"
    if isinstance(event, Noted):
        return {"info": "note", "error": "error"}.get(event.level, "warning"), event.text
    return None


class Log:
    """The lines, whether or not a screen shows them. It forgets the oldest beyond CAPACITY."""

    def __init__(self, now: Callable[[], datetime] = datetime.now) -> None:
        self._now = now
        self.lines: list[Line] = []
        self.watchers: list[Callable[[Line, Line | None], None]] = []
        """Called with each new line, and the one that was forgotten for it."""

    def tell(self, event: Event) -> None:
        """Adds what an event says."""
        said = spoken(event)
        if said:
            self.add(*said)

    def add(self, level: str, text: str, when: datetime | None = None) -> None:
        """Adds a line, as of now unless it says when; text from outside may hold anything."""
        line = Line(when or self._now(), level if level in LEVELS else "note", safe(text, LONGEST))
        self.lines.append(line)
        gone = self.lines.pop(0) if len(self.lines) > CAPACITY else None
        for watcher in self.watchers:
            watcher(line, gone)


class LogTable(ScrollView, can_focus=True):
    """A log on the screen. It follows its end unless it was scrolled up."""

    ALLOW_SELECT = True
    COMPONENT_CLASSES = {"log--quiet", "log--warning", "log--error", "log--saved"}  # noqa: RUF012 - Textual declares it so
    DEFAULT_CSS = """
    LogTable { height: 1fr; width: 1fr; background: $surface; color: $foreground; overflow: auto; }
    LogTable > .log--quiet { color: $text-muted; }
    LogTable > .log--warning { color: $text-warning; }
    LogTable > .log--error { color: $text-error; }
    LogTable > .log--saved { color: $text-success; }
    """

    loud_only: var[bool] = var(False, init=False)
    """Whether only warnings and errors are shown."""

    def __init__(self, log: Log, id: str | None = None) -> None:
        super().__init__(id=id)
        self._source, self._shown = log, list[Line]()
        self._widest, self._follows = 0, True

    def on_mount(self) -> None:
        """Shows what there is, and from now on what comes."""
        self._source.watchers.append(self._take)
        self.watch_loud_only()

    def on_unmount(self) -> None:
        """Listens no more."""
        self._source.watchers.remove(self._take)

    def _take(self, line: Line, gone: Line | None) -> None:
        above = bool(gone and self._shown and self._shown[0] is gone)
        if above:
            self._shown.pop(0)
        if self._is_wanted(line):
            self._shown.append(line)
            self._widest = max(self._widest, cell_len(line.plain))
        self._arrange(int(above))

    @property
    def lines(self) -> list[str]:
        """What is shown, line by line."""
        return [line.plain for line in self._shown]

    def copied(self) -> str:
        """The selected lines as plain text, all that are shown where none is selected."""
        selection = self.text_selection
        chosen = selection.extract("\n".join(self.lines)) if selection else ""
        return chosen or "\n".join(self.lines)

    def watch_loud_only(self) -> None:
        """Shows all lines anew, from the end."""
        self._shown = [line for line in self._source.lines if self._is_wanted(line)]
        self._widest = max((cell_len(line.plain) for line in self._shown), default=0)
        self._follows = True
        self._arrange()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Whoever scrolls up reads; whoever scrolls to the end follows it again."""
        super().watch_scroll_y(old_value, new_value)
        self._follows = new_value >= self.max_scroll_y

    def on_resize(self, event: events.Resize) -> None:
        """Stays where it was."""
        self._arrange()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """What a selection by mouse holds."""
        return selection.extract("\n".join(self.lines)), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """A selection is seen at once."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Row y of what can be seen now."""
        across, down = self.scroll_offset
        width, at = self.scrollable_content_region.width, down + y
        if at >= len(self._shown):
            return Strip.blank(width, self.rich_style)
        text = self._styled(self._shown[at], at)
        strip = Strip(text.render(self.app.console), text.cell_len).apply_style(self.rich_style)
        return strip.crop_extend(across, across + width, self.rich_style).apply_offsets(across, at)

    def _styled(self, line: Line, at: int) -> Text:
        text = Text(line.plain, no_wrap=True, end="")
        kind = line.level if line.level in (*LOUD, "saved") else "quiet"
        until = len(line.plain) if line.level in LOUD else len(line.plain) - len(line.text)
        text.stylize(self.get_component_rich_style(f"log--{kind}", partial=True), 0, until)
        span = self.text_selection.get_span(at) if self.text_selection else None
        if span:
            text.stylize(self.screen.get_component_rich_style("screen--selection"), span[0], len(text) if span[1] == -1 else span[1])
        return text

    def _is_wanted(self, line: Line) -> bool:
        return line.level in LOUD or not self.loud_only

    def _arrange(self, gone_above: int = 0) -> None:
        """Makes room for what is shown, and stays at the end, or at the lines that are read."""
        follows, down = self._follows, self.scroll_y
        self.virtual_size = Size(self._widest, len(self._shown))
        if follows:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True)
        elif gone_above:
            self.scroll_to(y=max(down - gone_above, 0), animate=False, force=True)
        self._follows = follows
        self.refresh()
