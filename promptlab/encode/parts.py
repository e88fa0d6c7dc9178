"""Parts of a dataset's pictures, for jobs that share the work."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from promptlab.errors import UsageError


@dataclass(frozen=True, slots=True)
class Part:
    """One of equal contiguous parts: together they are the whole, whatever it is divided by."""

    number: int
    """Which one, from 1 on."""
    of: int
    """How many there are."""

    @classmethod
    def parse(cls, text: str) -> "Part":
        """The part that `3/10` means, the third of ten. Raises UsageError for what is none."""
        found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
        if found is None:
            raise UsageError(f"--shard is {text!r}; a part and how many there are were expected.", "3/10 is the third of ten parts.")
        number, of = int(found[1]), int(found[2])
        if not 1 <= number <= of:
            raise UsageError(
                f"There is no part {text}; parts are counted from 1.", f"Of {of}: 1/{of} to {of}/{of}." if of else "1/1 is all."
            )
        return cls(number, of)

    def rows(self, n: int) -> range:
        """Which of n pictures are in it; none at all where there are more parts than pictures and others have them."""
        return range(n * (self.number - 1) // self.of, n * self.number // self.of)

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


class EncodedPart(NamedTuple):
    """What became of a part."""

    name: str
    """The dataset's."""
    part: Part
    """Which one of all."""
    pictures: int
    """How many are in it."""
    new: int
    """How many were encoded anew."""
