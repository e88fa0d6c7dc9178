"""Class names within texts: found as whole words, whatever their case, also in the plural."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

from promptlab.prompts.english import looks_plural, plural, singular

WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """The words of a text, case and signs aside: `A hen's "beak"` is a, hen, s, beak."""
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())


class Names:
    """The class names that a text may hold.

    A text is read from left to right, and where several names begin the longest counts. So the `crocodile` of "crocodile head" is no
    crocodile where both are classes, and `shuttlecock` is no cock. A name of one letter is never found: it would be every `a`.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._by_first: dict[str, dict[tuple[str, ...], str]] = defaultdict(dict)
        for name in names:
            for form in (name, plural(name), singular(name) if looks_plural(name) else name):
                key = tuple(words(form))
                if len("".join(key)) > 1:
                    self._by_first[key[0]].setdefault(key, name)
        self._longest = {first: max(map(len, keys)) for first, keys in self._by_first.items()}

    def within(self, text: str) -> list[str]:
        """The names that a text holds, in order, as they were given."""
        return [name for _, name in self._found(words(text))]

    def all_but(self, text: str) -> list[str]:
        """The words of a text outside of the names that it holds."""
        said, found = words(text), []
        spans = {start: length for (start, length), _ in self._found(said)}
        at = 0
        while at < len(said):
            found += [] if at in spans else [said[at]]
            at += spans.get(at, 1)
        return found

    def _found(self, said: Sequence[str]) -> list[tuple[tuple[int, int], str]]:
        found, at = [], 0
        while at < len(said):
            known = self._by_first.get(said[at], {})
            sizes = range(min(self._longest.get(said[at], 0), len(said) - at), 0, -1)
            size = next((n for n in sizes if tuple(said[at : at + n]) in known), 0)
            if size:
                found.append(((at, size), known[tuple(said[at : at + size])]))
            at += size or 1
        return found
