"""Build a plugin manager, collect what plugins add, announce events.

A fresh manager for each `Lab`, no module global. Collecting walks the implementations one by one, so that a failure names plugin and hook,
and two things with one name are an error that names both plugins.
"""

import importlib
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import Any

import pluggy

from promptlab import hookspecs
from promptlab.errors import PluginError
from promptlab.events import Event, Noted

GROUP = "promptlab"


class Plugins:
    """The plugins of one lab. `third_party`: load entry points, too."""

    def __init__(self, note: Callable[[Event], None], third_party: bool = True) -> None:
        self._note = note
        self.manager = pluggy.PluginManager(GROUP)
        self.manager.add_hookspecs(hookspecs)
        self._loaded: set[str] = set()
        if third_party:
            for entry in entry_points(group=GROUP):
                self._load(entry.name, entry.load)

    def _load(self, name: str, load: Callable[[], Any]) -> None:
        try:
            self.manager.register(load(), name)
        except Exception as error:  # a plugin's import can raise anything
            self._note(Noted(f"The plugin {name!r} could not be loaded: {type(error).__name__}: {error}. Everything else works."))

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

    def announce(self, event: Event, run: str) -> None:
        """Tell every listening plugin, one by one; one that raises silences no other."""
        for implementation in self.manager.hook.promptlab_event.get_hookimpls():
            try:
                implementation.function(event=event, run=run)
            except Exception as error:  # a plugin's listener can raise anything
                self._note(Noted(f"The plugin {implementation.plugin_name!r} failed in promptlab_event: {type(error).__name__}: {error}."))
