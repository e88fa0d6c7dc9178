"""A folder of pictures: sub-folders are classes, or a flat folder with a names file."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from promptlab.data import names
from promptlab.data.listing import SUFFIXES, is_folder, is_picture, pictures, read
from promptlab.errors import DataError
from promptlab.protocols import DataOptions
from promptlab.types import Dataset, Images

SPLITS = {"train", "val", "valid", "validation", "test"}


class ImageFolder:
    """Pictures in sub-folders, one per class; or pictures alone, with `--classes names.txt`.

    Sub-folders that are all splits (train/, val/, test/) are refused: one of them is to be named, or a table with a column `split`.
    """

    name = "imagefolder"
    about = "sub-folders = classes, or a flat folder with --classes names.txt"
    example = "promptlab run photos/"

    def claims(self, where: str) -> bool:
        """Any folder that exists and holds no feature files at its top."""
        try:
            return os.path.isdir(where) and not any(Path(name).suffix in (".npz", ".npy") for name in os.listdir(where))
        except OSError:
            return True  # `open` says what the disk says

    def open(self, where: str, options: DataOptions) -> Dataset:
        """The dataset; see the class. Raises DataError when there is no picture, or no way to know the classes."""
        root = Path(where)
        folders = sorted(e.name for e in os.scandir(root) if is_folder(e) and not e.name.startswith(".") and not _leads_back(e, root))
        if folders and {f.lower() for f in folders} <= SPLITS:
            raise DataError(f"{where!r} holds the splits {', '.join(folders)}, not classes.", f"Name one of them: {root / folders[-1]}.")
        found = {folder: pictures(root / folder, root) for folder in folders}
        labelled = [folder for folder in folders if found[folder]]
        return _labelled(root, labelled, found, options) if labelled else _flat(root, options)


def _leads_back(entry: "os.DirEntry[str]", root: Path) -> bool:
    """Whether a linked folder is the root itself or lies above it."""
    return entry.is_symlink() and root.resolve().is_relative_to(Path(entry.path).resolve())


def _labelled(root: Path, folders: list[str], found: dict[str, list[tuple[str, str]]], options: DataOptions) -> Dataset:
    classes = names.for_folders(folders, options.names)
    listing = [(key, stamp, c) for c, folder in enumerate(folders) for key, stamp in found[folder]]
    empty = [folder for folder in found if not found[folder]]
    loose = [entry.name for entry in os.scandir(root) if is_picture(entry)]
    notes = []
    if empty:
        notes.append(f"{len(empty)} sub-folders hold no picture and are no classes: {', '.join(sorted(empty)[:4])}.")
    if loose:
        notes.append(f"{len(loose)} pictures lie beside the class folders and are left out, e.g. {min(loose)}.")
    images = _images(root, [(k, s) for k, s, _ in listing], np.array([c for *_, c in listing], np.int64))
    return Dataset(root.resolve().name, classes, {"all": images}, notes=tuple(notes))


def _flat(root: Path, options: DataOptions) -> Dataset:
    listing = pictures(root, root)
    if not listing:
        raise DataError(f"There is no picture in {str(root)!r}.", f"Pictures end in {', '.join(sorted(SUFFIXES))}.")
    if not options.names:
        raise DataError(
            f"{str(root)!r} holds {len(listing)} pictures but no sub-folders, so the classes are unknown.",
            "Add --classes names.txt.",
        )
    return Dataset(root.resolve().name, names.bare_list(options.names), {"all": _images(root, listing, None)})


def _images(root: Path, listing: list[tuple[str, str]], labels: np.ndarray | None) -> Images:
    keys, stamps = zip(*listing, strict=True)
    return Images("all", keys, stamps, labels, lambda i: read(root / keys[i]), str(root.resolve()))


def some_pictures(paths: Sequence[str]) -> Images:
    """The pictures at these paths, in this order, without labels; a folder stands for the pictures in it, if it has any."""
    inside = {path: pictures(Path(path), Path(path)) for path in paths if os.path.isdir(path)}
    found = tuple(one for path in paths for one in ([str(Path(path, key)) for key, _ in inside.get(path, ())] or [path]))
    return Images("given", found, found, None, lambda i: read(Path(found[i])))
