"""What is said of pictures: captions that are right, distractors that are wrong."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from promptlab.errors import DataError

CAPTIONS = ("captions", "caption")
# Only of what has no label: beside one it may be what is written in the picture, or anything.
UNLABELLED = "text"
DISTRACTORS = ("distractors", "negatives", "negative_captions", "negative_caption")
Texts = tuple[str, ...]


def column(names: Collection[str], has_label: bool) -> str:
    """Of columns the one with captions; empty where there is none. has_label: whether there is a column of labels among them."""
    found = next((name for name in CAPTIONS if name in names), "")
    return found or (UNLABELLED if UNLABELLED in names and not has_label else "")


def distractors_in(row: Mapping[str, Any]) -> Any:
    """What a row's column of distractors holds; None without one."""
    return next((row[name] for name in DISTRACTORS if row.get(name) is not None), None)


def listed(cell: Any) -> list[str] | None:
    """The texts of a cell that is written as a JSON list of texts; None for any other."""
    if not isinstance(cell, str) or not cell.lstrip().startswith("["):
        return None
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) and all(isinstance(one, str) for one in found) else None


def texts(where: str, what: str, said: Any) -> Texts:
    """One text, or a list of texts, as a tuple; nothing, or an empty cell, is an empty one. Raises DataError for what is no text.

    where: e.g. `Line 3 of 'x.jsonl'`; what: `captions` or `distractors`.
    """
    if said is None or (isinstance(said, str) and not said.strip()):
        return ()
    given = said if isinstance(said, list | tuple) else [said]
    odd = next((one for one in given if not isinstance(one, str) or not one.strip()), None)
    if odd is not None or None in given:
        raise DataError(f"{where} has {str(odd)[:40]!r} among its {what}.", "A text, or a list of texts, was expected.")
    return tuple(one.strip() for one in given)


def checked(rows: Sequence[tuple[str, Texts, Texts]]) -> tuple[tuple[Texts, ...] | None, tuple[Texts, ...] | None]:
    """(captions, distractors) of rows (where, captions, distractors), None where no row has any.

    Raises DataError for a row without captions where others have some, for distractors without captions, and for a text that is both.
    """
    captions, distractors = tuple(one[1] for one in rows), tuple(one[2] for one in rows)
    if not any(captions):
        odd = next((where for where, _, wrong in rows if wrong), None)
        if odd is not None:
            raise DataError(f"{odd} has distractors, but no row has captions.", f"Name the column of captions {CAPTIONS[0]!r}.")
        return None, None
    for where, right, wrong in rows:
        if not right:
            raise DataError(f"{where} has no captions, where others have some.", "Give each picture at least one, or leave it out.")
        known = set(right)
        both = next((text for text in wrong if text in known), None)
        if both is not None:
            raise DataError(f"{where} has {both[:40]!r} both as a caption and as a distractor.", "It is right or wrong, not both.")
    return captions, distractors if any(distractors) else None
