"""One class: what is said of it, who takes its pictures, and the pictures."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import DataTable, Static

from promptlab.display import many, safe
from promptlab.errors import PromptlabError
from promptlab.report.tables import cosine, percent
from promptlab.tui.commands import Command
from promptlab.tui.page import Page
from promptlab.tui.widgets.grid import Column, Grid
from promptlab.tui.widgets.line import Line
from promptlab.tui.widgets.picture import Picture
from promptlab.types import Description, Edit, EditKind

if TYPE_CHECKING:
    from promptlab.workbench import Seen, TextRow, Workbench

PANES = ("texts", "descriptions", "pictures")
PICTURES = 4  # most wrong, and as many most right
HINT = "enter: encode it and show what changes   esc: leave it as it is"
"""Under every line of text."""
TEXTS = (
    Column("text", "text", 34, grow=1),
    Column("weight", "weight", 6, True),
    Column("cmm", "margin", 7, True),
    Column("accuracy", "acc %", 5, True),
    Column("tokens", "tokens", 6, True),
)
SAID = (
    Column("use", "", 1),
    Column("text", "description", 34, grow=2),
    Column("place", "place", 7),
    Column("verdict", "verdict", 22, grow=3),
)


class ClassPage(Page):
    """What a class is made of. Every edit is scored at once."""

    MODE = "classes"
    ABOUT = (
        "Texts of the class by family. The margin of a text is that of the class's pictures if this text alone were its row. A family's"
        " text that was edited here is its own (*). Descriptions join the texts where they are in use (✓)."
    )
    DOES = (
        Command("class.back", "escape", "back", "Back", "Back to all classes.", "promptlab classes"),
        Command(
            "class.edit",
            "enter,e",
            "edit",
            "Edit",
            "Edit the text or the description under the cursor.",
            'promptlab prompts text crane "{}" "a crane"',
        ),
        Command(
            "class.plain", "b", "plain", "Back to template", "Say again what the template says.", 'promptlab prompts text crane "{}"', False
        ),
        Command("class.accept", "a", "accept", "Use", "Use the description under the cursor.", 'promptlab prompts use crane "a tall bird"'),
        Command(
            "class.reject",
            "x",
            "reject",
            "Leave",
            "Leave the description under the cursor out.",
            'promptlab prompts leave crane "a tall bird"',
        ),
        Command(
            "class.new", "n", "new", "New", "Describe the class in words of your own.", 'promptlab prompts describe crane "a tall bird"'
        ),
        Command(
            "class.drop",
            "delete",
            "drop",
            "Drop",
            "Drop the description under the cursor.",
            'promptlab prompts describe crane "a tall bird" --remove',
            False,
        ),
        Command(
            "class.rename",
            "r",
            "rename",
            "Name",
            "Give the class another name, or several.",
            'promptlab prompts rename crane "crane bird"',
        ),
        Command("class.pane", "t", "pane", "Pane", "Texts, descriptions, pictures.", "promptlab prompts show crane"),
        Command(
            "class.next", "right_square_bracket", "step(1)", "Next", "The next class of the list.", "promptlab prompts score crane", False
        ),
        Command(
            "class.previous", "left_square_bracket", "step(-1)", "Previous", "The class before.", "promptlab prompts score crane", False
        ),
        Command("class.copy", "y", "copy", "Copy", "Copy what is under the cursor.", "promptlab prompts show crane --json", False),
    )

    def __init__(self, c: int, listed: tuple[str, ...] = ()) -> None:
        """c: the class; listed: ids in the order in which `[` and `]` go through them."""
        super().__init__()
        self.c, self._listed = c, listed
        self._id: str | None = None  # the class in every run; None until a run shows it
        self._of = -1  # the class that the tables are of, which may come a moment later
        self._texts: list[TextRow] = []
        self._said: list[Description] = []
        self._pictures: tuple[int, tuple[Seen, ...]] | None = None
        self._tokens: dict[str, int] = {}

    def body(self) -> Iterable[Any]:
        """Summary, texts, descriptions; pictures beside them where there is room."""
        yield Static("", id="summary", markup=False)
        with Horizontal(id="panes"):
            with Vertical(id="words"):
                yield Grid(TEXTS, id="texts", classes="-front")
                yield Grid(SAID, id="descriptions")
            yield VerticalScroll(id="pictures")

    def on_mount(self) -> None:
        """Texts are in front."""
        self.query_one("#texts", Grid).focus()

    @property
    def class_id(self) -> str:
        """The class, by id; empty while no run is open."""
        return self._id or ""

    # -- showing ------------------------------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Everything of the class; texts are read in the background, for they may have to be encoded."""
        bench = self.bench
        if bench is None:
            return
        ids = bench.dataset.classes.ids
        if self._id is None and self.c < len(ids):
            self._id = ids[self.c]
        if self._id not in ids:  # another run was opened, without this class
            self._shown = -1  # where a question is in front of it, it leaves after that
            self.app.call_later(self._leave)
            return
        self.c = ids.index(self._id)
        self.query_one("#summary", Static).update(summary(bench, self.c))
        self.beside(partial(self._read, bench, self.c))

    async def _read(self, bench: "Workbench", c: int) -> None:
        try:
            texts = await asyncio.to_thread(bench.texts, c)
        except PromptlabError as error:
            self.lab_app.fault(error)
            return
        self._texts, self._said, self._of = texts, bench.descriptions(c), c
        table, said = self.query_one("#texts", Grid), self.query_one("#descriptions", Grid)
        table.show((f"{n}", self._text_cells(row)) for n, row in enumerate(self._texts))
        said.set_class(not self._said, "-empty")
        said.show((f"{n}", _said_cells(one)) for n, one in enumerate(self._said))
        await self._show_pictures(bench, c)
        if missing := [row.text for row in texts if row.text not in self._tokens]:
            found = await asyncio.to_thread(lambda: {text: bench.tokens(text) for text in missing})
            self._tokens |= found
            table.show((f"{n}", self._text_cells(row)) for n, row in enumerate(self._texts))

    def _text_cells(self, row: "TextRow") -> tuple[str | Text, ...]:
        tokens = self._tokens.get(row.text)
        count = Text(f"{tokens}!" if row.too_long else f"{tokens}" if tokens else "-", "red" if row.too_long else "", justify="right")
        return (("* " if row.own else "") + row.text, percent(row.weight), cosine(row.cmm), percent(row.accuracy), count)

    async def _show_pictures(self, bench: "Workbench", c: int) -> None:
        """Pictures most wrong, with the class that took each, and most right; drawn anew only when they are others."""
        wrong, right = bench.seen(c, right=False, most=PICTURES), bench.seen(c, right=True, most=PICTURES)
        wanted = (c, (*wrong, *right))
        if wanted == self._pictures:
            return
        self._pictures = wanted
        box = self.query_one("#pictures", VerticalScroll)
        await box.remove_children()
        if not wrong and not right:
            await box.mount(Static(Text("No picture on tune is of this class."), markup=False))
        for said, seen in (("Most wrong", wrong), ("Most right", right)):
            if seen:
                await box.mount(Static(Text(said, "bold"), markup=False))
            for one in seen:
                await box.mount(await asyncio.to_thread(_sight, bench, one))
        if not bench.has_pictures:
            said = f"{safe(bench.dataset.name, 40)} is data of vectors: it has no pictures to show."
            await box.mount(Static(Text(said, "dim"), markup=False))

    # -- doing --------------------------------------------------------------------------------------------------------------------

    def action_back(self) -> None:
        """Back to all classes."""
        self.app.pop_screen()

    def _leave(self) -> None:
        if self.is_active:
            self.app.pop_screen()

    def action_step(self, by: int) -> None:
        """To another class of the list."""
        known = () if self.bench is None else self.bench.dataset.classes.ids
        listed = [one for one in self._listed if one in known]
        if self.class_id not in listed:
            return
        self._id = listed[(listed.index(self.class_id) + by) % len(listed)]
        self.c = known.index(self._id)
        self.show()

    def action_pane(self) -> None:
        """Bring the next pane to the front."""
        front = next(name for name in PANES if self.query_one(f"#{name}").has_class("-front"))
        self._front(PANES[(PANES.index(front) + 1) % len(PANES)])

    def _front(self, name: str) -> None:
        for pane in PANES:
            self.query_one(f"#{pane}").set_class(pane == name, "-front")
        self.query_one("#panes").set_class(name == "pictures", "-pictures")
        self.query_one(f"#{name}").focus()

    @property
    def _row(self) -> "TextRow | None":
        """The text under the cursor, where texts have the focus."""
        table = self.query_one("#texts", Grid)
        there = self._of == self.c and table.has_focus and table.current is not None
        return self._texts[int(table.current or 0)] if there else None

    @property
    def _description(self) -> Description | None:
        """The description under the cursor, where descriptions have the focus."""
        table = self.query_one("#descriptions", Grid)
        there = self._of == self.c and table.has_focus and table.current is not None
        return self._said[int(table.current or 0)] if there else None

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter, or a second click."""
        self.action_edit()

    def action_edit(self) -> None:
        """Edit what is under the cursor."""
        row, said = self._row, self._description
        if row is not None:
            self._ask(
                f"What {row.template.name} says of {self._title}", row.text, lambda text: self._do(EditKind.TEXT, row.template.source, text)
            )
        elif said is not None:
            self._ask(f"A description of {self._title}", said.text, lambda text: self._do(EditKind.DESCRIBE, said.text, text))

    def action_new(self) -> None:
        """A description in words of one's own."""
        self._ask(f"Describe {self._title}: a phrase, or a sentence with a stop", "", lambda text: self._do(EditKind.DESCRIBE, "", text))

    def action_rename(self) -> None:
        """Another name; several with semicolons between them, for a name may hold a comma; none is the data's own."""
        if self.bench is None:
            return
        names = "; ".join(self.bench.now.classes.names[self.c])
        hint = "several names: a semicolon between them   empty: the name that the data has   esc: leave it"
        self._ask(f"Names of {self._title}", names, self._renamed, hint, blank=True)

    def _renamed(self, text: str) -> None:
        self._do(EditKind.RENAME, "", *(name.strip() for name in text.split(";") if name.strip()))

    def action_plain(self) -> None:
        """What the template says."""
        if (row := self._row) is not None:
            self._do(EditKind.TEXT, row.template.source)

    def action_accept(self) -> None:
        """Use the description under the cursor."""
        self._choose(EditKind.USE)

    def action_reject(self) -> None:
        """Leave it out."""
        self._choose(EditKind.LEAVE)

    def action_drop(self) -> None:
        """Drop it."""
        if (said := self._description) is not None:
            self._do(EditKind.DESCRIBE, said.text)

    def _choose(self, kind: EditKind) -> None:
        said = self._description
        if said is None:
            self.lab_app.tell("Put the cursor on a description (t).")
        else:
            self._do(kind, "", said.text)

    def action_copy(self) -> None:
        """What is under the cursor."""
        text = self._row.text if self._row else self._description.text if self._description else "\n".join(row.text for row in self._texts)
        self.app.copy_to_clipboard(safe(text, 10_000))
        self.lab_app.tell("Copied.")

    @property
    def _title(self) -> str:
        return self.bench.now.classes.titles[self.c] if self.bench else ""

    def _ask(self, title: str, value: str, then: Callable[[str], None], hint: str = HINT, blank: bool = False) -> None:
        self.app.push_screen(
            Line(title, value, hint, blank), lambda text: None if text is None or (text == value and value) else then(text)
        )

    def _do(self, kind: EditKind, of: str, *words: str) -> None:
        self.lab_app.edit(Edit(kind, self.class_id, of, words))


def summary(bench: "Workbench", c: int) -> Text:
    """Name, share of pictures that are right, who takes the others."""
    now, base, titles = bench.now.standing, bench.base, bench.now.classes.titles
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f" {safe(', '.join(bench.now.classes.names[c]), 60)} ", "bold reverse")
    line.append(
        f"  {many(int(now.count[c]), 'picture')} on tune, {percent(now.accuracy[c])} % {'right' if bench.labelled else 'as at first'}"
    )
    if now.accuracy[c] != base.accuracy[c] and now.count[c]:
        line.append(f" (was {percent(base.accuracy[c])})", "green" if now.accuracy[c] > base.accuracy[c] else "red")
    line.append(f", margin {cosine(now.cmm[c])}")
    takers = bench.takers(c)
    if takers:
        line.append("\n taken by " + ", ".join(f"{safe(titles[j], 30)} {n}" for j, n in takers))
    return line


def _sight(bench: "Workbench", one: "Seen") -> Picture | Static:
    """A picture with the class that took it, or came next; for data of vectors the words alone."""
    relation = "taken by" if one.margin <= 0 else "before"
    said = Text(f"{relation} {safe(bench.now.classes.titles[one.rival], 40)} ({cosine(one.margin)})\n")
    said.append(safe(one.key, 80), "dim")
    if not bench.has_pictures:
        return Static(said, markup=False)
    made = Picture()
    try:
        made.show(bench.picture(one.key), said)
    except PromptlabError as error:
        made.lack(error.message, said)
    return made


def _said_cells(one: Description) -> tuple[str, ...]:
    return ("✓" if one.use else "-", one.text, one.place.value, one.verdict or ("by hand" if not one.source else one.source))
