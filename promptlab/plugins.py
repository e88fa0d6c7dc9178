"""Build a plugin manager, collect what plugins add, announce events.

A fresh manager for each `Lab`, no module global. Collecting walks the implementations one by one, so that a failure names plugin and hook,
and two things with one name are an error that names both plugins.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, TypeVar

import pluggy

from promptlab import hookspecs
from promptlab.errors import DataError, PluginError, PromptlabError
from promptlab.events import Event, Noted

GROUP = "promptlab"
HOOKS = ("promptlab_datasets", "promptlab_rules", "promptlab_encoders", "promptlab_chats")


T = TypeVar("T")


def guarded(plugin: str, doing: str, work: Callable[[], T]) -> T:
    """What the work of a plugin gives back. Raises DataError for what the disk says, PluginError naming the plugin for its own faults."""
    try:
        return work()
    except PromptlabError:
        raise
    except OSError as error:
        raise DataError(f"{error.filename or 'The data'!r} cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # a plugin can raise anything
        raise PluginError(
            f"The plugin {plugin!r} failed in {doing}: {type(error).__name__}: {error}.", "Tell its author, or use --debug."
        ) from error


class Plugins:
    """The plugins of one lab. `third_party`: load entry points, too."""

    def __init__(self, note: Callable[[Event], None], third_party: bool = True) -> None:
        self._note = note
        self.manager = pluggy.PluginManager(GROUP)
        self.manager.add_hookspecs(hookspecs)
        self._loaded: set[str] = set()
        self.installed: dict[str, tuple[str, str]] = {}
        for entry in entry_points(group=GROUP) if third_party else ():
            state = self._load(entry.name, entry.load)
            self.installed[entry.name] = (entry.dist.version if entry.dist else "unknown", state)

    def _load(self, name: str, load: Callable[[], Any]) -> str:
        """Register a plugin; gives back its state: `works`, or what is wrong."""
        try:
            self.manager.register(load(), name)
            self.manager.check_pending()
            return "works"
        except Exception as error:  # a plugin's import can raise anything
            fault = f"{type(error).__name__}: {error}"
            self._note(Noted(f"The plugin {name!r} could not be loaded: {fault}. Everything else works."))
            if self.manager.has_plugin(name):
                self.manager.unregister(name=name)
            return fault

    def collect(self, hook: str, built_in: Sequence[str]) -> dict[str, tuple[Any, str]]:
        """{name: (thing, plugin)} from every implementation of a hook. `built_in`: the modules of ours that implement it, imported now.

        Raises PluginError when two plugins give things of one name; a plugin that fails is noted and left out.
        """
        for module in built_in:
            if module not in self._loaded:
                self._loaded.add(module)
                self.manager.register(importlib.import_module(module), module)
        found: dict[str, tuple[Any, str]] = {}
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            plugin = implementation.plugin_name
            try:
                things = list(implementation.function())
                named = [(str(thing.name), thing) for thing in things]
            except Exception as error:  # a plugin's hook can raise anything
                self._note(Noted(f"The plugin {plugin!r} failed in {hook}: {type(error).__name__}: {error}. It is left out."))
                continue
            for name, thing in named:
                if name in found:
                    raise PluginError(
                        f"The plugins {found[name][1]!r} and {plugin!r} both bring {name!r} ({hook}).", "Uninstall one of them."
                    )
                found[name] = (thing, plugin)
        return found

    def adds(self, name: str) -> list[str]:
        """What a plugin adds: hook by hook, the names of its things."""
        found = []
        for hook in HOOKS:
            for implementation in getattr(self.manager.hook, hook).get_hookimpls():
                if implementation.plugin_name == name:
                    found += [f"{hook.removeprefix('promptlab_')}: {thing.name}" for thing in guarded(name, hook, implementation.function)]
        return found

    def first(self, things: Mapping[str, tuple[T, str]], wanted: Callable[[T], bool]) -> tuple[T, str] | None:
        """The first thing that says yes, and its plugin; one that fails is noted and passed over."""
        for thing, plugin in things.values():
            try:
                if wanted(thing):
                    return thing, plugin
            except Exception as error:  # a plugin's answer can be any fault
                self._note(Noted(f"The plugin {plugin!r} failed: {type(error).__name__}: {error}. It is passed over."))
        return None

    def announce(self, event: Event, run: str) -> None:
        """Tell every listening plugin, one by one; one that raises silences no other."""
        for implementation in self.manager.hook.promptlab_event.get_hookimpls():
            try:
                implementation.function(event=event, run=run)
            except Exception as error:  # a plugin's listener can raise anything
                self._note(Noted(f"The plugin {implementation.plugin_name!r} failed in promptlab_event: {type(error).__name__}: {error}."))
