"""A change costs what depends on it, and nothing that was kept is ever stale: each run equals one that starts with an empty cache."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from promptlab.encode import openclip
from promptlab.score import kept
from promptlab.score.sweep import sweep

from .conftest import Said, inside

FAMILIES = ("a photo of a {}.", "a drawing of a {}.", "{}")
SAME = {"rel": 1e-4, "abs": 1e-6}


def draw(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (40, 40, 3), np.uint8)).save(path)


class Place:
    """A folder of pictures with a set of templates, and what a run of it takes."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.weights, self.data, self.scored = folder, "cpe", "drawn", set[str]()
        for i in range(24):
            draw(self.pictures / f"class {i % 3}" / f"{i:02d}.png", i)
        (folder / "names.txt").write_text("class 0\tred kite\nclass 1\tgrey owl\nclass 2\tblack swan\n")
        self.templates(*FAMILIES)

        def noted(*given: Any, **asked: Any) -> Any:
            self.scored |= set(asked["families"])
            return sweep(*given, **asked)

        monkeypatch.setattr(kept, "sweep", noted)

    @property
    def pictures(self) -> Path:
        return self.folder / "drawn"

    def templates(self, *texts: str) -> None:
        (self.folder / "own.txt").write_text("\n".join(texts))

    def run(self, place: str = "cache", *more: str) -> Said:
        self.scored.clear()
        how = ("--weights", self.weights, "--labels", "true", "--templates", "own.txt", "--classes", "names.txt")
        said = inside("run", *(more or (self.data, *how)), "--json", folder=self.folder, cache=self.folder / place)
        assert said.code == 0, said.err
        return said


def table(place: Place) -> None:
    rows = [f"drawn/{file.relative_to(place.pictures)},{file.parent.name}" for file in sorted(place.pictures.rglob("*.png"))]
    (place.folder / "table.csv").write_text("path,label\n" + "\n".join(rows))
    place.data = "table.csv"


def rename(place: Place) -> None:
    file = place.folder / "names.txt"
    file.write_text(file.read_text().replace("grey owl", "tawny owl"))


# {change: (how, texts encoded, pictures encoded, families scored)}
CHANGES: dict[str, tuple[Callable[[Place], object], int, int, int]] = {
    "nothing": (lambda p: None, 0, 0, 0),
    "a template more": (lambda p: p.templates(*FAMILIES, "a painting of a {}."), 3, 0, 1),
    "a template less": (lambda p: p.templates(*FAMILIES[1:]), 0, 0, 0),
    "a template changed": (lambda p: p.templates("a picture of a {}.", *FAMILIES[1:]), 3, 0, 1),
    "templates in another order": (lambda p: p.templates(*FAMILIES[::-1]), 0, 0, 0),
    "a class renamed": (rename, 3, 0, 3),
    "other weights": (lambda p: setattr(p, "weights", "top-1:cmm"), 0, 0, 0),
    "a picture more": (lambda p: draw(p.pictures / "class 1" / "03a.png", 99), 0, 1, 3),
    "a picture changed": (lambda p: draw(p.pictures / "class 1" / "07.png", 99), 0, 1, 3),
    "a picture less": (lambda p: (p.pictures / "class 1" / "04.png").unlink(), 0, 0, 3),
    "a picture in another class": (lambda p: (p.pictures / "class 1/04.png").rename(p.pictures / "class 2/04.png"), 0, 1, 3),
    "a table of the same files": (table, 0, 0, 3),
}


loaded_once = cache(openclip._load)  # of some forty runs each would load the model


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(openclip, "_load", loaded_once)
    return Place(tmp_path, monkeypatch)


def figures(said: Said) -> dict[str, Any]:
    told = said.json
    return {name: told[name] for name in ("baseline", "result", "difference")} | {"families": told["families"]}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_costs_what_depends_on_it_and_nothing_is_stale(place: Place, change: str) -> None:
    how, texts, pictures, families = CHANGES[change]
    first = place.run()
    assert (first.json["encoded"], len(place.scored)) == ({"texts": 9, "images": 24}, 3)
    how(place)
    second = place.run()
    assert (second.json["encoded"], len(place.scored)) == ({"texts": texts, "images": pictures}, families)
    alone = place.run("empty")
    close(figures(second), figures(alone))
    if change not in ("nothing", "templates in another order", "a table of the same files", "other weights"):
        assert figures(second) != figures(first)


def test_one_text_that_is_edited_is_one_text(place: Place) -> None:
    place.run()
    edited = inside("prompts", "text", "grey owl", FAMILIES[1], "an owl on a branch.", folder=place.folder, cache=place.folder / "cache")
    assert edited.code == 0, edited.err
    second = place.run("cache", "--weights", "cpe")
    assert second.json["encoded"] == {"texts": 1, "images": 0}
    assert place.scored == {FAMILIES[1]}


def close(found: Any, wanted: Any) -> None:
    """The same figures, numbers up to rounding."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for name in wanted:
            close(found[name], wanted[name])
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            close(one, other)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, **SAME)
    else:
        assert found == wanted
