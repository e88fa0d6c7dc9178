"""Whatever comes after whatever: every question ends, every request is counted, and no more is spent than may be."""

import tempfile
from pathlib import Path

import faults
from faults import raw, reply, serving, status
from hypothesis import given, settings
from hypothesis import strategies as st

from promptlab.events import ignore
from promptlab.llm.budget import cost_of, tokens_of
from promptlab.llm.cache import Replies
from promptlab.llm.chat import ask
from promptlab.llm.question import Limits, Reply

from .conftest import Hourglass, endpoint, questions

ACTS = {
    "good": reply(),
    "busy": status(429),
    "pause": status(503, Retry_After="5"),
    "long pause": status(429, Retry_After="500"),
    "broken": status(500, "oh"),
    "reset": faults.reset,
    "no JSON": reply("no"),
    "cut": reply('{"phrases": [', finish="length"),
    "thoughts": reply("", reasoning="Hm."),
    "refusal": reply(None, refusal="no"),
    "HTML": raw(b"<html>", "text/html"),
    "no usage": reply(usage=None),
    "too much": reply(usage={"prompt_tokens": 400, "completion_tokens": 400}),
    "no format": status(400, "response_format is unknown"),
    "no such word": status(422, "max_tokens is unknown"),
    "denied": status(403, "no"),
}
PRICE = (1000.0, 1000.0)


@settings(max_examples=25, deadline=None)
@given(
    names=st.lists(st.sampled_from(sorted(ACTS)), min_size=1, max_size=12),
    parallel=st.integers(1, 4),
    most=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
)
def test_every_question_ends_and_every_request_is_counted(names: list[str], parallel: int, most: float) -> None:
    what = questions(6)
    limits = Limits(timeout=5, parallel=parallel, retries=2, price=PRICE, max_cost=most)
    with tempfile.TemporaryDirectory() as folder, serving(*(ACTS[name] for name in names)) as server:
        outcomes = ask(what, endpoint(server), Replies(Path(folder)), limits, ignore, clock=Hourglass())
        sent = len(server.received)
        kept = len(list(Path(folder).rglob("*.json")))
    assert len(outcomes) == 6
    assert sum(found.requests for found in outcomes) == sent
    assert sum(isinstance(found, Reply) for found in outcomes) == kept
    assert all(found.reason and "Error" not in found.reason for found in outcomes if not isinstance(found, Reply))
    spent = sum(found.cost or 0.0 for found in outcomes)
    least = min(tokens_of(q.messages(), q.schema) + q.max_tokens for q in what)
    error = cost_of(800 - least, 0, PRICE)  # of the reply that takes more than it may
    assert not most or spent <= most + parallel * error + 1e-9
