"""The forms that one request can take, because servers that speak Chat Completions differ in what they accept."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import IntEnum
from threading import Lock
from typing import Any

from promptlab.llm.question import Message

COMPLAINTS = (400, 404, 422)  # statuses under which a server says what it does not know


class Shape(IntEnum):
    """How the server is told what the reply should be: by the schema, as some JSON, or in the question alone."""

    SCHEMA = 0
    JSON = 1
    TEXT = 2


@dataclass(frozen=True, slots=True)
class Request:
    """What is said, whatever the form."""

    messages: tuple[Message, ...]
    """The conversation so far."""
    schema: Mapping[str, Any]
    """Of the reply."""
    max_tokens: int
    """Of the reply."""
    temperature: float
    """0 is as repeatable as the server can be."""
    quiet: bool = False
    """Whether the model should not think first."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a server is known to accept; every field's default is the form that is tried first."""

    shape: Shape = Shape.SCHEMA
    """How it is told what the reply should be."""
    renamed: bool = False
    """Whether `max_tokens` must be called `max_completion_tokens`."""
    no_temperature: bool = False
    """Whether it refuses a temperature."""
    no_system: bool = False
    """Whether it knows no system message; its text then begins the user's."""
    no_effort: bool = False
    """Whether it does not let anybody turn thinking off."""

    def body(self, model: str, request: Request) -> dict[str, Any]:
        """The request as Chat Completions take it."""
        body: dict[str, Any] = {"model": model, "messages": self._messages(request)}
        body["max_completion_tokens" if self.renamed else "max_tokens"] = request.max_tokens
        if not self.no_temperature:
            body["temperature"] = request.temperature
        if self.shape is Shape.SCHEMA:
            wanted = {"name": "reply", "strict": True, "schema": closed(request.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": wanted}
        elif self.shape is Shape.JSON:
            body["response_format"] = {"type": "json_object"}
        if request.quiet and not self.no_effort:
            body["reasoning_effort"] = "none"
        return body

    def _messages(self, request: Request) -> list[Message]:
        messages = list(request.messages)
        if self.shape is not Shape.SCHEMA:
            n = next(n for n, message in enumerate(messages) if message["role"] == "user")
            said = f"Reply with one JSON object, and nothing else, of this schema:\n{json.dumps(request.schema, ensure_ascii=False)}"
            messages[n] = {"role": "user", "content": f"{messages[n]['content']}\n\n{said}"}
        if self.no_system and messages[0]["role"] == "system":
            first, second, *rest = messages
            messages = [{"role": "user", "content": f"{first['content']}\n\n{second['content']}"}, *rest]
        # Half a character, as in a folder's name that is no text, cannot be sent.
        return [{**message, "content": message["content"].encode("utf-8", "replace").decode()} for message in messages]

    def after(self, complaint: str, quiet: bool) -> "Form | None":
        """The form to try when the server complains so; None when the complaint is about something else, or nothing is left to try."""
        said = complaint.lower()
        tries: list[tuple[tuple[str, ...], Form]] = []
        if quiet and not self.no_effort:
            tries.append((("reasoning",), replace(self, no_effort=True)))
        if not self.renamed:
            tries.append((("max_tokens", "max_completion_tokens"), replace(self, renamed=True)))
        if not self.no_temperature:
            tries.append((("temperature",), replace(self, no_temperature=True)))
        if not self.no_system:
            tries.append((("system role", "system message", "role 'system'", "role: system", '"system"'), replace(self, no_system=True)))
        if self.shape is not Shape.TEXT:
            words = ("response_format", "response format", "json_schema", "json_object", "schema", "structured output", "grammar")
            tries.append((words, replace(self, shape=Shape(self.shape + 1))))
        # A message may name several; what it is about comes first.
        found = [(min(said.find(word) for word in words if word in said), n) for n, (words, _) in enumerate(tries) if _any(words, said)]
        return tries[min(found)[1]][1] if found else None

    def joined(self, other: "Form") -> "Form":
        """What a server accepts that refused what either of two leaves out."""
        return Form(
            max(self.shape, other.shape),
            self.renamed or other.renamed,
            self.no_temperature or other.no_temperature,
            self.no_system or other.no_system,
            self.no_effort or other.no_effort,
        )


class Agreed:
    """The form that worked, which threads share. Until one has, they ask one after the other: a refused form costs one request in all."""

    def __init__(self) -> None:
        self.form = Form()
        self._settled = False
        self._turn, self._lock = Lock(), Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Alone until a form has worked."""
        if self._settled:
            yield
            return
        self._turn.acquire()
        alone = not self._settled
        if not alone:
            self._turn.release()
        try:
            yield
        finally:
            if alone:
                self._turn.release()

    def settle(self, form: Form) -> None:
        """This form worked."""
        with self._lock:
            self.form, self._settled = self.form.joined(form), True


def closed(schema: Any) -> Any:
    """The schema with every object closed to further properties, as strict servers want it."""
    if isinstance(schema, Mapping):
        made = {name: closed(value) for name, value in schema.items()}
        return {**made, "additionalProperties": False} if schema.get("type") == "object" else made
    return [closed(part) for part in schema] if isinstance(schema, list | tuple) else schema


def _any(words: tuple[str, ...], said: str) -> bool:
    return any(word in said for word in words)
