"""One of a few, chosen from a list."""

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from promptlab.display import safe


class Pick(ModalScreen[str | None]):
    """Asks for one of several names; None when it was escaped."""

    BINDINGS = [Binding("escape", "dismiss(None)", "Cancel")]  # noqa: RUF012

    def __init__(self, title: str, choices: Sequence[tuple[str, str]], now: str = "") -> None:
        """choices: (name, what is said of it); now: the one that has the cursor."""
        super().__init__()
        self._title, self._choices, self._now = title, list(choices), now

    def compose(self) -> ComposeResult:
        """The title and the names."""
        with Vertical(id="pick"):
            yield Static(Text(safe(self._title, 200), "bold"), markup=False)
            yield OptionList(*(Option(_line(name, about), id=f"choice-{n}") for n, (name, about) in enumerate(self._choices)))

    def on_mount(self) -> None:
        """The cursor is on what holds now."""
        names = [name for name, _ in self._choices]
        box = self.query_one(OptionList)
        box.highlighted = names.index(self._now) if self._now in names else 0
        box.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Give the name back."""
        self.dismiss(self._choices[event.option_index][0])


def _line(name: str, about: str) -> Text:
    line = Text(safe(name, 80), no_wrap=True, overflow="ellipsis")
    return line.append(f"  {safe(about, 120)}", "dim") if about else line
