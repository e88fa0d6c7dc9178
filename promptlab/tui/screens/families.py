"""Templates: what each weighs, and what becomes of the classes without it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual.containers import Vertical
from textual.widgets import DataTable, Static

from promptlab.display import many, safe
from promptlab.report.tables import percent
from promptlab.tui.commands import Command
from promptlab.tui.page import Page
from promptlab.tui.widgets.grid import Column, Grid
from promptlab.tui.widgets.line import Line
from promptlab.tui.widgets.pick import Pick
from promptlab.tui.widgets.plots import bar
from promptlab.types import Edit, EditKind

if TYPE_CHECKING:
    from promptlab.workbench import FamilyRow

WAYS = ("uniform", "shrunk", "cpe", "zpe", "carprt", "forward", "top-3")
BAR = 12
COLUMNS = (
    Column("family", "family", 31, grow=1),
    Column("weight", "weight %", 8, True),
    Column("bar", "", BAR),
    Column("score", "score", 8, True),
    Column("accuracy", "acc %", 6, True),
)


class FamiliesPage(Page):
    """Templates with their weights."""

    MODE = "families"
    ABOUT = (
        "One template a row, heaviest first; those that are set aside (-) come last. Weights are held while you edit; a template"
        " that nobody weighed gets the mean of the others, until `w` finds weights anew. Scores are those of the last weighing."
    )
    DOES = (
        Command(
            "families.toggle",
            "space",
            "switch",
            "On or off",
            "Set the template aside, or use it again.",
            'promptlab prompts toggle "a photo of {}."',
        ),
        Command(
            "families.add", "n", "add", "New", "Add a template, with {} for the name.", 'promptlab prompts add "a photo of {} at night."'
        ),
        Command(
            "families.edit", "enter,e", "edit", "Edit", "Another template in place of this one.", 'promptlab prompts add "a photo of {}."'
        ),
        Command(
            "families.remove",
            "delete",
            "remove",
            "Remove",
            "Remove the template; undo brings it back.",
            'promptlab prompts remove "a photo of {}."',
            False,
        ),
        Command("families.way", "m", "way", "Weighting", "Weigh by another way, and see the tables move.", "promptlab build --weights cpe"),
        Command("families.copy", "y", "copy", "Copy", "Copy the templates, one a line.", "promptlab prompts list --json", False),
    )

    def body(self) -> Iterable[Any]:
        """A line about the weighting, and the table."""
        with Vertical():
            yield Static("", id="weighting", markup=False)
            yield Grid(COLUMNS, id="families")

    def on_mount(self) -> None:
        """The table has the focus."""
        self.query_one(Grid).focus()

    def show(self) -> None:
        """Weights and scores as they are now."""
        bench, grid = self.bench, self.query_one(Grid)
        if bench is None:
            return
        rows = bench.families()
        most = max((row.weight for row in rows), default=1) or 1
        grid.show((row.template.source, _cells(row, most)) for row in rows)
        used = sum(row.used for row in rows)
        kind = "a weight for each class" if bench.now.weights.ndim == 2 else "one weight for all classes"
        line = f" {bench.way}: {kind}. {bench.effective:.1f} of {many(used, 'family', 'families')} really count"
        aside = f"; {len(rows) - used} set aside" if used < len(rows) else ""
        self.query_one("#weighting", Static).update(Text(f"{line}{aside}."))

    @property
    def _source(self) -> str | None:
        return self.query_one(Grid).current

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter, or a second click."""
        self.action_edit()

    def action_switch(self) -> None:
        """Set it aside, or use it again."""
        if self._source:
            self.lab_app.edit(Edit(EditKind.TOGGLE, of=self._source))

    def action_add(self) -> None:
        """One more template."""
        self.app.push_screen(Line("A template, with {} for the name of the class", "a photo of {}."), self._added)

    def _added(self, text: str | None) -> None:
        if text:
            self.lab_app.edit(Edit(EditKind.ADD, words=(text,)))

    def action_edit(self) -> None:
        """Another one in its place: one is added, one removed; each can be undone."""
        source = self._source
        if source is None:
            return

        def done(text: str | None) -> None:
            if text and text != source:
                self.lab_app.edit(Edit(EditKind.ADD, words=(text,)), Edit(EditKind.REMOVE, words=(source,)))

        self.app.push_screen(Line("Another template in place of this one", source), done)

    def action_remove(self) -> None:
        """Remove it."""
        if self._source:
            self.lab_app.edit(Edit(EditKind.REMOVE, words=(self._source,)))

    def action_way(self) -> None:
        """Choose how families are weighted."""
        now = self.bench.way if self.bench else ""
        self.app.push_screen(Pick("Weigh the families by", [(way, "held now" if way == now else "") for way in WAYS], now), self._weighed)

    def _weighed(self, way: str | None) -> None:
        if way:
            self.lab_app.action_reweigh(way)

    def action_copy(self) -> None:
        """The templates, one a line."""
        rows = self.bench.families() if self.bench else []
        self.app.copy_to_clipboard("\n".join(safe(row.template.source, 2000) for row in rows if row.used))
        self.lab_app.tell(f"Copied {many(sum(row.used for row in rows), 'template')}.")


def _cells(row: "FamilyRow", most: float) -> tuple[str | Text, ...]:
    name = row.template.name if row.used else f"- {row.template.name}"
    score = "" if row.score is None else f"{row.score:.4f}"
    return (
        Text(safe(name, 200), "" if row.used else "dim", no_wrap=True, overflow="ellipsis"),
        percent(row.weight) if row.used else "aside",
        bar(row.weight / most, BAR, "cyan"),
        score,
        "" if row.accuracy is None else percent(row.accuracy),
    )
