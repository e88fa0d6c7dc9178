"""Load plugins, collect what they add, tell them events.

A fresh manager for each `Lab`, no module global. Collecting walks the implementations one by one, so that a failure names plugin and hook.
What was found by sweep and fails is told once and left out; what was asked for by name fails loudly.
"""

import importlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from enum import StrEnum
from functools import partial
from importlib.metadata import version
from typing import Any, NamedTuple, Self, TypeVar

import pluggy

from promptlab import hookspecs
from promptlab.errors import PluginError, PromptlabError, UsageError, unknown_name
from promptlab.events import Event, Noted
from promptlab.plugins.calls import CallError, call, told
from promptlab.plugins.checks import EVERY_HOOK, HOOKS, check_module, check_thing, listed
from promptlab.plugins.sources import GROUP, Source, in_folder, installed, twice

T = TypeVar("T")
SLOW = 1.0  # seconds: what takes longer is told, so that nobody wonders
BUILT_IN = "promptlab"
ALL = "all"


class State(StrEnum):
    """How a plugin is: whole, with something of it left out, not there at all, or not wanted."""

    WORKS = "works"
    FAULTY = "faulty"
    FAILED = "failed"
    DISABLED = "disabled"


class Brought(NamedTuple):
    """A thing that a plugin added."""

    thing: Any
    plugin: str
    version: str
    built_in: bool = False  # whether it is promptlab's own

    @property
    def by(self) -> str:
        """The plugin and its version, as score rows keep it."""
        return f"{self.plugin} {self.version}"


class Plugins:
    """The plugins of one lab.

    note: who is told what is wrong. only: names of the installed plugins to load, or of their packages; `all` is all. disabled: those to
    leave out. folders: folders of plugins. strict: a fault raises PluginError instead of being told. Raises UsageError for names that no
    plugin has, PluginError where one that was asked for by name cannot be loaded.
    """

    def __init__(
        self,
        note: Callable[[Event], None],
        only: Sequence[str] = (ALL,),
        disabled: Sequence[str] = (),
        folders: Sequence[str] = (),
        strict: bool = False,
    ) -> None:
        self._note, self._strict = note, strict
        self.manager = pluggy.PluginManager(GROUP)
        self.manager.add_hookspecs(hookspecs)
        self._own: dict[str, str] = {}  # modules of ours that are registered, with promptlab's version
        self._brought: dict[tuple[str, str], list[Brought]] = {}  # what each hook of a plugin gave: each is called once
        self.told: list[str] = []  # every fault, in a sentence
        self.faults: dict[str, list[str]] = defaultdict(list)
        self.seconds: dict[str, float] = defaultdict(float)
        self.contested: dict[tuple[str, str], list[str]] = {}  # {(hook, name): the plugins that bring it}
        self.loaded: dict[str, Source] = {}
        self.sources = [*installed(), *(source for folder in folders for source in in_folder(folder))]
        names = [name for source in self.sources for name in (source.name, source.package) if name]
        for name in (*disabled, *only):
            if name not in ("", ALL, *names):
                raise unknown_name("plugin", name, names)
        self._named = {source.name for source in self.sources if {source.name, source.package} & {*only}}
        edited = {source.name for source in self.sources if not source.package}  # installed, too, it is taken from the folder
        self.wanted = [
            source
            for source in self.sources
            if not {source.name, source.package} & {*disabled}
            and (not source.package or (source.module not in edited and (ALL in only or source.name in self._named)))
        ]
        clashes = twice(self.wanted)
        for source in self.wanted:
            if source.name in clashes:
                self._fault(source.name, "loading", f"{clashes[source.name]}; neither is loaded")
            else:
                self._load(source)

    def heard_by(self, note: Callable[[Event], None]) -> Self:
        """The same plugins, with somebody else who is told."""
        other = copy(self)
        other._note = note
        return other

    @property
    def versions(self) -> dict[str, str]:
        """{plugin: version} of those that are loaded."""
        return {name: source.version for name, source in self.loaded.items()}

    def _load(self, source: Source) -> None:
        """Import and register a plugin; a fault is told, or raised if the plugin was asked for by name."""
        try:
            if source.name == BUILT_IN:
                raise UsageError(f"{BUILT_IN!r} is promptlab's own name.", "Call it something else.")
            with self._timed(source.name, "loading"):
                module = call(source.load)
            call(partial(check_module, module))
            self.manager.register(module, source.name)
            self.manager.check_pending()
            if not self.manager.get_hookcallers(module):
                raise PluginError(
                    f"it implements no hook; there are: {', '.join(EVERY_HOOK)}.", "What is no plugin has a name that begins with _."
                )
            self.loaded[source.name] = source
        except (CallError, PromptlabError, pluggy.PluginValidationError, ValueError) as error:  # the last: a module that is there already
            if self.manager.has_plugin(source.name):
                self.manager.unregister(name=source.name)
            self._fault(source, "loading", str(error) if isinstance(error, CallError) else told(error))

    @contextmanager
    def _timed(self, plugin: str, doing: str) -> Iterator[None]:
        """Counts the seconds of a plugin's work, and tells when they become many."""
        start = time.perf_counter()
        try:
            yield
        finally:
            before, self.seconds[plugin] = self.seconds[plugin], self.seconds[plugin] + time.perf_counter() - start
            if before <= SLOW < self.seconds[plugin]:
                self._note(Noted(f"The plugin {plugin!r} is slow: {self.seconds[plugin]:.1f} s until {doing} was done.", "info"))

    def _fault(self, plugin: Source | str, doing: str, what: str) -> None:
        """Tell a fault once, or raise it."""
        source = plugin if isinstance(plugin, Source) else self.loaded.get(plugin)
        name, called = (source.name, source.called) if source else (str(plugin), repr(plugin))
        what = " ".join(what.split()).rstrip(".")
        text = f"The plugin {called} failed in {doing}: {what}."
        if self._strict or name in self._named:
            raise PluginError(text, f"Go on without it: --disable-plugin {name}.")
        if text not in self.told:
            self.told.append(text)
            self.faults[name].append(f"{doing}: {what}")
            self._note(Noted(f"{text} Everything else works."))

    def attempt(self, plugin: str, doing: str, work: Callable[[], T]) -> T | None:
        """What a plugin's work gives back; None where it failed, which is told."""
        try:
            with self._timed(plugin, doing):
                return call(work)
        except CallError as fault:
            self._fault(plugin, doing, str(fault))
        except PromptlabError as error:
            self._fault(plugin, doing, told(error))
        return None

    def collect(self, hook: str, built_in: Sequence[str] = ()) -> dict[str, Brought]:
        """{name: what a plugin added under it} from every implementation of a hook. `built_in`: the modules of ours that implement it,
        imported now. What fails, is nonsense, or has the name of another thing is told and left out; of two plugins' things of one name
        both are, and promptlab's own stay.
        """
        for module in built_in:
            own = f"{BUILT_IN}: {module}"  # no plugin is called so
            if own not in self._own:
                self._own[own] = version("promptlab-clip")
                self.manager.register(importlib.import_module(module), own)
        found: dict[str, list[Brought]] = defaultdict(list)
        implementations = getattr(self.manager.hook, hook).get_hookimpls()
        for implementation in sorted(implementations, key=lambda one: one.plugin_name in self._own):
            for brought in self._things(hook, implementation):
                found[brought.thing.name].append(brought)
        chosen = {name: self._chosen(hook, name, things) for name, things in found.items()}
        return {name: one for name, one in chosen.items() if one is not None}

    def _things(self, hook: str, implementation: Any) -> list[Brought]:
        """What one plugin adds, as far as it can be used."""
        plugin, key = implementation.plugin_name, (implementation.plugin_name, hook)
        if key not in self._brought:
            if plugin in self._own:
                self._brought[key] = [Brought(thing, BUILT_IN, self._own[plugin], True) for thing in implementation.function()]
            else:
                given = self.attempt(plugin, hook, lambda: listed(implementation.function())) or []
                sound = [thing for thing in given if self.attempt(plugin, hook, partial(check_thing, hook, thing))]
                self._brought[key] = [Brought(thing, plugin, self.loaded[plugin].version) for thing in sound]
        return self._brought[key]

    def _chosen(self, hook: str, name: str, things: Sequence[Brought]) -> Brought | None:
        """The thing that has a name: the only one, else promptlab's own, else none. What is in its way is told."""
        if len(things) == 1:
            return things[0]
        own = next((one for one in things if one.built_in), None)
        self.contested[hook, name] = sorted({one.plugin for one in things})
        left = f"promptlab's own {name!r} stays" if own else f"neither {name!r} can be used"
        for plugin in sorted({one.plugin for one in things if not one.built_in}):
            others = " and ".join(sorted({repr(one.plugin) for one in things if one.plugin != plugin}))
            also = f", and so does {others}" if others else " twice"
            self._fault(plugin, hook, f"it brings {name!r}{also}; {left}. Rename it, or disable one")
        return own

    def missing(self, hook: str, kind: str, name: str, known: Iterable[str]) -> PromptlabError:
        """The error for a name under which nothing can be had: PluginError where several plugins bring it, else UsageError."""
        several = self.contested.get((hook, name))
        if several is None:
            return unknown_name(kind, name, known)
        ways = " or ".join(f"--disable-plugin {plugin}" for plugin in several)
        return PluginError(f"The plugins {' and '.join(map(repr, several))} both bring a {kind} named {name!r}.", f"Leave one out: {ways}.")

    def adds(self, plugin: str) -> dict[str, list[str]]:
        """{hook: names of the things} that a plugin adds; nothing of promptlab's own is imported for it."""
        found = {hook: [name for name, one in self.collect(hook).items() if one.plugin == plugin] for hook in HOOKS}
        listens = any(one.plugin_name == plugin for one in self.manager.hook.promptlab_event.get_hookimpls())
        return {hook: names for hook, names in found.items() if names} | ({"promptlab_event": []} if listens else {})

    def state(self, source: Source) -> State:
        """How a plugin is, as far as it was asked for anything."""
        if source not in self.wanted:
            return State.DISABLED
        if self.loaded.get(source.name) is not source:
            return State.FAILED
        return State.FAULTY if self.faults[source.name] else State.WORKS

    def first(self, things: Mapping[str, Brought], wanted: Callable[[Any], bool]) -> Brought | None:
        """The first thing that says yes; one that fails is told and passed over."""
        return next((one for one in things.values() if self.attempt(one.plugin, "claims", partial(_agrees, wanted, one.thing))), None)

    def announce(self, event: Event, run: str) -> None:
        """Tell every listening plugin, one by one; one that raises silences no other."""
        for implementation in self.manager.hook.promptlab_event.get_hookimpls():
            given = {name: {"event": event, "run": run}[name] for name in implementation.argnames}
            self.attempt(implementation.plugin_name, "promptlab_event", partial(implementation.function, **given))


def _agrees(wanted: Callable[[Any], Any], thing: Any) -> bool:
    return bool(wanted(thing))
