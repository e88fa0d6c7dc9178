"""The app: which run is open, what works in the background, what every key does."""

import asyncio
import difflib
import signal
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from textual.app import App, SystemCommand
from textual.screen import Screen

from promptlab import config, runs
from promptlab.display import many, safe
from promptlab.errors import PromptlabError
from promptlab.events import Cancelled, Event, Listener, Noted
from promptlab.lab import Lab, RunResult
from promptlab.tui.bridge import Bridge, Told, aside, guarded
from promptlab.tui.commands import EVERYWHERE, bindings
from promptlab.tui.page import Page
from promptlab.tui.palette import ClassNames
from promptlab.tui.places import MODES, clashes, every_command, page, screens
from promptlab.tui.widgets.log import Log
from promptlab.tui.widgets.picture import graphics
from promptlab.tui.widgets.work import WorkLine
from promptlab.types import Edit

if TYPE_CHECKING:
    from promptlab.workbench import Workbench

T = TypeVar("T")


class PromptlabApp(App[None], inherit_bindings=False):
    """`promptlab tui`."""

    TITLE = "promptlab"
    CSS_PATH = "app.tcss"
    BINDINGS = bindings(EVERYWHERE)
    COMMANDS = App.COMMANDS | {ClassNames}

    def __init__(self, lab: Lab, run: str = "", keys: Mapping[str, str] | None = None) -> None:
        """run: the run to open; empty is the newest. keys: {command: keys} instead of the usual ones."""
        super().__init__()
        self.bench: Workbench | None = None
        self.version, self.opening = 0, ""
        self.opening_names: tuple[str, ...] = ()
        self.picked: tuple[str, ...] | None = None  # classes marked to be enriched, none for the worst; None: nobody said since
        self._run, self._keys = run, dict(keys or {})
        self._editing = asyncio.Lock()
        self._bridge: Bridge | None = None
        self._concluding: Bridge | None = None  # of the work that makes a run of the prompts as they were when it began
        self._line: WorkLine | None = None
        self._leaving, self._work_title = False, ""
        self.lab = lab.but(listen=Bridge(self.post_message))
        self.logged = Log()

    # -- coming and going ---------------------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Take over theme and keys, and open the run."""
        theme = config.remembered_theme()
        if theme in self.available_themes:
            self.theme = theme
        self.theme_changed_signal.subscribe(self, lambda theme: config.remember_theme(theme.name))
        self._heed_signals()
        self._take_keys()
        for fault in self.lab.plugin_faults:  # of the time before there was anybody to tell
            self.log_line("warning", fault)
        if self.lab.plugin_faults:
            self.tell(f"{many(len(self.lab.plugin_faults), 'fault')} of plugins: the Log tells more.", "warning")
        for mode in MODES:  # a screen is imported when somebody goes there
            self.add_mode(mode, partial(self._made, mode))
        self.open_run(self._run)

    def _made(self, mode: str) -> Page:
        return page(mode)()

    def _heed_signals(self) -> None:
        """Leave in order when the system says so: a terminal that is left as it is would stay without echo and full of colours."""
        for number in (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])):
            with suppress(NotImplementedError, ValueError):  # Windows; an app that runs in another thread than the first
                asyncio.get_running_loop().add_signal_handler(number, partial(self.exit, return_code=128 + number))

    def open_run(self, name: str) -> None:
        """Open a run by name; without one the newest, or the start screen where there is none."""
        root = Path(self.lab.settings.runs)
        try:
            if not name and not any(run.task == runs.CLASSIFY for run in runs.all_runs(root)):
                self.switch_mode("start")
                return
            run = runs.find(root, name, "" if name else runs.CLASSIFY)
        except PromptlabError as error:
            self.switch_mode("start" if self.bench is None else self.current_mode)
            self.fault(error)
            return
        if run.state is runs.State.RUNNING:
            self.follow(run)
            return
        if run.task != runs.CLASSIFY:
            from promptlab.tui.screens.cases import CasesPage

            self.go("runs")
            self.push_screen(CasesPage(run))
            return
        if self.working:
            self._busy()
            return
        self.opening, self.opening_names = f"Opening {run.name} ...", tuple(str(row.get("class", "")) for row in run.classes or [])
        self.go("classes")
        self.work(f"open {run.name}", lambda listen: self.lab.but(listen=listen).workbench(str(run.path)), self._opened)

    def _opened(self, bench: "Workbench") -> None:
        self.bench, self.opening = bench, ""
        self.log_line("info", f"Opened {bench.run.name}: {len(bench.now.classes)} classes, {len(bench.tune.pictures)} pictures on tune.")
        self.changed()

    def follow(self, run: runs.Run) -> None:
        """Watch a run that another process works on."""
        from promptlab.tui.screens.follow import Following

        self.go("log")
        self.push_screen(Following(run))

    async def action_quit(self) -> None:
        """Leave; long work stops first, asked twice it is left behind."""
        if self._bridge is None or self._leaving:
            self.exit()
            return
        self._leaving = True
        self._bridge.stop()
        self.tell("Stopping at the next batch; press again to leave at once.", "warning")

    def _fatal_error(self) -> None:
        # Textual would print a traceback with every local variable, keys of servers among them. `start` raises the error instead.
        self._close_messages_no_wait()

    @property
    def broken(self) -> Exception | None:
        """What made the app leave; None when nothing did."""
        return self._exception

    # -- screens ------------------------------------------------------------------------------------------------------------------

    def go(self, mode: str) -> None:
        """To another screen."""
        if self.current_mode != mode:
            self.switch_mode(mode)

    def action_go(self, mode: str) -> None:
        """To another screen; to its first page where it is in front already."""
        if self.current_mode == mode and len(self.screen_stack) > 1 and isinstance(self.screen, Page):
            self.pop_screen()
        self.go(mode)

    def open_class(self, c: int, listed: tuple[str, ...] = ()) -> None:
        """One class, by index; listed: ids in the order that its screen steps through."""
        from promptlab.tui.screens.one_class import ClassPage

        self.push_screen(ClassPage(c, listed))

    def action_help(self) -> None:
        """Every key of this screen."""
        from promptlab.tui.screens.help import Help

        if isinstance(self.screen, Page):
            self.push_screen(Help(self.screen))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Every command of the screen in front, then those of the app."""
        own = screen.DOES if isinstance(screen, Page) else ()
        for one in (*own, *EVERYWHERE):
            yield SystemCommand(one.title, one.about, lambda action=one.action: self.call_later(self._act, action, screen))

    async def _act(self, action: str, screen: Screen[Any]) -> None:
        await self.run_action(action, screen)

    def changed(self) -> None:
        """Show what is on the workbench now: the screen in front at once, others when they come to the front."""
        self.version += 1
        for screen in self.screen_stack:
            if isinstance(screen, Page) and screen.is_mounted:
                screen.renew()

    # -- telling ------------------------------------------------------------------------------------------------------------------

    def tell(self, text: str, level: str = "information") -> None:
        """A toast. Its text may come from anywhere."""
        severity: Any = level
        self.notify(safe(text, 400), severity=severity, markup=False, timeout=8 if level == "error" else 5)

    def fault(self, error: BaseException) -> None:
        """A failure: a toast and a line in the log. The app goes on."""
        if isinstance(error, PromptlabError):
            said = f"{error.message} {error.hint}".strip()
        else:
            said = f"Something broke: {type(error).__name__}: {error}"
        self.log_line("error", said)
        self.tell(said, "error")

    def log_line(self, level: str, text: str) -> None:
        """A line in the log."""
        self.logged.tell(Noted(text, level))

    def on_told(self, message: Told) -> None:
        """Something that work said of itself."""
        event: Event = message.event
        if self._line is not None:
            self._line.show(event)
        self.logged.tell(event)
        if isinstance(event, Noted) and event.level != "info":
            self.tell(event.text, "warning")

    # -- work ---------------------------------------------------------------------------------------------------------------------

    def attach(self, line: WorkLine) -> None:
        """The line of the screen in front, where work shows how far it is."""
        before, self._line = self._line, line
        if before is not None and before is not line:
            line.take_over(before)
            before.end()

    def work(self, title: str, do: Callable[[Listener], T], then: Callable[[T], None]) -> None:
        """Do something long in the background, then something with what it gave; one at a time."""
        if self._bridge is not None:
            self._busy()
            return
        self._bridge, self._work_title = Bridge(self.post_message), title
        if self._line is not None:
            self._line.begin(title, "ctrl+x: cancel")
        self.run_worker(self._worked(title, do, then, self._bridge), group="work", exit_on_error=False)

    def _busy(self) -> None:
        self.tell(f"Still at work: {self._work_title}. Wait for it, or cancel it.", "warning")

    async def _worked(self, title: str, do: Callable[[Listener], T], then: Callable[[T], None], bridge: Bridge) -> None:
        drawn = asyncio.Event()
        self.call_after_refresh(drawn.set)  # what is on the screen comes first: a thread at work would slow its drawing
        await drawn.wait()
        try:
            found = await aside(do, bridge)
        finally:
            self._bridge = None
            if self._line is not None:
                self._line.end()
        if self._leaving:
            self.exit()
        elif isinstance(found, Cancelled):
            self.opening = ""
            self.log_line("warning", f"Cancelled: {title}.")
            self.tell(f"Cancelled: {title}. What was finished is kept.", "warning")
            self.changed()
        elif isinstance(found, BaseException):
            self.opening = ""
            self.fault(found)
            self.changed()
        else:
            then(found)

    def conclude(self, title: str, do: Callable[[Listener], RunResult]) -> None:
        """Make a run of the prompts as they are, and open it. Until then nobody edits: the edit would stay behind with the run before."""
        before = self._bridge
        self.work(title, do, self._judged)
        if before is None:
            self._concluding = self._bridge

    @property
    def working(self) -> bool:
        """Whether long work is going on."""
        return self._bridge is not None

    def action_cancel(self) -> None:
        """Stop long work at its next batch."""
        if self._bridge is None:
            self.tell("Nothing is at work.")
        else:
            self._bridge.stop()
            self.tell("Stopping at the next batch ...")

    # -- edits --------------------------------------------------------------------------------------------------------------------

    def edit(self, *edits: Edit) -> None:
        """Do edits, each only if the one before it changed something; the figures are shown as soon as they are there."""
        self._quickly(lambda bench: _all_done(bench, edits))

    def action_undo(self) -> None:
        """Take the last edit back."""
        self._quickly(lambda bench: self._say("Undone", bench.undo()))

    def action_redo(self) -> None:
        """Do again what was undone."""
        self._quickly(lambda bench: self._say("Done again", bench.redo()))

    def _say(self, what: str, edit: Edit | None) -> None:
        self.call_from_thread(self.tell, f"{what}: {self.lab.told(edit)}" if edit else "There is nothing left.")

    def _quickly(self, do: Callable[["Workbench"], None]) -> None:
        """Change the workbench in the background; changes wait for each other, in their order."""
        if self.bench is None:
            self.tell("No run is open.", "warning")
        elif self._bridge is not None and self._bridge is self._concluding:
            self.tell(f"Still at work: {self._work_title}. Edits wait until it is done, or cancelled.", "warning")
        else:
            self.run_worker(self._edited(self.bench, do), group="edit", exit_on_error=False)

    async def _edited(self, bench: "Workbench", do: Callable[["Workbench"], None]) -> None:
        async with self._editing:
            found = await asyncio.to_thread(guarded, do, bench)
            if isinstance(found, BaseException):
                self.fault(found)
            self.changed()

    def action_reweigh(self, way: str = "") -> None:
        """Find weights anew for the prompts as they are."""
        bench = self.bench
        if bench is None:
            self.tell("No run is open.", "warning")
            return
        self.work(f"reweigh by {way or bench.way}", lambda listen: bench.reweigh(way, listen), lambda _: self.changed())

    def action_judge(self) -> None:
        """The whole loop on the prompts as they are, judged on eval: a new run, which is opened."""
        bench = self.bench
        if bench is None:
            self.tell("No run is open.", "warning")
            return
        given = {"weights": bench.way} if bench.switched else {}
        run = str(bench.run.path)
        self.conclude("run and judge", lambda listen: self.lab.but(listen=listen, **given).run(run=run))

    def _judged(self, made: RunResult) -> None:
        for line in made.report.lead:
            self.log_line("info", line)
        self.tell(" ".join(made.report.lead))
        self.open_run(str(made.run.path))

    # -- keys ---------------------------------------------------------------------------------------------------------------------

    def _take_keys(self) -> None:
        if not self._keys:  # the usual ones need no look at every screen
            return
        known = {one.id: one for one in every_command()}
        strange = sorted(set(self._keys) - set(known))
        for name in strange:
            near = difflib.get_close_matches(name, known, n=1)
            self._warn(f"[keys] names {name!r}, which is no command." + (f" Did you mean {near[0]!r}?" if near else ""))
        self.set_keymap({name: key for name, key in self._keys.items() if name in known})
        found = [clash for screen in screens() for clash in clashes((*screen.DOES, *EVERYWHERE), self._keymap)]
        for clash in dict.fromkeys(found):
            self._warn(clash)

    def _warn(self, text: str) -> None:
        self.log_line("warning", text)
        self.tell(text, "warning")


def _all_done(bench: "Workbench", edits: Iterable[Edit]) -> None:
    for edit in edits:
        done = bench.now.done
        bench.edit(edit)
        if bench.now.done == done:
            return


def start(lab: Lab, run: str = "") -> int:
    """Run the app until somebody leaves it; gives back the exit code. Raises what broke it, after the terminal is as it was."""
    graphics()  # asks the terminal what it can draw, while nobody else reads its answers
    app = PromptlabApp(lab, run, config.keys(Path.cwd()))
    app.run()
    if app.broken is not None:
        raise app.broken
    return app.return_code or 0
