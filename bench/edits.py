"""How long the terminal UI takes from an edit to the figures on the screen, with texts that are encoded already.

    python bench/edits.py [--classes 1000] [--pictures 10000] [--templates general] [--repeat 9] [--json]

Makes features of random pictures around the text vectors of random names by the embedded model, runs promptlab on them, opens the run, and
then undoes and does again one edit of each kind: the median and the slowest, of the workbench alone and of the app until the table is
drawn. Opening it, sorting and scrolling are timed, too. `--json` tells one row: an edited text, until its headline is there.
"""

import argparse
import asyncio
import itertools
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rows import alternate, row
from rows import told as tell

from promptlab.config import Settings
from promptlab.encode.text import encode_grid
from promptlab.events import ignore
from promptlab.lab import Lab
from promptlab.prompts.compose import compose
from promptlab.prompts.templates import template
from promptlab.tui.app import PromptlabApp
from promptlab.tui.widgets.grid import Grid
from promptlab.types import Classes, Edit, EditKind, unit

LETTERS = "bcdfghklmnprstvw"


def world(lab: Lab, folder: Path, classes: int, pictures: int) -> Path:
    """A features file: pictures around the vectors of made-up names, half of them for tune."""
    say, rng = random.Random(0), np.random.default_rng(0)
    names = [f"{''.join(say.choice(LETTERS) + say.choice('aeiou') for _ in range(3))} {n}" for n in range(classes)]
    encoder = lab.encoder("mini")
    bank, _ = encode_grid(compose(Classes.of(names), [template("a photo of a {}.")]), encoder, lab.cache, ignore)
    labels = np.arange(2 * pictures) % classes
    x = unit(bank.z[0][labels] + 0.05 * rng.normal(size=(len(labels), bank.z.shape[2]))).astype(np.float32)
    file = folder / "world.npz"
    np.savez(file, features=x, labels=labels, names=np.array(names), encoder=np.array("mini"))
    return file


def timed(do: Callable[[], object], repeat: int) -> list[float]:
    """Seconds of each time."""
    found = []
    for _ in range(repeat):
        began = time.perf_counter()
        do()
        found.append(time.perf_counter() - began)
    return found


def told(what: str, seconds: list[float]) -> None:
    print(f"{what:34}{1000 * statistics.median(seconds):9.0f} ms{1000 * max(seconds):9.0f} ms", flush=True)


def edits(run: Path, class_id: str, source: str) -> dict[str, Edit]:
    """One of each kind."""
    return {
        "text": Edit(EditKind.TEXT, class_id, source, ("a nice photo of the thing.",)),
        "rename": Edit(EditKind.RENAME, class_id, "", ("sparrow",)),
        "describe": Edit(EditKind.DESCRIBE, class_id, "", ("a small brown bird",)),
        "leave": Edit(EditKind.LEAVE, class_id),
        "toggle a family": Edit(EditKind.TOGGLE, of=source),
        "add a template": Edit(EditKind.ADD, words=("a fine photo of the {}.",)),
    }


def one_text(lab: Lab, given: argparse.Namespace) -> dict[str, Any]:
    """One row: an edited text of a class, taken back and done again, each time with the headline."""
    bench = lab.workbench()
    bench.edit(edits(bench.run.path, bench.dataset.classes.ids[3], bench.now.prompts.templates[0].source)["text"])
    steps = itertools.cycle((bench.undo, bench.redo))
    found = alternate(given.repeat, {"edit": lambda: (next(steps)(), bench.headline)})["edit"]
    what = f"One edited text: {given.pictures:,} pictures x {given.classes:,} classes"
    return row(what, found, threads=torch.get_num_threads(), rounds=given.repeat, note="its encoding not counted; wanted: under 0.1 s")


async def on_screen(lab: Lab, repeat: int) -> None:
    """From the key to the table, drawn."""
    app = PromptlabApp(lab)
    async with app.run_test(size=(140, 45)) as pilot:
        began = time.perf_counter()
        while app.bench is None:
            await pilot.pause(0.01)
        await pilot.pause()
        told("open, with the screen", [time.perf_counter() - began])

        async def drawn(do: Callable[[], object], until: Callable[[], bool] = lambda: True) -> float:
            shown, began = asyncio.Event(), time.perf_counter()
            do()
            while not until():
                await asyncio.sleep(0.001)
            app.screen.call_after_refresh(shown.set)
            await shown.wait()
            return time.perf_counter() - began

        def after(version: int) -> Callable[[], bool]:
            return lambda: app.version > version

        grid = app.screen.query_one(Grid)
        app.edit(Edit(EditKind.RENAME, app.bench.dataset.classes.ids[0], "", ("sparrow",)))
        await pilot.pause(2)
        steps = (app.action_undo, app.action_redo)
        told("screen: undo and redo a rename", [await drawn(steps[n % 2], after(app.version)) for n in range(2 * repeat)])
        told("screen: sort by a column", [await drawn(app.screen.action_sort) for _ in range(repeat)])
        told("screen: one page down", [await drawn(grid.action_page_down) for _ in range(repeat)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--templates", default="general", help="the template set")
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--json", action="store_true", dest="as_json", help="print a list of rows for programs")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        lab = Lab(Settings.load({"weights": "uniform", "templates": given.templates}))
        run = lab.run(str(world(lab, Path(place), given.classes, given.pictures))).run
        if given.as_json:
            tell([one_text(lab, given)], as_json=True)
            return
        print(f"{given.classes} classes, {given.pictures} pictures on tune, {len(lab.prompts()[1].templates)} templates")
        print(f"{'':34}{'median':>12}{'slowest':>12}")
        began = time.perf_counter()
        bench = lab.workbench()
        told("open", [time.perf_counter() - began])
        class_id, source = bench.dataset.classes.ids[3], bench.now.prompts.templates[0].source
        for what, edit in edits(run.path, class_id, source).items():
            bench.edit(edit)
            told(f"{what}: undo and redo", timed(bench.undo, 1) + timed(bench.redo, 1) + timed(bench.undo, 1) + timed(bench.redo, 1))
        told("headline", timed(lambda: bench.headline, given.repeat))
        told("texts of a class", timed(lambda: bench.texts(3), given.repeat))
        for _ in edits(run.path, class_id, source):
            bench.undo()
        asyncio.run(on_screen(lab, given.repeat))


if __name__ == "__main__":
    main()
