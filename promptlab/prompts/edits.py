"""The prompts of a run as a file that people edit: its templates, and names that replace those of the data."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from promptlab.errors import UsageError, unknown_name
from promptlab.prompts.templates import template
from promptlab.types import Classes, Description, Template

FILE = "prompts.toml"  # what the run is, or was, made with
DRAFT = "prompts-edited.toml"  # what a finished run's prompts were changed to; the next run takes them
SCRATCH = "prompts-being-edited.toml"  # what an editor has open; it stays when it cannot be read
HEAD = """# The prompts of this run. Edit them (or use `promptlab prompts add`, `remove`, `rename`), then: promptlab run
# A template has one place for the class name: {} or {{ name }}, with filters as in {{ name | article }}.
"""


@dataclass(frozen=True, slots=True)
class Prompts:
    """What a run says of its classes."""

    templates: tuple[Template, ...]
    """(K,) the families."""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """{class id: names} that replace those of the data; empty when nothing was renamed."""
    descriptions: tuple[Description, ...] = ()
    """What is said of single classes beside the templates, in use or not."""

    def apply(self, classes: Classes) -> Classes:
        """The classes under these names. Raises UsageError for a class that is not there."""
        for name in self.names:
            if name not in classes.ids:
                raise unknown_name("class", name, classes.ids)
        return replace(classes, names=tuple(self.names.get(i, n) for i, n in zip(classes.ids, classes.names, strict=True)))

    def with_templates(self, texts: Sequence[str]) -> "Prompts":
        """These and more templates; those that are there already are not added twice."""
        made = {t.source: t for t in (*self.templates, *map(template, map(_textual, texts)))}
        return replace(self, templates=tuple(made.values()))

    def without(self, texts: Sequence[str]) -> "Prompts":
        """These without some templates, given as tables show them or by their source. Raises UsageError for one that is not there."""
        by_name = {t.name: t.source for t in self.templates} | {t.source: t.source for t in self.templates}
        for text in texts:
            if text not in by_name:
                raise unknown_name("template", text, [t.name for t in self.templates])
        kept = tuple(t for t in self.templates if t.source not in {by_name[text] for text in texts})
        if not kept:
            raise UsageError("That would leave no template.", "Add one first: promptlab prompts add 'a photo of {}.'")
        return replace(self, templates=kept)

    def renamed(self, classes: Classes, class_: str, names: Sequence[str]) -> "Prompts":
        """These with other names for a class, given by id or by its present name. Raises UsageError for one that is not there."""
        class_id = classes.ids[classes.find(class_)]
        if not all(name.strip() for name in names):
            raise UsageError("A name is empty.", "Give at least one word.")
        return replace(self, names={**self.names, class_id: tuple(" ".join(_textual(name).split()) for name in names)})

    def text(self) -> str:
        """The file's text: TOML."""
        lines = [HEAD, "templates = [", *(f"    {_quoted(t.source)}," for t in self.templates), "]"]
        if self.names:
            lines += ["", "[names]", *(f"{_quoted(_escaped(i))} = [{', '.join(map(_quoted, n))}]" for i, n in self.names.items())]
        return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")  # the one character that JSON allows and TOML does not


def _textual(text: str) -> str:
    """The text itself. Raises UsageError for bytes that are no UTF-8."""
    if any("\ud800" <= ch <= "\udfff" for ch in text):
        raise UsageError(f"{text!r} is no text: it holds bytes that are no UTF-8.", "Is the terminal set to UTF-8?")
    return text


def _escaped(class_id: str) -> str:
    """The id of a class as TOML can hold it: a folder's name may hold bytes that are no UTF-8."""
    return re.sub("[\udc80-\udcff]", lambda m: f"\\x{ord(m[0]) - 0xDC00:02x}", class_id.replace("\\", "\\\\"))


def _unescaped(written: str) -> str:
    return re.sub(r"\\(\\|x[89a-f][0-9a-f])", lambda m: "\\" if m[1] == "\\" else chr(0xDC00 + int(m[1][1:], 16)), written)


def file_of(folder: Path) -> Path:
    """The file with a run's prompts, edited or not; it is missing when the text vectors came with the data."""
    return folder / (DRAFT if (folder / DRAFT).is_file() else FILE)


def load(path: Path) -> Prompts:
    """The prompts in a file. Raises UsageError that says what is wrong with it."""
    try:
        return read(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{str(path)!r} cannot be read: {error}.", "Mend it with `promptlab prompts edit`.") from error


def edited(folder: Path, editor: Callable[[Path], None]) -> Prompts | None:
    """What somebody makes of a run's prompts with an editor; None when nothing changed. What was there need not be readable.

    Raises UsageError for what cannot be read then; the text stays, and is what is opened the next time.
    """
    now, scratch = file_of(folder).read_bytes(), folder / SCRATCH
    if not scratch.is_file():
        scratch.write_bytes(now)
    try:
        editor(scratch)
    finally:
        if scratch.read_bytes() == now:
            scratch.unlink()
    if not scratch.is_file():
        return None
    try:
        made = load(scratch)
    except UsageError as error:
        raise UsageError(error.message, "What you wrote is kept there; `promptlab prompts edit` opens it again.") from error
    scratch.unlink()
    return made


def reset(folder: Path) -> bool:
    """Drop edits that wait for the next run; whether there were any."""
    waiting = [folder / name for name in (DRAFT, SCRATCH) if (folder / name).is_file()]
    for path in waiting:
        path.unlink()
    return bool(waiting)


def read(text: str, where: str) -> Prompts:
    """The prompts in a file's text. Raises UsageError that says what is wrong with it."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where!r} cannot be read: {error}.", "Mend it with `promptlab prompts edit`.") from error
    sources, names = found.get("templates"), found.get("names", {})
    if not isinstance(sources, list) or not sources or not all(isinstance(s, str) for s in sources):
        raise UsageError(f"{where!r} holds no list of templates.", 'Expected: templates = ["a photo of {}."]')
    if not isinstance(names, dict) or not all(_names(n) for n in names.values()):
        raise UsageError(f"The names in {where!r} are not lists of words.", 'Expected: [names] and "folder" = ["name"]')
    return Prompts(tuple(map(template, sources)), {_unescaped(i): tuple(n) for i, n in names.items()})


def _names(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(n, str) and n.strip() for n in value)
