"""A classifier as a file for other programs: safetensors, numpy's .npz, or the .pt that CLIP_benchmark's --load_clfs reads."""

import json
from pathlib import Path

import numpy as np

from promptlab.errors import UsageError, unknown_name
from promptlab.runs import save_classifier
from promptlab.store import written
from promptlab.types import Classifier

SUFFIXES = (".safetensors", ".npz", ".pt")


def check(path: Path, debias: str = "none") -> None:
    """Raises UsageError for a suffix that is not known, and where a classifier with such offsets could not be written so: before it is
    made."""
    if path.suffix.lower() not in SUFFIXES:
        raise unknown_name("kind of classifier file", path.suffix or path.name, SUFFIXES)
    if path.suffix.lower() == ".pt" and debias != "none":
        raise _no_offsets(path, f"offsets of {debias!r}")


def save(path: Path, classifier: Classifier) -> None:
    """Write a classifier in the format that its suffix names. Raises UsageError as `check` does."""
    check(path)
    if path.suffix.lower() == ".pt":
        _save_torch(path, classifier)
    elif path.suffix.lower() == ".npz":
        _save_numpy(path, classifier)
    else:
        save_classifier(path, classifier)


def _no_offsets(path: Path, what: str) -> UsageError:
    return UsageError(
        f"A .pt file has no place for {what}, so {str(path)!r} would not say what the classifier says.",
        "Build without offsets: --debias none, or write .npz or .safetensors.",
    )


def _save_torch(path: Path, classifier: Classifier) -> None:
    """A plain float32 tensor (D, C): logits = 100 * x @ it. One offset for all classes moves no winner and is left out. Rows that are
    shorter than 1 (`--combine logit`) stay so: their length is part of what they say."""
    import torch

    if len(classifier.bias) and (classifier.bias != classifier.bias[0]).any():
        raise _no_offsets(path, "an offset for each class")
    columns = torch.from_numpy(np.ascontiguousarray(classifier.weight.T, np.float32))
    with written(path) as file:
        torch.save(columns, file)


def _save_numpy(path: Path, classifier: Classifier) -> None:
    """weight (C, D), bias (C,) with the constant of sigmoid models in it, scale, classes, ids, and all names and the lineage as JSON."""
    about = {"names": classifier.classes.names, "encoder": classifier.encoder, "lineage": classifier.lineage}
    with written(path) as file:
        np.savez(
            file,
            weight=np.asarray(classifier.weight, np.float32),
            bias=np.asarray(classifier.bias + np.float32(classifier.logit_bias or 0), np.float32),
            scale=np.float64(classifier.scale),
            classes=np.array(classifier.classes.titles, np.str_),
            ids=np.array(classifier.classes.ids, np.str_),
            combine=np.str_(classifier.combine.value),
            metadata=np.str_(json.dumps(about)),
        )
