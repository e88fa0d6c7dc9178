"""Picture vectors: those that the store lacks are encoded, and all are opened."""

import os
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from promptlab.encode.pictures import UNREAD
from promptlab.encode.segments import Store, marks
from promptlab.errors import DataError, StoreError
from promptlab.events import Finished, Listener, Noted, Progressed, Started, counted_from
from promptlab.protocols import Encoder
from promptlab.store import Cache, fingerprint, locked
from promptlab.types import Array, Features, Images

FIRST, LAST = 256, 16_384  # pictures in the smallest and the largest piece
SECONDS = 20.0  # that a piece takes of one process: so much is lost when it is stopped
SHARE = 16  # of several: a piece is this part of what was done before


class Piece(NamedTuple):
    """Some pictures, encoded."""

    rows: Array  # (n,) int: which pictures
    z: Array  # (m, D) unit: vectors of those that could be read, in their order
    bad: dict[int, str]  # {picture: why it could not be read}


# Gives the wanted pictures (n,) back in finished pieces, in any order, each picture once.
Engine = Callable[[Images, Array, Encoder, Listener], Iterator[Piece]]


class Filled(NamedTuple):
    """What became of the wanted pictures."""

    new: int  # encoded anew
    unread: dict[int, str]  # {picture: what the disk said}; nothing is kept of these, since it may say otherwise the next time


def local(images: Images, rows: Array, encoder: Encoder, listen: Listener) -> Iterator[Piece]:
    """The engine of one process: pieces of about SECONDS."""
    done, size = 0, FIRST
    while done < len(rows):
        some, began = rows[done : done + size], time.monotonic()
        yield Piece(some, *encoder.encode_images(images, some.tolist(), counted_from(done, listen)))
        rate = len(some) / max(time.monotonic() - began, 1e-3)  # with the keeping of it, which is little
        # In steps of FIRST, so that batches are the same whatever the machine does beside: other ones differ in the last bit.
        done, size = done + len(some), min(max(1, int(rate * SECONDS) // FIRST) * FIRST, LAST)


def at_once(done: int) -> int:
    """How many pictures the next piece of several processes has, after so many."""
    return min(max(FIRST, done // SHARE), LAST)


def encode_images(
    images: Images, encoder: Encoder, name: str, cache: Cache, listen: Listener, engine: Engine = local
) -> tuple[Features, int]:
    """The features of a split, and how many pictures were encoded anew. Labels come from `images`, never from the cache.

    name: the dataset's. Raises DataError when not one picture can be read, StoreError when the cache cannot be used.
    """
    store, known = _store(encoder, cache), marks(images, name)
    filled = _fill(store, images, np.arange(len(images)), known, encoder, name, listen, engine)
    store.refresh()
    return _features(store, store.find(known), filled.unread, images, encoder), filled.new


def fill(images: Images, rows: Array, encoder: Encoder, name: str, cache: Cache, listen: Listener, engine: Engine = local) -> Filled:
    """Encodes those of the pictures `rows` (n,) that the store lacks, and keeps each piece as it comes."""
    return _fill(_store(encoder, cache), images, rows, marks(images, name), encoder, name, listen, engine)


def _fill(store: Store, images: Images, rows: Array, known: Array, encoder: Encoder, name: str, listen: Listener, engine: Engine) -> Filled:
    """known: (N, 16) marks of all pictures."""
    listen(Started("encode pictures", len(rows), "pictures"))
    filled = Filled(0, {})
    if (store.find(known[rows]) < 0).any():
        # One process at a time encodes these pictures; others may encode other ones.
        lock = store.folder / f"{fingerprint(images.root or name, images.split, int(rows[0]))[:16]}.lock"
        with locked(lock, _waiting(listen)):
            store.refresh()
            missing = rows[store.find(known[rows]) < 0]
            later = counted_from(len(rows) - len(missing), listen)
            filled = _encode(store, images, missing, known, encoder, later, engine)
    listen(Progressed("encode pictures", len(rows)))
    listen(Finished("encode pictures", filled.new))
    return filled


def _store(encoder: Encoder, cache: Cache) -> Store:
    return Store(cache.features(encoder.fingerprint, encoder.precision), encoder.fingerprint)


def _encode(store: Store, images: Images, missing: Array, known: Array, encoder: Encoder, listen: Listener, engine: Engine) -> Filled:
    new, unread, done = 0, dict[int, str](), 0
    for rows, z, bad in engine(images, missing, encoder, listen):
        lost = {i: reason for i, reason in bad.items() if reason.startswith(UNREAD)}
        kept = [i for i in rows.tolist() if i not in lost]
        if kept:
            store.add(known[kept], z, {place: bad[i] for place, i in enumerate(kept) if i in bad})
        new, unread, done = new + len(z), unread | lost, done + len(rows)
        listen(Progressed("encode pictures", done))
    return Filled(new, unread)


def _waiting(listen: Listener) -> Callable[[int], None]:
    """Says once that another process is at work; from then on only keeps the brake in reach."""
    note = Noted("Another process encodes these pictures; waiting for it.", "info")
    return lambda times: listen(Progressed("encode pictures", 0) if times else note)


def _features(store: Store, entries: Array, unread: dict[int, str], images: Images, encoder: Encoder) -> Features:
    known = np.flatnonzero(entries >= 0)
    x, readable = store.rows(entries[known])
    good = known[readable]
    bad = unread | {int(i): store.reason(int(entries[i])) for i in known[~readable]}
    if len(good) + len(bad) < len(images):
        raise StoreError("Picture vectors have gone from the cache while they were used.", "Run it again: they will be made anew.")
    if x is None:
        lost = bad[0].startswith(UNREAD) and not os.path.isfile(images.place(0))  # else its source looked elsewhere
        raise DataError(
            f"None of the {len(images)} pictures can be read; the first: {images.keys[0]!r}: {bad[0]}.",
            f"It was looked for at {images.place(0)!r}." if lost else "Are they pictures at all?",
        )
    skipped = tuple((images.keys[i], reason) for i, reason in sorted(bad.items()))
    labels = None if images.labels is None else images.labels[good]
    keys = images.keys if len(good) == len(images) else tuple(images.keys[i] for i in good)
    return Features(x, keys, labels, images.split, encoder.fingerprint, skipped)
