"""The command line, called in this process where speed matters and as the installed script where the process itself is the point."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from promptlab.cli import diagnostics
from promptlab.cli.main import cli
from promptlab.lab import Lab

from . import planted

SCRIPT = Path(sys.executable).with_name("promptlab")
COLOURS = {"red": (200, 30, 30), "green_leaf": (30, 180, 40), "blue": (20, 40, 210)}


class Said(NamedTuple):
    """What a command said."""

    code: int
    """Exit code."""
    out: str
    """On stdout."""
    err: str
    """On stderr."""

    @property
    def json(self) -> Any:
        """Stdout as one JSON value."""
        return json.loads(self.out)

    @property
    def events(self) -> list[dict[str, Any]]:
        """Stderr as JSON lines."""
        return [json.loads(line) for line in self.err.splitlines()]


def called(*arguments: str, folder: Path, cache: Path) -> Said:
    """The installed script, in a folder and with a cache of its own, its output piped."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PROMPTLAB_", "OPENAI_"))}
    environment |= {"PROMPTLAB_CONFIG": str(cache.parent / "config")}
    done = subprocess.run(
        [SCRIPT, *arguments],
        cwd=folder,
        env=environment | {"PROMPTLAB_CACHE": str(cache), "COLUMNS": "100"},
        capture_output=True,
        timeout=200,
        check=False,
    )
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., Said]:
    """Calls the installed script in the test's folder."""
    return lambda *arguments: called(*arguments, folder=Path.cwd(), cache=tmp_path / "cache")


def inside(*arguments: str, folder: Path, cache: Path) -> Said:
    """The command line in this process, in a folder and with a cache of its own, its output caught."""
    out, err, before = io.StringIO(), io.StringIO(), (sys.argv, dict(os.environ))
    sys.argv = ["promptlab", *arguments]
    os.environ["PROMPTLAB_CACHE"] = str(cache)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.chdir(folder):
            code = diagnostics.guarded(lambda: cli.main(list(arguments), standalone_mode=False))
    finally:
        sys.argv = before[0]
        os.environ.clear()
        os.environ.update(before[1])
    return Said(code, out.getvalue(), err.getvalue())


@pytest.fixture
def promptlab() -> Callable[..., Said]:
    """Calls the command line in this process, in the test's folder."""
    return lambda *arguments: inside(*arguments, folder=Path.cwd(), cache=Path(os.environ["PROMPTLAB_CACHE"]))


class Twice(NamedTuple):
    """One command, called twice."""

    folder: Path
    """Where; its `runs` folder holds both runs."""
    cache: Path
    """With this cache, empty at first."""
    cold: Said
    """The first time."""
    warm: Said
    """The second time."""


@pytest.fixture(scope="session")
def everyday(tmp_path_factory: pytest.TempPathFactory) -> Twice:
    """The embedded data set, run cold and warm."""
    folder = tmp_path_factory.mktemp("everyday")
    cache = folder / "cache"
    cold, warm = (called("run", "everyday", "--templates", "simple", "--json", folder=folder, cache=cache) for _ in range(2))
    return Twice(folder, cache, cold, warm)


def draw(root: Path, colours: dict[str, tuple[int, int, int]] | None = None, each: int = 5) -> Path:
    """A folder of small noisy pictures; its sub-folders are colours."""
    rng = np.random.default_rng(0)
    for name, colour in (colours or COLOURS).items():
        (root / name).mkdir(parents=True)
        for i in range(each):
            pixels = np.clip(np.array(colour) + rng.normal(0, 20, (32, 40, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    return root


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Twice:
    """A folder of pictures, one of them broken, run cold and warm."""
    folder = tmp_path_factory.mktemp("pictures")
    draw(folder / "photos")
    (folder / "photos" / "blue" / "broken.jpg").write_bytes(b"this is no picture")
    arguments = ("run", "photos", "--templates", "plain", "--json")
    cold, warm = (inside(*arguments, folder=folder, cache=folder / "cache") for _ in range(2))
    return Twice(folder, folder / "cache", cold, warm)


@pytest.fixture
def photos() -> Path:
    """A folder of 15 small pictures in three classes, in the test's folder."""
    return draw(Path("photos"))


@pytest.fixture
def paint() -> Callable[..., Path]:
    """Makes folders like `photos` under other names."""
    return draw


@pytest.fixture
def in_a_run(everyday: Twice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test's folder holds a copy of a finished run, everything cached; its name."""
    shutil.copytree(everyday.folder / "runs", Path.cwd() / "runs", symlinks=True)
    monkeypatch.setenv("PROMPTLAB_CACHE", str(everyday.cache))
    return Path(everyday.warm.json["run"]).name


@pytest.fixture
def npz(tmp_path: Path) -> Callable[..., str]:
    """Saves vectors of pictures and texts, so that no model is needed; arrays given replace those made here."""

    def save(n: int = 24, c: int = 3, k: int = 2, **arrays: Any) -> str:
        rng = np.random.default_rng(0)
        centres, labels = np.eye(max(c, 2), 8)[:c], np.arange(n) % c
        made = {
            "features": (centres[labels] + 0.2 * rng.normal(size=(n, 8))).astype(np.float32),
            "labels": labels,
            "names": np.array([f"thing {i}" for i in range(c)]),
            "text": (centres + 0.2 * rng.normal(size=(k, c, 8))).astype(np.float32),
            "families": np.array([f"family {i}: {{}}" for i in range(k)]),
            "scale": np.array(100.0),
        }
        kept = {name: array for name, array in {**made, **arrays}.items() if array is not None}
        np.savez(tmp_path / "vectors.npz", **kept)
        return str(tmp_path / "vectors.npz")

    return save


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `things.npz` (see `planted`) and a cache that holds the texts of its enrichment."""
    folder = tmp_path_factory.mktemp("things")
    planted.plant(folder / "things.npz")
    (folder / "words.json").write_text(json.dumps({name: json.loads(planted.phrases(name))["phrases"] for name in planted.NAMES}))
    said = inside("enrich", "things.npz", *planted.FEW, "--descriptions", "words.json", folder=folder, cache=folder / "cache")
    assert said.code == 0, said.err
    return folder


@pytest.fixture(scope="session")
def loaded() -> dict[str, Any]:
    """Models that were loaded."""
    return {}


@pytest.fixture
def things(warm: Path, loaded: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Enriches in the test's folder, where `things.npz` is; flags follow. The model is loaded once for all tests."""
    encoder = Lab.encoder
    monkeypatch.setattr(Lab, "encoder", lambda lab, name: loaded.setdefault(name, encoder(lab, name)))
    shutil.copy(warm / "things.npz", Path.cwd())
    cache = Path(os.environ["PROMPTLAB_CACHE"])
    shutil.copytree(warm / "cache", cache)
    return lambda *flags: inside("enrich", *flags, folder=Path.cwd(), cache=cache)
