"""Every class, worst first."""

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual.containers import Horizontal, Vertical
from textual.widgets import DataTable, Input, Static

from promptlab.display import many, safe
from promptlab.errors import PromptlabError
from promptlab.report.classes import ClassRow, cells, chosen, rows_of
from promptlab.report.tables import cosine, percent
from promptlab.tui.commands import Command
from promptlab.tui.page import Page
from promptlab.tui.widgets.grid import Column, Grid
from promptlab.tui.widgets.line import Entry
from promptlab.tui.widgets.picture import Picture
from promptlab.tui.widgets.plots import Ranked

if TYPE_CHECKING:
    from promptlab.workbench import Workbench

MARK, PLAIN = "● ", "  "


COLUMNS = (
    Column("name", "class", 15, grow=3),
    Column("pictures", "n", 4, True, grow=0),
    Column("accuracy", "acc %", 6, True),
    Column("change", "±", 6, True),
    Column("cmm", "cmm", 7, True),
    Column("rival", "taken by", 14, grow=2),
    Column("lost", "lost", 5, True),
    Column("texts", "texts", 6, True),
)


class ClassesPage(Page):
    """The home screen."""

    MODE = "classes"
    ABOUT = (
        "Every class on the tune half, worst first. `±` is the change since the run, in points; `taken by` is the class that takes most of "
        "its pictures, `lost` their share in per cent. Figures on tune flatter what is edited here: `j` judges on the other half."
    )
    DOES = (
        Command("classes.open", "enter", "open", "Open", "Texts, descriptions and pictures of the class.", "promptlab prompts score crane"),
        Command(
            "classes.filter",
            "slash",
            "filter",
            "Filter",
            "Show only classes whose name holds some letters.",
            "promptlab classes --find cat",
        ),
        Command(
            "classes.sort", "s", "sort", "Sort", "Sort by the next column; a click on a head does, too.", "promptlab classes --sort lost"
        ),
        Command("classes.reverse", "r", "reverse", "Reverse", "Turn the order round.", "promptlab classes --reverse", False),
        Command("classes.mark", "space", "mark", "Mark", "Mark the class, for `e`.", "promptlab enrich --class crane --dry-run"),
        Command(
            "classes.enrich",
            "e",
            "enrich",
            "Enrich",
            "Ask for better words: for marked classes, else the worst.",
            "promptlab enrich --worst 10",
        ),
        Command("classes.copy", "y", "copy", "Copy", "Copy the table as Markdown.", "promptlab classes", False),
        Command("classes.unfilter", "escape", "unfilter", "All", "Show all classes again.", "promptlab classes", False),
    )

    def __init__(self) -> None:
        super().__init__()
        self._sort, self._turned, self._find = "worst", False, ""
        self.rows: dict[str, ClassRow] = {}
        self.marked: set[str] = set()

    def body(self) -> Iterable[Any]:
        """The table; beside it, where there is room, accuracies in order and the class under the cursor."""
        with Horizontal():
            with Vertical(id="main"):
                yield Entry(placeholder="letters of a name; enter: to the table, esc: all classes", id="filter")
                yield Grid(COLUMNS, id="classes")
            with Vertical(id="side"):
                yield Ranked(id="ranked")
                yield Static("", id="about", markup=False)
                yield Picture(id="sight")

    def on_mount(self) -> None:
        """The table has the focus."""
        self.query_one("#filter").display = False
        self.query_one(Grid).focus()

    # -- showing ------------------------------------------------------------------------------------------------------------------

    def show(self) -> None:
        """The table as it is now; names alone while the run is being opened."""
        grid = self.query_one(Grid)
        bench = self.bench
        if bench is None:
            grid.show((f"? {n}", (PLAIN + name, *[""] * 7)) for n, name in enumerate(self.lab_app.opening_names))
            return
        self.marked.intersection_update(bench.dataset.classes.ids)
        self.rows = chosen(rows_of(bench), self._find, self._sort, self._turned)
        grid.show((key, self._cells(key, row)) for key, row in self.rows.items())
        grid.retitle(self._titles(bench))
        self.query_one(Ranked).set_values(bench.now.standing.accuracy.tolist())
        self._about()

    def _titles(self, bench: "Workbench") -> dict[str, str]:
        titles = {"accuracy": "agree"} if not bench.labelled else {"accuracy": "recall"} if bench.several else {}
        title = next((titles.get(one.key, one.title) for one in COLUMNS if one.key == self._sort), "")
        return titles | ({self._sort: f"{title}{'▾' if self._turned else '▴'}"} if title else {})

    def _cells(self, key: str, row: ClassRow) -> tuple[str | Text, ...]:
        name, pictures, accuracy, change, *more = cells(row)
        style = "green" if row.change > 0 else "red" if row.change < 0 else "dim"
        return ((MARK if key in self.marked else PLAIN) + name, pictures, accuracy, Text(change, style, justify="right"), *more)

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Say more of the class under the cursor."""
        self._about()

    def _about(self) -> None:
        key, bench = self.query_one(Grid).current, self.bench
        if bench is None or key is None or key not in bench.dataset.classes.ids:
            return
        c = bench.dataset.classes.ids.index(key)
        standing = bench.now.standing
        said = [one for one in bench.descriptions(c) if one.use]
        names = bench.now.classes.names[c]
        lines = [safe(", ".join(names), 200), f"{many(int(standing.count[c]), 'picture')}, {percent(standing.accuracy[c])} % right"]
        takers = [f"{safe(bench.now.classes.titles[j], 40)} {n}" for j, n in bench.takers(c, 5)]
        lines += [f"taken by {', '.join(takers)}"] if takers else []
        lines += ["", *(f"• {safe(one.text, 120)}" for one in said[:6])]
        self.query_one("#about", Static).update(Text("\n".join(lines)))
        self.query_one(Picture).display = bench.has_pictures
        if bench.has_pictures and self.has_class("-wide"):
            self.beside(partial(self._picture, bench, c), "sight")

    async def _picture(self, bench: "Workbench", c: int) -> None:
        """The picture of the class that is most wrong, else the one that is most right."""
        box, seen = self.query_one(Picture), bench.seen(c, right=False, most=1) or bench.seen(c, right=True, most=1)
        if not seen:
            box.lack("No picture on tune is of this class.")
            return
        one = seen[0]
        try:
            data = await asyncio.to_thread(bench.picture, one.key)
        except PromptlabError as error:
            box.lack(error.message)
            return
        rival = safe(bench.now.classes.titles[one.rival], 30)
        box.show(data, f"{'taken by' if one.margin <= 0 else 'before'} {rival} ({cosine(one.margin)})")

    # -- doing --------------------------------------------------------------------------------------------------------------------

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter, or a second click."""
        self.action_open()

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        """Sort by this column; again: the other way round."""
        field = str(event.column_key.value)
        self._turned = not self._turned if field == self._sort else False
        self._sort = field
        self._sorted()

    def action_open(self) -> None:
        """Open the class under the cursor."""
        key, bench = self.query_one(Grid).current, self.bench
        if bench is not None and key in bench.dataset.classes.ids:
            self.lab_app.open_class(bench.dataset.classes.ids.index(key), tuple(self.rows))

    def action_filter(self) -> None:
        """Type letters of a name."""
        box = self.query_one("#filter", Input)
        box.display = True
        box.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what fits, letter by letter."""
        self._find = event.value
        self.show()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """To the table; what was typed stays."""
        self.query_one(Grid).focus()

    def action_unfilter(self) -> None:
        """All classes again."""
        box = self.query_one("#filter", Input)
        box.value, box.display = "", False
        self.query_one(Grid).focus()

    def action_sort(self) -> None:
        """Sort by the next column."""
        fields = ["worst", *(one.key for one in COLUMNS)]
        self._sort, self._turned = fields[(fields.index(self._sort) + 1) % len(fields)], False
        self._sorted()

    def action_reverse(self) -> None:
        """Turn the order round."""
        self._turned = not self._turned
        self._sorted()

    def _sorted(self) -> None:
        """Show another order from its top: whoever sorts wants to see what comes first."""
        self.show()
        self.query_one(Grid).move_cursor(row=0, animate=False)

    def action_mark(self) -> None:
        """Mark the class under the cursor, or unmark it, and go on to the next."""
        key, grid = self.query_one(Grid).current, self.query_one(Grid)
        if key is not None:
            self.marked ^= {key}
            self.show()
            grid.action_cursor_down()

    def action_enrich(self) -> None:
        """To the screen that asks, with the marked classes."""
        shown = [key for key in self.rows if key in self.marked]
        self.lab_app.picked = (*shown, *sorted(self.marked.difference(shown)))
        self.lab_app.go("enrich")

    def action_copy(self) -> None:
        """The table as Markdown."""
        head = [one.title for one in COLUMNS]
        lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
        for key, row in self.rows.items():
            cells = (cell.plain if isinstance(cell, Text) else safe(cell) for cell in self._cells(key, row))
            lines.append("| " + " | ".join(cell.strip().replace("|", "\\|") for cell in cells) + " |")
        self.app.copy_to_clipboard("\n".join(lines))
        self.lab_app.tell(f"Copied {many(len(self.rows), 'class', 'classes')}.")
