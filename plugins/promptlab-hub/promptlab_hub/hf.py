"""Datasets of Hugging Face's `datasets`: of the hub by name, or of a folder."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from promptlab import DataError, DataOptions, Dataset
from promptlab_hub.parts import Part, classes, dataset

WORD = re.compile(r"hf:(?!//)(.+?)(?:@([^:@/]+))?(?::([\w.\[\]%+-]+))?")
SAVED = ("dataset_dict.json", "state.json")  # what save_to_disk leaves
OLDEST = 4  # the first version that runs no code of a dataset
USUAL = ("label", "labels", "class", "target")


class HuggingFace:
    """`hf:NAME`, `hf:NAME@CONFIG`, `hf:NAME:SPLIT`, `hf:FOLDER`; no code of a dataset is ever run."""

    name = "hf"
    about = "hf:NAME[@CONFIG][:SPLIT]: a dataset of the Hugging Face hub or a folder, with a column of pictures; needs `datasets`"
    example = "promptlab run hf:uoft-cs/cifar10:test"

    def claims(self, where: str) -> bool:
        """A word that begins with hf:, but no URL."""
        return WORD.fullmatch(where) is not None

    def open(self, where: str, options: DataOptions) -> Dataset:
        """The dataset. Raises DataError without the package `datasets`, for what cannot be had, and for data without pictures."""
        found = WORD.fullmatch(where)
        assert found is not None  # it was claimed
        name, config, split = found.groups()
        loaded = _loaded(name, config, split, options.offline)
        first = next(iter(loaded.values()))
        picture, label = _columns(where, first.features)
        names = getattr(first.features.get(label), "names", None) or []
        own = classes(where, names, options) if names or not label else None
        texts = None if own is not None else sorted({str(one) for data in loaded.values() for one in data[label]})
        if texts is not None and all(re.fullmatch(r"-?\d+", one) for one in texts):
            own, texts = classes(where, [], options), None
        known = own or classes(where, texts or [], options)
        parts = {one: _part(data, picture, label, known.ids if texts else ()) for one, data in loaded.items()}
        return dataset(where, Path(name).name or name, parts, known)


@contextmanager
def _quiet(is_offline: bool) -> Iterator[Any]:
    """The package, with neither progress bars and log lines nor, where that is asked for, a network; afterwards as it was."""
    try:
        import datasets
        from huggingface_hub import constants
        from huggingface_hub.utils import logging
    except ImportError as error:
        raise DataError("hf: needs the package `datasets`.", "pip install 'promptlab-hub[hf]'") from error
    if int(datasets.__version__.partition(".")[0]) < OLDEST:
        raise DataError(f"`datasets` {datasets.__version__} can run code of datasets.", "pip install 'promptlab-hub[hf]'")
    bars, before = not datasets.are_progress_bars_disabled(), (datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE)
    loud = datasets.logging.get_verbosity(), logging.get_verbosity()
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    logging.set_verbosity_error()
    if is_offline:
        datasets.config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield datasets
    finally:
        datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = before
        datasets.logging.set_verbosity(loud[0])
        logging.set_verbosity(loud[1])
        if bars:
            datasets.enable_progress_bars()


def _loaded(name: str, config: str | None, split: str | None, is_offline: bool) -> dict[str, Any]:
    """{split: its rows}."""
    folder = os.path.expanduser(name)
    with _quiet(is_offline) as datasets:
        try:
            if os.path.isdir(folder) and any(os.path.isfile(os.path.join(folder, one)) for one in SAVED):
                found = datasets.load_from_disk(folder)
                found = found[split] if split and isinstance(found, dict) else found
            else:
                found = datasets.load_dataset(folder if os.path.isdir(folder) else name, config, split=split)
        except Exception as error:  # `datasets` and what it stands on raise many kinds
            said = " ".join(str(error).split())[:300].rstrip(".")
            hint = "It must be in the cache while offline." if is_offline else "Is the name right: hf:NAME[@CONFIG][:SPLIT]?"
            raise DataError(f"{name!r} cannot be loaded: {type(error).__name__}: {said}.", hint) from error
    return dict(found) if isinstance(found, dict) else {split or str(found.split or "all"): found}


def _columns(where: str, features: Any) -> tuple[str, str]:
    """(column of pictures, column of labels or nothing). Raises DataError where there is no picture, or it is not clear which is meant."""
    kinds = {name: type(feature).__name__ for name, feature in features.items()}
    pictures = [name for name, kind in kinds.items() if kind == "Image"]
    labels = [name for name, kind in kinds.items() if kind == "ClassLabel"] or [name for name in kinds if name.lower() in USUAL]
    if not pictures:
        raise DataError(f"{where!r} has no column of pictures; its columns are {', '.join(kinds)}.", "Only data with pictures can be used.")
    chosen = []
    for what, found, usual in (("pictures", pictures, ("image", "img")), ("labels", labels, USUAL)):
        first = found[:1] if len(found) < 2 else [name for name in usual if name in found][:1]
        if found and not first:
            raise DataError(f"{where!r} has several columns of {what}: {', '.join(found)}.", f"One called {usual[0]!r} would be taken.")
        chosen.append("".join(first))
    return chosen[0], chosen[1]


def _part(data: Any, picture: str, label: str, ids: tuple[str, ...]) -> Part:
    from datasets import Image

    index = {name: i for i, name in enumerate(ids)}
    labels = [index[str(one)] if index else one for one in data[label]] if label else []
    labels = [-1 if one is None else one for one in labels]
    bare = all(one == -1 for one in labels)  # as the hub's data has it where labels are kept back
    rows = data.select_columns([picture]).cast_column(picture, Image(decode=False))
    stamps = [f"{data._fingerprint}-{i}" for i in range(len(data))]
    return Part(None if bare else labels, stamps, lambda i: _bytes(rows[i][picture]))


def _bytes(held: Any) -> bytes:
    """The bytes of a picture in the table, or of the file that it names."""
    if held and held.get("bytes") is not None:
        return bytes(held["bytes"])
    path = (held or {}).get("path")
    if not path or not os.path.isfile(path):
        raise DataError("its row holds no bytes")
    return Path(path).read_bytes()
