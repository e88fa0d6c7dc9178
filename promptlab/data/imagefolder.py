"""A folder of pictures: sub-folders are classes, or a flat folder with a names file."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from promptlab.data import names
from promptlab.data.listing import SUFFIXES, fetched, is_folder, is_picture, pictures, read, stamp
from promptlab.data.places import Place, Remote, is_url, place
from promptlab.errors import DataError
from promptlab.protocols import DataOptions
from promptlab.types import Dataset, Images

SPLITS = {"train", "val", "valid", "validation", "test"}


class Found(NamedTuple):
    """The pictures of a folder, as (key, stamp) pairs sorted by key."""

    where: str
    name: str
    root: str
    folders: dict[str, list[tuple[str, str]]]  # {sub-folder: its pictures}, in order
    loose: list[tuple[str, str]]  # those beside the sub-folders
    read: Callable[[str], bytes]


class ImageFolder:
    """Pictures in sub-folders, one per class; or pictures alone, with `--classes names.txt`.

    Sub-folders that are all splits (train/, val/, test/) are refused: one of them is to be named, or a table with a column `split`.
    """

    name = "imagefolder"
    about = "sub-folders = classes, or a flat folder with --classes names.txt; local or s3://, gs://, ..."
    example = "promptlab run photos/"

    def claims(self, where: str) -> bool:
        """Any folder that exists and holds no feature files at its top, and any URL that no other source claims."""
        try:
            return is_url(where) or (os.path.isdir(where) and not any(Path(name).suffix in (".npz", ".npy") for name in os.listdir(where)))
        except OSError:
            return True  # `open` says what the disk says

    def open(self, where: str, options: DataOptions) -> Dataset:
        """The dataset; see the class. Raises DataError when there is no picture, or no way to know the classes."""
        here = place(where)
        if not here.lists:
            raise DataError(f"{where!r} is no shard, and folders cannot be listed over http.", "Name shards or parquet files that end so.")
        found = _behind(here) if isinstance(here, Remote) else _on_disk(here)
        if found.folders and {f.lower() for f in found.folders} <= SPLITS:
            last = list(found.folders)[-1]
            raise DataError(
                f"{where!r} holds the splits {', '.join(found.folders)}, not classes.", f"Name one of them: {(here / last).text}."
            )
        return _labelled(found, options) if any(found.folders.values()) else _flat(found, options)


def _on_disk(here: Place) -> Found:
    root = Path(here.text)
    entries = list(os.scandir(root))
    folders = sorted(e.name for e in entries if is_folder(e) and not e.name.startswith(".") and not _leads_back(e, root))
    loose = sorted((entry.name, stamp(entry)) for entry in entries if is_picture(entry))
    inside = {folder: pictures(root / folder, root) for folder in folders}
    return Found(here.text, root.resolve().name, here.root, inside, loose, lambda key: read(root / key))


def _behind(here: Remote) -> Found:
    """Of a folder behind a URL, listed with what is below it."""
    inside: dict[str, list[tuple[str, str]]] = {}
    loose: list[tuple[str, str]] = []
    for key, status in here.files():
        if not key.lower().endswith(SUFFIXES) or any(part.startswith(".") for part in key.split("/")):
            continue
        folder, slash, _ = key.partition("/")
        (inside.setdefault(folder, []) if slash else loose).append((key, status.stamp))

    return Found(here.text, here.name, here.root, inside, loose, lambda key: fetched(here / key))


def _leads_back(entry: "os.DirEntry[str]", root: Path) -> bool:
    """Whether a linked folder is the root itself or lies above it."""
    return entry.is_symlink() and root.resolve().is_relative_to(Path(entry.path).resolve())


def _labelled(found: Found, options: DataOptions) -> Dataset:
    folders = [folder for folder, inside in found.folders.items() if inside]
    classes = names.for_folders(folders, options.names)
    listing = [(key, stamp, c) for c, folder in enumerate(folders) for key, stamp in found.folders[folder]]
    empty = [folder for folder, inside in found.folders.items() if not inside]
    notes = []
    if empty:
        notes.append(f"{len(empty)} sub-folders hold no picture and are no classes: {', '.join(sorted(empty)[:4])}.")
    if found.loose:
        notes.append(f"{len(found.loose)} pictures lie beside the class folders and are left out, e.g. {found.loose[0][0]}.")
    images = _images(found, [(k, s) for k, s, _ in listing], np.array([c for *_, c in listing], np.int64))
    return Dataset(found.name, classes, {"all": images}, notes=tuple(notes))


def _flat(found: Found, options: DataOptions) -> Dataset:
    if not found.loose:
        raise DataError(f"There is no picture in {found.where!r}.", f"Pictures end in {', '.join(sorted(SUFFIXES))}.")
    if not options.names:
        raise DataError(
            f"{found.where!r} holds {len(found.loose)} pictures but no sub-folders, so the classes are unknown.",
            "Add --classes names.txt.",
        )
    return Dataset(found.name, names.bare_list(options.names), {"all": _images(found, found.loose, None)})


def _images(found: Found, listing: list[tuple[str, str]], labels: np.ndarray | None) -> Images:
    (keys, stamps), read = zip(*listing, strict=True), found.read  # what it reads by must not hold the listing: other processes get it
    return Images("all", keys, stamps, labels, lambda i: read(keys[i]), found.root, files=not is_url(found.where))


def some_pictures(paths: Sequence[str]) -> Images:
    """The pictures at these paths, in this order, without labels; a folder stands for the pictures in it, if it has any."""
    inside = {path: pictures(Path(path), Path(path)) for path in paths if os.path.isdir(path)}
    found = tuple(one for path in paths for one in ([str(Path(path, key)) for key, _ in inside.get(path, ())] or [path]))
    return Images("given", found, found, None, lambda i: read(Path(found[i])), files=True)
