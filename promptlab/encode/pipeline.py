"""Pictures through a model without a pause: decoding in threads stays ahead of the batches that are at work, and never stops between them.

Knows neither torch nor files: it is told how a picture is prepared and what runs a batch. What is in flight is bounded: the batches at
work, one that waits beside them, and as many pictures again that are being decoded.
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from queue import SimpleQueue
from typing import NamedTuple, TypeVar

import numpy as np

from promptlab.errors import EncoderError
from promptlab.events import Listener, Noted, Progressed
from promptlab.types import Array

WORK = "encode pictures"
HEARTBEAT = 1.0  # seconds after which the listener is heard at the latest, since it may want to stop
ENOUGH = 0.8  # the busy share from which on nothing is advised
LONG = 5.0  # seconds; what took less is not worth advice

T = TypeVar("T")
Prepare = Callable[[int], Array | str]


class Full(Exception):  # noqa: N818 (it is an answer, not a fault)
    """Raised by a runner: this batch does not fit into the memory."""


class Runner(NamedTuple):
    """What runs batches, one at a time."""

    place: str
    """The device or the core that it keeps busy; runners of one place take turns there."""
    run: Callable[[Sequence[Array]], Array]
    """(B, D) vectors of B prepared pictures. Raises Full."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast pictures went through a model."""

    pictures: int = 0
    """Whose vectors were made."""
    seconds: float = 0.0
    """From the first to the last, by the clock."""
    busy: float = 0.0
    """Seconds of these in which the model was at work, the mean over its places; the others it waited for pictures."""

    def __add__(self, other: "Pace") -> "Pace":
        return Pace(self.pictures + other.pictures, self.seconds + other.seconds, self.busy + other.busy)

    @property
    def share(self) -> float:
        """The part of the time in which the model was at work; 1 when there was nothing to do."""
        return self.busy / self.seconds if self.seconds else 1.0

    def note(self) -> Noted:
        """The pace in a sentence, with advice where the model waited."""
        rate = self.pictures / self.seconds if self.seconds else 0.0
        said = f"{rate:,.0f} pictures a second; the model was busy {self.share:.0%} of {self.seconds:.1f} s"
        idle = " and waited for pictures the rest: smaller files, a faster disk or more --workers would help."
        advice = "." if self.share >= ENOUGH or self.seconds < LONG else idle
        return Noted(said + advice, "info")


class Pipeline:
    """Runs pictures through runners in batches. `batch` is halved for good when one does not fit."""

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def encode(
        self, rows: Sequence[int], prepare: Prepare, runners: Sequence[Runner], workers: int, listen: Listener
    ) -> tuple[Array, dict[int, str], Pace]:
        """((n, D) vectors of the readable rows in their order, {row: why it could not be read}, the pace).

        Runners are called in threads of their own, `listen` in this one alone; it may raise to stop. Raises EncoderError when one picture
        alone does not fit.
        """
        began = time.perf_counter()
        flow = _Flow(self, rows, prepare, runners, workers, listen)
        try:
            z, bad = flow.through()
        finally:
            flow.stop()
        return z, bad, Pace(len(z), time.perf_counter() - began, flow.busy())


class _Batch(NamedTuple):
    first: int  # its place among the good pictures
    pixels: list[Array]


class _Flow:
    """One journey of some pictures."""

    def __init__(
        self, line: Pipeline, rows: Sequence[int], prepare: Prepare, runners: Sequence[Runner], workers: int, listen: Listener
    ) -> None:
        self._line, self._listen, self._prepare = line, listen, prepare
        self._total, self._coming = len(rows), iter(rows)
        self._ahead: deque[tuple[int, Future[Array | str]]] = deque()
        self._running: dict[Future[Array], _Batch] = {}
        self._most = len(runners)
        self._free: SimpleQueue[Runner] = SimpleQueue()
        for runner in runners:
            self._free.put(runner)
        self._spans: dict[str, list[tuple[float, float]]] = {runner.place: [] for runner in runners}
        self._bad: dict[int, str] = {}
        self._parts: dict[int, Array] = {}
        self._good = self._done = 0
        self._decoding = ThreadPoolExecutor(workers, "promptlab-decode")
        self._encoding = ThreadPoolExecutor(self._most, "promptlab-encode")

    def through(self) -> tuple[Array, dict[int, str]]:
        while batch := self._next():
            self._start(batch)
            while len(self._running) > self._most:
                self._collect()
        while self._running:
            self._collect()
        self._tell()
        parts = [self._parts[first] for first in sorted(self._parts)]
        return np.concatenate(parts) if parts else np.zeros((0, 1), np.float32), self._bad

    def stop(self) -> None:
        """Ends the threads: what is at work is waited for, what waits is dropped."""
        for pool in (self._decoding, self._encoding):
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in (self._decoding, self._encoding):
            pool.shutdown()

    def busy(self) -> float:
        """Seconds in which a place was at work, the mean over places."""
        return sum(map(_covered, self._spans.values())) / len(self._spans)

    def _next(self) -> _Batch | None:
        """The next pictures that can be read, as many as fit; None after the last."""
        found: list[Array] = []
        self._look_ahead()
        while self._ahead and len(found) < self._line.batch:
            i, future = self._ahead.popleft()
            self._look_ahead()
            self._wait([future])
            made = future.result()
            if isinstance(made, str):
                self._bad[i] = made
            else:
                found.append(made)
        self._good += len(found)
        return _Batch(self._good - len(found), found) if found else None

    def _look_ahead(self) -> None:
        while len(self._ahead) < (self._most + 1) * self._line.batch:
            i = next(self._coming, None)
            if i is None:
                return
            self._ahead.append((i, self._decoding.submit(self._prepare, i)))

    def _start(self, batch: _Batch) -> None:
        self._running[self._encoding.submit(self._run, batch.pixels)] = batch

    def _run(self, pixels: list[Array]) -> Array:
        runner = self._free.get()
        began = time.perf_counter()
        try:
            return runner.run(pixels)
        finally:
            self._spans[runner.place].append((began, time.perf_counter()))
            self._free.put(runner)

    def _collect(self) -> None:
        for future in self._wait(self._running.keys()):
            batch = self._running.pop(future)
            try:
                self._parts[batch.first] = future.result()
            except Full:
                self._halve(batch)
                continue
            self._done += len(batch.pixels)
            self._tell()

    def _halve(self, batch: _Batch) -> None:
        """Sends a batch that did not fit again in parts. Others of its size that are under way fail, too, and are told of no more."""
        size, half = len(batch.pixels), len(batch.pixels) // 2
        if not half:
            raise EncoderError("A single picture does not fit the memory beside the model.", "Use another --device or a smaller model.")
        if half < self._line.batch:
            self._line.batch = half
            self._listen(Noted(f"The batch of {size} does not fit the memory; going on with {half}."))
        for cut in range(0, size, self._line.batch):
            self._start(_Batch(batch.first + cut, batch.pixels[cut : cut + self._line.batch]))

    def _wait(self, futures: Collection[Future[T]]) -> set[Future[T]]:
        """Those that are finished, one at least."""
        while True:
            done: set[Future[T]] = wait(futures, HEARTBEAT, FIRST_COMPLETED).done
            if done:
                return done
            self._tell()

    def _tell(self) -> None:
        self._listen(Progressed(WORK, self._done + len(self._bad)))


def _covered(spans: list[tuple[float, float]]) -> float:
    """Seconds that lie in any of the spans."""
    total, until = 0.0, 0.0
    for began, ended in sorted(spans):
        total += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return total
