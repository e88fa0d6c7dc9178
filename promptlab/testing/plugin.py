"""Whether a module is a plugin: its hooks are marked and known, and give what can be used."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from promptlab.events import Answered, Event, Finished, Noted, Progressed, Saved, Started, ignore
from promptlab.plugins import Plugins, Source
from promptlab.protocols import Analysis, ChatAlias, DatasetSource, ModelAlias, Rule
from promptlab.testing.found import Found, check_given

T = TypeVar("T")
# Of each hook what it lists, and where promptlab's own things of that kind are, whose names are taken.
LISTS: dict[str, tuple[type, tuple[str, ...]]] = {
    "promptlab_datasets": (DatasetSource, ("promptlab.data",)),
    "promptlab_rules": (Rule, ("promptlab.score.rules",)),
    "promptlab_analyses": (Analysis, ("promptlab.analysis",)),
    "promptlab_encoders": (ModelAlias, ()),
    "promptlab_chats": (ChatAlias, ()),
}
EVENTS: tuple[Event, ...] = (
    Started("encode pictures", None, "pictures"),
    Progressed("encode pictures", 0),
    Finished("encode pictures", 0),
    Noted("Something that a person should know."),
    Answered("barn", "", "it timed out", False),
    Saved("report", "report.html"),
)


def check_plugin(module: ModuleType) -> dict[str, list[str]]:
    """{hook: names of what the module adds to it}, read in the way in which plugins are loaded. Raises AssertionError that lists every
    fault: hooks that are not marked, not known, or take other arguments than theirs; lists that are none, or hold something else, or a
    class instead of an instance; names that are none or taken; a listener that raises.

    What it adds is not tried: `check_dataset`, `check_rule`, `check_analysis` and `check_encoder` do that.
    """
    __tracebackhide__ = True  # pytest shows the line of the test instead
    check_given("check_plugin", module, ModuleType, "a module was expected: import it, and give that")
    found = Found("check_plugin", f"the plugin {module.__name__!r}")
    plugins = _Alone(module, found)
    hooks = {caller.name for caller in plugins.manager.get_hookcallers(module) or ()}
    adds: dict[str, list[str]] = {}
    for hook in sorted(hooks & set(LISTS)):
        ours = [one for one in plugins.collect(hook, LISTS[hook][1]).values() if not one.built_in]
        for one in ours:
            if isinstance(one.thing, type):
                found.add(f"{hook}() gave the class {one.thing.__name__}; an instance was expected: {one.thing.__name__}().")
        adds[hook] = [one.thing.name for one in ours]
    if "promptlab_event" in hooks:
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder, "runs", "run")
            run.mkdir(parents=True)
            for event in EVENTS:
                plugins.announce(event, str(run))
        adds["promptlab_event"] = []
    for fault in plugins.faults[module.__name__]:
        found.add(f"{fault.rstrip('.')}.")
    found.tell()
    return adds


class _Alone(Plugins):
    """One module, and no other plugin."""

    def __init__(self, module: ModuleType, found: Found) -> None:
        super().__init__(ignore, only=())
        self._found = found
        source = Source(module.__name__, "", "", module.__name__, "", lambda: module)
        self.sources, self.wanted = [source], [source]
        self._load(source, loud=False)

    def attempt(self, plugin: str, doing: str, work: Callable[[], T]) -> T | None:
        """As ever, but what is raised is kept whole, with the line where it was."""
        made: list[T] = []
        wanted = "it is told every event, so it asks first which one it is: isinstance(event, promptlab.Saved)."
        if doing in LISTS:
            wanted = f"a list of things of type {LISTS[doing][0].__name__} was expected."
        with self._found.during(f"{doing}()", wanted, doing):
            made.append(work())
        return made[0] if made else None
