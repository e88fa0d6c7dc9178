"""Every error promptlab raises on purpose.

PromptlabError                 one or two sentences: what was found, what was expected, where; `.hint` says what to do
├── UsageError                 an argument, setting, name or template that cannot be used
├── DataError                  pictures, features, labels or class names that cannot be used
├── EncoderError               a model that cannot be found, loaded or trusted
├── MismatchError              values that do not belong together (another encoder, other classes, another shape)
├── ConvergenceError           an iteration that did not reach its tolerance
├── StoreError                 a cache or a run folder that cannot be read or written
├── PluginError                a plugin that failed; the message names plugin and hook
└── OfflineError               something that is not in the cache while offline
"""

import difflib
from collections.abc import Iterable


class PromptlabError(Exception):
    """The root: catch this to catch everything that promptlab raises on purpose."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(PromptlabError):
    """An argument, setting, name or template that cannot be used."""


class DataError(PromptlabError):
    """Pictures, features, labels or class names that cannot be used."""


class EncoderError(PromptlabError):
    """A model that cannot be found, loaded or trusted."""


class MismatchError(PromptlabError):
    """Values that do not belong together: another encoder, other classes, another shape."""


class ConvergenceError(PromptlabError):
    """An iteration that did not reach its tolerance; nothing of it is used."""


class StoreError(PromptlabError):
    """A cache or a run folder that cannot be read or written."""


class PluginError(PromptlabError):
    """A plugin that failed; the message names plugin and hook."""


class OfflineError(PromptlabError):
    """Something that is not in the cache while offline."""


MOST_SHOWN = 24  # names in one message; of more, those nearest to what was typed


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that does not exist: it lists what exists and the nearest match."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=12, cutoff=0.5)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    shown = names if len(names) <= MOST_SHOWN else near or names[:MOST_SHOWN]
    more = f", and {len(names) - len(shown)} more" if len(shown) < len(names) else ""
    return UsageError(f"There is no {kind} named {name!r}.", f"{hint}There are: {', '.join(shown) or 'none'}{more}.")
