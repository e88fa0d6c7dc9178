"""What tells data from other data: whether it changed since a run, and whether a classifier was tuned on pictures of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from promptlab.store import fingerprint
from promptlab.types import Dataset, Features, Images, Named

SPOTS = 32  # of which one is found with 96 % where a tenth of the pictures is shared
ROWS = 1024  # of vectors, which may be larger than memory


def content(dataset: Dataset) -> str:
    """Changes when pictures, labels, captions, names or vectors do. Of many vectors some are looked at, of pictures their stamps."""
    parts: list[Any] = [dataset.classes.ids, dataset.classes.names]
    for split, part in sorted(dataset.splits.items()):
        what = part.stamps if isinstance(part, Images) else np.asarray(part.x[_spread(len(part), ROWS)])
        keys = [part.keys.prefix, part.keys.what] if isinstance(part.keys, Named) else [part.keys]
        parts += [split, *keys, part.labels, what]
        if isinstance(part, Images):  # appended, so that what has neither is known by what it was known by before
            parts += [["captions", part.captions]] * (part.captions is not None)
            parts += [["distractors", part.distractors]] * (part.distractors is not None)
    if dataset.halves is not None:
        parts += [["halves", dict(dataset.halves)]]
    if dataset.bank is not None:
        parts += [dataset.bank.grid.families, dataset.bank.z, dataset.bank.scale]
    return fingerprint(*parts)


def spots(dataset: Dataset, keys: Sequence[str]) -> dict[str, str]:
    """Some of these pictures, by which they are known again wherever they lie: {hash of the key: hash of what the picture holds}."""
    return _marks(dataset, {keys[i] for i in _spread(len(keys), SPOTS)})


def holds(dataset: Dataset, keys: Sequence[str], known: Mapping[str, str]) -> bool:
    """Whether one of the known spots is among these pictures."""
    found = _marks(dataset, {key for key in keys if _short(key) in known})
    return any(known[key] == mark for key, mark in found.items())


def _marks(dataset: Dataset, wanted: set[str]) -> dict[str, str]:
    made = {}
    for part in dataset.splits.values():
        for i, key in enumerate(part.keys):
            if key in wanted:
                try:
                    made[_short(key)] = _short(_bytes(part, i))
                except OSError:
                    continue  # gone since it was encoded: nothing to know it by
    return made


def _bytes(part: Images | Features, i: int) -> bytes:
    return part.read(i) if isinstance(part, Images) else np.asarray(part.x[[i]], np.float32).tobytes()


def _short(what: str | bytes) -> str:
    return fingerprint(what)[:16]


def _spread(n: int, most: int) -> np.ndarray:
    return np.linspace(0, n - 1, min(n, most)).astype(np.int64)
