"""Whether a module is a plugin: its hooks are marked and known, and give what can be used."""

import tempfile
from pathlib import Path
from types import ModuleType

from promptlab.events import Answered, Event, Finished, Noted, Progressed, Saved, Started, ignore
from promptlab.plugins import Plugins, Source
from promptlab.testing.found import Found, check_given

# Where promptlab's own things of each kind are, whose names are taken.
OURS: dict[str, tuple[str, ...]] = {
    "promptlab_datasets": ("promptlab.data",),
    "promptlab_rules": ("promptlab.score.rules",),
    "promptlab_analyses": ("promptlab.analysis",),
    "promptlab_encoders": (),
    "promptlab_chats": (),
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
    plugins = Plugins(ignore, sources=[Source(module.__name__, "", "", module.__name__, "", lambda: module)])
    hooks = {caller.name for caller in plugins.manager.get_hookcallers(module) or ()}
    adds: dict[str, list[str]] = {}
    for hook in sorted(hooks & set(OURS)):
        ours = [one for one in plugins.collect(hook, OURS[hook]).values() if not one.built_in]
        adds[hook] = [one.thing.name for one in ours]
    if "promptlab_event" in hooks:
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder, "runs", "run")
            run.mkdir(parents=True)
            for event in EVENTS:
                plugins.announce(event, str(run))
        adds["promptlab_event"] = []
    for fault in plugins.faults[module.__name__]:
        found.add(f"{fault}.")
    found.tell()
    return adds
