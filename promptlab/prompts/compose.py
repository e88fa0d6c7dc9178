"""Names x templates = the grid of texts."""

import html
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from promptlab.errors import DataError, UsageError, unknown_name
from promptlab.prompts.english import article
from promptlab.prompts.templates import LONGEST_TEXT, render
from promptlab.types import Classes, Description, Form, Place, PromptGrid, Template

# Tokenizers turn these words into their real start, end and padding: what comes after an end would be ignored. CLIP has the first, those of
# SigLIP, RoBERTa and T5 the others.
SPECIAL = re.compile(r"<\|?(?:start|end)_?of_?text\|?>|</?s>|<(?:bos|eos|pad|unk|mask)>", re.I)
# An entity of an entity of a ... of the ampersand. Undone in one step: a name of a megabyte of them would take hours one by one.
NESTED = re.compile(r"&(?:(?:amp|#0*38|#x0*26);?)+", re.I)
ARTICLE = re.compile(r"^(?:an?|the) +(?=\S)", re.I)  # templates bring their own: `a photo of the a fat cat` is no English
MARKED = re.compile("[<&]")  # what a token or an entity of it begins with
JOINER = "\u200d"  # holds emoji together; harmless


def clean(text: str) -> str:
    """The text without special tokens and control characters, its white space folded."""
    if text.isascii() and text.isprintable() and not MARKED.search(text):
        return " ".join(text.split())  # nearly every text: the rest takes seven times as long
    text = "".join(ch if ch == JOINER or unicodedata.category(ch) not in ("Cc", "Cf", "Cs") else " " for ch in text)
    read = _as_read(text)
    return " ".join((SPECIAL.sub(" ", read) if SPECIAL.search(read) else text).split())


def _as_read(text: str) -> str:
    """The text as tokenizers read it: full-width signs made plain, and entities undone until none is left, as ftfy does."""
    while (read := html.unescape(NESTED.sub("&", unicodedata.normalize("NFKC", text)))) != text:
        text = read
    return text


def own_text(text: str) -> str:
    """A text that stands in for a template's, cleaned. Raises UsageError when nothing is left of it, or when it is too long."""
    if not (cleaned := clean(text)).strip(" ."):
        raise UsageError(f"Nothing is left of the text {text[:60]!r} once control characters are gone.", "Write at least one word.")
    if len(cleaned) > LONGEST_TEXT:
        raise UsageError(f"The text {cleaned[:60]!r}... has {len(cleaned)} characters; at most {LONGEST_TEXT} are allowed.")
    return cleaned


def compose(
    classes: Classes,
    templates: Sequence[Template],
    descriptions: Sequence[Description] = (),
    weight: float = 0.5,
    *,
    own: Mapping[str, Mapping[str, str]] = {},
) -> PromptGrid:
    """The grid: one text per template and name, and what the descriptions in use add (method, section 1). Equal texts are stored once;
    cells point to them by class index, never by name.

    weight: the part of a cell that descriptions placed `beside` make. own: {class id: {template source: text}} that is said instead of the
    template's; other classes and templates are ignored. Raises DataError when cleaning leaves nothing of a name, UsageError when a template
    fails, when cleaning leaves nothing of a text, or for descriptions that cannot be placed together or whose class is not there.
    """
    said = _by_class(classes, descriptions)
    texts: dict[str, int] = {}
    entries = set[tuple[int, int, int, bool]]()
    for c, names in enumerate(classes.names):
        kept = list(dict.fromkeys(filter(None, map(clean, names))))
        if not kept:
            raise DataError(
                f"Nothing is left of the name of class {classes.ids[c]!r} once control characters are gone.",
                "Give it another name.",
            )
        instead = own.get(classes.ids[c], {})
        for k, made in enumerate(templates):
            mine = own_text(instead[made.source]) if made.source in instead else ""
            for described, text in _cell(made, kept, said.get(c, ()), mine):
                entries.add((k, c, texts.setdefault(text, len(texts)), described))
    rows = sorted(entries)
    cell, families = np.array([row[:3] for row in rows], np.int64), tuple(made.name for made in templates)
    if not any(row[3] for row in rows):
        return PromptGrid(classes, families, tuple(texts), cell)
    share = np.array([weight if any(d.place is Place.BESIDE for d in said.get(c, ())) else 0.5 for c in range(len(classes))])
    return PromptGrid(classes, families, tuple(texts), cell, np.array([row[3] for row in rows]), share)


def _by_class(classes: Classes, descriptions: Sequence[Description]) -> dict[int, list[Description]]:
    """{class: its descriptions in use}. Raises UsageError for a class that is not there, or two ways of joining them to the bare texts."""
    index, found = {i: c for c, i in enumerate(classes.ids)}, dict[int, list[Description]]()
    for one in descriptions:
        if one.class_id not in index:
            raise unknown_name("class", one.class_id, classes.ids)
        if one.use and clean(one.text).strip(" ."):  # stops alone would end a text twice
            found.setdefault(index[one.class_id], []).append(one)
    for c, those in found.items():
        if {d.place for d in those} >= {Place.INSIDE, Place.BESIDE}:
            raise UsageError(
                f"The class {classes.ids[c]!r} has descriptions placed `inside` and others `beside`; one of the two was expected.",
                "Change `place` in descriptions.jsonl, or set `use` to false.",
            )
    return found


def _cell(made: Template, names: Sequence[str], descriptions: Sequence[Description], own: str) -> Iterator[tuple[bool, str]]:
    """(whether it is a description, text) of everything that one family says of one class. own: its only bare text; empty: what the
    template makes."""
    instead = [d for d in descriptions if d.place is Place.REPLACE]
    called = [ARTICLE.sub("", clean(d.text)) for d in instead if d.form is Form.PHRASE] or (() if instead else names)
    bare = [own] if own else [clean(render(made, name)) for name in called]
    yield from ((False, text) for text in bare)
    yield from ((False, clean(d.text)) for d in instead if d.form is Form.SENTENCE and not own)
    for d in descriptions:
        if d.place is Place.REPLACE:
            continue
        if d.form is Form.SENTENCE:
            yield True, clean(d.text)
        elif d.place is Place.BESIDE:
            yield True, described(f"a photo of {article((called or names)[0])}", d.text)
        else:
            yield from ((True, described(text, d.text)) for text in bare or [clean(render(made, name)) for name in names])


def described(text: str, phrase: str) -> str:
    """A prompt with a phrase: `a photo of a tench.` and `a green fish` make `a photo of a tench, a green fish.`"""
    return f"{text.rstrip(' .')}, {clean(phrase).rstrip(' .')}."
