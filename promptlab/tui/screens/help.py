"""Every key of a screen, and the command line that does the same."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from promptlab.tui.commands import EVERYWHERE, Command

if TYPE_CHECKING:
    from promptlab.tui.page import Page

KEYS = {
    "question_mark": "?",
    "slash": "/",
    "right_square_bracket": "]",
    "left_square_bracket": "[",
    "escape": "esc",
    "enter": "⏎",
    "delete": "del",
}


class Help(ModalScreen[None]):
    """Shown by `?` and F1."""

    BINDINGS = [Binding("escape,q,question_mark,f1", "dismiss(None)", "Close")]  # noqa: RUF012

    def __init__(self, page: "Page") -> None:
        super().__init__()
        self._about, self._does = page.ABOUT, page.DOES
        self._keys = {binding.id: binding.key for bindings in page._bindings.key_to_bindings.values() for binding in bindings}

    def compose(self) -> ComposeResult:
        """What the screen is for, its keys, those that hold everywhere."""
        with VerticalScroll(id="help"):
            yield Static(Text(self._about.replace("`", "")), markup=False)
            for title, commands in (("Here", self._does), ("Everywhere", EVERYWHERE)):
                yield Static(Text(f"\n{title}", "bold"), markup=False)
                yield Static(self._listed(commands), markup=False)
            yield Static(Text('\nKeys can be changed: [keys] in promptlab.toml, e.g. classes.sort = "f3"', "dim"), markup=False)

    def _listed(self, commands: Sequence[Command]) -> Table:
        """Keys, names, and under what each does the command line that does the same."""
        drawn = Table.grid(padding=(0, 2, 0, 0))
        drawn.add_column(no_wrap=True, min_width=9)
        drawn.add_column(no_wrap=True, min_width=12)
        drawn.add_column()
        for one in commands:
            keys = " ".join(KEYS.get(key, key) for key in self.app._keymap.get(one.id, one.key).split(","))
            drawn.add_row(Text(keys, "bold cyan"), Text(one.title), Text(one.about.replace("`", "")))
            if one.twin:
                drawn.add_row("", "", Text(f"$ {one.twin}", "dim"))
        return drawn
