"""Servers differ in what they accept: a refused form costs one request in all, not one a question."""

import json

import pytest
from faults import picky, reply, serving, status

from promptlab.llm.forms import Form, Shape, closed
from promptlab.llm.question import Reply

from .conftest import SCHEMA, Asked, question, questions

NO_FORMAT = ("response_format", "response_format is not supported")
NO_SCHEMA = ("json_schema", "'json_schema' is not a known response format")


@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize(
    ("refused", "failed"),
    [
        ([NO_SCHEMA], 1),
        ([NO_FORMAT], 2),
        ([('"max_tokens"', "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")], 1),
        ([('"temperature"', "Unsupported value: 'temperature' does not support 0.0 with this model.")], 1),
        ([('"system"', "Conversation roles must alternate; system role not supported")], 1),
        ([NO_FORMAT, ('"temperature"', "`temperature` is deprecated"), ('"max_tokens"', "max_tokens is not supported")], 4),
    ],
    ids=["json object", "plain text", "other word for max_tokens", "no temperature", "no system", "much at once"],
)
def test_a_refused_form_costs_one_request_in_all(asked: Asked, refused: list[tuple[str, str]], failed: int, parallel: int) -> None:
    with serving(picky(*refused)) as server:
        outcomes = asked(server, questions(12), parallel=parallel)
        assert len(server.received) == 12 + failed
    assert all(isinstance(found, Reply) for found in outcomes)
    assert sum(found.requests for found in outcomes) == 12 + failed


@pytest.mark.parametrize("code", [400, 404, 422])
def test_complaints_come_under_several_statuses(asked: Asked, code: int) -> None:
    with serving(status(code, "response_format: json_schema is unknown here"), reply()) as server:
        assert isinstance(asked(server)[0], Reply)
        assert [received.body["response_format"]["type"] for received in server.received] == ["json_schema", "json_object"]


ERRORS = [
    b'{"error": {"message": "not supported", "param": "response_format", "code": "unsupported"}}',
    b'{"error": "response_format is not supported"}',
    b'{"detail": [{"loc": ["body", "response_format"], "msg": "extra fields not permitted"}]}',
    b'{"object": "error", "message": "' + b"word " * 100 + b'json_schema"}',
    b"Unknown field response_format",
]


@pytest.mark.parametrize("body", ERRORS, ids=["param", "text", "list", "long", "no JSON"])
def test_complaints_come_in_several_shapes(asked: Asked, body: bytes) -> None:
    with serving(lambda handler, received: handler.say(400, body), reply()) as server:
        assert isinstance(asked(server)[0], Reply)
        assert len(server.received) == 2


def test_a_server_that_takes_everything_is_sent_the_strict_schema(asked: Asked) -> None:
    with serving() as server:
        asked(server)
        body = server.received[0].body
    assert body["response_format"] == {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": closed(SCHEMA)}}
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("tiny", 100, 0.0)
    assert body["messages"] == question().messages()


def test_without_a_format_the_question_says_what_is_wanted(asked: Asked) -> None:
    with serving(picky(NO_FORMAT)) as server:
        asked(server)
        said = server.received[-1].body["messages"][-1]["content"]
    assert said.startswith(question().text)
    assert json.dumps(SCHEMA) in said


def test_without_a_system_role_its_words_begin_the_question(asked: Asked) -> None:
    with serving(picky(('"system"', "system role not supported"))) as server:
        asked(server)
        messages = server.received[-1].body["messages"]
    assert [m["role"] for m in messages] == ["user"]
    assert messages[0]["content"] == "You see well.\n\nWhat does a barn look like?"


def test_objects_are_closed_at_every_depth() -> None:
    inner = {"type": "object", "properties": {"a": {"type": "string"}}}
    found = closed({"type": "object", "properties": {"list": {"type": "array", "items": inner}}, "anyOf": [inner]})
    assert found["additionalProperties"] is False
    assert found["properties"]["list"]["items"]["additionalProperties"] is False
    assert found["anyOf"][0]["additionalProperties"] is False


def test_what_is_said_first_is_what_is_changed() -> None:
    said = "temperature: not supported together with response_format"
    assert Form().after(said, quiet=False) == Form(no_temperature=True)
    assert Form().after("context window exceeded", quiet=False) is None
    assert Form(shape=Shape.TEXT).after("response_format", quiet=False) is None
    assert Form().after("reasoning_effort", quiet=False) is None
