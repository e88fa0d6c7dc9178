"""A process is killed while it encodes pictures; the next one goes on where it was."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from promptlab.config import Settings
from promptlab.encode import features
from promptlab.lab import Lab

N, SHARD = 36, 4
DRIVER = f"""
from promptlab.encode import features
from promptlab.lab import Lab
features.FIRST, features.SECONDS = {SHARD}, 0
lab = Lab()
dataset = lab.open("photos")
lab.features(dataset, lab.encoder("mini"))
"""


def finished(cache: Path) -> int:
    return len(list(cache.glob("features/**/*.note")))


def killed_after_the_first_shard(cache: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", DRIVER], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not finished(cache) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    _, said = process.communicate()
    assert process.returncode == -signal.SIGKILL, said.decode()


def test_a_killed_run_is_continued_and_ends_like_an_undisturbed_one(
    picture: Callable[..., bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(N):
        path = Path("photos") / f"class {i % 3}" / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(i, "JPEG"))
    killed_after_the_first_shard(tmp_path / "cache")
    before = finished(tmp_path / "cache")
    assert 1 <= before < N / SHARD

    monkeypatch.setattr(features, "FIRST", SHARD)
    monkeypatch.setattr(features, "SECONDS", 0)
    lab = Lab(Settings.load({}))
    encoder = lab.encoder("mini")
    again, new = lab.features(lab.open("photos"), encoder)
    assert new == N - before * SHARD
    fresh = Lab(Settings.load({"cache": str(tmp_path / "other")}))
    undisturbed, all_new = fresh.features(fresh.open("photos"), encoder)
    assert all_new == N
    np.testing.assert_array_equal(again["all"].x[:], undisturbed["all"].x[:])
    assert again["all"].keys == undisturbed["all"].keys
    assert not list((tmp_path / "cache").rglob(".new-*"))
