"""What the tests of asking share."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from faults import Faults

from promptlab.events import Event, ignore
from promptlab.llm.cache import Replies
from promptlab.llm.chat import ask
from promptlab.llm.clock import Clock
from promptlab.llm.question import Failure, Limits, Question, Reply
from promptlab.protocols import Endpoint

SCHEMA = {"type": "object", "properties": {"phrases": {"type": "array", "items": {"type": "string"}}}, "required": ["phrases"]}


def fault(text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        return "it is no JSON"
    return "" if isinstance(found, dict) and isinstance(found.get("phrases"), list) else "it has no list `phrases`"


def question(text: str = "What does a barn look like?", **values: Any) -> Question:
    given = {
        "about": text,
        "system": "You see well.",
        "text": text,
        "schema": SCHEMA,
        "max_tokens": 100,
        "temperature": 0.0,
        "fault": fault,
    }
    return Question(**{**given, **values})


def questions(n: int) -> list[Question]:
    return [question(f"What does thing {i} look like?") for i in range(n)]


def endpoint(server: Faults | str, key: str = "", **values: Any) -> Endpoint:
    url = server if isinstance(server, str) else server.url
    return Endpoint(**{"provider": "test", "model": "tiny", "base_url": url, "key": key, **values})


class Hourglass(Clock):
    """A clock whose time passes only where somebody sleeps; it notes for how long."""

    def __init__(self) -> None:
        self.time, self.slept = 1000.0, list[float]()
        self._lock = threading.Lock()

    def now(self) -> float:
        return self.time

    def date(self) -> datetime:
        return datetime.fromtimestamp(self.time, UTC)

    def sleep(self, seconds: float, stop: threading.Event) -> None:
        with self._lock:
            self.slept.append(seconds)
            self.time += seconds


Asked = Callable[..., list[Reply | Failure]]


@pytest.fixture
def hourglass() -> Hourglass:
    return Hourglass()


@pytest.fixture
def replies(tmp_path: Path) -> Replies:
    return Replies(tmp_path / "cache" / "llm")


@pytest.fixture
def asked(replies: Replies, hourglass: Hourglass) -> Asked:
    """Asks with short time-outs and a clock that does not make anybody wait."""

    def call(server: Faults | str, what: list[Question] | None = None, listen: Callable[[Event], None] = ignore, **values: Any) -> Any:
        key, given = values.pop("key", ""), {"timeout": 2.0, "parallel": 1, **values}
        return ask(what or [question()], endpoint(server, key), replies, Limits(**given), listen, clock=hourglass)

    return call
