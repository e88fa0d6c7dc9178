"""Plugins as their authors write them: files of a folder, and installed packages; and vectors to score."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from promptlab import Lab, Settings
from promptlab.events import Event, Noted

HEAD = "from promptlab import *\nfrom promptlab import hookimpl\n"


class Bench:
    """A folder of plugins, and what is said while they are loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        folder.mkdir()

    def add(self, name: str, code: str) -> "Bench":
        """Puts a module into the folder."""
        (self.folder / f"{name}.py").write_text(HEAD + code)
        return self

    def lab(self, **settings: object) -> Lab:
        """A lab with these plugins."""
        self.said = []
        return Lab(Settings.load({"plugins_dir": str(self.folder), **settings}), self._listen)

    def _listen(self, event: Event) -> None:
        if isinstance(event, Noted):
            self.said.append(event.text)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An empty folder of plugins."""
    return Bench(tmp_path / "my-plugins")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Installs a package with a plugin: its module, and the metadata that an installer would write."""
    monkeypatch.syspath_prepend(str(tmp_path / "installed"))

    def install(package: str, plugin: str, code: str, version: str = "1.2") -> None:
        root, module = tmp_path / "installed", package.replace("-", "_")
        about = root / f"{module}-{version}.dist-info"
        about.mkdir(parents=True)
        (root / f"{module}.py").write_text(HEAD + code)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\nSummary: a plugin of tests\n")
        (about / "entry_points.txt").write_text(f"[promptlab]\n{plugin} = {module}\n")
        monkeypatch.delitem(sys.modules, module, raising=False)

    return install


@pytest.fixture
def vectors() -> str:
    """Vectors of 60 pictures in 5 classes, with those of 3 families of texts."""
    rng = np.random.default_rng(0)
    text = rng.normal(size=(3, 5, 16))
    labels = np.repeat(np.arange(5), 12)
    features = text.mean(0)[labels] + rng.normal(size=(60, 16))
    names = np.array(["ant", "bee", "cat", "dog", "emu"])
    np.savez("vectors.npz", features=features, labels=labels, names=names, text=text, families=np.array(["a", "b", "c"]), scale=100.0)
    return "vectors.npz"
