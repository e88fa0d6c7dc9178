"""Pictures in tar shards, as webdataset writes them, and CLIP_benchmark's folders of such shards.

Of a sample (members of one name up to its first dot) the picture is read and a label, `.cls` or `.json`; nothing else is ever decoded.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from promptlab.data.listing import LARGEST
from promptlab.data.places import Place, bare, is_url, place
from promptlab.data.rows import SPLITS, Label, labelled, parted, split_in
from promptlab.data.shards import Index, Member, index
from promptlab.display import many
from promptlab.errors import DataError, PromptlabError
from promptlab.protocols import DataOptions
from promptlab.types import Classes, Dataset, Images

PICTURES = ("webp", "png", "jpg", "jpeg")  # in the order of CLIP_benchmark's reader
LABELS = ("cls", "json")
PICKLED = ("pkl", "pickle", "pyd", "pth", "pt", "npy", "npz")  # what others would unpickle
PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
MOST_SHARDS = 100_000
MOST_BRACES = 16  # in a pattern
LONGEST_TEXT = 1 << 24  # bytes of a file of class names
BRACES = re.compile(r"\{(?:(\d{1,9})\.\.(\d{1,9})|([^{}]*,[^{}]*))\}")
COUNT, NAMES, TEMPLATES, KIND = "nshards.txt", "classnames.txt", "zeroshot_classification_templates.txt", "dataset_type.txt"
CLASSIFICATION = ("", "classification", "zeroshot_classification")


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


class Sample(NamedTuple):
    """A picture in a shard."""

    key: str
    shard: int
    offset: int
    size: int
    label: Label


class WebDataset:
    """Tar shards: one, a pattern, a folder of them, or CLIP_benchmark's train/ and test/ with their class names and templates."""

    name = "webdataset"
    about = "tar shards: one .tar, shards-{000..012}.tar, a folder of them, or CLIP_benchmark's layout; local or s3://, https://, ..."
    example = "promptlab run 'shards-{000..012}.tar' --classes names.txt"

    def claims(self, where: str) -> bool:
        """A name that ends in .tar, or a folder that holds shards."""
        try:
            named = bare(where).lower().endswith((".tar", *PACKED))
            return where.startswith("pipe:") or (named and _may_be_shard(where)) or _holds_shards(where)
        except (OSError, PromptlabError):
            return False  # a place that cannot be looked at: ImageFolder says so

    def open(self, where: str, options: DataOptions) -> Dataset:
        """The dataset; of shards headers and labels are read. Raises DataError for shards that are damaged, missing or of another kind."""
        layout = _layout(where)
        _check_kind(layout.about)
        stamps = [shard.place.status().stamp for shard in layout.shards]
        found, notes = _samples(layout)
        own = _names(layout.about / NAMES)
        classes, labels = labelled(where, [one.label for one in found], options, Classes.of(own) if own else None)
        splits, more = parted(f"The name of each shard of {where!r}, or its folder's,", [layout.shards[one.shard].split for one in found])
        parts = {
            name: _images(name, layout, [found[row] for row in rows], None if labels is None else labels[rows], stamps)
            for name, rows in splits.items()
        }
        return Dataset(layout.name, classes, parts, notes=(*more, *notes), templates=tuple(_lines(layout.about / TEMPLATES)))


def _may_be_shard(where: str) -> bool:
    return _is_pattern(where) or is_url(where) or place(where).is_file()


def _is_pattern(where: str) -> bool:
    return bare(where).lower().endswith(".tar") and BRACES.search(where) is not None and (is_url(where) or not os.path.exists(where))


def _holds_shards(where: str) -> bool:
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


def _layout(where: str) -> Layout:
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
    counted = _lines(folder / COUNT)
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


def _lines(file: Place, keep_empty: bool = False) -> list[str]:
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


def _names(file: Place) -> list[str]:
    """Class names in label order. Raises DataError for an empty line between them, which leaves a label without a name."""
    lines = _lines(file, keep_empty=True)
    while lines and not lines[-1]:
        lines.pop()
    if "" in lines:
        raise DataError(f"Line {lines.index('') + 1} of {file.text!r} is empty; the name of a class was expected.")
    return lines


def _check_kind(about: Place) -> None:
    kind = " ".join(_lines(about / KIND)).lower()
    if kind not in CLASSIFICATION:
        raise DataError(f"{(about / KIND).text!r} says {kind[:40]!r}; promptlab does not read that kind of task yet, only classification.")


def _samples(layout: Layout) -> tuple[list[Sample], list[str]]:
    """(every picture, sorted by key; notes on what is not read)."""
    found: list[Sample] = []
    left = Counter(left=len(layout.left))
    for number, shard in enumerate(layout.shards):
        held = index(shard.place, shard.place.status().size, lambda name: _parts(name)[1] in LABELS)
        left["others"] += held.others
        found += _grouped(shard, number, held, left)
    if not found:
        raise DataError(f"There is no picture in the shards of {layout.root!r}.", f"Pictures end in {', '.join(PICTURES)}.")
    said = {
        "bare": f"{many(left['bare'], 'sample')} of the shards hold no picture and are left out.",
        "pickled": f"{many(left['pickled'], 'member')} that may hold pickled objects (.npy, .pth, .pkl ...) are never decoded.",
        "left": f"The folders {', '.join(layout.left)} hold shards, but no split is called so, and are left out.",
        "others": f"{many(left['others'], 'member')} of the shards are folders, links or devices and are left out.",
    }
    return sorted(found), [text for kind, text in said.items() if left[kind]]


def _parts(name: str) -> tuple[str, str]:
    """(the sample that a member belongs to, its ending): cut at the first dot of the last part of the path."""
    folder, slash, file = name.rpartition("/")
    base, _, ending = file.partition(".")
    return (folder + slash + base if base else ""), ending.lower()


def _grouped(shard: Shard, number: int, held: Index, left: "Counter[str]") -> Iterator[Sample]:
    """The samples of a shard that have a picture; what they leave aside is counted."""
    samples: dict[str, dict[str, Member]] = {}
    for member in held.members:
        base, ending = _parts(member.name)
        if not base:
            continue  # a hidden file
        parts = samples.setdefault(base, {})
        if ending in parts:
            raise DataError(f"The shard {shard.place.text!r} has the member {member.name!r} twice.", "Each sample needs a name of its own.")
        parts[ending] = member
    for parts in samples.values():
        picture = next((parts[ending] for ending in PICTURES if ending in parts), None)
        left["pickled"] += sum(ending.rpartition(".")[2] in PICKLED for ending in parts)
        if picture is None:
            left["bare"] += 1
            continue
        label = _agreed(shard, [(parts[ending].name, _label(shard, parts[ending])) for ending in LABELS if ending in parts])
        yield Sample(f"{shard.key}/{picture.name}", number, picture.offset, picture.size, label)


def _agreed(shard: Shard, said: list[tuple[str, Label]]) -> Label:
    """The label that a sample's members, (name, label) each, give it. Raises DataError where they give two."""
    labels = [(name, label) for name, label in said if label is not None]
    if len(labels) == 2 and labels[0][1] != labels[1][1] and type(labels[0][1]) is type(labels[1][1]):
        one, other = (f"{name!r} {str(label)[:40]!r}" for name, label in labels)
        raise DataError(f"In the shard {shard.place.text!r} {one} and {other} are labels of one sample.", "Remove the one that is wrong.")
    return labels[0][1] if labels else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Raises ValueError where it says something twice."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("it has a key twice")
    return made


def _label(shard: Shard, member: Member) -> Label:
    """What a label member says: a number; of JSON a number or a name, alone or as `label` or `cls`."""
    said = (member.content or b"").decode("utf-8", "replace").strip()
    value: Any = said
    if member.name.lower().endswith(".json"):
        try:
            value = json.loads(said, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:  # ValueError: no JSON, or a number of 5,000 digits
            raise DataError(f"{member.name!r} in {shard.place.text!r} is no JSON: {getattr(error, 'msg', error)}.") from error
        if isinstance(value, dict):
            value = value.get("label", value.get("cls"))
        if value is None:
            return None
    elif re.fullmatch(r"-?[0-9]{1,18}", said):
        value = int(said)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | str)
        or (isinstance(value, str) and not member.name.lower().endswith(".json"))
    ):
        raise DataError(f"{member.name!r} in {shard.place.text!r} says {said[:40]!r}; the number of a class was expected.")
    return value


def _images(split: str, layout: Layout, some: Sequence[Sample], labels: np.ndarray | None, stamps: Sequence[str]) -> Images:
    """Samples as a split. stamps: of each shard; a changed one costs all its pictures."""

    def read(i: int) -> bytes:
        one = some[i]
        if one.size > LARGEST:
            raise DataError(f"it has more than {LARGEST:,} bytes")
        data = layout.shards[one.shard].place.read(one.offset, one.size)
        if len(data) < one.size:
            raise DataError("its shard was cut off after it was opened")
        layout.shards[one.shard].place.check(stamps[one.shard])
        return data

    marks = tuple(f"{stamps[one.shard]}-{one.offset}" for one in some)
    return Images(split, tuple(one.key for one in some), marks, labels, read, layout.root)
