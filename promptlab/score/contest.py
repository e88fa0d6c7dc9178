"""The contest: B images against their candidates within K families. The one small thing in the middle; every score is read off it.

Columns layout: the candidates of an image are the C class rows of a family, without the other right answers where a picture shows several
classes. Captions layout (`candidates.py`): each image has its own. Streaming, device-agnostic, in fp32.
"""

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from promptlab.errors import DataError, MismatchError
from promptlab.types import Array, Features, TextBank

# A block of B x K' x C similarities. On a CPU it should stay in the cache (2 MB); on a GPU it should be large enough to fill it.
BLOCK = {"cpu": 2**19, "cuda": 2**26, "mps": 2**22}
# Images in a block at most. Families fill the rest of it: a product with 500 rows is a third faster than five with 100 each.
IMAGES = {"cpu": 1024, "cuda": 8192, "mps": 8192}


class Columns:
    """K families' class rows on a device. Of rows that are equal to the bit one product counts: computed apart, they can differ in the last
    bit, and a tie would be broken by noise.

    z: (K, C, D) f4. offset: (C,) f4 in cosine units, or None.
    """

    def __init__(self, z: Array, offset: Array | None = None, device: str = "cpu") -> None:
        if z.shape[1] < 2:
            raise MismatchError("A contest needs at least two classes; there is one.", "Add the classes that it could be confused with.")
        bad = ~np.isfinite(z).all(2) | ~z.any(2)
        if bad.any():
            k, c = np.argwhere(bad)[0]
            raise DataError(f"The text vector of class {c} in family {k} is zero or not finite.", "Encode the texts again.")
        self.shape: tuple[int, int, int] = z.shape
        self.width = z.shape[1]  # similarities of an image
        self.device = device
        self.offset = None if offset is None or not offset.any() else torch.as_tensor(offset, dtype=torch.float32, device=device)
        self._rows = torch.from_numpy(np.ascontiguousarray(z, np.float32)).to(device)
        which = np.stack([_first_equal(rows) for rows in z])
        self._which = None if (which == np.arange(self.width)).all() else torch.from_numpy(which).to(device)

    def similarity(self, x: Tensor, families: slice) -> Tensor:
        """(B, K', C) cosines of images x (B, D) within a slice of families, plus the offset."""
        rows = self._rows[families]
        s = (x @ rows.flatten(0, 1).T).view(len(x), len(rows), self.width)
        if self._which is not None:
            s = s.gather(2, self._which[families].expand(len(x), -1, -1))
        return s if self.offset is None else s + self.offset

    def contest(self, x: Tensor, label: Tensor | None, families: slice, start: int, scale: float, hidden: Tensor | None) -> "Contest":
        """One batch of images within a slice of families; hidden: (B, C) bool, classes that are no rivals, or None."""
        similarity = self.similarity(x, families)
        if hidden is not None:
            similarity = similarity.masked_fill(hidden[:, None], -torch.inf)
        return Contest(self, similarity, x, label, families, start, scale)

    def towards(self, x: Tensor) -> Tensor:
        """(K, C) cosines of one vector (D,), such as the mean of all images, with each candidate."""
        return self.similarity(x[None].to(self.device), slice(0, self.shape[0]))[0]


def _first_equal(rows: Array) -> Array:
    """(C,) int: the first of the rows (C, D) that each one equals to the bit, most often itself."""
    first: dict[bytes, int] = {}
    return np.array([first.setdefault(row.tobytes(), c) for c, row in enumerate(rows)])


class Layout(Protocol):
    """What the candidates of an image are."""

    shape: tuple[int, int, int]
    """(K, C, D): families, classes that sums are kept for, width."""
    width: int
    """How many numbers one image and one family take in a block: by it blocks are cut."""
    device: str
    """Where products run."""

    def contest(self, x: Tensor, label: Tensor | None, families: slice, start: int, scale: float, hidden: Tensor | None) -> "Contest":
        """One batch of images, of which the first is image `start`, within a slice of families."""
        ...

    def towards(self, x: Tensor) -> Tensor:
        """(K, ...) cosines of one vector (D,) with each candidate that there is; `Contest.each` takes from it."""
        ...


class Contest:
    """One batch of images within one slice of families. Everything is computed when it is first asked for.

    similarity: (B, K', C), -inf for what is no candidate. label: (B,) long, (B, K) where families differ, or None: then each family's own
    winner. See `promptlab.protocols.Contest` for what each name means.
    """

    def __init__(
        self, columns: Layout, similarity: Tensor, x: Tensor, label: Tensor | None, families: slice, start: int, scale: float
    ) -> None:
        self.columns, self.similarity, self.x, self.families, self.start, self.scale = columns, similarity, x, families, start, scale
        self.shared_labels = label is not None and label.ndim == 1
        if label is None:
            self.label = self.winner
        else:
            self.label = label[:, None].expand(-1, self.similarity.shape[1]) if self.shared_labels else label[:, families]

    @cached_property
    def winner(self) -> Tensor:
        return self.similarity.argmax(-1)  # torch gives the first of equal ones

    @property
    def group(self) -> Tensor:
        """(B, K') long: the class that an image counts to."""
        return self.label

    @property
    def picked(self) -> Tensor:
        """(B, K') long: the class that the winner is of."""
        return self.winner

    def each(self, values: Tensor) -> Tensor:
        """(K', C), or whatever fits the similarities: what `Layout.towards` gave, of each candidate."""
        return values[self.families]

    @cached_property
    def true(self) -> Tensor:
        return self.similarity.gather(-1, self.label[..., None])[..., 0]

    def _among_rivals(self, look: Callable[[Tensor], Tensor]) -> Tensor:
        """What `look` finds while the right answers are hidden; in place and back: a copy would cost a pass more."""
        true = self.true[..., None]
        self.similarity.scatter_(-1, self.label[..., None], -torch.inf)
        found = look(self.similarity)
        self.similarity.scatter_(-1, self.label[..., None], true)
        return found

    @cached_property
    def rival(self) -> Tensor:
        return self._among_rivals(lambda s: s.amax(-1))  # without the index: 16 times as fast on a CPU

    @cached_property
    def rival_class(self) -> Tensor:
        """(B, K') int: the class that `rival` belongs to."""
        return self._among_rivals(lambda s: s.argmax(-1))

    @cached_property
    def right(self) -> Tensor:
        """(B, K') bool: whether the right answer wins. Where it is not told by `true` and `rival` alone, the lowest index wins."""
        ahead, equal = self.true > self.rival, self.true == self.rival
        return ahead | (equal & (self.label < self.rival_class)) if bool(equal.any()) else ahead

    @cached_property
    def rank(self) -> Tensor:
        above, at_least = self._count(torch.gt), self._count(torch.ge)
        if bool((at_least - above == 1).all()):
            return above
        equal = self.similarity == self.true[..., None]
        lower = torch.arange(equal.shape[-1], device=equal.device) < self.label[..., None]
        return above + (equal & lower).sum(-1)

    def _count(self, compare: Callable[..., Tensor]) -> Tensor:
        """(B, K') int: classes whose similarity compares so with the right answer's. Flags as floats: 5 times as fast to add up."""
        flags = torch.empty_like(self.similarity)
        compare(self.similarity, self.true[..., None], out=flags)
        return flags.sum(-1).long()

    @cached_property
    def logz(self) -> Tensor:
        # 2^(x / log 2) is twice as fast as e^x on a CPU, and one buffer serves all steps.
        top = torch.maximum(self.true, self.rival)
        shares = (self.similarity - top[..., None]).mul_(self.scale / math.log(2)).exp2_()
        return top * self.scale + shares.sum(-1).log()

    @cached_property
    def expected(self) -> Tensor:
        logits = self.similarity * self.scale
        share = torch.softmax(logits, -1)
        return (share * logits.masked_fill_(logits == -torch.inf, 0.0)).sum(-1)  # 0 x -inf, of what is no candidate, is no number


def block(device: str, width: int, families: int, images: int) -> tuple[int, int]:
    """(B, K'): images and families in one block, of which one of each takes `width` numbers."""
    kind = torch.device(device).type
    room = max(1, BLOCK[kind] // width)
    batch = min(max(images, 1), max(64, min(room, IMAGES[kind])))
    return batch, max(1, min(families, room // batch))


def contests(features: Features, columns: Layout, labels: Array | None, scale: float, batch: int | None = None) -> Iterator[Contest]:
    """Every block of images x families, images outermost. labels: (N,) int; (N, K) where each
    family has its own; None where each judges itself by its own winner.

    Where features are rows of right answers (`Features.rows`), the other right answers of a row's picture are no rivals.

    Raises MismatchError when widths or lengths differ, DataError on a row that is zero or not finite.
    """
    require_same_width(features, columns)
    families = columns.shape[0]
    size, together = block(columns.device, columns.width, families, len(features))
    if labels is not None and np.shape(labels) not in ((len(features),), (len(features), families)):
        raise MismatchError(f"Labels of shape {np.shape(labels)} do not fit {len(features)} pictures and {families} families.")
    answer = None if labels is None else torch.as_tensor(np.asarray(labels, np.int64), device=columns.device)
    for start, rows in features.batches(batch or size):
        x = torch.from_numpy(rows).to(columns.device)
        here = slice(start, start + len(rows))
        y, mask = None if answer is None else answer[here], features.hidden(here)
        hidden = None if mask is None else torch.from_numpy(mask).to(columns.device)
        for k in range(0, families, together):
            yield columns.contest(x, y, slice(k, min(k + together, families)), start, scale, hidden)


def require_same_width(features: Features, columns: Layout) -> None:
    """Raises MismatchError when vectors of pictures and texts cannot be multiplied."""
    if features.x.shape[1] != columns.shape[2]:
        raise MismatchError(
            f"The pictures have vectors of width {features.x.shape[1]}, the texts of width {columns.shape[2]}: two encoders made them.",
            "Encode both with the same --model.",
        )


def require_same_encoder(first: Features | TextBank, second: Features | TextBank) -> None:
    """Raises MismatchError when vectors are known to come from different encoders."""
    if first.encoder and second.encoder and first.encoder != second.encoder:
        raise MismatchError(
            "The vectors come from different encoders, so their cosines mean nothing.",
            f"One is {first.encoder[:16]}, the other {second.encoder[:16]}. Use one --model for pictures and texts.",
        )
