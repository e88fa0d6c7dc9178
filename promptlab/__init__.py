"""promptlab: find the classes a CLIP model fails, build a better classifier from prompts, and say honestly how much better it is.

Public names are resolved when they are first used: importing promptlab imports neither torch nor open_clip.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptlab.config import Settings
    from promptlab.errors import DataError, PromptlabError
    from promptlab.hookspecs import hookimpl
    from promptlab.lab import Lab
    from promptlab.protocols import ChatAlias, DataOptions, Endpoint, ModelAlias, Rule
    from promptlab.types import Classes, Classifier, Dataset, Features, Images

_PLACES = {
    "Lab": "lab",
    "Settings": "config",
    "DataError": "errors",
    "PromptlabError": "errors",
    "hookimpl": "hookspecs",
    "ChatAlias": "protocols",
    "DataOptions": "protocols",
    "Endpoint": "protocols",
    "ModelAlias": "protocols",
    "Rule": "protocols",
    "Classes": "types",
    "Classifier": "types",
    "Dataset": "types",
    "Features": "types",
    "Images": "types",
}

__all__ = [
    "ChatAlias",
    "Classes",
    "Classifier",
    "DataError",
    "DataOptions",
    "Dataset",
    "Endpoint",
    "Features",
    "Images",
    "Lab",
    "ModelAlias",
    "PromptlabError",
    "Rule",
    "Settings",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'promptlab' has no attribute {name!r}")
    return getattr(import_module(f"promptlab.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
