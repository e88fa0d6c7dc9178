"""Files with texts by class: CuPL, DCLIP, WaffleCLIP, MPVR, FuDD, and our own."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from promptlab.errors import UsageError
from promptlab.prompts import descriptions
from promptlab.prompts.descriptions import form_of
from promptlab.prompts.exchange.imported import Imported, Kind
from promptlab.prompts.exchange.lists import names_of
from promptlab.types import Description, Form, Place

SENTENCES = ("cupl", "mpvr", "clip-benchmark-prompts", "fudd")
PHRASES = ("dclip", "waffle")
FEW = 0.1  # the share of phrases in a file of sentences, or the other way round, that is still chance
# DCLIP tells by the first letters, not the first word: `antennae` becomes `which is antennae`. Whoever imports its files wants its texts.
IS, BARE = ("a", "used"), ("has", "often", "typically", "may", "can")
# What begins a phrase or stands in one, and seldom in a name.
FIRST = re.compile(
    r"(?:an?|the|which|has|have|often|typically|usually|may|can|used|with|its?|is|are|made|no|one|two|three|four|six|eight)\b"
)
AMONG = re.compile(r"\b(?:of|with|or|and|in|on|for|to|that|from|by|at|is|are|has)\b")
MANY_WORDS = 5
SAYING = 0.25  # the share of such texts from which a list says something rather than names it
PAIR = re.compile(r"(\d{1,9})_(\d{1,9})")


def which(phrase: str) -> str:
    """The phrase as DCLIP joins it to a name: `a red comb` becomes `which is a red comb`."""
    if phrase.startswith("which "):
        return phrase
    return f"which is {phrase}" if phrase.startswith(IS) else f"which {phrase}" if phrase.startswith(BARE) else f"which has {phrase}"


def bare(joined: str) -> str:
    """The phrase that `which` makes this of; what no phrase makes stays as it is."""
    shorter = (joined.removeprefix(head) for head in ("which is ", "which has ", "which ") if joined.startswith(head))
    return next((one for one in shorter if one and which(one) == joined), joined)


def saying(texts: Sequence[str]) -> bool:
    """Whether texts by their looks say something: several are sentences or phrases such as `a red comb`; not, when they could be names."""
    plain = [text.casefold().strip() for text in texts]
    found = sum(
        bool(FIRST.match(text) or AMONG.search(text)) or len(text.split()) >= MANY_WORDS or form_of(text) is Form.SENTENCE for text in plain
    )
    return found > SAYING * len(texts)


def guessed(table: Mapping[str, Any]) -> str:
    """The format of {class: [text]}: `cupl` for sentences, `dclip` for phrases, `mpvr` for several sentences in a text; `texts` where both
    kinds are there."""
    every = [text for value in table.values() for text in names_of(value)]
    share = sum(form_of(text) is Form.SENTENCE for text in every) / max(1, len(every))
    if share <= FEW:
        return "dclip"
    if share < 1 - FEW:
        return "texts"
    return "mpvr" if sum(". " in text for text in every) * 2 > len(every) else "cupl"


def by_class(table: Any, name: str, format_: str, place: Place, notes: tuple[str, ...] = ()) -> Imported:
    """The texts of {class: [text]}. Raises UsageError for anything else."""
    if not isinstance(table, Mapping) or not all(value == [] or names_of(value) for value in table.values()):
        raise UsageError(f"{name!r} holds no object of lists of texts.", 'Expected: {"crane": ["a tall wading bird"]}')
    form = Form.SENTENCE if format_ in SENTENCES else Form.PHRASE if format_ in PHRASES else None
    said = tuple(
        Description(class_, text, form or form_of(text), place, True) for class_, value in table.items() for text in names_of(value)
    )
    empty = tuple(class_ for class_, value in table.items() if not any(map(str.strip, names_of(value))))
    return Imported(format_, Kind.TEXTS, said=said, empty=empty, which=format_ in PHRASES, notes=notes)


def for_all(phrases: Any, classes: Sequence[str], name: str) -> Imported:
    """The same phrases for every class, as WaffleCLIP says them: a JSON list. Raises UsageError for anything else."""
    if not isinstance(phrases, list) or not names_of(phrases):
        raise UsageError(f"{name!r} holds no list of phrases.", 'Expected: ["which has foot loud"], or {"crane": ["which has foot loud"]}')
    found = by_class(dict.fromkeys(classes, phrases), name, "waffle", Place.INSIDE, ("Every class gets all of its phrases.",))
    return replace(found, by_id=True)


def pairs(table: Any, names: Sequence[str], name: str) -> Imported:
    """FuDD's texts: {"i_j": {"classes": [i, j], "prompt_pairs": [{"prompt_pair": [of i, of j]}]}}, each text once a class. names: the list
    that i and j count, from 0. Raises UsageError for anything else, and for a number that the list has not."""
    if not names:
        raise UsageError(f"{name!r} calls its classes by numbers.", "Give the list of names that they count: --class-names FILE")
    if twice := [one for one, n in Counter(names).items() if n > 1]:
        raise UsageError(
            f"The list of names has {twice[0]!r} more than once: texts of two classes would be merged.",
            "Give each class a name of its own.",
        )
    found: dict[tuple[int, str], None] = {}
    for key, entry in table.items() if isinstance(table, Mapping) else ():
        both, those = _pair(key, entry, name)
        beyond = [i for i in both if not 0 <= i < len(names)]
        if beyond:
            raise UsageError(
                f"{name!r} speaks of class {beyond[0]} in {key!r}; the list of names has {len(names)}, 0 to {len(names) - 1}.",
                "Give the list that belongs to the file: --class-names FILE",
            )
        found |= dict.fromkeys((i, text) for texts_ in those for i, text in zip(both, texts_, strict=True))
    if not found:
        raise UsageError(f"{name!r} holds no pair of texts.", PAIRS_HINT)
    said = tuple(Description(names[i], text, Form.SENTENCE, Place.BESIDE, True) for i, text in found)
    return Imported("fudd", Kind.TEXTS, said=said)


PAIRS_HINT = 'Expected: {"0_1": {"classes": [0, 1], "prompt_pairs": [{"prompt_pair": ["a tench, ...", "a goldfish, ..."]}]}}'


def _pair(key: str, entry: Any, name: str) -> tuple[list[int], list[list[str]]]:
    """([i, j], [[text of i, text of j]]) of one entry. Raises UsageError for anything else."""
    both = entry.get("classes") if isinstance(entry, Mapping) else None
    those = entry.get("prompt_pairs") if isinstance(entry, Mapping) else None
    if not isinstance(both, list) or len(both) != 2 or not all(type(i) is int for i in both) or not isinstance(those, list):
        raise UsageError(f"{name!r} has no two classes and pairs of texts under {key[:60]!r}.", PAIRS_HINT)
    written = PAIR.fullmatch(key)
    if written is not None and [int(written[1]), int(written[2])] != both:
        raise UsageError(f"{name!r} says {both} under {key!r}: two numbers that should be the same.", "Is the file whole?")
    found = [one.get("prompt_pair") if isinstance(one, Mapping) else None for one in those]
    if not all(isinstance(one, list) and len(one) == 2 and all(isinstance(text, str) for text in one) for one in found):
        raise UsageError(f"{name!r} has no pairs of texts under {key[:60]!r}.", PAIRS_HINT)
    return both, [one for one in found if isinstance(one, list)]


def rows(content: str, name: str) -> Imported:
    """Our own lines CLASS<TAB>TEXT. Raises UsageError naming a line without a tab."""
    said = []
    for number, line in enumerate(content.removeprefix("\ufeff").split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        class_, tab, text = line.partition("\t")
        if not tab:
            raise UsageError(f"{name!r}, line {number}, has no tab: {line[:60]!r}.", "Expected: CLASS<TAB>TEXT, or a .json or .jsonl file.")
        said.append(Description(class_.strip(), text, form_of(text), Place.INSIDE, True))
    return Imported("texts", Kind.TEXTS, said=tuple(said))


def kept(content: str, name: str) -> Imported:
    """The descriptions in use of a run's own descriptions.jsonl, which calls classes by their ids."""
    return Imported("texts", Kind.TEXTS, said=tuple(one for one in descriptions.read(content, Path(name)) if one.use), by_id=True)
