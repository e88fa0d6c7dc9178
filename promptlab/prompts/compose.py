"""Names x templates = the grid of texts."""

import html
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from promptlab.errors import DataError
from promptlab.prompts.templates import render
from promptlab.types import Classes, PromptGrid, Template

# Tokenizers turn these words into their real start, end and padding: what comes after an end would be ignored. CLIP has the first, those of
# SigLIP, RoBERTa and T5 the others.
SPECIAL = re.compile(r"<\|?(?:start|end)_?of_?text\|?>|</?s>|<(?:bos|eos|pad|unk|mask)>", re.I)
# An entity of an entity of a ... of the ampersand. Undone in one step: a name of a megabyte of them would take hours one by one.
NESTED = re.compile(r"&(?:(?:amp|#0*38|#x0*26);?)+", re.I)
JOINER = "\u200d"  # holds emoji together; harmless


def clean(text: str) -> str:
    """The text without special tokens and control characters, its white space folded."""
    text = "".join(ch if ch == JOINER or unicodedata.category(ch) not in ("Cc", "Cf", "Cs") else " " for ch in text)
    read = _as_read(text)
    return " ".join((SPECIAL.sub(" ", read) if SPECIAL.search(read) else text).split())


def _as_read(text: str) -> str:
    """The text as tokenizers read it: full-width signs made plain, and entities undone until none is left, as ftfy does."""
    while (read := html.unescape(NESTED.sub("&", unicodedata.normalize("NFKC", text)))) != text:
        text = read
    return text


def compose(classes: Classes, templates: Sequence[Template]) -> PromptGrid:
    """The grid: one text per template and name. Equal texts are stored once; cells point to them by class index, never by name.

    Raises DataError when cleaning leaves nothing of a name, UsageError when a template fails.
    """
    texts: dict[str, int] = {}
    entries = []
    for c, names in enumerate(classes.names):
        kept = list(dict.fromkeys(filter(None, map(clean, names))))
        if not kept:
            raise DataError(
                f"Nothing is left of the name of class {classes.ids[c]!r} once control characters are gone.",
                "Give it another name.",
            )
        for k, made in enumerate(templates):
            entries += [(k, c, texts.setdefault(clean(render(made, name)), len(texts))) for name in kept]
    return PromptGrid(classes, tuple(made.name for made in templates), tuple(texts), np.array(sorted(set(entries)), np.int64))
