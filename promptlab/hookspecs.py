"""The hooks: what a plugin may add to promptlab. Their docstrings are the manual.

A plugin is a module (or any object) with functions of these names, marked with `promptlab.hookimpl`, and an entry point in the
group `promptlab`. Built-ins go through the same hooks.
"""

from collections.abc import Iterable

import pluggy

from promptlab.events import Event
from promptlab.protocols import ChatAlias, DatasetSource, ModelAlias, Rule

hookspec = pluggy.HookspecMarker("promptlab")
hookimpl = pluggy.HookimplMarker("promptlab")


@hookspec
def promptlab_datasets() -> Iterable[DatasetSource]:  # type: ignore[empty-body]
    """Sources of data. Each has `name`, `about`, `example`, `claims(where)` and `open(where, options)`."""


@hookspec
def promptlab_rules() -> Iterable[Rule]:  # type: ignore[empty-body]
    """Scoring rules. `Rule(name="cmm", per_image=lambda contest: contest.true - contest.rival)` is a whole one."""


@hookspec
def promptlab_encoders() -> Iterable[ModelAlias]:  # type: ignore[empty-body]
    """Short names for open_clip models, e.g. `ModelAlias("mini", "local-dir:/where/it/lies", "a small model")`."""


@hookspec
def promptlab_chats() -> Iterable[ChatAlias]:  # type: ignore[empty-body]
    """Short names for language models: `ChatAlias("mine", open, "a server of ours")`, where `open(rest)` is a context manager that gives an
    `Endpoint`. promptlab asks, checks, pays attention to limits and keeps the replies; a plugin only says where."""


@hookspec
def promptlab_event(event: Event, run: str) -> None:
    """Told every event of long work. `run` is the run folder, empty outside of one. What it raises is noted and ignored."""
