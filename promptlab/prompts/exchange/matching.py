"""Which classes of the data a file means: by id, by name, or by name without case, underscores and spaces."""

from collections import defaultdict
from collections.abc import Iterable, Set
from typing import NamedTuple

from promptlab.errors import UsageError
from promptlab.types import Classes


def fold(name: str) -> str:
    """The name without case, its underscores and spaces alike."""
    return " ".join(name.replace("_", " ").split()).casefold()


class Matches(NamedTuple):
    """What was found of the names in a file."""

    place: dict[str, int]  # class index by the file's name
    by_id: list[str]
    by_name: list[str]
    folded: list[tuple[str, str]]  # (the file's name, the class's id)
    unknown: list[str]
    ambiguous: list[tuple[str, list[str]]]  # (the file's name, ids of all classes that it may mean)

    def clear(self) -> None:
        """Raises UsageError for a name that several classes have."""
        for name, ids in self.ambiguous:
            raise UsageError(
                f"{name!r} may mean {len(ids)} classes of the data: {', '.join(map(repr, ids[:4]))}.",
                "Call each by its id in the file, or leave them out where you may: --allow-missing",
            )


class Known:
    """The classes of some data, to be found by what others call them."""

    def __init__(self, classes: Classes) -> None:
        self._classes = classes
        self._ids = {class_id: c for c, class_id in enumerate(classes.ids)}
        self._names, self._folded = defaultdict[str, set[int]](set), defaultdict[str, set[int]](set)
        for c, (class_id, names) in enumerate(zip(classes.ids, classes.names, strict=True)):
            for name in names:
                self._names[name].add(c)
            for name in (class_id, *names):
                self._folded[fold(name)].add(c)

    def any_like(self, name: str) -> set[int]:
        """Every class that has this name or id, or one that differs by case and underscores alone."""
        return self._folded.get(fold(name), set())

    def _meant(self, name: str, given: Set[str]) -> set[int]:
        """The classes that a name may mean, ids before names before folded names.

        An id that is its own class's name and another's, too, may be meant as either, unless the file calls those others by their ids.
        """
        if name in self._ids:
            mine, named = self._ids[name], self._names.get(name, set())
            others = {c for c in named if mine in named and self._classes.ids[c] not in given}
            return {mine, *others}
        return self._names.get(name) or self.any_like(name)

    def matched(self, names: Iterable[str]) -> Matches:
        """The classes that names mean."""
        found, given = Matches({}, [], [], [], [], []), dict.fromkeys(names)
        for name in given:
            those = self._meant(name, given.keys())
            if len(those) > 1:
                found.ambiguous.append((name, [self._classes.ids[c] for c in sorted(those)]))
                continue
            if not those:
                found.unknown.append(name)
                continue
            found.place[name] = min(those)
            if name in self._ids:
                found.by_id.append(name)
            elif name in self._names:
                found.by_name.append(name)
            else:
                found.folded.append((name, self._classes.ids[min(those)]))
        return found
