"""Small finished runs to edit: vectors of pictures two classes of which fail under their names (see `cli.planted`), run in many ways."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.planted import EACH, NAMES, plant

from promptlab.config import Settings
from promptlab.lab import Lab

CRANE, LAMP = NAMES.index("crane"), NAMES.index("lamp")
FISH = "a green fish and a {} on wet grass."  # hurts some classes, and helps others
ALONE = np.array([n for n in range(EACH * len(NAMES)) if n // EACH != LAMP or n % EACH == 0])  # of lamps one picture, which eval gets


def _few_lamps(arrays: dict[str, Any]) -> dict[str, Any]:
    return arrays | {name: arrays[name][ALONE] for name in ("features", "labels", "keys")}


def _own_words(arrays: dict[str, Any]) -> dict[str, Any]:
    rng, centres = np.random.default_rng(1), [arrays["features"][arrays["labels"] == c].mean(0) for c in range(len(NAMES))]
    text = np.stack([np.stack(centres) + noise * rng.normal(size=(len(NAMES), len(centres[0]))) for noise in (0.02, 0.05)])
    given = {"text": text.astype(np.float32), "families": np.array(["one {}", "two {}"]), "scale": np.array(100.0)}
    return {name: value for name, value in arrays.items() if name != "encoder"} | given


# {name: (what becomes of the vectors, the settings of the run)}
Change = Callable[[dict[str, Any]], dict[str, Any]]
KINDS: dict[str, tuple[Change, dict[str, Any]]] = {
    "things": (dict, {"weights": "uniform"}),
    "one chosen": (dict, {"weights": "forward"}),
    "by class": (dict, {"weights": "carprt", "scope": "class"}),
    "logits": (dict, {"weights": "cpe", "combine": "logit", "debias": "prior"}),
    "balance": (dict, {"weights": "cpe", "debias": "balance"}),
    "unlabelled": (lambda arrays: {name: value for name, value in arrays.items() if name != "labels"}, {}),
    "few lamps": (_few_lamps, {"weights": "cpe"}),
    "own words": (_own_words, {}),
}


@contextmanager
def one_encoder(known: dict[str, Any]) -> Iterator[None]:
    """Models are loaded once."""
    encoder = Lab.encoder
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lab, "encoder", lambda lab, name="": known.setdefault(name, encoder(lab, name)))
        yield


class Shop:
    """Makes each kind of run once, and hands out copies."""

    def __init__(self, folder: Path, known: dict[str, Any]) -> None:
        self.folder, self._known = folder, known

    @property
    def cache(self) -> Path:
        """The cache that all share."""
        return self.folder / "cache"

    def lab(self, runs: Path, **flags: Any) -> Lab:
        """A lab over a folder of runs."""
        return Lab(Settings.load({"runs": str(runs), "cache": str(self.cache), "k": 2, **flags}))

    def runs(self, kind: str) -> Path:
        """The folder with the one run of that kind."""
        place = self.folder / kind
        if not place.is_dir():
            place.mkdir()
            change, flags = KINDS[kind]
            with one_encoder(self._known):
                with np.load(plant(place / "things.npz")) as file:
                    arrays = dict(file)
                np.savez(place / "things.npz", **change(arrays))
                (place / "few.txt").write_text(f"a photo of a {{}}.\n{{}}\na drawing of a {{}}.\nseveral {{}}s together.\n{FISH}\n")
                words = {} if kind == "own words" else {"templates": str(place / "few.txt")}
                self.lab(place / "runs", **words, **flags).run(str(place / "things.npz"))
        return place / "runs"

    def copy(self, kind: str, to: Path) -> Lab:
        """A lab over a copy of that run, in a folder of its own."""
        shutil.copytree(self.runs(kind), to / "runs", symlinks=True)
        return self.lab(to / "runs")


def run_folder(lab: Lab) -> Path:
    """The folder of the newest run."""
    return (Path(lab.settings.runs) / "latest").resolve()


def files(folder: Path) -> dict[str, bytes]:
    """{name: bytes} of everything in a run's folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def result(lab: Lab) -> dict[str, Any]:
    """result.json of the newest run."""
    found: dict[str, Any] = json.loads((run_folder(lab) / "result.json").read_text("utf-8"))
    return found
