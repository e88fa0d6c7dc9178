"""The values that come out: scores, weights, classifiers, judgements."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from promptlab.errors import MismatchError
from promptlab.types.arrays import Array, same_length
from promptlab.types.data import Combine
from promptlab.types.prompts import Classes


@dataclass(frozen=True, slots=True, eq=False)
class Scoreboard:
    """What one rule says of K families and C classes."""

    rule: str
    """`rule/reducer`, e.g. `cmm/worst-10`."""
    labels: str
    """The label source that was used."""
    families: tuple[str, ...]
    """(K,) names of the families."""
    value: Array
    """(K,) f8, as measured."""
    per_class: Array
    """(K, C) f8; NaN where the class is left out."""
    count: Array
    """(K, C) int: images that each value stands on; 0 for absent or never predicted classes."""
    unit: str
    """`margin` in cosine units, `share` of images, or `logit`."""
    lower_is_better: bool
    """Whether less is better; ranking and weighing then negate."""
    ties: Array
    """(K,) int: images whose right answer is tied with another class."""
    by: str = ""
    """Which plugin brought the rule, and its version; empty when nobody said."""


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """One weight per family, or one per family and class."""

    w: Array
    """(K,) or (K, C) f8, >= 0; each column sums to 1."""
    families: tuple[str, ...]
    """(K,) names of the families."""
    how: str
    """The way they were found, e.g. `cpe`."""
    score: Array | None = None
    """(K,) the score that they were made from; None for `uniform`."""

    def __post_init__(self) -> None:
        same_length("Weights", weights=len(self.w), families=len(self.families))
        total = self.w.sum(0)
        if not np.isfinite(self.w).all() or (self.w < 0).any() or (abs(total - 1) > 1e-9).any():
            raise MismatchError(
                f"Weights must be finite, not negative and sum to 1; these sum to {np.ravel(total)[np.argmax(abs(total - 1))]:.6g}."
            )

    @property
    def overall(self) -> Array:
        """(K,) the weight of each family, mean over classes where they differ."""
        return self.w if self.w.ndim == 1 else np.asarray(self.w.mean(1))

    @property
    def effective(self) -> float:
        """1 / sum w²: the number of families that really count; median over classes where they differ."""
        return float(np.median(1 / (self.w**2).sum(0)))


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """logits = scale * x @ weight.T + bias."""

    weight: Array
    """(C, D) f4; unit rows under `embedding`, norm <= 1 under `logit`."""
    bias: Array
    """(C,) f4 in logits; zeros when nothing was balanced."""
    scale: float
    """Of the encoder."""
    classes: Classes
    """The C classes."""
    encoder: str
    """Fingerprint of the encoder; empty when nobody knows it."""
    combine: Combine = Combine.EMBEDDING
    """How the families were joined."""
    lineage: dict[str, Any] = field(default_factory=dict)
    """How it was made: families, weights, templates, dataset, versions. Plain JSON."""
    logit_bias: float | None = None
    """What a sigmoid model adds to every logit, beside `bias`; None for softmax models. It moves no winner, only shares."""

    def __post_init__(self) -> None:
        same_length("Classifier", rows=len(self.weight), biases=len(self.bias), classes=len(self.classes))


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval."""

    low: float
    """Lower end."""
    high: float
    """Upper end."""

    @property
    def clear(self) -> bool:
        """Whether it lies wholly on one side of 0; if not, a difference is "no clear change"."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What one classifier does with N images, image by image."""

    winner: Array
    """(N,) int: the predicted class."""
    label: Array | None
    """(N,) int: the right answers; None without labels."""
    rival: Array
    """(N,) int: the strongest class other than the label (without labels: than the winner)."""
    margin: Array
    """(N,) f8 cosine units: true - rival (without labels: winner - rival)."""
    picture: Array | None = None
    """(N,) int: the picture of each, where pictures may show several classes and N counts right answers; None where it counts images."""

    @property
    def hit(self) -> Array | None:
        """(N,) bool: prediction equals label; None without labels."""
        return None if self.label is None else np.asarray(self.winner == self.label)


@dataclass(frozen=True, slots=True)
class Confusion:
    """Images of one class that another one takes."""

    true: int
    """Index of the class whose images they are."""
    predicted: int
    """Index of the class that takes them."""
    count: int
    """How many they are."""
    rate: float
    """Their share of the class's images."""


@dataclass(frozen=True, slots=True)
class ClassChange:
    """One class under two classifiers."""

    class_index: int
    """The class."""
    before: float
    """Its accuracy under the first."""
    after: float
    """Its accuracy under the second."""
    images: int
    """How many images that is."""
    taken: tuple[Confusion, ...]
    """Who takes the images that the first had right and the second has wrong, most images first; `rate` is of those."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a second classifier wins and loses against a first."""

    won: tuple[ClassChange, ...]
    """Classes whose accuracy rose, largest change first."""
    lost: tuple[ClassChange, ...]
    """Classes whose accuracy fell, largest change first."""
    gained_images: int
    """Images that only the second has right."""
    lost_images: int
    """Images that only the first has right: collateral."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Whether a rule's order of the classes is that of their accuracy."""

    rule: str
    """The rule, judged per class."""
    labels: str
    """Where its right answers come from."""
    spearman: float
    """Rank correlation with class accuracy; NaN when one of the two is constant."""
    found: int
    """How many of the k classes that it ranks lowest are among the k worst."""
    k: int
    """How many classes were asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class WorstSet:
    """How the k worst classes do."""

    k: int
    """How many classes."""
    repicked: float | None
    """Mean accuracy of the k classes that this classifier does worst on here; biased low. None without labels."""
    fixed: float | None
    """Mean accuracy of `fixed_classes`, which the baseline did worst on, on tune. None without labels, or where they were picked here."""
    fixed_interval: Interval | None
    """95 % interval of `fixed`."""
    fixed_classes: tuple[int, ...]
    """The class indices, worst first: those that were given to follow, else this classifier's own worst here."""


@dataclass(frozen=True, slots=True, eq=False)
class Precision:
    """How far the images that show a class come before those that do not, where images may show several."""

    mean: float
    """Mean average precision (mAP): over the classes that an image shows."""
    interval: Interval
    """95 % interval of `mean`, images resampled."""
    per_class: Array
    """(C,) f8 average precision; NaN for classes that no image shows."""
    count: Array
    """(C,) int: images that show each class."""
    fixed: float | None
    """Mean over the fixed worst classes, those with the lowest recall of the baseline on tune; None where they were picked here."""
    fixed_interval: Interval | None
    """95 % interval of `fixed`."""
    repicked: float
    """Mean of the k lowest here; biased low."""
    images: int
    """How many images show a class at all."""
    resampled: Array
    """(R,) f8: `mean` of each resample, the same images in the same order for all who are judged on them by the same seed."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How one classifier does on one split."""

    split: str
    """The split it was judged on."""
    n: int
    """Images."""
    accuracy: float | None
    """Share of images whose class wins, of right answers (recall) where images may show several; None without labels."""
    interval: Interval | None
    """95 % interval of `accuracy`."""
    per_class: Array
    """(C,) accuracy (recall); NaN for absent classes, and everywhere without labels."""
    count: Array
    """(C,) images per class; zeros without labels."""
    margin: Array
    """(C,) cosine units: cmm of each class, NaN for absent ones; without labels cmm-top."""
    worst: WorstSet
    """How its k worst classes do: the headline."""
    sizes: tuple[WorstSet, ...]
    """How its worst 5, 10, 50 and 10 % do, where fewer than all classes, and its k worst; smallest first."""
    order: tuple[int, ...]
    """Class indices, worst first: those that were given to follow, else this classifier's own here; absent ones are left out."""
    cmm_top: float
    """cmm-top/worst-k, in cosine units: the headline without labels."""
    outcomes: Outcomes
    """Image by image."""
    top5: float | None = None
    """Share of images whose class is among the first five; None without labels, for fewer than five classes, and where nobody asked."""
    precision: Precision | None = None
    """Average precision, where images may show several classes; None where each has one."""

    @property
    def mean(self) -> float | None:
        """Mean of the class accuracies; None without labels."""
        return None if self.accuracy is None else float(np.nanmean(self.per_class))

    @property
    def zeros(self) -> int | None:
        """Classes at exactly 0; None without labels."""
        return None if self.accuracy is None else int((self.per_class == 0).sum())


@dataclass(frozen=True, slots=True)
class Difference:
    """The paired difference of two classifiers on the same images: second minus first."""

    accuracy: float | None
    """Difference of accuracy; None without labels."""
    interval: Interval | None
    """Its paired 95 % interval."""
    worst: float | None
    """Difference of the mean accuracy of the fixed worst classes."""
    worst_interval: Interval | None
    """Its paired 95 % interval."""
    sizes: tuple[tuple[int, float, Interval], ...]
    """(k, difference, its paired 95 % interval) of the fixed worst sets of every size; empty without labels."""
    mcnemar_p: float | None
    """Exact two-sided McNemar p; None without labels, and where images may show several classes, whose right answers depend on each
    other."""
    changed: float
    """Share of images whose prediction changed; of right answers where images may show several."""
    precision: float | None = None
    """Difference of mean average precision; None where an image shows one class."""
    precision_interval: Interval | None = None
    """Its paired 95 % interval."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What a classifier says of one picture."""

    key: str
    """The picture."""
    top: tuple[tuple[str, float], ...]
    """(class, softmax share), best first; empty when the picture could not be read."""
    margin: float
    """Winner - runner-up, in cosine units; 0 when the picture could not be read."""
    fault: str = ""
    """Why it could not be read; empty when it could."""


@dataclass(frozen=True, slots=True, eq=False)
class TextScores:
    """How each text of one class does alone in its class's row."""

    class_index: int
    """The class."""
    families: Array
    """(n,) int: the family of each text."""
    texts: Array
    """(n,) int: the text, as the grid counts them."""
    cmm: Array
    """(n,) f8: mean margin over the class's images, in cosine units."""
    accuracy: Array
    """(n,) f8: share of the class's images that the text wins."""
    images: int
    """How many images that is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What an analysis found: a sentence, and a table where there is more to tell."""

    headline: str
    """The answer in a sentence or two."""
    columns: tuple[str, ...] = ()
    """Heads of the table; one that begins with `>` is of a column of numbers. Empty when there is no table."""
    rows: tuple[tuple[str, ...], ...] = ()
    """Its cells, as many a row as there are columns; most important first."""
    notes: tuple[str, ...] = ()
    """Sentences below it: what the figures stand on, what they cannot tell."""

    def __post_init__(self) -> None:
        for part in (self.columns, self.rows, self.notes, *self.rows):
            if not isinstance(part, tuple | list):
                raise MismatchError(f"A Finding holds {part!r:.60}; columns, rows, cells and notes come as tuples.")
        words = (self.headline, *self.columns, *self.notes, *(cell for row in self.rows for cell in row))
        if not all(isinstance(word, str) for word in words):
            raise MismatchError("A Finding holds something that is no text.", "Format numbers first, e.g. f'{share:.1%}'.")
        wrong = next((len(row) for row in self.rows if len(row) != len(self.columns)), None)
        if wrong is not None:
            raise MismatchError(f"A row of a Finding has {wrong} cells; there are {len(self.columns)} columns.")
