"""WordNet 3.0's noun synsets: reading them, climbing their hypernyms, and saying one in words.

A synset is known by its offset, the eight digits that begin its line in `data.noun`; ImageNet's class ids are these digits after
an `n`. The manual page wndb(5WN) describes the lines.
"""

import random
from collections import deque
from dataclasses import dataclass
from pathlib import Path

INSTALL = "install Debian's package wordnet-base, or unpack WordNet 3.0 and name its `dict` folder"
LONGEST_GLOSS = 70
"""Characters of a gloss that are said, so that 98 % of the texts fit in the 26 tokens that are taught."""


@dataclass(frozen=True, slots=True)
class Synset:
    """One meaning that a noun can have."""

    lemmas: tuple[str, ...]
    """Its names, the commonest first, with spaces; never empty."""
    gloss: str
    """Its definition, without the quoted examples."""
    hypernyms: tuple[str, ...]
    """Offsets of the synsets one step above it; empty only for `entity`, the root."""


def read_nouns(folder: Path) -> dict[str, Synset]:
    """All noun synsets by offset, 82,115 in WordNet 3.0, in the order of the file.

    folder: where `data.noun` lies. Raises FileNotFoundError if it does not lie there.
    """
    path = folder / "data.noun"
    if not path.is_file():
        raise FileNotFoundError(f"There is no WordNet file {path}: {INSTALL}.")
    lines = path.read_text("latin1").splitlines()
    # The 29 lines of the licence at the top begin with two spaces, a synset with its offset.
    return dict(parse_synset(line) for line in lines if not line.startswith("  "))


def parse_synset(line: str) -> tuple[str, Synset]:
    """Offset and synset of one line: offset, file, type, lemmas (hex count), pointers (count), `|`, gloss."""
    head, gloss = line.split("|", 1)
    fields = head.split()
    count = 4 + 2 * int(fields[3], 16)
    lemmas = tuple(lemma.replace("_", " ") for lemma in fields[4:count:2])
    # A pointer has four fields, the last (which words it joins) of no use here.
    pointers = fields[count + 1 : count + 1 + 4 * int(fields[count])]
    hypernyms = tuple(
        offset
        for symbol, offset, part_of_speech in zip(pointers[::4], pointers[1::4], pointers[2::4], strict=True)
        # `@` is a hypernym, `@i` the class that a named instance (Seine, Mona Lisa) belongs to.
        if symbol in ("@", "@i") and part_of_speech == "n"
    )
    return fields[0], Synset(lemmas, gloss.strip().split('; "')[0].strip(), hypernyms)


def ancestors(nouns: dict[str, Synset], offset: str) -> dict[str, int]:
    """Offsets of all hypernyms of a synset, nearest first, each with its distance in steps (1 is a direct hypernym)."""
    distance: dict[str, int] = {}
    queue = deque([(offset, 0)])
    while queue:
        node, steps = queue.popleft()
        for hypernym in nouns[node].hypernyms:
            if hypernym not in distance:
                distance[hypernym] = steps + 1
                queue.append((hypernym, steps + 1))
    return distance


def describe(nouns: dict[str, Synset], offset: str, class_name: str | None, templates: list[str], rng: random.Random) -> str:
    """One random text about a synset: in a template 50 %, with its gloss 15 %, its gloss alone 13 %, and so on as below.

    class_name: what ImageNet's users call it, said in half of the texts; None for a synset that is no class.
    """
    synset = nouns[offset]
    # The first lemma is the commonest: a plain choice among all would teach `domestic dog` as often as `dog`.
    name = rng.choice(synset.lemmas) if rng.random() < 0.6 else synset.lemmas[0]
    if class_name is not None and rng.random() < 0.5:
        name = class_name
    sentence = rng.choice(templates).format(name)
    gloss = shorten(synset.gloss)
    kind = nouns[rng.choice(synset.hypernyms)].lemmas[0] if synset.hypernyms else name
    form = rng.random()
    if form < 0.50:
        return sentence
    if form < 0.65:
        return f"{sentence.rstrip('.')}, {gloss}."
    if form < 0.78:
        return gloss
    if form < 0.90:
        return f"{sentence.rstrip('.')}, a kind of {kind}."
    return f"a photo of a {kind}, {gloss}." if form < 0.97 else name


def shorten(gloss: str) -> str:
    """The gloss, cut after the last whole word within LONGEST_GLOSS characters."""
    return gloss if len(gloss) <= LONGEST_GLOSS else gloss[:LONGEST_GLOSS].rsplit(" ", 1)[0]
