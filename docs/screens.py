"""Pictures of the terminal UI for the docs, made from the demo's run: `python docs/screens.py` in a folder where `promptlab demo` was run.

The app runs without a terminal, presses the keys below, and writes what it shows as SVG into docs/screens/.
"""

import argparse
import asyncio
from importlib.util import find_spec
from pathlib import Path

from promptlab.config import Settings
from promptlab.lab import Lab
from promptlab.tui.app import PromptlabApp

SCREENS = Path(__file__).parent / "screens"
WIDE, HALF, SMALL = (140, 42), (100, 30), (80, 24)


def photograph(name: str) -> str:
    """The path of a photograph that scikit-image carries."""
    spec = find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "data" / name)


# name: (size, keys before the picture is taken; a number waits for so many seconds)
SHOWN: dict[str, tuple[tuple[int, int], tuple[str, ...]]] = {
    "classes": (WIDE, ("down", "down")),
    "class": (WIDE, ("slash", *"wild", "enter", "enter")),
    "families": (WIDE, ("2",)),
    "enrich": (WIDE, ("3",)),
    "try": (HALF, ("4", "p", *photograph("chelsea.png"), "enter")),
    "small": (SMALL, ("down",)),
    "help": (WIDE, ("question_mark",)),
}


async def take(name: str, size: tuple[int, int], keys: tuple[str, ...]) -> None:
    """One picture."""
    app = PromptlabApp(Lab(Settings.load({})))
    async with app.run_test(size=size) as pilot:
        while app.bench is None:
            await pilot.pause(0.1)
        app.clear_notifications()
        await pilot.press(*keys)
        await pilot.pause(1)
        while not all(worker.is_finished for worker in app.workers):
            await pilot.pause(0.1)
        await pilot.pause(0.5)
        app.clear_notifications()
        await pilot.pause(0.3)
        (SCREENS / f"{name}.svg").write_text(app.export_screenshot(title="promptlab tui", simplify=True), "utf-8")


def main() -> None:
    """All of them, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(SHOWN)} (default: all)")
    SCREENS.mkdir(exist_ok=True)
    for name in parser.parse_args().names or SHOWN:
        asyncio.run(take(name, *SHOWN[name]))
        print(SCREENS / f"{name}.svg")


if __name__ == "__main__":
    main()
