"""What becomes of one question: who is asked again, when, in which form, and when it is given up."""

import email.utils
import math
import random
from dataclasses import dataclass, replace
from datetime import UTC
from threading import Event, Lock
from typing import Any

from promptlab.llm.answer import Answer, UnreadableError, read
from promptlab.llm.budget import Budget, tokens_of
from promptlab.llm.cache import Replies
from promptlab.llm.clock import Clock
from promptlab.llm.crew import StoppedError
from promptlab.llm.forms import COMPLAINTS, Agreed, Form, Request
from promptlab.llm.pace import Pace
from promptlab.llm.question import Failure, Limits, Message, Question, Reply
from promptlab.llm.server import BrokenError, RefusedError, Server, place_of
from promptlab.protocols import Endpoint

BUSY = (408, 409, 429)  # and every status from 500: asked again
DENIED = (401, 403)
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0  # seconds before the second request, and before any
LONGEST_PAUSE = 60.0  # seconds that a server may ask us to wait
SILENT = 3  # questions in a row without any answer, after which a server counts as gone
LONGEST_REPEATED = 2000  # characters of a bad reply that the model is shown again


class _GivenUpError(Exception):
    """No reply to this question; says why."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What one question took so far."""

    requests: int = 0
    """Sent."""
    tokens_in: int | None = 0
    """None when the server did not say it of one of them."""
    tokens_out: int | None = 0
    """None when the server did not say it of one of them."""
    cost: float | None = 0.0
    """US dollars; None without a price."""

    def plus(self, tokens_in: int | None, tokens_out: int | None, cost: float | None) -> "Bill":
        """With one request more."""
        return Bill(self.requests + 1, _sum(self.tokens_in, tokens_in), _sum(self.tokens_out, tokens_out), _sum(self.cost, cost))


class Desk:
    """Answers questions of one server; threads share it."""

    def __init__(self, endpoint: Endpoint, replies: Replies, limits: Limits, budget: Budget, clock: Clock, stop: Event) -> None:
        self.endpoint, self.limits, self.budget, self.clock, self.stop = endpoint, limits, budget, clock, stop
        self.server = Server(endpoint, limits.timeout)
        self.pace = Pace(limits, clock, stop)
        self.agreed = Agreed()
        self._replies = replies
        self._lock, self._closed, self._silent = Lock(), "", 0

    def close(self) -> None:
        """Ends every connection."""
        self.server.close()

    def answer(self, question: Question) -> Reply | Failure:
        """The reply, kept before it is given back, or why there is none."""
        key, talk = question.key(self.endpoint), _Talk(self, question)
        try:
            with self._replies.lock(key, self.endpoint.provider, lambda times: self.check()):
                kept = self._replies.get(key, self.endpoint.provider)
                if kept is not None and not question.fault(kept.text):
                    return kept  # another process asked it meanwhile
                began = self.clock.now()
                text, model = talk.held()
                spent, when = talk.bill, self.clock.date().isoformat(timespec="seconds")
                seconds = self.clock.now() - began
                reply = Reply(key, text, model, spent.tokens_in, spent.tokens_out, spent.cost, seconds, when, spent.requests, kept=False)
                self._replies.put(question, self.endpoint, reply)
                return reply
        except _GivenUpError as error:
            spent = talk.bill
            return Failure(str(error), spent.requests, spent.tokens_in, spent.tokens_out, spent.cost)

    def check(self) -> None:
        """Raises when no further request may start."""
        if self.stop.is_set():
            raise StoppedError
        if self._closed:
            raise _GivenUpError(self._closed)

    def shut(self, reason: str) -> _GivenUpError:
        """The end of this question and of all that were not sent yet, for the same reason."""
        with self._lock:
            self._closed = self._closed or reason
        return _GivenUpError(reason)

    def heard(self) -> None:
        """The server answered, whatever it said."""
        with self._lock:
            self._silent = 0

    def unheard(self, reason: str) -> _GivenUpError:
        """The end of a question to which the server said nothing."""
        with self._lock:
            self._silent += 1
            gone = self._silent >= SILENT
        if gone:
            self.shut(f"{self.server.host} does not answer, so the questions that were left were not sent")
        return _GivenUpError(reason)


class _Talk:
    """The conversation about one question."""

    def __init__(self, desk: Desk, question: Question) -> None:
        self._desk, self._question = desk, question
        self.bill = Bill(cost=0.0 if desk.limits.price else None)

    def held(self) -> tuple[str, str]:
        """(a text that can be used, the model that wrote it)."""
        question = self._question
        request = Request(tuple(question.messages()), question.schema, question.max_tokens, question.temperature)
        repaired = widened = False
        while True:
            answer = self._answered(request)
            found = next((text for text in answer.candidates() if not question.fault(text)), None)
            if found is not None:
                return found, answer.model or self._desk.endpoint.model
            if answer.refusal or answer.finish == "content_filter":
                said = self._desk.server.safe(answer.refusal)
                raise _GivenUpError(f"the model refused: {said}" if said else "the provider's filter stopped the reply")
            if answer.only_thought or answer.finish == "length":
                if widened:
                    raise _GivenUpError(_shortfall(answer, request.max_tokens))
                widened = True
                request = replace(request, max_tokens=2 * request.max_tokens, quiet=answer.only_thought or bool(answer.reasoning))
            else:
                fault = question.fault(answer.text) if answer.text.strip() else "it is empty"
                if repaired:
                    raise _GivenUpError(f"the reply cannot be used: {self._desk.server.safe(fault)}")
                repaired = True
                request = replace(request, messages=(*request.messages, *_repair(answer.text, fault)))

    def _answered(self, request: Request) -> Answer:
        """The server's answer, however often it has to be asked."""
        desk = self._desk
        for attempt in range(desk.limits.retries + 1):
            last = attempt == desk.limits.retries
            try:
                answer = self._negotiated(request)
            except RefusedError as error:
                desk.heard()
                self._after_refusal(error, attempt, last)
            except BrokenError as error:
                if not error.again:
                    raise _GivenUpError(error.reason) from None
                if last:
                    raise desk.unheard(f"{error.reason}, {desk.limits.retries + 1} times") from None
                desk.clock.sleep(_backoff(attempt), desk.stop)
            else:
                desk.heard()
                return answer
        raise AssertionError("the last attempt returns or raises")

    def _after_refusal(self, error: RefusedError, attempt: int, last: bool) -> None:
        """Waits as long as is fit before the next request; raises when there is none."""
        desk, status = self._desk, f"{self._desk.server.host} answered {error.status}"
        said = f" ({error.message})" if error.message else ""
        if error.status in DENIED:
            raise desk.shut(f"{status}{said}: its key is missing or is not accepted; `promptlab keys set {desk.server.host}` keeps one")
        if 300 <= error.status < 400:
            place = place_of(error.headers.get("location", ""), desk.endpoint.base_url)
            raise desk.shut(f"{status} and leads on to {place}, which is not followed: set base_url to where the server is")
        if error.status == 404:
            raise desk.shut(f"{status}{said}: there is no such model, or base_url is wrong")
        if error.code == "insufficient_quota":
            raise desk.shut(f"{status}{said}: the account has no credit left")
        if error.status not in BUSY and error.status < 500:
            raise _GivenUpError(f"{status}{said}")
        pause = _pause(error.headers.get("retry-after", ""), desk.clock)
        if pause > LONGEST_PAUSE:
            raise _GivenUpError(f"{status} and asks to wait {pause:.0f} s, which is longer than {LONGEST_PAUSE:.0f} s")
        if last:
            raise _GivenUpError(f"{status}{said}, {desk.limits.retries + 1} times")
        if pause:
            desk.pace.hold(pause)
        else:
            desk.clock.sleep(_backoff(attempt), desk.stop)

    def _negotiated(self, request: Request) -> Answer:
        """The answer in the first form that the server takes."""
        agreed = self._desk.agreed
        with agreed.turn():
            form = agreed.form
            while True:
                try:
                    answer = self._sent(request, form)
                except RefusedError as error:
                    other = form.after(error.complaint, request.quiet) if error.status in COMPLAINTS else None
                    if other is None:
                        raise
                    form = other
                else:
                    agreed.settle(form)
                    return answer

    def _sent(self, request: Request, form: Form) -> Answer:
        """One request, paid for."""
        desk, body = self._desk, form.body(self._desk.endpoint.model, request)
        tokens = tokens_of(body["messages"], request.schema)
        desk.pace.wait(tokens + request.max_tokens)
        desk.check()
        reserved = desk.budget.reserve(tokens, request.max_tokens, desk.stop)
        if reserved is None:
            desk.check()
            raise desk.shut(f"the cost limit of ${desk.limits.max_cost:g} is reached")
        used: tuple[int | None, int | None] = (None, None)
        try:
            found = desk.server.send(body)
            answer = read(found.text, found.kind)
            used = answer.tokens_in, answer.tokens_out
            return answer
        except UnreadableError as error:
            raise _GivenUpError(str(error)) from None
        except RefusedError as error:
            # What the server turned away it does not charge for; what failed inside it may have been.
            used = used if error.status >= 500 else (0, 0)
            raise
        except BrokenError as error:
            used = used if error.sent else (0, 0)
            raise
        finally:
            self.bill = self.bill.plus(*used, desk.budget.settle(reserved, *used))
            if used[0] is not None and used[1] is not None:
                desk.pace.give_back(reserved.tokens_in + reserved.tokens_out - used[0] - used[1])


def _repair(text: str, fault: str) -> list[Message]:
    """What is added to a conversation whose last reply cannot be used; nothing when there was none."""
    if not text.strip():
        return []
    asked = f"That cannot be used: {fault}. Write the whole reply again, put right, as one JSON object and nothing else."
    return [{"role": "assistant", "content": text[:LONGEST_REPEATED]}, {"role": "user", "content": asked}]


def _shortfall(answer: Answer, room: int) -> str:
    if answer.only_thought:
        return "the model only thought, and wrote no reply"
    return f"the reply was cut off after {room} tokens"


def _backoff(attempt: int) -> float:
    """Seconds, doubling; a random part keeps those that failed together from coming back together."""
    return min(LONGEST_WAIT, math.ldexp(FIRST_WAIT, attempt)) * random.uniform(0.75, 1.0)


def _pause(said: str, clock: Clock) -> float:
    """The seconds that a Retry-After header asks for, as a number or a date; 0 when it says nothing that can be read."""
    try:
        seconds = float(said)
    except ValueError:
        try:
            date = email.utils.parsedate_to_datetime(said)
        except ValueError:
            return 0.0
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - clock.date()).total_seconds()
    return 0.0 if math.isnan(seconds) else max(0.0, seconds)


def _sum(one: float | None, other: float | None) -> Any:
    return None if one is None or other is None else one + other
