"""Prompts of a run in the file formats of others, and what those cannot say."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from promptlab.display import many
from promptlab.errors import UsageError, unknown_name
from promptlab.prompts.babble import Babble
from promptlab.prompts.edits import Prompts
from promptlab.prompts.exchange.matching import Known
from promptlab.prompts.exchange.texts import bare, which
from promptlab.types import Classes, Description, Form, PromptGrid, Template

NAME = re.compile(r"\{\{ *(?:name|c|class|classname) *\}\}")
JOINED = re.compile(r"which (?:is |has )?")
SIGNS = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&*+?@"


@dataclass(frozen=True, slots=True)
class Written:
    """What is to be written."""

    prompts: Prompts
    """A run's prompts."""
    grid: PromptGrid
    """The texts that they make, under the names that they give."""
    key: str
    """What the data set is called in the file."""
    by_id: bool = False
    """Whether classes are called by their ids, else by their names."""
    seed: int = 0
    """Of random words."""
    data: Classes | None = None
    """The classes under the data's own names; None: those that the prompts give them."""

    @property
    def classes(self) -> Classes:
        """The classes under the names that the prompts give them."""
        return self.grid.classes

    def by_class(self, of: Callable[[int], Sequence[str]]) -> dict[str, list[str]]:
        """{class: what `of` says of it}. Raises UsageError for two classes of one name, or a name that may mean another class, too."""
        keys = self.classes.ids if self.by_id else self.classes.titles
        twice = [name for name, n in Counter(keys).items() if n > 1]
        if twice:
            raise UsageError(
                f"Several classes are called {twice[0]!r}{', and others share names, too' * (len(twice) > 1)}: one would hide the other.",
                "Call classes by their ids: --by-id",
            )
        if not self.by_id:
            self._plain()
        return {name: list(of(c)) for c, name in enumerate(keys)}

    def _plain(self) -> None:
        """Raises UsageError for a name of one class that is the id or any name of another: whoever reads it could take either."""
        known = [Known(self.classes), *([] if self.data is None else [Known(self.data)])]
        for c, name in enumerate(self.classes.titles):
            others = sorted({other for one in known for other in one.any_like(name)} - {c})
            if others:
                raise UsageError(
                    f"{name!r}, the name of {self.classes.ids[c]!r}, is what {self.classes.ids[others[0]]!r} is called, too.",
                    "Call classes by their ids: --by-id",
                )

    def said(self, c: int) -> list[Description]:
        """The descriptions of class c that are in use."""
        return [one for one in self.prompts.descriptions if one.use and one.class_id == self.classes.ids[c]]

    def texts(self, c: int) -> list[str]:
        """Every distinct text of class c."""
        return [self.grid.texts[p] for p in dict.fromkeys(self.grid.cell[self.grid.cell[:, 1] == c][:, 2].tolist())]


def written(format_: str, about: Written) -> tuple[str, list[str]]:
    """(the file's text, what it does not say). Raises UsageError for a format that is not known, and for what it cannot say."""
    if format_ not in WRITERS:
        raise unknown_name("format to export", format_, WRITERS)
    return WRITERS[format_](about)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=1, ensure_ascii=True) + "\n"


def _finished(about: Written) -> tuple[dict[str, list[str]], list[str]]:
    """The finished texts of everything in use, by class."""
    return about.by_class(about.texts), ["Weights of families, and the part that descriptions make, are not in it: all texts count alike."]


def _cupl(about: Written) -> tuple[str, list[str]]:
    found, lost = _finished(about)
    return _json(found), lost


def _prompts(about: Written) -> tuple[str, list[str]]:
    found, lost = _finished(about)
    return _json({about.key: found}), lost


def _dclip(about: Written) -> tuple[str, list[str]]:
    classes = range(len(about.classes))
    phrases = {c: [bare(one.text) for one in about.said(c) if one.form is Form.PHRASE] for c in classes}
    sentences = sum(one.form is Form.SENTENCE for c in classes for one in about.said(c))
    grown = sum(which(bare(one.text)) != one.text for c in classes for one in about.said(c) if one.form is Form.PHRASE)
    lost = ["No description is in use that is a phrase: every list is empty."] * (not any(phrases.values()))
    lost += [f"Descriptions that are sentences are not in it: {sentences}."] * bool(sentences)
    lost += [f"{many(grown, 'phrase')} will be read with `which is` or `which has` before them, as DCLIP joins them."] * bool(grown)
    return _json(about.by_class(phrases.__getitem__)), [*lost, "Templates are not in it."]


def _benchmark(about: Written) -> tuple[str, list[str]]:
    return _json({about.key: [_slotted(made, "{c}") for made in about.prompts.templates]}), _not_of_templates(about)


def _slotted(made: Template, slot: str) -> str:
    """The template with a plain slot. Raises UsageError for one that says more than that."""
    text = NAME.sub(slot, made.source)
    if set("{}") & set(NAME.sub("", made.source)):
        raise UsageError(
            f"The template {made.source!r} says more than {slot} can.",
            "Export finished prompts instead: --as cupl, or --as clip-benchmark-prompts.",
        )
    return text


def _not_of_templates(about: Written) -> list[str]:
    found = about.prompts
    used, own = sum(one.use for one in found.descriptions), sum(map(len, found.texts.values()))
    return [
        *[f"{many(len(found.off), 'template')} set aside: not in it."] * bool(found.off),
        *[f"{many(used, 'description')} in use: not in it; --as cupl has them."] * bool(used),
        *[f"{many(own, 'text')} of single classes: not in it; --as cupl has them."] * bool(own),
    ]


def _list(about: Written) -> tuple[str, list[str]]:
    made = [t.source if set("{}") & set(NAME.sub("", t.source)) else NAME.sub("{}", t.source) for t in about.prompts.templates]
    return "".join(" ".join(text.split()) + "\n" for text in made), _not_of_templates(about)


def _class_names(about: Written) -> tuple[str, list[str]]:
    more = sum(len(names) - 1 for names in about.classes.names)
    lost = [f"{many(more, 'further name')} of classes that have several: not in it."] * bool(more)
    return _json({about.key: list(about.classes.titles)}), lost


def _by_id(about: Written) -> tuple[str, list[str]]:
    lines = ["\t".join([i, *names]) for i, names in zip(about.classes.ids, about.classes.names, strict=True)]
    torn = next((name for names in about.classes.names for name in names if set("\t\r\n") & set(name) or not name.strip()), None)
    if torn is not None:
        raise UsageError(f"The name {torn!r} cannot stand in a line CLASS<TAB>NAME.", "Rename it: promptlab prompts rename")
    strange = next((i for i in about.classes.ids if i != i.strip() or i.startswith("#") or set("\t\r\n") & set(i)), None)
    if strange is not None:
        raise UsageError(f"The id {strange!r} cannot stand in a line CLASS<TAB>NAME.", "Export names in label order: --as classnames")
    return "".join(line + "\n" for line in lines), []


def _waffle(about: Written) -> tuple[str, list[str]]:
    """Random phrases, as many and as long as the descriptions in use, the same for every class: words and strings of signs in turn."""
    if not any(about.said(c) for c in range(len(about.classes))):
        raise UsageError("No description is in use, and random words are to be as many and as long.", "Import or ask for some first.")
    words = Babble(about.seed, lambda text: len(text.split()))

    def phrases(c: int) -> list[str]:
        likes = [JOINED.sub("", one.text) for one in about.said(c)]
        return ["which has " + (words(n, like) if n % 2 == 0 else _signs(about.seed, n, like)) for n, like in enumerate(likes)]

    return _json(about.by_class(phrases)), [f"Random words and signs of seed {about.seed}, in place of what is said."]


def _signs(seed: int, n: int, like: str) -> str:
    """The n-th string of random signs, its words as long as those of `like`."""
    rng = np.random.default_rng([seed, n, 1])
    return " ".join("".join(rng.choice(list(SIGNS), size=len(word))) for word in like.split())


WRITERS: Mapping[str, Callable[[Written], tuple[str, list[str]]]] = {
    "cupl": _cupl,
    "dclip": _dclip,
    "clip-benchmark": _benchmark,
    "clip-benchmark-prompts": _prompts,
    "classnames": _class_names,
    "tsv": _by_id,
    "list": _list,
    "waffle": _waffle,
}
