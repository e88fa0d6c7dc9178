"""Stand-ins: they do what the real ones do, through the real paths."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from promptlab.data.imagefolder import ImageFolder
from promptlab.encode.features import encode_images
from promptlab.encode.text import encode_grid
from promptlab.errors import UsageError
from promptlab.events import ignore
from promptlab.lab import Lab
from promptlab.llm.cache import Replies
from promptlab.llm.chat import ask
from promptlab.llm.question import Limits, Question, Reply
from promptlab.prompts.compose import compose
from promptlab.prompts.templates import template
from promptlab.protocols import DataOptions, Endpoint
from promptlab.store import Cache
from promptlab.testing import FakeChat, FakeEncoder, tiny_features, tiny_pictures


def question(text: str) -> Question:
    return Question(text, "You see well.", text, {"type": "object"}, 50, 0.0, lambda said: "" if json.loads(said) else "it is empty")


def asked(texts: list[str], endpoint: Endpoint, folder: Path) -> list[str]:
    found = ask([question(text) for text in texts], endpoint, Replies(folder), Limits(parallel=1), ignore)
    assert all(isinstance(one, Reply) for one in found)
    return [one.text for one in found if isinstance(one, Reply)]


def test_replies_come_in_turn_through_the_real_client(tmp_path: Path) -> None:
    chat = FakeChat(['{"a": 1}', '{"b": 2}'])
    with chat.open("tiny") as endpoint:
        assert endpoint.model == "tiny"
        assert asked(["one", "two", "three"], endpoint, tmp_path) == ['{"a": 1}', '{"b": 2}', '{"b": 2}']
    assert chat.asked == ["one", "two", "three"]
    assert asked(["two"], endpoint, tmp_path) == ['{"b": 2}']  # kept, though the server is gone


def test_a_function_can_answer(tmp_path: Path) -> None:
    chat = FakeChat(lambda text: json.dumps({"said": text}), "echo")
    with chat.alias.open("") as endpoint:
        assert asked(["one"], endpoint, tmp_path) == ['{"said": "one"}']
    assert chat.alias.name == endpoint.provider == "echo"


def test_what_the_function_raises_is_a_refusal(tmp_path: Path) -> None:
    with FakeChat(lambda text: {}[text]).open() as endpoint:  # type: ignore[misc]
        (found,) = ask([question("barn")], endpoint, Replies(tmp_path), Limits(), ignore)
    assert "KeyError: 'barn'" in found.reason  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="without replies"):
        FakeChat([])


def test_the_fake_encoder_goes_through_the_real_caches(tmp_path: Path) -> None:
    dataset = ImageFolder().open(str(tiny_pictures(tmp_path / "photos", each=2)), DataOptions())
    (tmp_path / "photos" / "red" / "bad.png").write_bytes(b"no picture")
    images = ImageFolder().open(str(tmp_path / "photos"), DataOptions()).splits["all"]
    cache, encoder = Cache(tmp_path / "cache"), FakeEncoder()
    features, new = encode_images(images, encoder, "tiny", cache, ignore)  # type: ignore[arg-type]
    assert (len(features), new, features.skipped[0][0]) == (6, 6, "red/bad.png")
    again, new = encode_images(images, FakeEncoder(), "tiny", cache, ignore)  # type: ignore[arg-type]
    assert new == 0
    assert np.array_equal(again.x[:], features.x[:])
    bank, new = encode_grid(compose(dataset.classes, [template("a photo of a {}.")]), encoder, cache, ignore)
    assert (bank.z.shape, new) == ((1, 3, 16), 3)


def test_tiny_data_is_the_same_every_time(tmp_path: Path) -> None:
    first, second = (tiny_pictures(tmp_path / name, ("a", "b"), each=3) for name in ("one", "two"))
    files = sorted(file.relative_to(first).as_posix() for file in first.rglob("*.*"))
    assert files == ["a/000.png", "a/001.jpg", "a/002.png", "b/000.png", "b/001.jpg", "b/002.png"]
    assert {hashlib.sha256((first / f).read_bytes()).digest() for f in files} == {
        hashlib.sha256((second / f).read_bytes()).digest() for f in files
    }
    assert np.array_equal(tiny_features().splits["all"].x[:], tiny_features().splits["all"].x[:])  # type: ignore[union-attr]


def test_tiny_features_go_through_a_whole_run(lab: Lab, tmp_path: Path) -> None:
    tiny = tiny_features(("cat", "dog", "owl", "fox"), each=10)
    part, bank = tiny.splits["all"], tiny.bank
    assert bank is not None
    names = np.array(tiny.classes.titles)
    np.savez(tmp_path / "tiny.npz", features=part.x, labels=part.labels, names=names, text=bank.z)  # type: ignore[union-attr]
    assert lab.run(str(tmp_path / "tiny.npz")).summary["result"]["accuracy"] > 0.5


def test_importing_it_imports_nothing_heavy() -> None:
    code = "import sys, promptlab.testing; print({'torch', 'open_clip', 'textual', 'openai'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
