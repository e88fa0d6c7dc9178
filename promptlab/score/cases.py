"""Cases: for each picture one of its right captions, and wrong ones to tell it from, drawn by a seed."""

import hashlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from promptlab.errors import DataError, UsageError
from promptlab.types import NO_TEXT, Array, Captions, Cases

CANDIDATES = 12  # how many there are where nobody says otherwise


def source_of(captions: Captions, wanted: str) -> str:
    """Where wrong captions come from; `auto` is `given` where the data has them, else `any`. Raises UsageError for what it has not."""
    if wanted == "auto":
        return "any" if captions.wrong is None else "given"
    if wanted == "given" and captions.wrong is None:
        raise UsageError("The data gives no wrong captions, so --distractors given cannot be used.", "Use --distractors any.")
    if wanted in ("same", "other") and not captions.categories:
        raise UsageError(
            f"The pictures have no categories, or may show several, so --distractors {wanted} cannot be used.", "Use --distractors any."
        )
    return wanted


def draw(captions: Captions, keys: Sequence[str], candidates: int, wanted: str, seed: int) -> Cases:
    """A case for each of N pictures: one of its right captions and up to `candidates` - 1 wrong ones, from as many other pictures as there
    are. None of them reads like a caption of the picture, or like another one, case aside. 0 candidates: 12, or all that the data gives.
    A picture that the source has no wrong caption for gets them from any other picture.

    What is drawn for a picture depends on the seed and on its key (N,), so that the caption that it is judged by is the same among
    whatever other pictures; in which order pictures and captions are listed changes nothing. Raises UsageError for a source that the data
    has not, DataError for a picture that no caption is wrong for.
    """
    source = source_of(captions, wanted)
    asked = candidates or (0 if source == "given" else CANDIDATES)
    folded = {text: n for n, text in enumerate(dict.fromkeys(text.casefold() for text in captions.texts))}
    alike = np.array([folded[text.casefold()] for text in captions.texts])
    own = [sorted(texts.tolist()) for texts in captions.of(captions.right)]
    given = None if captions.wrong is None else [sorted(texts.tolist()) for texts in captions.of(captions.wrong)]
    others = Others(captions.category, keys, own)
    rows, right, shown, elsewhere = [], list[int](), list[list[int]](), 0
    for i, key in enumerate(keys):
        rng = _dice(seed, key)
        true = own[i][rng.integers(len(own[i]))]
        offered = others.offered(rng, i, source, asked) if source != "given" or given is None else iter(rng.permutation(given[i]).tolist())
        wrong = _first(offered, alike, own[i], asked - 1 if asked else len(captions.texts))
        if not wrong:
            size, elsewhere = asked or CANDIDATES, elsewhere + 1
            wrong = _first(others.offered(rng, i, "any", size), alike, own[i], size - 1)
        if not wrong:
            raise DataError(f"No caption is wrong for the picture {key!r}: all read like its own.", "Add pictures with other captions.")
        texts = sorted([true, *wrong])
        row = [texts[place] for place in _dice(seed, key, "order").permutation(len(texts))]
        rows.append(row)
        right.append(row.index(true))
        shown.append(_dice(seed, key, "shown").permutation(len(row)).tolist())
    return Cases(_filled(rows), np.array(right), _filled(shown), asked, source, elsewhere)


def _dice(seed: int, *words: str) -> np.random.Generator:
    """The generator of one picture; the same wherever the picture stands."""
    digest = hashlib.blake2b("\0".join(words).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return np.random.default_rng([seed, int.from_bytes(digest, "big")])


def _first(offered: Iterator[int], alike: Array, own: Sequence[int], n: int) -> list[int]:
    """The first n texts of those offered that read like none of a picture's own, nor like one another."""
    seen, found = {int(alike[text]) for text in own}, list[int]()
    for text in offered:
        if len(found) == n:
            break
        if alike[text] not in seen:
            seen.add(int(alike[text]))
            found.append(text)
    return found


class Others:
    """The captions of N other pictures, in the order in which one picture is offered them: without sorting N pictures for each of N.

    category: (N,) int. own: the texts of each picture, whose order counts; that of the pictures does not, for it is that of their keys.
    """

    def __init__(self, category: Array, keys: Sequence[str], own: Sequence[Sequence[int]]) -> None:
        self._own = own
        self._order = np.lexsort((np.array(keys), category))  # a category is a block of it
        self._place = np.argsort(self._order)
        counts = np.bincount(category)
        ends = np.cumsum(counts)
        self._block = [(int(end - count), int(end)) for end, count in zip(ends[category], counts[category], strict=True)]

    def offered(self, rng: np.random.Generator, i: int, source: str, first: int) -> Iterator[int]:
        """One text of each other picture of the source, at random, then a second one of each, and so on. first: how many pictures are
        drawn before the rest is."""
        left = list[list[int]]()
        for j in self._pictures(rng, i, source, first):
            left.append(rng.permutation(self._own[j]).tolist())
            yield left[-1].pop()
        while left := [texts for texts in left if texts]:
            yield from (texts.pop() for texts in left)

    def _pictures(self, rng: np.random.Generator, i: int, source: str, first: int) -> Iterator[int]:
        n, at = self._pool(i, source)
        drawn = rng.choice(n, min(n, first), replace=False)
        yield from (int(self._order[at(u)]) for u in drawn)
        if n > first:  # most of the first were no use
            rest = rng.permutation(np.setdiff1d(np.arange(n), drawn))
            yield from (int(self._order[at(u)]) for u in rest)

    def _pool(self, i: int, source: str) -> tuple[int, Callable[[int], int]]:
        """How many pictures may be drawn for picture i, and where each of them stands in the order."""
        start, end = self._block[i]
        if source == "same":
            here = int(self._place[i])
            return end - start - 1, lambda u: start + u + (start + u >= here)
        if source == "any":
            start, end = int(self._place[i]), int(self._place[i]) + 1
        return len(self._order) - (end - start), lambda u: u + (end - start) * (u >= start)


def _filled(rows: Sequence[Sequence[int]]) -> Array:
    """(N, M) int: rows of different lengths, -1 behind the shorter ones."""
    out = np.full((len(rows), max(map(len, rows))), NO_TEXT)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out
