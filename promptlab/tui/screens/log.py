"""What happened: events, warnings, failures."""

from collections.abc import Iterable
from typing import Any

from promptlab.display import many
from promptlab.tui.commands import Command
from promptlab.tui.page import Page
from promptlab.tui.widgets.log import LogTable


class LogPage(Page):
    """The log of this app."""

    MODE = "log"
    ABOUT = "What work said of itself, warnings and failures, of plugins too. The log of a run is its events.jsonl."
    DOES = (
        Command("log.loud", "f", "loud", "Warnings", "Show warnings and errors alone, or everything again.", "promptlab doctor"),
        Command("log.copy", "y", "copy", "Copy", "Copy the selected lines, else all.", "promptlab doctor --json"),
    )

    def body(self) -> Iterable[Any]:
        """The log belongs to the app: it begins before this screen."""
        yield LogTable(self.lab_app.logged, id="log")

    def on_mount(self) -> None:
        """The log has the focus."""
        self.query_one(LogTable).focus()

    def action_loud(self) -> None:
        """Warnings and errors alone, or everything."""
        table = self.query_one(LogTable)
        table.loud_only = not table.loud_only

    def action_copy(self) -> None:
        """The selected lines, else all."""
        text = self.query_one(LogTable).copied()
        self.app.copy_to_clipboard(text)
        self.lab_app.tell(f"Copied {many(len(text.splitlines()), 'line')}.")
