"""What the classifier says of a picture, with its weights and with uniform ones; or which of some texts fits it best."""

import asyncio
import itertools
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.style import Style
from rich.text import Text, TextType
from textual.containers import Horizontal, Vertical
from textual.widgets import DataTable, DirectoryTree, Static
from textual.widgets.directory_tree import DirEntry
from textual.widgets.tree import TreeNode

from promptlab.display import many, safe
from promptlab.errors import PromptlabError
from promptlab.lab import Lab
from promptlab.report.tables import cosine, percent
from promptlab.tui.commands import Command
from promptlab.tui.page import Page
from promptlab.tui.widgets.grid import Column, Grid
from promptlab.tui.widgets.line import Line
from promptlab.tui.widgets.picture import Picture
from promptlab.types import Guess

if TYPE_CHECKING:
    from promptlab.workbench import Workbench

MOST = 20  # pictures of a folder
TEXTS = 20  # of those to choose from
SEPARATOR = "|"
HEADS = (("as now", "uniform"), ("as written", "in templates"))
WAYS = (("with the weights as they are now", "with uniform weights"), ("as they are written", "within the run's templates"))
LISTED = 2000  # entries of a folder that the tree shows
Said = tuple[list[Guess], list[Guess]]


class PictureTree(DirectoryTree):
    """Folders and picture files. Names may hold anything; they are shown safely."""

    ICON_NODE_EXPANDED, ICON_NODE, ICON_FILE = "▾ ", "▸ ", "  "

    def process_label(self, label: TextType) -> Text:
        """The name on one line, whatever it holds."""
        return Text(safe(str(label), 120) or " ", no_wrap=True, overflow="ellipsis")

    def render_label(self, node: TreeNode[DirEntry], base_style: Style, style: Style) -> Text:
        """The name under its style alone: nothing is looked for in it."""
        icon = (self.ICON_NODE_EXPANDED if node.is_expanded else self.ICON_NODE) if node.allow_expand else self.ICON_FILE
        name = node.label if isinstance(node.label, Text) else self.process_label(node.label)
        return Text.assemble((icon, base_style), (name.plain, style))

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        """Folders and pictures, those that are not hidden."""
        seen = (path for path in paths if not path.name.startswith("."))
        return itertools.islice((path for path in seen if Lab.is_picture(path.name) or self._safe_is_dir(path)), LISTED)


class TryPage(Page):
    """A picture, and what is on it."""

    MODE = "try"
    ABOUT = (
        "Pick a picture, or type a path; of a folder the first 20 are looked at. Share: softmax over classes; of sigmoid models each"
        " class's own. Margin: winner - runner-up, in cosine units. Edits and weights count as they are now. c: texts of your own to choose"
        " from, as they are written and within the run's templates."
    )
    DOES = (
        Command("try.pick", "enter", "pick", "Look", "Look at the picture under the cursor.", "promptlab classify cat.jpg"),
        Command("try.path", "slash,p", "path", "Path", "Type the path of a picture or of a folder.", "promptlab classify cat.jpg"),
        Command(
            "try.folder", "f", "folder", "Folder", "The first 20 pictures of the folder under the cursor.", "promptlab classify photos/"
        ),
        Command(
            "try.candidates",
            "c",
            "candidates",
            "Candidates",
            "Texts to choose from, instead of the classes.",
            "promptlab classify cat.jpg --text 'a cat' --text 'a dog'",
        ),
        Command("try.copy", "y", "copy", "Copy", "Copy what was said.", "promptlab classify cat.jpg --json", False),
    )

    def __init__(self) -> None:
        super().__init__()
        self.path = ""
        self.texts: tuple[str, ...] = ()  # to choose from; none: the classes
        self.said: Said = ([], [])
        self._seen = ""  # the picture that is shown

    def body(self) -> Iterable[Any]:
        """Files; beside them the picture, and what is said of it."""
        with Horizontal():
            yield PictureTree(Path.cwd(), id="files")
            with Vertical(id="try"):
                yield Picture(id="tried")
                yield Static("", id="verdict", markup=False)
                yield Grid(_columns(False), id="one")
                yield Grid(_columns(True), id="several")

    def on_mount(self) -> None:
        """The files have the focus."""
        files = self.query_one(PictureTree)
        files.guide_depth = 2
        files.focus()
        self.query_one("#several").display = False
        if not self.path:
            self.query_one(Picture).lack("enter: look at a picture   /: type a path")

    # -- showing ------------------------------------------------------------------------------------------------------------------

    def show(self) -> None:
        """What is said of the picture now: edits may have changed it."""
        if self.path:
            self.look(self.path)

    def look(self, path: str) -> None:
        """Show a picture, and ask of it in the background; of a folder its first pictures."""
        self.path = path
        self._say("Looking ...")
        self.beside(partial(self._look, path, self.bench))

    async def _look(self, path: str, bench: "Workbench | None") -> None:
        if bench is None:
            self.said = [], []
            self._draw()
            await self._picture(path)
            alone = " `promptlab classify --text` needs none." if self.texts else ""
            self._say(f"No run is open, so there is no classifier to ask. 5 lists the runs.{alone}")
            return
        try:
            if self.texts:
                self.said = await asyncio.to_thread(bench.choose, path, self.texts, TEXTS, MOST)
            else:
                self.said = await asyncio.to_thread(bench.guess, path, 5, MOST)
        except Exception as error:  # a picture or a model may fail in any way
            self.said = [], []
            self.lab_app.fault(error)
            self._say(error.message if isinstance(error, PromptlabError) else "Something broke; the log says what.")
        else:
            self._say(verdict(self.said, self.ways))
        self._draw()
        await self._picture(self.said[0][0].key if self.said[0] else path)

    async def _picture(self, path: str) -> None:
        box = self.query_one(Picture)
        self._seen = path
        try:
            data = await asyncio.to_thread(self.lab_app.lab.picture, path)
        except PromptlabError as error:
            box.lack(error.message, _short(path))
        else:
            box.show(data, _short(path))

    def _say(self, text: str) -> None:
        self.query_one("#verdict", Static).update(Text("\n".join(safe(line, 400) for line in text.splitlines())))

    def _draw(self) -> None:
        now, even = self.said
        one, several = self.query_one("#one", Grid), self.query_one("#several", Grid)
        one.display, several.display = len(now) < 2, len(now) > 1
        for grid in (one, several):
            grid.retitle(dict(zip(("now", "even"), HEADS[bool(self.texts)], strict=True)))
        pairs = list(zip(now, even, strict=True))
        several.show((a.key, (_short(a.key), *_best(a), *_best(b))) for a, b in pairs)
        top = zip(now[0].top, even[0].top, strict=True) if now else ()
        one.show((f"{n}", (a, percent(p), b, percent(q))) for n, ((a, p), (b, q)) in enumerate(top))

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Of several pictures the one under the cursor is shown."""
        key = self.query_one("#several", Grid).current
        if len(self.said[0]) > 1 and key and key != self._seen:
            self.beside(partial(self._picture, key), "picture")

    @property
    def ways(self) -> tuple[str, str]:
        """What tells the two answers apart."""
        return WAYS[bool(self.texts)]

    # -- doing --------------------------------------------------------------------------------------------------------------------

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """A second click on a picture of the table."""
        if event.data_table.id == "several":
            self.action_pick()

    def on_directory_tree_file_selected(self, event: DirectoryTree.FileSelected) -> None:
        """Enter on a file."""
        self.look(str(event.path))

    def action_pick(self) -> None:
        """Look at the picture under the cursor, of the tree or of the table."""
        table = self.query_one("#several", Grid)
        if table.has_focus and table.current:
            self.look(table.current)
        else:
            self.query_one(PictureTree).action_select_cursor()

    def action_folder(self) -> None:
        """The folder under the cursor, or that of the file under it."""
        node = self.query_one(PictureTree).cursor_node
        if node is not None and node.data is not None:
            self.look(str(node.data.path if node.allow_expand else node.data.path.parent))

    def action_path(self) -> None:
        """Ask for a path."""
        self.app.push_screen(Line("A picture, or a folder of pictures", self.path), self._typed)

    def _typed(self, text: str | None) -> None:
        if text:
            self.look(str(Path(text.strip()).expanduser()))

    def action_candidates(self) -> None:
        """Ask for texts; an empty line asks for the classes again."""
        hint = f"{SEPARATOR} between them; an empty line: the classes again   esc: leave it"
        self.app.push_screen(Line("Texts to choose from", f" {SEPARATOR} ".join(self.texts), hint, blank=True), self._given)

    def _given(self, line: str | None) -> None:
        if line is not None:
            self.texts = tuple(filter(None, map(str.strip, line.split(SEPARATOR))))
            self.show()

    def action_copy(self) -> None:
        """What was said, as plain text."""
        lines = [f"{safe(one.key, 400)}: {_top(one)}\n  {self.ways[1]}: {_top(other)}" for one, other in zip(*self.said, strict=True)]
        self.app.copy_to_clipboard("\n".join(lines))
        self.lab_app.tell(f"Copied {many(len(lines), 'answer')}.")


def verdict(said: Said, ways: tuple[str, str]) -> str:
    """What the answers come to, in a line or two."""
    now, even = said
    if len(now) == 1:
        one, other = now[0], even[0]
        if one.fault:
            return "There is no picture in this folder." if os.path.isdir(one.key) else f"It cannot be read: {one.fault}"
        return f"margin {cosine(one.margin)} {ways[0]}\n       {cosine(other.margin)} {ways[1]}"
    differ = sum(one.top[0][0] != other.top[0][0] for one, other in zip(now, even, strict=True) if one.top)
    bad = sum(bool(one.fault) for one in now)
    said_bad = f"; {many(bad, 'picture')} cannot be read" if bad else ""
    return f"{many(len(now), 'picture')}; the two ways differ on {differ}{said_bad}"


def _best(one: Guess) -> tuple[str, str]:
    return (one.top[0][0], percent(one.top[0][1])) if one.top else (f"- {one.fault}", "")


def _top(one: Guess) -> str:
    return ", ".join(f"{safe(name, 80)} {percent(share)} %" for name, share in one.top) or safe(f"cannot be read: {one.fault}")


def _short(path: str) -> str:
    return safe(Path(path).name or path, 60)


def _columns(several: bool) -> list[Column]:
    name, first = (11, [Column("picture", "picture", 10, grow=1)]) if several else (17, [])
    pairs = zip(("now", "even"), HEADS[False], strict=True)
    return [*first, *(one for key, title in pairs for one in (Column(key, title, name, grow=1), Column(f"{key}-share", "%", 5, True)))]
