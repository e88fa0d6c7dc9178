"""Pictures and whole sentences about them: what is right for which picture, and what each is to be told from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promptlab.errors import MismatchError
from promptlab.types.arrays import Array, same_length
from promptlab.types.data import Dataset, Features
from promptlab.types.prompts import TextBank
from promptlab.types.results import Interval, WorstSet

NO_TEXT = -1  # what fills the row of a picture that has fewer candidates than others


@dataclass(frozen=True, slots=True, eq=False)
class Captions:
    """What is said of N pictures of a data set, each text once."""

    texts: tuple[str, ...]
    """(P,) the distinct captions of the whole data set, cleaned and sorted; everything else names them by index."""
    right: Array
    """(R, 2) int: picture and text of each right caption, by picture, each picture's own in the data's order; at least one a picture."""
    wrong: Array | None
    """(W, 2) int: picture and text of each wrong caption that the data gives, in that order; None when it gives none."""
    category: Array
    """(N,) int: the class of each picture; zeros where the data has none, or where a picture may show several."""
    categories: tuple[str, ...]
    """(C,) what tables call the classes; empty where the data has none."""
    known: Array | None = None
    """(T, 2) int: text and class of every picture of the whole data set that a text is right for; None where these pictures are all."""

    def __post_init__(self) -> None:
        if set(np.unique(self.right[:, 0]).tolist()) != set(range(len(self.category))):
            raise MismatchError("Captions: every picture needs at least one right caption.")

    def __len__(self) -> int:
        return len(self.category)

    @property
    def groups(self) -> int:
        """How many classes figures are kept for: C, or one for all pictures where there are none."""
        return max(1, len(self.categories))

    def of(self, pairs: Array) -> list[Array]:
        """(N,) the texts that `right` or `wrong` gives each picture."""
        ends = np.cumsum(np.bincount(pairs[:, 0], minlength=len(self)))
        return np.split(pairs[:, 1], ends[:-1])

    def take(self, rows: Array) -> "Captions":
        """Those of some pictures (n,), in that order; the texts stay those of the data set."""
        wrong = None if self.wrong is None else _taken(self.of(self.wrong), rows)
        return Captions(self.texts, _taken(self.of(self.right), rows), wrong, self.category[rows], self.categories, self._known())

    def _known(self) -> Array:
        return np.stack([self.right[:, 1], self.category[self.right[:, 0]]], 1) if self.known is None else self.known

    def counted(self, texts: Array) -> Array:
        """(N, M) int: the class that each text (N, M) counts for when it is picked for its row's picture: the picture's own if it is right
        for a picture of that class anywhere in the data set, else the first class that it is right for; -1 if it is right for none."""
        known = self._known()[np.lexsort(self._known().T[::-1])]
        first = np.full(len(self.texts), NO_TEXT)
        first[known[::-1, 0]] = known[::-1, 1]  # the last one written stays
        own = np.isin(texts * self.groups + self.category[:, None], known @ [self.groups, 1])
        return np.where(texts == NO_TEXT, NO_TEXT, np.where(own, self.category[:, None], first[texts]))


def _taken(each: Sequence[Array], rows: Array) -> Array:
    some = [each[i] for i in rows]
    return np.stack([np.repeat(np.arange(len(rows)), [len(texts) for texts in some]), np.concatenate([*some, np.zeros(0, int)])], 1).astype(
        int
    )


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """N pictures, each with up to M candidates of its own, one of them right."""

    texts: Array
    """(N, M) int: the candidates, of equally similar ones the first wins; so their order is drawn by the seed and the picture, whichever of
    them is right and in whatever order they were listed. -1 last where there are fewer."""
    right: Array
    """(N,) int: the place of the right one in the row."""
    shown: Array
    """(N, M) int: the places of the row in the order in which candidates are shown, drawn apart; -1 last where there are fewer."""
    asked: int
    """How many candidates were asked for; 0 where all that the data gives were."""
    source: str
    """Where the wrong ones are from: `given`, `same`, `other` or `any`."""
    elsewhere: int = 0
    """Pictures that the source has no wrong caption for: theirs are of any other picture."""

    def __post_init__(self) -> None:
        same_length("Cases", rows=len(self.texts), right=len(self.right), shown=len(self.shown))

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def size(self) -> Array:
        """(N,) int: how many candidates each picture has."""
        return np.asarray((self.texts != NO_TEXT).sum(1))

    @property
    def chance(self) -> float:
        """The share that guessing would get right: the mean of 1 / size."""
        return float((1 / self.size).mean())

    @property
    def short(self) -> int:
        """Pictures that have fewer candidates than were asked for."""
        return int((self.size < self.asked).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """How one way of scoring does on N cases."""

    similarity: Array
    """(N, M) f4: the cosine of each candidate, in the order of `Cases.texts`; -inf where there is none."""
    winner: Array
    """(N,) int: the place of the most similar candidate; of equal ones the first."""
    margin: Array
    """(N,) f8: the right caption's cosine minus the highest of the wrong ones."""
    hit: Array
    """(N,) bool: whether the right caption wins."""
    accuracy: float
    """Share of pictures whose right caption wins."""
    interval: Interval
    """95 % interval of `accuracy`: pictures resampled, whatever their categories."""
    against_chance: str
    """Whether `accuracy` is `above` or `below` what guessing would get, or it is `unclear`, by the exact interval of its hits."""
    per_category: Array
    """(C,) accuracy of each category; NaN for absent ones."""
    count: Array
    """(C,) pictures of each category."""
    f1: Array
    """(C,) F1 of each category, a pick counting for the category of the caption; NaN where no picture and no pick is of it."""
    worst: WorstSet
    """How its k worst categories do."""
    order: tuple[int, ...]
    """Categories, worst first: those that were given to follow, else this one's own here; absent ones are left out."""
    same: int
    """Wrong picks whose caption is right for a picture of the same category."""
    other: int
    """Wrong picks whose caption is right for pictures of other categories alone. One that the data gives as wrong may be right for none at
    all."""

    @property
    def mean(self) -> float:
        """Mean of the accuracies of categories."""
        return float(np.nanmean(self.per_category))

    @property
    def ties(self) -> int:
        """Pictures whose right caption is exactly as similar as a wrong one."""
        return int((self.margin == 0).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Captioned:
    """Pictures and captions, encoded."""

    dataset: Dataset
    """What was opened."""
    tune: Features
    """What things are chosen on."""
    judged: Features
    """What is told; the same object as `tune` when that is in-sample."""
    tune_captions: Captions
    """Those of `tune`, picture by picture."""
    judged_captions: Captions
    """Those of `judged`; the same object as `tune_captions` when that is in-sample."""
    bank: TextBank
    """The K families over the P texts, which stand where classes do."""
    plain: TextBank
    """The captions as they are, without a template."""
    model: str
    """As `--model` takes it."""
    encoded: dict[str, int]
    """How many `texts` and `images` were encoded anew."""
    skipped: tuple[tuple[str, str], ...]
    """Pictures that could not be read: (key, reason). Their captions are nobody's candidates."""

    @property
    def in_sample(self) -> bool:
        """Whether things are told on the pictures that they were chosen on."""
        return self.tune is self.judged
