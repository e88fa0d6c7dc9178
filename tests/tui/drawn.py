"""Runs that look alike on every machine: vectors whose cosines are quarters, an encoder that reads words off a list, fixed days."""

import io
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from promptlab import runs
from promptlab.config import Settings
from promptlab.describing import Wanted
from promptlab.events import Listener
from promptlab.lab import Lab
from promptlab.prompts.compose import clean
from promptlab.types import Array, Images

from .hostile import HOSTILE

NAMES = ("bass", "crane", "cup", "ewer", "kite", "lamp", "mouse", "plate", "seal", "watch")
THIEF = {"bass": "lamp", "crane": "watch", "ewer": "plate", "lamp": "watch", "seal": "bass"}  # who takes the pictures of whom
LOST = {"bass": 3, "crane": 4, "ewer": 2, "lamp": 1, "seal": 1}  # of EACH, under the name alone
EACH = 4
WORDS = {"bass": "a green fish on wet grass", "crane": "a tall grey bird in shallow water", "ewer": "a jug with a wide spout"}
NOTHING = "kept in a box"  # says no more than the name
TEMPLATES = ("a photo of a {}.", "{}", "a drawing of a {}.", "several {}s together.")
COLOURS = {"crane": (70, 130, 180), "kite": (220, 60, 50), "watch": (200, 160, 40)}


def axis(n: int) -> Array:
    """A vector of its own."""
    return np.eye(32, dtype=np.float32)[n]


def looks(name: str, near: str) -> Array:
    """How the difficult pictures of a class look, half of it like another class's name: its cosine with that is 0.5."""
    first = len(NAMES) + 3 * list(THIEF).index(name)
    return (axis(NAMES.index(near)) + axis(first) + axis(first + 1) + axis(first + 2)) / 2


def picture(name: str, n: int) -> Array:
    """The n-th of EACH pictures of a class."""
    if name not in THIEF:
        return axis(NAMES.index(name))
    return looks(name, THIEF[name] if n < LOST[name] else name)


# The first of these words that a text holds says what its vector is. Drawings are less like pictures; several plates are like ewers.
DRAWN = axis(26) + axis(27) + axis(28)
READ = [
    *((words, looks(name, THIEF[name])) for name, words in WORDS.items()),
    ("computer mouse", looks("ewer", "mouse")),
    ("several plates", looks("ewer", "plate")),
    *((clean(name)[:80], axis(n)) for n, name in enumerate(HOSTILE) if clean(name)),
    *((name, axis(n)) for n, name in enumerate(NAMES)),
    ("", axis(31)),
]


class Reader:
    """An encoder that knows some words and some colours."""

    name, fingerprint, precision, scale, logit_bias, context_length = "fake", "fake", "fp32", 100.0, None, 20

    def clean(self, text: str) -> str:
        return text

    def tokens(self, text: str) -> int:
        return len(text.split()) + 2

    def encode_texts(self, texts: Sequence[str], listen: Listener) -> Array:
        rows = [next(row for words, row in READ if words in text) for text in texts]
        return np.stack([(row + DRAWN) / 2 if "drawing" in text else row for row, text in zip(rows, texts, strict=True)])

    def encode_images(self, images: Images, rows: Sequence[int], listen: Listener) -> tuple[Array, dict[int, str]]:
        return np.stack([self._seen(images.read(i)) for i in rows]), {}

    def _seen(self, data: bytes) -> Array:
        colour = Image.open(io.BytesIO(data)).convert("RGB").getpixel((0, 0))
        known = {colour: axis(NAMES.index(name)) for name, colour in COLOURS.items()}
        return known.get(colour, looks("crane", "watch"))


class Studio:
    """Data, and runs on it that are made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "few.txt").write_text("\n".join(TEMPLATES))
        rows = np.stack([picture(name, n) for name in NAMES for n in range(EACH)])
        self.vectors("things", NAMES, rows)
        self.vectors("hostile", [name for name in HOSTILE if name], np.repeat(np.eye(32)[[i for i, n in enumerate(HOSTILE) if n]], EACH, 0))
        for name, colour in COLOURS.items():
            (folder / "flat" / name).mkdir(parents=True)
            for n in range(2 * EACH):
                shown = (20 + 25 * n, 90, 150) if name == "crane" and n % 4 else colour
                Image.new("RGB", (48, 36), shown).save(folder / "flat" / name / f"{n}.png")
        (folder / "one.txt").write_text(f"bass\t{WORDS['bass']}\n")
        (folder / "words.txt").write_text("".join(f"{name}\t{words}\n" for name, words in {**WORDS, "lamp": NOTHING}.items()))

    def vectors(self, name: str, names: Sequence[str], rows: Array) -> None:
        """Saves them, for both halves alike."""
        labels = np.repeat(np.arange(len(names)), EACH)
        keys = np.array([f"{c}/{n}.png" for c in range(len(names)) for n in range(EACH)])
        both = {"x": rows.astype(np.float32), "y": labels, "keys": keys}
        parts = {f"{half}_{what}": array for half in ("val", "test") for what, array in both.items()}
        np.savez(self.folder / f"{name}.npz", names=np.array(names), encoder=np.array("fake"), **parts)

    def lab(self, runs: Path, **flags: Any) -> Lab:
        """A lab over a folder of runs."""
        given = {"templates": (str(self.folder / "few.txt"),), "weights": "uniform", "model": "fake", **flags}
        return Lab(Settings.load({"runs": str(runs), "cache": str(self.folder / "cache"), "device": "cpu", **given}))

    def runs(self, kind: str) -> Path:
        """The folder with the runs on that data, or with three runs on `things`."""
        place = self.folder / "runs" / kind
        if not place.is_dir():
            lab, data = (
                self.lab(place, transductive=kind == "flat"),
                str(next(self.folder.glob(f"{'things' if kind == 'three' else kind}*"))),
            )
            on_day(1, lambda: lab.run(data))
            for day, words in enumerate(("one.txt", "words.txt") if kind == "three" else (), 2):
                on_day(day, partial(lab.enrich, data, Wanted(descriptions=str(self.folder / words))))
        return place

    def copy(self, kind: str, to: Path, **flags: Any) -> Lab:
        """A lab over a copy of these runs."""
        shutil.copytree(self.runs(kind), to / "runs", symlinks=True)
        return self.lab(to / "runs", **flags)


def on_day(day: int, do: Callable[[], Any]) -> None:
    """Does it on that day of a month, always at the same time."""
    then = datetime(2026, 1, day, 3, 4, 5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "datetime", type("Then", (datetime,), {"now": classmethod(lambda cls: then)}))
        do()
