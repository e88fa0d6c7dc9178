"""The prompts of a run as a file that people edit: its templates, and names that replace those of the data."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeGuard

from promptlab.errors import UsageError, unknown_name
from promptlab.prompts import descriptions as descriptions_file
from promptlab.prompts.compose import clean, own_text
from promptlab.prompts.templates import template
from promptlab.store import fingerprint
from promptlab.types import Classes, Description, Edit, EditKind, Template

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
    off: tuple[Template, ...] = ()
    """Families set aside, no part of the grid; empty when all are in use."""
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """{class id: {template source: text}} that stands in for what that family would say of that class; empty when all say their own."""

    @property
    def fingerprint(self) -> str:
        """Changes with anything that the files of a run say of its prompts."""
        return fingerprint(self.text(), descriptions_file.text(self.descriptions))

    def apply(self, classes: Classes) -> Classes:
        """The classes under these names. Raises UsageError for a class that is not there."""
        for name in self.names:
            if name not in classes.ids:
                raise unknown_name("class", name, classes.ids)
        return replace(classes, names=tuple(self.names.get(i, n) for i, n in zip(classes.ids, classes.names, strict=True)))

    def fitting(self, classes: Classes) -> tuple["Prompts", int]:
        """These with the descriptions and texts of classes that there are, and of how many other classes something was said."""
        known, said = set(classes.ids), {d.class_id for d in self.descriptions} | set(self.texts)
        texts = {i: own for i, own in self.texts.items() if i in known}
        return replace(self, descriptions=tuple(d for d in self.descriptions if d.class_id in known), texts=texts), len(said - known)

    def find(self, text: str) -> Template:
        """The template, in use or set aside, that tables show like this or that has this source. Raises UsageError when there is none."""
        every = (*self.templates, *self.off)
        known = {t.name: t for t in every} | {t.source: t for t in every}
        if text not in known:
            raise unknown_name("template", text, [t.name for t in every])
        return known[text]

    def only(self, ids: Sequence[str]) -> "Prompts":
        """What these say of some classes, by id."""
        known = set(ids)
        texts = {i: own for i, own in self.texts.items() if i in known}
        return replace(self, texts=texts, descriptions=tuple(one for one in self.descriptions if one.class_id in known))

    def with_templates(self, texts: Sequence[str]) -> "Prompts":
        """These and more templates; those that are there already are not added twice, those set aside are in use again."""
        made = {t.source: t for t in (*self.templates, *map(template, map(textual, texts)))}
        return replace(self, templates=tuple(made.values()), off=tuple(t for t in self.off if t.source not in made))

    def without(self, texts: Sequence[str]) -> "Prompts":
        """These without some templates, given as tables show them or by their source. Raises UsageError for one that is not there."""
        gone = {self.find(text).source for text in texts}
        kept = _some([t for t in self.templates if t.source not in gone])
        own = {i: {s: text for s, text in said.items() if s not in gone} for i, said in self.texts.items()}
        return replace(self, templates=kept, off=tuple(t for t in self.off if t.source not in gone), texts=_said(own))

    def toggled(self, text: str) -> "Prompts":
        """These with one template set aside, or in use again, as the last. Raises UsageError when it is not there, or the last in use."""
        one = self.find(text)
        templates, off = ([t for t in some if t.source != one.source] for some in (self.templates, self.off))
        if len(off) < len(self.off):
            return replace(self, templates=(*templates, one), off=tuple(off))
        return replace(self, templates=_some(templates), off=(*off, one))

    def saying(self, class_id: str, of: str, text: str | None) -> "Prompts":
        """These with a text of its own for one class in one family; None: what the template says. Raises UsageError for a template that is
        not there, and for a text of which cleaning leaves nothing."""
        source, mine = self.find(of).source, dict(self.texts.get(class_id, {}))
        if text is None:
            mine.pop(source, None)
        else:
            mine[source] = own_text(textual(text))
        return replace(self, texts=_said({**self.texts, class_id: mine}))

    def renamed(self, classes: Classes, class_: str, names: Sequence[str]) -> "Prompts":
        """These with other names for a class, given by id or by its present name; no names: those of the data. Raises UsageError for a
        class that is not there, and for a name of which cleaning leaves nothing."""
        class_id = classes.ids[classes.find(class_)]
        if not names:
            return replace(self, names={i: n for i, n in self.names.items() if i != class_id})
        if not all(clean(textual(name)) for name in names):
            raise UsageError("A name is empty.", "Give at least one word.")
        return replace(self, names={**self.names, class_id: tuple(" ".join(name.split()) for name in names)})

    def text(self) -> str:
        """The file's text: TOML."""
        lines = [HEAD, "templates = [", *(f"    {_quoted(t.source)}," for t in self.templates), "]"]
        if self.off:
            lines += ["off = [", *(f"    {_quoted(t.source)}," for t in self.off), "]"]
        if self.names:
            lines += ["", "[names]", *(f"{_quoted(_escaped(i))} = [{', '.join(map(_quoted, n))}]" for i, n in self.names.items())]
        for i, said in self.texts.items():
            lines += ["", f"[texts.{_quoted(_escaped(i))}]", *(f"{_quoted(source)} = {_quoted(text)}" for source, text in said.items())]
        return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")  # the one character that JSON allows and TOML does not


def _some(templates: Sequence[Template]) -> tuple[Template, ...]:
    if not templates:
        raise UsageError("That would leave no template.", "Add one first: promptlab prompts add 'a photo of {}.'")
    return tuple(templates)


def _said(texts: Mapping[str, Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    return {class_id: said for class_id, said in texts.items() if said}


def textual(text: str) -> str:
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
    except (ValueError, RecursionError) as error:  # no TOML, or a number of 5,000 digits
        raise UsageError(f"{where!r} cannot be read: {error}.", "Mend it with `promptlab prompts edit`.") from error
    sources, off, names, texts = found.get("templates"), found.get("off", []), found.get("names", {}), found.get("texts", {})
    if not _words(sources) or not sources:
        raise UsageError(f"{where!r} holds no list of templates.", 'Expected: templates = ["a photo of {}."]')
    if not isinstance(names, dict) or not all(_names(n) for n in names.values()):
        raise UsageError(f"The names in {where!r} are not lists of words.", 'Expected: [names] and "folder" = ["name"]')
    if not _words(off):
        raise UsageError(f"What is set aside in {where!r} is no list of templates.", 'Expected: off = ["a photo of {}."]')
    if not isinstance(texts, dict) or not all(isinstance(said, dict) and _words(list(said.values())) for said in texts.values()):
        raise UsageError(f"The texts in {where!r} are not texts by template.", 'Expected: [texts."folder"] and "a photo of {}." = "a text"')
    made = tuple(map(template, sources))
    aside = tuple(t for t in dict.fromkeys(map(template, off)) if t not in made)
    own = {_unescaped(i): {template(source).source: text for source, text in said.items()} for i, said in texts.items()}
    return Prompts(made, {_unescaped(i): tuple(n) for i, n in names.items()}, (), aside, _said(own))


def imported(prompts: Prompts, of: str) -> Edit:
    """The one edit that makes prompts what they are here. of: what people call it."""
    return Edit(EditKind.IMPORT, of=of, words=(prompts.text(), descriptions_file.text(prompts.descriptions)))


def of_import(words: Sequence[str]) -> Prompts:
    """The prompts that an import makes. Raises UsageError for texts that hold none."""
    if len(words) != 2:
        raise UsageError(f"An import has {len(words)} texts; those of {FILE} and {descriptions_file.FILE} were expected.")
    return replace(read(words[0], FILE), descriptions=descriptions_file.read(words[1], Path(descriptions_file.FILE)))


def _words(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _names(value: object) -> bool:
    return _words(value) and bool(value) and all(n.strip() for n in value)
