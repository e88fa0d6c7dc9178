from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptlab.data.imagefolder import ImageFolder
from promptlab.protocols import DataOptions
from promptlab.types import Dataset


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder that holds these files (and, for names that end in /, folders); nothing here reads a picture."""

    def make(*names: str) -> Path:
        root = tmp_path / "photos"
        root.mkdir(exist_ok=True)
        for name in names:
            path = root / name
            if name.endswith("/"):
                path.mkdir(parents=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(name.encode())
        return root

    return make


@pytest.fixture
def opened() -> Callable[..., Dataset]:
    """Opens a folder of pictures, with a names file if one is given."""
    return lambda root, names="": ImageFolder().open(str(root), DataOptions(names=str(names)))


@pytest.fixture
def listing(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a names file."""

    def write(text: str) -> Path:
        path = tmp_path / "names.txt"
        path.write_bytes(text.encode())
        return path

    return write


@pytest.fixture
def planted() -> Callable[..., dict[str, Any]]:
    """Arrays of n pictures of c classes in d dimensions, each picture near its class's text under every one of k families."""

    def make(n: int = 24, c: int = 3, d: int = 8, k: int = 2, seed: int = 0) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        centres, labels = np.eye(c, d), np.arange(n) % c
        return {
            "features": (centres[labels] + 0.1 * rng.normal(size=(n, d))).astype(np.float32),
            "labels": labels,
            "names": np.array([f"thing {i}" for i in range(c)]),
            "text": (centres + 0.1 * rng.normal(size=(k, c, d))).astype(np.float32),
            "families": np.array([f"family {i} of {{}}" for i in range(k)]),
        }

    return make
