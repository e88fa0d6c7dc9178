"""promptlab: find the classes a CLIP model fails, build a better classifier from prompts, and say honestly how much better it is.

Public names are resolved when they are first used: importing promptlab imports neither torch nor open_clip.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptlab.config import Settings
    from promptlab.encode.pictures import read_rgb
    from promptlab.errors import DataError, PromptlabError
    from promptlab.hookspecs import hookimpl
    from promptlab.lab import Lab
    from promptlab.protocols import Analysis, ChatAlias, DataOptions, DatasetSource, Encoder, Endpoint, Judged, ModelAlias, Rule, Unit
    from promptlab.types import Classes, Classifier, Dataset, Features, Finding, Images, unit

_PLACES = {
    "Lab": "lab",
    "Settings": "config",
    "DataError": "errors",
    "PromptlabError": "errors",
    "hookimpl": "hookspecs",
    "read_rgb": "encode.pictures",
    "Analysis": "protocols",
    "ChatAlias": "protocols",
    "DataOptions": "protocols",
    "DatasetSource": "protocols",
    "Encoder": "protocols",
    "Endpoint": "protocols",
    "Judged": "protocols",
    "ModelAlias": "protocols",
    "Rule": "protocols",
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
    "ChatAlias",
    "Classes",
    "Classifier",
    "DataError",
    "DataOptions",
    "Dataset",
    "DatasetSource",
    "Encoder",
    "Endpoint",
    "Features",
    "Finding",
    "Images",
    "Judged",
    "Lab",
    "ModelAlias",
    "PromptlabError",
    "Rule",
    "Settings",
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
