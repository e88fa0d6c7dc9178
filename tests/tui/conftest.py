"""The app over copies of small finished runs, and models that are loaded once."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from score.planted import one_thread
from workbench.planted import Shop, one_encoder

from promptlab.lab import Lab

__all__ = ["one_thread"]


@pytest.fixture(scope="session")
def known_models() -> dict[str, Any]:
    """Models that were loaded."""
    return {}


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, known_models: dict[str, Any]) -> Shop:
    """Runs of every kind."""
    return Shop(tmp_path_factory.mktemp("shop"), known_models)


@pytest.fixture
def desk(shop: Shop, tmp_path: Path, known_models: dict[str, Any]) -> Iterator[Callable[[str], Lab]]:
    """A lab over a copy of a run of that kind."""
    with one_encoder(known_models):
        yield lambda kind: shop.copy(kind, tmp_path / kind)
