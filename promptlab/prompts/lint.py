"""What is likely wrong with names and texts, before anything is scored."""

from collections import Counter
from collections.abc import Sequence

from promptlab.display import many
from promptlab.prompts.compose import clean
from promptlab.prompts.english import looks_plural, singular
from promptlab.types import Check, Classes


def lint(classes: Classes, too_long: Sequence[str] = ()) -> list[Check]:
    """Warnings about equal, case-only, plural, underscored and unclean names, and about over-long texts; empty when all is well."""
    titles = classes.titles
    count, folded = Counter(titles), Counter(t.casefold() for t in set(titles))
    equal = [t for t, n in count.items() if n > 1]
    findings = [
        ("equal-names", equal, "stand for more than one class; equal texts tie, and the lower index takes every picture"),
        (
            "case-only-names",
            [t for t in count if folded[t.casefold()] > 1],
            "differ from another name by case alone, which the tokenizer drops",
        ),
        ("underscored-names", [t for t in count if "_" in t], "hold underscores, which are read as signs, not as spaces"),
        (
            "plural-names",
            [f"{t} ({singular(t)}?)" for t in count if looks_plural(t)],
            "look plural; the singular often matches pictures better",
        ),
        (
            "unclean-names",
            [t for t in count if clean(t) != " ".join(t.split())],
            "hold control characters or special tokens, which are left out",
        ),
        ("texts-cut", list(too_long), "exceed what the encoder reads; the rest is cut"),
    ]
    return [Check(name, _sentence(name, which, what)) for name, which, what in findings if which]


def _sentence(name: str, which: Sequence[str], what: str) -> str:
    noun = "text" if name == "texts-cut" else "name"
    verb, _, rest = what.partition(" ")
    shown = ", ".join(w[:60] for w in which[:4]) + (", ..." if len(which) > 4 else "")
    return f"{many(len(which), noun)} {verb}{'s' * (len(which) == 1)} {rest}: {shown}."
