"""What is asked of a language model, what comes back, and within which limits."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from promptlab.protocols import Endpoint
from promptlab.store import fingerprint

Message = dict[str, str]


@dataclass(frozen=True, slots=True)
class Question:
    """One question, whose reply is one JSON object."""

    about: str
    """What progress and messages call it, e.g. the class; no part of the key."""
    system: str
    """The system message; may be empty."""
    text: str
    """The user's message."""
    schema: Mapping[str, Any]
    """JSON schema of the reply."""
    max_tokens: int
    """Of the reply, at most."""
    temperature: float
    """0 is as repeatable as the server can be."""
    fault: Callable[[str], str] = field(compare=False)
    """What is wrong with a reply's text; empty when it can be used. No part of the key."""

    def messages(self) -> list[Message]:
        """The conversation that it begins."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, {"role": "user", "content": self.text}]

    def asked(self) -> dict[str, Any]:
        """All of it that the reply depends on, as JSON values."""
        sampling = {"max_tokens": self.max_tokens, "temperature": self.temperature}
        return {"system": self.system, "text": self.text, "schema": json.loads(json.dumps(self.schema)), "sampling": sampling}

    def key(self, endpoint: Endpoint) -> str:
        """sha256 (hex) of provider, model, messages, sampling and schema; never of the API key, the address or the time-out."""
        return key_of(endpoint.provider, endpoint.model, self.asked())


def key_of(provider: str, model: str, asked: Any) -> str:
    """The key of what `Question.asked` gave, as it also stands in a kept reply."""
    return fingerprint("reply", provider, model, asked)


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that can be used."""

    key: str
    """Of its question; the name of its file."""
    text: str
    """The JSON object, as the model wrote it."""
    model: str
    """As the server named it; it may be more exact than what was asked for."""
    tokens_in: int | None
    """Of all requests it took; None when the server did not say."""
    tokens_out: int | None
    """Of all replies it took; None when the server did not say."""
    cost: float | None
    """US dollars, by estimate where the server did not count; None without a price."""
    seconds: float
    """From the first request to the reply."""
    time: str
    """When it came, ISO 8601."""
    requests: int
    """Sent for it in this call; 0 when it was kept."""
    kept: bool
    """Whether it was there before."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A question without a reply that can be used."""

    reason: str
    """One sentence for people; no key is in it."""
    requests: int = 0
    """Sent for it; 0 when it was not asked."""
    tokens_in: int | None = 0
    """Spent on it; None when the server did not say."""
    tokens_out: int | None = 0
    """Spent on it; None when the server did not say."""
    cost: float | None = 0.0
    """US dollars spent on it, by estimate where the server did not count; None without a price."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, how fast and how dear asking may be."""

    timeout: float = 60.0
    """Seconds that one request may take, from its connection to the last byte."""
    parallel: int = 4
    """Requests at once."""
    rate: int = 0
    """Requests in a minute; 0 is no limit."""
    tokens: int = 0
    """Tokens in a minute, questions and replies; 0 is no limit."""
    max_cost: float = 0.0
    """US dollars that one call may spend; 0 is no limit."""
    price: tuple[float, float] | None = None
    """US dollars for a million tokens of question and of reply; None: unknown."""
    offline: bool = False
    """Answer from what is kept, or raise."""
    retries: int = 3
    """Requests after the first, where the server was busy or went away."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What asking would take."""

    questions: int
    """How many."""
    kept: int
    """Of these, those whose replies are there."""
    tokens_in: int
    """Of the others' questions, at most."""
    tokens_out: int
    """Of the others' replies, at most, when each is right the first time."""
    cost: float | None
    """US dollars for these tokens; None without a price."""
