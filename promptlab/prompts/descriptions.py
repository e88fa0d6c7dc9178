"""Descriptions of a run as a file that people edit, one JSON object a line."""

import json
from collections.abc import Sequence
from pathlib import Path

from promptlab.errors import UsageError
from promptlab.store import fingerprint
from promptlab.types import Description, Form, Place

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


def form_of(said: str) -> Form:
    """A sentence when it ends with a stop or is long, else a phrase."""
    stop = said.rstrip().endswith((".", "!", "?"))
    return Form.SENTENCE if stop or len(said.split()) > SENTENCE else Form.PHRASE


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
