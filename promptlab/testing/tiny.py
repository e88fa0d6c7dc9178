"""Data so small that a test can make it: real picture files, and features with texts that need no model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from promptlab.types import Classes, Dataset, Features, PromptGrid, TextBank, unit


def tiny_pictures(folder: str | Path, classes: Sequence[str] = ("red", "green", "blue"), each: int = 4, side: int = 24) -> Path:
    """The folder, with `each` small pictures in a sub-folder for each class: noise around a colour of the class's own, PNG and JPEG by
    turns, the same ones every time."""
    from PIL import Image

    rng, root = np.random.default_rng(0), Path(folder)
    colours = np.concatenate([np.eye(3) * 200, rng.uniform(0, 220, (len(classes), 3))])
    for name, colour in zip(classes, colours, strict=False):
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(each):
            pixels = np.clip(colour + rng.normal(20, 20, (side, side, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i:03d}.{'jpg' if i % 2 else 'png'}")
    return root


def tiny_features(classes: Sequence[str] = ("red", "green", "blue"), each: int = 8, families: int = 3, width: int = 8) -> Dataset:
    """A dataset of unit vectors (N, D) with texts (K, C, D), so that no model is needed: `each` pictures a class, near its texts, the same
    ones every time."""
    rng, c = np.random.default_rng(0), len(classes)
    centres = rng.normal(size=(c, width))
    labels = np.arange(c * each) % c
    x = unit(centres[labels] + rng.normal(0, 0.8, (c * each, width))).astype(np.float32)
    z = unit(centres[None] + rng.normal(0, 0.5, (families, c, width))).astype(np.float32)
    k, of = np.divmod(np.arange(families * c), c)
    names, known = tuple(f"template {i} {{}}" for i in range(families)), Classes.of(classes)
    texts = tuple(names[i].format(classes[j]) for i, j in zip(k, of, strict=True))
    bank = TextBank(z, PromptGrid(known, names, texts, np.stack([k, of, np.arange(len(k))], 1)), "", 100.0)
    keys = tuple(f"{i:04d}.png" for i in range(len(x)))
    return Dataset("tiny", known, {"all": Features(x, keys, labels, "all", "")}, bank)
