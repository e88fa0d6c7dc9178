"""Packs of texts that begin alike, against the texts themselves."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from promptlab.encode.prefixes import Pack, packs
from promptlab.types import Array

LENGTH = 7


def read(pack: Pack, node: int) -> list[int]:
    """The tokens that a node sees, by their depth."""
    seen = np.flatnonzero(pack.seen[node])
    assert sorted(pack.depth[seen].tolist()) == list(range(len(seen)))
    return [int(token) for _, token in sorted(zip(pack.depth[seen], pack.tokens[seen], strict=True))]


def made(texts: list[list[int]]) -> tuple[Array, Array]:
    """(ids (P, L), ends (P,)): each text between a start and an end, then padding that says nothing."""
    ids = np.zeros((len(texts), LENGTH), np.int64)
    for i, text in enumerate(texts):
        ids[i, : len(text) + 2] = [8, *text, 9]
    return ids, np.array([len(text) + 1 for text in texts])


@given(texts=st.lists(st.lists(st.integers(1, 3), max_size=LENGTH - 2), min_size=1, max_size=30), most=st.integers(1, 60))
@settings(deadline=None)
def test_every_text_is_read_whole_and_no_beginning_is_there_twice(texts: list[list[int]], most: int) -> None:
    ids, ends = made(texts)
    found = list(packs(ids, ends, most))
    assert sorted(int(row) for pack in found for row in pack.rows) == list(range(len(texts)))
    for pack in found:
        for row, end in zip(pack.rows, pack.ends, strict=True):
            assert read(pack, int(end)) == ids[row, : ends[row] + 1].tolist()
        beginnings = [tuple(read(pack, node)) for node in range(len(pack.tokens))]
        assert len(set(beginnings)) == len(beginnings)
        assert len(pack.tokens) <= most or len({tuple(ids[row]) for row in pack.rows}) == 1


def test_one_large_pack_has_each_distinct_beginning_once() -> None:
    ids, ends = made([[1, 2], [1, 3], [1, 2], [2], []])
    (pack,) = packs(ids, ends, 1000)
    beginnings = {tuple(ids[row, : n + 1]) for row in range(len(ids)) for n in range(ends[row] + 1)}
    assert len(pack.tokens) == len(beginnings) == 9
