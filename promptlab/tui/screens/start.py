"""What to begin with, where there is no run."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.text import Text
from textual.containers import Vertical
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from promptlab import runs
from promptlab.display import many, safe
from promptlab.tui.commands import Command
from promptlab.tui.page import Page
from promptlab.tui.widgets.line import Line

HELLO = (
    "promptlab finds the classes that a CLIP model fails, and helps to say them better.\nIt plays with runs; a run begins with pictures."
)


class StartPage(Page):
    """Three ways to a run."""

    MODE = "start"
    ABOUT = (
        "A run is the whole loop on some pictures: weigh the templates, build a classifier, judge it. Everything else here plays with one."
    )
    DOES = (
        Command("start.demo", "d", "demo", "Demo", "Pictures and a model that come with promptlab; half a minute.", "promptlab demo"),
        Command("start.folder", "f", "folder", "Folder", "Your own pictures: each sub-folder is a class.", "promptlab run photos/"),
        Command("start.past", "p", "past", "Past runs", "Open a run that there is.", "promptlab runs"),
    )

    def body(self) -> Iterable[Any]:
        """A greeting, and the choices."""
        with Vertical(id="start"):
            yield Static(Text(HELLO), markup=False)
            yield OptionList(id="choices")
            yield Static("", id="start-note", markup=False)

    def on_mount(self) -> None:
        """The choices have the focus."""
        self.query_one(OptionList).focus()

    def on_screen_resume(self) -> None:
        """There may be runs by now."""
        self.show()

    def show(self) -> None:
        """The choices, with what each means now."""
        root = Path(self.lab_app.lab.settings.runs)
        found = len(runs.all_runs(root))
        box = self.query_one(OptionList)
        at = box.highlighted
        box.clear_options()
        for command in self.DOES:
            about = f"{many(found, 'run')} in {safe(str(root), 60)}" if command.id == "start.past" else command.about
            line = Text(f"{command.title:<11}", "bold").append(about, "not bold dim")
            box.add_option(Option(line, id=command.action, disabled=command.id == "start.past" and not found))
        box.highlighted = at or 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Do what was chosen."""
        if event.option_id:
            getattr(self, f"action_{event.option_id}")()

    def action_demo(self) -> None:
        """The embedded example, as `promptlab demo` makes it."""
        lab = self.lab_app.lab
        self.lab_app.work("demo", lambda listen: lab.but(listen=listen).demo(), self._made)

    def action_folder(self) -> None:
        """Ask for a folder, and run on it."""
        hint = "each sub-folder is a class; a file of vectors (.npz) or the name of a dataset will do, too   enter: run   esc: leave it"
        self.app.push_screen(Line("A folder of pictures", "", hint), self._run)

    def _run(self, where: str | None) -> None:
        if where:
            lab, place = self.lab_app.lab, str(Path(where.strip()).expanduser())
            self.lab_app.work(f"run {place}", lambda listen: lab.but(listen=listen).run(place), self._made)

    def action_past(self) -> None:
        """To the runs."""
        if runs.all_runs(Path(self.lab_app.lab.settings.runs)):
            self.lab_app.go("runs")
        else:
            self.lab_app.tell("There is no run yet.")

    def _made(self, found: Any) -> None:
        for line in found.report.lead:
            self.lab_app.log_line("info", line)
        self.lab_app.open_run(str(found.run.path))
