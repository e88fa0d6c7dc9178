"""What a file of prompts says, whatever its format."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from promptlab.types import Description


class Kind(StrEnum):
    """What a file holds."""

    TEMPLATES = "templates"
    NAMES = "names"
    TEXTS = "texts"


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody says of a file beside its name. Empty: the file is to tell."""

    format: str = ""
    """One of `reading.FORMATS`; empty: by its shape."""
    key: str = ""
    """The data set, language or list that is meant; empty: the only one."""
    class_names: str = ""
    """A file with the list of names that numbers in the file mean; empty where there are none."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file says, before anybody looked for its classes."""

    format: str
    """One of `reading.FORMATS`."""
    kind: Kind
    """What it holds; the fields of other kinds are empty."""
    templates: tuple[str, ...] = ()
    """As they are written, `{c}` and all."""
    at: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """{place in label order: names}; empty when names are told by class."""
    whole: bool = True
    """Whether `at` means to name every class."""
    names: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(class as the file calls it, its names)."""
    said: tuple[Description, ...] = ()
    """What is said of classes, whose ids are what the file calls them."""
    by_id: bool = False
    """Whether what the file calls classes are the data's ids and nothing else."""
    empty: tuple[str, ...] = ()
    """Classes of which the file says nothing, though it has them."""
    which: bool = False
    """Whether phrases get the words `which is` or `which has`, as DCLIP joins them to a name."""
    notes: tuple[str, ...] = ()
    """What was decided on the way and somebody should know."""
