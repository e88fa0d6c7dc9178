"""What is likely wrong with names, templates and texts, before anything is scored."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from promptlab.display import many
from promptlab.prompts.compose import clean
from promptlab.prompts.english import article, looks_plural, singular
from promptlab.types import Check, Classes, Template, TextBank

BARE_ARTICLE = re.compile(r"\b(an?) \{\{ *\w+ *\}\}", re.I)  # before a name that no filter has given its own


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
    nouns = {"texts-cut": "text", "unclean-templates": "template"}
    return [Check(name, _sentence(nouns.get(name, "name"), which, what)) for name, which, what in findings if which]


def _alike(titles: Sequence[str], bank: TextBank) -> list[str]:
    """Names that differ by more than case, and yet have the text vectors of another under the first family."""
    by_vector: dict[bytes, set[str]] = defaultdict(set)
    for title, z in zip(titles, bank.z[0], strict=True):
        by_vector[z.tobytes()].add(title)
    return [title for those in by_vector.values() if len({t.casefold() for t in those}) > 1 for title in sorted(those)]


def lint_templates(templates: Sequence[Template], classes: Classes) -> list[Check]:
    """Warnings about left-over braces, two places for the name, articles that do not fit, and lines that occur twice."""
    shown = {t.source: t.name for t in templates}
    titles = [title for title in classes.titles if title[:1].isalpha()]
    wrong = {name: _wrong_article(source, titles) for source, name in shown.items()}
    findings = [
        ("braces-left", [n for n in shown.values() if set("{}") & set(n.replace("{}", ""))], "hold braces that are read as text"),
        ("name-twice", [n for n in shown.values() if n.count("{}") > 1], "have more than one place for the class name"),
        (
            "wrong-article",
            [f"{n} ({said})" for n, said in wrong.items() if said],
            "say a or an whatever follows; write {{ name | article }}",
        ),
        (
            "equal-templates",
            [n for s, n in shown.items() if [t.source for t in templates].count(s) > 1],
            "occur more than once, to no effect",
        ),
    ]
    return [Check(name, _sentence("template", which, what)) for name, which, what in findings if which]


def _wrong_article(source: str, titles: Sequence[str]) -> str:
    """`a elephant`: the first name that does not follow the template's bare article; empty when all do."""
    for found in BARE_ARTICLE.findall(source):
        for title in titles:
            if not article(title).startswith(found.lower() + " "):
                return f"{found} {title[:30]}"
    return ""


def _sentence(noun: str, which: Sequence[str], what: str) -> str:
    verb, _, rest = what.partition(" ")
    verb = {"have": "has"}.get(verb, verb + "s") if len(which) == 1 else verb
    shown = ", ".join(w[:60] for w in which[:4]) + (", ..." if len(which) > 4 else "")
    return f"{many(len(which), noun)} {verb} {rest}: {shown}."
