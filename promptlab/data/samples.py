"""What is in tar shards: of each sample (members of one name up to its first dot) the picture, and a label or captions.

Nothing else is ever decoded, and no object is ever loaded: of a `.npy` the header says how many plain numbers follow, and those are read.
"""

import io
import json
import re
import warnings
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from promptlab.data.captions import Texts
from promptlab.data.rows import Answer, Label
from promptlab.data.shardfolders import Layout, Shard
from promptlab.data.shards import LONGEST_TEXT, Member, index
from promptlab.display import many
from promptlab.errors import DataError

PICTURES = ("webp", "png", "jpg", "jpeg")  # in the order of CLIP_benchmark's reader
PICKLED = ("pkl", "pickle", "pyd", "pth", "pt", "npy", "npz")  # what others would unpickle
LONGEST_VECTOR = 1 << 20  # bytes of a .npy: 131,000 classes as f8
LONGEST_HEADER = 1 << 12  # bytes of what a .npy says of itself
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class Kind(StrEnum):
    """What is said of pictures."""

    CLASSIFICATION = "classification"
    RETRIEVAL = "retrieval"
    MULTILABEL = "multilabel"


SAID = {Kind.CLASSIFICATION: ("cls", "json"), Kind.RETRIEVAL: ("txt",), Kind.MULTILABEL: ("npy",)}  # the members that say it


class Sample(NamedTuple):
    """A picture in a shard."""

    key: str
    shard: int
    offset: int
    size: int
    label: Answer
    captions: Texts


class Found(NamedTuple):
    """What shards hold."""

    samples: list[Sample]  # sorted by key
    has_texts: bool  # whether there are .txt beside pictures
    width: int  # numbers of each .npy that was read; 0 where none was
    notes: list[str]  # on what is not read


def found_in(layout: Layout, kind: Kind) -> Found:
    """Every picture, and what is said of it. Raises DataError where there is none, and for members that say nothing of that kind."""
    found: list[Sample] = []
    left, widths = Counter(left=len(layout.left)), dict[int, str]()
    for number, shard in enumerate(layout.shards):
        longest = LONGEST_VECTOR if kind is Kind.MULTILABEL else LONGEST_TEXT
        held = index(shard.place, shard.place.status().size, lambda name: _parts(name)[1] in SAID[kind], longest)
        left["others"] += held.others
        for parts in _grouped(shard, held.members).values():
            picture = next((parts[ending] for ending in PICTURES if ending in parts), None)
            left["pickled"] += sum(ending.rpartition(".")[2] in PICKLED and ending not in SAID[kind] for ending in parts)
            if picture is None:
                left["bare"] += 1
                continue
            left["texts"] += "txt" in parts
            label, captions = _said(shard, parts, kind, widths)
            found.append(Sample(f"{shard.key}/{picture.name}", number, picture.offset, picture.size, label, captions))
    if not found:
        raise DataError(f"There is no picture in the shards of {layout.root!r}.", f"Pictures end in {', '.join(PICTURES)}.")
    if len(widths) > 1:
        (one, first), (other, second), *_ = widths.items()
        raise DataError(f"{first} has {one} numbers and {second} has {other}; one for each class was expected.", "Are they of one dataset?")
    return Found(sorted(found, key=lambda one: one.key), left["texts"] > 0, next(iter(widths), 0), _notes(layout, left))


def _notes(layout: Layout, left: Mapping[str, int]) -> list[str]:
    """What is not read, a sentence for each kind of it."""
    said = {
        "bare": f"{many(left['bare'], 'sample')} of the shards hold no picture and are left out.",
        "pickled": f"{many(left['pickled'], 'member')} that may hold pickled objects (.npy, .pth, .pkl ...) are never decoded.",
        "left": f"The folders {', '.join(layout.left)} hold shards, but no split is called so, and are left out.",
        "others": f"{many(left['others'], 'member')} of the shards are folders, links or devices and are left out.",
    }
    return [text for kind, text in said.items() if left[kind]]


def _parts(name: str) -> tuple[str, str]:
    """(the sample that a member belongs to, its ending): cut at the first dot of the last part of the path."""
    folder, slash, file = name.rpartition("/")
    base, _, ending = file.partition(".")
    return (folder + slash + base if base else ""), ending.lower()


def _grouped(shard: Shard, members: list[Member]) -> dict[str, dict[str, Member]]:
    """{sample: {ending: member}} of a shard."""
    samples: dict[str, dict[str, Member]] = {}
    for member in members:
        base, ending = _parts(member.name)
        if not base:
            continue  # a hidden file
        parts = samples.setdefault(base, {})
        if ending in parts:
            raise DataError(f"The shard {shard.place.text!r} has the member {member.name!r} twice.", "Each sample needs a name of its own.")
        parts[ending] = member
    return samples


def _said(shard: Shard, parts: Mapping[str, Member], kind: Kind, widths: dict[int, str]) -> tuple[Answer, Texts]:
    """(label, captions) of a sample. widths: gets how many numbers its .npy has, and the name of the first that has so many."""
    members = [parts[ending] for ending in SAID[kind] if ending in parts]
    if kind is Kind.RETRIEVAL:
        return None, tuple(line for member in members for line in _lines(shard, member))
    if kind is Kind.MULTILABEL and members:
        shown = _vector(shard, members[0])
        widths.setdefault(len(shown), f"{members[0].name!r} in {shard.place.text!r}")
        return tuple(np.flatnonzero(shown).tolist()), ()
    return _agreed(shard, [(member.name, _label(shard, member)) for member in members]), ()


def _lines(shard: Shard, member: Member) -> list[str]:
    """The captions of a member, one a line. Raises DataError where there is none, and for what is no UTF-8."""
    try:
        text = (member.content or b"").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{member.name!r} in {shard.place.text!r} is no text: {error}.", "Captions are UTF-8, one a line.") from error
    found = [line.strip() for line in re.split(r"\r?\n", text) if line.strip()]
    if not found:
        raise DataError(f"{member.name!r} in {shard.place.text!r} is empty; a caption was expected.", "Captions are UTF-8, one a line.")
    return found


def _vector(shard: Shard, member: Member) -> np.ndarray:
    """(C,) the zeros and ones of a .npy. Raises DataError for whatever else it holds, or says of itself."""
    content, where = member.content or b"", f"{member.name!r} in {shard.place.text!r}"
    file = io.BytesIO(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # numpy mends old headers, and warns
            shape, _, kind = HEADERS[np.lib.format.read_magic(file)](file, max_header_size=LONGEST_HEADER)
    except Exception as error:  # numpy hands what a stranger wrote to Python's own parser, which raises many kinds
        raise DataError(f"{where} is no .npy of plain numbers.", "A 0 or 1 for each class was expected.") from error
    fits = len(shape) == 1 and shape[0] > 0 and kind.kind in "biuf"
    if not fits or file.tell() + shape[0] * kind.itemsize != len(content):
        raise DataError(f"{where} says that it is {str(kind)[:40]} {str(shape)[:40]}; a 0 or 1 for each class was expected.")
    numbers = np.frombuffer(content, np.uint8 if kind.kind == "b" else kind, offset=file.tell())
    if not ((numbers == 0) | (numbers == 1)).all():
        odd = numbers[~((numbers == 0) | (numbers == 1))][0]
        raise DataError(f"{where} holds {odd}; a 0 or 1 for each class was expected.")
    return numbers


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
