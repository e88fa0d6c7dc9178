"""Never more is spent than the limit, and what requests in flight took beyond their estimates."""

import threading
import time

import faults
import pytest
from faults import Act, reply, serving, status
from hypothesis import given, settings
from hypothesis import strategies as st

from promptlab.errors import UsageError
from promptlab.llm.budget import Budget, Reserved, cost_of, price_of, tokens_of
from promptlab.llm.question import Failure, Limits, Reply

from .conftest import Asked, question, questions

NEVER = threading.Event()
PRICE = (1000.0, 1000.0)


@settings(max_examples=40, deadline=None)
@given(
    requests=st.lists(st.tuples(st.integers(1, 500), st.integers(1, 500), st.floats(0, 3)), min_size=1, max_size=40),
    most=st.floats(0.0001, 0.01),
    threads=st.integers(1, 6),
)
def test_the_limit_holds_but_for_the_errors_of_what_is_in_flight(requests: list[tuple[int, int, float]], most: float, threads: int) -> None:
    budget = Budget(Limits(max_cost=most, price=(1.0, 10.0)))
    todo, lock, errors = list(requests), threading.Lock(), [0.0]

    def spend() -> None:
        while True:
            with lock:
                if not todo:
                    return
                asked_in, asked_out, factor = todo.pop()
            reserved = budget.reserve(asked_in, asked_out, NEVER)
            if reserved is None:
                return
            time.sleep(0.0003)
            used = budget.settle(reserved, int(asked_in * factor), int(asked_out * factor))
            assert used is not None
            with lock:
                errors.append(used - reserved.cost)

    crew = [threading.Thread(target=spend) for _ in range(threads)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join(10)
        assert not thread.is_alive()
    assert budget.spent <= most + threads * max(0.0, *errors) + 1e-12


@pytest.mark.parametrize("parallel", [1, 3, 8])
def test_asking_stops_at_the_limit(asked: Asked, parallel: int) -> None:
    price, n = (1000.0, 1000.0), 40
    each = cost_of(40, 10, price)
    with serving(reply(seconds=0.005)) as server:
        outcomes = asked(server, questions(n), parallel=parallel, price=price, max_cost=20 * each)
        assert len(server.received) < 20
    spent = sum(found.cost or 0.0 for found in outcomes)
    assert 0 < spent <= 20 * each
    refused = [found for found in outcomes if isinstance(found, Failure)]
    assert all(found.reason == f"the cost limit of ${20 * each:g} is reached" for found in refused)
    assert len(refused) + sum(isinstance(found, Reply) for found in outcomes) == n


def exact() -> tuple[Act, float]:
    """A server that takes just what is estimated, and US dollars for that."""
    q = question("What does thing 0 look like?")
    tokens = tokens_of(q.messages(), q.schema)
    usage = {"prompt_tokens": tokens, "completion_tokens": q.max_tokens}
    return reply(usage=usage, seconds=0.05), cost_of(tokens, q.max_tokens, PRICE)


@pytest.mark.parametrize("parallel", [1, 4])
def test_where_estimates_hold_nothing_is_overspent(asked: Asked, parallel: int) -> None:
    act, each = exact()
    with serving(act) as server:
        outcomes = asked(server, questions(8), parallel=parallel, price=PRICE, max_cost=2.5 * each)
        assert len(server.received) == 2
    assert sum(found.cost or 0.0 for found in outcomes) == pytest.approx(2 * each)


@pytest.mark.parametrize("parallel", [1, 4])
def test_a_limit_that_suffices_stops_nobody(asked: Asked, parallel: int) -> None:
    act, each = exact()
    with serving(act) as server:
        outcomes = asked(server, questions(10), parallel=parallel, price=PRICE, max_cost=10.01 * each)
    assert all(isinstance(found, Reply) for found in outcomes)


def test_who_does_not_fit_waits_for_what_others_leave() -> None:
    budget = Budget(Limits(max_cost=1.0, price=(1_000_000.0, 0.0)))  # a dollar a token
    first = budget.reserve(1, 0, NEVER)
    assert first is not None
    found: list[Reserved | None] = []
    second = threading.Thread(target=lambda: found.append(budget.reserve(1, 0, NEVER)))
    second.start()
    second.join(0.1)
    assert second.is_alive()
    budget.settle(first, 0, 0)
    second.join(5)
    assert found == [Reserved(1, 0, 1.0)]
    budget.settle(found[0] or first, 1, 0)
    assert budget.reserve(1, 0, NEVER) is None
    assert budget.spent == 1.0


@pytest.mark.parametrize("parallel", [1, 4])
def test_a_server_that_takes_ten_times_what_it_may_overshoots_by_what_was_in_flight(asked: Asked, parallel: int) -> None:
    price, usage = (1000.0, 1000.0), {"prompt_tokens": 1000, "completion_tokens": 1000}
    q = question()
    estimate = cost_of(tokens_of(q.messages(), q.schema), q.max_tokens, price)
    actual, most = cost_of(1000, 1000, price), 3.0
    with serving(reply(usage=usage, seconds=0.01)) as server:
        outcomes = asked(server, questions(30), parallel=parallel, price=price, max_cost=most)
    spent = sum(found.cost or 0.0 for found in outcomes)
    assert most < spent <= most + parallel * (actual - estimate)


def test_requests_that_broke_after_they_were_sent_count_by_their_estimate(asked: Asked) -> None:
    with serving(faults.reset) as server:
        found = asked(server, price=(1000.0, 1000.0), retries=1)[0]
    q = question()
    assert found.cost == pytest.approx(2 * cost_of(tokens_of(q.messages(), q.schema), q.max_tokens, (1000.0, 1000.0)))
    assert found.tokens_in is None


def test_requests_that_failed_inside_the_server_count_by_their_estimate(asked: Asked) -> None:
    with serving(status(500), reply()) as server:
        found = asked(server, price=PRICE)[0]
    q = question()
    assert found.cost == pytest.approx(cost_of(tokens_of(q.messages(), q.schema) + q.max_tokens + 50, 0, PRICE))


def test_requests_that_were_turned_away_cost_nothing(asked: Asked) -> None:
    with serving(status(429), reply()) as server:
        found = asked(server, price=(1000.0, 1000.0))[0]
    assert found.cost == pytest.approx(cost_of(40, 10, (1000.0, 1000.0)))
    assert (found.tokens_in, found.tokens_out) == (40, 10)


def test_without_a_count_the_estimate_stands(asked: Asked) -> None:
    with serving(reply(usage=None)) as server:
        found = asked(server, price=(1.0, 2.0))[0]
    q = question()
    assert (found.tokens_in, found.tokens_out) == (None, None)
    assert found.cost == pytest.approx(cost_of(tokens_of(q.messages(), q.schema), 100, (1.0, 2.0)))


def test_without_a_price_costs_are_unknown(asked: Asked) -> None:
    with serving() as server:
        assert asked(server)[0].cost is None


def test_a_limit_without_a_price_shows_how_to_set_one(asked: Asked) -> None:
    with serving() as server, pytest.raises(UsageError) as error:
        asked(server, max_cost=1.0)
    assert "MODEL=IN/OUT" in error.value.hint
    assert not server.received


@given(st.text(max_size=300))
def test_tokens_are_estimated_from_above(text: str) -> None:
    tokens = tokens_of([{"role": "user", "content": text}])
    assert tokens >= 16 + len(text) / 3
    assert tokens <= 17 + len(text.encode("utf-8", "surrogatepass"))


def test_prices() -> None:
    words = ("gpt-mini=0.25/2", "a=b=1/3", "free=0/0")
    assert price_of(words, "gpt-mini") == (0.25, 2.0)
    assert price_of(words, "a=b") == (1.0, 3.0)
    assert price_of(words, "free") == (0.0, 0.0)
    assert price_of(words, "other") is None
    assert price_of((), "other") is None


@pytest.mark.parametrize("word", ["", "gpt", "gpt=1", "gpt=1/", "=1/2", "gpt=a/b", "gpt=-1/2", "gpt=nan/1", "gpt=inf/1", "gpt=1/2/3"])
def test_nonsense_is_no_price(word: str) -> None:
    with pytest.raises(UsageError, match="is no price") as error:
        price_of((word,), "other")
    assert "gpt-mini=0.25/2" in error.value.hint
