"""What is likely wrong with names and texts, before anything is scored."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from promptlab.display import many
from promptlab.prompts.compose import clean
from promptlab.prompts.english import looks_plural, singular
from promptlab.types import Check, Classes, TextBank


def lint(classes: Classes, bank: TextBank | None = None) -> list[Check]:
    """Warnings about equal, case-only, plural, underscored and unclean names; with their texts encoded also about names that the model
    reads alike, unclean templates and over-long texts. Empty when all is well."""
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
    ]
    if bank is not None:
        findings += [
            (
                "alike-names",
                _alike(titles, bank),
                "mean the same as another to the model, which drops signs; the lower index takes every picture",
            ),
            (
                "unclean-templates",
                [t for t in bank.grid.families if clean(t) != " ".join(t.split())],
                "hold control characters or special tokens, which are left out",
            ),
            ("texts-cut", list(bank.too_long), "exceed what the encoder reads; the rest is cut"),
        ]
    return [Check(name, _sentence(name, which, what)) for name, which, what in findings if which]


def _alike(titles: Sequence[str], bank: TextBank) -> list[str]:
    """Names that differ by more than case, and yet have the text vectors of another under the first family."""
    by_vector: dict[bytes, set[str]] = defaultdict(set)
    for title, z in zip(titles, bank.z[0], strict=True):
        by_vector[z.tobytes()].add(title)
    return [title for those in by_vector.values() if len({t.casefold() for t in those}) > 1 for title in sorted(those)]


def _sentence(name: str, which: Sequence[str], what: str) -> str:
    noun = {"texts-cut": "text", "unclean-templates": "template"}.get(name, "name")
    verb, _, rest = what.partition(" ")
    shown = ", ".join(w[:60] for w in which[:4]) + (", ..." if len(which) > 4 else "")
    return f"{many(len(which), noun)} {verb}{'s' * (len(which) == 1)} {rest}: {shown}."
