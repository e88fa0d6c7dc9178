"""Everything on stderr, and the exit codes.

0 fine · 1 failed · 2 usage or settings · 3 plugin fault · 4 not in the cache while offline · 130 cancelled
"""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from types import FrameType
from typing import Any

import click

from promptlab import config
from promptlab.display import safe, safe_json
from promptlab.errors import OfflineError, PluginError, PromptlabError, UsageError
from promptlab.events import Cancelled, Event, Finished, Listener, Noted, Progressed, Saved, Started

FAILED, USAGE, PLUGIN, OFFLINE, CANCELLED = 1, 2, 3, 4, 130
CODES: tuple[tuple[type[PromptlabError], int], ...] = ((UsageError, USAGE), (PluginError, PLUGIN), (OfflineError, OFFLINE))
EVERY = 2.0  # seconds between two progress lines for programs


def guarded(command: Callable[[], Any]) -> int:
    """Run a command; gives back the exit code. Never a traceback without --debug."""
    debug = "--debug" in sys.argv
    try:
        result = command()
        sys.stdout.flush()
        return result if isinstance(result, int) else 0  # click gives back the code of `Exit`
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stdout.write(error.format_message() + "\n")
        return 0
    except click.ClickException as error:
        _error(safe(error.format_message(), 1000), "`promptlab --help` lists the commands, `promptlab COMMAND --help` their options.")
        return USAGE
    except PromptlabError as error:
        if debug:
            traceback.print_exc()
        _error(safe(error.message, 1000), safe(error.hint, 2000))
        return next((code for kind, code in CODES if isinstance(error, kind)), FAILED)
    except (Cancelled, KeyboardInterrupt, click.Abort):
        _error("Cancelled; what was finished is kept.")
        return CANCELLED
    except OSError as error:  # every file of ours is explained where it is written, so this is the output
        if not isinstance(error, BrokenPipeError):  # a reader that went away knows
            _error(f"{safe(repr(error.filename or 'The output'))} cannot be read or written: {error.strerror or error}.")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter complains when it flushes
        return FAILED
    except Exception as error:  # a fault of ours or of a library: the user gets a sentence, the developer --debug
        if debug:
            traceback.print_exc()
        _error(
            f"Something broke: {type(error).__name__}: {safe(str(error), 500)}",
            "Run again with --debug and report what it prints.",
        )
        return FAILED


def _error(message: str, hint: str = "") -> None:
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    head = click.style("Error:", fg="red", bold=True) if colour else "Error:"
    sys.stderr.write(f"{head} {message}\n" + (f"       {hint}\n" if hint else ""))


def misspelt() -> None:
    """Warns of environment variables that look like settings and are none."""
    for name, nearest in config.strange_variables().items():
        near = f"; did you mean {nearest}?" if nearest else "."
        text = f"The environment variable {name} is no setting of promptlab{near}"
        with _lines(quiet=False) as show:
            show(Noted(text))


@contextmanager
def listening(quiet: bool) -> Iterator[Listener]:
    """A listener that shows progress (a bar on a terminal, JSON lines elsewhere) and obeys ctrl-C: once stops at the next batch,
    twice at once."""
    stop = _Brake()
    with stop, _bar() if sys.stderr.isatty() and not quiet else _lines(quiet) as show:

        def listen(event: Event) -> None:
            stop.check()
            show(event)

        yield listen


class _Brake:
    """Turns the first ctrl-C into Cancelled at the next event; the second one is ctrl-C as ever."""

    def __init__(self) -> None:
        self._asked = False

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGINT, self._ask)

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.stderr.write("\nStopping at the next batch; press ctrl-C again to stop at once.\n")

    def check(self) -> None:
        if self._asked:
            raise Cancelled


@contextmanager
def _lines(quiet: bool) -> Iterator[Listener]:
    last: dict[str, float] = {}

    def show(event: Event) -> None:
        if isinstance(event, Progressed):
            now = time.monotonic()
            if now - last.get(event.work, -EVERY) < EVERY:
                return
            last[event.work] = now
        if not quiet or (isinstance(event, Noted) and event.level != "info"):
            line = {"event": type(event).__name__.lower(), **asdict(event)}
            sys.stderr.write(safe_json(json.dumps(line, ensure_ascii=False)) + "\n")
            sys.stderr.flush()

    yield show


@contextmanager
def _bar() -> Iterator[Listener]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        tasks: dict[str, Any] = {}

        def show(event: Event) -> None:
            if isinstance(event, Started) and event.total:
                tasks[event.work] = progress.add_task(event.work, total=event.total, rate="")
            elif isinstance(event, Progressed) and event.work in tasks:
                speed = progress.tasks[progress.task_ids.index(tasks[event.work])].speed
                progress.update(tasks[event.work], completed=event.done, rate=f"{speed:.0f}/s" if speed else "")
            elif isinstance(event, Finished) and event.work in tasks:
                progress.remove_task(tasks.pop(event.work))
            elif isinstance(event, Noted):
                console.print(f"{event.level}: {safe(event.text, 500)}", markup=False)
            elif isinstance(event, Saved):
                console.print(f"saved {event.what}: {safe(event.path)}", markup=False)

        yield show
