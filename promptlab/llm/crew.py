"""Work done by a few threads, while the calling thread listens and can stop them."""

from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TypeVar

from promptlab.llm.clock import Clock

T = TypeVar("T")
R = TypeVar("R")
BEAT = 0.25  # seconds between two looks at the brake


class StoppedError(Exception):
    """Raised inside the work once it is to stop."""


def done_by(
    work: Callable[[T], R],
    items: Sequence[T],
    threads: int,
    stop: Event,
    beat: Callable[[int], None],
    longest: float,
    clock: Clock,
    each: Callable[[T, R], None] = lambda item, result: None,
) -> list[R]:
    """`work` of every item, in their order, made by so many threads.

    `beat` is called in the calling thread, a few times a second, with how many are done, `each` there, too, with every item and what came
    of it, as it comes. What they raise ends the work: nothing new is begun, what is in flight is waited for at most `longest` seconds, then
    it goes on; after ctrl-C itself nothing is waited for.
    The threads are daemons, so that none of them keeps a process alive that wants to end.
    """
    todo: SimpleQueue[int] = SimpleQueue()
    done: SimpleQueue[tuple[int, R | BaseException]] = SimpleQueue()
    for n in range(len(items)):
        todo.put(n)

    def labour() -> None:
        while not stop.is_set():
            try:
                n = todo.get_nowait()
            except Empty:
                return
            try:
                done.put((n, work(items[n])))
            except BaseException as error:  # raised again in the calling thread
                done.put((n, error))

    crew = [Thread(target=labour, name=f"promptlab-ask-{n}", daemon=True) for n in range(min(threads, len(items)))]
    for thread in crew:
        thread.start()
    try:
        return _gathered(done, len(items), beat, lambda n, result: each(items[n], result))
    except KeyboardInterrupt:
        stop.set()
        raise
    except BaseException:
        stop.set()
        end = clock.now() + longest
        for thread in crew:
            thread.join(max(0.0, end - clock.now()))
        raise


def _gathered(
    done: "SimpleQueue[tuple[int, R | BaseException]]", total: int, beat: Callable[[int], None], each: Callable[[int, R], None]
) -> list[R]:
    found: dict[int, R] = {}
    while len(found) < total:
        beat(len(found))
        try:
            n, result = done.get(timeout=BEAT)
        except Empty:
            continue
        if isinstance(result, BaseException):
            raise result
        found[n] = result
        each(n, result)
    beat(total)
    return [found[n] for n in range(total)]
