"""The pipeline by itself: runners that need no model, pictures that are numbers."""

import threading
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.encode.pipeline import Full, Pace, Pipeline, Runner, _covered
from promptlab.errors import EncoderError
from promptlab.events import Cancelled, Event, Noted, Progressed, ignore
from promptlab.types import Array


def itself(pixels: Sequence[Array]) -> Array:
    """The vectors of pictures that are their own numbers."""
    return np.stack(pixels)[:, None]


def number(i: int) -> Array:
    return np.float32(i)  # type: ignore[return-value]


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("promptlab-")]


@given(
    st.lists(st.integers(0, 99), max_size=40, unique=True),
    st.sets(st.integers(0, 99)),
    st.integers(1, 9),
    st.integers(1, 3),
    st.integers(1, 4),
)
def test_rows_keep_their_order_and_bad_ones_are_told(rows: list[int], broken: set[int], batch: int, lanes: int, workers: int) -> None:
    sizes: list[int] = []

    def run(pixels: Sequence[Array]) -> Array:
        sizes.append(len(pixels))
        return itself(pixels)

    told: list[Event] = []
    runners = [Runner(f"{n}", run) for n in range(lanes)]
    z, bad, pace = Pipeline(batch).encode(rows, lambda i: f"broken {i}" if i in broken else number(i), runners, workers, told.append)
    good = [i for i in rows if i not in broken]
    assert z[:, 0].tolist() == good
    assert bad == {i: f"broken {i}" for i in rows if i in broken}
    assert sorted(sizes, reverse=True) == [batch] * (len(good) // batch) + [len(good) % batch] * bool(len(good) % batch)
    done = [event.done for event in told if isinstance(event, Progressed)]
    assert done == sorted(done)
    assert done[-1] == len(rows)
    assert pace.pictures == len(good)
    assert not threads()


def test_decoding_goes_on_while_batches_are_at_work_and_stops_where_enough_is_ahead() -> None:
    seen, lock, enough = 0, threading.Condition(), 4 + 4 + 2 * 4  # at work, waiting beside it, ahead

    def prepare(i: int) -> Array:
        nonlocal seen
        with lock:
            seen += 1
            lock.notify_all()
        return number(i)

    def run(pixels: Sequence[Array]) -> Array:
        if pixels[0] == 0:
            with lock:  # the first batch is not done before all that may be ahead of it is there
                assert lock.wait_for(lambda: seen == enough, timeout=20)
            time.sleep(0.1)
            assert seen == enough
        return itself(pixels)

    z, *_ = Pipeline(4).encode(range(100), prepare, [Runner("one", run)], 2, ignore)
    assert z[:, 0].tolist() == list(range(100))


def test_a_listener_that_raises_stops_all_threads_at_once() -> None:
    prepared: list[int] = []

    def prepare(i: int) -> Array:
        prepared.append(i)
        return number(i)

    def stop(event: Event) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        Pipeline(4).encode(range(10_000), prepare, [Runner("one", itself), Runner("two", itself)], 2, stop)
    assert len(prepared) < 100
    assert not threads()


def test_the_listener_is_heard_while_a_picture_keeps_all_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptlab.encode.pipeline.HEARTBEAT", 0.01)
    heard = threading.Event()

    def prepare(i: int) -> Array:
        assert heard.wait(20)
        return number(i)

    Pipeline(4).encode([7], prepare, [Runner("one", itself)], 1, lambda event: heard.set())


@pytest.mark.parametrize("fits", [1, 3, 5])
def test_a_batch_that_does_not_fit_is_halved_once_and_for_good(fits: int) -> None:
    def run(pixels: Sequence[Array]) -> Array:
        if len(pixels) > fits:
            raise Full
        return itself(pixels)

    told: list[Event] = []
    line, runners = Pipeline(12), [Runner("one", run), Runner("two", run)]
    z, *_ = line.encode(range(50), number, runners, 2, told.append)
    assert z[:, 0].tolist() == list(range(50))
    notes = [event.text for event in told if isinstance(event, Noted)]
    expected = {1: [12, 6, 3], 3: [12, 6], 5: [12, 6]}[fits]
    assert notes == [f"The batch of {size} does not fit the memory; going on with {size // 2}." for size in expected]
    assert [event.done for event in told if isinstance(event, Progressed)][-1] == 50
    told.clear()
    line.encode(range(50), number, runners, 2, told.append)
    assert not [event for event in told if isinstance(event, Noted)]


def test_one_picture_that_does_not_fit_is_an_error() -> None:
    def run(pixels: Sequence[Array]) -> Array:
        raise Full

    with pytest.raises(EncoderError, match="single picture") as raised:
        Pipeline(4).encode(range(9), number, [Runner("one", run)], 1, ignore)
    assert "--device" in raised.value.hint
    assert not threads()


def test_what_breaks_a_runner_or_a_picture_is_raised() -> None:
    def broken(_: object) -> Array:
        raise ValueError("no model")

    for prepare, run in ((number, broken), (broken, itself)):
        with pytest.raises(ValueError, match="no model"):
            Pipeline(4).encode(range(9), prepare, [Runner("one", run)], 1, ignore)
        assert not threads()


def test_time_counts_once_for_a_place_that_two_batches_share() -> None:
    assert _covered([(1, 3), (2, 4), (6, 7), (6.5, 6.8)]) == 4
    assert _covered([]) == 0


def test_a_slow_source_leaves_the_model_idle_and_is_told() -> None:
    def prepare(i: int) -> Array:
        time.sleep(0.01)
        return number(i)

    *_, slow = Pipeline(4).encode(range(20), prepare, [Runner("one", itself)], 1, ignore)
    assert slow.share < 0.5
    assert "--workers" not in slow.note().text  # what took less than seconds is not worth advice
    assert "--workers" in Pace(20, 10.0, 1.0).note().text

    def run(pixels: Sequence[Array]) -> Array:
        time.sleep(0.05)
        return itself(pixels)

    *_, fast = Pipeline(4).encode(range(20), number, [Runner("one", run)], 1, ignore)
    assert fast.share > 0.8
    assert "--workers" not in fast.note().text


def test_paces_add_up() -> None:
    both = Pace(100, 4.0, 3.0) + Pace(100, 6.0, 6.0)
    assert both.note().text == "20 pictures a second; the model was busy 90% of 10.0 s."
