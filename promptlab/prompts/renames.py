"""Better names, free of charge: from what lint sees in a name, and from a file of synonyms."""

import re
from collections.abc import Sequence
from pathlib import Path

from promptlab.errors import UsageError
from promptlab.prompts.english import looks_plural, singular
from promptlab.types import Classes

SOURCES = ("lint", "synonyms")  # who says a name
BRACKETS = re.compile(r"^(.*?)\s*\(([^()]*)\)\s*(.*)$")


def proposals(name: str) -> list[str]:
    """Other ways to write a name, the likeliest first: the singular, without underscores, brackets opened either way, in lower case."""
    plain = " ".join(re.sub(r"[_]+", " ", name).split())
    found = [plain]
    if opened := BRACKETS.match(plain):
        before, inside, after = (part.strip() for part in opened.groups())
        outside = " ".join(filter(None, [before, after]))
        found += [outside, f"{inside} {outside}".strip()]
    found += [singular(one) for one in found if looks_plural(one)]
    if plain.islower() is False and not plain.isupper():
        found += [one.lower() for one in found]
    last_first = list(dict.fromkeys(reversed(found)))
    return [one for one in last_first if one and one != name]


def synonyms(path: str, classes: Classes) -> dict[int, list[str]]:
    """{class index: other names} of a file with lines CLASS<TAB>NAME, NAME, ...; classes by id or name. Raises UsageError for what cannot
    be read, and for a class that is not there."""
    try:
        text = Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The synonyms file {path!r} cannot be read: {error}.", "Expected lines CLASS<TAB>NAME, NAME") from error
    found: dict[int, list[str]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, tab, said = line.rstrip("\r").partition("\t")
        names = [one.strip() for one in re.split(r"[,\t]", said) if one.strip()]
        if not tab or not names:
            raise UsageError(f"{path!r}, line {number}, has no tab and names after it: {line[:60]!r}.", "Expected: CLASS<TAB>NAME, NAME")
        found.setdefault(classes.find(name.strip()), []).extend(names)
    return found


def candidates(own: Sequence[str], others: Sequence[str], mend: bool = True) -> list[tuple[str, ...]]:
    """Sets of names to try in place of a class's own: each proposal (`mend`), each synonym, then all synonyms with the own names."""
    alone = dict.fromkeys([*(proposals(own[0]) if mend else ()), *others])
    together = [tuple(dict.fromkeys([*own, *others]))] if others else []
    return [names for names in (*((name,) for name in alone), *together) if names != tuple(own)]
