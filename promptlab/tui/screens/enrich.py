"""Asking for better words: what would be asked, replies as they arrive, what is kept and why."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from rich.text import Text
from textual.containers import Vertical
from textual.widgets import DataTable, Static

from promptlab.describing import PLACES, Wanted
from promptlab.display import many, safe
from promptlab.errors import PromptlabError
from promptlab.events import Answered, Event, Listener
from promptlab.keys import host_of, is_loopback
from promptlab.lab import Lab, RunResult
from promptlab.report import enrich as enriching
from promptlab.report.tables import percent
from promptlab.tui.bridge import Told
from promptlab.tui.commands import Command
from promptlab.tui.page import Page
from promptlab.tui.widgets.grid import Column, Grid
from promptlab.tui.widgets.line import Confirm, Line
from promptlab.tui.widgets.pick import Pick
from promptlab.types import Classes, Edit, EditKind

OTHER = "another ..."
SETTINGS = (Column("name", "for the next run", 16), Column("value", "", 50, grow=1))
CASES = (
    Column("use", "", 1),
    Column("name", "class", 16, grow=1),
    Column("state", "verdict", 26, grow=2),
    Column("text", "words", 26, grow=3),
)
TITLES = {
    "llm": "Whom to ask?",
    "classes": "How many of the worst classes? (Space marks single ones on the first screen.)",
    "pack": "Which question?",
    "count": "How many texts to ask for, of each class?",
    "rivals": "How many rivals does the question name?",
    "place": "Where do descriptions go?",
    "keep": "What is kept?",
    "descriptions": "A file of descriptions: .json, .jsonl, or CLASS<TAB>TEXT lines (empty: ask a language model)",
    "max_cost": "US dollars to spend at most (0: no limit)",
}


class Row(NamedTuple):
    """One class, as far as it has come."""

    name: str
    state: str
    text: str


class Planned(NamedTuple):
    """What asking would take."""

    said: str  # in words, with tokens and price
    sends: bool  # whether anything would be sent to another machine, or has a price
    rows: dict[str, Row]


class Asked(NamedTuple):
    """What was planned, so that nothing else is started: settings may be changed meanwhile."""

    lab: Lab
    wanted: Wanted


class EnrichPage(Page):
    """Better words for the worst classes."""

    MODE = "enrich"
    ABOUT = (
        "Asks a language model what tells each of the worst classes from the classes that take its pictures, and keeps what helps all"
        " classes together on tune. `p` shows the questions, tokens and price; `s` starts, and asks you first where money could be spent."
        " Replies are kept: what was answered before is not asked again. What came of it is judged on the other half, with controls, in a"
        " new run."
    )
    DOES = (
        Command(
            "enrich.set", "enter", "set", "Change", "Change the setting under the cursor.", "promptlab enrich --pack features --count 3"
        ),
        Command(
            "enrich.plan", "p", "plan", "Questions", "Show what would be asked, tokens and price.", "promptlab enrich --worst 10 --dry-run"
        ),
        Command("enrich.start", "s", "start", "Start", "Ask, clean, keep what helps, judge.", "promptlab enrich --worst 10"),
        Command("enrich.accept", "a", "choose('use')", "Accept", "Use the words of this class.", "promptlab prompts use crane"),
        Command("enrich.reject", "x", "choose('leave')", "Reject", "Leave the words of this class out.", "promptlab prompts leave crane"),
        Command("enrich.open", "o", "open", "Open class", "Texts and pictures of the class.", "promptlab prompts score crane", False),
        Command("enrich.copy", "y", "copy", "Copy", "Copy the table as text.", "promptlab runs show", False),
    )

    def __init__(self) -> None:
        super().__init__()
        self.wanted = Wanted()
        self.given: dict[str, Any] = {}  # settings that were changed here
        self.rows: dict[str, Row] = {}
        self._of: object = None  # the run whose verdicts are shown

    def body(self) -> Iterable[Any]:
        """Settings, a line in words, a table of classes."""
        with Vertical():
            yield Grid(SETTINGS, id="settings")
            yield Static("", id="said", markup=False)
            yield Grid(CASES, id="cases")

    def on_mount(self) -> None:
        """Settings first."""
        self.query_one("#settings", Grid).focus()

    def on_screen_resume(self) -> None:
        """Classes that were marked on the home screen are taken over."""
        if self.lab_app.picked is not None:
            self.wanted, self.lab_app.picked = replace(self.wanted, classes=self.lab_app.picked), None
            self.renew()

    # -- showing ------------------------------------------------------------------------------------------------------------------

    @property
    def lab(self) -> Lab:
        """The lab with what was changed here."""
        return self.lab_app.lab.but(**self.given)

    def show(self) -> None:
        """Settings, and what is known of each class."""
        self.query_one("#settings", Grid).show((key, (title, value)) for key, title, value in self._settings())
        bench = self.bench
        if bench is not None and bench is not self._of:
            self._of = bench
            found = bench.run.enrichment
            self.rows, line = {}, "`p` shows what would be asked, `s` starts."
            try:
                self.rows, line = (verdicts(found), " ".join(enriching.verdict(found))) if found else (self.rows, line)
            except (KeyError, TypeError, ValueError, AttributeError, IndexError):  # written by somebody else
                line = "What enrichment came to in this run cannot be read."
            self._say(line)
        cases = self.query_one("#cases", Grid)
        used = {one.class_id for one in bench.now.prompts.descriptions if one.use} if bench else set()
        cases.show((key, ("✓" if key in used else "", row.name, row.state, row.text)) for key, row in self.rows.items())

    def _say(self, text: str) -> None:
        self.query_one("#said", Static).update(Text(safe(text, 600)))

    def _settings(self) -> list[tuple[str, str, str]]:
        """(key, name, value) of what can be changed."""
        s, wanted = self.lab.settings, self.wanted
        named = f"{len(wanted.classes)} marked: {', '.join(wanted.classes)}" if wanted.classes else f"the {wanted.worst} worst"
        nobody = "nobody: only better names are tried" if not wanted.descriptions else "nobody: words come from the file"
        return [
            ("llm", "ask", s.llm + (f" at {s.base_url}" if s.base_url else "") if s.llm and not wanted.descriptions else nobody),
            ("classes", "classes", named),
            ("pack", "question", wanted.pack),
            ("count", "texts", str(wanted.count)),
            ("rivals", "rivals", str(wanted.rivals)),
            ("place", "place", wanted.place),
            ("keep", "keep", wanted.keep),
            ("descriptions", "file", wanted.descriptions or "-"),
            ("max_cost", "spend", f"at most ${s.max_cost:g}" if s.max_cost else "no limit"),
        ]

    # -- settings -----------------------------------------------------------------------------------------------------------------

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter: change a setting, or open a class."""
        if event.data_table.id == "settings":
            self.action_set()
        else:
            self.action_open()

    def action_set(self) -> None:
        """Ask for another value of the setting under the cursor."""
        key = self.query_one("#settings", Grid).current or ""
        picks: Mapping[str, Callable[[], list[tuple[str, str]]]] = {
            "llm": lambda: [
                ("", "nobody: only better names are tried"),
                *((n, c.about) for n, (c, *_) in self.lab.chats.items()),
                (OTHER, ""),
            ],
            "pack": lambda: [*((pack.name, pack.about) for pack in self.lab.questions()), (OTHER, "a .toml file")],
            "place": lambda: [(place, "") for place in PLACES],
            "keep": lambda: [("better", "what helps clearly"), ("all", "everything")],
        }
        now = str(getattr(self.wanted, key, "")) if key != "llm" else self.lab.settings.llm
        if key in picks:
            self.app.push_screen(Pick(TITLES[key], picks[key](), now), lambda value: self._picked(key, value))
        elif key == "classes":
            self.app.push_screen(Line(TITLES[key], str(self.wanted.worst)), lambda value: self._set(key, value))
        elif key:
            self.app.push_screen(Line(TITLES[key], now, blank=True), lambda value: self._set(key, value))

    def _picked(self, key: str, value: str | None) -> None:
        if value == OTHER:
            title = "The name of a model, or local:FILE.gguf" if key == "llm" else "A file with a question pack"
            self.app.push_screen(Line(title), lambda text: self._set(key, text))
        else:
            self._set(key, value)

    def _set(self, key: str, value: str | None) -> None:
        """Take a value over. What cannot be used is told, and nothing changes."""
        if value is None:
            return
        try:
            if key == "classes":
                self.wanted = replace(self.wanted, worst=int(value), classes=())
            elif key in ("llm", "max_cost"):
                given = {**self.given, key: value}
                self.lab_app.lab.but(None, **given)
                self.given = given
            else:
                kept: Any = int(value) if key in ("count", "rivals") else value
                self.wanted = replace(self.wanted, **{key: kept})
        except ValueError:
            self.lab_app.tell(f"{value!r} is no number.", "warning")
        except PromptlabError as error:
            self.lab_app.fault(error)
        self.show()

    # -- asking -------------------------------------------------------------------------------------------------------------------

    def action_plan(self) -> None:
        """Show what would be asked."""
        self._planned(lambda planned, asked: None)

    def _planned(self, then: Callable[[Planned, Asked], None]) -> None:
        bench = self.bench
        if bench is None:
            self.lab_app.tell("No run is open.", "warning")
            return
        lab, wanted, run, classes = self.lab, self.wanted, str(bench.run.path), bench.now.classes
        asked = Asked(lab, wanted)
        if wanted.descriptions or not lab.settings.llm:
            self._say("Nobody is asked: " + ("words come from the file." if wanted.descriptions else "only better names are tried."))
            then(Planned("", False, {}), asked)
            return

        def shown(planned: Planned) -> None:
            self.rows = planned.rows
            self._say(planned.said)
            self.show()
            then(planned, asked)

        self.lab_app.work("see what would be asked", lambda listen: plan(lab.but(listen), wanted, run, classes), shown)

    def action_start(self) -> None:
        """Plan, ask before anything is sent to another machine, then go."""
        self._planned(self._confirmed)

    def _confirmed(self, planned: Planned, asked: Asked) -> None:
        if not planned.sends:
            self._go(asked)
            return
        question = Confirm("Send these questions?", planned.said, "Send")
        self.app.push_screen(question, lambda yes: self._go(asked) if yes else self.lab_app.tell("Nothing was sent."))

    def _go(self, asked: Asked) -> None:
        bench = self.bench
        if bench is None:
            return
        given = {"weights": bench.way} if bench.switched else {}
        lab, wanted, run = asked.lab.but(None, **given), asked.wanted, str(bench.run.path)

        def do(listen: Listener) -> RunResult:
            def hear(event: Event) -> None:
                listen(event)
                if isinstance(event, Answered):
                    self.post_message(Told(event))

            return lab.but(listen=hear).enrich(wanted=wanted, run=run)

        self.lab_app.conclude(f"enrich {_number(wanted)}", do)

    def on_told(self, message: Told) -> None:
        """A reply has come."""
        message.stop()
        event = message.event
        if isinstance(event, Answered) and self.bench is not None:
            key = next(iter(keyed([event.about], self.bench.now.classes)))
            state = f"failed: {event.fault}" if event.fault else "answered before" if event.kept else "answered"
            self.rows[key] = Row(event.about, state, " ".join(event.text.split()))
            self.show()

    # -- verdicts -----------------------------------------------------------------------------------------------------------------

    def action_choose(self, how: str) -> None:
        """Use, or leave out, all that is said of the class under the cursor."""
        key = self.query_one("#cases", Grid).current
        if key is None or self.bench is None or key not in self.bench.dataset.classes.ids:
            self.lab_app.tell("Put the cursor on a class below.")
        else:
            self.lab_app.edit(Edit(EditKind(how), key))

    def action_open(self) -> None:
        """The class under the cursor."""
        key, bench = self.query_one("#cases", Grid).current, self.bench
        if bench is not None and key in bench.dataset.classes.ids:
            self.lab_app.open_class(bench.dataset.classes.ids.index(key), tuple(self.rows))

    def action_copy(self) -> None:
        """The table as text."""
        self.app.copy_to_clipboard("\n".join(f"{safe(r.name)}\t{safe(r.state, 400)}\t{safe(r.text, 2000)}" for r in self.rows.values()))
        self.lab_app.tell(f"Copied {many(len(self.rows), 'class', 'classes')}.")


def plan(lab: Lab, wanted: Wanted, run: str, classes: Classes) -> Planned:
    """What would be asked of whom, in words; nothing is sent."""
    asked, endpoint, estimate = lab.would_ask(wanted=wanted, run=run)
    price = "unknown (no price is set)" if estimate.cost is None else f"about ${estimate.cost:.4f}"
    who = f"{endpoint.model} ({endpoint.provider})"
    left = estimate.questions - estimate.kept
    said = (
        f"{many(estimate.questions, 'question')} to {who}, {estimate.kept} answered before. Tokens, if each reply is right the first time: "
        f"up to {estimate.tokens_in:,} in, {estimate.tokens_out:,} out. Price: {price}."
    )
    questions = [" ".join(one.text.split()) for one in asked]
    # Questions begin alike: shown is what they differ in, the classes that they name.
    same = next((n for n, letters in enumerate(zip(*questions, strict=False)) if len(set(letters)) > 1), 0)
    texts = (Row(one.about, "to ask", question[same:]) for one, question in zip(asked, questions, strict=True))
    rows = dict(zip(keyed([one.about for one in asked], classes), texts, strict=True))
    # A server on this machine may pass questions on to one that takes money; then somebody has set a price.
    far = bool(endpoint.base_url) and not (is_loopback(host_of(endpoint.base_url)) and not estimate.cost)
    return Planned(said, bool(left and far), rows)


def keyed(titles: Iterable[str], classes: Classes) -> dict[str, str]:
    """{class id: title} of classes that are known by their titles; of several with one title, each its own."""
    left: dict[str, list[str]] = {}
    for class_id, title in zip(classes.ids, classes.titles, strict=True):
        left.setdefault(title, []).append(class_id)
    return {(left[title].pop(0) if left.get(title) else title): title for title in titles}


def verdicts(found: Mapping[str, Any]) -> dict[str, Row]:
    """{class id: what enrichment came to} of a run."""
    made = {}
    for one in found["classes"]:
        moved = "" if one["before"] is None else f"{percent(one['before'])} → {percent(one['after'])} "
        words: list[str] = one["texts"] or next((trial["texts"] for trial in one["trials"]), [])
        made[str(one["id"])] = Row(str(one["class"]), moved + enriching.short(one), "; ".join(words))
    return made


def _number(wanted: Wanted) -> str:
    return many(len(wanted.classes), "class", "classes") if wanted.classes else f"the {wanted.worst} worst classes"
