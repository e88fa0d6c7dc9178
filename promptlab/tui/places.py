"""Every screen that there is, and what can be done on it. Screens are imported when somebody asks: each knows the app that shows it."""

from collections.abc import Iterable, Mapping
from importlib import import_module

from promptlab.tui.commands import EVERYWHERE, Command
from promptlab.tui.page import Page

MODES = {
    "classes": "classes.ClassesPage",
    "families": "families.FamiliesPage",
    "enrich": "enrich.EnrichPage",
    "try": "trying.TryPage",
    "runs": "runs.RunsPage",
    "log": "log.LogPage",
    "start": "start.StartPage",
}


def page(mode: str) -> type[Page]:
    """The screen of a mode."""
    module, _, name = MODES[mode].partition(".")
    found: type[Page] = getattr(import_module(f"promptlab.tui.screens.{module}"), name)
    return found


def screens() -> tuple[type[Page], ...]:
    """Every screen that has keys: those of the head, and those that open on them."""
    from promptlab.tui.screens.cases import CasesPage
    from promptlab.tui.screens.follow import Following
    from promptlab.tui.screens.one_class import ClassPage
    from promptlab.tui.screens.papers import Compared, Paper

    return (*map(page, MODES), ClassPage, Compared, Paper, CasesPage, Following)


def every_command() -> tuple[Command, ...]:
    """Everything that can be done, on any screen."""
    return (*(one for screen in screens() for one in screen.DOES), *EVERYWHERE)


def clashes(commands: Iterable[Command], keys: Mapping[str, str]) -> list[str]:
    """Keys that two commands of one screen share, in a sentence each. The screen goes before the app, and a key that was asked for before
    one that is usual."""
    ordered = sorted(commands, key=lambda one: (one in EVERYWHERE, one.id not in keys))
    pairs = [(key.strip(), one.id) for one in ordered for key in keys.get(one.id, one.key).split(",")]
    first = dict(reversed(pairs))
    return [f"The key {key!r} is that of {first[key]} and of {name}; the first has it." for key, name in pairs if first[key] != name]
