"""The screen of past runs."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input, Static

from promptlab.display import safe
from promptlab.lab import Lab
from promptlab.report.tables import Table
from promptlab.runs import Run, all_runs
from promptlab.tui.app import PromptlabApp
from promptlab.tui.screens.papers import Compared, Paper
from promptlab.tui.screens.runs import RunsPage, read, trend, worst
from promptlab.tui.widgets.grid import Grid
from promptlab.tui.widgets.line import Confirm, Line
from promptlab.tui.widgets.tables import ReportTable, drawn

from .conftest import opened, played, until
from .hostile import HOSTILE


def names(runs: Path) -> list[str]:
    return [run.name for run in all_runs(runs)]


async def there(app: PromptlabApp, pilot: Pilot[None], runs: int = 3) -> RunsPage:
    """The screen, with so many runs."""
    await opened(app, pilot)
    await pilot.press("5")
    page: Any = app.screen
    await until(pilot, lambda: page.query_one(Grid).row_count == runs)
    assert isinstance(page, RunsPage)
    return page


def cells(page: RunsPage) -> list[list[str]]:
    grid = page.query_one(Grid)
    return [[str(cell) for cell in grid.get_row_at(n)] for n in range(grid.row_count)]


def test_runs_are_listed_newest_first_and_the_open_one_is_marked(lab: Lab, runs: Path) -> None:
    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        page = await there(app, pilot)
        rows = cells(page)
        assert [row[0] for row in rows] == [f"▸ {names(runs)[0]}", *(f"  {name}" for name in names(runs)[1:])]
        assert rows[0][1] == "zpe"
        assert "3 runs" in str(page.query_one("#trend", Static).content)

    played(lab, script)


def test_enter_opens_a_run(lab: Lab, runs: Path) -> None:
    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        await there(app, pilot)
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: app.bench is not None and app.bench.run.name == names(runs)[2])
        assert app.current_mode == "classes"

    played(lab, script)


def test_two_are_marked_at_most_and_compared_older_first(lab: Lab, runs: Path) -> None:
    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        page = await there(app, pilot)
        await pilot.press("c")
        assert page.marked == []
        assert app.screen is page
        await pilot.press("space", "space", "space")
        assert page.marked == names(runs)[1:]
        await pilot.press("space")
        assert page.marked == names(runs)[1:2]
        await pilot.press("up", "up", "up", "space", "c")
        await until(pilot, lambda: isinstance(app.screen, Compared))
        shown: Any = app.screen
        newest, middle, _ = names(runs)
        assert shown.title_line == f"first: {middle}   second: {newest}"
        assert "Second against first" in shown.verdict
        assert len(list(shown.query(ReportTable))) == len(shown.tables) >= 1
        await pilot.press("y")
        assert newest in app.clipboard.replace("\\", "")
        await pilot.press("escape")
        assert app.screen is page

    played(lab, script)


def test_a_report_is_read_and_left(lab: Lab, runs: Path) -> None:
    newest = runs / names(runs)[0]
    (newest / "report.md").write_bytes(b"# [@click=app.quit]hello[/]\n\x1b]0;evil\x07 caf\xe9\n")

    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        page = await there(app, pilot)
        await pilot.press("r")
        shown: Any = app.screen
        assert isinstance(shown, Paper)
        await until(pilot, lambda: shown.text)
        assert shown.text == "# [@click=app.quit]hello[/]\n\\x1b]0;evil\\x07 caf\\xe9"
        await pilot.press("escape")
        (newest / "report.md").unlink()
        await pilot.press("r")
        gone: Any = app.screen
        await until(pilot, lambda: gone.text)
        assert "there is no report" in gone.text
        await pilot.press("escape")
        assert app.screen is page

    played(lab, script)


def test_a_run_is_deleted_only_when_somebody_says_so(lab: Lab, runs: Path) -> None:
    before = names(runs)

    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        page = await there(app, pilot)
        await pilot.press("delete")
        assert app.screen is page  # it is open
        await pilot.press("down", "delete")
        assert isinstance(app.screen, Confirm)
        assert before[1] in str(app.screen.query_one("#confirm-question", Static).content)
        await pilot.press("enter")  # No has the focus
        assert names(runs) == before
        await pilot.press("delete", "y")
        await until(pilot, lambda: page.query_one(Grid).row_count == 2)
        assert names(runs) == [before[0], before[2]]

    played(lab, script)


def test_a_run_that_is_worked_on_is_not_deleted(lab: Lab, runs: Path) -> None:
    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        page = await there(app, pilot)
        with Run(runs / names(runs)[1]).work():
            await pilot.press("down", "delete")
            assert app.screen is page

    played(lab, script)


def test_a_run_is_exported_and_asks_before_it_overwrites(lab: Lab, runs: Path) -> None:
    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        await there(app, pilot)
        await pilot.press("x")
        assert isinstance(app.screen, Line)
        app.screen.query_one(Input).value = "out"
        await pilot.press("enter")
        await until(pilot, lambda: not app.working and Path("out/classes.json").is_file())
        Path("out/report.md").write_text("mine")
        await pilot.press("x")
        app.screen.query_one(Input).value = "out"
        await pilot.press("enter")
        assert isinstance(app.screen, Confirm)
        assert "report.md" in str(app.screen.query_one("#confirm-details", Static).content)
        app.screen.query_one("#no", Button).press()
        await pilot.pause()
        assert Path("out/report.md").read_text() == "mine"
        await pilot.press("x")
        app.screen.query_one(Input).value = "out"
        await pilot.press("enter", "y")
        await until(pilot, lambda: Path("out/report.md").read_text() != "mine")

    played(lab, script)


@pytest.mark.parametrize("folder", ["x" * 5000, "a\0b", "/proc/nothing/here", "runs/latest/result.json"], ids=lambda text: ascii(text)[:12])
def test_an_export_to_nowhere_is_told(folder: str, lab: Lab, runs: Path) -> None:
    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        page = await there(app, pilot)
        before = len(app.logged.lines)
        page._export(page.past[names(runs)[0]].run, folder)
        await until(pilot, lambda: not app.working and len(app.logged.lines) > before)
        assert app.logged.lines[-1].level == "error"

    played(lab, script)


def test_the_table_is_copied_as_markdown(lab: Lab, runs: Path) -> None:
    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        await there(app, pilot)
        await pilot.press("y")
        assert app.clipboard.startswith("| run | tried |")
        assert len(app.clipboard.splitlines()) == 7  # head, rule, three runs, a blank, the note
        assert names(runs)[2] in app.clipboard

    played(lab, script)


def test_runs_of_hostile_names_and_results_are_shown(lab: Lab, runs: Path) -> None:
    for n, name in enumerate(("[@click=app.quit]x[/]", "x\x1b]52;c;aGk=\x07", "\u202eabc", "[x]")):
        folder = runs / f"2026-01-0{n + 1}-{name}".replace("/", "\u2215")
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps({"created": "", "data": name, "settings": {}}))
        (folder / "result.json").write_text(json.dumps({"result": {"worst": {"fixed": name}}, "method": [name]}))

    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        page = await there(app, pilot, 7)
        shown = "".join(cell for row in cells(page) for cell in row)
        assert not any(sign in shown for sign in ("\x1b", "\x07", "\u202e"))
        assert "[@click=app.quit]x" in shown
        await pilot.press(*["down"] * 6, "space", "delete")
        assert isinstance(app.screen, Confirm)
        await pilot.press("escape", "x", "escape", "r")
        await pilot.pause()

    played(lab, script)


def test_the_line_follows_the_runs_on_the_same_data_alone(runs: Path) -> None:
    oldest = runs / names(runs)[2]
    shutil.copytree(oldest, runs / "2020-01-01-000000-other")
    manifest = json.loads((oldest / "run.json").read_text())
    (runs / "2020-01-01-000000-other" / "run.json").write_text(json.dumps({**manifest, "data": "elsewhere"}))
    past = read(runs)
    assert len(past) == 4
    assert "photos, 3 runs" in trend(past.values()).plain
    assert "elsewhere, 1 run" in trend(past.values(), "2020-01-01-000000-other").plain
    assert trend([]).plain == " No run is finished yet."


@pytest.mark.parametrize("result", [None, {}, {"result": 3}, {"result": {"worst": []}}, {"result": {"worst": {"fixed": "x"}}}], ids=str)
def test_a_result_of_a_stranger_has_no_worst(result: Any, runs: Path) -> None:
    one = next(iter(read(runs).values()))
    assert worst(one) is not None
    assert worst(one._replace(result=result)) is None


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:12])
def test_columns_stand_under_their_heads(text: str) -> None:
    made = Table("", ("=name", ">value"), ((safe(text, 60), "1.0"), ("b", "22.0")))
    head, first, second = drawn(made).plain.split("\n")
    assert head.endswith("value")
    assert first.endswith(" 1.0")
    assert second.endswith("22.0")
