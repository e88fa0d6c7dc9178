"""Screens to read: a comparison, a report."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text
from textual.containers import VerticalScroll
from textual.widgets import Static

from promptlab.display import safe
from promptlab.report import markdown
from promptlab.report.tables import Table
from promptlab.tui.commands import Command
from promptlab.tui.page import Page
from promptlab.tui.widgets.tables import ReportTable

MOST = 1_000_000  # bytes of a report that are shown
BACK = "Back to the runs."


class Compared(Page):
    """Two runs side by side."""

    MODE = "runs"
    ABOUT = "Differences are of the second run against the first, picture by picture; brackets are 95 % intervals."
    DOES = (
        Command("compared.back", "escape", "app.pop_screen", "Back", BACK, "promptlab runs"),
        Command("compared.copy", "y", "copy", "Copy", "Copy all of it as Markdown.", "promptlab compare latest 2026-01-31"),
    )

    def __init__(self, title: str, verdict: str, tables: Sequence[Table]) -> None:
        super().__init__()
        self.title_line, self.verdict, self.tables = title, verdict, tuple(tables)

    def body(self) -> Iterable[Any]:
        """Names, what it comes to, tables."""
        with VerticalScroll(id="compared"):
            yield Static(Text(self.title_line), markup=False)
            yield Static(Text(f"{self.verdict}\n", "bold"), markup=False)
            for table in self.tables:
                yield ReportTable(table)

    def on_mount(self) -> None:
        """What scrolls has the focus."""
        self.query_one("#compared").focus()

    def action_copy(self) -> None:
        """All of it as Markdown."""
        said = [markdown.escape(self.title_line), markdown.escape(self.verdict), *map(markdown.table, self.tables)]
        self.app.copy_to_clipboard("\n\n".join(said))
        self.lab_app.tell("Copied.")


class Paper(Page):
    """The report of a run."""

    MODE = "runs"
    ABOUT = "The report that the run keeps; `promptlab report` makes the one with pictures, for a browser."
    DOES = (
        Command("paper.back", "escape", "app.pop_screen", "Back", BACK, "promptlab runs"),
        Command("paper.copy", "y", "copy", "Copy", "Copy the report.", "promptlab runs show latest"),
    )

    def __init__(self, path: Path, title: str) -> None:
        super().__init__()
        self._path, self._title = path, title
        self.text = ""

    def body(self) -> Iterable[Any]:
        """The text."""
        with VerticalScroll(id="paper"):
            yield Static("", id="paper-text", markup=False)

    def on_mount(self) -> None:
        """Read it in the background: whoever gave us the folder may have written the report, too."""
        self.query_one("#paper").focus()
        self.beside(self._read)

    async def _read(self) -> None:
        try:
            self.text = await asyncio.to_thread(_text, self._path)
        except OSError:
            self.text = f"{safe(self._title)}: there is no report."
        self.query_one("#paper-text", Static).update(Text(self.text))

    def action_copy(self) -> None:
        """The whole text."""
        self.app.copy_to_clipboard(self.text)
        self.lab_app.tell("Copied.")


def _text(path: Path) -> str:
    if not path.is_file():  # a pipe would be waited for
        raise FileNotFoundError(path)
    with open(path, "rb") as file:
        data = file.read(MOST + 1)
    lines = [safe(line, 10_000) for line in data[:MOST].decode("utf-8", "backslashreplace").splitlines()]
    return "\n".join([*lines, "..."] if len(data) > MOST else lines)
