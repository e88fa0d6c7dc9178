"""Which classes of the data a file means: by id, by name, or by either without case, underscores and spaces.

A file is read one way: by ids where all it has are ids and not all are names, by names where it is the other way round. Where both
readings fit, or neither does, what is the id of one class and a name of another is ambiguous.
"""

from collections import defaultdict
from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

from promptlab.errors import UsageError
from promptlab.types import Classes

SAFE_WAY = "Lines CLASS<TAB>NAME say which name is whose: --as tsv."
NEAR = 0.8  # how alike, of 1, two spellings of a name are: `goldfishes` and `goldfish`
START = 3  # letters that both have in common at the start of a word


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
    shared: list[tuple[str, list[str]]]  # (a class's id, what the file calls it: several things, each with an entry of its own)

    def clear(self) -> None:
        """Raises UsageError for a name that several classes have, and for a class that the file has under several names."""
        for name, ids in self.ambiguous:
            raise UsageError(
                f"{name!r} may mean {len(ids)} classes of the data, as id or as name: {', '.join(map(repr, ids[:4]))}.",
                "Call all classes by their ids and say so: --by-id (or lines of a .jsonl file), or leave those out where you may: "
                "--allow-missing",
            )
        for class_id, names in self.shared:
            raise UsageError(
                f"{' and '.join(map(repr, names[:4]))} of the file are one class of the data, {class_id!r}: they would be merged.",
                "Keep one of them in the file, or leave them out where you may: --allow-missing",
            )


class Known:
    """The classes of some data, to be found by what others call them."""

    def __init__(self, classes: Classes) -> None:
        self._classes = classes
        self._ids = {class_id: {c} for c, class_id in enumerate(classes.ids)}
        self._names = defaultdict[str, set[int]](set)
        self._like_ids, self._like_names = defaultdict[str, set[int]](set), defaultdict[str, set[int]](set)
        for c, (class_id, names) in enumerate(zip(classes.ids, classes.names, strict=True)):
            self._like_ids[fold(class_id)].add(c)
            for name in names:
                self._names[name].add(c)
                self._like_names[fold(name)].add(c)
        self._starts = defaultdict[str, set[str]](set)
        for like in (*self._like_ids, *self._like_names):
            for word in like.split():
                self._starts[word[:START]].add(like)

    def any_like(self, name: str) -> set[int]:
        """Every class that has this name or id, or one that differs by case and underscores alone."""
        return self._like_ids.get(fold(name), set()) | self._like_names.get(fold(name), set())

    def nearer(self, name: str, c: int) -> int | None:
        """The class whose name or id is spelt nearly like this, and more so than those of class c; None when there is none."""
        like = fold(name)
        own = {fold(one) for one in (self._classes.ids[c], *self._classes.names[c])}
        others = {one for word in like.split() for one in self._starts.get(word[:START], ())}
        near = get_close_matches(like, sorted(own | others), n=1, cutoff=NEAR)
        those = self.any_like(near[0]) if near else {c}
        return None if c in those else min(those)

    def _readings(self, names: Iterable[str], by_id: bool) -> dict[str, set[int]]:
        """{name: classes that it may mean}, exact before folded, in the one way in which the whole file can be read; else in both."""
        names = list(dict.fromkeys(names))
        if by_id:
            return {name: self._ids.get(name, set()) for name in names}
        ids = {name: self._ids.get(name) or self._like_ids.get(fold(name), set()) for name in names}
        named = {name: self._names.get(name) or self._like_names.get(fold(name), set()) for name in names}
        if all(ids.values()) != all(named.values()):
            return ids if all(ids.values()) else named
        return {name: ids[name] | named[name] for name in names}

    def matched(self, names: Iterable[str], by_id: bool = False) -> Matches:
        """The classes that names mean. by_id: they are ids, and nothing else."""
        found = Matches({}, [], [], [], [], [], [])
        callers = defaultdict[int, list[str]](list)
        for name, those in self._readings(names, by_id).items():
            if len(those) > 1:
                found.ambiguous.append((name, [self._classes.ids[c] for c in sorted(those)]))
            elif those:
                callers[min(those)].append(name)
            else:
                found.unknown.append(name)
        for c, called in callers.items():
            if len(called) > 1:
                found.shared.append((self._classes.ids[c], called))
            else:
                self._place(found, called[0], c)
        return found

    def _place(self, found: Matches, name: str, c: int) -> None:
        found.place[name] = c
        if name == self._classes.ids[c]:
            found.by_id.append(name)
        elif c in self._names.get(name, set()):
            found.by_name.append(name)
        else:
            found.folded.append((name, self._classes.ids[c]))
