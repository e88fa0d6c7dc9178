"""Text vectors, each text encoded once in its life: one small database per encoder, keyed by the text."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from errno import ENOSPC
from pathlib import Path

import numpy as np

from promptlab.errors import StoreError
from promptlab.events import Finished, Listener, Started, counted_from
from promptlab.protocols import Encoder
from promptlab.store import Cache
from promptlab.types import Array, PromptGrid, TextBank, unit

# Two texts that the tokenizer reads alike share one row, so that their columns are equal to the bit.
SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (cleaned TEXT PRIMARY KEY, z BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS texts (text TEXT PRIMARY KEY, cleaned TEXT NOT NULL, too_long INTEGER NOT NULL) WITHOUT ROWID;
"""
AT_ONCE = 4096  # texts between two commits: what a killed run can lose


@contextmanager
def _database(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with closing(sqlite3.connect(path, timeout=60)) as base:
            base.executescript(SCHEMA)
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
        rows = base.execute(f"SELECT text, z, too_long FROM texts JOIN rows USING (cleaned) WHERE text IN ({marks})", some)
        found |= {text: (z, bool(too_long)) for text, z, too_long in rows}
    return found


def _encode_missing(base: sqlite3.Connection, missing: Sequence[str], encoder: Encoder, listen: Listener) -> int:
    """Encode and keep texts; gives back how many vectors were made."""
    cleaned = {text: encoder.clean(text) for text in missing}
    have = {row[0] for text in set(cleaned.values()) for row in base.execute("SELECT cleaned FROM rows WHERE cleaned = ?", (text,))}
    new = [text for text in dict.fromkeys(cleaned.values()) if text not in have]
    for start in range(0, len(new), AT_ONCE):
        some = new[start : start + AT_ONCE]
        z = encoder.encode_texts(some, counted_from(start, listen))
        base.executemany(
            "INSERT OR IGNORE INTO rows VALUES (?, ?)", ((t, row.astype("<f4").tobytes()) for t, row in zip(some, z, strict=True))
        )
        base.commit()
    longest = encoder.context_length
    base.executemany("INSERT OR IGNORE INTO texts VALUES (?, ?, ?)", ((t, c, encoder.tokens(c) > longest) for t, c in cleaned.items()))
    base.commit()
    return len(new)


def encode_grid(grid: PromptGrid, encoder: Encoder, cache: Cache, listen: Listener) -> tuple[TextBank, int]:
    """The text bank of a grid, and how many texts were encoded anew. What was encoded before comes from the cache, to the bit."""
    with _database(cache.texts(encoder.fingerprint)) as base:
        known = _known(base, grid.texts)
        missing = [text for text in grid.texts if text not in known]
        listen(Started("encode texts", len(missing), "texts"))
        # Cold runs read back what they wrote, so that they score the very rows that warm runs score.
        new = _encode_missing(base, missing, encoder, listen) if missing else 0
        known |= _known(base, missing)
    listen(Finished("encode texts", new))
    if len({len(z) for z, _ in known.values()}) != 1 or len(known[grid.texts[0]][0]) % 4:
        path = cache.texts(encoder.fingerprint)
        raise StoreError(f"The text cache {str(path)!r} is damaged: its vectors have different lengths.", "Delete that file.")
    z = unit(np.stack([np.frombuffer(known[text][0], "<f4") for text in grid.texts]))
    too_long = tuple(text for text in grid.texts if known[text][1])
    return TextBank(cells(z, grid), grid, encoder.fingerprint, encoder.scale, too_long, z), new


def cells(z: Array, grid: PromptGrid) -> Array:
    """(K, C, D) f4 unit: the renormalised mean of each cell's unit text vectors z (P, D)."""
    out = np.zeros((len(grid.families), len(grid.classes), z.shape[1]))
    k, c, p = grid.cell.T
    np.add.at(out, (k, c), unit(z.astype(np.float64))[p])
    return np.asarray(unit(out), np.float32)
