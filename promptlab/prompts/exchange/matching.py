"""Which classes of the data a file means: by id, by name, or by name without case, underscores and spaces."""

from collections import defaultdict
from collections.abc import Iterable
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

    def fitting(self, name: str) -> set[int]:
        """Every class that a name may mean; none when it is unknown."""
        return {self._ids[name]} if name in self._ids else self._names.get(name) or self._folded.get(fold(name)) or set()

    def matched(self, names: Iterable[str]) -> Matches:
        """The classes that names mean. Raises UsageError for a name that several classes have."""
        found = Matches({}, [], [], [], [])
        for name in names:
            those = self.fitting(name)
            if len(those) > 1:
                ids = ", ".join(repr(self._classes.ids[c]) for c in sorted(those)[:4])
                raise UsageError(f"{name!r} may mean {len(those)} classes of the data: {ids}.", "Call each by its id in the file.")
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
