"""Load plugins, collect what they add, tell them events.

A fresh manager for each `Lab`, no module global. Collecting walks the implementations one by one, so that a failure names plugin and hook.
What was found by sweep and fails is told once and left out; what was asked for by name fails loudly.
"""

import importlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from enum import StrEnum
from functools import partial
from importlib.metadata import version
from typing import Any, NamedTuple, Self, TypeVar

import pluggy

from promptlab import hookspecs
from promptlab.errors import PluginError, PromptlabError, unknown_name
from promptlab.events import Event, Noted
from promptlab.plugins.sources import GROUP, Source, in_folder, installed, twice
from promptlab.protocols import Analysis, ChatAlias, ModelAlias, Rule

T = TypeVar("T")
SLOW = 1.0  # seconds: what takes longer is told, so that nobody wonders
BUILT_IN = "promptlab"
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

    @property
    def by(self) -> str:
        """The plugin and its version, as score rows keep it."""
        return f"{self.plugin} {self.version}"

    @property
    def built_in(self) -> bool:
        """Whether it is promptlab's own."""
        return self.plugin == BUILT_IN


class Plugins:
    """The plugins of one lab.

    note: who is told what is wrong. only: names of the installed plugins to load; None for all. disabled: names of plugins, or of their
    packages, to leave out. folder: a folder of plugins; empty for none. strict: a fault raises PluginError instead of being told. Raises
    UsageError for names that no plugin has, PluginError where one that was asked for by name cannot be loaded.
    """

    def __init__(
        self,
        note: Callable[[Event], None],
        only: Sequence[str] | None = None,
        disabled: Sequence[str] = (),
        folder: str = "",
        strict: bool = False,
    ) -> None:
        self._note, self._strict = note, strict
        self.manager = pluggy.PluginManager(GROUP)
        self.manager.add_hookspecs(hookspecs)
        self._own: dict[str, str] = {}  # modules of ours that are registered
        self.told: list[str] = []  # every fault, in a sentence
        self.seconds: dict[str, float] = defaultdict(float)
        self.faults: dict[str, list[str]] = defaultdict(list)
        self.sources = [*installed(), *(in_folder(folder) if folder else ())]
        names = [name for source in self.sources for name in (source.name, source.package) if name]
        for name in (*disabled, *(only or ())):
            if name and name not in names:
                raise unknown_name("plugin", name, names)
        out = set(disabled)
        named = {*(only or ())}
        self.wanted = [s for s in self.sources if not {s.name, s.package} & out and (only is None or s.name in named or not s.package)]
        clashes = twice(self.wanted)
        for source in self.wanted:
            if source.name in clashes:
                self._fault(source.name, "loading", f"{clashes[source.name]}; neither is loaded", loud=source.name in named)
            else:
                self._load(source, loud=source.name in named)

    def heard_by(self, note: Callable[[Event], None]) -> Self:
        """The same plugins, with somebody else who is told."""
        other = copy(self)
        other._note = note
        return other

    def _load(self, source: Source, loud: bool) -> None:
        """Import and register a plugin; a fault is told, or raised if the plugin was asked for by name."""
        try:
            with self._timed(source.name, "loading"):
                module = source.load()
            _check_version(module)
            _check_marks(module)
            self.manager.register(module, source.name)
            self.manager.check_pending()
            if not self.manager.get_hookcallers(module):
                raise PluginError(f"it implements no hook; there are: {', '.join(EVERY_HOOK)}")
        except (Exception, SystemExit) as error:  # a plugin's import can raise anything
            if self.manager.has_plugin(source.name):
                self.manager.unregister(name=source.name)
            self._fault(source.name, "loading", _told(error), loud)

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

    def _fault(self, plugin: str, doing: str, what: str, loud: bool = False) -> None:
        """Tell a fault once, or raise it."""
        called = next((source.called for source in self.sources if source.name == plugin), repr(plugin))
        what = " ".join(what.split())
        text = f"The plugin {called} failed in {doing}: {what.rstrip('.')}."
        if self._strict or loud:
            raise PluginError(text, f"Go on without it: --disable-plugin {plugin}.")
        if text not in self.told:
            self.told.append(text)
            self.faults[plugin].append(f"{doing}: {what}")
            self._note(Noted(f"{text} Everything else works."))

    def collect(self, hook: str, built_in: Sequence[str] = ()) -> dict[str, Brought]:
        """{name: what a plugin added under it} from every implementation of a hook. `built_in`: the modules of ours that implement it,
        imported now. What fails, is nonsense, or has the name of another thing is told and left out; of two plugins' things of one name
        both are, and promptlab's own stay.
        """
        for module in built_in:
            if module not in self._own:
                self._own[module] = version("promptlab-clip")
                self.manager.register(importlib.import_module(module), module)
        found: dict[str, list[Brought]] = defaultdict(list)
        implementations = getattr(self.manager.hook, hook).get_hookimpls()
        for implementation in sorted(implementations, key=lambda one: one.plugin_name in self._own):
            for thing in self._things(hook, implementation):
                found[thing.thing.name].append(thing)
        return {name: things[0] for name, things in found.items() if self._is_alone(hook, name, things)}

    def _things(self, hook: str, implementation: Any) -> Iterator[Brought]:
        """What one plugin adds, as far as it can be used."""
        plugin = implementation.plugin_name
        if plugin in self._own:
            yield from (Brought(thing, BUILT_IN, self._own[plugin]) for thing in implementation.function())
            return
        for thing in self.attempt(plugin, hook, lambda: list(implementation.function())) or ():
            wrong = _nonsense(hook, thing)
            if wrong:
                self._fault(plugin, hook, wrong)
            else:
                yield Brought(thing, plugin, next(s.version for s in self.sources if s.name == plugin))

    def _is_alone(self, hook: str, name: str, things: list[Brought]) -> bool:
        """Whether the first thing of a name may have it. What is in its way is told."""
        if len(things) > 1:
            ours = [one for one in things if one.built_in]
            for one in things:
                if one.built_in:
                    continue
                others = " and ".join(sorted(repr(other.plugin) for other in things if other is not one))
                left = f"promptlab's own {name!r} stays" if ours else f"neither {name!r} can be used"
                self._fault(one.plugin, hook, f"it brings {name!r}, and so does {others}; {left}")
            if ours:
                things[0] = ours[0]
            return bool(ours)
        return True

    def adds(self, plugin: str) -> dict[str, list[str]]:
        """{hook: names of the things} that a plugin adds; nothing of promptlab's own is imported for it."""
        found = {hook: [name for name, one in self.collect(hook).items() if one.plugin == plugin] for hook in HOOKS}
        listens = any(one.plugin_name == plugin for one in self.manager.hook.promptlab_event.get_hookimpls())
        return {hook: names for hook, names in found.items() if names} | ({"promptlab_event": []} if listens else {})

    @property
    def versions(self) -> dict[str, str]:
        """{plugin: version} of those that are loaded."""
        return {source.name: source.version for source in self.wanted if self.loaded(source)}

    def loaded(self, source: Source) -> bool:
        """Whether its functions are asked."""
        return source in self.wanted and self.manager.has_plugin(source.name)

    def state(self, source: Source) -> State:
        """How a plugin is, as far as it was asked for anything."""
        if source not in self.wanted:
            return State.DISABLED
        if not self.loaded(source):
            return State.FAILED
        return State.FAULTY if self.faults[source.name] else State.WORKS

    def attempt(self, plugin: str, doing: str, work: Callable[[], T]) -> T | None:
        """What a plugin's work gives back; None where it failed, which is told."""
        try:
            with self._timed(plugin, doing):
                return work()
        except (Exception, SystemExit) as error:  # a plugin's work can raise anything
            self._fault(plugin, doing, _told(error))
            return None

    def first(self, things: Mapping[str, Brought], wanted: Callable[[Any], bool]) -> Brought | None:
        """The first thing that says yes; one that fails is told and passed over."""
        for one in things.values():
            if self.attempt(one.plugin, "claims", partial(wanted, one.thing)):
                return one
        return None

    def announce(self, event: Event, run: str) -> None:
        """Tell every listening plugin, one by one; one that raises silences no other."""
        for implementation in self.manager.hook.promptlab_event.get_hookimpls():
            told = {name: {"event": event, "run": run}[name] for name in implementation.argnames}
            self.attempt(implementation.plugin_name, "promptlab_event", partial(implementation.function, **told))


def _told(error: BaseException) -> str:
    """A fault in a line: errors of promptlab speak for themselves."""
    return f"{error.message} {error.hint}".strip() if isinstance(error, PromptlabError) else f"{type(error).__name__}: {error}"


def _check_version(module: Any) -> None:
    """Raises PluginError for a plugin that was written for other hooks than these."""
    said = getattr(module, "promptlab_api", hookspecs.API)
    if str(said) != str(hookspecs.API):
        raise PluginError(f"it was written for version {said} of the plugin API, and this promptlab has version {hookspecs.API}")


def _check_marks(module: Any) -> None:
    """Raises PluginError for functions that look like hooks and are none, which pluggy would pass over in silence."""
    for name in dir(module):
        if not name.startswith(f"{GROUP}_") or not callable(getattr(module, name)):
            continue
        if name not in EVERY_HOOK:
            raise unknown_name("hook", name, EVERY_HOOK)
        if not hasattr(getattr(module, name), f"{GROUP}_impl"):
            raise PluginError(f"{name} is not marked; write @hookimpl above it")


def _nonsense(hook: str, thing: Any) -> str:
    """What is wrong with a thing that a plugin gave; empty when it can be used."""
    kind = KINDS.get(hook)
    if kind is not None and not isinstance(thing, kind):
        return f"it gave an object of type {type(thing).__name__}; one of type {kind.__name__} was expected"
    missing = [name for name in SOURCE_HAS if not hasattr(thing, name)] if kind is None else []
    if missing:
        return f"it gave an object of type {type(thing).__name__} without `{missing[0]}`; a source of data has {', '.join(SOURCE_HAS)}"
    name = thing.name
    if not isinstance(name, str) or not name or not name.isprintable() or name != name.strip():
        return f"its {type(thing).__name__} is named {name!r}; a word was expected"
    return ""
