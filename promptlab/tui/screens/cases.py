"""The cases of a caption run, hardest first: each picture with the captions that it was to choose from."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from rich.text import Text
from textual.containers import Horizontal, Vertical
from textual.widgets import DataTable, Static

from promptlab.display import many, safe
from promptlab.errors import PromptlabError
from promptlab.report import cases
from promptlab.report.cases import Candidate, Case
from promptlab.report.tables import cosine, percent
from promptlab.runs import VERBS, Run
from promptlab.tui.commands import Command
from promptlab.tui.page import Page
from promptlab.tui.widgets.grid import Column, Grid
from promptlab.tui.widgets.picture import Picture

RIGHT, PICKED = "✓", "✗"


class CasesPage(Page):
    """Hard cases, one by one."""

    MODE = "runs"
    ABOUT = (
        "Cases, hardest first: the margin is the right caption minus the best wrong one, in cosine units, below zero where a wrong one was"
        " picked. ✓ is right, ✗ was picked instead."
    )
    DOES = (
        Command("cases.back", "escape", "app.pop_screen", "Back", "Back to the runs.", "promptlab runs"),
        Command("cases.wrong", "f", "wrong", "Wrong", "Wrong picks alone, or all cases.", "promptlab runs show latest"),
        Command("cases.copy", "y", "copy", "Copy", "Copy the case with its candidates.", "promptlab match --json"),
    )

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run_shown, self.wrong_only = run, False
        self.cases: dict[str, Case] = {}
        self._look: Callable[[str], bytes] | None = None
        self._seen = ""  # the case that is shown

    def body(self) -> Iterable[Any]:
        """Cases; beside them the picture and its candidates."""
        with Horizontal():
            with Vertical(id="case-list"):
                yield Static("", id="case-count", markup=False)
                yield Grid([Column("margin", "margin", 8, True), Column("asked", "case", 20, grow=1)], id="hard-cases")
            with Vertical(id="case"):
                yield Picture(id="case-picture")
                yield Static("", id="case-about", markup=False)
                yield Grid([Column("mark", "", 1), Column("share", "%", 5, True), Column("text", "candidate", 20, grow=1)], id="candidates")

    def on_mount(self) -> None:
        """Read the cases in the background."""
        self.query_one("#hard-cases").focus()
        self.beside(self._read)

    # -- showing ------------------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        found = await asyncio.to_thread(cases.read, self.run_shown)
        self.cases = {str(n): one for n, one in enumerate(found)}
        self._draw()
        try:
            self._look = await asyncio.to_thread(self.lab_app.lab.pictures_of, str(self.run_shown.path))
        except PromptlabError as error:
            self.query_one(Picture).lack(error.message)
        self._show()

    def _draw(self) -> None:
        shown = {key: one for key, one in self.cases.items() if not (self.wrong_only and one.hit)}
        self.query_one("#hard-cases", Grid).show((key, (cosine(one.margin), one.asked)) for key, one in shown.items())
        verb, most = VERBS.get(self.run_shown.task, ""), " the first" if len(self.cases) == cases.MOST else ""
        wrong = sum(not one.hit for one in self.cases.values())
        count = f"{most} {many(len(shown), 'case')} of {verb}, {wrong} of them wrong" if self.cases else " This run keeps no cases."
        self.query_one("#case-count", Static).update(Text(count, "dim"))

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """The case under the cursor is shown."""
        if event.data_table.id == "hard-cases":
            self._show()

    @property
    def _current(self) -> tuple[str, Case] | None:
        key = self.query_one("#hard-cases", Grid).current
        return None if key is None else (key, self.cases[key])

    def _show(self) -> None:
        if self._current is None:
            self.query_one("#candidates", Grid).show(())
            self.query_one("#case-about", Static).update("")
            self.query_one(Picture).lack("")
            self._seen = ""
            return
        key, one = self._current
        self.query_one("#candidates", Grid).show((str(n), _cells(candidate)) for n, candidate in enumerate(one.candidates))
        self.query_one("#case-about", Static).update(_about(one))
        if self._look is not None and key != self._seen:
            self._seen = key
            self.beside(partial(self._picture, one.picture, self._look), "picture")

    async def _picture(self, key: str, look: Callable[[str], bytes]) -> None:
        box = self.query_one(Picture)
        try:
            data = await asyncio.to_thread(look, key)
        except (PromptlabError, OSError) as error:
            box.lack(error.message if isinstance(error, PromptlabError) else str(error), safe(key, 60))
        else:
            box.show(data, safe(Path(key).name, 60))

    # -- doing --------------------------------------------------------------------------------------------------------------------

    def action_wrong(self) -> None:
        """Wrong picks alone, or all cases."""
        self.wrong_only = not self.wrong_only
        self._draw()
        self._show()

    def action_copy(self) -> None:
        """The case, as plain text."""
        if self._current is None:
            return
        _, one = self._current
        answers = (" ".join(filter(None, map(str, _cells(candidate)))) for candidate in one.candidates)
        lines = [f"{one.asked}: margin {cosine(one.margin)}", *(f"  {answer}" for answer in answers)]
        self.app.copy_to_clipboard("\n".join(safe(line, 10_000) for line in lines))
        self.lab_app.tell("Copied the case.")


def _about(one: Case) -> Text:
    """What is right, and what was picked instead, in full: the table cuts long captions."""
    said = [f"{one.asked}"] if one.asked != one.picture else []
    said += [f"{one.about} · {Path(one.picture).name}"] if one.about else []
    right = next((candidate.text for candidate in one.candidates if candidate.is_right), "")
    lines = [Text(safe(line, 200)) for line in said]
    lines += [Text(f"{RIGHT} {safe(right, 200)}", "green")]
    lines += [] if one.hit else [Text(f"{PICKED} {safe(one.picked, 200)}", "red")]
    return Text("\n").join(lines)


def _cells(one: Candidate) -> tuple[Text, str, str]:
    mark = Text(RIGHT, "green") if one.is_right else Text(PICKED, "red") if one.is_picked else Text("")
    return mark, "" if one.share is None else percent(one.share), one.text
