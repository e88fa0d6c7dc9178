"""The captions of pictures: cleaned, each text once, for the pictures that can be read."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from promptlab.errors import DataError
from promptlab.prompts.compose import clean
from promptlab.prompts.templates import LONGEST_TEXT
from promptlab.types import Array, Captions, Classes, Dataset, Features, Images

DEFAULT = "captions"  # the template set for whole sentences
LONGEST = LONGEST_TEXT // 2  # characters of a caption; the rest is for what a template puts around it


def require_captions(dataset: Dataset) -> None:
    """Raises DataError unless every picture of the data has captions."""
    for part in dataset.splits.values():
        if not isinstance(part, Images) or part.captions is None:
            raise DataError(
                f"The pictures of {dataset.name!r} have no captions.",
                'A table has them in a column: {"image": "dog.jpg", "captions": ["A dog runs on a beach."]} in a line of a .jsonl file.',
            )


def gather(dataset: Dataset, features: Mapping[str, Features]) -> dict[str, Captions]:
    """{part: the captions of its pictures, row by row as its features}; parts may be others than the dataset's splits. The texts are those
    of all parts; pictures without features are left out, and what is said of them alone.

    Raises DataError for a picture of whose captions nothing is left once they are cleaned, and for one with a caption that is too long.
    """
    places = {key: (part, i) for part in dataset.splits.values() if isinstance(part, Images) for i, key in enumerate(part.keys)}
    found = {name: _cleaned([(key, *places[key]) for key in part.keys]) for name, part in features.items()}
    texts = sorted({text for sides in found.values() for side in sides if side is not None for own in side for text in own})
    index = {text: p for p, text in enumerate(texts)}
    made = {}
    for name, (right, wrong) in found.items():
        category, names = _categories(features[name].labels, len(right), dataset.classes)
        made[name] = Captions(tuple(texts), _pairs(right, index), None if wrong is None else _pairs(wrong, index), category, names)
    of = [np.stack([part.right[:, 1], part.category[part.right[:, 0]]], 1) for part in made.values()]
    known = np.unique(np.concatenate(of), axis=0)
    return {name: replace(part, known=known) for name, part in made.items()}


def as_classes(captions: Captions) -> Classes:
    """The P texts as classes, so that what makes and encodes prompts for classes does it for them."""
    return Classes(captions.texts, tuple((text,) for text in captions.texts))


Texts = Sequence[tuple[str, ...]]


def _cleaned(pictures: Sequence[tuple[str, Images, int]]) -> tuple[Texts, Texts | None]:
    """The right and the wrong captions of some pictures, (key, where it is, its row there) each, distinct."""
    right, wrong = [], []
    for key, part, i in pictures:
        assert part.captions is not None  # `require_captions` came first
        right.append(_distinct(part.captions[i]))
        if not right[-1]:
            raise DataError(f"Nothing is left of the captions of {key!r} once control characters are gone.", "Write a sentence about it.")
        wrong.append(() if part.distractors is None else _distinct(part.distractors[i]))
        if (longest := max(map(len, (*right[-1], *wrong[-1])))) > LONGEST:
            raise DataError(f"A caption of {key!r} has {longest:,} characters; at most {LONGEST:,} are read.", "Write a sentence or two.")
    return right, wrong if any(part.distractors is not None for _, part, _ in pictures) else None


def _distinct(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, map(clean, texts))))


def _pairs(texts: Texts, index: Mapping[str, int]) -> Array:
    return np.array([(i, index[text]) for i, own in enumerate(texts) for text in own], np.int64).reshape(-1, 2)


def _categories(labels: Array | None, n: int, classes: Classes) -> tuple[Array, tuple[str, ...]]:
    """The class of each picture and their names; one group where labels name none, or several."""
    if labels is None or labels.ndim > 1 or len(classes) < 2:
        return np.zeros(n, np.int64), ()
    return np.asarray(labels, np.int64), classes.titles
