"""Files with one entry a data set or a language: CLIP_benchmark's templates, prompts and class names, Babel, NLLB, and names by class."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from promptlab.errors import UsageError, unknown_name
from promptlab.prompts.exchange import lists, texts
from promptlab.prompts.exchange.imported import Imported, Kind
from promptlab.types import Place

FALLBACK = "imagenet1k"  # whose templates CLIP_benchmark takes for a data set without its own
PREFIX = re.compile(r"(?:wds|vtab|tfds)/")


def _looked_up(key: str) -> Iterator[str]:
    """The names under which CLIP_benchmark looks for a data set: its own, then without `wds/`, `vtab/`, `tfds/`. Languages are capitals."""
    yield key
    while PREFIX.match(key):
        key = PREFIX.sub("", key, count=1)
        yield key
    yield key.upper()


def chosen(table: Mapping[str, Any], key: str, name: str, fallback: bool) -> tuple[str, tuple[str, ...]]:
    """(the key that is meant, notes). Raises UsageError when none was named and there are several, and for one that is not there."""
    if not key and len(table) == 1:
        return next(iter(table)), ()
    if not key:
        known = ", ".join(list(table)[:40]) or "none"
        raise UsageError(f"{name!r} holds {len(table)} entries; which is meant?", f"Name one with --key. There are: {known}.")
    found = next((one for one in _looked_up(key) if one in table), None)
    if found is not None:
        return found, ()
    if fallback and FALLBACK in table:
        return FALLBACK, (f"{name!r} has nothing for {key!r}: the templates are those of {FALLBACK!r}, as CLIP_benchmark takes them.",)
    raise unknown_name(f"entry of {name!r}", key, table)


def templates(table: Mapping[str, Any], key: str, name: str) -> Imported:
    """The templates of one data set or language: {data set: [template]}."""
    which, notes = chosen(table, key, name, fallback=True)
    found = lists.names_of(table[which])
    if not found:
        raise UsageError(f"{name!r} holds no list of templates under {which!r}.", 'Expected: {"cifar10": ["a photo of a {c}."]}')
    return Imported("clip-benchmark", Kind.TEMPLATES, templates=found, notes=(f"Of {which!r}.", *notes))


def prompts(table: Mapping[str, Any], key: str, name: str) -> Imported:
    """The finished prompts of one data set: {data set: {class: [prompt]}}."""
    which, notes = chosen(table, key, name, fallback=False)
    if not isinstance(table[which], Mapping):
        raise UsageError(f"{name!r} holds no prompts by class under {which!r}.", 'Expected: {"imagenet1k": {"tench": ["a tench."]}}')
    return texts.by_class(table[which], name, "clip-benchmark-prompts", Place.BESIDE, (f"Of {which!r}.", *notes))


def class_names(table: Mapping[str, Any], key: str, name: str) -> Imported:
    """The class names of one data set in label order: {data set: [name]}."""
    which, notes = chosen(table, key, name, fallback=False)
    return lists.plain(table[which], name, "classnames", (f"Of {which!r}.", *notes))


def is_babel(found: Any) -> bool:
    """Whether it is a pair of a list of numbers and a list of names."""
    if not isinstance(found, list) or len(found) != 2 or not all(isinstance(part, list) for part in found):
        return False
    return all(type(i) is int for i in found[0]) and all(isinstance(n, str) for n in found[1])


def babel(table: Mapping[str, Any], key: str, name: str) -> Imported:
    """The names of some classes in one language: {LANGUAGE: [label indices, names]}."""
    which, notes = chosen(table, key, name, fallback=False)
    found = table[which]
    if not is_babel(found):
        raise UsageError(f"{name!r} holds no indices and names under {which!r}.", 'Expected: {"DE": [[0, 5], ["Schleie", "Rochen"]]}')
    indices, names = found
    if len(indices) != len(names) or len(set(indices)) != len(indices):
        raise UsageError(f"{name!r} has {len(set(indices))} indices for {len(names)} names under {which!r}; as many were expected.")
    at = {i: (one,) for i, one in zip(indices, names, strict=True)}
    return Imported("babel", Kind.NAMES, at=at, whole=False, notes=(f"Of {which!r}.", *notes))


def by_id(content: str, name: str) -> Imported:
    """Names of lines CLASS<TAB>NAME; a class may have several lines, and several names in one. Raises UsageError for a line without a
    tab: matched by place it would shift labels unseen."""
    found: dict[str, list[str]] = {}
    for number, line in lists.lines(content):
        first, *rest = (cell.strip() for cell in line.split("\t"))
        names = [" ".join(one.split()) for one in rest if one]
        if not names:
            raise UsageError(f"{name!r}, line {number}, has no tab and name after it: {line[:60]!r}.", "Expected: CLASS<TAB>NAME")
        found.setdefault(first, []).extend(names)
    if not found:
        raise UsageError(f"{name!r} is empty.", "Expected lines: CLASS<TAB>NAME")
    return Imported("tsv", Kind.NAMES, names=tuple((one, tuple(names)) for one, names in found.items()))
