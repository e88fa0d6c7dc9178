"""What plugins' things are wrapped in: a fault of theirs names the plugin, and nonsense is told before it becomes a score."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np

from promptlab.errors import DataError, MismatchError, PluginError, PromptlabError, UsageError
from promptlab.plugins.calls import failed, guarded, nonsense, told
from promptlab.protocols import Analysis, Contest, DataOptions, DatasetSource, Judged, Rule, State, Unit
from promptlab.types import Array, Dataset, Features, Finding, Images, Named

T = TypeVar("T")


def reading(work: Callable[[], T]) -> T:
    """What opening data gives back. Raises DataError for what the disk says."""
    try:
        return work()
    except (PluginError, OSError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(cause, OSError):
            raise
        name = repr(cause.filename) if cause.filename else "The data"
        raise DataError(f"{name} cannot be read: {cause.strerror or cause}.") from cause


def opened(source: DatasetSource, where: str, options: DataOptions, plugin: str) -> Dataset:
    """The dataset that a plugin opens, its pictures read with care: what its `read` raises costs the picture, not the run.

    Raises DataError for what the disk says; PluginError when it is no dataset, or has splits that cannot be used; UsageError when a names
    file was given and the source did not look.
    """
    asked = _Asked(options.names, options.offline)
    try:
        made: object = reading(lambda: guarded(plugin, "open", lambda: source.open(where, asked)))
    except MismatchError as error:  # a value that its own source put together wrongly
        raise failed(plugin, "open", told(error)) from error
    if not isinstance(made, Dataset):
        raise nonsense(plugin, "open", f"an object of type {type(made).__name__}", "a Dataset")
    if options.names and not asked.seen:
        raise UsageError(f"The source {source.name!r} (of the plugin {plugin!r}) takes no names file, so --classes cannot be used.")
    for name, part in made.splits.items():
        wrong = _unusable(part, len(made.classes))
        if wrong:
            raise nonsense(plugin, "open", f"a split {name!r} with {wrong[0]}", wrong[1])
    splits = {name: _careful(part, plugin) if isinstance(part, Images) else part for name, part in made.splits.items()}
    return replace(made, splits=splits, halves=None)


class _Asked(DataOptions):
    """What the user said, and whether anybody looked at the names."""

    @property
    def seen(self) -> bool:
        return "seen" in self.__dict__

    def __getattribute__(self, name: str) -> Any:
        if name == "names":
            self.__dict__["seen"] = True
        return super().__getattribute__(name)


def _unusable(part: Images | Features, classes: int) -> tuple[str, str] | None:
    """(what is wrong with a split, what was expected); None when it can be used."""
    n = len(part.keys)
    if not n:
        return "no picture", "at least one"
    if isinstance(part, Images) and len(part.stamps) != n:
        return f"{len(part.stamps)} stamps for {n} keys", "as many of each"
    if wrong := _no_labels(part.labels, n, classes):
        return wrong
    odd = None if isinstance(part.keys, Named) else next((key for key in part.keys if not isinstance(key, str)), None)
    if odd is not None:
        return f"the key {odd!r}", "a text"
    if isinstance(part, Images) and (order := _unordered(part.keys)):
        return order, "sorted keys, each once,"
    captions = part.captions if isinstance(part, Images) else None
    if not classes and captions is None:
        return "neither classes nor captions", "one of the two"
    if isinstance(part, Images) and captions is None and part.distractors is not None:
        return "distractors but no captions", "captions"
    if captions is not None and (wrong := _no_texts("captions", captions, n, least=1)):
        return wrong
    return _no_texts("distractors", part.distractors, n, least=0) if isinstance(part, Images) and part.distractors is not None else None


def _no_labels(labels: object, n: int, classes: int) -> tuple[str, str] | None:
    """(what is wrong with labels, what was expected); None when they can be used."""
    if labels is None:
        return None
    if not isinstance(labels, np.ndarray):
        return f"labels of type {type(labels).__name__}", f"a numpy array of {n} integers, indices of classes,"
    what = f"{labels.dtype} labels of shape {labels.shape}"
    if labels.ndim == 2 and len(labels) != n:  # all else of these the dataset has looked at
        return what, f"bool {(n, classes)}, a row for each picture and a column for each class,"
    if labels.ndim != 2 and (labels.dtype.kind not in "iu" or labels.shape != (n,)):
        return what, f"a numpy array of {n} integers, indices of classes,"
    return None


def _no_texts(what: str, rows: object, n: int, least: int) -> tuple[str, str] | None:
    """(what is wrong with captions or distractors, what was expected); None when they can be used."""
    wanted = f"{n} tuples of texts, one for each picture,"
    if not isinstance(rows, tuple) or len(rows) != n:
        return f"{len(rows)} rows of {what}" if isinstance(rows, tuple) else f"{what} of type {type(rows).__name__}", wanted
    odd = next((one for one in rows if not isinstance(one, tuple)), None)
    if odd is not None:
        return f"{what} of a picture of type {type(odd).__name__}", wanted
    if any(len(one) < least for one in rows):
        return f"a picture without {what}", f"at least one for each picture, or {what}=None,"
    strange = [text for one in rows for text in one if not isinstance(text, str) or not text.strip()]
    return (f"the text {strange[0]!r} among its {what}", "words") if strange else None


def _unordered(keys: Sequence[str]) -> str:
    """What is wrong with the order of keys; empty when nothing is."""
    return next((f"the keys {a!r} and {b!r} in that order" for a, b in itertools.pairwise(keys) if a >= b), "")


def _careful(images: Images, plugin: str) -> Images:
    def read(i: int) -> bytes:  # in several threads, so that nothing may be changed for all of them
        try:
            data: object = images.read(i)
        except (PromptlabError, OSError, KeyboardInterrupt):
            raise
        except BaseException as error:  # a plugin can raise anything, SystemExit too
            raise DataError(f"the plugin {plugin!r} failed in read: {told(error)}") from error
        if not isinstance(data, bytes):
            raise DataError(f"the plugin {plugin!r} gave an object of type {type(data).__name__} back from read; bytes were expected")
        return data

    return replace(images, read=read)


def checked_rule(rule: Rule, plugin: str) -> Rule:
    """A plugin's rule whose faults name it. It raises PluginError for values that are not (B, K), or no numbers."""
    where, rule = f"the rule {rule.name!r}", replace(rule, unit=Unit(rule.unit))
    if rule.per_image is not None:
        return replace(rule, per_image=_checked_statistic(rule.per_image, rule.unit, plugin, where))
    start = rule.start
    assert start is not None  # a Rule has one of the two
    return replace(rule, start=lambda setting: _Careful(guarded(plugin, where, lambda: start(setting)), setting, plugin, where))


def _checked_statistic(per_image: Callable[[Contest], Any], kind: Unit, plugin: str, where: str) -> Callable[[Contest], Any]:
    def checked(contest: Contest) -> Any:
        before = _sums(contest)
        value, wanted = guarded(plugin, where, lambda: per_image(contest)), tuple(contest.true.shape)
        if _sums(contest) != before:
            raise failed(plugin, where, "it changed the contest, which other rules read, too")
        wrong = guarded(plugin, where, lambda: _no_values(value, wanted, kind))
        if wrong:
            raise nonsense(plugin, where, *wrong)
        return value

    return checked


def _sums(contest: Contest) -> list[float]:
    """What changes when a rule writes into a contest; its own steps leave it as it was, to the bit."""
    return [float(part.sum()) for part in (contest.similarity, contest.true, contest.x)]


def _no_values(value: Any, wanted: tuple[int, ...], kind: Unit) -> tuple[str, str] | None:
    """(what is wrong with what a rule gave, what was expected); None when it can be used."""
    if not hasattr(value, "detach"):
        what = f"a tensor: use the contest's own + - * < and methods; one value for each picture and family, {wanted},"
        return f"an object of type {type(value).__name__}", what
    if tuple(value.shape) != wanted:
        return f"values of shape {tuple(value.shape)}", f"one for each picture and family, {wanted},"
    size = abs(value * 1.0)
    if not bool((size < float("inf")).all()):  # as is no NaN
        return "values that are no finite numbers", "a finite number"
    if kind is Unit.SHARE and bool(((size > 1) | (value < 0)).any()):
        return "shares outside of 0 and 1", "another unit, or shares between,"
    return None


class _Careful:
    """A plugin's state, whose faults name it."""

    def __init__(self, state: State, setting: Any, plugin: str, where: str) -> None:
        self._state, self._shape, self._plugin, self._where = state, tuple(setting.columns.shape[:2]), plugin, where

    def add(self, contest: Any) -> None:
        guarded(self._plugin, self._where, lambda: self._state.add(contest))

    def merge(self, other: "_Careful") -> None:
        guarded(self._plugin, self._where, lambda: self._state.merge(other._state))

    def per_class(self) -> tuple[Array, Array]:
        found: object = guarded(self._plugin, self._where, lambda: self._state.per_class())
        parts = [part for part in found if isinstance(part, np.ndarray)] if isinstance(found, tuple) else []
        shapes = [part.shape for part in parts]
        if shapes != [self._shape, self._shape]:
            raise nonsense(self._plugin, self._where, f"arrays of shapes {shapes}", f"values and counts, both {self._shape},")
        values, counts = parts
        if values.dtype.kind not in "fiu" or counts.dtype.kind not in "iu" or (counts < 0).any():
            raise nonsense(
                self._plugin, self._where, f"{values.dtype} values and {counts.dtype} counts", "numbers, and counts of 0 or more,"
            )
        if not np.isfinite(values[counts > 0]).all():
            raise nonsense(self._plugin, self._where, "values that are no finite numbers", "a finite number where the count is not 0")
        return values, counts


def checked_finding(analysis: Analysis, judged: Judged) -> Finding | None:
    """What an analysis says of a result. Raises PluginError for what is no Finding; whatever else is raised is the plugin's."""
    found: object = analysis.find(read_only(judged))
    if not isinstance(found, Finding | None):
        raise PluginError(f"it gave an object of type {type(found).__name__}; a Finding or None was expected")
    return found


def read_only(value: T) -> T:
    """The value with its arrays locked, those of values within it, too: who is shown it cannot change what is told."""
    if isinstance(value, np.ndarray):
        locked = value.view()
        locked.flags.writeable = False
        return locked
    if not is_dataclass(value) or isinstance(value, type):
        return value
    inner = {field.name: getattr(value, field.name) for field in fields(value)}
    locked_inner = {name: read_only(part) for name, part in inner.items() if isinstance(part, np.ndarray) or is_dataclass(part)}
    return replace(value, **locked_inner)
