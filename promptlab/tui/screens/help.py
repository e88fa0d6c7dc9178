"""Every key of a screen, and the command line that does the same."""

from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from promptlab.tui.commands import EVERYWHERE, Command

if TYPE_CHECKING:
    from promptlab.tui.page import Page

KEYS = {"question_mark": "?", "slash": "/", "right_square_bracket": "]", "left_square_bracket": "[", "escape": "esc", "delete": "del"}


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
            text = Text(f"{self._about}\n\n" if self._about else "")
            for title, commands in (("Here", self._does), ("Everywhere", EVERYWHERE)):
                text.append(f"{title}\n", "bold")
                for one in commands:
                    text.append_text(self._said(one))
                text.append("\n")
            text.append("Keys can be changed: [keys] in promptlab.toml, e.g. ", "dim").append('classes.sort = "f3"', "dim italic")
            yield Static(text, markup=False)

    def _said(self, one: Command) -> Text:
        keys = " ".join(KEYS.get(key, key) for key in self.app._keymap.get(one.id, one.key).split(","))
        line = Text(f"  {keys:<18}", "bold cyan")
        line.append(f"{one.title:<18}", "not bold default").append(f"{one.about}\n", "not bold default")
        return line.append(f"{'':20}$ {one.twin}\n", "not bold dim") if one.twin else line
