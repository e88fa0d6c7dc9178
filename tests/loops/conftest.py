"""One thread, as in the scoring room."""

from score.planted import one_thread

__all__ = ["one_thread"]
