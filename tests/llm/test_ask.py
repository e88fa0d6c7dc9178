"""Order, progress, the brake, and what never leaves this machine."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from faults import Handler, Received, completion, raw, reply, serving

from promptlab.errors import UsageError
from promptlab.events import Answered, Cancelled, Event, Finished, Progressed, Started, ignore
from promptlab.llm.cache import Replies
from promptlab.llm.chat import ask, estimate
from promptlab.llm.question import Limits, Reply

from .conftest import Asked, endpoint, question, questions

SECRET = "sk-secret-0123456789"


def echo(handler: Handler, received: Received) -> None:
    handler.say(200, completion(json.dumps({"phrases": [received.question]})))


def test_replies_come_in_the_order_of_their_questions(asked: Asked) -> None:
    what = questions(20)
    with serving(echo) as server:
        found = asked(server, [*what, what[3]], parallel=5)
        assert len(server.received) == 20
    assert [json.loads(r.text)["phrases"][0] for r in found if isinstance(r, Reply)] == [q.text for q in [*what, what[3]]]


def test_no_more_are_asked_at_once_than_allowed_and_no_fewer(asked: Asked) -> None:
    with serving(reply(seconds=0.03)) as server:
        asked(server, questions(16), parallel=4)
        assert server.most_flying == 4


def test_progress_is_told_from_the_calling_thread(asked: Asked) -> None:
    heard: list[tuple[int, Event]] = []
    with serving() as server:
        asked(server, questions(2))
        asked(server, questions(6), listen=lambda event: heard.append((threading.get_ident(), event)), parallel=3)
    assert {thread for thread, _ in heard} == {threading.get_ident()}
    events = [event for _, event in heard]
    assert events[0] == Started("ask", 4, "questions")
    assert events[-1] == Finished("ask", 4)
    counts = [event.done for event in events if isinstance(event, Progressed)]
    assert counts == sorted(counts)
    assert counts[-1] == 4


@pytest.mark.parametrize(
    ("named", "kept"),
    [
        ("/home/me/models/tiny.gguf", "tiny.gguf"),
        ("C:\\models\\tiny.gguf", "tiny.gguf"),
        ("org/tiny", "org/tiny"),
        (None, "tiny"),
        (7, "tiny"),
    ],
)
def test_a_model_is_kept_as_the_server_names_it_without_its_folder(asked: Asked, named: object, kept: str) -> None:
    body = json.dumps({**json.loads(completion()), "model": named}).encode()
    with serving(raw(body)) as server:
        found = asked(server)[0]
    assert isinstance(found, Reply)
    assert found.model == kept


def test_what_is_kept_asks_nothing(asked: Asked) -> None:
    heard: list[Event] = []
    with serving() as server:
        asked(server, questions(3))
    found = asked(server.url, questions(3), listen=heard.append)
    assert (heard[0], heard[-1]) == (Started("ask", 0, "questions"), Finished("ask", 0))
    assert [(one.about, one.kept, bool(one.text)) for one in heard if isinstance(one, Answered)] == [
        (q.about, True, True) for q in questions(3)
    ]
    assert [(r.kept, r.requests) for r in found if isinstance(r, Reply)] == [(True, 0)] * 3


def test_cancelled_keeps_what_is_in_flight_and_starts_nothing_new(replies: Replies, tmp_path: Path) -> None:
    def brake(event: Event) -> None:
        if isinstance(event, Progressed) and server.received:
            raise Cancelled

    with serving(reply(seconds=0.5)) as server:
        with pytest.raises(Cancelled):
            ask(questions(30), endpoint(server), replies, Limits(timeout=5, parallel=3), brake)
        sent = len(server.received)
        time.sleep(0.1)
        assert len(server.received) == sent <= 3
    assert len(list((tmp_path / "cache").rglob("*.json"))) == sent


def test_cancelled_is_bounded_by_the_time_out(replies: Replies) -> None:
    def brake(event: Event) -> None:
        if isinstance(event, Progressed) and server.received:
            raise Cancelled

    with serving(reply(seconds=60)) as server:
        began = time.monotonic()
        with pytest.raises(Cancelled):
            ask(questions(3), endpoint(server), replies, Limits(timeout=0.5), brake)
        assert time.monotonic() - began < 3


def test_a_wait_for_another_process_obeys_the_brake(replies: Replies) -> None:
    asked_for, place = question(), endpoint("http://127.0.0.1:1/v1")
    with replies.lock(asked_for.key(place), place.provider, lambda times: None):
        began = time.monotonic()

        def brake(event: Event) -> None:
            if time.monotonic() - began > 0.3:
                raise Cancelled

        with pytest.raises(Cancelled):
            ask([asked_for], place, replies, Limits(), brake)
        assert time.monotonic() - began < 3


CHILD = """
import sys
from pathlib import Path
from promptlab.events import Answered, ignore
from promptlab.llm.cache import Replies
from promptlab.llm.chat import ask
from promptlab.llm.question import Limits, Question
from promptlab.protocols import Endpoint
url, folder, key = sys.argv[1:]
asked = [Question("x", "", "What?", {}, 50, 0.0, lambda text: "")]
found = ask(asked, Endpoint("test", "tiny", url, key), Replies(Path(folder)), Limits(), ignore)
print(type(found[0]).__name__)
"""


def test_ctrl_c_itself_ends_the_process_at_once(tmp_path: Path) -> None:
    with serving(reply(seconds=60)) as server:
        process = subprocess.Popen([sys.executable, "-c", CHILD, server.url, str(tmp_path / "llm"), ""], stderr=subprocess.PIPE)
        deadline = time.monotonic() + 30
        while not server.received and time.monotonic() < deadline:
            time.sleep(0.01)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert time.monotonic() - began < 3
    assert b"KeyboardInterrupt" in said


def test_the_environment_adds_nothing_and_leads_nowhere_else(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as elsewhere, serving() as server:
        strange = {
            "OPENAI_BASE_URL": elsewhere.url,
            "OPENAI_API_KEY": "sk-not-yours",
            "OPENAI_ADMIN_KEY": "sk-admin",
            "OPENAI_ORG_ID": "org-private",
            "OPENAI_PROJECT_ID": "proj-private",
            "OPENAI_CUSTOM_HEADERS": "X-Private: yes\nAuthorization: Bearer sk-other",
            "HTTP_PROXY": elsewhere.url.removesuffix("/v1"),
            "http_proxy": elsewhere.url.removesuffix("/v1"),
        }
        for name, value in strange.items():
            monkeypatch.setenv(name, value)
        assert isinstance(asked(server)[0], Reply)
        assert isinstance(asked(server, [question("with a key")], key=SECRET)[0], Reply)
        assert not elsewhere.received
        without, with_key = (received.headers for received in server.received)
    assert "authorization" not in without
    assert with_key["authorization"] == f"Bearer {SECRET}"
    sent = {"host", "content-length", "content-type", "user-agent", "accept", "accept-encoding", "connection", "x-stainless-raw-response"}
    assert set(without) <= sent
    assert set(with_key) <= sent | {"authorization"}
    assert "sk-" not in str(without)


@pytest.mark.parametrize("level", ["debug", "info"])
def test_the_client_s_own_log_shows_no_key(tmp_path: Path, level: str) -> None:
    with serving() as server:
        environment = {**os.environ, "OPENAI_LOG": level}
        command = [sys.executable, "-c", CHILD, server.url, str(tmp_path / "llm"), SECRET]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
        assert server.received[0].headers["authorization"] == f"Bearer {SECRET}"
    assert done.stdout.strip() == "Reply"
    assert ("DEBUG" in done.stderr) is (level == "debug")
    assert SECRET not in done.stderr


def test_no_key_goes_over_plain_http_to_another_machine(asked: Asked) -> None:
    with pytest.raises(UsageError, match="would go over plain http"):
        asked("http://models.example.com/v1", key=SECRET)


def test_no_key_is_written_anywhere(asked: Asked, tmp_path: Path) -> None:
    with serving() as server:
        found = asked(server, key=SECRET)
    assert SECRET not in repr(found) + repr(endpoint(server, SECRET))
    assert not any(SECRET in path.read_text() for path in (tmp_path / "cache").rglob("*") if path.is_file())


@pytest.mark.parametrize("values", [{"parallel": 0}, {"timeout": 0.0}, {"timeout": float("inf")}])
def test_limits_that_cannot_be_kept_are_refused(asked: Asked, values: dict[str, float]) -> None:
    with serving() as server, pytest.raises(UsageError, match="cannot be asked"):
        asked(server, **values)


def test_an_estimate_sends_nothing_and_is_not_exceeded(asked: Asked, replies: Replies) -> None:
    what, limits = questions(10), Limits(price=(1.0, 2.0))
    with serving(reply(usage={"prompt_tokens": 45, "completion_tokens": 90})) as server:
        asked(server, what[:4])
        said = estimate([*what, what[0]], endpoint(server), replies, limits)
        assert len(server.received) == 4
        spent = sum(found.cost or 0.0 for found in asked(server, what, price=(1.0, 2.0)) if isinstance(found, Reply) and not found.kept)
    assert (said.questions, said.kept, said.tokens_out) == (11, 5, 600)
    assert said.tokens_in >= 6 * 45
    assert said.cost is not None
    assert 0 < spent <= said.cost
    assert estimate(what, endpoint(server), replies, Limits()).cost is None


def test_asking_nothing_is_nothing(asked: Asked, replies: Replies) -> None:
    assert ask([], endpoint("http://127.0.0.1:1/v1"), replies, Limits(), ignore) == []
