"""Names, texts and folders from outside, on every screen: they are shown as text, and do nothing else."""

import shutil
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.conftest import draw
from textual.events import Paste
from textual.widgets import Input
from workbench.planted import Shop, one_encoder, run_folder

from promptlab.lab import Lab
from promptlab.tui.app import PromptlabApp
from promptlab.tui.screens.classes import ClassesPage
from promptlab.tui.screens.one_class import ClassPage
from promptlab.tui.widgets.grid import Grid
from promptlab.tui.widgets.line import Line
from promptlab.types import Edit, EditKind

from .stage import Player, cells, played, press, settled, shown, until

CLICK, CLOSES, WRITES, TURNS = "[@click=app.quit]x[/]", "[/x]", "\x1b]52;c;aGk=\x07", "\u202eabc"
NAMES = (CLICK, CLOSES, WRITES, TURNS, "x" * 5000, "  a  ", "=1+1", "a\nb\tc", "crane")
WORDS = (CLICK, WRITES, TURNS, "y" * 900)
FOLDER = "[@click=app.quit]x \x1b]52;c;aGk=\x07 \u202eabc"


@pytest.fixture(scope="module")
def strange(shop: Shop, tmp_path_factory: pytest.TempPathFactory, known_models: dict[str, Any]) -> Path:
    """The folder of a run of classes with such names, by another such name."""
    folder = tmp_path_factory.mktemp("strange")
    rng = np.random.default_rng(0)
    encoder_width = 0
    with one_encoder(known_models):
        lab = shop.lab(folder / "runs", templates="plain")
        encoder_width = lab.encoder("mini").encode_texts(["a"], lambda event: None).shape[1]
        labels = np.repeat(np.arange(len(NAMES)), 6)
        np.savez(
            folder / "data.npz",
            features=rng.normal(size=(len(labels), encoder_width)).astype(np.float32),
            labels=labels,
            names=np.array(NAMES),
            keys=np.array([f"{NAMES[c][:40]}/{n}.png" for n, c in enumerate(labels)]),
            encoder=np.array("mini"),
        )
        made = lab.run(str(folder / "data.npz")).run.path
    (folder / "runs" / "latest").unlink()
    made.rename(made.with_name(FOLDER))
    return folder


@pytest.fixture
def lab(strange: Path, shop: Shop, tmp_path: Path, known_models: dict[str, Any]) -> Iterator[Lab]:
    shutil.copytree(strange / "runs", tmp_path / "runs")
    with one_encoder(known_models):
        yield shop.lab(tmp_path / "runs")


def harmless(app: PromptlabApp) -> None:
    """No character on the screen does more than look like itself, and the app is there."""
    bad = {ch for ch in shown(app) if ch != "\n" and (unicodedata.category(ch) in ("Cc", "Cf", "Cs") or ch in "\u2028\u2029")}
    assert not bad, bad
    assert app.is_running
    assert app.broken is None


async def look(app: PromptlabApp, pilot: Player, *keys: str) -> None:
    for key in keys:
        await press(app, pilot, key)
        harmless(app)


@pytest.mark.parametrize("size", [(80, 24), (160, 50)], ids=str)
def test_every_screen_shows_hostile_names_as_text(lab: Lab, size: tuple[int, int]) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        harmless(app)
        assert app.bench is not None
        assert app.bench.run.path.name == FOLDER
        assert CLICK in {row[0].strip() for row in cells(app.screen.query_one(Grid)).values()} or size[0] == 80
        await look(
            app, pilot, *["s"] * 8, "r", "space", "down", "space", "down", "question_mark", "escape", "y", "2", "3", "6", "1", "e", "6", "1"
        )
        await look(app, pilot, "slash", "left_square_bracket", "enter", "escape")
        for _ in NAMES:
            await look(app, pilot, "down")
        await pilot.click(Grid, offset=(5, 2))
        harmless(app)

    played(lab, scene, size=size)


@pytest.mark.parametrize("n", range(len(NAMES)), ids=lambda n: ascii(NAMES[n])[:16])
def test_a_class_of_a_hostile_name_is_opened_renamed_and_described(lab: Lab, n: int) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        bench = app.bench
        assert bench is not None
        app.screen.query_one(Grid).point(bench.dataset.classes.ids[n])
        await look(app, pilot, "enter")
        assert isinstance(app.screen, ClassPage)
        assert app.screen.c == n
        await look(app, pilot, "t", "t", "t", "y", "r")
        assert isinstance(app.screen, Line)
        await look(app, pilot, "end", "a", "enter")
        assert bench.now.classes.names[n] != bench.dataset.classes.names[n]
        await look(app, pilot, "r", "enter")
        assert bench.now.done == 1  # as it was
        await look(app, pilot, "e", "end", "b", "enter", "u", "u", "right_square_bracket", "escape")
        assert isinstance(app.screen, ClassesPage)
        assert bench.now.done == 0

    played(lab, scene)


@pytest.mark.parametrize("text", WORDS, ids=lambda text: ascii(text)[:16])
def test_hostile_words_are_taken_or_told_of_on_every_screen(lab: Lab, text: str) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        app.screen.query_one(Grid).point("crane")
        await look(app, pilot, "enter")
        for key in ("n", "e"):
            await look(app, pilot, key)
            if isinstance(app.screen, Line):
                app.screen.query_one("#line-input", Input).value = text
                await look(app, pilot, "enter")
                assert isinstance(app.screen, ClassPage)
        await look(app, pilot, "t", "enter", "escape")
        app.edit(Edit(EditKind.ADD, words=(f"{text} {{}}",)))
        app.edit(Edit(EditKind.TOGGLE, of=f"{text} {{}}"))
        await settled(app, pilot)
        await look(app, pilot, "2", "end", "enter", "escape", "u", "6", "1", "1")
        assert isinstance(app.screen, ClassesPage)

    played(lab, scene)


@pytest.mark.parametrize(("letters", "n"), [("click", 0), ("52;c", 2), ("u202e", 3)])
def test_the_palette_finds_a_hostile_name_as_text_and_opens_its_class(lab: Lab, letters: str, n: int) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await pilot.press("ctrl+p", *letters)
        await until(lambda: "Open this class" in shown(app))
        harmless(app)
        await pilot.press("down", "enter")
        await until(lambda: isinstance(app.screen, ClassPage))
        assert isinstance(app.screen, ClassPage)
        assert app.screen.c == n
        harmless(app)

    played(lab, scene)


def test_what_is_pasted_into_a_line_is_harmless(lab: Lab) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        for key, box in (("slash", "filter"), ("enter", "")):
            await look(app, pilot, key, *([] if box else ["n"]))
            line = app.screen.query_one(f"#{box or 'line-input'}", Input)
            line.post_message(Paste(f"a{WRITES}{TURNS}"))
            await settled(app, pilot)
            harmless(app)
            assert line.value == "a ]52;c;aGk=  abc"
            await look(app, pilot, "escape")

    played(lab, scene)


def test_hostile_settings_of_asking_are_shown_as_text(lab: Lab) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await look(app, pilot, "3")
        for key in ("descriptions", "count"):
            for text in WORDS:
                app.screen.query_one("#settings", Grid).point(key)
                await look(app, pilot, "enter")
                app.screen.query_one("#line-input", Input).value = text
                await look(app, pilot, "enter")
        await look(app, pilot, "p", "s", "6")

    played(lab, scene)


def test_folders_and_files_of_pictures_with_hostile_names_are_shown_as_text(shop: Shop, tmp_path: Path, desk: Callable[[str], Lab]) -> None:
    colours = {name.replace("/", "|"): (n * 60, 90, 200) for n, name in enumerate((CLICK, WRITES, TURNS, "=1+1"))}
    photos = draw(tmp_path / "[x] photos", colours, each=4)
    for n, path in enumerate(sorted(photos.rglob("*.png"))):
        path.rename(path.with_name(f"{n}{WRITES}{TURNS}[@click=app.quit].png".replace("/", "|")))
    lab = shop.lab(tmp_path / "runs", templates="plain")
    lab.run(str(photos))
    assert run_folder(lab).is_dir()

    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await look(
            app, pilot, "enter", "t", "t", "right_square_bracket", "right_square_bracket", "right_square_bracket", "escape", "3", "6", "1"
        )

    played(lab, scene, size=(140, 60))
