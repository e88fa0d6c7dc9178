"""Which tar shards a place stands for, and what lies beside them: one, a pattern, a folder of them, or CLIP_benchmark's folders."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from promptlab.data.places import Place, bare, is_url, place
from promptlab.data.rows import SPLITS, split_in
from promptlab.display import many
from promptlab.errors import DataError

PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
MOST_SHARDS = 100_000
MOST_BRACES = 16  # in a pattern
LONGEST_TEXT = 1 << 24  # bytes of a file of class names
BRACES = re.compile(r"\{(?:(\d{1,9})\.\.(\d{1,9})|([^{}]*,[^{}]*))\}")
COUNT, NAMES, TEMPLATES, KIND = "nshards.txt", "classnames.txt", "zeroshot_classification_templates.txt", "dataset_type.txt"


class Shard(NamedTuple):
    """One tar."""

    key: str  # what its pictures' keys begin with
    place: Place
    split: str  # empty where neither folder nor name holds one


class Layout(NamedTuple):
    """Shards, and what lies beside them."""

    name: str
    root: str
    shards: list[Shard]
    about: Place  # the folder of class names and templates
    left: tuple[str, ...] = ()  # folders of further shards, which are not read


def holds_shards(where: str) -> bool:
    """Whether a place is a shard, a pattern or a folder that holds shards, by its name and what it lists."""
    named = bare(where).lower().endswith((".tar", *PACKED))
    return where.startswith("pipe:") or (named and _may_be_shard(where)) or _is_folder_of(where)


def _may_be_shard(where: str) -> bool:
    return _is_pattern(where) or is_url(where) or place(where).is_file()


def _is_pattern(where: str) -> bool:
    return bare(where).lower().endswith(".tar") and BRACES.search(where) is not None and (is_url(where) or not os.path.exists(where))


def _is_folder_of(where: str) -> bool:
    folder = place(where)
    if not folder.lists:
        return any((folder / part / COUNT).is_file() for part in ("", "train", "test"))
    if not folder.is_folder():
        return False
    entries = folder.entries()
    below = [one.name for one in entries if one.is_folder and not one.name.startswith(".")]
    splits = [name for name in below if name.lower() in SPLITS]
    here = any(one.name == COUNT or one.name.lower().endswith(".tar") for one in entries if not one.is_folder)
    return (here and below == splits) or any(_counts(folder / name) for name in splits)  # beside class folders a tar is a backup


def _tars(folder: Place) -> list[str]:
    return [one.name for one in folder.entries() if not one.is_folder and one.name.lower().endswith(".tar")]


def _split_folders(folder: Place) -> list[Place]:
    return [folder / name for name in _folders_of_shards(folder) if name.lower() in SPLITS]


def _folders_of_shards(folder: Place) -> list[str]:
    """The names of those below a folder; none where it cannot be listed."""
    entries = folder.entries() if folder.lists and folder.is_folder() else []
    return [one.name for one in entries if one.is_folder and not one.name.startswith(".") and _counts(folder / one.name)]


def expanded(pattern: str) -> Iterator[str]:
    """The names that a pattern stands for: {000..012} counts, {a,b} lists. Raises DataError for too many."""
    if pattern.count("{") > MOST_BRACES:
        raise DataError(f"{pattern[:60]!r}... has more than {MOST_BRACES} braces.", "One or two count all shards: {000..012}.")
    found = BRACES.search(pattern)
    if found is None:
        yield pattern
        return
    first, last, words = found[1], found[2], found[3]
    if words is None and not 0 <= int(last) - int(first) < MOST_SHARDS:
        raise DataError(f"{found[0]} in {pattern!r} does not count up to at most {MOST_SHARDS:,} shards.", "Write for example {000..012}.")
    width = len(first) if first and first.startswith("0") else 0
    for word in words.split(",") if words is not None else (f"{n:0{width}d}" for n in range(int(first), int(last) + 1)):
        yield from expanded(pattern[: found.start()] + word + pattern[found.end() :])


def layout_of(where: str) -> Layout:
    """The shards that `where` stands for."""
    if bare(where).lower().endswith(PACKED):
        raise DataError(f"{where!r} is a packed tar, which cannot be read in parts.", "Unpack it to a .tar: pictures are packed already.")
    if _is_pattern(where):
        return _pattern(where)
    here = place(where)
    if here.name.lower().endswith(".tar") and not here.is_folder():
        return Layout(here.name[: -len(".tar")], here.root, [Shard(here.name, here, "")], _about(here.parent))
    above = _above(here)
    below = _folders_of_shards(here)
    if _counts(here):
        if below:
            raise DataError(f"{where!r} holds shards, and so do its folders {', '.join(below)}.", f"Name one: {(here / below[-1]).text}")
        prefix = f"{here.name}/" if above else ""
        shards = [Shard(prefix + name, here / name, split_in(name)) for name in _numbered(here)]
        return Layout((above or here).name, (above or here).root, shards, above or here)
    parts = _split_folders(here) if here.lists else [part for part in (here / "train", here / "test") if _counts(part)]
    shards = [Shard(f"{part.name}/{name}", part / name, split_in(part.name, name)) for part in parts for name in _numbered(part)]
    return Layout(here.name, here.root, shards, here, tuple(name for name in below if name.lower() not in SPLITS))


def _pattern(where: str) -> Layout:
    names = []
    for name in expanded(where):
        names.append(name)
        if len(names) > MOST_SHARDS:
            raise DataError(f"{where!r} stands for more than {MOST_SHARDS:,} shards.")
    fixed = where[: where.rfind("/", 0, where.index("{")) + 1]
    places = list(map(place, names))
    keys = [bare(name).removeprefix(fixed) for name in names]
    shards = [Shard(key, one, split_in(key)) for key, one in zip(keys, places, strict=True)]
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise DataError(f"{where!r} stands for {twice!r} more than once.")
    name = re.sub(r"\W+$", "", where[len(fixed) : where.index("{")]) or _about(places[0].parent).name
    root = place(fixed or ".").root.rstrip("/") + "/" + where[len(fixed) :]
    return Layout(name, root, shards, _about(places[0].parent))


def _above(folder: Place) -> Place | None:
    """The folder that a split's folder is part of; None for any other."""
    above = folder.parent
    return above if folder.name.lower() in SPLITS and any((above / name).is_file() for name in (NAMES, TEMPLATES, KIND)) else None


def _about(folder: Place) -> Place:
    return _above(folder) or folder


def _counts(folder: Place) -> bool:
    """Whether it is a folder of shards, or says how many there should be."""
    return (folder / COUNT).is_file() or (folder.lists and bool(_tars(folder)))


def _numbered(folder: Place) -> list[str]:
    """The shards of a folder. Raises DataError where they are not those that its nshards.txt counts: a missing one is missing unseen."""
    counted = lines_of(folder / COUNT)
    there = _tars(folder) if folder.lists else []
    if not counted:
        return there
    if len(counted) != 1 or not re.fullmatch(r"\d{1,6}", counted[0]) or not 0 < int(counted[0]) <= MOST_SHARDS:
        raise DataError(f"{(folder / COUNT).text!r} says {counted[0][:40]!r}; the number of shards was expected.")
    expected = [f"{i}.tar" for i in range(int(counted[0]))]
    if folder.lists and set(there) != set(expected):
        odd = sorted(set(expected) - set(there)) or sorted(set(there) - set(expected))
        raise DataError(
            f"{(folder / COUNT).text!r} says {many(len(expected), 'shard')}, but {len(there)} are there; "
            f"{odd[0]!r} is {'missing' if odd[0] in expected else 'one too many'}.",
            "Fetch what is missing, or correct the number.",
        )
    return expected


def lines_of(file: Place, keep_empty: bool = False) -> list[str]:
    """The lines of a text file that are not empty, or all; none where there is no file. Raises DataError for what is no UTF-8."""
    if not file.is_file():
        return []
    said = file.read(length=LONGEST_TEXT + 1)
    if len(said) > LONGEST_TEXT:
        raise DataError(f"{file.text!r} has more than {LONGEST_TEXT:,} bytes.", "It must be a text file with a line for each name.")
    try:
        text = said.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file.text!r} cannot be read: {error}.", "It must be a UTF-8 text file.") from error
    return [line.strip() for line in re.split(r"\r?\n", text) if keep_empty or line.strip()]


def names_of(file: Place) -> list[str]:
    """Class names in label order. Raises DataError for an empty line between them, which leaves a label without a name."""
    lines = lines_of(file, keep_empty=True)
    while lines and not lines[-1]:
        lines.pop()
    if "" in lines:
        raise DataError(f"Line {lines.index('') + 1} of {file.text!r} is empty; the name of a class was expected.")
    return lines
