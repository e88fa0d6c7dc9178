"""One line of text, asked for at the foot of the screen; and a question that is answered with yes or no."""

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from promptlab.display import safe, typed


class Entry(Input):
    """A line to type into. Text from outside may be pasted into it, or stand there already: a terminal would obey its control characters,
    so they are spaces."""

    def validate_value(self, value: str) -> str:
        """The value without them."""
        return typed(value)


class Line(ModalScreen[str | None]):
    """Asks for a line; None when it was escaped."""

    BINDINGS = [Binding("escape", "dismiss(None)", "Cancel")]  # noqa: RUF012

    def __init__(self, title: str, value: str = "", hint: str = "", blank: bool = False) -> None:
        """blank: whether an empty line is an answer."""
        super().__init__()
        self._title, self._value, self._hint, self._blank = title, value, hint, blank

    def compose(self) -> ComposeResult:
        """Title, input, hint."""
        with Vertical(id="line"):
            yield Static(Text(safe(self._title, 400)), id="line-title")
            yield Entry(self._value, id="line-input", select_on_focus=False)
            yield Static(Text(safe(self._hint, 400) or "enter: done   esc: leave it"), id="line-hint")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Give the line back."""
        if event.value.strip() or self._blank:
            self.dismiss(self._value if event.value == typed(self._value) else event.value)  # as it was, to the letter


class Confirm(ModalScreen[bool]):
    """Asks before money is spent, or something is deleted or overwritten."""

    BINDINGS = [  # noqa: RUF012
        Binding("y", "dismiss(True)", "Yes"),
        Binding("n,escape", "dismiss(False)", "No"),
    ]

    def __init__(self, question: str, details: str = "", yes: str = "Yes") -> None:
        super().__init__()
        self._question, self._details, self._yes = question, details, yes

    def compose(self) -> ComposeResult:
        """The question, what it means, two buttons; `No` has the focus."""
        with Vertical(id="confirm"):
            yield Static(Text(safe(self._question, 600), "bold"), id="confirm-question")
            yield Static(Text("\n".join(safe(line, 300) for line in self._details.splitlines())), id="confirm-details")
            with Horizontal(id="confirm-buttons"):
                yield Button(Text("No (n)"), id="no")
                yield Button(Text(f"{self._yes} (y)"), id="yes", variant="warning")

    def on_mount(self) -> None:
        """No by default."""
        self.query_one("#no", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Give the answer back."""
        self.dismiss(event.button.id == "yes")
