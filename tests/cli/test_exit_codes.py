"""Exit codes, and what errors look like: one or two sentences, a remedy, never a traceback without --debug."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import SCRIPT, Said

Call = Callable[..., Said]
DRIVER = """
import sys
from promptlab.encode import features
from promptlab.cli.main import main
features.FIRST, features.SECONDS = 4, 0
sys.argv = ["promptlab", "run", "photos", "--templates", "plain"]
main()
"""


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (0, ["--version"]),
        (0, ["run", "--help"]),
        (2, ["nonsense"]),
        (2, ["run", "--nonsense"]),
        (2, ["run", "nowhere"]),
        (1, ["run", "empty"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_the_script_exits_with_the_code_that_is_documented(script: Call, code: int, arguments: list[str]) -> None:
    Path("empty").mkdir()
    said = script(*arguments)
    assert said.code == code
    assert "Traceback" not in said.err
    assert bool(said.out) == (code == 0)


WRONG = {
    "no command": (2, ["nonsense"]),
    "no option": (2, ["run", "photos", "--nonsense"]),
    "no choice": (2, ["run", "photos", "--weights", "cpee"]),
    "no debias": (2, ["run", "photos", "--debias", "balanced"]),
    "no number": (2, ["run", "photos", "--seed", "x"]),
    "no data": (2, ["run"]),
    "no dataset": (2, ["run", "nowhere"]),
    "no template set": (2, ["run", "photos", "--templates", "nothing"]),
    "no model": (2, ["run", "photos", "--model", "minni"]),
    "no rule": (2, ["score", "photos", "--rule", "cmmm"]),
    "no reducer": (2, ["score", "photos", "--rule", "cmm/best"]),
    "no device": (2, ["run", "photos", "--device", "tpu"]),
    "no run": (2, ["runs", "show", "nothing"]),
    "no latest run": (2, ["score"]),
    "no tau": (2, ["run", "photos", "--tau", "0"]),
    "tau that is none": (2, ["run", "photos", "--tau", "nan"]),
    "k below 0": (2, ["run", "photos", "--k", "-1"]),
    "no picture to classify": (2, ["classify"]),
    "no template": (2, ["templates", "nothing"]),
    "empty folder": (1, ["run", "empty"]),
    "no labels for true": (2, ["score", "flat", "--classes", "names.txt", "--labels", "true"]),
    "a bare list": (1, ["run", "photos", "--classes", "names.txt"]),
    "no names": (1, ["run", "flat"]),
    "no weights": (1, ["run", "photos", "--model", "ViT-B-32"]),
    "no architecture": (2, ["run", "photos", "--model", "ViT-B32"]),
    "no model folder": (1, ["run", "photos", "--model", "local-dir:/nowhere"]),
    "no classifier": (1, ["classify", "photos/red/0.png", "--classifier", "gone.safetensors"]),
    "cache in the way": (1, ["run", "photos", "--cache", "names.txt"]),
    "runs in the way": (1, ["run", "photos", "--runs", "names.txt"]),
}


@pytest.fixture
def places(photos: Path) -> None:
    """What the wrong commands point to."""
    Path("empty").mkdir()
    Path("flat").mkdir()
    Path("flat/a.png").write_bytes((photos / "red" / "0.png").read_bytes())
    Path("flat/b.png").write_bytes((photos / "blue" / "0.png").read_bytes())
    Path("names.txt").write_text("red\nblue\n")


@pytest.mark.usefixtures("places")
@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_told_in_a_sentence_or_two(promptlab: Call, case: str, tmp_path: Path) -> None:
    code, arguments = WRONG[case]
    said = promptlab(*arguments, "--quiet") if arguments[0] not in ("nonsense", "runs") else promptlab(*arguments)
    assert said.code == code, said.err
    assert said.out == ""
    assert "Traceback" not in said.err
    assert "Something broke" not in said.err
    lines = [line for line in said.err.splitlines() if not line.startswith("{")]
    assert lines[0].startswith("Error: ")
    assert 1 <= len(lines) <= 2
    assert all(len(line) < 700 for line in lines)
    assert not shards(tmp_path / "cache"), "the mistake could be seen before any picture was encoded"


@pytest.mark.usefixtures("places")
@pytest.mark.parametrize("case", ["no dataset", "a bare list", "no rule"])
def test_debug_adds_the_traceback(promptlab: Call, case: str) -> None:
    code, arguments = WRONG[case]
    said = promptlab(*arguments, "--debug", "--quiet")
    assert said.code == code
    assert "Traceback (most recent call last)" in said.err
    assert "Error: " in said.err


def test_a_fault_of_our_own_is_a_sentence_too(promptlab: Call, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("bad \x1b[31mluck")

    monkeypatch.setattr("promptlab.lab.Lab.run", broken)
    said = promptlab("run", str(photos))
    assert said.code == 1
    assert "Something broke: ZeroDivisionError: bad \\x1b[31mluck" in said.err
    assert "--debug" in said.err
    assert "Traceback" not in said.err
    assert "Traceback" in promptlab("run", str(photos), "--debug").err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("--weights=unifrom", "uniform"), ("--templates=openai80", "openai-80"), ("--model=minii", "mini"), ("--model=ViT-B32", "ViT-B-32")],
)
def test_unknown_names_list_the_nearest(promptlab: Call, photos: Path, typed: str, meant: str) -> None:
    said = promptlab("run", str(photos), typed, "--quiet")
    assert said.code == 2
    assert meant in said.err


def test_what_is_not_in_the_cache_while_offline_has_a_code_of_its_own(
    promptlab: Call, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", constants.HF_HUB_OFFLINE)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    said = promptlab("run", str(photos), "--model", "ViT-B-32,laion2b_s34b_b79k", "--offline", "--quiet")
    assert said.code == 4, said.err
    assert "without --offline" in said.err


def test_a_reader_that_goes_away_is_no_trouble() -> None:
    command = f"set -o pipefail; {SCRIPT} templates openai-80 | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def shards(cache: Path) -> int:
    return len(list(cache.glob("features/**/*.note")))


def test_ctrl_c_stops_at_the_next_batch_and_keeps_what_is_done(
    paint: Callable[..., Path], promptlab: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint(Path("photos"), each=12)
    process = subprocess.Popen([sys.executable, "-c", DRIVER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not shards(tmp_path / "cache") and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    kept = shards(tmp_path / "cache")
    assert process.returncode == 130, err
    assert out == ""
    assert "Stopping at the next batch" in err
    assert "Cancelled; what was finished is kept." in err
    assert "Traceback" not in err
    assert 1 <= kept < 9

    monkeypatch.setattr("promptlab.encode.features.FIRST", 4)
    monkeypatch.setattr("promptlab.encode.features.SECONDS", 0)
    again = promptlab("run", "--json", "--quiet")
    assert again.code == 0, again.err
    assert again.json["encoded"]["images"] == 36 - 4 * kept
