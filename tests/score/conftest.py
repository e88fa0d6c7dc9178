"""One thread for products of a few numbers: two threads that wait for each other take ten times as long on a busy machine."""

from score.planted import one_thread

__all__ = ["one_thread"]
