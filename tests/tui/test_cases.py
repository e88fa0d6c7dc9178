"""The screen of hard cases, on a caption run of three colours."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from textual.content import Content
from textual.pilot import Pilot
from textual.widgets import Static

from promptlab.lab import Lab
from promptlab.runs import CASES, all_runs
from promptlab.tui.app import PromptlabApp
from promptlab.tui.screens.cases import CasesPage
from promptlab.tui.widgets.grid import Grid
from promptlab.tui.widgets.picture import Picture, _Canvas

from .conftest import Made, played, until
from .hostile import HOSTILE


@pytest.fixture(scope="session")
def told(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of `match`, and a newer one of `retrieve`."""
    photos = made.folder / "photos"
    table = made.folder / "captions.jsonl"
    pictures = sorted(photos.rglob("*.png"))
    rows = [
        {"image": str(path), "captions": [f"a {path.parent.name} wall", f"{path.stem} painted {path.parent.name}"]} for path in pictures
    ]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    runs = tmp_path_factory.mktemp("told") / "runs"
    lab = Lab(made.lab(runs).settings.but(templates=("captions",)))
    lab.match(str(table), candidates=4)
    lab.retrieve(str(table))
    return runs


@pytest.fixture
def here(told: Path, made: Made) -> Lab:
    """A lab with a copy of these runs."""
    shutil.copytree(told, "runs", symlinks=True)
    return made.lab(Path("runs"))


async def looked(app: PromptlabApp, pilot: Pilot[None], which: int) -> CasesPage:
    """Opens the cases of a run, newest first."""
    await until(pilot, lambda: app.current_mode == "start")
    await pilot.press("5")
    await until(pilot, lambda: app.screen.query(Grid) and app.screen.query_one(Grid).row_count == 2)
    await pilot.press(*["down"] * which, "enter")
    page: Any = app.screen
    await until(pilot, lambda: isinstance(app.screen, CasesPage) and page.cases)
    return page  # type: ignore[no-any-return]


def lacking(page: CasesPage) -> str | None:
    """The sentence in place of a picture; None where one is drawn."""
    shown: Any = page.query_one(Picture).query_one(_Canvas).render()
    return str(shown) if isinstance(shown, Content) else None


def cells(page: CasesPage, name: str) -> list[list[str]]:
    grid = page.query_one(name, Grid)
    return [[str(cell) for cell in grid.get_row_at(n)] for n in range(grid.row_count)]


def test_cases_are_shown_hardest_first_with_their_candidates(here: Lab) -> None:
    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        page = await looked(app, pilot, 1)
        kept = [json.loads(line) for line in (page.run_shown.path / CASES).read_text().splitlines()]
        assert [row[0] for row in cells(page, "#hard-cases")] == [f"{one['margin']:+.4f}" for one in kept]
        assert [one.hit for one in page.cases.values()] == [one["hit"] for one in kept]
        await until(pilot, lambda: cells(page, "#candidates"))
        shown = cells(page, "#candidates")
        assert [row[2] for row in shown] == [one["caption"] for one in kept[0]["candidates"]]
        assert [row[2] for row in shown if row[0] == "✓"] == [kept[0]["right"]]
        assert [row[2] for row in shown if row[0] == "✗"] == ([] if kept[0]["hit"] else [kept[0]["picked"]])
        await until(pilot, lambda: lacking(page) is None)
        await pilot.press("y")
        assert f"✓ {next(row[1] for row in shown if row[0] == '✓')} {kept[0]['right']}" in app.clipboard
        await pilot.press("f")
        assert len(cells(page, "#hard-cases")) == sum(not one["hit"] for one in kept)
        await pilot.press("escape")
        assert app.current_mode == "runs"

    played(here, script)


def test_what_was_looked_for_and_found_last_is_shown(here: Lab) -> None:
    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        page = await looked(app, pilot, 0)
        hard = page.run_shown.result["hard"]  # type: ignore[index]
        asked = [one["picture"] for one in hard["captions"]] + [one["caption"] for one in hard["pictures"]]
        assert [one.asked for one in page.cases.values()] == asked
        assert "of retrieve" in str(page.query_one("#case-count", Static).content)

    played(here, script)


def test_words_from_outside_are_harmless_and_broken_lines_left_out(here: Lab) -> None:
    run = next(run for run in all_runs(Path("runs")) if run.task == "match")
    lines = (run.path / CASES).read_text().splitlines()
    row = json.loads(lines[0])
    row |= {"picture": HOSTILE[0], "right": HOSTILE[1], "candidates": [{"caption": word, "share": 0.5} for word in HOSTILE[:2]]}
    (run.path / CASES).write_text("\n".join([json.dumps(row), "no json", "[1]", '{"picture": 3}', lines[1]]))

    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        page = await looked(app, pilot, 1)
        assert len(page.cases) == 2
        await until(pilot, lambda: "cannot be read" in (lacking(page) or ""))
        assert app.is_running

    played(here, script)


def test_nothing_is_shown_where_nothing_is_wrong(here: Lab) -> None:
    run = next(run for run in all_runs(Path("runs")) if run.task == "match")
    lines = [json.loads(line) | {"hit": True} for line in (run.path / CASES).read_text().splitlines()]
    (run.path / CASES).write_text("\n".join(map(json.dumps, lines)))

    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        page = await looked(app, pilot, 1)
        await until(pilot, lambda: cells(page, "#candidates"))
        await pilot.press("f")
        await until(pilot, lambda: not cells(page, "#hard-cases") and not cells(page, "#candidates"))
        assert lacking(page) == str(page.query_one("#case-about", Static).content) == ""

    played(here, script)


def test_a_caption_run_that_is_named_opens_its_cases(here: Lab) -> None:
    name = next(run.name for run in all_runs(Path("runs")) if run.task == "match")

    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: isinstance(app.screen, CasesPage))
        await pilot.press("escape")
        assert app.current_mode == "runs"

    played(here, script, name)
