"""Retrieval: where the right answers to a query stand among all targets, streamed over blocks of queries."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from promptlab.errors import MismatchError
from promptlab.types import Array, Features

# Similarities of a block of queries to all targets: 128 MB in f4. A GPU holds more, and is fuller with more.
BLOCK = {"cpu": 2**25, "cuda": 2**28, "mps": 2**25}
FEWEST = 64  # queries in a block, however many targets there are: fewer would leave the product waiting for memory
BATCH = 4096  # targets at a time
SAME = 1e-6  # cosines that differ by less are equal: products of fp32 round by their place in a block, and so do encoders by their batch

Batches = Callable[[], Iterator[tuple[int, Array]]]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Where queries found their right answers."""

    rank: Array
    """(Q,) int: targets before the first right one, 0 when a right one comes first; equal ones (within 1e-6) count by their index."""
    right: Array
    """(Q,) int: the right target that comes first."""
    first: Array
    """(Q,) int: the target that comes first of all."""
    gap: Array
    """(Q,) f8 cosine units: the best right target minus the best wrong one; infinite where no target is wrong."""


def of_rows(z: Array) -> Batches:
    """Batches of vectors z (R, D) that are unit and in memory."""
    return lambda: ((start, z[start : start + BATCH]) for start in range(0, len(z), BATCH))


def of_pictures(features: Features) -> Batches:
    """Batches of picture vectors, read when they are needed."""
    return lambda: features.batches(BATCH)


def find(queries: Batches, targets: Batches, count: tuple[int, int], right: Array, device: str, tell: Callable[[int], None]) -> Found:
    """Where each of Q queries finds its right targets among all R. queries, targets: batches of unit rows (B, D) f4; count: (Q, R).

    right: (T, 2) int, pairs of a query and a target that answers it; every query has at least one, and pairs are distinct. tell: is told
    after each block how many queries are done; it may raise `Cancelled`. Holds the similarities of one block of queries, never (Q, R).

    Raises MismatchError for a query without an answer, or when widths differ.
    """
    q, r = count
    without = np.flatnonzero(np.bincount(right[:, 0], minlength=q) == 0)
    if len(without):
        raise MismatchError(f"Query {without[0]} has no right answer; {len(without)} of {q} have none.")
    ordered = right[np.lexsort((right[:, 1], right[:, 0]))]
    starts = np.searchsorted(ordered[:, 0], np.arange(q + 1))
    parts, done = list[tuple[Array, ...]](), 0
    for x in _blocks(queries, max(FEWEST, BLOCK[torch.device(device).type] // r)):
        s = _similarities(torch.from_numpy(x).to(device), targets, r, device)
        pairs = ordered[starts[done] : starts[done + len(x)]] - [done, 0]
        parts.append(_look(s, *(torch.as_tensor(column, device=device) for column in pairs.T)))
        done += len(x)
        tell(done)
    return Found(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _blocks(batches: Batches, size: int) -> Iterator[Array]:
    """The same rows in blocks of about that size: whole batches joined, or cut."""
    held = list[Array]()
    for _, x in batches():
        for start in range(0, len(x), size):
            held.append(x[start : start + size])
            if sum(map(len, held)) >= size:
                yield np.concatenate(held)
                held = []
    if held:
        yield np.concatenate(held)


def _similarities(x: Tensor, targets: Batches, r: int, device: str) -> Tensor:
    """(B, R) cosines of a block of queries x (B, D) to all targets."""
    s = torch.empty((len(x), r), device=device)
    for start, y in targets():
        if y.shape[1] != x.shape[1]:
            raise MismatchError(f"The pictures and the texts have vectors of widths {x.shape[1]} and {y.shape[1]}: two encoders made them.")
        torch.matmul(x, torch.from_numpy(y).to(device).T, out=s[:, start : start + len(y)])
    return s


def _look(s: Tensor, query: Tensor, target: Tensor) -> tuple[Array, ...]:
    """The four columns of `Found` of one block: similarities s (B, R), and the pairs that are right, (T',) each."""
    b, r = s.shape
    own = s[query, target]
    best = torch.full((b,), -torch.inf, device=s.device).scatter_reduce(0, query, own, "amax")
    among = torch.where(own >= best[query] - SAME, target, r)
    right = torch.full((b,), r, device=s.device).scatter_reduce(0, query, among, "amin")
    first = (s >= s.amax(1, keepdim=True) - SAME).byte().argmax(1)  # torch gives the first of equal ones
    # Right ones are never above the best of them, and of those that equal it `right` is the lowest: what counts here is wrong.
    rank = (s > best[:, None] + SAME).sum(1)
    tied = ((s >= best[:, None] - SAME).sum(1) - rank > 1).nonzero()[:, 0]
    before = torch.arange(r, device=s.device) < right[tied, None]
    rank[tied] += ((s[tied] - best[tied, None]).abs() <= SAME).logical_and_(before).sum(1)
    first = torch.where(rank == 0, right, first)
    s[query, target] = -torch.inf
    gap = best.double() - s.amax(1).double()
    return tuple(column.cpu().numpy() for column in (rank, right, first, gap))
