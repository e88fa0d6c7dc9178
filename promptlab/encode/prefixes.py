"""Texts that begin alike, packed so that each distinct prefix is computed once.

The token ids of many texts make a tree whose nodes are the distinct prefixes: in a causal tower the state of a token depends on what is
before it alone, so texts that begin alike share it. A pack holds some nodes in a sequence, with a mask that lets each see its ancestors and
itself, and its depth as its position: what tree attention does in speculative decoding.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from promptlab.types import Array


class Pack(NamedTuple):
    """Some texts as one sequence of the n distinct prefixes that they have."""

    rows: Array
    """(T,) int: which texts."""
    tokens: Array
    """(n,) int: the last token of each prefix."""
    depth: Array
    """(n,) int: its place in the text."""
    seen: Array
    """(n, n) bool: which prefixes each one sees, its beginnings and itself."""
    ends: Array
    """(T,) int: the node at which each text ends."""


def packs(ids: Array, ends: Array, most: int) -> Iterator[Pack]:
    """All texts once, in packs of about `most` nodes or one text. ids: (P, L) int token ids; ends: (P,) int, the place of each end token.

    Texts are taken in the order of their tokens, so that those that begin alike stand together; the beginning of a pack's first text is
    computed anew.
    """
    order = np.lexsort(np.where(np.arange(ids.shape[1]) <= ends[:, None], ids, -1).T[::-1])
    shared = _shared(ids[order], ends[order])
    start = 0
    while start < len(order):
        near = slice(start, start + most + 1)  # distinct texts have a node of their own each: no more than these fit
        own = shared[near].copy()
        own[0] = 0  # of the first text nothing is there yet
        fresh = np.cumsum(ends[order[near]] + 1 - own)
        stop = start + max(1, int(np.searchsorted(fresh, most, "right")))
        yield _pack(ids, ends, order[start:stop], shared[start:stop])
        start = stop


def _shared(ids: Array, ends: Array) -> Array:
    """(P,) int: how many tokens each text has in common with the one before it, 0 for the first."""
    same = ids[1:] == ids[:-1]
    common = np.where(same.all(1), ids.shape[1], same.argmin(1))
    return np.concatenate([[0], np.minimum(common, np.minimum(ends[1:], ends[:-1]) + 1)])


def _pack(ids: Array, ends: Array, rows: Array, shared: Array) -> Pack:
    first = np.concatenate([[0], shared[1:]])  # of the first text nothing is there yet
    fresh = ends[rows] + 1 - first
    n = int(fresh.sum())
    tokens, depth, last = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(len(rows), np.int64)
    seen, path, at = np.zeros((n, n), bool), np.empty(ids.shape[1], np.int64), 0
    for t, (row, begin) in enumerate(zip(rows, first, strict=True)):
        nodes = np.arange(at, at := at + int(fresh[t]))
        places = np.arange(begin, ends[row] + 1)
        path[places] = nodes
        tokens[nodes], depth[nodes], last[t] = ids[row, places], places, path[ends[row]]
        seen[np.ix_(nodes, path[:begin])] = True
        seen[nodes[:, None], nodes] = np.tri(len(nodes), dtype=bool)
    return Pack(rows, tokens, depth, seen, last)
