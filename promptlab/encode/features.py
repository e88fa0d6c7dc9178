"""Picture vectors on disk: shards, each with a note written last, and an index written last of all.

Shards are named by what they hold (keys and stamps of their pictures), so that a killed run finds its finished shards again and a
changed picture costs its own shard. No note, no shard; no index, no features. A note carries a seal of all it says, of its encoder and of
its shard: one that was damaged, swapped or edited costs its shard.
"""

import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from promptlab.encode.pictures import UNREAD
from promptlab.errors import DataError, StoreError
from promptlab.events import Finished, Listener, Noted, Progressed, Started, counted_from
from promptlab.protocols import Encoder
from promptlab.store import Cache, explained, file_sha256, fingerprint, read_json, slug, write_json, written
from promptlab.types import Features, Images, Shards

PER_SHARD = 256


def encode_images(images: Images, encoder: Encoder, dataset: str, cache: Cache, listen: Listener) -> tuple[Features, int]:
    """The features of a split, and how many pictures were encoded anew. Labels come from `images`, never from the cache.

    Raises DataError when not one picture can be read, StoreError when the cache cannot be used.
    """
    where = slug(dataset, 30) + "-" + fingerprint(images.root or dataset)[:12]
    folder = cache.features(encoder.fingerprint, encoder.precision, where, images.split)
    cuts = [range(i, min(i + PER_SHARD, len(images))) for i in range(0, len(images), PER_SHARD)]
    names = [fingerprint([[images.keys[i], images.stamps[i]] for i in rows])[:32] for rows in cuts]
    listen(Started("encode pictures", len(images), "pictures"))
    notes, new = [_finished(folder, name, encoder) for name in names], 0
    index = {"encoder": encoder.fingerprint, "name": encoder.name, "shards": names}
    # Nothing is written where all is there, so that a cache that cannot be written to serves, too.
    if None in notes or read_json(folder / "index.json") != index:
        with cache.lock(folder, _waiting(listen)):
            for i, (name, rows) in enumerate(zip(names, cuts, strict=True)):
                note = _finished(folder, name, encoder)
                if note is None:
                    note = _encode_shard(folder, name, images, rows, encoder, counted_from(rows.start, listen))
                    new += len(rows) - len(note["bad"])
                notes[i] = note
                listen(Progressed("encode pictures", rows.stop))
            write_json(folder / "index.json", index)
            _forget(folder, names)
    features = _features(folder, names, cuts, [note for note in notes if note is not None], images, encoder)
    listen(Finished("encode pictures", new))
    return features, new


def _waiting(listen: Listener) -> Callable[[int], None]:
    """Says once that another process is at work; from then on only keeps the brake in reach."""
    note = Noted("Another process encodes these pictures; waiting for it.", "info")
    return lambda times: listen(Progressed("encode pictures", 0) if times else note)


def _note(name: str, encoder: Encoder, sha256: Any, bad: Any) -> dict[str, Any]:
    return {"sha256": sha256, "bad": bad, "seal": fingerprint("shard", encoder.fingerprint, name, sha256, bad)}


def _finished(folder: Path, name: str, encoder: Encoder) -> dict[str, Any] | None:
    """The note of a whole shard; None when there is none, when its rows are not what the note says, or when the disk refused a picture."""
    note = read_json(folder / f"{name}.json")
    rows = folder / f"{name}.npy"
    if not isinstance(note, dict) or note != _note(name, encoder, note.get("sha256"), note.get("bad")) or not rows.is_file():
        return None
    if any(str(reason).startswith(UNREAD) for reason in note["bad"].values()):
        return None
    return note if file_sha256(rows) == note["sha256"] else None


def _encode_shard(folder: Path, name: str, images: Images, rows: range, encoder: Encoder, listen: Listener) -> dict[str, Any]:
    z, bad = encoder.encode_images(images, rows, listen)
    rows_file = io.BytesIO()  # numpy writes past Python's file and would hide what the disk says
    np.save(rows_file, z, allow_pickle=False)
    with written(folder / f"{name}.npy") as file:
        file.write(rows_file.getbuffer())
    note = _note(name, encoder, file_sha256(folder / f"{name}.npy"), {str(i - rows.start): reason for i, reason in bad.items()})
    write_json(folder / f"{name}.json", note)
    return note


def _forget(folder: Path, names: Sequence[str]) -> None:
    """Delete shards that no index names any more."""
    with explained(folder):
        for path in folder.iterdir():
            if path.suffix in (".npy", ".json") and path.stem not in names and path.stem != "index":
                path.unlink(missing_ok=True)


def _features(
    folder: Path, names: Sequence[str], cuts: Sequence[range], notes: Sequence[dict[str, Any]], images: Images, encoder: Encoder
) -> Features:
    bad = {rows.start + int(i): reason for rows, note in zip(cuts, notes, strict=True) for i, reason in note["bad"].items()}
    good = np.array([i for i in range(len(images)) if i not in bad], np.int64)
    if not len(good):
        lost = bad[0].startswith(UNREAD) and not os.path.isfile(images.place(0))  # else its source looked elsewhere
        raise DataError(
            f"None of the {len(images)} pictures can be read; the first: {images.keys[0]!r}: {bad[0]}.",
            f"It was looked for at {images.place(0)!r}." if lost else "Are they pictures at all?",
        )
    try:
        parts = [np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in names]
    except (OSError, ValueError) as error:
        raise StoreError(
            f"The features in {str(folder)!r} cannot be read: {error}.", "Delete that folder; they will be made again."
        ) from error
    skipped = tuple((images.keys[i], reason) for i, reason in sorted(bad.items()))
    labels = None if images.labels is None else images.labels[good]
    keys = tuple(images.keys[i] for i in good)
    return Features(Shards([p for p in parts if len(p)]), keys, labels, images.split, encoder.fingerprint, skipped)
