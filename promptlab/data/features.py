"""Precomputed features: `.npz` or `.npy` files, with or without text vectors.

Arrays that are understood (in one .npz, or all files of a folder together):
  features (N, D), labels (N,), keys (N,)        one set of pictures, which is halved; labels: indices, or names without `names`;
                                                 or (N, C), 1 for each class that a picture shows
  val_x, val_y, test_x, test_y                   two sets: tune = val (or train), eval = test (or val)
  names (C,)                                     class names, in label order
  text (K, C, D), families (K,)                  text vectors, so that no model is needed
  scale ()                                       the model's logit scale
  encoder ()                                     the model that made them, as --model takes it
"""

import os
import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from promptlab.data import names as class_names
from promptlab.errors import DataError
from promptlab.protocols import DataOptions
from promptlab.types import Array, Classes, Dataset, Features, Named, PromptGrid, TextBank, unit

# CLIP clamps its logit scale to 100 in training, and published CLIP models sit there. Used, and said, when text vectors name none.
CLIP_SCALE = 100.0
SYNONYMS = {"x": "features", "y": "labels", "classnames": "names", "classes": "names"}


class FeatureFiles:
    """Picture vectors that were computed before, with or without text vectors."""

    name = "features"
    about = ".npz or .npy: features, labels, names; optional text (K, C, D) with families"
    example = "promptlab run features.npz --model ViT-B-32-quickgelu,openai"

    def claims(self, where: str) -> bool:
        """An .npz or .npy file, or a folder that holds one."""
        try:
            return os.path.exists(where) and bool(_files(Path(where)))
        except OSError:
            return False  # a folder that may not be listed: ImageFolder says so

    def open(self, where: str, options: DataOptions) -> Dataset:
        """The dataset; see the module. Raises DataError that names the array and the shape that was expected."""
        path = Path(where)
        arrays: dict[str, Array] = {}
        for file in _files(path):
            arrays |= _read(file)
        if "names" not in arrays and "text" not in arrays:  # the order of text vectors is that of names, which sorting would guess
            arrays = _numbered(arrays)
        classes = _classes(path, arrays, options)
        splits = {split: _features(arrays, prefix, split, where) for split, prefix in _splits(arrays, where).items()}
        bank, notes = _bank(arrays, classes, where) if "text" in arrays else (None, ())
        return Dataset(path.resolve().stem, classes, splits, bank, _word(arrays, "encoder"), notes)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(p for p in path.iterdir() if p.suffix in (".npz", ".npy"))
    return [path] if path.suffix in (".npz", ".npy") else []


def _read(file: Path) -> dict[str, Array]:
    try:
        if file.suffix == ".npy":
            arrays = {file.stem: np.load(file, allow_pickle=False, mmap_mode="r")}
        else:
            with open(file, "rb") as raw, np.load(raw, allow_pickle=False) as loaded:
                arrays = dict(loaded)
    except (OSError, ValueError, TypeError, EOFError, BadZipFile, zlib.error) as error:
        raise DataError(
            f"{str(file)!r} cannot be read as numpy arrays: {error}.", "Objects are refused; save plain numbers and strings."
        ) from error
    return {SYNONYMS.get(name, name): array for name, array in arrays.items()}


def _numbered(arrays: dict[str, Array]) -> dict[str, Array]:
    """Arrays whose labels are names: the sorted names, and their indices in place of the labels; others come back as they are."""
    words = {name: array for name, array in arrays.items() if _is_labels(name) and array.dtype.kind == "U" and array.ndim == 1}
    if not words:
        return arrays
    names = np.unique(np.concatenate(list(words.values())))
    return arrays | {"names": names} | {name: np.searchsorted(names, array) for name, array in words.items()}


def _is_labels(name: str) -> bool:
    return name.endswith(("labels", "_y"))


def _word(arrays: dict[str, Array], name: str) -> str:
    return str(arrays[name]) if name in arrays else ""


def _classes(path: Path, arrays: dict[str, Array], options: DataOptions) -> Classes:
    own = arrays.get("names")
    if own is not None and (own.dtype.kind != "U" or own.ndim != 1):
        raise DataError(f"`names` in {str(path)!r} is {own.dtype} {own.shape}; a flat array of strings was expected.")
    file = class_names.NamesFile(options.names) if options.names else None
    if file is not None and (own is None or not any(map(_is_labels, arrays))):
        return file.bare()
    if own is not None:
        classes = Classes.of([str(name) for name in own])
        if file is None:
            return classes
        if file.pairs:
            return file.joined(list(classes.ids), "label")
        raise DataError(
            f"{str(path)!r} has labels and names of its own; a list of names would be matched to them by position.",
            "Leave --classes out, or write `name<TAB>new name` lines.",
        )
    beside = path / "names.txt"
    if path.is_dir() and beside.is_file():
        return class_names.bare_list(str(beside))
    raise DataError(f"{str(path)!r} has no class names.", "Add an array `names`, a file names.txt in the folder, or --classes names.txt.")


def _splits(arrays: dict[str, Array], where: str) -> dict[str, str]:
    """{our split: prefix of its arrays}."""
    if "features" in arrays:
        return {"all": ""}
    there = [p for p in ("train", "val", "test") if f"{p}_x" in arrays or f"{p}_features" in arrays]
    if len(there) < 2:
        raise DataError(f"{where!r} holds {', '.join(sorted(arrays)) or 'nothing'}; `features`, or `val_x` and `test_x`, were expected.")
    return {"tune": f"{there[-2]}_", "eval": f"{there[-1]}_"}


def _features(arrays: dict[str, Array], prefix: str, split: str, where: str) -> Features:
    x = arrays[f"{prefix}features"] if f"{prefix}features" in arrays else arrays[f"{prefix}x"]
    labels = arrays.get(f"{prefix}labels", arrays.get(f"{prefix}y"))
    if x.ndim != 2 or x.dtype.kind != "f":
        raise DataError(f"The features in {where!r} are {x.dtype} {x.shape}; floats of shape (N, D) were expected.")
    if labels is not None:
        labels = _labels(labels, where)
    keys = arrays.get(f"{prefix}keys")
    if keys is not None and keys.ndim != 1:
        raise DataError(f"The keys in {where!r} are {keys.dtype} {keys.shape}; {(len(x),)} was expected, one for each vector.")
    named = Named(np.arange(len(x)), prefix) if keys is None else Named(_words(keys, where))
    return Features(x, named, labels, split, "")


def _words(keys: Array, where: str) -> Array:
    """(N,) texts. Raises DataError for what cannot be read as texts."""
    try:
        if keys.dtype.kind in "USiu":
            return np.char.decode(keys, "utf-8") if keys.dtype.kind == "S" else keys.astype(str)
    except UnicodeDecodeError as error:
        raise DataError(f"The keys in {where!r} are bytes that are no UTF-8: {error}.", "Save them as texts.") from error
    raise DataError(f"The keys in {where!r} are {keys.dtype}; texts or integers were expected.")


def _labels(labels: Array, where: str) -> Array:
    """(N,) int, or (N, C) bool. Raises DataError for what is neither."""
    if labels.ndim == 1 and labels.dtype.kind in "iu":
        return labels.astype(np.int64)
    if labels.ndim == 2 and (labels.dtype == bool or (labels.dtype.kind in "iu" and not np.any((labels != 0) & (labels != 1)))):
        return labels.astype(bool)
    raise DataError(
        f"The labels in {where!r} are {labels.dtype} {labels.shape}; integers of shape (N,), or 0 and 1 of shape (N, C), were expected."
    )


def _bank(arrays: dict[str, Array], classes: Classes, where: str) -> tuple[TextBank, tuple[str, ...]]:
    text = arrays["text"]
    if text.ndim != 3 or not len(text) or text.shape[1] != len(classes) or text.dtype.kind != "f":
        raise DataError(f"`text` in {where!r} is {text.dtype} {text.shape}; floats of shape (K, {len(classes)}, D) were expected.")
    names = arrays.get("families", np.array([f"family {k}" for k in range(len(text))]))
    if names.shape != text.shape[:1]:
        raise DataError(
            f"`families` in {where!r} has shape {names.shape}; {text.shape[:1]} was expected, a name for each family of `text`."
        )
    families = tuple(map(str, names))
    bad = ~np.isfinite(text).all(2) | ~text.any(2)
    if bad.any():
        k, c = np.argwhere(bad)[0]
        raise DataError(f"`text` in {where!r} is zero or not finite for class {classes.titles[c]!r} in family {families[k]!r}.")
    scale, notes = _scale(arrays, where)
    k, c = np.divmod(np.arange(text.shape[0] * text.shape[1]), text.shape[1])
    titles = classes.titles
    texts = tuple(f"{families[i]}: {titles[j]}" for i, j in zip(k, c, strict=True))
    grid = PromptGrid(classes, families, texts, np.stack([k, c, np.arange(len(k))], 1))
    return TextBank(unit(text.astype(np.float32)), grid, "", scale), notes


def _scale(arrays: dict[str, Array], where: str) -> tuple[float, tuple[str, ...]]:
    if "scale" not in arrays:
        return CLIP_SCALE, (f"The text vectors name no logit scale; {CLIP_SCALE:.0f} is assumed, where CLIP's training clamps it.",)
    found = arrays["scale"]
    if found.size != 1 or found.dtype.kind not in "iuf" or not 0 < found.item() < np.inf:
        raise DataError(f"`scale` in {where!r} is {found.tolist()!r}; one number above 0 was expected.")
    return float(found.item()), ()
