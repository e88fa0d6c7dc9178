"""One thread: what is computed here is so small that several only wait for each other."""

from score.planted import one_thread

__all__ = ["one_thread"]
