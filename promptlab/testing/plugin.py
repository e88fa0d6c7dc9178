"""Whether a module is a plugin: its hooks are marked and known, and give what can be used."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from promptlab.errors import PluginError
from promptlab.events import Answered, Event, Finished, Noted, Progressed, Saved, Started, ignore
from promptlab.plugins import Plugins, Source
from promptlab.testing.found import Found, check_given

T = TypeVar("T")
LISTENER = "promptlab_event"
# Where promptlab's own things are, whose names are taken.
OURS = {
    "promptlab_datasets": ("promptlab.data",),
    "promptlab_rules": ("promptlab.score.rules",),
    "promptlab_analyses": ("promptlab.analysis",),
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
    things = {hook: plugins.collect(hook, OURS.get(hook, ())) for hook in sorted(hooks - {LISTENER})}
    adds = {hook: [name for name, one in those.items() if not one.built_in] for hook, those in things.items()}
    if LISTENER in hooks:
        adds[LISTENER] = []
        plugins.tell_events()
    for fault in plugins.faults[module.__name__]:
        found.add(f"{fault}.")
    found.tell()
    return adds


class _Alone(Plugins):
    """One module, and no other plugin."""

    def __init__(self, module: ModuleType, found: Found) -> None:
        super().__init__(ignore, only=())
        self._found = found
        source = Source(module.__name__, "", "", module.__name__, "", lambda: module)
        self.sources, self.wanted = [source], [source]
        self._load(source)

    def attempt(self, plugin: str, doing: str, work: Callable[[], T]) -> T | None:
        """As ever, but the first exception is kept, so that the check is raised from it."""

        def kept() -> T:
            try:
                return work()
            except Exception as error:  # a plugin can raise anything
                if not isinstance(error, PluginError):  # that one is a check's own
                    self._found.cause = self._found.cause or error
                raise

        return super().attempt(plugin, doing, kept)

    def tell_events(self) -> None:
        """Tell a listener one event of each kind, until it fails."""
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder, "runs", "run")
            run.mkdir(parents=True)
            for event in EVENTS:
                if not self.told:
                    self.announce(event, str(run))
