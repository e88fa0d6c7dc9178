"""Where each text should land in the embedding space: the targets of the text tower.

The space is made from the ImageNet classifier of the image tower. Its C = 1,000 rows, centred, are projected onto their first
D = 384 right singular vectors. There the cosine of a picture with a class's row is close to the classifier's own decision: 0.843
against 0.883 on one photo of each of the classes.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from towers import WIDTH, MiniLM, sentence_embeddings
from wordnet import Synset, ancestors

Floats = NDArray[np.float32]

PHYSICAL_ENTITY = "00001930"
"""Offset of the synset above everything that a picture can show (and much that it can't)."""
MOST_CLASSES_BELOW = 400
"""An ancestor of more classes than this gets no target of its own: `object` (958) or `artifact` (522) has no look of its own."""
TEMPERATURE = 0.05
"""Of the softmax over sentence similarities: a class 0.05 less similar counts 1/e as much."""


class Kind(IntEnum):
    """How a synset came by its target."""

    CLASS = 0
    ANCESTOR = 1
    OTHER = 2


@dataclass(frozen=True, slots=True)
class Targets:
    """S synsets, the C classes first, and where their texts should land."""

    offsets: list[str]
    """(S,) WordNet's offsets."""
    target: Floats
    """(S, D) unit rows."""
    kind: NDArray[np.int64]
    """(S,) values of `Kind`."""
    class_index: NDArray[np.int64]
    """(S,) the class that the synset is, -1 where it is none."""


def unit(x: Floats) -> Floats:
    """Rows of x (..., D) divided by their L2 norms; a zero row stays zero."""
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)


def class_space(weight: Floats) -> tuple[Floats, Floats]:
    """Projection (D, F) from image features to the embedding space, and the class rows (C, D) there, unit.

    weight: (C, F) the classifier's rows, F = 1280.
    """
    centred = weight - weight.mean(0)
    projection = np.linalg.svd(centred, full_matrices=False)[2][:WIDTH]
    return projection, unit(centred @ projection.T)


def make_targets(nouns: dict[str, Synset], classes: list[str], rows: Floats, minilm: MiniLM) -> Targets:
    """Targets of the C classes and of every physical noun.

    A class lands on its row. An ancestor of classes (bird, dog, vehicle) lands on the mean of their rows. Every other noun lands
    between its nearest such synset above and the classes whose texts resemble its own.

    classes: (C,) offsets. rows: (C, D) unit. Raises KeyError if a class is not among the nouns.
    """
    index = {offset: c for c, offset in enumerate(classes)}
    physical = [offset for offset in nouns if PHYSICAL_ENTITY in ancestors(nouns, offset)]
    offsets = list(dict.fromkeys(classes + physical))
    means = ancestor_means(nouns, index, rows)
    near = neighbour_means([nouns[offset] for offset in offsets], rows, minilm)
    target = np.zeros((len(offsets), WIDTH), np.float32)
    kind = np.full(len(offsets), Kind.OTHER, np.int64)
    for i, offset in enumerate(offsets):
        if offset in index:
            target[i], kind[i] = rows[index[offset]], Kind.CLASS
        elif offset in means:
            target[i], kind[i] = means[offset], Kind.ANCESTOR
        else:
            target[i] = between(ancestors(nouns, offset), index, rows, means, near[i])
    return Targets(offsets, target, kind, np.array([index.get(offset, -1) for offset in offsets]))


def ancestor_means(nouns: dict[str, Synset], index: dict[str, int], rows: Floats) -> dict[str, Floats]:
    """Unit mean row (D,) of the classes below each synset that is no class itself, by offset."""
    below: dict[str, list[int]] = {}
    for offset, c in index.items():
        for hypernym in ancestors(nouns, offset):
            below.setdefault(hypernym, []).append(c)
    return {
        offset: unit(rows[members].mean(0))
        for offset, members in below.items()
        if len(members) <= MOST_CLASSES_BELOW and offset not in index
    }


def neighbour_means(synsets: list[Synset], rows: Floats, minilm: MiniLM) -> Floats:
    """Unit mean (S, D) of the class rows (C, D), weighted for each synset by how similar MiniLM finds its text to the class's.

    synsets: S of them, the classes first, in the order of `rows`.
    """
    texts = [f"{', '.join(synset.lemmas[:2])}: {synset.gloss}"[:160] for synset in synsets]
    vectors = sentence_embeddings(minilm, texts)
    distance = 1 - vectors @ vectors[: len(rows)].T
    logits = -distance / TEMPERATURE
    weight = np.exp(logits - logits.max(1, keepdims=True))
    return unit(weight / weight.sum(1, keepdims=True) @ rows)


def between(above: dict[str, int], index: dict[str, int], rows: Floats, means: dict[str, Floats], near: Floats) -> Floats:
    """Target (D,) of a noun between its nearest ancestor that has a target and its neighbours' mean `near` (D,), unit.

    above: the noun's ancestors with their distances. A class weighs 0.7 however far above it is, a mean of classes 0.5 one step
    above, 0.4 two steps, 0.33 three. Without either, `near` alone.
    """
    known = [(steps, offset) for offset, steps in above.items() if offset in index or offset in means]
    if not known:
        return near
    steps, offset = min(known)
    if offset in index:
        base, share = rows[index[offset]], 0.7
    else:
        base, share = means[offset], 0.5 / (1 + 0.25 * (steps - 1))
    return unit(share * base + (1 - share) * near)
