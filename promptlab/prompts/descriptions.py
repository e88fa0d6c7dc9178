"""Descriptions of a run as a file that people edit, one JSON object a line; and descriptions that somebody brings in a file."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from promptlab.errors import UsageError
from promptlab.store import fingerprint
from promptlab.types import Classes, Description, Form, Place

FILE = "descriptions.jsonl"
WORDS = ("class", "text", "form", "place", "source", "model", "reply", "verdict")
SENTENCE = 12  # words: what is longer, or ends with a stop, is taken for a sentence where nobody says what it is
HINT = 'Expected lines such as {"class": "crane", "text": "a tall wading bird", "form": "phrase", "place": "inside", "use": true}'


def text(descriptions: Sequence[Description]) -> str:
    """The file's text: JSON lines."""
    lines = []
    for d in descriptions:
        plain = {"class": d.class_id, "text": d.text, "use": d.use, "place": d.place.value, "form": d.form.value}
        said = {"verdict": d.verdict, "source": d.source, "model": d.model, "reply": d.reply}
        lines.append(json.dumps(plain | {name: value for name, value in said.items() if value}, ensure_ascii=False))
    return "".join(line + "\n" for line in lines)


def load(folder: Path) -> tuple[Description, ...]:
    """The descriptions of a run; none when it has no such file. Raises UsageError naming the line that cannot be read."""
    path = folder / FILE
    return read(_content(path), path) if path.is_file() else ()


def read(content: str, path: Path) -> tuple[Description, ...]:
    """The descriptions in a file's text. Raises UsageError naming the line that cannot be read."""
    lines = enumerate(content.removeprefix("\ufeff").split("\n"), 1)
    return tuple(_read(line, path, number) for number, line in lines if line.strip())


def mark(descriptions: Sequence[Description]) -> str | None:
    """Changes when a classifier would: classes, texts, forms and places of what is in use. None when nothing is."""
    used = [[d.class_id, d.text, d.form.value, d.place.value] for d in descriptions if d.use]
    return fingerprint(used) if used else None


def brought(path: str, classes: Classes) -> tuple[dict[int, list[tuple[str, Form]]], list[str]]:
    """({class index: texts with their forms}, classes that the data does not have) of a file: JSON {class: [text]}, JSON lines as a run
    keeps them, or lines CLASS<TAB>TEXT. Classes are named by id or name. Raises UsageError for what cannot be read, or when no class is
    known."""
    place = {title: c for c, title in enumerate(classes.titles)} | {i: c for c, i in enumerate(classes.ids)}
    folded = {name.casefold(): c for name, c in place.items()}
    found, strange = dict[int, list[tuple[str, Form]]](), dict[str, None]()
    for name, said, form in _pairs(Path(path)):
        c = place.get(name, folded.get(name.casefold()))
        if c is None:
            strange[name] = None
        else:
            found.setdefault(c, []).append((said, form or form_of(said)))
    if not found:
        known = ", ".join(classes.ids[:8]) + ", ..." * (len(classes) > 8)
        raise UsageError(
            f"{path!r} describes none of the {len(classes)} classes.", f"It knows {len(strange)} others; the data has: {known}."
        )
    return found, list(strange)


def form_of(said: str) -> Form:
    """A sentence when it ends with a stop or is long, else a phrase."""
    stop = said.rstrip().endswith((".", "!", "?"))
    return Form.SENTENCE if stop or len(said.split()) > SENTENCE else Form.PHRASE


def _pairs(path: Path) -> list[tuple[str, str, Form | None]]:
    if path.suffix.lower() == ".jsonl":
        return [(d.class_id, d.text, d.form) for d in read(_content(path), path) if d.use]
    content = _content(path)
    if path.suffix.lower() != ".json":
        return [(*_row(line, path, n), None) for n, line in enumerate(content.split("\n"), 1) if line.strip() and not line.startswith("#")]
    try:
        table = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{str(path)!r} is no JSON: {error}.", 'Expected: {"crane": ["a tall wading bird"]}') from error
    if not isinstance(table, Mapping) or not all(_texts(value) is not None for value in table.values()):
        raise UsageError(f"{str(path)!r} holds no object of lists of texts.", 'Expected: {"crane": ["a tall wading bird"]}')
    return [(str(name), said, None) for name, value in table.items() for said in _texts(value) or ()]


def _row(line: str, path: Path, number: int) -> tuple[str, str]:
    """(class, text) of a line CLASS<TAB>TEXT."""
    name, tab, said = line.partition("\t")
    if not tab:
        raise UsageError(
            f"{str(path)!r}, line {number}, has no tab: {line[:60]!r}.", "Expected: CLASS<TAB>TEXT, or a .json or .jsonl file."
        )
    return name.strip(), said


def _texts(value: Any) -> list[str] | None:
    """The texts of one class; None when it is something else."""
    if isinstance(value, str):
        return [value]
    return value if isinstance(value, list) and all(isinstance(one, str) for one in value) else None


def _content(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The descriptions {str(path)!r} cannot be read: {error}.") from error


def _read(line: str, path: Path, number: int) -> Description:
    where = f"{str(path)!r}, line {number}"
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}: {error}.", HINT) from error
    if not isinstance(found, dict) or not {"class", "text"} <= set(found):
        raise UsageError(f"{where} holds no `class` and `text`.", HINT)
    words = {name: found.get(name, "") for name in WORDS}
    if strange := set(found) - {*WORDS, "use"}:
        raise UsageError(f"{where} holds {', '.join(map(repr, sorted(strange)))}, which means nothing.", HINT)
    if not all(isinstance(value, str) for value in words.values()) or not words["text"].strip():
        raise UsageError(f"{where}: words were expected everywhere but in `use`, and a text.", HINT)
    use = found.get("use", True)
    if not isinstance(use, bool):
        raise UsageError(f"{where}: `use` is {use!r}; true or false was expected.", HINT)
    try:
        form = Form(words["form"]) if words["form"] else form_of(words["text"])
        place = Place(words["place"] or Place.INSIDE)
    except ValueError as error:
        raise UsageError(f"{where}: {error}.", f"Forms: {', '.join(Form)}. Places: {', '.join(Place)}.") from error
    return Description(words["class"], words["text"], form, place, use, words["source"], words["model"], words["reply"], words["verdict"])
