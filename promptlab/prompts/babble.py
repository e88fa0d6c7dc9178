"""Random words: what descriptions must do better than."""

from collections.abc import Callable
from functools import cache

import numpy as np

from promptlab.shipped import folder


@cache
def _words() -> tuple[str, ...]:
    return tuple(folder("words.txt").read_text("utf-8").split())


class Babble:
    """Random phrases of plain words, the same for every class that asks: the n-th is one endless row of words, cut to the length asked for.

    tokens: counts those of a text, as the encoder reads it.
    """

    def __init__(self, seed: int, tokens: Callable[[str], int]) -> None:
        self._seed, self._tokens = seed, tokens
        self._empty = tokens("")

    def __call__(self, n: int, like: str) -> str:
        """The n-th phrase, as many tokens long as `like`; at least one word."""
        rng, wanted = np.random.default_rng([self._seed, n]), self._tokens(like) - self._empty
        words = [str(rng.choice(_words()))]
        while self._tokens(" ".join(words)) - self._empty < wanted:
            words.append(str(rng.choice(_words())))
        return " ".join(words)
