"""Calls into plugins: whatever they raise is told in a line, and what they print leaves results alone."""

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
NOT_THEIRS = (str(Path(__file__).parents[1]), sys.base_prefix, "<")  # places of code that is no plugin's
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
    return short if isinstance(error, PromptlabError) else f"{type(error).__name__}: {short}{_place(error)}"


def _place(error: BaseException) -> str:
    """` (file.py, line 3)`: the deepest line of the plugin's own; empty where none is."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not (f.filename.startswith(NOT_THEIRS) or "site-packages" in f.filename)]
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""


def failed(plugin: str, doing: str, what: str) -> PluginError:
    """The error for a plugin that failed."""
    text = f"The plugin {plugin!r} failed in {doing}: {what.strip().rstrip('.')}."
    return PluginError(text, f"{HINT.format(plugin)} --debug shows more.")


def nonsense(plugin: str, doing: str, found: object, wanted: str) -> PluginError:
    """The error for a plugin that gave back something else than was asked for."""
    return PluginError(f"The plugin {plugin!r} gave {found} back from {doing}; {wanted} was expected.", HINT.format(plugin))
