"""Text vectors, each text encoded once in its life: one small database per encoder, keyed by the text."""

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from errno import ENOSPC
from pathlib import Path

import numpy as np

from promptlab.errors import EncoderError, StoreError
from promptlab.events import Finished, Listener, Started, counted_from
from promptlab.protocols import Encoder
from promptlab.store import Cache, private_folder
from promptlab.types import Array, PromptGrid, TextBank, unit

# Two texts that the tokenizer reads alike share one vector, so that their columns are equal to the bit. Every row carries a seal of what it
# holds; one whose seal is wrong was damaged or swapped, and counts as not there.
SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (cleaned TEXT PRIMARY KEY, z BLOB NOT NULL, seal BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS readings
    (text TEXT PRIMARY KEY, cleaned TEXT NOT NULL, too_long INTEGER NOT NULL, seal BLOB NOT NULL) WITHOUT ROWID;
"""
AT_ONCE = 4096  # texts between two commits: what a killed run can lose


def _seal(*parts: object) -> bytes:
    """A checksum of bytes, texts and numbers, each with its kind."""
    marked = (b"bytes " + part if isinstance(part, bytes) else f"text {part}".encode() for part in parts)
    return hashlib.blake2b(b"\0".join(marked), digest_size=16).digest()


@contextmanager
def _database(path: Path, encoder: Encoder) -> Iterator[sqlite3.Connection]:
    """The database; in its SQL `seal_of(...)` is the seal of a row of this encoder."""
    try:
        private_folder(path.parent)
        with closing(sqlite3.connect(path, timeout=60)) as base:
            base.executescript(SCHEMA)
            base.create_function("seal_of", -1, lambda *parts: _seal(encoder.fingerprint, *parts), deterministic=True)
            yield base
    except (OSError, sqlite3.Error) as error:
        full = "full" in str(error) or getattr(error, "errno", 0) == ENOSPC
        hint = "Free some space." if full else "Delete that file, or choose another folder with --cache."
        raise StoreError(f"The text cache {str(path)!r} cannot be used: {error}.", hint) from error


def _known(base: sqlite3.Connection, texts: Sequence[str]) -> dict[str, tuple[bytes, bool]]:
    """{text: (vector, too long)} of the texts that were encoded before."""
    found: dict[str, tuple[bytes, bool]] = {}
    for i in range(0, len(texts), 500):
        some = texts[i : i + 500]
        marks = ",".join("?" * len(some))
        rows = base.execute(
            f"""SELECT text, z, too_long FROM readings AS r JOIN vectors AS v USING (cleaned) WHERE text IN ({marks})
                AND r.seal = seal_of(text, cleaned, too_long) AND v.seal = seal_of(cleaned, z)""",
            some,
        )
        found |= {text: (z, bool(too_long)) for text, z, too_long in rows}
    return found


def _encode_missing(base: sqlite3.Connection, missing: Sequence[str], encoder: Encoder, listen: Listener) -> int:
    """Encode and keep texts; gives back how many vectors were made. Raises EncoderError for a vector that is zero or not finite."""
    cleaned = {text: encoder.clean(text) for text in missing}
    distinct = [(text,) for text in dict.fromkeys(cleaned.values())]
    base.executemany("DELETE FROM vectors WHERE cleaned = ? AND seal <> seal_of(cleaned, z)", distinct)
    base.commit()
    new = [text for (text,) in distinct if not base.execute("SELECT 1 FROM vectors WHERE cleaned = ?", (text,)).fetchone()]
    for start in range(0, len(new), AT_ONCE):
        some = new[start : start + AT_ONCE]
        z = np.asarray(encoder.encode_texts(some, counted_from(start, listen)), "<f4")
        good = np.isfinite(z).all(1) & z.any(1)
        if not good.all():
            bad = some[int(np.argmin(good))]
            raise EncoderError(f"The model {encoder.name!r} makes no finite vector of {bad!r}.", "Its weights are damaged; get them anew.")
        # Where another process was first, its rows stay.
        base.executemany(
            "INSERT OR IGNORE INTO vectors VALUES (?1, ?2, seal_of(?1, ?2))", ((t, row.tobytes()) for t, row in zip(some, z, strict=True))
        )
        base.commit()
    longest = encoder.context_length
    about = ((text, c, int(encoder.tokens(c) > longest)) for text, c in cleaned.items())
    base.executemany("INSERT OR REPLACE INTO readings VALUES (?1, ?2, ?3, seal_of(?1, ?2, ?3))", about)
    base.commit()
    return len(new)


def encode_grid(grid: PromptGrid, encoder: Encoder, cache: Cache, listen: Listener) -> tuple[TextBank, int]:
    """The text bank of a grid, and how many texts were encoded anew. What was encoded before comes from the cache, to the bit."""
    with _database(cache.texts(encoder.fingerprint), encoder) as base:
        known = _known(base, grid.texts)
        missing = [text for text in grid.texts if text not in known]
        listen(Started("encode texts", len(missing), "texts"))
        # Cold runs read back what they wrote, so that they score the very rows that warm runs score.
        new = _encode_missing(base, missing, encoder, listen) if missing else 0
        known |= _known(base, missing)
    listen(Finished("encode texts", new))
    if len(known) < len(grid.texts) or len({len(z) for z, _ in known.values()}) != 1:
        path = cache.texts(encoder.fingerprint)
        raise StoreError(f"The text cache {str(path)!r} is damaged: vectors are gone, or differ in length.", "Delete that file.")
    z = unit(np.stack([np.frombuffer(known[text][0], "<f4") for text in grid.texts]))
    too_long = tuple(text for text in grid.texts if known[text][1])
    return TextBank(cells(z, grid), grid, encoder.fingerprint, encoder.scale, too_long, z, encoder.logit_bias), new


def cells(z: Array, grid: PromptGrid) -> Array:
    """(K, C, D) f4 unit: the renormalised mean of each cell's unit text vectors z (P, D). Where a cell has descriptions and bare texts, it
    is the renormalised sum of the two means, by the class's share, so that eight bad descriptions cannot outweigh the bare text."""
    rows = unit(z.astype(np.float64))
    if grid.described is None or grid.share is None:
        return np.asarray(unit(_sums(rows, grid, np.ones(len(grid.cell), bool))), np.float32)
    bare, said = (_sums(rows, grid, part) for part in (~grid.described, grid.described))
    plain, share = ~said.any((0, 2)), grid.share[:, None]
    joined = (1 - share) * unit(bare) + share * unit(said)
    joined[:, plain] = bare[:, plain]  # classes without descriptions stay as they were, to the bit
    return np.asarray(unit(joined), np.float32)


def _sums(rows: Array, grid: PromptGrid, part: Array) -> Array:
    """(K, C, D) f8: the sum of each cell's text vectors, over some of the entries."""
    out = np.zeros((len(grid.families), len(grid.classes), rows.shape[1]))
    k, c, p = grid.cell[part].T
    np.add.at(out, (k, c), rows[p])
    return out
