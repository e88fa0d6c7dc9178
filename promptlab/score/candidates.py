"""The captions layout of the contest: each image has M candidate texts of its own, and its rivals are the other M - 1."""

from copy import copy
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from promptlab.errors import DataError, MismatchError
from promptlab.score.contest import BLOCK, Contest
from promptlab.types import NO_TEXT, Array


class Candidates:
    """K families' vectors of P texts, of which each image has up to M.

    z: (K, P, D) f4. texts: (N, M) int, the candidates of each image, distinct; -1 last where it has fewer. Of equally similar ones the
    first wins, so the order of a row must not depend on which is right. group: (N,) int, the class of each image; counted: (N, M) int, the
    class that each candidate counts for when it is picked, -1 for none. groups: how many classes there are.

    Raises MismatchError for an image with fewer than two candidates, DataError for a text vector that is zero or not finite.
    """

    def __init__(self, z: Array, texts: Array, group: Array, counted: Array, groups: int, device: str = "cpu") -> None:
        bad = ~np.isfinite(z).all(2) | ~z.any(2)
        if bad.any():
            k, p = np.argwhere(bad)[0]
            raise DataError(f"The vector of text {p} in family {k} is zero or not finite.", "Encode the texts again.")
        alone = np.flatnonzero((texts != NO_TEXT).sum(1) < 2)
        if len(alone):
            raise MismatchError(f"Picture {alone[0]} has fewer than two candidates.", "Give it a wrong caption beside the right one.")
        self.shape: tuple[int, int, int] = (len(z), groups, z.shape[2])
        self.width = texts.shape[1] * z.shape[2]  # rows are gathered for each image: that is what a block holds
        self.device = device
        self._z = torch.as_tensor(np.ascontiguousarray(z, np.float32), device=device)
        self._texts, self._group, self._counted = (torch.as_tensor(np.asarray(a, np.int64), device=device) for a in (texts, group, counted))

    def in_one(self) -> "Candidates":
        """The same with all images and all texts in one class, for whoever must not see classes."""
        made = copy(self)
        made.shape = (self.shape[0], 1, self.shape[2])
        made._group, made._counted = torch.zeros_like(self._group), torch.zeros_like(self._counted)
        return made

    def contest(self, x: Tensor, label: Tensor | None, families: slice, start: int, scale: float, hidden: Tensor | None) -> "Match":
        """One batch of images (B, D) against their candidates; label: (B,) or (B, K) places among them, or None. Nothing is hidden here."""
        texts = self._texts[start : start + len(x)]
        size = max(1, BLOCK[x.device.type] // (self.width * (families.stop - families.start)))  # a batch is no smaller than 64
        parts = zip(torch.split(x, size), torch.split(texts.clamp(min=0), size), strict=True)
        # One sum a candidate, so that equal vectors are equally similar to the bit, wherever they stand. A matrix product is slower, too.
        # What is gathered is a copy, and worked on in place.
        similarity = torch.cat([self._z[families, some].mul_(rows[:, None]).sum(-1) for rows, some in parts], 1).movedim(0, 1)
        return Match(self, similarity.masked_fill((texts == NO_TEXT)[:, None], -torch.inf), x, label, families, start, scale)

    def towards(self, x: Tensor) -> Tensor:
        """(K, P) cosines of one vector (D,) with every text."""
        return self._z @ x.to(self.device)

    def texts_of(self, contest: Contest) -> Tensor:
        """(B, M) long: the candidates of a batch."""
        return self._texts[contest.start : contest.start + len(contest.x)]

    def group_of(self, contest: Contest) -> Tensor:
        """(B,) long: the classes of a batch."""
        return self._group[contest.start : contest.start + len(contest.x)]

    def counted_of(self, contest: Contest) -> Tensor:
        """(B, M) long: the classes that the candidates of a batch count for when they are picked; -1 for none."""
        return self._counted[contest.start : contest.start + len(contest.x)]


class Match(Contest):
    """One batch of images against candidates of their own. `label` and `winner` are places among them; an image counts to its class."""

    columns: Candidates

    @cached_property
    def _texts(self) -> Tensor:
        return self.columns.texts_of(self)

    @property
    def group(self) -> Tensor:
        """(B, K') long: the class of each image."""
        return self.columns.group_of(self)[:, None].expand_as(self.winner)

    @property
    def picked(self) -> Tensor:
        """(B, K') long: the class that the text that wins counts for; -1 for none."""
        return self.columns.counted_of(self).gather(1, self.winner)

    def each(self, values: Tensor) -> Tensor:
        """(B, K', M): what `Candidates.towards` gave (K, P), of each candidate."""
        return values[self.families][:, self._texts.clamp(min=0)].movedim(0, 1)
