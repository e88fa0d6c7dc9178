"""promptlab: find the classes a CLIP model fails, build a better classifier from prompts, and say honestly how much better it is.

Public names are resolved when they are first used: importing promptlab imports neither torch nor open_clip.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptlab.config import Settings
    from promptlab.encode.pictures import read_rgb
    from promptlab.errors import DataError, PromptlabError
    from promptlab.events import Answered, Cancelled, Event, Finished, Listener, Noted, Progressed, Saved, Started
    from promptlab.hookspecs import hookimpl
    from promptlab.lab import Lab
    from promptlab.protocols import (
        Analysis,
        ChatAlias,
        Contest,
        DataOptions,
        DatasetSource,
        Encoder,
        Endpoint,
        Judged,
        ModelAlias,
        Rule,
        State,
        Unit,
    )
    from promptlab.types import Classes, Classifier, Dataset, Features, Finding, Images, unit

_PLACES = {
    "Lab": "lab",
    "Settings": "config",
    "DataError": "errors",
    "PromptlabError": "errors",
    **dict.fromkeys(("Answered", "Cancelled", "Event", "Finished", "Listener", "Noted", "Progressed", "Saved", "Started"), "events"),
    "hookimpl": "hookspecs",
    "read_rgb": "encode.pictures",
    "Analysis": "protocols",
    "ChatAlias": "protocols",
    "Contest": "protocols",
    "DataOptions": "protocols",
    "DatasetSource": "protocols",
    "Encoder": "protocols",
    "Endpoint": "protocols",
    "Judged": "protocols",
    "ModelAlias": "protocols",
    "Rule": "protocols",
    "State": "protocols",
    "Unit": "protocols",
    "Classes": "types",
    "Classifier": "types",
    "Dataset": "types",
    "Features": "types",
    "Finding": "types",
    "Images": "types",
    "unit": "types",
}

__all__ = [
    "Analysis",
    "Answered",
    "Cancelled",
    "ChatAlias",
    "Classes",
    "Classifier",
    "Contest",
    "DataError",
    "DataOptions",
    "Dataset",
    "DatasetSource",
    "Encoder",
    "Endpoint",
    "Event",
    "Features",
    "Finding",
    "Finished",
    "Images",
    "Judged",
    "Lab",
    "Listener",
    "ModelAlias",
    "Noted",
    "Progressed",
    "PromptlabError",
    "Rule",
    "Saved",
    "Settings",
    "Started",
    "State",
    "Unit",
    "hookimpl",
    "read_rgb",
    "unit",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'promptlab' has no attribute {name!r}")
    return getattr(import_module(f"promptlab.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
