"""One class: its texts and descriptions, edited in place, with figures that follow."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cli.conftest import draw
from cli.planted import NAMES, WORDS
from textual.widgets import Input, Static
from workbench.planted import CRANE, FISH, Shop, run_folder

from promptlab.lab import Lab
from promptlab.prompts import edits
from promptlab.tui.app import PromptlabApp
from promptlab.tui.screens.classes import ClassesPage
from promptlab.tui.screens.one_class import PANES, ClassPage
from promptlab.tui.widgets.grid import Grid
from promptlab.tui.widgets.line import Line
from promptlab.tui.widgets.picture import Picture
from promptlab.types import Edit, EditKind
from promptlab.workbench import Workbench

from .stage import Player, answer, cells, played, press, said, settled, shown, told

Desk = Callable[[str], Lab]
BIRD, LEGS = WORDS["crane"]


async def opened(app: PromptlabApp, pilot: Player, name: str = "crane") -> ClassPage:
    """The screen of a class."""
    app.screen.query_one(Grid).point(name)
    await press(app, pilot, "enter")
    assert isinstance(app.screen, ClassPage)
    return app.screen


def grid(app: PromptlabApp, name: str) -> Grid:
    return app.screen.query_one(f"#{name}", Grid)


def texts(app: PromptlabApp) -> dict[str, list[str]]:
    """{text: the other cells}."""
    return {row[0]: row[1:] for row in cells(grid(app, "texts")).values()}


def bench_of(app: PromptlabApp) -> Workbench:
    assert app.bench is not None
    return app.bench


def draft(lab: Lab) -> edits.Prompts:
    return edits.load(run_folder(lab) / edits.DRAFT)


def point(app: PromptlabApp, text: str, name: str = "texts") -> None:
    """Puts the cursor on the row that begins so."""
    table = grid(app, name)
    table.point(next(key for key, row in cells(table).items() if text in row[0] or text in row[1]))


def test_it_shows_every_text_with_weight_margin_share_and_tokens(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        bench, found = bench_of(app), texts(app)
        for row in bench.texts(CRANE):
            tokens = bench.tokens(row.text)
            assert found[row.text] == ["20.0", f"{row.cmm:+.4f}", f"{100 * row.accuracy:.1f}", str(tokens)]
            assert row.text[:20] in shown(app)
        assert len(found) == 5
        line = said(app, "summary")
        assert " crane   8 pictures on tune" in line
        assert "taken by " in line

    played(desk("things"), scene)


def test_a_text_is_edited_in_place_kept_and_undone_by_key(desk: Desk) -> None:
    lab = desk("things")

    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        bench = bench_of(app)
        before, margin, line = texts(app), bench.now.standing.cmm[CRANE], said(app, "summary")
        point(app, "a photo of a crane.")
        await press(app, pilot, "e")
        box = app.screen.query_one("#line-input", Input)
        assert box.value == "a photo of a crane."
        await press(app, pilot, *["backspace"] * 6, *"bird.")
        await press(app, pilot, "enter")
        assert "* a photo of a bird." in texts(app)
        assert "a photo of a crane." not in texts(app)
        assert bench.now.standing.cmm[CRANE] != margin
        assert said(app, "summary") != line
        assert draft(lab).texts == {"crane": {bench.now.prompts.find("a photo of a {}.").source: "a photo of a bird."}}
        assert "1 edit: " in said(app, "headline")
        await press(app, pilot, "u")
        assert texts(app) == before
        assert said(app, "summary") == line
        assert not (run_folder(lab) / edits.DRAFT).exists()
        await press(app, pilot, "ctrl+y")
        assert "* a photo of a bird." in texts(app)
        await press(app, pilot, "b")
        assert texts(app) == before

    played(lab, scene)


def test_a_line_that_is_left_or_stays_as_it_is_edits_nothing(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        await press(app, pilot, "enter", "x", "y", "escape")
        await press(app, pilot, "enter", "enter")
        assert isinstance(app.screen, ClassPage)
        await press(app, pilot, "n", "enter")
        assert isinstance(app.screen, Line)  # an empty line is no answer
        await press(app, pilot, "space", "enter")
        assert isinstance(app.screen, Line)
        await press(app, pilot, "escape")
        assert bench_of(app).now.done == 0

    played(desk("things"), scene)


def test_a_description_is_written_changed_left_out_used_and_dropped(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        bench = bench_of(app)
        start = bench.now.standing.accuracy[CRANE]
        await press(app, pilot, "n")
        await answer(app, pilot, LEGS)
        assert list(cells(grid(app, "descriptions")).values()) == [["✓", LEGS, "inside", "by hand"]]
        await press(app, pilot, "t")
        assert app.focused is grid(app, "descriptions")
        await press(app, pilot, "enter")
        assert app.screen.query_one("#line-input", Input).value == LEGS
        await answer(app, pilot, BIRD)
        assert [(one.text, one.use) for one in bench.descriptions(CRANE)] == [(BIRD, True)]
        assert bench.now.standing.accuracy[CRANE] > start
        assert "(was" in said(app, "summary")
        await press(app, pilot, "x")
        assert [(one.text, one.use) for one in bench.descriptions(CRANE)] == [(BIRD, False)]
        assert bench.now.standing.accuracy[CRANE] == start
        assert next(iter(cells(grid(app, "descriptions")).values()))[0] == "-"
        await press(app, pilot, "a")
        assert [(one.text, one.use) for one in bench.descriptions(CRANE)] == [(BIRD, True)]
        await press(app, pilot, "delete")
        assert bench.descriptions(CRANE) == []
        assert cells(grid(app, "descriptions")) == {}
        await press(app, pilot, "u", "u")
        assert [(one.text, one.use) for one in bench.descriptions(CRANE)] == [(BIRD, False)]

    played(desk("things"), scene)


def test_accepting_without_a_description_under_the_cursor_is_told(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        await press(app, pilot, "a", "delete")
        assert "Put the cursor on a description (t)." in told(app)
        assert bench_of(app).now.done == 0

    played(desk("things"), scene)


def test_a_class_gets_other_names_and_empty_the_data_s_again(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        bench, before = bench_of(app), texts(app)
        await press(app, pilot, "r")
        assert app.screen.query_one("#line-input", Input).value == "crane"
        await answer(app, pilot, " heron;  grey heron ;; ")
        assert bench.now.classes.names[CRANE] == ("heron", "grey heron")
        assert "heron, grey heron" in said(app, "summary")
        assert {"heron", "grey heron", "a photo of a heron."} <= set(texts(app))
        await press(app, pilot, "r")
        await answer(app, pilot, "")
        assert bench.now.classes.names[CRANE] == ("crane",)
        assert texts(app) == before
        await press(app, pilot, "u", "u")
        assert bench.now.done == 0

    played(desk("things"), scene)


def test_it_steps_through_the_classes_as_they_were_listed(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await press(app, pilot, "s")  # by name
        page = await opened(app, pilot, "lamp")
        seen = []
        for key in ["right_square_bracket"] * 3 + ["left_square_bracket"] * 4:
            await press(app, pilot, key)
            seen.append(page.class_id)
            assert f" {page.class_id} " in said(app, "summary")
            assert page.class_id in texts(app)
        assert seen == ["watch", "bass", "crane", "bass", "watch", "lamp", "ewer"]
        await press(app, pilot, "r")
        await answer(app, pilot, "jug")
        assert bench_of(app).now.classes.titles[NAMES.index("ewer")] == "jug"

    played(desk("things"), scene)


def test_panes_come_to_the_front_in_turn(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        page = await opened(app, pilot)
        for name in (*PANES[1:], PANES[0]):
            await press(app, pilot, "t")
            front = [pane for pane in PANES if page.query_one(f"#{pane}").has_class("-front")]
            assert front == [name]
            assert page.query_one(f"#{name}").region.area > 0
            assert app.focused is page.query_one(f"#{name}")
        assert "a photo of a crane." in shown(app)

    played(desk("things"), scene, size=(80, 24))


def test_texts_that_the_model_cuts_are_marked(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        point(app, "a photo of a crane.")
        await press(app, pilot, "e")
        await answer(app, pilot, "bird " * 200)
        long = next(row for text, row in texts(app).items() if text.startswith("* bird"))
        bench = bench_of(app)
        assert long[-1].endswith("!")
        assert int(long[-1][:-1]) > bench.context_length
        assert not [text for text, row in texts(app).items() if row[-1].endswith("!") and not text.startswith("* bird")]

    played(desk("things"), scene)


def test_words_of_which_nothing_is_left_are_told_and_change_nothing(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        before = texts(app)
        await press(app, pilot, "n")
        await answer(app, pilot, "<|endoftext|>")
        assert any("Nothing is left of the text" in line for line in told(app))
        assert texts(app) == before
        assert [line.level for line in app.logged.lines if "Nothing is left" in line.text] == ["error"]
        assert bench_of(app).now.done == 0

    played(desk("things"), scene)


def test_what_is_under_the_cursor_is_copied(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        point(app, FISH.replace("{}", "crane"))
        await press(app, pilot, "y")
        assert app.clipboard == "a green fish and a crane on wet grass."
        app.edit(Edit(EditKind.DESCRIBE, "crane", "", (BIRD,)))
        await settled(app, pilot)
        await press(app, pilot, "t", "y")
        assert app.clipboard == BIRD

    played(desk("things"), scene)


def test_edits_are_seen_on_the_home_screen_when_it_is_back(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        await press(app, pilot, "n")
        await answer(app, pilot, BIRD)
        await press(app, pilot, "escape")
        assert isinstance(app.screen, ClassesPage)
        row = cells(grid(app, "classes"))["crane"]
        assert float(row[3]) > 0
        assert row[7] == "10"

    played(desk("things"), scene)


def test_vectors_have_no_pictures_and_it_says_so(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        page = await opened(app, pilot)
        lines = [str(line.content) for line in page.query("#pictures Static").results(Static)]
        assert lines[-1] == "things is data of vectors: it has no pictures to show."
        seen = bench_of(app).seen(CRANE, right=False, most=4)
        assert [line.splitlines()[-1] for line in lines if line.startswith("taken by")] == [one.key for one in seen]
        assert not page.query(Picture)

    played(desk("things"), scene)


def test_a_class_without_images_says_so(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot, "lamp")
        assert "0 pictures on tune, - % right" in said(app, "summary")
        assert "No picture on tune is of this class." in shown(app)
        assert all(row[1:3] == ["-", "-"] for row in texts(app).values())
        await press(app, pilot, "n")
        await answer(app, pilot, "in the dark")
        assert len(bench_of(app).descriptions(NAMES.index("lamp"))) == 1

    played(desk("few lamps"), scene)


def test_text_vectors_of_the_data_cannot_be_edited_and_it_says_so(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        await press(app, pilot, "n")
        if isinstance(app.screen, Line):
            await answer(app, pilot, BIRD)
        assert any("came with the data, so nothing can be said anew" in line for line in told(app))
        await press(app, pilot, "r")
        if isinstance(app.screen, Line):
            await answer(app, pilot, "heron")
        await press(app, pilot, "e", "b", "a", "u")
        assert isinstance(app.screen, ClassPage)

    played(desk("own words"), scene)


@pytest.fixture(scope="module")
def photographed(shop: Shop, tmp_path_factory: pytest.TempPathFactory, known_models: dict[str, object]) -> Path:
    """A folder of pictures, and a run of it."""
    from workbench.planted import one_encoder

    folder = tmp_path_factory.mktemp("photographed")
    draw(folder / "photos")
    with one_encoder(known_models):
        shop.lab(folder / "runs", templates="plain").run(str(folder / "photos"))
    return folder


def test_pictures_are_shown_with_what_takes_them_and_one_that_is_gone_says_so(photographed: Path, shop: Shop, desk: Desk) -> None:
    lab = shop.lab(photographed / "runs")
    bench = lab.workbench()
    key = bench.seen(0, right=True)[0].key if bench.seen(0, right=True) else bench.seen(0, right=False)[0].key
    path, kept = photographed / "photos" / key, (photographed / "photos" / key).read_bytes()

    async def scene(app: PromptlabApp, pilot: Player) -> None:
        page = await opened(app, pilot, bench.dataset.classes.ids[0])
        assert len(page.query(Picture)) == int(bench.now.standing.count[0])
        first = list(page.query(Picture))
        await press(app, pilot, "n")
        await answer(app, pilot, "with a plain ground")
        seen = bench_of(app)
        same = (seen.seen(0, right=False), seen.seen(0, right=True)) == (bench.seen(0, right=False), bench.seen(0, right=True))
        assert (list(page.query(Picture)) == first) == same  # drawn anew only when they are others
        path.unlink()
        await press(app, pilot, "escape")
        page = await opened(app, pilot, bench.dataset.classes.ids[0])
        assert "cannot be read" in shown(app)

    try:
        played(lab, scene, size=(140, 100))
    finally:
        path.write_bytes(kept)


def test_a_class_of_one_run_is_left_when_a_run_without_it_is_opened(desk: Desk, tmp_path: Path) -> None:
    lab = desk("things")
    first = run_folder(lab).name
    made = lab.run(str(draw(tmp_path / "pictures"))).run.name

    async def scene(app: PromptlabApp, pilot: Player) -> None:
        assert app.bench is not None
        page = ClassPage(5, app.bench.dataset.classes.ids)
        app.push_screen(page)
        await settled(app, pilot)
        app.open_run(made)
        await settled(app, pilot)
        assert isinstance(app.screen, ClassesPage)
        app.push_screen(ClassPage(0))
        await settled(app, pilot)
        await press(app, pilot, "r")
        app.open_run(first)
        await settled(app, pilot)
        await answer(app, pilot, "nobody")
        assert isinstance(app.screen, ClassesPage)
        assert app.bench is not None
        assert app.bench.now.done == 0

    played(lab, scene, run=first)
