"""The screen that tries the classifier on pictures."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from promptlab.lab import Lab
from promptlab.tui.app import PromptlabApp
from promptlab.tui.screens.trying import MOST, PictureTree, TryPage
from promptlab.tui.widgets.grid import Grid
from promptlab.types import Edit, EditKind

from .conftest import Made, opened, paint, played, until

HOSTILE = ("[@click=app.quit]x[-].png", "\x1b]52;c;aGk=\x07.png", "\u202eabc.png", os.fsdecode(b"\xff.png"), "[-x].png", "a\nb.png")


async def there(app: PromptlabApp, pilot: Pilot[None]) -> TryPage:
    await opened(app, pilot)
    await pilot.press("4")
    await pilot.pause()
    page: Any = app.screen
    assert isinstance(page, TryPage)
    return page


async def asked(page: TryPage, pilot: Pilot[None], path: str) -> None:
    """Types a path, and waits for what is said of it."""
    await pilot.press("slash")
    page.app.screen.query_one(Input).value = path
    await pilot.press("enter")
    await until(pilot, lambda: page.path == path and said(page) not in ("", "Looking ..."))


def said(page: TryPage) -> str:
    return str(page.query_one("#verdict", Static).content)


def test_a_picture_is_shown_with_both_weightings(lab: Lab, runs: Path, made: Made) -> None:
    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        page = await there(app, pilot)
        await asked(page, pilot, str(made.folder / "photos" / "red" / "0.png"))
        (now,), (even,) = page.said
        grid = page.query_one("#one", Grid)
        rows = [[str(cell) for cell in grid.get_row_at(n)] for n in range(grid.row_count)]
        assert [row[0] for row in rows] == [name for name, _ in now.top]
        assert [row[2] for row in rows] == [name for name, _ in even.top]
        assert {name for name, _ in now.top} == {"red", "green leaf", "blue"}
        assert f"{now.margin:+.4f} with the weights as they are now" in said(page)
        await pilot.press("y")
        assert "with uniform weights" in app.clipboard

    played(lab, script)


def test_edits_count_at_once(lab: Lab, runs: Path, made: Made) -> None:
    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        page = await there(app, pilot)
        await asked(page, pilot, str(made.folder / "photos" / "red" / "0.png"))
        before = dict(page.said[0][0].top)
        app.edit(Edit(EditKind.RENAME, "red", words=("zebra",)))
        await until(pilot, lambda: any(name == "zebra" for one in page.said[0] for name, _ in one.top))
        assert dict(page.said[0][0].top) != before

    played(lab, script)


def test_of_a_folder_the_first_pictures_are_looked_at(lab: Lab, runs: Path) -> None:
    paint(Path("more"), 8)
    (Path("more") / "blue" / "broken.jpg").write_bytes(b"no picture")

    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        page = await there(app, pilot)
        await asked(page, pilot, "more")
        assert len(page.said[0]) == len(page.said[1]) == MOST == page.query_one("#several", Grid).row_count
        assert "20 pictures" in said(page)
        assert "1 picture cannot be read" in said(page)
        Path("empty").mkdir()
        await asked(page, pilot, "empty")
        assert said(page) == "There is no picture in this folder."

    played(lab, script)


@pytest.mark.parametrize(
    "path", ["nothing.png", "broken.jpg", "pipe.png", "/dev/zero", "a\0b.png", "x" * 5000, "[/x]"], ids=lambda t: ascii(t)[:14]
)
def test_what_is_no_picture_is_told(path: str, lab: Lab, runs: Path) -> None:
    Path("broken.jpg").write_bytes(b"\xff\xd8 no picture")
    os.mkfifo("pipe.png")

    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        page = await there(app, pilot)
        page.look(path)
        await until(pilot, lambda: said(page) not in ("", "Looking ..."))
        assert "cannot be read" in said(page)
        assert page.is_running

    played(lab, script)


def test_without_a_run_the_picture_alone_is_shown(lab: Lab, made: Made) -> None:
    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        await pilot.press("4")
        await pilot.pause()
        page: Any = app.screen
        await asked(page, pilot, str(made.folder / "photos" / "red" / "0.png"))
        assert "No run is open" in said(page)
        assert page.said == ([], [])

    played(lab, script)


def test_the_tree_shows_names_as_they_are_and_only_pictures(lab: Lab, runs: Path, made: Made) -> None:
    picture = made.folder / "photos" / "red" / "0.png"
    for name in HOSTILE:
        shutil.copy(picture, Path.cwd() / name)
    (Path.cwd() / "notes.txt").write_text("")
    (Path.cwd() / ".hidden.png").write_text("")

    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        page = await there(app, pilot)
        tree = page.query_one(PictureTree)
        await until(pilot, lambda: len(tree.root.children) == len(HOSTILE) + 1)
        labels = [str(node.label) for node in tree.root.children]
        assert labels[0] == "runs"
        assert "[@click=app.quit]x[-].png" in labels
        assert not any(sign in label for label in labels for sign in ("\x1b", "\x07", "\u202e", "\udcff", "\n"))
        for _ in range(len(HOSTILE)):
            await pilot.press("down")
        for node in tree.root.children[1:]:
            tree.move_cursor(node)
            assert node.data is not None
            await pilot.press("enter")
            await until(pilot, lambda path=str(node.data.path): page.path == path and said(page) not in ("", "Looking ..."))
            assert "margin" in said(page)

    played(lab, script)


def test_texts_of_ones_own_are_chosen_from(lab: Lab, runs: Path, made: Made) -> None:
    picture = str(made.folder / "photos" / "red" / "0.png")

    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        page = await there(app, pilot)
        await asked(page, pilot, picture)
        await pilot.press("c")
        page.app.screen.query_one(Input).value = "a red wall | green grass | [/x]"
        await pilot.press("enter")
        await until(pilot, lambda: bool(page.texts) and "as they are written" in said(page))
        (alone,), (within,) = page.said
        assert {name for name, _ in alone.top} == {name for name, _ in within.top} == {"a red wall", "green grass", "[/x]"}
        assert lab.choose(picture, page.texts)[0].top == alone.top
        assert sum(share for _, share in alone.top) == pytest.approx(1)
        grid = page.query_one("#one", Grid)
        assert [str(column.label) for column in grid.ordered_columns] == ["as written", "%", "in templates", "%"]
        await pilot.press("c")
        page.app.screen.query_one(Input).value = "one alone"
        await pilot.press("enter")
        await until(pilot, lambda: "One text alone" in said(page))
        await pilot.press("c")
        page.app.screen.query_one(Input).value = ""
        await pilot.press("enter")
        await until(pilot, lambda: "with uniform weights" in said(page))
        assert {name for name, _ in page.said[0][0].top} == {"red", "green leaf", "blue"}

    played(lab, script)
