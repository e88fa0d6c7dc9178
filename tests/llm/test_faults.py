"""Whatever a server does, each question ends as a reply or as a failure with a clear reason, in bounded time."""

import re
import time

import faults
import pytest
from faults import GOOD, listening, raw, reply, serving, status

from promptlab.llm.question import Failure, Reply

from .conftest import Asked, Hourglass, question, questions

FAST = 5.0  # seconds for any of these, with a time-out of 0.4


def one(outcomes: list[Reply | Failure]) -> Reply | Failure:
    assert len(outcomes) == 1
    return outcomes[0]


ENDS_WELL = {
    "at once": [reply()],
    "busy": [status(429), status(429, "slow down"), reply()],
    "broken inside": [status(500), status(503, "overloaded"), reply()],
    "reset": [faults.reset, reply()],
    "timed out": [status(408), status(409), reply()],
    "fenced": [reply(f"Here you are:\n```json\n{GOOD}\n```\nAnything else?")],
    "chatty": [reply(f"Sure! {GOOD} I hope this helps.")],
    "thinking aloud": [reply("<think>{a barn} is red</think>\n" + GOOD)],
    "bad JSON first": [reply('{"phrases": ['), reply()],
    "wrong schema first": [reply('{"words": []}'), reply()],
    "empty first": [reply(""), reply()],
    "nothing first": [reply(None), reply()],
    "cut off first": [reply('{"phrases": ["a', finish="length"), reply()],
    "in the reasoning": [reply("", reasoning=GOOD)],
    "in the reasoning, by its other name": [reply(None, reasoning_content=f"So: {GOOD}")],
    "thoughts alone first": [reply("", reasoning="Hm, a barn."), reply()],
    "content in parts": [reply([{"type": "text", "text": GOOD}])],
    "usage missing": [reply(usage=None)],
    "usage nonsense": [reply(usage={"prompt_tokens": -5, "completion_tokens": "many"})],
    "slow headers first": [faults.slow_headers, reply()],
}


@pytest.mark.parametrize("what", ENDS_WELL)
def test_what_can_be_mended_is_mended(what: str, asked: Asked) -> None:
    acts = ENDS_WELL[what]
    with serving(*acts) as server:
        found = one(asked(server, timeout=0.4))
        sent = len(server.received)
    assert isinstance(found, Reply), found
    assert found.text == GOOD
    assert (found.requests, found.kept, found.model) == (len(acts), False, "tiny-2026")
    assert sent == len(acts)


ENDS_BADLY = {
    "always busy": (status(429, "slow down"), r"answered 429 \(slow down\), 4 times", 4),
    "asks for too long a pause": (status(429, Retry_After="3600"), "asks to wait 3600 s, which is longer than 60 s", 1),
    "always broken": (status(502), "answered 502, 4 times", 4),
    "always reset": (faults.reset, r"broke off \(.*\), 4 times", 4),
    "slow body": (faults.slow_body, "did not answer within 0.4 s, 4 times", 4),
    "slow headers": (faults.slow_headers, "did not answer within 0.4 s, 4 times", 4),
    "silent": (reply(seconds=30), "did not answer within 0.4 s, 4 times", 4),
    "10 MB": (raw(b'{"choices": "' + b"x" * 10_000_000 + b'"}'), "larger than 1,000,000 bytes", 1),
    "10 MB of an error": (lambda h, r: h.say(400, b"x" * 10_000_000), "larger than 1,000,000 bytes", 1),
    "endless": (faults.endless, "larger than 1,000,000 bytes", 1),
    "packed": (raw(b"\x1f\x8b", Content_Encoding="gzip"), "packed", 1),
    "bad JSON": (reply('{"phrases": ['), "cannot be used: it is no JSON", 2),
    "wrong schema": (reply('{"words": []}'), "cannot be used: it has no list `phrases`", 2),
    "empty": (reply("  "), "cannot be used: it is empty", 2),
    "refusal": (reply(None, refusal="I will not look at barns."), "the model refused: I will not look at barns.", 1),
    "filtered": (reply("", finish="content_filter"), "the provider's filter stopped the reply", 1),
    "thoughts alone": (reply("", reasoning="Hm. " * 50), "the model only thought, and wrote no reply", 2),
    "endless repeats": (reply('{"phrases": ["' + "red, " * 500, finish="length"), "cut off after 200 tokens", 2),
    "content is a number": (reply(7), "content is a int; a text was expected", 1),
    "HTML": (raw(b"<html>Sign in</html>", "text/html"), r"no JSON \(text/html\), so its address may be wrong", 1),
    "JSON of another kind": (raw(b'{"detail": "ok"}'), "it has no message", 1),
    "JSON that is no object": (raw(b"[[[]]]"), "it has no message", 1),
    "JSON too deep": (raw(b"[" * 200_000), "no JSON", 1),
    "no such model": (status(404, "The model `tiny` does not exist"), "there is no such model", 1),
    "too long a question": (status(400, "maximum context length is 512 tokens"), "maximum context length is 512", 1),
    "no credit": (status(429, "You exceeded your quota", kind="insufficient_quota"), "no credit left", 1),
}


@pytest.mark.parametrize("what", ENDS_BADLY)
def test_what_cannot_be_mended_is_named(what: str, asked: Asked) -> None:
    act, reason, requests = ENDS_BADLY[what]
    began = time.monotonic()
    with serving(act) as server:
        found = one(asked(server, timeout=0.4, price=(1.0, 1.0)))
        sent = len(server.received)
    assert time.monotonic() - began < FAST
    assert isinstance(found, Failure)
    assert re.search(reason, found.reason), found.reason
    assert found.requests == sent == requests


def test_failures_are_asked_again_the_next_time(asked: Asked) -> None:
    with serving(reply("no"), reply("no"), reply()) as server:
        assert isinstance(one(asked(server)), Failure)
        assert isinstance(one(asked(server)), Reply)
        found = one(asked(server))
        assert isinstance(found, Reply)
        assert (found.kept, found.requests) == (True, 0)
        assert len(server.received) == 3


def test_a_repair_shows_the_bad_reply_and_says_what_is_wrong(asked: Asked) -> None:
    with serving(reply("red barn " * 1000), reply()) as server:
        asked(server)
        messages = server.received[1].body["messages"]
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "user"]
    assert len(messages[2]["content"]) == 2000
    assert "it is no JSON" in messages[3]["content"]


def test_thoughts_are_no_reply_where_lines_would_be(asked: Asked) -> None:
    with serving(reply("", reasoning="It is red. Or green.\n- with a red roof\n- {roof}")) as server:
        found = one(asked(server, [question(fault=lambda text: "")]))
    assert isinstance(found, Failure)
    assert "only thought" in found.reason


def test_thoughts_alone_are_turned_off_and_given_more_room(asked: Asked) -> None:
    with serving(reply("", reasoning="Hm."), reply()) as server:
        asked(server)
        bodies = [received.body for received in server.received]
    assert [body["max_tokens"] for body in bodies] == [100, 200]
    assert [body.get("reasoning_effort") for body in bodies] == [None, "none"]


def test_a_server_that_cannot_turn_thoughts_off_is_asked_without_it(asked: Asked) -> None:
    acts = (reply("", reasoning="Hm."), status(400, "Unknown parameter: reasoning_effort"), reply())
    with serving(*acts) as server:
        assert isinstance(one(asked(server)), Reply)
        assert ["reasoning_effort" in received.body for received in server.received] == [False, True, False]


def test_waits_grow_and_a_server_s_own_are_obeyed(asked: Asked, hourglass: Hourglass) -> None:
    date = "Thu, 01 Jan 1970 00:17:30 GMT"  # 50 seconds after the hourglass began, less what was slept by then
    with serving(status(500), status(500), status(429, Retry_After="7"), status(503, Retry_After=date), reply()) as server:
        assert isinstance(one(asked(server, retries=4)), Reply)
    first, second, third, fourth = hourglass.slept
    assert 0.375 <= first <= 0.5
    assert 0.75 <= second <= 1.0
    assert third == pytest.approx(7)
    assert fourth == pytest.approx(50 - first - second - third)


def test_a_key_that_is_refused_stops_all_others(asked: Asked) -> None:
    with serving(status(401, "Incorrect API key: sk-secret-12345")) as server:
        outcomes = asked(server, questions(8), parallel=4, key="sk-secret-12345")
        assert len(server.received) == 1
    assert len(outcomes) == 8
    assert all(isinstance(found, Failure) and "`promptlab keys set 127.0.0.1:" in found.reason for found in outcomes)
    assert len({found.reason for found in outcomes if isinstance(found, Failure)}) == 1
    assert not any("sk-secret" in str(found) for found in outcomes)
    assert sum(found.requests for found in outcomes) == 1


def test_a_reply_that_repeats_the_key_is_kept_without_it(asked: Asked) -> None:
    with serving(reply('{"phrases": ["sk-secret-12345 with ollama"]}')) as server:
        assert one(asked(server, key="sk-secret-12345")).text == '{"phrases": ["*** with ollama"]}'
        assert one(asked(server, questions(1), key="ollama")).text == '{"phrases": ["sk-secret-12345 with ollama"]}'


def test_a_server_that_does_not_answer_is_left_alone_after_three_questions(asked: Asked) -> None:
    with serving(faults.reset) as server:
        outcomes = asked(server, questions(20), retries=0)
        assert len(server.received) == 3
    assert sum("does not answer, so the questions that were left were not sent" in str(found) for found in outcomes) == 17


def test_a_server_that_answers_now_and_then_is_not_given_up(asked: Asked) -> None:
    with serving(*[faults.reset, faults.reset, reply()] * 3) as server:
        outcomes = asked(server, questions(9), retries=0)
        assert len(server.received) == 9
    assert [isinstance(found, Reply) for found in outcomes] == [False, False, True] * 3


@pytest.mark.parametrize("hello", [b"", b"\x16\x03\x03\x40\x00" + bytes(200)], ids=["silent", "dripping"])
def test_a_handshake_without_end_is_ended(asked: Asked, hello: bytes) -> None:
    with listening(hello) as port:
        began = time.monotonic()
        found = one(asked(f"https://127.0.0.1:{port}/v1", timeout=0.4, retries=0))
        assert time.monotonic() - began < FAST
    assert isinstance(found, Failure)
    assert "did not answer within 0.4 s" in found.reason


def test_nobody_listens(asked: Asked) -> None:
    with serving() as server:
        url = server.url
    outcomes = asked(url, questions(5), price=(1.0, 1.0))
    assert all(isinstance(found, Failure) and found.cost == 0.0 for found in outcomes)
    assert "cannot be reached" in str(outcomes[0])


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_no_redirect_is_followed(asked: Asked, code: int) -> None:
    with serving() as elsewhere, serving(status(code, Location=elsewhere.url + "/chat/completions")) as server:
        outcomes = asked(server, questions(3), key="sk-secret-12345")
        assert not elsewhere.received
        assert len(server.received) == 1
    place = elsewhere.url.split("/")[2]
    assert all(isinstance(found, Failure) and f"leads on to {place}, which is not followed" in found.reason for found in outcomes)
