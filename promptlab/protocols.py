"""What an outsider looks like: the shapes that plugins fill."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from promptlab.errors import UsageError
from promptlab.events import Listener
from promptlab.types import Array, Classifier, Dataset, Evaluation, Features, Finding, Images


@dataclass(frozen=True, slots=True)
class DataOptions:
    """What the user said beside the place of the data."""

    names: str = ""
    """Path of the file given as `--classes`: names in label order, one a line, or `name<TAB>new name`; empty when none was given. A source
    that makes nothing of it never reads this, and `--classes` is refused for its data; one that reads it changes its classes by it, or
    raises DataError."""
    offline: bool = False
    """Whether nothing may be fetched from elsewhere; `open` then raises DataError for what is not on this machine. `claims` never goes to
    the network."""


class DatasetSource(Protocol):
    """Opens data that a user names or points to."""

    name: str
    """How tables and messages call it; for a source of one dataset, the word that the user types."""
    about: str
    """One line."""
    example: str
    """A command line that works."""

    def claims(self, where: str) -> bool:
        """Whether `where`, as typed by the user, is this source's: a place that it understands, or its name. Cheap, reads no picture."""
        ...

    def open(self, where: str, options: DataOptions) -> Dataset:
        """The dataset; raises DataError that says what was found and what was expected."""
        ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a language model is asked: a server that speaks OpenAI's Chat Completions, or replies that were kept before."""

    provider: str
    """Who answers, part of every reply's key: the alias, or the server's host and port."""
    model: str
    """The model, as the server calls it."""
    base_url: str = ""
    """E.g. `http://127.0.0.1:8080/v1`; empty when only kept replies can be had."""
    key: str = field(default="", repr=False)
    """The API key; empty where none is needed. Never shown, never written."""
    replies: str = ""
    """A folder of replies that came with it; empty when there is none."""


@dataclass(frozen=True, slots=True)
class ChatAlias:
    """A short name for a language model."""

    name: str
    """The word that the user types: `--llm local`."""
    open: Callable[[str], AbstractContextManager[Endpoint]]
    """Makes the model ready and says where it is asked; what follows the name after a colon is given, else an empty word
    (`--llm local:/models/some.gguf`). Leaving the context stops what it started."""
    about: str = ""
    """One line."""


class Encoder(Protocol):
    """Turns texts and pictures into vectors of one space.

    While it encodes it calls `listen` with `Progressed("encode texts", done)` or `Progressed("encode pictures", done)` after each batch,
    where done grows to the number that was asked for. The listener may raise `Cancelled`, which passes through.
    """

    name: str
    """How tables call it."""
    fingerprint: str
    """Changes when any vector would change; known without loading the model."""
    precision: str
    """Of pictures: `fp32`, `fp16` or `bf16`; texts are always fp32."""

    @property
    def scale(self) -> float:
        """Logits are cosine x scale: the model's `logit_scale.exp()`."""
        ...

    @property
    def logit_bias(self) -> float | None:
        """What a sigmoid model adds to every logit; None for softmax models."""
        ...

    def clean(self, text: str) -> str:
        """The text as the tokenizer sees it; texts that are equal after it have equal vectors."""
        ...

    def tokens(self, text: str) -> int:
        """Tokens of the text with its start and end, before any cut."""
        ...

    @property
    def context_length(self) -> int:
        """Tokens that the model reads; what is longer is cut."""
        ...

    def encode_texts(self, texts: Sequence[str], listen: Listener) -> Array:
        """(P, D) f4 unit."""
        ...

    def encode_images(self, images: Images, rows: Sequence[int], listen: Listener) -> tuple[Array, dict[int, str]]:
        """(n, D) f4 or f2 unit vectors of the readable rows, in order, and {row: reason} for those that could not be read. A reason that
        begins with `cannot be opened` is the disk's: that picture is tried again the next time."""
        ...


@dataclass(frozen=True, slots=True)
class ModelAlias:
    """A short name for a model: one that open_clip can load, or an encoder that a plugin makes."""

    name: str
    """The word that the user types."""
    target: str = ""
    """What it stands for, as `--model` takes it: `local-dir:FOLDER`, `NAME,TAG`, `NAME,FILE`; empty for an alias with an `open`."""
    about: str = ""
    """One line."""
    open: Callable[[str], Encoder] | None = None
    """Makes the encoder, given the device (`cpu`, `cuda`, `mps`); the model itself is best loaded when it is first asked. None for an alias
    with a `target`."""

    def __post_init__(self) -> None:
        if bool(self.target) == (self.open is not None):
            raise UsageError(f"The model {self.name!r} needs one of `target` and `open`; it has {'both' if self.open else 'none'}.")


class Contest(Protocol):
    """B images against C classes within K families, as a rule sees it: tensors that understand + - * < and `.sum(-1)`. Made for reading:
    what changes one changes it for the rules that come after. The K families may be some of all, as `families` says."""

    label: Any
    """(B, K) int: the right answers."""
    true: Any
    """(B, K) cosine of the right answer."""
    rival: Any
    """(B, K) highest cosine of any other class."""
    winner: Any
    """(B, K) int: the class with the highest cosine; the lowest index wins a tie."""
    right: Any
    """(B, K) bool: whether the right answer wins: `winner == label`, at a third of the cost."""
    rank: Any
    """(B, K) int: rivals above the right answer, plus equal ones with a lower index."""
    logz: Any
    """(B, K) log of the sum of exp(logit) over classes."""
    expected: Any
    """(B, K) sum of softmax x logit."""
    scale: float
    """Logits are cosine x scale."""
    similarity: Any
    """(B, K, C) every cosine; -inf for what is no rival: the other right answers of a picture that shows several classes."""
    x: Any
    """(B, D) the images, unit."""
    start: int
    """Which image of all the first one is."""
    families: slice
    """Which of all families these are; a `State` keeps the rows of this slice."""


class State(Protocol):
    """What a rule that is no mean over images keeps while images stream by, made of a `Setting` by the rule's `start`, which may be the
    state's class. Its arrays begin with (K, C), `setting.columns.shape[:2]`, for all K families; `add` is given some of them at a time."""

    def add(self, contest: Any) -> None:
        """Take in one batch within one slice of families; the next call may bring the same images within others."""
        ...

    def merge(self, other: Any) -> None:
        """Take in the state of other images."""
        ...

    def per_class(self) -> tuple[Array, Array]:
        """Two numpy arrays, both (K, C): f8 values, NaN where there is none, and int counts of the images that each stands on."""
        ...


class Unit(StrEnum):
    """What a rule's values are: margins in cosine units, shares of images in [0, 1], or logits and nats."""

    MARGIN = "margin"
    """Differences of cosines: `true - rival`. Weights are made of them times the model's scale."""
    SHARE = "share"
    """0 to 1, shown as percent: `right`. These alone can be joined by `hmean` and `zeros`."""
    LOGIT = "logit"
    """Cosines times `contest.scale`, and what comes of a softmax: `logz`, entropies. Weights are made of them as they are."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A scoring rule: what it reads off each image, and how classes are joined."""

    name: str
    """The word that the user types, e.g. `cmm`."""
    per_image: Callable[[Any], Any] | None = None
    """Contest -> (B, K); its class mean is the score. None for a rule with a `start`."""
    start: Callable[[Any], State] | None = None
    """Setting -> State, for a rule that is no mean over images."""
    reducer: str = "mean"
    """Over classes: `mean` unless said, `overall`, `worst-k`, `min`; for shares also `hmean`, `zeros`; for f1 also `macro`, `micro`,
    `weighted`."""
    unit: Unit = Unit.MARGIN
    """What its values are; margins unless said."""
    lower_is_better: bool = False
    """Whether less is better, as with entropy; such a rule is negated when it ranks or weighs."""
    about: str = ""
    """One line."""
    by: str = ""
    """Which plugin brought it, and its version; promptlab fills it in, for every score that the rule makes."""
    pictures: bool = False
    """Whether it looks at each picture once, where pictures may show several classes and the labels are true ones. Others look at every
    right answer, a row each, without the picture's other right answers; the two are one where a picture has one right answer."""

    def __post_init__(self) -> None:
        if (self.per_image is None) == (self.start is None):
            has = "both" if self.start else "none"
            raise UsageError(f"The rule {self.name!r} needs one of `per_image` and `start`; it has {has}.")


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What an analysis is given: a classifier that was judged, and the one that it is measured against, on the same pictures."""

    features: Features
    """The N pictures that it was judged on, as vectors, with labels where the data has some; where they may show several classes the right
    answers, a row each, and `features.pictures` has each picture once."""
    classifier: Classifier
    """What the run keeps: (C, D) rows and (C,) offsets, with the C classes."""
    before: Evaluation
    """How uniform weights do."""
    after: Evaluation
    """How the classifier does; `after.outcomes` tells it picture by picture."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """A question to a finished run, whose answer becomes a part of its report."""

    name: str
    """A word or two, e.g. `swaps`; the report's heading."""
    find: Callable[[Judged], Finding | None]
    """The answer; None where there is none, e.g. for data without labels."""
    about: str = ""
    """One line."""
