"""What can be done in the terminal UI, as data: keys, footer, help and command palette are made from it."""

from collections.abc import Iterable
from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Command:
    """Something that a key does."""

    id: str
    """Its name in `[keys]`, `screen.verb`."""
    key: str
    """Its key, unless `[keys]` names another; several are separated by commas."""
    action: str
    """The Textual action: the method `action_...` of the screen or the app."""
    title: str
    """One or two words for the footer."""
    about: str
    """A sentence for help and palette."""
    twin: str = ""
    """A command line that does or shows the same; empty for what only moves about in the UI itself."""
    shown: bool = True
    """Whether the footer has it."""


def bindings(commands: Iterable[Command]) -> list[BindingType]:
    """The commands as Textual's bindings."""
    return [Binding(one.key, one.action, one.title, one.shown, tooltip=one.about, id=one.id) for one in commands]


GO = (
    Command("go.classes", "1", "app.go('classes')", "Classes", "Every class, worst first.", "promptlab classes", False),
    Command("go.families", "2", "app.go('families')", "Families", "Templates with weight and score.", "promptlab prompts list", False),
    Command("go.enrich", "3", "app.go('enrich')", "Enrich", "Ask for better words.", "promptlab enrich --worst 10 --dry-run", False),
    Command("go.try", "4", "app.go('try')", "Try", "What the classifier says of a picture.", "promptlab classify cat.jpg", False),
    Command("go.runs", "5", "app.go('runs')", "Runs", "Past runs; two of them compared.", "promptlab runs", False),
    Command("go.log", "6", "app.go('log')", "Log", "What happened.", "promptlab doctor", False),
)

EVERYWHERE = (
    *GO,
    Command(
        "start", "0", "app.go('start')", "Start", "Another run: the demo, a folder of pictures, past runs.", "promptlab run photos/", False
    ),
    Command("undo", "u", "app.undo", "Undo", "Take the last edit back.", "promptlab prompts undo"),
    Command("redo", "U,shift+u,ctrl+y", "app.redo", "Redo", "Do again what was undone.", "promptlab prompts redo", False),
    Command("reweigh", "w", "app.reweigh", "Reweigh", "Find weights anew for the prompts as they are.", "promptlab build", False),
    Command(
        "judge",
        "j",
        "app.judge",
        "Judge",
        "Run the whole loop with the prompts as they are, and judge on the half that nothing was tuned on: a new run.",
        "promptlab run",
    ),
    Command("cancel", "ctrl+x", "app.cancel", "Cancel", "Stop long work at the next batch; what was finished is kept.", "", False),
    Command("help", "question_mark,f1", "app.help", "Help", "Every key of this screen, and its command line."),
    Command("theme", "f2", "app.change_theme", "Theme", "Another look; it is remembered.", "", False),
    Command("palette", "ctrl+p", "app.command_palette", "Palette", "Find any command by its name.", "", False),
    Command("interrupt", "ctrl+c", "app.help_quit", "Copy or quit?", "Copy what is selected by mouse; else say how to quit.", "", False),
    Command("quit", "q,ctrl+q", "app.quit", "Quit", "Back to the shell; edits are in the run already."),
)
