"""Names x templates = the grid of texts."""

import html
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from promptlab.errors import DataError
from promptlab.prompts.templates import render
from promptlab.types import Classes, PromptGrid, Template

# CLIP's tokenizer turns these words into its real start and end: everything after would be ignored.
SPECIAL = re.compile(r"<\|?(?:start|end)_?of_?text\|?>", re.I)


JOINER = "\u200d"  # holds emoji together; harmless


def clean(text: str) -> str:
    """The text without special tokens and control characters, its white space folded."""
    text = "".join(ch if ch == JOINER or unicodedata.category(ch) not in ("Cc", "Cf", "Cs") else " " for ch in text)
    read = unicodedata.normalize("NFKC", html.unescape(html.unescape(text)))  # as the tokenizer reads it
    return " ".join((SPECIAL.sub(" ", read) if SPECIAL.search(read) else text).split())


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
