"""What the shell offers after TAB: files, and names that can be had without importing torch."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

Names = Callable[[click.Context], Iterable[str]]

# Written down, since asking for them takes a second; a test keeps them in step.
RULES = (
    *("accuracy", "cmm", "cmm-class", "cmm-top", "confidence", "predicted-sim", "similarity", "recall", "loglik", "ap", "caption-match"),
    *("f1", "entropy", "hit@5", "cmm/worst-k", "accuracy/zeros"),
)
WAYS = ("uniform", "cpe", "zpe", "carprt", "shrunk", "forward", "top-3")


class Offered(click.types.StringParamType):
    """Words as they are typed, of which the shell offers some."""

    def __init__(self, name: str, names: Names = lambda context: (), kind: str = "") -> None:
        self.name = name
        self._names = names
        self._kind = kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The names that begin as typed, and files where those may be meant. A fault offers nothing: TAB must not print errors."""
        from promptlab.errors import PromptlabError

        try:
            found = [CompletionItem(name) for name in self._names(ctx) if name.startswith(incomplete)]
        except (PromptlabError, OSError):
            found = []
        return [*found, CompletionItem(incomplete, type=self._kind)] if self._kind else found


def _given(context: click.Context, name: str) -> dict[str, Any]:
    """What was said of a setting so far, here or before the verb."""
    at: click.Context | None = context
    while at is not None:
        if at.params.get(name):
            return {name: at.params[name]}
        at = at.parent
    return {}


def _runs(context: click.Context) -> list[str]:
    from promptlab import runs
    from promptlab.config import Settings

    return ["latest", *(run.name for run in runs.all_runs(Path(Settings.load(_given(context, "runs")).runs)))]


def _classes(context: click.Context) -> list[str]:
    """The classes of the run that is meant, read off what it has kept: opening its data may take long."""
    import json

    from promptlab import runs
    from promptlab.config import Settings

    run = runs.find(Path(Settings.load(_given(context, "runs")).runs), _given(context, "run_name").get("run_name", ""), runs.CLASSIFY)
    return [str(row["class"]) for row in json.loads((run.path / "classes.json").read_text("utf-8"))]


def _families(context: click.Context) -> list[str]:
    """The templates of the run that is meant."""
    from promptlab import runs
    from promptlab.config import Settings
    from promptlab.lab import Lab

    root = Path(Settings.load(_given(context, "runs")).runs)
    return Lab.families(runs.find(root, _given(context, "run_name").get("run_name", ""), runs.CLASSIFY))


def _datasets(context: click.Context) -> list[str]:
    from promptlab.lab import Lab

    return Lab().named_datasets()


def _models(context: click.Context) -> list[str]:
    from promptlab.lab import Lab

    return list(Lab().models)


def _plugins(context: click.Context) -> list[str]:
    from promptlab.lab import Lab

    return [str(one["name"]) for one in Lab().plugin_list()]


def _templates(context: click.Context) -> list[str]:
    from promptlab.lab import Lab

    return [found.name for found in Lab.templates()]


def _packs(context: click.Context) -> list[str]:
    from promptlab.lab import Lab

    return [found.name for found in Lab.questions()]


FILES = Offered("file", kind="file")
FOLDERS = Offered("folder", kind="dir")
DATA = Offered("data", _datasets, kind="file")
MODELS = Offered("model", _models, kind="file")
TEMPLATES = Offered("set|file", _templates, kind="file")
PACKS = Offered("pack|file", _packs, kind="file")
PLUGINS = Offered("plugin", _plugins)
RUNS = Offered("run", _runs)
RUNS_OR_FILES = Offered("run|file", _runs, kind="file")
CLASSES = Offered("class", _classes)
FAMILIES = Offered("template", _families)
RULE = Offered("rule", lambda context: RULES)
WAY = Offered("way", lambda context: (*WAYS, *RULES))
