"""What a workbench shows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from promptlab.prompts.edits import Prompts
from promptlab.score.live import Moved, Standing
from promptlab.types import Array, Classes, Template

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Now:
    """Everything as it is after the last edit."""

    prompts: Prompts
    """What is said."""
    classes: Classes
    """The C classes, under the names of the prompts."""
    standing: Standing
    """How every class stands on tune."""
    weights: Array
    """(K,) or (K, C) f8: of the families in use; each column sums to 1."""
    texts: Array
    """(C,) int: texts of each class, over all families in use."""
    done: int
    """Edits that can be undone."""
    undone: int
    """Edits that can be done again."""


@dataclass(frozen=True, slots=True)
class Headline:
    """The figures of all classes together, on tune, which prompts are edited on: they flatter, and only a new run can judge."""

    images: int
    """On how many images."""
    labelled: bool
    """Whether the labels are true ones; else accuracies say how much the first ensemble agrees."""
    accuracy: float
    """Share of images."""
    mean: float
    """Mean of the class accuracies."""
    zeros: int
    """Classes that win none of their images."""
    k: int
    """How many worst classes are followed."""
    worst: float
    """Mean accuracy of the worst classes of the run's baseline; without labels of the run's classifier."""
    cmm: float
    """Mean over classes of cmm, in cosine units."""
    since: Moved
    """Against the run's own classifier."""
    several: bool = False
    """Whether images may show several classes: then shares are of right answers."""


@dataclass(frozen=True, slots=True)
class FamilyRow:
    """One family."""

    template: Template
    """What it says."""
    used: bool
    """Whether it takes part."""
    weight: float
    """Its weight, mean over classes; 0 when it is set aside."""
    score: float | None
    """What the weights are made from, when they were made; None where it was not weighed then."""
    accuracy: float | None
    """Share of tune that it wins alone; None where nobody knows."""


@dataclass(frozen=True, slots=True)
class TextRow:
    """One text of a class."""

    template: Template
    """Its family."""
    text: str
    """The words that are encoded."""
    own: bool
    """Whether it stands in for what the family would say."""
    weight: float
    """Of its family for this class."""
    cmm: float
    """Mean margin of the class's images if this text alone were its row, in cosine units; NaN without images."""
    accuracy: float
    """Share of the class's images that it would win; NaN without images."""
    too_long: bool
    """Whether the encoder cuts it."""


class Seen(NamedTuple):
    """One image of a class."""

    key: str
    rival: int  # the class that takes it, or comes next
    margin: float  # label - rival, in cosine units


def number(found: object) -> float | None:
    """A number of a run's file; None for what is none: whoever gave us the run may have written it."""
    return float(found) if isinstance(found, int | float) else None


def by_source(found: Iterable[tuple[str, T]], prompts: Prompts) -> dict[str, T]:
    """{source of a template: value} of (name of a family, value) in the order of the prompts: `{}` and `{{ name | lower }}` have one name,
    and each takes its own."""
    left: dict[str, list[str]] = {}
    for made in (*prompts.templates, *prompts.off):
        left.setdefault(made.name, []).append(made.source)
    return {left[name].pop(0) if left.get(name) else name: value for name, value in found}


def scores_of(result: Mapping[str, Any]) -> list[tuple[str, tuple[float | None, float | None]]]:
    """(family, (score, accuracy)) of what a run found; of what is no such list, nothing."""
    found = result.get("families")
    rows = [one for one in found if isinstance(one, dict) and "name" in one] if isinstance(found, list) else []
    return [(str(one["name"]), (number(one.get("score")), number(one.get("accuracy")))) for one in rows]
