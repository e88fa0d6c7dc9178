"""The cases that a caption run keeps, hardest first, read for whoever looks at them one by one."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from promptlab.report.retrieve import CAPTIONS, PICTURES
from promptlab.runs import CASES, RETRIEVE, Run

MOST = 5000  # cases that are read


class Candidate(NamedTuple):
    """One of the answers that there were."""

    text: str
    share: float | None  # of the softmax; None where nobody said
    is_right: bool
    is_picked: bool


class Case(NamedTuple):
    """A picture or a caption, what is right for it, and what was picked."""

    picture: str  # its key
    asked: str  # what was looked at: the picture's key, or a caption
    about: str  # its category, or its place; may be empty
    hit: bool
    margin: float  # cosine units
    candidates: tuple[Candidate, ...]

    @property
    def picked(self) -> str:
        """The answer that won."""
        return next((one.text for one in self.candidates if one.is_picked), "")


def read(run: Run) -> list[Case]:
    """The cases of a caption run, hardest first; those that somebody else wrote are left out where they are none."""
    made = islice(_looked_for(run.result or {}) if run.task == RETRIEVE else _told_apart(run.path / CASES), MOST)
    return list(made)


def _told_apart(path: Path) -> Iterator[Case]:
    if not path.is_file():
        return
    with open(path, encoding="utf-8", errors="backslashreplace") as file:
        for line in file:
            try:
                row = json.loads(line)
                right, picked = str(row["right"]), str(row["picked"])
                candidates = tuple(
                    Candidate(str(one["caption"]), float(one["share"]), one["caption"] == right, one["caption"] == picked)
                    for one in row["candidates"]
                )
                key = str(row["picture"])
                yield Case(key, key, str(row["category"] or ""), row["hit"] is True, float(row["margin"]), candidates)
            except (ValueError, TypeError, KeyError, RecursionError):
                continue


def _looked_for(result: dict[str, Any]) -> Iterator[Case]:
    """Pictures whose captions were found last, then captions whose pictures were."""
    for way, asked in ((CAPTIONS, "picture"), (PICTURES, "caption")):
        try:
            rows = list(result["hard"][way])
        except (KeyError, TypeError):
            continue
        for row in rows:
            try:
                right, first = str(row["right"]), str(row["first"])
                picture = str(row["picture"]) if way == CAPTIONS else right
                answers = (Candidate(first, None, False, True), Candidate(right, None, True, False))
                yield Case(picture, str(row[asked]), f"place {int(row['place'])}", False, float(row["margin"]), answers)
            except (ValueError, TypeError, KeyError):
                continue
