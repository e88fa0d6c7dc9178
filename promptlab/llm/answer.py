"""What a server's JSON says, read without trusting any of it."""

import json
import re
from dataclasses import dataclass
from typing import Any

from promptlab.llm.budget import MOST_TOKENS

THOUGHTS = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.S)
FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*?)```", re.S)
PLACE = re.compile(r"^(?:/|[A-Za-z]:\\).*[/\\]")  # some servers call a model by its file; where that lies is nobody's business
REASONING = ("reasoning", "reasoning_content")  # two servers, two names


class UnreadableError(Exception):
    """A reply that is none of Chat Completions; says what it is instead."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One choice of one reply."""

    text: str
    """What the model wrote; may be empty."""
    reasoning: str
    """What it thought aloud, where the server keeps that apart."""
    refusal: str
    """Why it would not answer; empty when it did."""
    finish: str
    """Why it ended: `stop`, `length`, `content_filter`, or what the server calls it."""
    model: str
    """As the server names it; empty when it does not."""
    tokens_in: int | None
    """By the server's count; None when it did not count."""
    tokens_out: int | None
    """By the server's count; None when it did not count."""

    def candidates(self) -> list[str]:
        """Texts that may be the JSON object that was asked for, the likeliest first."""
        said = THOUGHTS.sub("", self.text).strip()
        # Where nothing was said, some servers took the reply for a thought. A thought that is no object is none, however it reads.
        return _parts(said) if said else list(filter(_is_object, _parts(self.reasoning.strip())))

    @property
    def only_thought(self) -> bool:
        """Whether there are thoughts, and no reply after them."""
        return not THOUGHTS.sub("", self.text).strip() and bool(self.reasoning.strip() or self.text.strip())


def read(body: str, kind: str) -> Answer:
    """The answer in a body of this content type. Raises UnreadableError."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):  # ValueError: no JSON, or a number of 5,000 digits
        raise UnreadableError(f"the server's reply is no JSON ({kind or 'of no named kind'}), so its address may be wrong") from None
    choices = found.get("choices") if isinstance(found, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    if not isinstance(message, dict):
        raise UnreadableError("the server's reply is not one of Chat Completions: it has no message")
    usage = found.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return Answer(
        text=_content(message.get("content")),
        reasoning=next((value for name in REASONING if isinstance(value := message.get(name), str)), ""),
        refusal=_word(message.get("refusal")),
        finish=_word(choice.get("finish_reason")),
        model=PLACE.sub("", _word(found.get("model")))[:200],
        tokens_in=_count(counts.get("prompt_tokens")),
        tokens_out=_count(counts.get("completion_tokens")),
    )


def _parts(text: str) -> list[str]:
    """The text, and what is fenced or braced in it."""
    inner = [*(block.strip() for block in FENCE.findall(text)), text[text.find("{") : text.rfind("}") + 1]]
    return list(dict.fromkeys(part for part in (text, *inner) if part))


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _content(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, list):  # parts, as some servers send what they were sent
        return "".join(_word(part.get("text")) for part in content if isinstance(part, dict))
    raise UnreadableError(f"the reply's content is a {type(content).__name__}; a text was expected")


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS else None
