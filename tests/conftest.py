"""What many tests share. The development material beside a checkout is optional: tests that need it skip, saying so."""

import os
from pathlib import Path

import pytest

from promptlab.config import Settings
from promptlab.lab import Lab

SHARED = Path(__file__).parents[2] / "shared"
MINI = Path(__file__).parents[1] / "plugins" / "promptlab-demo" / "promptlab_demo" / "mini"


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the developer's settings, keys, cache or runs: each works in a folder of its own."""
    for name in [n for n in os.environ if n.startswith(("PROMPTLAB_", "OPENAI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("COLUMNS", raising=False)  # nor how wide their terminal is
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("PROMPTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PROMPTLAB_CONFIG", str(tmp_path / "config"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The development material; skips without it."""
    if not SHARED.is_dir():
        pytest.skip("the folder ../shared is not here")
    return SHARED


@pytest.fixture
def lab() -> Lab:
    """A lab with default settings, its cache and runs in the test's own folder."""
    return Lab(Settings.load({}))
