"""torchvision's classification datasets, by name."""

import difflib
import inspect
import io
import os
import re
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from promptlab import DataError, DataOptions, Dataset
from promptlab_hub.parts import Part, classes, dataset

WORD = re.compile(r"torchvision:(\w+)(?:@(.+?))?(?::([\w-]+))?")
# Those that give one picture and one number.
KNOWN = (
    *("CIFAR10", "CIFAR100", "Caltech101", "Caltech256", "Country211", "DTD", "EuroSAT", "FER2013", "FGVCAircraft"),
    *("FashionMNIST", "Flowers102", "Food101", "GTSRB", "ImageNet", "Imagenette", "KMNIST", "MNIST", "OxfordIIITPet", "PCAM", "Places365"),
    *("RenderedSST2", "SEMEION", "STL10", "SUN397", "SVHN", "StanfordCars", "USPS"),
)
SPLITS = ("trainval", "train", "train-standard", "test", "val", "valid")
LABELS = ("targets", "labels", "_labels", "y")


class Torchvision:
    """`torchvision:NAME`, `torchvision:NAME:SPLIT`, `torchvision:NAME@FOLDER`; train is tuned on and test judged, where both are there."""

    name = "torchvision"
    about = "torchvision:NAME[@FOLDER][:SPLIT]: torchvision's classification datasets, downloaded where they are not there"
    example = "promptlab run torchvision:EuroSAT"

    def claims(self, where: str) -> bool:
        """A word that begins with torchvision:."""
        return where.startswith("torchvision:")

    def open(self, where: str, options: DataOptions) -> Dataset:
        """The dataset. Raises DataError for an unknown name, and for data that is not there and may not be downloaded."""
        found = WORD.fullmatch(where)
        if found is None or found[1] not in KNOWN:
            name = found[1] if found else where.removeprefix("torchvision:")
            near = difflib.get_close_matches(name.lower(), [known.lower() for known in KNOWN], n=1)
            meant = [f"Did you mean {known!r}? " for known in KNOWN if known.lower() in near]
            raise DataError(f"torchvision has no classification data named {name!r}.", f"{''.join(meant)}There are: {', '.join(KNOWN)}.")
        name, root, split = found.groups()
        make = _maker(name)
        parts = _splits(make, split, str(Path(root).expanduser()) if root else _home(), not options.offline)
        made = next(iter(parts.values()))
        names = getattr(made, "classes", None) or getattr(made, "categories", None) or ()
        own = classes(where, [_text(one) for one in names], options)
        return dataset(where, name, {one: _part(where, one, data) for one, data in parts.items()}, own)


def _maker(name: str) -> Callable[..., Any]:
    try:
        from torchvision import datasets
    except Exception as error:  # an installation of torchvision that does not fit torch can raise anything
        raise DataError(f"torchvision cannot be used: {error}.", "pip install torchvision") from error
    return getattr(datasets, name)  # type: ignore[no-any-return]


def _home() -> str:
    import torch

    return os.path.join(os.path.dirname(torch.hub.get_dir()), "datasets")


def _text(name: Any) -> str:
    """ImageNet gives each class a tuple of names."""
    return str(name[0] if isinstance(name, tuple) else name)


def _splits(make: Callable[..., Any], split: str | None, root: str, download: bool) -> dict[str, Any]:
    """{split: torchvision's dataset}, of one split or of all that it knows."""
    takes = inspect.signature(make).parameters
    if "train" in takes:
        wanted = {"train": {"train": True}, "test": {"train": False}}
    elif "split" in takes:
        wanted = {one: {"split": one} for one in ([split] if split else SPLITS)}
    else:
        wanted = {"all": {}}
    if split and split not in wanted:
        raise DataError(f"{make.__name__} has no split {split!r}.", f"It has: {', '.join(wanted)}.")
    found: dict[str, Any] = {}
    for one, given in wanted.items():
        if split in (None, one):
            made = _made(make, root, given, download and "download" in takes, bool(split) or "train" in takes or not given)
            found |= {} if made is None else {one: made}
    if not found:
        raise DataError(f"{make.__name__} has none of the splits {', '.join(SPLITS)}.", "Name one: torchvision:NAME:SPLIT")
    return found


def _made(make: Callable[..., Any], root: str, given: dict[str, Any], download: bool, must: bool) -> Any:
    """One split; None for one that this dataset does not have, unless it must. What is not there is downloaded if it may be."""
    takes = inspect.signature(make).parameters
    more: dict[str, Any] = {"loader": str} if "loader" in takes or make.__name__ == "ImageNet" else {}  # a path is given for the picture
    here = {"download": False} if "download" in takes else {}  # some would download unasked
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):  # its progress bars
            try:
                return make(root, **given, **more, **here)
            except (RuntimeError, FileNotFoundError):
                if not download:
                    raise
                os.makedirs(root, exist_ok=True)
                return make(root, **given, **more, download=True)
    except Exception as error:  # torchvision, and the packages that some of its datasets need, raise many kinds
        if isinstance(error, ValueError) and not must:
            return None
        hint = "Run once without --offline, or put it there." if not download else "Is the network reachable? Or put the data there."
        raise DataError(f"{make.__name__} cannot be had from {root!r}: {' '.join(str(error).split())}", hint) from error


def _part(where: str, split: str, data: Any) -> Part:
    labels = _labels(data)
    if all(label is None for label in labels):  # of FER2013's test
        return Part(None, _stamps(data), lambda i: _bytes(data, i))
    if not all(isinstance(label, int) for label in labels):
        raise DataError(f"{where!r} gives no number of a class for each picture of {split}.", "Only classification data can be used.")
    return Part(labels, _stamps(data), lambda i: _bytes(data, i))


def _labels(data: Any) -> list[Any]:
    """The numbers of all classes, without decoding a picture where that can be avoided."""
    for name in LABELS:
        found = getattr(data, name, None)
        if found is not None and len(found) == len(data):
            return [one if isinstance(one, int) else one.item() if hasattr(one, "item") else one for one in found]
    return [data[i][1] for i in range(len(data))]


def _stamps(data: Any) -> list[str]:
    """Of files their sizes and times. What torchvision gives as pictures is checked by it, and is as its name says."""
    if len(data) and isinstance(data[0][0], str):
        return [f"{one.st_size}-{one.st_mtime_ns}" for one in (os.stat(data[i][0]) for i in range(len(data)))]
    return [f"{type(data).__name__}-{i}" for i in range(len(data))]


def _bytes(data: Any, i: int) -> bytes:
    """The file of a picture where there is one, else the picture as PNG."""
    picture = data[i][0]
    if isinstance(picture, str):
        return Path(picture).read_bytes()
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
