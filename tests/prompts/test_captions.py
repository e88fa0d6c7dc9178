"""The captions of pictures, gathered from all parts of a data set."""

import numpy as np
import pytest

from promptlab.errors import DataError
from promptlab.prompts.captions import LONGEST, gather
from promptlab.types import Classes, Dataset, Features, Images


def dataset_of(**parts: tuple[tuple[str, ...], ...]) -> tuple[Dataset, dict[str, Features]]:
    """Parts of a picture each that have these captions, each part a class of its own; and their features."""
    images, features = {}, {}
    for n, (name, said) in enumerate(parts.items()):
        keys, labels = tuple(f"{name}{i}.jpg" for i in range(len(said))), np.full(len(said), n)
        images[name] = Images(name, keys, ("",) * len(said), labels, lambda i: b"", captions=said)
        features[name] = Features(np.ones((len(said), 2), np.float32), keys, labels, name, "")
    return Dataset("some", Classes.of([f"class {n}" for n in range(len(parts))]), images), features


def test_what_a_text_is_right_for_is_known_from_all_parts() -> None:
    found = gather(*dataset_of(tune=(("a cat", "a pet"),), eval=(("a dog", "a pet"), ("a bone",))))
    texts = found["tune"].texts
    assert texts == ("a bone", "a cat", "a dog", "a pet")
    for part, own in (("tune", 0), ("eval", 1)):
        counted = found[part].take(np.array([0])).counted(np.arange(4)[None])
        assert counted.tolist() == [[1, 0, 1, own]], "a text that pictures of both classes share is of the picture's own"


def test_a_caption_that_no_template_could_hold_is_named_by_its_picture() -> None:
    assert LONGEST + 100 < 10_000
    gather(*dataset_of(all=(("x" * LONGEST,), ("y",))))
    with pytest.raises(DataError, match=r"A caption of 'all1.jpg' has 5,001 characters; at most 5,000 are read"):
        gather(*dataset_of(all=(("y",), ("z", "x" * (LONGEST + 1)))))
