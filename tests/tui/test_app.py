"""The app around its screens: help, palette, log, theme, long work, and what goes wrong without taking it along."""

import asyncio
import re
from collections.abc import Callable
from threading import Event as Gate

import pytest
from textual.command import CommandPalette
from textual.widgets import Input
from workbench.planted import FISH, KINDS, run_folder

from promptlab import config
from promptlab.errors import DataError
from promptlab.events import Finished, Listener, Noted, Progressed, Started
from promptlab.lab import Lab
from promptlab.tui.app import PromptlabApp
from promptlab.tui.commands import EVERYWHERE
from promptlab.tui.page import Page
from promptlab.tui.screens.classes import ClassesPage
from promptlab.tui.screens.help import KEYS, Help
from promptlab.tui.screens.log import LogPage
from promptlab.tui.widgets.grid import Grid
from promptlab.tui.widgets.log import LogTable
from promptlab.tui.widgets.work import WorkLine
from promptlab.types import Edit, EditKind

from .stage import Player, cells, played, press, said, settled, shown, told, until

Desk = Callable[[str], Lab]
DESCRIBED = Edit(EditKind.DESCRIBE, "crane", "", ("a tall grey bird in shallow water",))
PLACES = ("1", "2", "3", "6")


# -- help, palette, log ---------------------------------------------------------------------------------------------------------------


def test_help_tells_every_key_of_every_screen_with_its_command_line(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        for keys in (("1",), ("1", "enter"), ("2",), ("3",), ("6",)):
            await press(app, pilot, *keys)
            page = app.screen
            assert isinstance(page, Page)
            await press(app, pilot, "question_mark")
            assert isinstance(app.screen, Help)
            lines = [line.strip(" │|▁▂▃▄▅▆▇█") for line in shown(app).splitlines()]
            for one in (*page.DOES, *EVERYWHERE):
                names = " ".join(KEYS.get(key, key) for key in one.key.split(","))
                assert any(re.search(rf"(^|\W){re.escape(names)} +{re.escape(one.title)} ", line) for line in lines), one.id
                assert not one.twin or any(f"$ {one.twin}"[:60] in line for line in lines), one.id
            await press(app, pilot, "escape")
            assert app.screen is page

    played(desk("things"), scene, size=(140, 130))


def test_every_command_of_the_screen_in_front_is_in_the_palette(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        for keys in (("1",), ("1", "enter"), ("2",), ("3",), ("6",)):
            await press(app, pilot, *keys)
            assert isinstance(app.screen, Page)
            wanted = [(one.title, one.about) for one in (*app.screen.DOES, *EVERYWHERE)]
            assert [(one.title, one.help) for one in app.get_system_commands(app.screen)] == wanted

    played(desk("things"), scene)


def test_a_command_is_found_by_its_name_and_done(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        before = list(cells(app.screen.query_one(Grid)))
        await pilot.press("ctrl+p", *"Reverse")
        await pilot.pause(0.3)
        assert isinstance(app.screen, CommandPalette)
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, ClassesPage))
        await settled(app, pilot)
        if list(cells(app.screen.query_one(Grid))) == before:  # the first enter may have chosen it only
            await press(app, pilot, "enter")
        assert list(cells(app.screen.query_one(Grid))) == before[::-1]

    played(desk("things"), scene)


def test_the_log_tells_of_the_run_and_of_failures_and_can_be_copied(desk: Desk) -> None:
    lab = desk("things")

    async def scene(app: PromptlabApp, pilot: Player) -> None:
        app.edit(Edit(EditKind.REMOVE, words=("[/x] {}",)))
        await settled(app, pilot)
        await press(app, pilot, "6")
        assert isinstance(app.screen, LogPage)
        assert f"Opened {run_folder(lab).name}: 6 classes, 48 pictures on tune." in shown(app)
        assert "There is no template named '[/x] {}'." in shown(app)
        await press(app, pilot, "f")
        assert [line.split()[1] for line in app.screen.query_one(LogTable).lines] == ["error"]
        await press(app, pilot, "y")
        assert "[/x] {}" in app.clipboard
        assert "Copied 1 line." in told(app)
        await press(app, pilot, "f")
        assert len(app.screen.query_one(LogTable).lines) == len(app.logged.lines) > 1

    played(lab, scene)


def test_places_are_gone_to_by_key_and_by_click(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        for key, mode in (("2", "families"), ("3", "enrich"), ("6", "log"), ("4", "try"), ("5", "runs"), ("1", "classes")):
            await press(app, pilot, key)
            assert app.current_mode == mode
        await pilot.click("Places", offset=(14, 0))
        await settled(app, pilot)
        assert app.current_mode == "families"
        await press(app, pilot, "1", "enter", "2", "1")
        assert type(app.screen).__name__ == "ClassPage"  # where it was left
        await press(app, pilot, "1")
        assert isinstance(app.screen, ClassesPage)

    played(desk("things"), scene)


# -- theme ----------------------------------------------------------------------------------------------------------------------------


def test_the_theme_is_remembered_and_one_that_is_gone_is_no_harm(desk: Desk) -> None:
    lab = desk("things")

    async def chosen(app: PromptlabApp, pilot: Player) -> None:
        app.theme = "nord"
        await pilot.pause()

    async def kept(app: PromptlabApp, pilot: Player) -> None:
        assert app.theme == "nord"

    async def usual(app: PromptlabApp, pilot: Player) -> None:
        assert app.theme != "nord"
        assert app.theme in app.available_themes

    played(lab, chosen)
    assert config.remembered_theme() == "nord"
    played(lab, kept)
    config.remember_theme("[/x] no such theme")
    played(lab, usual)


def test_the_theme_is_chosen_by_key(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await pilot.press("f2", *"gruvbox")
        await pilot.pause(0.3)
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, ClassesPage))
        await settled(app, pilot)
        assert config.remembered_theme() == app.theme == "gruvbox"

    played(desk("things"), scene)


# -- long work ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["things", "balance", "unlabelled", "own words"])
def test_judging_makes_a_new_run_of_the_prompts_as_they_are_and_opens_it(desk: Desk, kind: str) -> None:
    lab = desk(kind)
    before = run_folder(lab)

    async def scene(app: PromptlabApp, pilot: Player) -> None:
        if kind != "own words":
            app.edit(DESCRIBED)
            await settled(app, pilot)
        else:
            app.action_reweigh("cpe")
            await settled(app, pilot)
        await press(app, pilot, "2", "j")
        bench = app.bench
        assert bench is not None
        assert bench.run.path == run_folder(lab) != before
        assert isinstance(app.screen, ClassesPage)
        assert bench.now.done == 0
        if kind == "own words":
            assert bench.run.manifest["settings"]["weights"] == "cpe"
        else:
            assert DESCRIBED.words[0] in {one.text for one in bench.descriptions(1)}
        lead = (bench.run.result or {})["lead"]
        assert " ".join(lead) in told(app)
        assert {line.text for line in app.logged.lines} >= set(lead)

    played(lab, scene)


def test_nobody_edits_what_is_being_judged(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, run = Gate(), Lab.run
    monkeypatch.setattr(Lab, "run", lambda lab, **given: (gate.wait(10), run(lab, **given))[1])

    async def scene(app: PromptlabApp, pilot: Player) -> None:
        app.action_judge()
        app.edit(DESCRIBED)
        await pilot.pause()
        assert told(app) == ["Still at work: run and judge. Edits wait until it is done, or cancelled."]
        gate.set()
        await settled(app, pilot)
        await press(app, pilot, "u")
        assert told(app)[-1] == "There is nothing left."
        app.edit(DESCRIBED)
        await settled(app, pilot)
        assert app.bench is not None
        assert app.bench.now.done == 1

    played(desk("things"), scene)


def test_what_is_read_beside_may_fail_in_any_way_but_not_in_silence(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(bench: object, c: int) -> None:
        raise RuntimeError("[/x] is broken")

    monkeypatch.setattr("promptlab.workbench.Workbench.texts", broken)

    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await press(app, pilot, "enter")
        assert told(app) == ["Something broke: RuntimeError: [/x] is broken"]

    played(desk("things"), scene)


def gated(gate: Gate) -> Callable[[Listener], str]:
    """Work that tells of itself until it is let go."""

    def do(listen: Listener) -> str:
        listen(Started("dig", 10_000, "holes"))
        for n in range(10_000):
            listen(Progressed("dig", n))
            if gate.wait(0.002):
                break
        listen(Finished("dig", 10_000))
        return "done"

    return do


def test_work_shows_its_line_on_every_screen_and_hides_it_at_the_end(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        gate, found = Gate(), list[str]()
        app.work("garden", gated(gate), found.append)
        await until(lambda: "garden: dig" in app.screen.query_one(WorkLine).render().plain)
        for key in (*PLACES, "1"):
            await pilot.press(key)
            await pilot.pause()
            line = app.screen.query_one(WorkLine)
            assert line.display
            assert "garden: dig" in line.render().plain
            assert line.render().plain.endswith("ctrl+x: cancel")
        app.work("another", lambda listen: found.append("never"), lambda made: None)
        await pilot.pause()
        assert "Still at work: garden. Wait for it, or cancel it." in told(app)
        gate.set()
        await settled(app, pilot)
        assert found == ["done"]
        for key in PLACES:
            await press(app, pilot, key)
            assert not app.screen.query_one(WorkLine).display

    played(desk("things"), scene)


def test_work_is_cancelled_and_other_work_can_begin(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        gate, found = Gate(), list[str]()
        app.work("garden", gated(gate), found.append)
        await pilot.press("ctrl+x")
        await settled(app, pilot)
        assert "Cancelled: garden. What was finished is kept." in told(app)
        assert found == []
        gate.set()
        app.work("again", gated(gate), found.append)
        await settled(app, pilot)
        assert found == ["done"]

    played(desk("things"), scene)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RuntimeError("[@click=app.quit]x[/] \x1b[31m"), r"Something broke: RuntimeError: [@click=app.quit]x[/] \x1b[31m"),
        (DataError("The data is gone.", "Look for it."), "The data is gone. Look for it."),
        (MemoryError(), "Something broke: MemoryError: "),
        (KeyError("[/x]"), "Something broke: KeyError: '[/x]'"),
    ],
    ids=["runtime", "ours", "memory", "key"],
)
def test_work_that_breaks_is_told_in_a_toast_and_in_the_log_and_the_app_lives(desk: Desk, error: Exception, text: str) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        def do(listen: Listener) -> None:
            raise error

        app.work("garden", do, lambda made: None)
        await settled(app, pilot)
        assert text in [line.strip() if not text.endswith(" ") else line for line in told(app)]
        assert [line.text for line in app.logged.lines if line.level == "error"] == [text]
        assert not app.working
        await press(app, pilot, "2", "1")
        assert isinstance(app.screen, ClassesPage)

    played(desk("things"), scene)


def test_an_edit_that_breaks_is_told_and_the_next_is_done(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        bench = app.bench
        assert bench is not None
        with monkeypatch.context() as patch:
            patch.setattr(bench, "edit", lambda edit: 1 / 0)
            app.edit(DESCRIBED)
            await settled(app, pilot)
        assert "Something broke: ZeroDivisionError: division by zero" in told(app)
        app.edit(DESCRIBED)
        await settled(app, pilot)
        assert bench.now.done == 1

    played(desk("things"), scene)


def test_edits_wait_for_each_other_in_their_order(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        names = [f"bird {n}" for n in range(6)]
        for name in names:
            app.edit(Edit(EditKind.RENAME, "crane", "", (name,)))
        app.action_undo()
        await settled(app, pilot)
        assert app.bench is not None
        assert app.bench.now.classes.titles[1] == "bird 4"
        assert (app.bench.now.done, app.bench.now.undone) == (5, 1)
        assert told(app)[-1].startswith("Undone: rename crane to bird 5")

    played(desk("things"), scene)


def test_undo_and_redo_say_what_they_did_and_when_nothing_is_left(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        app.edit(DESCRIBED)
        await settled(app, pilot)
        await press(app, pilot, "u", "u", "ctrl+y", "ctrl+y")
        said = "describe crane as 'a tall grey bird in shallow water'"
        assert told(app) == [f"Undone: {said}", "There is nothing left.", f"Done again: {said}", "There is nothing left."]
        assert app.bench is not None
        assert app.bench.now.done == 1

    played(desk("things"), scene)


def test_resizing_while_it_works_breaks_nothing(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        gate = Gate()
        app.work("garden", gated(gate), lambda made: None)
        for keys in (("1",), ("enter",), ("2",), ("3",), ("6",)):
            await pilot.press(*keys)
            for size in ((80, 24), (140, 45), (20, 8), (100, 30)):
                await pilot.resize_terminal(*size)
                await until(lambda rows=size[1]: len(shown(app).splitlines()) == rows)  # else it is still being drawn
            assert "ctrl+x: cancel" in shown(app)
        gate.set()
        await settled(app, pilot)
        await press(app, pilot, "1", "1")
        assert len(cells(app.screen.query_one(Grid))) == 6

    played(desk("things"), scene)


# -- what cannot be opened ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(KINDS))
def test_runs_of_every_kind_are_opened_and_every_screen_shows_them(desk: Desk, kind: str) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        assert app.bench is not None
        await press(app, pilot, *PLACES, "1", "enter", "t", "t", "right_square_bracket", "escape")
        assert isinstance(app.screen, ClassesPage)
        assert not [line for line in app.logged.lines if line.level == "error"]

    played(desk(kind), scene)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("prompts.toml", b"templates = ["),
        ("prompts.toml", b"\xff\xfe"),
        ("run.json", b"{}"),
        ("run.json", b"[1"),
        ("descriptions.jsonl", b"{broken"),
        ("classifier.safetensors", b"no classifier"),
        ("classes.json", b"7"),
        ("classes.json", b'["a"]'),
        ("classes.json", b'[{"id": "crane", "worst": "[/x]"}, {"id": "lamp", "worst": 1}]'),
        ("enrichment.json", b'{"classes": [{"id": 1}]}'),
        ("enrichment.json", b'{"classes": 5}'),
        ("result.json", b'{"families": [{}, {"name": "{}", "score": "x"}]}'),
        ("result.json", b'{"families": 5}'),
        ("result.json", b"[]"),
        ("result.json", b"{"),
        ("edits.jsonl", b"\xff\n{"),
    ],
)
def test_a_run_with_a_broken_file_is_opened_or_told_of_and_the_app_lives(desk: Desk, file: str, content: bytes) -> None:
    lab = desk("things")
    (run_folder(lab) / file).write_bytes(content)

    async def scene(app: PromptlabApp, pilot: Player) -> None:
        errors = [line.text for line in app.logged.lines if line.level == "error"]
        assert (app.bench is None) == bool(errors), file
        assert not [line for line in errors if "Something broke" in line]
        await press(app, pilot, *PLACES, "w", "j" if app.bench is None else "y", "u", "1")
        if app.bench is not None:
            await press(app, pilot, "enter", "escape")

    played(lab, scene, run=run_folder(lab).name)


def test_a_run_whose_data_is_gone_is_told_of_and_another_can_be_opened(desk: Desk) -> None:
    lab = desk("things")
    folder = run_folder(lab)
    other = folder.with_name("2001-01-01-000000-gone")
    other.mkdir()
    for path in folder.iterdir():
        if path.is_file():
            (other / path.name).write_bytes(path.read_bytes())
    manifest = (other / "run.json").read_text("utf-8")
    (other / "run.json").write_text(manifest.replace("things.npz", "gone.npz"), "utf-8")

    async def scene(app: PromptlabApp, pilot: Player) -> None:
        assert app.bench is None
        assert "gone.npz" in told(app)[0]
        assert said(app, "headline") == "No run is open."
        await press(app, pilot, *PLACES, "1", "e", "p", "s", "u", "j", "w", "1", "enter", "y", "r", "s", "slash")
        app.open_run(folder.name)
        await settled(app, pilot)
        assert app.bench is not None
        app.open_run(other.name)
        await settled(app, pilot)
        assert app.bench.run.path == folder  # what was open stays
        app.open_run("no such run")
        await settled(app, pilot)
        assert app.bench.run.path == folder
        assert any("no such run" in line for line in told(app))

    played(lab, scene, run=other.name)


def test_quitting_keeps_edits_and_leaves_at_once_when_nothing_is_at_work(desk: Desk) -> None:
    lab = desk("things")

    async def play() -> None:
        app = PromptlabApp(lab)
        async with app.run_test() as pilot:
            await settled(app, pilot)
            app.edit(Edit(EditKind.TOGGLE, of=FISH))
            await settled(app, pilot)
            await pilot.press("q")
            await until(lambda: not app.is_running)

    asyncio.run(play())
    assert lab.workbench().now.done == 1


def test_quitting_while_it_works_stops_the_work_first(desk: Desk) -> None:
    async def play() -> None:
        app, gate, found = PromptlabApp(desk("things")), Gate(), list[str]()
        async with app.run_test() as pilot:
            await settled(app, pilot)
            app.work("garden", gated(gate), found.append)
            await pilot.press("q")
            await until(lambda: not app.is_running)
            assert not app.working
        assert found == []

    asyncio.run(play())


def test_what_work_says_reaches_the_log_and_warnings_a_toast(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        def do(listen: Listener) -> None:
            listen(Noted("quietly", "info"))
            listen(Noted("[/x] loudly"))

        app.work("garden", do, lambda made: None)
        await settled(app, pilot)
        assert told(app) == ["[/x] loudly"]
        assert [line.text for line in app.logged.lines][-2:] == ["quietly", "[/x] loudly"]

    played(desk("things"), scene)


def test_keys_typed_into_a_line_are_letters(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await press(app, pilot, "enter", "n", "q", "j", "1", "u", "question_mark")
        assert app.screen.query_one("#line-input", Input).value == "qj1u?"
        assert not app.working

    played(desk("things"), scene)


def test_no_run_is_opened_while_something_is_at_work(desk: Desk) -> None:
    gate = Gate()

    async def scene(app: PromptlabApp, pilot: Player) -> None:
        app.work("dig", gated(gate), lambda found: None)
        app.open_run("")
        assert app.opening == ""
        gate.set()
        await settled(app, pilot)
        assert told(app) == ["Still at work: dig. Wait for it, or cancel it."]

    played(desk("things"), scene)
