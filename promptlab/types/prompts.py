"""What is said of which classes, and the vectors of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Self

import numpy as np

from promptlab.errors import DataError, MismatchError, unknown_name
from promptlab.types.arrays import Array, same_length


@dataclass(frozen=True)
class Classes:
    """C classes in label order. A label is an index into them; names may repeat, ids may not."""

    ids: tuple[str, ...]
    """(C,) what the data calls each class, e.g. the folder."""
    names: tuple[tuple[str, ...], ...]
    """(C,) the words for each class, at least one; the first is the one that tables show."""

    def __post_init__(self) -> None:
        same_length("Classes", ids=len(self.ids), names=len(self.names))
        if len(set(self.ids)) != len(self.ids):
            twice = sorted({i for i in self.ids if self.ids.count(i) > 1})
            raise DataError(f"The class ids {', '.join(twice[:3])} occur more than once.", "Give every class an id of its own.")
        given: tuple[object, ...] = self.names  # whoever writes without a type checker forgets the comma
        text = next((i for i, names in zip(self.ids, given, strict=True) if isinstance(names, str)), None)
        if text is not None:
            raise DataError(f"The names of the class {text!r} are a text; a tuple of names was expected.", "Write (name,) for one name.")
        empty = next((i for i, names in zip(self.ids, self.names, strict=True) if not names or not all(n.strip() for n in names)), None)
        if empty is not None:
            raise DataError(f"The class {empty!r} has an empty name.", "Give every class at least one word.")

    @classmethod
    def of(cls, names: Sequence[str]) -> Self:
        """Classes whose ids are their names; a repeated name gets a number into its id."""
        ids: dict[str, None] = {}
        for name in names:
            n, free = 1, name
            while free in ids or (n > 1 and free in names):
                n, free = n + 1, f"{name}#{n + 1}"
            ids[free] = None
        return cls(tuple(ids), tuple((name,) for name in names))

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Sequence[int]) -> "Classes":
        """Some of the classes, in that order."""
        return Classes(tuple(self.ids[c] for c in rows), tuple(self.names[c] for c in rows))

    def find(self, name: str) -> int:
        """The index of the class with that id or name. Raises UsageError that lists the nearest."""
        known = {**{t: c for c, t in enumerate(self.titles)}, **{i: c for c, i in enumerate(self.ids)}}
        if name not in known:
            raise unknown_name("class", name, known)
        return known[name]

    @cached_property
    def titles(self) -> tuple[str, ...]:
        """(C,) one name per class, for tables."""
        return tuple(names[0] for names in self.names)


@dataclass(frozen=True, slots=True)
class Template:
    """One sentence with a hole for the class name."""

    name: str
    """What tables call the family: the sentence with `{}` for the name."""
    source: str
    """Jinja2 with `{{ name }}`."""


class Form(StrEnum):
    """What a description is: a phrase that goes with a name, or a sentence that stands alone."""

    PHRASE = "phrase"
    SENTENCE = "sentence"


class Place(StrEnum):
    """Where a class's descriptions go: into each cell beside its bare texts (`inside`), in place of the name (`replace`), or into every
    cell alike, without the template (`beside`)."""

    INSIDE = "inside"
    REPLACE = "replace"
    BESIDE = "beside"


@dataclass(frozen=True, slots=True)
class Description:
    """What somebody says of one class: a person, a file, a language model; or another name for it."""

    class_id: str
    """The class, by id."""
    text: str
    """The words, cleaned."""
    form: Form
    """A phrase or a sentence."""
    place: Place
    """Where it goes."""
    use: bool
    """Whether classifiers are made with it."""
    source: str = ""
    """Who said it: a question pack and its version, `lint`, a file; empty when it was written by hand."""
    model: str = ""
    """The language model; empty when none was asked."""
    reply: str = ""
    """Key of the reply in the cache; empty when none was asked."""
    verdict: str = ""
    """Why it is used or not."""


class EditKind(StrEnum):
    """What is done to the prompts of a run."""

    TEXT = "text"
    ADD = "add"
    REMOVE = "remove"
    TOGGLE = "toggle"
    RENAME = "rename"
    DESCRIBE = "describe"
    USE = "use"
    LEAVE = "leave"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Edit:
    """One change to the prompts of a run."""

    kind: EditKind
    """What is done."""
    class_id: str = ""
    """The class, by id; empty where no single class is meant."""
    of: str = ""
    """`text`, `toggle`: the template, by source or as tables show it. `describe`: the description that is changed; empty for a new one.
    `import`: the file, for people."""
    words: tuple[str, ...] = ()
    """Templates (`add`, `remove`), names (`rename`), or texts; of `import` the texts of prompts.toml and descriptions.jsonl then.
    Empty: what the template says (`text`), the data's names (`rename`), no more (`describe`), all of the class (`use`, `leave`)."""


@dataclass(frozen=True, slots=True, eq=False)
class PromptGrid:
    """The K x C grid of cells; cell (k, c) holds the texts that family k says of class c, by index, never by class name."""

    classes: Classes
    """The C classes."""
    families: tuple[str, ...]
    """(K,) names of the families."""
    texts: tuple[str, ...]
    """(P,) the distinct texts."""
    cell: Array
    """(T, 3) int: family, class and text of each entry; every cell has at least one."""
    described: Array | None = None
    """(T,) bool: entries that are descriptions, which a cell joins apart from its bare texts; None when there are none."""
    share: Array | None = None
    """(C,) f8: the part of each cell's vector that its descriptions make, where it has bare texts, too; None when there are none."""

    def __post_init__(self) -> None:
        k, c = len(self.families), len(self.classes)
        if self.cell.ndim != 2 or self.cell.shape[1] != 3:
            raise MismatchError(f"PromptGrid.cell has shape {self.cell.shape}; (T, 3) was expected.")
        filled = np.zeros((k, c), bool)
        filled[self.cell[:, 0], self.cell[:, 1]] = True
        if not filled.all():
            raise DataError(f"{int((~filled).sum())} of {k} x {c} cells have no text.", "Every family needs a text for every class.")


@dataclass(frozen=True, slots=True, eq=False)
class TextBank:
    """The unit vectors of a grid's cells."""

    z: Array
    """(K, C, D) f4 unit: the renormalised mean of each cell's unit text vectors, descriptions by their share. Equal cells are equal to the
    bit."""
    grid: PromptGrid
    """What the vectors say."""
    encoder: str
    """Fingerprint of the encoder; empty when nobody knows it."""
    scale: float
    """Logits are cosine x scale."""
    too_long: tuple[str, ...] = ()
    """Texts longer than the encoder's context, which it cut."""
    texts: Array | None = None
    """(P, D) f4 unit: each text by itself; None where the data brought cells alone, each of one text."""
    logit_bias: float | None = None
    """What a sigmoid model adds to every logit; None for softmax models."""

    def __post_init__(self) -> None:
        k, c = len(self.grid.families), len(self.grid.classes)
        if self.z.shape[:2] != (k, c):
            raise MismatchError(f"TextBank.z has shape {self.z.shape}; ({k}, {c}, D) was expected.")

    def texts_of(self, c: int) -> tuple[Array, Array, Array]:
        """(families (n,), texts (n,), vectors (n, D)) of everything that is said of class c."""
        families, _, texts = self.grid.cell[self.grid.cell[:, 1] == c].T
        return families, texts, self.z[families, c] if self.texts is None else self.texts[texts]
