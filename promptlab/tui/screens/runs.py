"""Past runs: open, compare, give away, delete."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.text import Text
from textual.containers import Vertical
from textual.widgets import DataTable, Static

from promptlab import runs
from promptlab.display import many, safe
from promptlab.errors import PromptlabError
from promptlab.events import Saved
from promptlab.report import duels, markdown
from promptlab.report.tables import Table, percent, run_list
from promptlab.runs import Run, State
from promptlab.tui.commands import Command
from promptlab.tui.page import Page
from promptlab.tui.screens.papers import Compared, Paper
from promptlab.tui.widgets.grid import Column, Grid
from promptlab.tui.widgets.line import Confirm, Line
from promptlab.tui.widgets.plots import spark

MARK, OPEN, PLAIN = "● ", "▸ ", "  "
WIDTHS = ((28, 1), (18, 2), (10, 0), (4, 0), (7, 0))  # at least, and of the room that is left
LONGEST = 60  # columns of the line of past results


class Past(NamedTuple):
    """A run, as it was when the folder was read."""

    run: Run
    state: State
    manifest: dict[str, Any]
    result: dict[str, Any] | None


class RunsPage(Page):
    """Every run of the runs folder."""

    MODE = "runs"
    ABOUT = (
        "Runs, newest first; ▸ is the one that is open. Mark two with space and compare them with c: both are judged on the pictures that"
        " nothing was tuned on. The line below follows the worst classes over the finished runs on the same data."
    )
    DOES = (
        Command("runs.open", "enter", "open", "Open", "Open the run, or the cases of one about captions.", "promptlab tui latest"),
        Command("runs.mark", "space", "mark", "Mark", "Mark the run to compare it; a third mark takes the first away."),
        Command("runs.compare", "c", "compare", "Compare", "Compare the two marked runs.", "promptlab compare latest 2026-01-31"),
        Command("runs.report", "r", "report", "Report", "Read the report of the run.", "promptlab runs show latest"),
        Command("runs.export", "x", "export", "Export", "Copy classifier, reports and prompts.", "promptlab runs export latest out/"),
        Command("runs.remove", "delete", "remove", "Delete", "Delete the run for good.", "promptlab runs remove 2026-01-31"),
        Command("runs.copy", "y", "copy", "Copy", "Copy the table as Markdown.", "promptlab runs", False),
    )

    def __init__(self) -> None:
        super().__init__()
        self.past: dict[str, Past] = {}
        self.marked: list[str] = []

    def body(self) -> Iterable[Any]:
        """The table, and a line of results."""
        with Vertical():
            yield Grid(_columns(), id="runs")
            yield Static("", id="trend", markup=False)

    def on_mount(self) -> None:
        """The table has the focus."""
        self.query_one(Grid).focus()

    def on_screen_resume(self) -> None:
        """Other processes make runs, too, so the folder is read anew."""
        self.show()

    # -- showing ------------------------------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Read the folder in the background, and show what is there."""
        self.beside(self._read)

    async def _read(self) -> None:
        self.past = await asyncio.to_thread(read, Path(self.lab_app.lab.settings.runs))
        self.marked = [name for name in self.marked if name in self.past]
        self._draw()

    def _draw(self) -> None:
        grid = self.query_one(Grid)
        shown = listed(self.past.values())
        grid.show((name, self._cells(name, row)) for name, row in zip(self.past, shown.rows, strict=True))
        self.query_one("#trend", Static).update(
            trend(self.past.values(), self._opened) if self.past else Text(" There is no run yet.", "dim")
        )

    def _cells(self, name: str, row: Sequence[str]) -> tuple[str | Text, ...]:
        sign = MARK if name in self.marked else OPEN if name == self._opened else PLAIN
        return (Text(sign + row[0], "bold" if name == self._opened else ""), *row[1:])

    @property
    def _opened(self) -> str:
        """The name of the run that is open; another folder's run of the same name is none."""
        bench = self.bench
        mine = bench is not None and bench.run.path.parent.resolve() == Path(self.lab_app.lab.settings.runs).resolve()
        return bench.run.name if bench is not None and mine else ""

    @property
    def _current(self) -> Past | None:
        key = self.query_one(Grid).current
        return self.past.get(key) if key is not None else None

    # -- doing --------------------------------------------------------------------------------------------------------------------

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter, or a second click."""
        self.action_open()

    def action_open(self) -> None:
        """Open the run under the cursor; of one about captions its cases."""
        if self._current is not None:
            self.lab_app.open_run(str(self._current.run.path))

    def action_mark(self) -> None:
        """Mark it, or unmark it; the older of two marks makes room for a third."""
        found, grid = self._current, self.query_one(Grid)
        if found is not None:
            name = found.run.name
            self.marked = [one for one in self.marked if one != name] if name in self.marked else [*self.marked, name][-2:]
            self._draw()
            grid.action_cursor_down()

    def action_compare(self) -> None:
        """Judge both on the eval half of the older one's data."""
        if len(self.marked) != 2:
            self.lab_app.tell("Mark two runs with space, then compare them.")
            return
        second, first = (self.past[name].run for name in self.past if name in self.marked)  # newest first
        lab = self.lab_app.lab

        def done(found: Any) -> None:
            title = f"first: {safe(first.name, 60)}   second: {safe(second.name, 60)}"
            self.app.push_screen(Compared(title, duels.verdict(found[0]), duels.tables_of(*found)))

        self.lab_app.work("compare", lambda listen: lab.but(listen=listen).compare(str(first.path), str(second.path)), done)

    def action_report(self) -> None:
        """The report of the run under the cursor."""
        if self._current is not None:
            run, state = self._current.run, self._current.state
            self.app.push_screen(Paper(run.path / ("study.md" if state is State.STUDIED else "report.md"), f"{run.name}, {state}"))

    def action_export(self) -> None:
        """Ask for a folder, and copy into it."""
        if (found := self._current) is None:
            return
        hint = "classifier, reports, prompts and results are copied there   enter: copy   esc: leave it"
        ask = Line(f"Copy {found.run.name} to which folder?", f"{found.run.name}-export", hint)
        self.app.push_screen(ask, lambda folder: self._export(found.run, folder) if folder else None)

    def _export(self, run: Run, folder: str) -> None:
        target = Path(folder.strip()).expanduser()
        try:
            there = [path.name for path in runs.exported(run, target).values() if path.exists()]
        except (PromptlabError, OSError, ValueError) as error:  # a path may be too long, or hold a NUL
            self.lab_app.fault(error)
            return
        if not there:
            self._copy(run, target)
            return
        question = Confirm(f"Overwrite {many(len(there), 'file')} in {target}?", "\n".join(there), "Overwrite")
        self.app.push_screen(question, lambda yes: self._copy(run, target) if yes else None)

    def _copy(self, run: Run, target: Path) -> None:
        def done(files: list[Path]) -> None:
            self.lab_app.logged.tell(Saved(f"export of {run.name}", str(target)))
            self.lab_app.tell(f"Copied {many(len(files), 'file')} to {target}.")

        self.lab_app.work(f"export {run.name}", lambda listen: runs.export(run, target), done)

    def action_remove(self) -> None:
        """Ask, then delete."""
        found = self._current
        if found is None:
            return
        if found.run.name == self._opened:
            self.lab_app.tell("This run is open. Open another one before you delete it.", "warning")
        elif found.run.at_work:
            self.lab_app.tell("A process works on this run.", "warning")
        else:
            question = Confirm(
                f"Delete the run {found.run.name}?", "Classifier, reports and edits go with it. This cannot be undone.", "Delete"
            )
            self.app.push_screen(question, lambda yes: self._remove(found.run) if yes else None)

    def _remove(self, run: Run) -> None:
        try:
            runs.remove(run)
        except PromptlabError as error:
            self.lab_app.fault(error)
        else:
            self.lab_app.log_line("info", f"Deleted {run.name}.")
            self.lab_app.tell(f"Deleted {run.name}.")
        self.show()

    def action_copy(self) -> None:
        """The table as Markdown."""
        self.app.copy_to_clipboard(markdown.table(listed(self.past.values())))
        self.lab_app.tell(f"Copied {many(len(self.past), 'run')}.")


def read(root: Path) -> dict[str, Past]:
    """{name: a run}, newest first; one that is deleted meanwhile is left out."""
    found = {}
    for run in runs.all_runs(root):
        try:
            found[run.name] = Past(run, run.state, run.manifest, run.result)
        except (PromptlabError, OSError):
            continue
    return found


def listed(past: Iterable[Past]) -> Table:
    """The table that `promptlab runs` prints."""
    return run_list([(one.run.name, one.state, one.manifest, one.result) for one in past])


def trend(past: Iterable[Past], opened: str = "") -> Text:
    """The worst classes over the finished runs on one data set, oldest to newest: that of the open run, else of the newest."""
    finished = [one for one in past if worst(one) is not None]
    if not finished:
        return Text(" No run is finished yet.", "dim")
    like = next((one for one in finished if one.run.name == opened), finished[0])
    same = [one for one in reversed(finished) if _data(one) == _data(like)]
    values = [worst(one) for one in same]
    data = safe(Path(str(like.manifest["data"])).name or str(like.manifest["data"]), 40)
    line = Text(f" worst classes of {data}, {many(len(same), 'run')}, oldest first  ", "dim", no_wrap=True, overflow="ellipsis")
    line.append_text(spark(values[-LONGEST:], style="not dim"))
    return line.append(f"  {percent(values[0])} → {percent(values[-1])} %", "not dim")


def worst(one: Past) -> float | None:
    """The share of the followed worst classes; None where nobody knows, or somebody else wrote the result."""
    try:
        found = one.result["result"]["worst"]["fixed"] if one.result else None
    except (KeyError, TypeError):
        return None
    return float(found) if isinstance(found, float | int) else None


def _data(one: Past) -> tuple[str, ...]:
    """What must be the same for two results to stand side by side: data, the pictures it holds, what was asked of them, and the worst
    classes that were followed."""
    manifest = [str(one.manifest.get(name)) for name in ("data", "pictures", "task", "match")]
    try:
        found = one.result["result"]["worst"] if one.result else {}
        return (*manifest, str(sorted(map(str, found.get("fixed_classes", found.get("fixed_categories", ()))))))
    except (KeyError, TypeError, AttributeError):  # somebody else wrote it
        return tuple(manifest)


def _columns() -> list[Column]:
    return [
        Column(head.lstrip("=>"), head.lstrip("=>").replace("accuracy", "acc"), width, head.startswith(">"), grow)
        for head, (width, grow) in zip(listed([]).columns, WIDTHS, strict=True)
    ]
