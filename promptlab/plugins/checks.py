"""What plugins and their things are checked for when they come in."""

import inspect
import itertools
import re
from collections.abc import Iterable
from typing import Any

from promptlab import hookspecs
from promptlab.errors import PluginError, unknown_name
from promptlab.plugins.sources import GROUP
from promptlab.protocols import Analysis, ChatAlias, ModelAlias, Rule, Unit

# What each hook gives back; a dataset source is whatever has these.
KINDS: dict[str, type] = {
    "promptlab_rules": Rule,
    "promptlab_analyses": Analysis,
    "promptlab_encoders": ModelAlias,
    "promptlab_chats": ChatAlias,
}
SOURCE_HAS = ("name", "about", "example", "claims", "open")
HOOKS = ("promptlab_datasets", *KINDS)
EVERY_HOOK = (*HOOKS, "promptlab_event")
WORD = re.compile(r"[^\s/,:]{1,99}")
WORDS = re.compile(r"\S(?:.{0,97}\S)?")
TEXTS = ("about", "example", "target", "reducer")
MOST_THINGS = 10_000


def check_module(module: Any) -> None:
    """Raises PluginError or UsageError for a plugin of another version, and for functions that look like hooks and are none, which pluggy
    would pass over in silence."""
    said = getattr(module, "promptlab_api", hookspecs.API)
    if str(said) != str(hookspecs.API):
        raise PluginError(
            f"it was written for version {said} of the plugin API, and this promptlab has version {hookspecs.API}.",
            "Install a version of it for this promptlab.",
        )
    for name in dir(module):
        if not name.startswith(f"{GROUP}_") or not callable(getattr(module, name)):
            continue
        if name not in EVERY_HOOK:
            raise unknown_name("hook", name, EVERY_HOOK)
        if not hasattr(getattr(module, name), f"{GROUP}_impl"):
            raise PluginError(f"{name} is not marked; write @hookimpl above it")
        may, takes = (_arguments(function) for function in (getattr(hookspecs, name), getattr(module, name)))
        if extra := sorted(takes - may):
            raise PluginError(f"{name} takes {', '.join(extra)}; it may take {' and '.join(sorted(may)) or 'nothing'}")


def _arguments(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters) - {"self"}


def listed(given: Any) -> list[Any]:
    """The things that a hook gave. Raises PluginError for what is no list of them."""
    if not isinstance(given, Iterable):
        raise PluginError(f"it gave back an object of type {type(given).__name__}; a list was expected")
    things = list(itertools.islice(given, MOST_THINGS + 1))
    if len(things) > MOST_THINGS:
        raise PluginError(f"it gave back more than {MOST_THINGS:,} things")
    return things


def check_thing(hook: str, thing: Any) -> bool:
    """True. Raises PluginError that says what is wrong with a thing that a hook gave."""
    kind = KINDS.get(hook)
    called = type(thing).__name__
    if isinstance(thing, type):
        raise PluginError(f"it gave the class {thing.__name__}; an object was expected: {thing.__name__}()")
    if kind is not None and type(thing) is not kind:
        raise PluginError(f"it gave an object of type {called}; one of type {kind.__name__} was expected")
    missing = [name for name in SOURCE_HAS if not hasattr(thing, name)] if kind is None else []
    if missing:
        raise PluginError(f"it gave an object of type {called} without `{missing[0]}`; a source of data has {', '.join(SOURCE_HAS)}")
    pattern = WORDS if kind is Analysis else WORD
    if not isinstance(thing.name, str) or not pattern.fullmatch(thing.name) or not thing.name.isprintable():
        raise PluginError(f"its {called} is named {thing.name!r}; a word without spaces and / , : was expected")
    odd = next((name for name in TEXTS if hasattr(thing, name) and not isinstance(getattr(thing, name), str)), None)
    if odd is not None:
        raise PluginError(f"the `{odd}` of its {called} {thing.name!r} is {getattr(thing, odd)!r}; a text was expected")
    if kind is Rule and thing.unit not in list(Unit):
        raise PluginError(f"its rule {thing.name!r} has the unit {thing.unit!r}; there are: {', '.join(Unit)}")
    return True
