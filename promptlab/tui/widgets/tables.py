"""Tables of a report, as the command line prints them."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import HorizontalScroll, Vertical
from textual.widgets import Static

from promptlab.report.tables import Table

GAP = "  "


class ReportTable(Vertical):
    """A table with its title and note, as high as it has rows; one that is too wide scrolls sideways."""

    DEFAULT_CSS = """
    ReportTable { height: auto; margin-bottom: 1; }
    ReportTable > Static { height: auto; }
    ReportTable > HorizontalScroll { height: auto; scrollbar-size-horizontal: 1; }
    ReportTable > HorizontalScroll:focus { background-tint: $foreground 3%; }
    ReportTable > HorizontalScroll > Static { width: auto; height: auto; }
    ReportTable > .report-table--note { color: $text-muted; }
    """

    def __init__(self, table: Table, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.table = table

    def compose(self) -> ComposeResult:
        """Title, cells, note."""
        if self.table.title:
            yield Static(Text(self.table.title, "bold"), markup=False)
        with HorizontalScroll():
            yield Static(drawn(self.table), markup=False)
        if self.table.note:
            yield Static(Text(self.table.note), markup=False, classes="report-table--note")


def drawn(table: Table) -> Text:
    """Heads and cells in columns, none of them folded; numbers align right."""
    heads = [head.lstrip("=>") for head in table.columns]
    widths = [max(map(cell_len, column)) for column in zip(heads, *table.rows, strict=True)]
    right = [head.startswith(">") for head in table.columns]
    made = Text(no_wrap=True).append(_line(heads, widths, right), "bold underline")
    for row in table.rows:
        made.append("\n" + _line(row, widths, right))
    return made


def _line(cells: Sequence[str], widths: Iterable[int], right: Iterable[bool]) -> str:
    return GAP.join(_padded(cell, width, number) for cell, width, number in zip(cells, widths, right, strict=True))


def _padded(cell: str, width: int, right: bool) -> str:
    blank = " " * (width - cell_len(cell))
    return blank + cell if right else cell + blank
