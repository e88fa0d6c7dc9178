"""Which format a file has, and what it says."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from promptlab.errors import UsageError, unknown_name
from promptlab.prompts.exchange import lists, tables, texts
from promptlab.prompts.exchange.imported import Asked, Imported, Kind
from promptlab.prompts.exchange.matching import SAFE_WAY, Known, fold
from promptlab.types import Classes, Place

Reader = Callable[[Any, Asked, str], Imported]

# What is read as JSON; `list`, `datacomp`, `tsv`, `texts` and `python` are lines or code, too.
BY_SHAPE: Mapping[str, Reader] = {
    "clip-benchmark": lambda found, asked, name: tables.templates(found, asked.key, name),
    "clip-benchmark-prompts": lambda found, asked, name: tables.prompts(found, asked.key, name),
    "classnames": lambda found, asked, name: tables.class_names(found, asked.key, name),
    "babel": lambda found, asked, name: tables.babel(found, asked.key, name),
    "cupl": lambda found, asked, name: texts.by_class(found, name, "cupl", Place.BESIDE),
    "mpvr": lambda found, asked, name: texts.by_class(found, name, "mpvr", Place.BESIDE),
    "dclip": lambda found, asked, name: texts.by_class(found, name, "dclip", Place.INSIDE),
    "waffle": lambda found, asked, name: texts.by_class(found, name, "waffle", Place.INSIDE),
    "fudd": lambda found, asked, name: texts.pairs(found, _names(asked.class_names), name),
    "texts": lambda found, asked, name: texts.by_class(found, name, "texts", Place.INSIDE),
    "list": lambda found, asked, name: lists.plain(found, name),
}
FORMATS = ("list", "python", "datacomp", "tsv", *(name for name in BY_SHAPE if name != "list"))
OF_TEXTS = ("clip-benchmark-prompts", "cupl", "mpvr", "dclip", "waffle", "fudd", "texts")
KEYED = ("python", "datacomp", "clip-benchmark", "clip-benchmark-prompts", "classnames", "babel")
CODE = (".py", ".md", ".ipynb")


def content(path: str) -> str:
    """A file's text. Raises UsageError when it cannot be read."""
    try:
        return Path(path).read_text("utf-8-sig")
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a NUL in the name
        raise UsageError(f"{path!r} cannot be read: {error}.") from error


def read(path: str, asked: Asked, classes: Classes, kind: Kind | None = None) -> Imported:
    """What a file says. classes: those of the data, by which shapes are told apart; kind: the only one that will do, None: any.

    Raises UsageError for what cannot be read, and where nobody can know what is meant.
    """
    if asked.format and asked.format not in FORMATS:
        raise unknown_name("format", asked.format, FORMATS)
    return parsed(content(path), path, asked, classes, kind)


def parsed(text: str, name: str, asked: Asked, classes: Classes, kind: Kind | None = None) -> Imported:
    """What a file's text says; `name` is the file's, whose suffix helps to tell. Raises UsageError as `read` does."""
    suffix = Path(name).suffix.lower()
    made = _lined(text, name, suffix, asked, kind)
    if made is None:
        found = _python(text, name, asked) if _is_code(suffix, asked) else _json(text, name)
        made = _shaped(found, name, asked, classes, kind)
        if _is_code(suffix, asked) and made.format == "list":
            made = lists.plain(found, name, "python", made.notes)
    if kind is not None and made.kind is not kind:
        raise UsageError(f"{name!r} holds {made.kind}; {kind} were expected.", "Say what it is: --as FORMAT")
    if kind is None and not asked.format and not asked.key:
        _sure(made, name, classes)
    if asked.key and made.format not in KEYED:
        raise UsageError(f"{name!r} holds one list or table, read as {made.format}: there is no {asked.key!r} in it.", "Leave --key out.")
    if asked.class_names and made.format != "fudd":
        raise UsageError(f"{name!r} was read as {made.format}, which calls its classes by name.", "Leave --class-names out.")
    return made


def _sure(made: Imported, name: str, classes: Classes) -> None:
    """Raises UsageError where texts by their looks could be names as well as descriptions, or names of whatever."""
    known = Known(classes)
    if (
        made.at
        and made.whole
        and len(made.at) == len(classes)
        and not any(known.any_like(one) for names in made.at.values() for one in names)
    ):
        raise UsageError(
            f"None of the {len(classes)} names in {name!r} is known to the data, so nothing shows whose they are.",
            f"If they are class names in label order, say so: --as {made.format}. {SAFE_WAY}",
        )
    if texts.saying([one for _, names in made.names for one in names if not known.any_like(one)]):
        raise UsageError(
            f"The texts in {name!r} may be names or descriptions.", "Say which: --as tsv for names, --as texts for descriptions."
        )
    if made.format == "dclip" and made.said and not texts.saying([one.text for one in made.said]):
        raise UsageError(
            f"The texts in {name!r} may be phrases or names.",
            f"Phrases that describe: --as dclip. Names: {SAFE_WAY[0].lower()}{SAFE_WAY[1:]}",
        )


def _is_code(suffix: str, asked: Asked) -> bool:
    return asked.format == "python" or (not asked.format and suffix in CODE)


def _lined(text: str, name: str, suffix: str, asked: Asked, kind: Kind | None) -> Imported | None:
    """What a file of lines says; None for JSON and Python."""
    wanted = asked.format
    if wanted == "datacomp":
        return lists.by_task(text, asked.key, name)
    if wanted == "tsv":
        return tables.by_id(text, name)
    if suffix == ".jsonl" and wanted in ("", "texts"):
        return texts.kept(text, name)
    if suffix in (".json", *CODE) or wanted not in ("", "texts", "list") or (wanted != "texts" and _is_json(text)):
        return None
    if wanted == "texts" or kind is Kind.TEXTS:
        return texts.rows(text, name)
    return _guessed_lines(text, name, asked)


def _guessed_lines(text: str, name: str, asked: Asked) -> Imported:
    found = [line for _, line in lists.lines(text)]
    if not asked.format and lists.looks_by_task(text, asked.key):
        return lists.by_task(text, asked.key, name)
    if not asked.format and any("\t" in line.strip() for line in found):
        return tables.by_id(text, name)
    return lists.plain([line.strip() for line in found], name)


def _is_json(text: str) -> bool:
    """Whether lines are JSON without saying so by their suffix; a template may begin with a brace, too, or be `{}`."""
    if text.lstrip("\ufeff \t\r\n")[:1] not in ("{", "["):
        return False
    try:
        found = json.loads(text)
        return isinstance(found, list) or (isinstance(found, dict) and bool(found))
    except (ValueError, RecursionError):
        return False


def _python(text: str, name: str, asked: Asked) -> Any:
    """The list that is meant in Python code: the only one, or the one called so, with or without the heading over it."""
    found, changed = lists.in_python(text, name)
    fitting = [one for one in found if not asked.key or one == asked.key] or [
        one for one in found if asked.key in (one.rpartition(".")[2], one.rpartition(".")[0])
    ]
    if len(fitting) != 1:
        said = f"no list {asked.key!r}" if not fitting else f"{len(fitting)} lists: {', '.join(fitting[:12])}"
        raise UsageError(f"{name!r} holds {said}.", f"Name one with --key. There are: {', '.join(list(found)[:60])}.")
    if fitting[0] in changed:
        raise UsageError(
            f"{name!r} writes {fitting[0]!r} more than once, or changes it later; nobody knows what it holds without running it.",
            "Copy the list that is meant into a file of its own.",
        )
    return found[fitting[0]]


def _json(text: str, name: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict[str, Any]()
        for key, value in pairs:
            if key in found:
                raise UsageError(f"{name!r} has the key {key!r} twice; one of the two would be lost.", "Give each class its id as key.")
            found[key] = value
        return found

    try:
        return json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name!r} is no JSON: {error}.", 'Expected: {"crane": ["a tall wading bird"]}') from error


def _shaped(found: Any, name: str, asked: Asked, classes: Classes, kind: Kind | None) -> Imported:
    format_ = asked.format if asked.format not in ("", "python") else _format(found, name, asked, classes, kind)
    if format_ == "waffle" and isinstance(found, list):
        return texts.for_all(found, classes.ids, name)
    if format_ != "list" and not isinstance(found, Mapping):
        raise UsageError(f"{name!r} holds no object of lists; {format_!r} is one.", 'Expected: {"crane": ["a tall wading bird"]}')
    return BY_SHAPE[format_](found, asked, name)


def _format(found: Any, name: str, asked: Asked, classes: Classes, kind: Kind | None) -> str:
    """The format that a JSON value has by its shape. Raises UsageError where nobody can know."""
    if kind is not Kind.TEXTS and not isinstance(found, Mapping):
        return "list"
    values = list(found.values()) if isinstance(found, Mapping) else []
    if values and all(isinstance(value, Mapping) for value in values):
        return "fudd" if all("prompt_pairs" in value for value in values) else "clip-benchmark-prompts"
    if values and all(map(tables.is_babel, values)):
        return "babel"
    if not isinstance(found, Mapping) or not all(value == [] or lists.names_of(value) for value in values):
        raise UsageError(f"{name!r} holds no object of lists of texts.", 'Expected: {"crane": ["a tall wading bird"]}')
    if kind is Kind.TEXTS:
        return texts.guessed(found)
    every = [text for value in values for text in lists.names_of(value)]
    if sum(map(lists.slotted, every)) * 2 > len(every):
        return "clip-benchmark"
    if asked.key:
        return "classnames"
    guess = texts.guessed(found)
    if guess in texts.SENTENCES or _by_class(list(found), classes):
        return guess
    if len(values) == 1 and len(lists.names_of(values[0])) == len(classes):
        return "classnames"
    raise UsageError(
        f"{name!r} has lists by {', '.join(map(repr, list(found)[:3]))}, ..., which are no classes of the data.",
        "Are they data sets? Name one with --key. Are they classes of other data? Say the format, e.g. --as cupl.",
    )


def _by_class(keys: Sequence[str], classes: Classes) -> bool:
    """Whether keys are classes: half of the keys, or of the classes, find each other."""
    known = {fold(name) for name in (*classes.ids, *(name for names in classes.names for name in names))}
    fitting = sum(fold(key) in known for key in keys)
    return bool(fitting) and (fitting * 2 >= len(keys) or fitting * 2 >= len(classes))


def _names(path: str) -> list[str]:
    """The list of names that numbers count: a JSON list, or one a line; empty without a file."""
    if not path:
        return []
    found = parsed(content(path), path, Asked("list"), Classes((), ()))
    if found.kind is not Kind.NAMES or any(len(names) != 1 for names in found.at.values()):
        raise UsageError(f"{path!r} holds no list of class names.", "Expected one name a line, or a JSON list.")
    return [names[0] for names in found.at.values()]


def brought(path: str, classes: Classes, asked: Asked) -> tuple[dict[int, list[Any]], list[str]]:
    """({class index: texts with their forms}, classes that the data does not have) of a file with texts by class, in any format.

    Classes are named by id or name. Raises UsageError for what cannot be read, or when no class is known.
    """
    found = read(path, asked, classes, Kind.TEXTS)
    known = Known(classes).matched((one.class_id for one in found.said), found.by_id)
    known.clear()
    texts_: dict[int, list[Any]] = {}
    for one in found.said:
        if one.class_id in known.place:
            texts_.setdefault(known.place[one.class_id], []).append((one.text, one.form))
    if not texts_:
        listed = ", ".join(classes.ids[:8]) + ", ..." * (len(classes) > 8)
        raise UsageError(
            f"{path!r} describes none of the {len(classes)} classes.", f"It knows {len(known.unknown)} others; the data has: {listed}."
        )
    return texts_, known.unknown
