"""Kept replies: readable, for the owner alone, whole or asked again."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from faults import GOOD, reply, serving

from promptlab.errors import OfflineError, StoreError
from promptlab.events import ignore
from promptlab.llm.cache import Replies, seal
from promptlab.llm.chat import ask
from promptlab.llm.question import Failure, Limits, Question, Reply
from promptlab.store import Cache

from .conftest import Asked, endpoint, question, questions


def only(root: Path) -> Path:
    (path,) = root.rglob("*.json")
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "llm"


def test_a_reply_is_a_readable_file(asked: Asked, root: Path) -> None:
    with serving() as server:
        found = asked(server, price=(1.0, 2.0))[0]
    assert isinstance(found, Reply)
    path = only(root)
    assert path == root / "test" / f"{found.key}.json"
    entry = json.loads(path.read_text())
    assert entry["question"]["text"] == "What does a barn look like?"
    assert entry["question"]["sampling"] == {"max_tokens": 100, "temperature": 0.0}
    assert (entry["provider"], entry["model"], entry["reply"]["model"]) == ("test", "tiny", "tiny-2026")
    assert (entry["reply"]["text"], entry["reply"]["tokens_in"], entry["reply"]["tokens_out"]) == (GOOD, 40, 10)
    assert entry["reply"]["cost"] == pytest.approx(60e-6)
    assert path.read_text().count("\n") > 15


@pytest.mark.skipif(os.name != "posix", reason="other systems keep rights elsewhere")
def test_it_is_the_owner_s_alone(asked: Asked, root: Path) -> None:
    before = os.umask(0)
    try:
        with serving() as server:
            asked(server)
    finally:
        os.umask(before)
    there = [root, *root.rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in there if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in there if path.is_dir()} == {0o700}


def test_the_key_is_what_the_reply_depends_on() -> None:
    one, place = question(), endpoint("http://127.0.0.1:1/v1")
    same = [(question(about="x"), place), (one, endpoint("http://127.0.0.1:2/v1", key="sk-1")), (question(fault=str), place)]
    assert {q.key(e) for q, e in same} == {one.key(place)}
    changed = {"system": "", "text": "?", "schema": {}, "max_tokens": 101, "temperature": 0.5}
    others = [(question(**{name: value}), place) for name, value in changed.items()]
    others += [(one, endpoint("http://127.0.0.1:1/v1", **{name: "other"})) for name in ("provider", "model")]
    assert len({q.key(e) for q, e in others} | {one.key(place)}) == len(others) + 1


DAMAGE = {
    "cut off": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "another text": lambda text: text.replace("red roof", "blue roof"),
    "another question": lambda text: text.replace("a barn", "a cow"),
    "another model": lambda text: text.replace('"tiny"', '"huge"'),
    "no object": lambda text: "[]",
    "no seal": lambda text: json.dumps({name: value for name, value in json.loads(text).items() if name != "seal"}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_reply_is_asked_again(asked: Asked, root: Path, damage: str) -> None:
    with serving() as server:
        asked(server)
        text = only(root).read_text()
        only(root).write_text(DAMAGE[damage](text))
        assert only(root).read_text() != text
        again = asked(server)[0]
        assert isinstance(again, Reply)
        assert not again.kept
        assert len(server.received) == 2
    assert "red roof" in only(root).read_text()


def test_a_sealed_reply_of_the_wrong_kind_is_asked_again(asked: Asked, root: Path) -> None:
    with serving() as server:
        asked(server)
        entry = json.loads(only(root).read_text())
        entry["reply"]["text"] = 7
        only(root).write_text(json.dumps({**entry, "seal": seal(entry)}))
        assert not getattr(asked(server)[0], "kept", True)


def test_a_reply_that_its_question_can_no_longer_use_is_asked_again(asked: Asked) -> None:
    with serving(reply(), reply('{"phrases": []}')) as server:
        asked(server)
        strict = question(fault=lambda text: "too long" if "red" in text else "")
        found = asked(server, [strict])[0]
    assert isinstance(found, Reply)
    assert (found.kept, found.text) == (False, '{"phrases": []}')


def test_replies_that_came_with_a_package_are_used_and_not_written_to(asked: Asked, root: Path, tmp_path: Path) -> None:
    with serving() as server:
        asked(server)
        shipped = tmp_path / "shipped"
        entry = json.loads(only(root).read_text())
        path = shipped / "test" / only(root).name
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({name: value for name, value in entry.items() if name != "seal"}))
        before = path.read_bytes()
        found = ask([question()], endpoint(""), Replies(tmp_path / "empty", [shipped]), Limits(offline=True), ignore)[0]
        assert isinstance(found, Reply)
        assert (found.kept, found.requests, found.text) == (True, 0, GOOD)
        assert len(server.received) == 1
    assert path.read_bytes() == before
    path.write_bytes(before.replace(b"a barn", b"a cow"))
    with pytest.raises(OfflineError):
        ask([question()], endpoint(""), Replies(tmp_path / "empty", [shipped]), Limits(offline=True), ignore)


def test_offline_says_how_many_are_missing(asked: Asked) -> None:
    with serving() as server:
        asked(server, questions(2))
        with pytest.raises(OfflineError, match="3 questions of 5 to 'tiny' have no reply in the cache"):
            asked(server, questions(5), offline=True)
        assert all(isinstance(found, Reply) and found.kept for found in asked(server, questions(2), offline=True))
        assert len(server.received) == 2


def test_without_a_server_only_kept_replies_can_be_had(asked: Asked) -> None:
    with pytest.raises(OfflineError, match="'test' has no server to ask"):
        asked("")


def test_a_folder_that_cannot_be_written_to_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with serving() as server, pytest.raises(StoreError):
        ask(questions(4), endpoint(server), Replies(tmp_path / "file" / "llm"), Limits(), ignore)


def test_two_threads_ask_one_question_once(replies: Replies) -> None:
    with serving(reply(seconds=0.2)) as server:
        found: list[list[Reply | Failure]] = []
        crew = [
            threading.Thread(target=lambda: found.append(ask(questions(3), endpoint(server), replies, Limits(), ignore))) for _ in range(2)
        ]
        for thread in crew:
            thread.start()
        for thread in crew:
            thread.join(20)
        assert len(server.received) == 3
    assert sum(outcome.requests for outcomes in found for outcome in outcomes) == 3
    assert all(isinstance(outcome, Reply) for outcomes in found for outcome in outcomes)


CHILD = """
import sys
from pathlib import Path
from promptlab.events import ignore
from promptlab.llm.cache import Replies
from promptlab.llm.chat import ask
from promptlab.llm.question import Limits, Question
from promptlab.protocols import Endpoint
asked = [Question(f"{i}", "", f"What is thing {i}?", {"type": "object"}, 50, 0.0, lambda text: "") for i in range(12)]
found = ask(asked, Endpoint("test", "tiny", sys.argv[1]), Replies(Path(sys.argv[2])), Limits(), ignore)
print(sum(reply.requests for reply in found), len(found))
"""


def test_two_processes_at_once_ask_each_question_once(root: Path) -> None:
    with serving(reply(seconds=0.05)) as server:
        command = [sys.executable, "-c", CHILD, server.url, str(root)]
        crew = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        said = [process.communicate(timeout=60)[0].split() for process in crew]
        asked_for = [received.question for received in server.received]
    assert sorted(asked_for) == sorted(set(asked_for))
    assert len(asked_for) == 12
    assert sum(int(requests) for requests, _ in said) == 12


def test_the_cache_knows_replies(asked: Asked, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    assert cache.replies() == tmp_path / "cache" / "llm"
    with serving() as server:
        asked(server)
    assert [entry[:2] for entry in cache.contents()] == [("llm", "test")]
    cache.remove("llm", "test")
    assert not cache.contents()


@pytest.mark.parametrize("text", ["ré\ud800d 🏠", "\x00\x1b[31m", "‮"], ids=["half a character", "control", "bidi"])
def test_any_text_comes_back_as_it_was(asked: Asked, text: str) -> None:
    def usable(given: str) -> str:
        return ""

    content: Any = json.dumps({"phrases": [text]}, ensure_ascii=False)
    asks: list[Question] = [question(text, fault=usable)]
    with serving(reply(content)) as server:
        first, second = asked(server, asks)[0], asked(server, asks)[0]
        assert len(server.received) == 1
    assert isinstance(first, Reply)
    assert isinstance(second, Reply)
    assert first.text == second.text == content
