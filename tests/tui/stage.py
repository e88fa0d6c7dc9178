"""The app played by a script: what it shows, and until when to wait."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input, Static

from promptlab.lab import Lab
from promptlab.tui.app import PromptlabApp
from promptlab.tui.widgets.grid import Grid

Player = Pilot[None]
LONGEST = 20.0  # seconds that anything may take


def played(
    lab: Lab,
    scene: Callable[[PromptlabApp, Player], Awaitable[None]],
    size: tuple[int, int] = (120, 32),
    run: str = "",
    keys: dict[str, str] | None = None,
) -> None:
    """Runs the app on a lab, and a scene on it. The app must live to its end."""

    async def play() -> None:
        app = PromptlabApp(lab, run, keys)
        async with app.run_test(size=size) as pilot:
            await settled(app, pilot)
            await scene(app, pilot)
            assert app.is_running
            assert app.broken is None

    asyncio.run(play())


async def settled(app: PromptlabApp, pilot: Player) -> None:
    """Until nothing is at work, and everything is shown."""
    while True:
        await until(lambda: _at_rest(app))
        await pilot.pause()
        if _at_rest(app):
            return


def _at_rest(app: PromptlabApp) -> bool:
    return not app.working and all(worker.is_finished or worker.group == "_loader" for worker in app.workers)


async def until(so: Callable[[], Any]) -> None:
    """Until it is so; fails when that takes too long."""
    began = time.monotonic()
    while not so():
        assert time.monotonic() - began < LONGEST, "it did not come to be"
        await asyncio.sleep(0.005)


async def press(app: PromptlabApp, pilot: Player, *keys: str) -> None:
    """Keys, and what becomes of them."""
    for key in keys:
        await pilot.press(key)
        await settled(app, pilot)


async def answer(app: PromptlabApp, pilot: Player, text: str) -> None:
    """Puts a text into the line that is asked for, and enters it."""
    app.screen.query_one("#line-input", Input).value = text
    await press(app, pilot, "enter")


def shown(app: PromptlabApp) -> str:
    """The screen in front, as text."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def cells(grid: Grid) -> dict[str, list[str]]:
    """{key: its cells as text} of a table, from the top."""
    return {
        str(grid.coordinate_to_cell_key((n, 0)).row_key.value): [cell.plain for cell in grid.get_row_at(n)] for n in range(grid.row_count)
    }  # type: ignore[arg-type]


def told(app: PromptlabApp) -> list[str]:
    """Every toast that there was."""
    return [notice.message for notice in app._notifications]


def said(app: PromptlabApp, id: str) -> str:
    """What a line of text says."""
    return str(app.screen.query_one(f"#{id}", Static).content)
