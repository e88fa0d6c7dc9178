"""Five thousand classes: opened, sorted, scrolled, filtered."""

import numpy as np
import pytest
from textual.widgets import Input
from workbench.planted import Shop

from promptlab.lab import Lab
from promptlab.tui.app import PromptlabApp
from promptlab.tui.screens.classes import ClassesPage
from promptlab.tui.screens.one_class import ClassPage
from promptlab.tui.widgets.grid import Grid

from .stage import Player, played, press, shown, until

MANY = 5000


@pytest.fixture(scope="module")
def large(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A run of data that brought its text vectors."""
    folder, rng = tmp_path_factory.mktemp("large"), np.random.default_rng(0)
    centres, labels = rng.normal(size=(MANY, 16)), np.repeat(np.arange(MANY), 2)
    np.savez(
        folder / "data.npz",
        features=(centres[labels] + 0.8 * rng.normal(size=(len(labels), 16))).astype(np.float32),
        labels=labels,
        names=np.array([f"thing {n}" for n in range(MANY)]),
        text=(centres[None] + 0.2 * rng.normal(size=(2, MANY, 16))).astype(np.float32),
        families=np.array(["one {}", "two {}"]),
        scale=np.array(100.0),
    )
    lab = shop.lab(folder / "runs", weights="uniform")
    lab.run(str(folder / "data.npz"))
    return lab


def test_the_table_opens_sorts_scrolls_and_filters(large: Lab) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        page = app.screen
        assert isinstance(page, ClassesPage)
        grid = page.query_one(Grid)
        assert grid.row_count == MANY
        await press(app, pilot, "ctrl+end")
        await until(lambda: list(page.rows)[-1] in shown(app))  # it glides there
        assert grid.current == list(page.rows)[-1]
        await press(app, pilot, "s")
        names = [row.name for row in page.rows.values()]
        assert names == sorted(names)
        await press(app, pilot, "r", "ctrl+home", "pagedown")
        assert grid.cursor_row > 5
        assert [row.name for row in page.rows.values()] == names[::-1]
        await press(app, pilot, "slash")
        page.query_one("#filter", Input).value = "thing 499"
        await press(app, pilot, "enter")
        assert grid.row_count == 11  # 499 and 4990 to 4999
        await press(app, pilot, "ctrl+home", "enter")
        assert isinstance(app.screen, ClassPage)
        await press(app, pilot, "right_square_bracket", "escape", "escape")
        assert grid.row_count == MANY

    played(large, scene)
