"""Every screen that there is, and what can be done on it. Screens are imported when somebody asks: each knows the app that shows it."""

from collections.abc import Iterable, Mapping

from promptlab.tui.commands import EVERYWHERE, Command
from promptlab.tui.page import Page


def pages() -> dict[str, type[Page]]:
    """{mode: its screen}."""
    from promptlab.tui.screens.classes import ClassesPage
    from promptlab.tui.screens.enrich import EnrichPage
    from promptlab.tui.screens.families import FamiliesPage
    from promptlab.tui.screens.log import LogPage
    from promptlab.tui.screens.runs import RunsPage
    from promptlab.tui.screens.start import StartPage
    from promptlab.tui.screens.trying import TryPage

    return {page.MODE: page for page in (ClassesPage, FamiliesPage, EnrichPage, TryPage, RunsPage, LogPage, StartPage)}


def screens() -> tuple[type[Page], ...]:
    """Every screen that has keys: those of the head, and those that open on them."""
    from promptlab.tui.screens.cases import CasesPage
    from promptlab.tui.screens.follow import Following
    from promptlab.tui.screens.one_class import ClassPage
    from promptlab.tui.screens.papers import Compared, Paper

    return (*pages().values(), ClassPage, Compared, Paper, CasesPage, Following)


def every_command() -> tuple[Command, ...]:
    """Everything that can be done, on any screen."""
    return (*(one for page in screens() for one in page.DOES), *EVERYWHERE)


def clashes(commands: Iterable[Command], keys: Mapping[str, str]) -> list[str]:
    """Keys that two commands of one screen share, in a sentence each. The screen goes before the app, and a key that was asked for before
    one that is usual."""
    ordered = sorted(commands, key=lambda one: (one in EVERYWHERE, one.id not in keys))
    pairs = [(key.strip(), one.id) for one in ordered for key in keys.get(one.id, one.key).split(",")]
    first = dict(reversed(pairs))
    return [f"The key {key!r} is that of {first[key]} and of {name}; the first has it." for key, name in pairs if first[key] != name]
