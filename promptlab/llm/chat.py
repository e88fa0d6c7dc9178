"""Asking: from what is kept, else from the server, within limits."""

import math
from collections.abc import Sequence
from threading import Event

from promptlab.display import many
from promptlab.errors import OfflineError, UsageError
from promptlab.events import Answered, Finished, Listener, Progressed, Started
from promptlab.llm.budget import Budget, cost_of, tokens_of
from promptlab.llm.cache import Replies
from promptlab.llm.clock import Clock
from promptlab.llm.crew import done_by
from promptlab.llm.desk import Desk
from promptlab.llm.question import Estimate, Failure, Limits, Question, Reply
from promptlab.protocols import Endpoint

WORK = "ask"
GRACE = 1.0  # seconds beyond the time-out that a reply in flight has to reach the disk


def ask(
    questions: Sequence[Question],
    endpoint: Endpoint,
    replies: Replies,
    limits: Limits,
    listen: Listener,
    *,
    clock: Clock | None = None,
) -> list[Reply | Failure]:
    """What each question got, in their order; equal questions are asked once. Every reply is on disk before it is given back.

    Raises OfflineError when replies are missing that may not be asked for, UsageError for limits that cannot be kept and for a key that
    would be readable on its way, StoreError when a reply cannot be kept. At most `limits.max_cost` is spent, plus what the requests in
    flight at once take beyond their estimates (see `budget`).
    """
    found: dict[str, Reply | Failure] = dict(_kept(questions, endpoint, replies))
    missing = {key: question for question in questions if (key := question.key(endpoint)) not in found}
    listen(Started(WORK, len(missing), "questions"))
    for question in {question.key(endpoint): question for question in questions if question.key(endpoint) in found}.values():
        listen(_answered(question, found[question.key(endpoint)]))
    if missing:
        _check(len(missing), len(questions), endpoint, limits)
        found |= zip(missing, _asked(list(missing.values()), endpoint, replies, limits, listen, clock or Clock()), strict=True)
    listen(Finished(WORK, sum(1 for outcome in found.values() if isinstance(outcome, Reply) and not outcome.kept)))
    return [found[question.key(endpoint)] for question in questions]


def estimate(questions: Sequence[Question], endpoint: Endpoint, replies: Replies, limits: Limits) -> Estimate:
    """What asking would take, when each reply is right the first time; nothing is sent."""
    kept = _kept(questions, endpoint, replies)
    missing = {key: question for question in questions if (key := question.key(endpoint)) not in kept}.values()
    tokens_in = sum(tokens_of(question.messages(), question.schema) for question in missing)
    tokens_out = sum(question.max_tokens for question in missing)
    cost = cost_of(tokens_in, tokens_out, limits.price) if limits.price else None
    return Estimate(len(questions), len(questions) - len(missing), tokens_in, tokens_out, cost)


def _kept(questions: Sequence[Question], endpoint: Endpoint, replies: Replies) -> dict[str, Reply]:
    """{key: the reply} that is there and that its question can still use."""
    found = {}
    for question in questions:
        key = question.key(endpoint)
        reply = replies.get(key, endpoint.provider)
        if reply is not None and not question.fault(reply.text):
            found[key] = reply
    return found


def _check(missing: int, total: int, endpoint: Endpoint, limits: Limits) -> None:
    said = f"{many(missing, 'question')} of {total} to {endpoint.model!r} have no reply in the cache"
    if limits.offline:
        raise OfflineError(f"{said}, and nothing may be asked while offline.", "Run without --offline once.")
    if not endpoint.base_url:
        raise OfflineError(f"{said}, and {endpoint.provider!r} has no server to ask.", "Name another model with --llm.")
    if limits.parallel < 1 or not 0 < limits.timeout < math.inf:
        raise UsageError(
            f"{limits.parallel} questions at once with {limits.timeout:g} s each cannot be asked.",
            "Both must be more than 0: llm_parallel, llm_timeout.",
        )


def _answered(question: Question, found: Reply | Failure) -> Answered:
    if isinstance(found, Failure):
        return Answered(question.about, "", found.reason, False)
    return Answered(question.about, found.text, "", found.kept)


def _asked(
    questions: list[Question], endpoint: Endpoint, replies: Replies, limits: Limits, listen: Listener, clock: Clock
) -> list[Reply | Failure]:
    stop = Event()
    desk = Desk(endpoint, replies, limits, Budget(limits), clock, stop)
    try:
        beat, longest = (lambda n: listen(Progressed(WORK, n))), limits.timeout + GRACE
        return done_by(desk.answer, questions, limits.parallel, stop, beat, longest, clock, lambda q, found: listen(_answered(q, found)))
    finally:
        desk.close()
