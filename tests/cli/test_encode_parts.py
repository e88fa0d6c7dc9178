"""Jobs that share the pictures of a dataset, each with a part of its own."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from promptlab.config import Settings
from promptlab.lab import Lab
from promptlab.types import Features

from .conftest import SCRIPT

Call = Callable[..., Any]
N = 24


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """A folder of three classes, 24 pictures that all differ."""
    for i in range(N):
        place = tmp_path / "drawn" / f"class {i % 3}" / f"{i:02d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 255, (40, 40, 3), np.uint8)).save(place)
    return tmp_path / "drawn"


def features(where: Path, cache: Path) -> tuple[Features, int]:
    lab = Lab(Settings.load({"cache": str(cache)}))
    found, new = lab.features(lab.open(str(where)), lab.encoder("mini"))
    return found["all"], new


def test_two_jobs_at_once_leave_nothing_to_encode_and_the_same_vectors(drawn: Path, tmp_path: Path) -> None:
    cache, environment = tmp_path / "shared", dict(os.environ) | {"OMP_NUM_THREADS": "1"}
    jobs = [
        subprocess.Popen(
            [SCRIPT, "encode", drawn, "--shard", f"{i}/2", "--cache", cache, "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in (1, 2)
    ]
    for job in jobs:
        out, said = job.communicate(timeout=120)
        assert job.returncode == 0, said
        assert '"n": 12' in out
        assert '"images": 12' in out
    assert not list(cache.glob("text/**/*.sqlite"))
    found, new = features(drawn, cache)
    alone, all_new = features(drawn, tmp_path / "alone")
    assert (new, all_new) == (0, N)
    assert found.keys == alone.keys
    np.testing.assert_allclose(found.x[:], alone.x[:], atol=1e-6)


def test_a_part_says_how_much_it_was_and_is_encoded_once(promptlab: Call, drawn: Path) -> None:
    first = promptlab("encode", str(drawn), "--shard", "2/5", "--json").json
    assert (first["name"], first["shard"], first["n"], first["encoded"]) == ("drawn", "2/5", 5, {"images": 5})
    again = promptlab("encode", str(drawn), "--shard", "2/5")
    assert again.out.splitlines()[0] == "drawn: part 2/5, 5 pictures (0 encoded anew)."
    whole = promptlab("encode", str(drawn), "--json").json
    assert whole["encoded"]["images"] == N - 5
    assert promptlab("encode", str(drawn), "--shard", "30/30", "--json").json["encoded"] == {"images": 0}


def test_more_parts_than_pictures_are_empty_or_one_picture(promptlab: Call, drawn: Path) -> None:
    found = [promptlab("encode", str(drawn), "--shard", f"{i}/40", "--json").json["n"] for i in (1, 2, 40)]
    assert found == [0, 1, 1]


def test_pictures_that_the_disk_refuses_are_told(promptlab: Call, drawn: Path) -> None:
    (drawn / "class 0" / "00.png").unlink()
    (drawn / "class 0" / "00.png").symlink_to("nowhere")
    said = promptlab("encode", str(drawn), "--shard", "1/8")
    assert said.out.splitlines()[0] == "drawn: part 1/8, 3 pictures (2 encoded anew)."
    assert "1 picture could not be opened, e.g. class 0/00.png" in said.err


def test_captions_without_classes_have_parts_too(promptlab: Call, drawn: Path) -> None:
    Path("said.csv").write_text("path,caption\n" + "".join(f"{p},noise\n" for p in sorted(drawn.rglob("*.png"))))
    assert promptlab("encode", "said.csv", "--shard", "1/12", "--json").json["encoded"] == {"images": 2}


@pytest.mark.parametrize("wrong", ["0/3", "4/3", "a/b", "1/0"])
def test_a_wrong_part_is_a_usage_error(promptlab: Call, drawn: Path, wrong: str) -> None:
    said = promptlab("encode", str(drawn), "--shard", wrong)
    assert said.code == 2
    assert wrong in said.err


def test_vectors_have_no_parts_to_encode(promptlab: Call, npz: Call) -> None:
    said = promptlab("encode", npz(), "--shard", "1/2")
    assert said.code == 2
    assert "brings vectors of its pictures" in said.err
