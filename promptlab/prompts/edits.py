"""The prompts of a run as a file that people edit: its templates, and names that replace those of the data."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from promptlab.errors import UsageError, unknown_name
from promptlab.prompts.templates import template
from promptlab.types import Classes, Template

FILE = "prompts.toml"  # what the run is, or was, made with
DRAFT = "prompts-edited.toml"  # what a finished run's prompts were changed to; the next run takes them
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

    def apply(self, classes: Classes) -> Classes:
        """The classes under these names. Raises UsageError for a class that is not there."""
        for name in self.names:
            if name not in classes.ids:
                raise unknown_name("class", name, classes.ids)
        return replace(classes, names=tuple(self.names.get(i, n) for i, n in zip(classes.ids, classes.names, strict=True)))

    def with_templates(self, texts: Sequence[str]) -> "Prompts":
        """These and more templates; those that are there already are not added twice."""
        made = {t.source: t for t in (*self.templates, *map(template, texts))}
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
        return replace(self, names={**self.names, class_id: tuple(" ".join(name.split()) for name in names)})

    def text(self) -> str:
        """The file's text: TOML."""
        lines = [HEAD, "templates = [", *(f"    {_quoted(t.source)}," for t in self.templates), "]"]
        if self.names:
            lines += ["", "[names]", *(f"{_quoted(i)} = [{', '.join(map(_quoted, n))}]" for i, n in self.names.items())]
        return "\n".join(lines) + "\n"

    @staticmethod
    def parsed(text: str, where: str) -> "Prompts":
        """The prompts in a file's text. Raises UsageError that says what is wrong with it."""
        return read(text, where)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")  # the one character that JSON allows and TOML does not


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
    return Prompts(tuple(map(template, sources)), {i: tuple(n) for i, n in names.items()})


def _names(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(n, str) and n.strip() for n in value)
