"""Which parquet files a place stands for, and which split each is of."""

import re
from collections import Counter
from typing import NamedTuple

from promptlab.data.places import Place, place
from promptlab.data.rows import SPLITS, split_in
from promptlab.errors import DataError

SHARD = re.compile(r"(.*?)-?(\d{1,7})-of-(\d{1,7})")
ABOUT = ("readme.md", ".gitattributes")  # what lies at the top of a clone of the hub


class File(NamedTuple):
    """One of them."""

    key: str  # its path below the folder
    place: Place
    split: str  # empty where neither its name nor its folder's holds one


def ways(where: str) -> dict[str, list[File]]:
    """{where they lie: files, sorted by key}: a file alone, or those at the top of a folder, in `data/`, in `train/`, `test/` and so on.

    Where there are none, those of a configuration's folder, as clones of the hub have it. Several ways are for the user to choose from.
    """
    here = place(where)
    if here.name.lower().endswith(".parquet"):
        return {here.name: [File(here.name, here, "")]} if here.is_file() else {}
    return _ways(here) if here.is_folder() else {}


def _ways(folder: Place, is_outer: bool = True) -> dict[str, list[File]]:
    entries = folder.entries()
    below = [one.name for one in entries if one.is_folder and not one.name.startswith(".")]
    own = [File(one.name, folder / one.name, split_in(one.name)) for one in entries if not one.is_folder and _is_ours(one.name)]
    splits = {name: _files(folder / name, name) for name in below if name.lower() in SPLITS}
    found = {
        "at its top": own,
        f"in {'/, '.join(name for name in splits if splits[name])}/": [one for some in splits.values() for one in some],
    }
    if is_outer:
        found |= _inner(folder, [name for name in below if name.lower() == "data"])
    if not any(found.values()) and is_outer and (len(below) == 1 or any(one.name.lower() in ABOUT for one in entries)):
        found = _inner(folder, [name for name in below if name.lower() not in SPLITS])
    return {how: sorted(files, key=lambda file: file.key) for how, files in found.items() if files}


def _inner(folder: Place, names: list[str]) -> dict[str, list[File]]:
    """The ways of folders below, keys and all as seen from above them."""
    return {
        f"in {name}/" if how == "at its top" else f"{how[:3]}{name}/{how[3:]}": [file._replace(key=f"{name}/{file.key}") for file in files]
        for name in names
        for how, files in _ways(folder / name, is_outer=False).items()
    }


def _files(folder: Place, split: str) -> list[File]:
    names = [one.name for one in folder.entries() if not one.is_folder and _is_ours(one.name)]
    return [File(f"{split}/{name}", folder / name, split_in(split, name)) for name in names]


def _is_ours(name: str) -> bool:
    return name.lower().endswith(".parquet") and not name.startswith((".", "_"))


def whole(where: str) -> list[File]:
    """The files that `where` stands for. Raises DataError where several ways are there, and where files are missing or too many."""
    found = ways(where)
    if len(found) > 1:
        raise DataError(f"{where!r} holds parquet files {'; '.join(found)}.", "Name the folder that is meant, or move the others away.")
    files = next(iter(found.values()), [])
    _check_whole(where, [file.key for file in files])
    return files


def _check_whole(where: str, keys: list[str]) -> None:
    """Raises DataError where a file of several (`-00000-of-00002`) is missing or there twice: its pictures would be so, unseen."""
    there: dict[tuple[str, str], Counter[int]] = {}
    for key in keys:
        numbered = SHARD.match(key)
        if numbered:
            there.setdefault((numbered[1], numbered[3]), Counter())[int(numbered[2])] += 1
    for (stem, count), numbers in there.items():
        twice = next((number for number, times in numbers.items() if times > 1), None)
        if twice is not None:
            raise DataError(f"{where!r} holds number {twice} of the files {stem}-*-of-{count} more than once.", "Remove the older ones.")
        if len(numbers) != int(count):
            missing = next((i for i in range(int(count)) if i not in numbers), int(count))
            raise DataError(
                f"{where!r} holds {len(numbers)} of the {int(count)} files {stem}-*-of-{count}.",
                f"Fetch number {missing}; the first is 0.",
            )


def left_out(where: str, files: list[File]) -> list[str]:
    """The folders that hold parquet files beside those of `where`, but go by the name of no split."""
    folder, read = place(where), {file.key.partition("/")[0] for file in files}
    entries = folder.entries() if folder.is_folder() else []
    others = [one.name for one in entries if one.is_folder and not one.name.startswith(".") and one.name not in read]
    return [name for name in others if _files(folder / name, name)]
