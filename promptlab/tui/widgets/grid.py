"""Tables of outside text: every cell is made safe, and a row that stays is not drawn anew."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from rich.text import Text
from textual.binding import Binding
from textual.widgets import DataTable

from promptlab.display import safe


class Column(NamedTuple):
    """One column."""

    key: str
    title: str
    width: int  # at least
    number: bool = False  # numbers align right
    grow: int = 0  # its part of the room that is left


class _Cell(Text):
    """A cell that knows where its row belongs: `DataTable.sort` is shown cells, not keys."""

    rank = 0


class Grid(DataTable[Text], inherit_bindings=False):
    """A table whose rows have keys. The cursor stays on its row when rows move, and only cells that changed are drawn."""

    # Those of a DataTable but for enter, which is left to the screen: its footer says what enter does there.
    BINDINGS = [one for one in DataTable.BINDINGS if isinstance(one, Binding) and one.key != "enter"]  # noqa: RUF012

    def __init__(self, columns: Sequence[Column], *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, cursor_type="row", zebra_stripes=True, cell_padding=1)
        self._specs = list(columns)
        self._held: dict[str, tuple[str | Text, ...]] = {}
        self._titles: dict[str, str] = {}

    def on_mount(self) -> None:
        """Make the columns."""
        self._head()

    def _head(self) -> None:
        for one in self._specs:
            self.add_column(Text(one.title, justify="right" if one.number else "left"), width=one.width, key=one.key)

    def on_resize(self) -> None:
        """Columns that grow share the room that is left."""
        left = self.size.width - 1 - sum(one.width + 2 * self.cell_padding for one in self._specs)  # 1: the scrollbar
        parts = sum(one.grow for one in self._specs)
        for spec, column in zip(self._specs, self.ordered_columns, strict=True):
            column.width = spec.width + max(left, 0) * spec.grow // max(parts, 1)
        self._require_update_dimensions = True
        self._update_count += 1
        self.refresh()

    def retitle(self, titles: Mapping[str, str]) -> None:
        """Other titles for some columns, by key."""
        if titles == self._titles:
            return  # other heads mean that every cell is drawn anew
        self._titles = dict(titles)
        for spec, column in zip(self._specs, self.ordered_columns, strict=True):
            column.label = Text(titles.get(spec.key, spec.title), justify="right" if spec.number else "left")
        self._update_count += 1
        self.refresh()

    def show(self, rows: Iterable[tuple[str, Sequence[str | Text]]]) -> None:
        """These rows, (key, cells), in this order."""
        wanted = {key: tuple(cells) for key, cells in rows}
        if wanted.keys() != self._held.keys():
            current = self.current
            self.clear()
            for key, cells in wanted.items():
                self.add_row(*map(self._cell, cells, self._specs), key=key)
            self._held = wanted
            self.point(current)
            return
        current = self.current
        for key, cells in wanted.items():
            held = self._held[key]
            for spec, cell, before in zip(self._specs, cells, held, strict=True):
                if cell != before:
                    self.update_cell(key, spec.key, self._cell(cell, spec))
        if list(wanted) != list(self._held):
            for n, key in enumerate(wanted):
                self._rank(key, n)
            self.sort(self._specs[0].key, key=lambda cell: cell.rank)
            self.point(current)
        self._held = wanted

    def _rank(self, key: str, n: int) -> None:
        cell = self.get_cell(key, self._specs[0].key)
        assert isinstance(cell, _Cell)  # `_cell` makes no other
        cell.rank = n

    @staticmethod
    def _cell(cell: str | Text, spec: Column) -> "_Cell":
        made = _Cell(justify="right" if spec.number else "left", no_wrap=True, overflow="ellipsis")
        made.append(cell if isinstance(cell, Text) else safe(cell))
        return made

    @property
    def current(self) -> str | None:
        """The key of the row under the cursor; None in an empty table."""
        if not self.is_valid_row_index(self.cursor_row):
            return None
        return self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value

    def point(self, key: str | None) -> None:
        """Put the cursor on the row of that key, if it is there."""
        if key is not None and key in self._held:
            self.move_cursor(row=self.get_row_index(key), animate=False)
