"""What plugins' things are wrapped in: a fault of theirs names the plugin, and nonsense is told before it becomes a score."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from promptlab.errors import DataError, PluginError, PromptlabError
from promptlab.protocols import Analysis, Contest, Judged, Rule, State
from promptlab.types import Array, Dataset, Finding, Images

T = TypeVar("T")
HINT = "Tell its author, or go on without it: --disable-plugin {}."


def guarded(plugin: str, doing: str, work: Callable[[], T]) -> T:
    """What the work of a plugin gives back. Raises DataError for what the disk says, PluginError naming the plugin for its own faults."""
    try:
        return work()
    except PromptlabError:
        raise
    except OSError as error:
        raise DataError(f"{error.filename or 'The data'!r} cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # a plugin can raise anything
        raise failed(plugin, doing, f"{type(error).__name__}: {error}") from error


def failed(plugin: str, doing: str, what: str) -> PluginError:
    """The error for a plugin that failed."""
    return PluginError(f"The plugin {plugin!r} failed in {doing}: {what}.", f"{HINT.format(plugin)} --debug shows where.")


def nonsense(plugin: str, doing: str, found: object, wanted: str) -> PluginError:
    """The error for a plugin that gave back something else than was asked for."""
    return PluginError(f"The plugin {plugin!r} gave {found} back from {doing}; {wanted} was expected.", HINT.format(plugin))


def checked_dataset(made: object, plugin: str) -> Dataset:
    """The dataset that a plugin opened, its pictures read with care: what its `read` raises costs the picture, not the run.

    Raises PluginError when it is none.
    """
    if not isinstance(made, Dataset):
        raise nonsense(plugin, "open", f"an object of type {type(made).__name__}", "a Dataset")
    splits = {name: _careful(part, plugin) if isinstance(part, Images) else part for name, part in made.splits.items()}
    return replace(made, splits=splits)


def _careful(images: Images, plugin: str) -> Images:
    def read(i: int) -> bytes:
        try:
            data = images.read(i)
        except (PromptlabError, OSError):
            raise
        except Exception as error:  # a plugin can raise anything
            raise DataError(f"the plugin {plugin!r} failed in read: {type(error).__name__}: {error}") from error
        if not isinstance(data, bytes):
            raise DataError(f"the plugin {plugin!r} gave an object of type {type(data).__name__} back from read; bytes were expected")
        return data

    return replace(images, read=read)


def checked_rule(rule: Rule, plugin: str) -> Rule:
    """A plugin's rule whose faults name it. It raises PluginError for values that are not (B, K), or no numbers."""
    where = f"the rule {rule.name!r}"
    if rule.per_image is not None:
        return replace(rule, per_image=_checked_statistic(rule.per_image, plugin, where))
    start = rule.start
    assert start is not None  # a Rule has one of the two
    return replace(rule, start=lambda setting: _Careful(guarded(plugin, where, lambda: start(setting)), setting, plugin, where))


def _checked_statistic(per_image: Callable[[Contest], Any], plugin: str, where: str) -> Callable[[Contest], Any]:
    def checked(contest: Contest) -> Any:
        value, wanted = guarded(plugin, where, lambda: per_image(contest)), tuple(contest.true.shape)
        shape = getattr(value, "shape", None)
        if shape is None or tuple(shape) != wanted:
            found = f"an object of type {type(value).__name__}" if shape is None else f"values of shape {tuple(shape)}"
            raise nonsense(plugin, where, found, f"one value for each picture and family, {wanted},")
        if not bool((abs(value * 1.0) < float("inf")).all()):  # as is no NaN
            raise nonsense(plugin, where, "values that are no finite numbers", "a finite number")
        return value

    return checked


class _Careful:
    """A plugin's state, whose faults name it."""

    def __init__(self, state: State, setting: Any, plugin: str, where: str) -> None:
        self._state, self._shape, self._plugin, self._where = state, tuple(setting.columns.shape[:2]), plugin, where

    def add(self, contest: Any) -> None:
        guarded(self._plugin, self._where, lambda: self._state.add(contest))

    def merge(self, other: "_Careful") -> None:
        guarded(self._plugin, self._where, lambda: self._state.merge(other._state))

    def per_class(self) -> tuple[Array, Array]:
        found = guarded(self._plugin, self._where, self._state.per_class)
        shapes = [getattr(part, "shape", None) for part in found] if isinstance(found, tuple) else []
        if shapes != [self._shape, self._shape]:
            raise nonsense(self._plugin, self._where, f"shapes {shapes}", f"values and counts, both {self._shape},")
        return found


def checked_finding(analysis: Analysis, judged: Judged) -> Finding | None:
    """What an analysis says of a result. Raises PluginError for what is no Finding; whatever else is raised is the plugin's."""
    found: object = analysis.find(judged)
    if not isinstance(found, Finding | None):
        raise PluginError(f"it gave an object of type {type(found).__name__}; a Finding or None was expected")
    return found
