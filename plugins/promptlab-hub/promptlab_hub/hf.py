"""Datasets of Hugging Face's `datasets`: of the hub by name, or of a folder."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from promptlab import Classes, DataError, DataOptions, Dataset
from promptlab_hub.parts import Part, classes, dataset

WORD = re.compile(r"hf:(?!//)(.+?)(?:@([^:@/\[]+))?(?::([\w.+-]+(?:\[[^\]/]*\])?(?:\+[^/]+)?))?")
SAVED = ("dataset_dict.json", "state.json")  # what save_to_disk leaves
OLDEST = 4  # the first version that runs no code of a dataset
USUAL = ("label", "labels", "class", "target")
NONE = (None, "", -1)  # what pictures without a label have; -1 where the hub keeps labels back
LARGEST = 1 << 30  # bytes of a picture that is a file

CAPTIONS = ("captions", "caption", "text")  # the last one only where there are no labels
TEXT = ("string", "large_string")
LISTS = ("List", "LargeList", "Sequence")

Label = int | str
Said = list[Label] | list[list[Label]] | None


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
        picture, label, caption = _columns(where, loaded)
        feature = next(iter(loaded.values())).features.get(label)
        names = getattr(_inner(feature) or feature, "names", None) or []
        said = {one: _said(where, one, data, label) for one, data in loaded.items()}
        known, labels = Classes((), ()), dict.fromkeys(said)
        if not caption or options.names or any(rows is not None for rows in said.values()):
            known, labels = _classed(where, said, names, options)
        parts = {
            one: _part(data, picture, labels[one], _folders(name))._replace(captions=_captions(where, one, data, caption))
            for one, data in loaded.items()
        }
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
                if split:
                    found = _named(name, found, split)
            else:
                found = datasets.load_dataset(folder if os.path.isdir(folder) else name, config, split=split)
        except DataError:
            raise
        except Exception as error:  # `datasets` and what it stands on raise many kinds
            said = " ".join(str(error).split())[:300].rstrip(".")
            hint = "It must be in the cache while offline." if is_offline else "Is the name right: hf:NAME[@CONFIG][:SPLIT]?"
            raise DataError(f"{name!r} cannot be loaded: {type(error).__name__}: {said}.", hint) from error
    return dict(found) if isinstance(found, dict) else {split or str(found.split or "all"): found}


def _named(name: str, found: Any, split: str) -> Any:
    """The split of data on this machine. Raises DataError where there is none of that name: these cannot be cut or joined."""
    there = dict(found) if isinstance(found, dict) else {str(found.split or "all"): found}
    if split not in there:
        raise DataError(f"{name!r} has the splits {', '.join(there)}, not {split!r}.", "Name one of them, whole.")
    return there[split]


def _inner(feature: Any) -> Any:
    """What a list is of; None where it is no list."""
    return getattr(feature, "feature", None) if type(feature).__name__ in LISTS else None


def _columns(where: str, loaded: dict[str, Any]) -> tuple[str, str, str]:
    """(column of pictures, column of labels or nothing, column of captions or nothing), the same in all splits.

    Raises DataError where there is no picture, it is not clear which is meant, or labels are other ones in another split.
    """
    features = next(iter(loaded.values())).features
    kinds = {name: type(feature).__name__ for name, feature in features.items()}
    pictures = [name for name, kind in kinds.items() if kind == "Image"]
    labels = (
        [name for name, kind in kinds.items() if kind == "ClassLabel"]
        or [name for name, feature in features.items() if type(_inner(feature)).__name__ == "ClassLabel"]
        or [name for name in kinds if name.lower() in USUAL]
    )
    if not pictures:
        raise DataError(f"{where!r} has no column of pictures; its columns are {', '.join(kinds)}.", "Only data with pictures can be used.")
    chosen = []
    for what, found, usual in (("pictures", pictures, ("image", "img")), ("labels", labels, USUAL)):
        first = found[:1] if len(found) < 2 else [name for name in usual if name in found][:1]
        if found and not first:
            raise DataError(f"{where!r} has several columns of {what}: {', '.join(found)}.", f"One called {usual[0]!r} would be taken.")
        chosen.append("".join(first))
    texts = {name.lower(): name for name, feature in features.items() if getattr(_inner(feature) or feature, "dtype", "") in TEXT}
    chosen.append(next((texts[name] for name in CAPTIONS[: 2 if chosen[1] else 3] if name in texts), ""))
    for split, data in loaded.items():
        other = next((name for name in chosen if name and data.features.get(name) != features[name]), None)
        if other is not None:
            raise DataError(f"The column {other!r} of {where!r} is another one in {split}, or has other names.", f"Name one: {where}:SPLIT")
    return chosen[0], chosen[1], chosen[2]


def _captions(where: str, split: str, data: Any, column: str) -> list[tuple[str, ...]] | None:
    """The captions of a split; None without a column of them. Raises DataError for a picture without, and for one that is empty."""
    if not column:
        return None
    found = [tuple(one) if isinstance(one, list) else (one,) for one in data[column]]
    odd = next((i for i, texts in enumerate(found) if not texts or not all(isinstance(text, str) and text.strip() for text in texts)), None)
    if odd is not None:
        raise DataError(f"Row {odd} of {split} of {where!r} has no caption, or an empty one.", "Each picture needs at least one.")
    return [tuple(text.strip() for text in texts) for texts in found]


def _said(where: str, split: str, data: Any, label: str) -> Said:
    """The labels of a split; None where it has none. Raises DataError where some rows have none, and for what is no label."""
    rows = [None if one in NONE else str(one) if isinstance(one, bool) else one for one in (data[label] if label else ())]
    missing = rows.count(None)
    if missing == len(rows):
        return None
    if missing:
        raise DataError(f"{missing} of {len(rows)} rows of {split} of {where!r} have no label.", "Give each row one, or none.")
    odd = next((one for row in rows for one in (row if isinstance(row, list) else [row]) if not _is_label(one)), None)
    if odd is not None or len({isinstance(row, list) for row in rows}) > 1:
        raise DataError(f"The column {label!r} of {where!r} holds {str(odd)[:40]!r}; numbers or names were expected, or lists of them.")
    return rows


def _is_label(one: Any) -> bool:
    return isinstance(one, int | str) and not isinstance(one, bool)


def _classed(where: str, said: dict[str, Said], names: list[str], options: DataOptions) -> tuple[Classes, dict[str, Any]]:
    """(classes, {split: labels}). Words are names, even those that look like numbers; where they are none, they are indices as numbers are.

    Raises DataError for a word that is no name.
    """
    flat = [one for rows in said.values() for row in rows or () for one in (row if isinstance(row, list) else [row])]
    words = sorted({one for one in flat if isinstance(one, str)})
    digits = all(re.fullmatch("[0-9]{1,9}", one) for one in words)
    known = classes(where, names or ([] if digits else words), options)
    index = {name: i for i, name in enumerate(known.ids)}
    if digits and not index.keys() & set(words):
        return known, {split: _each(rows, int) for split, rows in said.items()}
    strange = next((one for one in words if one not in index), None)
    if strange is not None:
        raise DataError(f"The label {strange!r} in {where!r} is no class that is named.", "Name every class in --classes.")
    return known, {split: _each(rows, lambda one: index[str(one)]) for split, rows in said.items()}


def _each(rows: Said, number: Callable[[Label], int]) -> Any:
    """The rows with every label as a number; None where there are none."""
    return rows and [[number(one) for one in row] if isinstance(row, list) else number(row) for row in rows]


def _folders(name: str) -> list[Path]:
    """Where rows may name files: the folder of the data, and what `datasets` fetched."""
    from datasets import config
    from huggingface_hub import constants

    own = os.path.expanduser(name)
    found = [config.HF_DATASETS_CACHE, config.DOWNLOADED_DATASETS_PATH, constants.HF_HUB_CACHE, *([own] if os.path.isdir(own) else ())]
    return [Path(one).resolve() for one in found]


def _part(data: Any, picture: str, labels: Any, folders: list[Path]) -> Part:
    from datasets import Image

    rows = data.select_columns([picture]).cast_column(picture, Image(decode=False))
    stamps = [f"{data._fingerprint}-{i}" for i in range(len(data))]
    return Part(labels, stamps, lambda i: _bytes(rows[i][picture], folders))


def _bytes(held: Any, folders: list[Path]) -> bytes:
    """The bytes of a picture in the table, or of the file in one of these folders that it names. Raises DataError where there are none."""
    if held and held.get("bytes") is not None:
        return bytes(held["bytes"])
    path = (held or {}).get("path")
    if not path or not os.path.isfile(path):
        raise DataError("its row holds no bytes")
    file = Path(path).resolve()
    if not any(file.is_relative_to(folder) for folder in folders):
        raise DataError("its row names a file that lies outside the data")
    if file.stat().st_size > LARGEST:
        raise DataError(f"it has more than {LARGEST:,} bytes")
    return file.read_bytes()
