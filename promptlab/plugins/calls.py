"""Calls into plugins: whatever they raise is told in a line, and what they print leaves results alone."""

import os
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TypeVar

from promptlab.errors import PluginError, PromptlabError
from promptlab.events import Cancelled

T = TypeVar("T")
HINT = "Tell its author, or go on without it: --disable-plugin {}."
OURS, STANDARD = str(Path(__file__).parents[1]) + os.sep, os.path.dirname(os.__file__) + os.sep
PACKAGES = ("site-packages", "dist-packages")
MOST_SAID = 300  # characters of what an exception says


class CallError(Exception):
    """What a plugin raised, in a line; the exception itself is its cause."""


def call(work: Callable[[], T]) -> T:
    """What a plugin's code gives back. Raises CallError for whatever it raises, but for errors of promptlab and what a person asks for."""
    try:
        with redirect_stdout(sys.stderr):  # stdout is for results, which programs read
            return work()
    except (PromptlabError, KeyboardInterrupt, Cancelled):
        raise
    except BaseException as error:  # a plugin can raise anything, SystemExit too
        raise CallError(told(error)) from error


def guarded(plugin: str, doing: str, work: Callable[[], T]) -> T:
    """What the work of a plugin gives back. Raises PluginError that names it for whatever it raises, but for errors of promptlab."""
    try:
        return call(work)
    except CallError as fault:
        raise failed(plugin, doing, str(fault)) from fault.__cause__


def told(error: BaseException) -> str:
    """A fault in a line: what was raised, and where in the plugin. Errors of promptlab speak for themselves."""
    try:
        said = f"{error.message} {error.hint}".strip() if isinstance(error, PromptlabError) else str(error)
    except Exception:  # a plugin's exception can be broken itself
        said = "it cannot say what is wrong"
    short = said if len(said) <= MOST_SAID else said[:MOST_SAID] + "..."
    return short if isinstance(error, PromptlabError) else f"{type(error).__name__}: {short}{place(error)}"


def place(error: BaseException) -> str:
    """` (file.py, line 3)`: the line of the plugin's code that raised it, or called what did; empty where there is none."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(("<", OURS))]
    packaged = [any(name in Path(f.filename).parts for name in PACKAGES) for f in frames]
    own = [f for f, apart in zip(frames, packaged, strict=True) if not apart and not f.filename.startswith(STANDARD)]
    # A plugin that is installed lies among the packages itself: it is what was called first.
    frame = own[-1] if own else next((f for f, apart in zip(frames, packaged, strict=True) if apart), None)
    return "" if frame is None else f" ({Path(frame.filename).name}, line {frame.lineno})"


def failed(plugin: str, doing: str, what: str) -> PluginError:
    """The error for a plugin that failed."""
    text = f"The plugin {plugin!r} failed in {doing}: {what.strip().rstrip('.')}."
    return PluginError(text, f"{HINT.format(plugin)} --debug shows more.")


def nonsense(plugin: str, doing: str, found: object, wanted: str) -> PluginError:
    """The error for a plugin that gave back something else than was asked for."""
    return PluginError(f"The plugin {plugin!r} gave {found} back from {doing}; {wanted} was expected.", HINT.format(plugin))
