"""Every command: keys that reach it, an action that is there, a command line that does the same."""

import importlib
import pkgutil
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from cli.conftest import inside
from textual.actions import parse
from workbench.planted import Shop

from promptlab.cli.main import cli
from promptlab.lab import Lab
from promptlab.tui import screens as package
from promptlab.tui.app import PromptlabApp
from promptlab.tui.commands import EVERYWHERE, Command
from promptlab.tui.page import Page
from promptlab.tui.places import clashes, every_command, screens
from promptlab.tui.screens.classes import ClassesPage
from promptlab.tui.widgets.grid import Grid
from promptlab.types import Edit, EditKind

from .stage import Player, cells, played, press, shown

ONLY_HERE = {"help", "theme", "palette", "cancel", "interrupt", "quit", "runs.mark"}
"""Commands that only move about in the UI, or concern it alone."""
UNSURE = {"ctrl+j", "ctrl+m", "ctrl+i", "ctrl+h", "ctrl+s", "ctrl+o", "ctrl+z", "ctrl+left_square_bracket"}
"""Keys that some terminals keep, or send as others."""
COMMANDS = every_command()


def named(one: Command) -> str:
    return one.id


def parsed(line: str) -> click.Context:
    """The command line, taken apart as click does it; nothing is done."""
    program, *words = shlex.split(line)
    assert program == "promptlab"
    command: click.Command = cli
    context = cli.make_context(program, words)
    while isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        if not rest:
            assert command.invoke_without_command, f"{line!r} names no command"
            return context
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        assert name is not None
        command, context = found, found.make_context(name, rest, parent=context)
    return context


@pytest.mark.parametrize("one", COMMANDS, ids=named)
def test_every_command_has_a_command_line_that_does_the_same(one: Command) -> None:
    Path("cat.jpg").touch()
    if not one.twin:
        assert one.id in ONLY_HERE
        return
    assert one.id not in ONLY_HERE
    assert parsed(one.twin).command.callback is not None


TRIED = ("promptlab prompts ", "promptlab classes", "promptlab runs", "promptlab build")


@pytest.mark.parametrize("line", sorted({one.twin for one in COMMANDS if one.twin.startswith(TRIED) and "2026-01-31" not in one.twin}))
def test_command_lines_are_not_only_words(desk: Callable[[str], Lab], shop: Shop, line: str) -> None:
    lab = desk("things")
    bench, folder = lab.workbench(), Path(lab.settings.runs).parent
    for text in ("a tall bird", "a tall grey bird", "a bird"):
        bench.edit(Edit(EditKind.DESCRIBE, "crane", "", (text,)))
    bench.edit(Edit(EditKind.ADD, words=("a photo of {}.",)))
    if "redo" in line:
        bench.undo()
    done = inside(*shlex.split(line)[1:], folder=folder, cache=shop.cache)
    assert done.code == 0, done.err


def test_a_wrong_command_line_would_be_found() -> None:
    for wrong in ("promptlab nothing", "promptlab runs --no-such-flag", "promptlab prompts text", "promptlab classes --sort nothing"):
        with pytest.raises(click.UsageError):
            parsed(wrong)


@pytest.mark.parametrize("page", screens(), ids=lambda page: page.__name__)
def test_every_action_is_there(page: type[Page]) -> None:
    for one in (*page.DOES, *EVERYWHERE):
        where, name, _ = parse(one.action)
        owner = PromptlabApp if where == "app" else page
        assert callable(getattr(owner, f"action_{name}", None)), one.id
        assert where in ("", "app")


def test_no_screen_is_left_out() -> None:
    found = {
        cls
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
        for cls in vars(importlib.import_module(module.name)).values()
        if isinstance(cls, type) and issubclass(cls, Page) and cls is not Page
    }
    assert found == set(screens())


def test_ids_are_unique_and_begin_with_their_screen() -> None:
    ids = [one.id for one in COMMANDS]
    assert len(set(ids)) == len(ids)
    for page in screens():
        assert len({one.id.partition(".")[0] for one in page.DOES}) <= 1
        assert all("." in one.id for one in page.DOES)


@pytest.mark.parametrize("one", COMMANDS, ids=named)
def test_every_command_has_a_key_that_every_terminal_sends(one: Command) -> None:
    keys = [key.strip() for key in one.key.split(",")]
    assert [key for key in keys if key not in UNSURE and "alt+" not in key and "super+" not in key]
    assert one.title
    assert one.about.endswith(".")


@pytest.mark.parametrize("page", screens(), ids=lambda page: page.__name__)
def test_no_two_commands_of_one_screen_share_a_key(page: type[Page]) -> None:
    keys = [key.strip() for one in (*page.DOES, *EVERYWHERE) for key in one.key.split(",")]
    assert len(set(keys)) == len(keys)
    assert clashes((*page.DOES, *EVERYWHERE), {}) == []


# -- other keys -----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def lab(desk) -> Lab:  # type: ignore[no-untyped-def]  # a lab over a run
    return desk("things")  # type: ignore[no-any-return]


def test_another_key_acts_and_is_shown_and_the_usual_one_no_longer_does(lab: Lab) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        grid = app.screen.query_one(Grid)
        before = list(cells(grid))
        await press(app, pilot, "r")
        assert list(cells(grid)) == before
        await press(app, pilot, "f9")
        assert list(cells(grid)) == before[::-1]
        await press(app, pilot, "f1")
        assert re.search(r"f9 +Reverse +Turn the order round\.", shown(app))
        assert re.search(r"f3 +Undo", shown(app))
        await press(app, pilot, "escape", "v")
        assert app.screen.has_class("-wide")
        assert "v Sort" in shown(app)

    played(lab, scene, keys={"classes.reverse": "f9", "classes.sort": "v", "undo": "f3"}, size=(140, 60))


def test_keys_of_a_screen_that_opens_on_another_can_be_changed(lab: Lab) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        assert not [line for line in app.logged.lines if "[keys]" in line.text]
        await press(app, pilot, "enter", "f9")
        assert type(app.screen).__name__ == "Line"

    played(lab, scene, keys={"class.rename": "f9"})


def test_a_name_that_is_no_command_is_told_with_the_nearest(lab: Lab) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        warned = [line.text for line in app.logged.lines if line.level == "warning"]
        assert warned == [
            "[keys] names '[/x]\\x1b', which is no command.",
            "[keys] names 'classes.sorted', which is no command. Did you mean 'classes.sort'?",
        ]

    played(lab, scene, keys={"classes.sorted": "v", "[/x]\x1b": "b"})


@pytest.mark.parametrize(
    ("keys", "key", "has", "lacks"),
    [
        ({"classes.reverse": "s"}, "s", "classes.reverse", "classes.sort"),
        ({"classes.sort": "r"}, "r", "classes.sort", "classes.reverse"),
        ({"classes.reverse": "j"}, "j", "classes.reverse", "judge"),
        ({"judge": "r"}, "r", "classes.reverse", "judge"),
        ({"classes.reverse": "?"}, "question_mark", "classes.reverse", "help"),
    ],
)
def test_a_key_that_two_commands_share_is_told_with_the_one_that_has_it(
    lab: Lab, keys: dict[str, str], key: str, has: str, lacks: str
) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        warned = [line.text for line in app.logged.lines if line.level == "warning"]
        wanted = f"The key {key!r} is that of {has} and of {lacks}; the first has it."
        assert warned.count(wanted) == 1
        page = app.screen
        assert isinstance(page, ClassesPage)
        acted: list[str] = []
        page.action_reverse = lambda: acted.append("classes.reverse")  # type: ignore[method-assign]
        page.action_sort = lambda: acted.append("classes.sort")  # type: ignore[method-assign]
        app.action_judge = lambda: acted.append("judge")  # type: ignore[method-assign]
        app.action_help = lambda: acted.append("help")  # type: ignore[method-assign]
        await press(app, pilot, key)
        assert acted == [has]

    played(lab, scene, keys=keys)


def test_every_command_of_every_screen_can_have_another_key() -> None:
    taken = {one.id: f"ctrl+f{n}" for n, one in enumerate(COMMANDS)}
    for page in screens():
        assert clashes((*page.DOES, *EVERYWHERE), taken) == []
