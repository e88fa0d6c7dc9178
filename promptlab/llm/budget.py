"""What asking costs, and the brake on it.

A request starts only if what was spent, what is reserved for requests in flight, and its own estimate stay within the limit. A reply's
usage then takes the place of its reservation. So at the end no more is spent than the limit and what the requests in flight at once took
beyond their estimates: at most `parallel` times the largest error of one estimate, and nothing where estimates hold.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Condition, Event
from typing import Any

from promptlab.errors import UsageError
from promptlab.llm.question import Limits, Message

MILLION = 1_000_000
ASCII_PER_TOKEN = 3  # English is about 4.5; code and JSON about 3
PER_MESSAGE = 16  # the words that a chat template puts around one
MOST_TOKENS = 10**9  # a count above it is none
EXAMPLE = 'Write it as MODEL=IN/OUT, US dollars for a million tokens each way, e.g. prices = ["gpt-mini=0.25/2"].'


def tokens_of(messages: Sequence[Message], schema: Mapping[str, Any] | None = None) -> int:
    """Tokens of a conversation, from above: three ASCII characters a token, of any other script each byte one."""
    texts = [message["content"] for message in messages] + ([repr(dict(schema))] if schema else [])
    return sum(PER_MESSAGE + _tokens(text) for text in texts)


def _tokens(text: str) -> int:
    plain = sum(ch < "\x80" for ch in text)
    return math.ceil(plain / ASCII_PER_TOKEN) + len(text.encode("utf-8", "surrogatepass")) - plain


def cost_of(tokens_in: int, tokens_out: int, price: tuple[float, float]) -> float:
    """US dollars."""
    return (tokens_in * price[0] + tokens_out * price[1]) / MILLION


def price_of(prices: Sequence[str], model: str) -> tuple[float, float] | None:
    """What a million tokens of this model cost, in and out, from `MODEL=IN/OUT`; None when nobody said. Raises UsageError for nonsense."""
    found = None
    for word in prices:
        name, equals, sums = word.rpartition("=")
        before, slash, after = sums.partition("/")
        try:
            pair = float(before), float(after)
        except ValueError:
            pair = (-1.0, -1.0)
        if not (name.strip() and equals and slash) or not all(0 <= value < math.inf for value in pair):
            raise UsageError(f"{word!r} is no price.", EXAMPLE)
        if name.strip() == model:
            found = pair
    return found


@dataclass(frozen=True, slots=True)
class Reserved:
    """What was set aside for one request."""

    tokens_in: int
    """Of the question, from above."""
    tokens_out: int
    """Of the reply, at most."""
    cost: float
    """US dollars for both; 0 without a price."""


class Budget:
    """What one call of `ask` has spent and set aside; threads share it."""

    def __init__(self, limits: Limits) -> None:
        self._price, self._most = limits.price, limits.max_cost
        if self._most and self._price is None:
            raise UsageError(
                f"A cost limit of ${self._most:g} is set, but nobody said what this model's tokens cost.",
                f"{EXAMPLE} For a model that costs nothing: MODEL=0/0.",
            )
        self._spent, self._flying, self._reserved, self._closed = 0.0, 0, 0.0, False
        self._changed = Condition()

    @property
    def spent(self) -> float:
        """US dollars so far, without what is set aside."""
        return self._spent

    def reserve(self, tokens_in: int, tokens_out: int, stop: Event) -> Reserved | None:
        """Sets aside what a request may cost; None when that is beyond the limit, and from then on for every other.

        While others are in flight it waits for what they leave: they are set aside from above.
        """
        asked = Reserved(tokens_in, tokens_out, cost_of(tokens_in, tokens_out, self._price) if self._price else 0.0)
        with self._changed:
            while self._most and not self._closed and self._spent + self._reserved + asked.cost > self._most:
                if not self._flying or stop.is_set():
                    self._closed = True
                    self._changed.notify_all()
                else:
                    self._changed.wait(0.2)
            if self._closed:
                return None
            self._flying += 1
            self._reserved += asked.cost
            return asked

    def settle(self, reserved: Reserved, tokens_in: int | None, tokens_out: int | None) -> float | None:
        """What the request cost: by the server's count, by the estimate where that is None; None without a price."""
        used_in = reserved.tokens_in if tokens_in is None else tokens_in
        used_out = reserved.tokens_out if tokens_out is None else tokens_out
        cost = cost_of(used_in, used_out, self._price) if self._price else None
        with self._changed:
            self._flying -= 1
            # Sums of floats leave dust behind, which must not outlive the last request.
            self._reserved = self._reserved - reserved.cost if self._flying else 0.0
            self._spent += cost or 0.0
            self._changed.notify_all()
        return cost
