"""The terminal UI on a folder of runs that is made once."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image
from score.planted import one_thread
from textual import _wait
from textual.pilot import Pilot
from workbench.planted import Shop, one_encoder

from promptlab.config import Settings
from promptlab.lab import Lab
from promptlab.tui.app import PromptlabApp

__all__ = ["one_thread"]

COLOURS = {"red": (200, 30, 30), "green_leaf": (30, 180, 40), "blue": (20, 40, 210)}
Script = Callable[[PromptlabApp, Pilot[None]], Awaitable[None]]


class Made(NamedTuple):
    """Pictures, and runs on them."""

    folder: Path
    """Of `photos` and `runs`."""
    cache: Path
    """All that was encoded."""

    def lab(self, runs: Path) -> Lab:
        """A lab with these runs and this cache."""
        return Lab(Settings.load({"runs": str(runs), "cache": str(self.cache), "templates": ("plain",)}))


def paint(root: Path, each: int = 5) -> Path:
    """A folder of small noisy pictures; its sub-folders are colours."""
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for i in range(each):
            pixels = np.clip(np.array(colour) + rng.normal(0, 20, (32, 40, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    return root


@pytest.fixture(autouse=True, scope="session")
def _brisk() -> Iterator[None]:
    """Textual's test driver looks for idleness every 20 ms, several times a key; every 4 ms is enough for what these tests wait for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_wait, "SLEEP_GRANULARITY", 0.004)
        patch.setattr(_wait, "SLEEP_IDLE", 0.001)
        yield


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Three finished runs on 15 pictures, the oldest by uniform weights."""
    folder = tmp_path_factory.mktemp("made")
    photos, found = paint(folder / "photos"), Made(folder, folder / "cache")
    lab = found.lab(folder / "runs")
    for way in ("uniform", "cpe", "zpe"):
        lab.but(weights=way).run(str(photos))
    return found


@pytest.fixture
def runs(made: Made) -> Path:
    """A copy of these runs, in the test's folder."""
    shutil.copytree(made.folder / "runs", Path.cwd() / "runs", symlinks=True)
    return Path("runs")


@pytest.fixture
def lab(made: Made) -> Lab:
    """A lab with everything cached, whose runs are those in the test's folder."""
    return made.lab(Path("runs"))


def played(lab: Lab, script: Script, run: str = "", size: tuple[int, int] = (80, 24)) -> None:
    """Runs the app, and does there what the script says."""

    async def play() -> None:
        app = PromptlabApp(lab, run)
        async with app.run_test(size=size) as pilot:
            await script(app, pilot)

    asyncio.run(play())


async def until(pilot: Pilot[None], true: Callable[[], object], seconds: float = 20) -> None:
    """Waits until something is true; fails when it does not come true."""
    for _ in range(int(seconds / 0.02)):
        if true():
            await pilot.pause()
            return
        await pilot.pause(0.02)
    raise AssertionError("what was waited for did not come")


async def opened(app: PromptlabApp, pilot: Pilot[None]) -> None:
    """Waits until the run is open."""
    await until(pilot, lambda: app.bench is not None and not app.working)


@pytest.fixture(scope="session")
def known_models() -> dict[str, Any]:
    """Models that were loaded."""
    return {}


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, known_models: dict[str, Any]) -> Shop:
    """Runs of every kind."""
    return Shop(tmp_path_factory.mktemp("shop"), known_models)


@pytest.fixture
def desk(shop: Shop, tmp_path: Path, known_models: dict[str, Any]) -> Iterator[Callable[[str], Lab]]:
    """A lab over a copy of a run of that kind."""
    with one_encoder(known_models):
        yield lambda kind: shop.copy(kind, tmp_path / kind)
