"""Data is known again by what it holds, not by where it lies or what it is called."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli.conftest import draw

from promptlab.data.identity import content, holds, spots
from promptlab.data.imagefolder import ImageFolder
from promptlab.protocols import DataOptions
from promptlab.types import Classes, Dataset, Features


def opened(folder: Path) -> Dataset:
    return ImageFolder().open(str(folder), DataOptions())


def keys(dataset: Dataset) -> tuple[str, ...]:
    return dataset.splits["all"].keys


def vectors(x: np.ndarray, labels: np.ndarray | None = None) -> Dataset:
    features = Features(x, tuple(f"{i:07d}" for i in range(len(x))), labels, "all", "")
    return Dataset("v", Classes.of(["a", "b"]), {"all": features})


@pytest.fixture
def val(tmp_path: Path) -> Path:
    return draw(tmp_path / "one" / "val")


def test_a_copy_under_another_name_is_known_again(val: Path, tmp_path: Path) -> None:
    copy = tmp_path / "renamed"
    shutil.copytree(val, copy, copy_function=shutil.copyfile)
    assert holds(opened(copy), keys(opened(copy)), spots(opened(val), keys(opened(val))))


def test_another_folder_of_the_same_name_is_not(val: Path, tmp_path: Path) -> None:
    other = draw(tmp_path / "two" / "val", dict.fromkeys(("red", "green_leaf", "blue"), (9, 9, 9)))
    assert keys(opened(other)) == keys(opened(val))
    assert not holds(opened(other), keys(opened(other)), spots(opened(val), keys(opened(val))))


def test_vectors_are_known_by_their_values() -> None:
    rng = np.random.default_rng(0)
    first, second = vectors(rng.normal(size=(40, 4))), vectors(rng.normal(size=(40, 4)))
    assert holds(first, keys(first), spots(first, keys(first)))
    assert not holds(second, keys(second), spots(first, keys(first)))
    assert not holds(first, keys(first)[20:], spots(first, keys(first)[:20]))


def test_a_picture_that_is_gone_is_no_trouble(val: Path) -> None:
    before = opened(val)
    (val / keys(before)[0]).unlink()
    assert len(spots(before, keys(before))) == 14


CHANGES: dict[str, Callable[[Path], object]] = {
    "a new picture": lambda root: shutil.copy(root / "red" / "0.png", root / "red" / "new.png"),
    "one picture less": lambda root: (root / "red" / "0.png").unlink(),
    "a changed picture": lambda root: os.utime(root / "red" / "0.png", (1, 1)),
    "a renamed class": lambda root: (root / "red").rename(root / "rot"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_pictures_change_the_fingerprint(val: Path, change: str) -> None:
    before = content(opened(val))
    assert content(opened(val)) == before
    CHANGES[change](val)
    assert content(opened(val)) != before


def test_changed_labels_names_and_vectors_change_the_fingerprint() -> None:
    x, labels = np.eye(4), np.array([0, 1, 0, 1])
    made = vectors(x, labels)
    others = (vectors(x, 1 - labels), vectors(x), vectors(2 * x, labels), replace(made, classes=Classes.of(["a", "c"])))
    assert len({content(d) for d in (made, *others)}) == 5
