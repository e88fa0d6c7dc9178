"""What families scored before: a family is scored again only when something that its score depends on has changed.

A question is all that is asked of a family: pictures, right answers, scale, device, and the code that counts. A family's answer, sums by
class, depends on the question, the rule and the family's own text vectors, and on no other family. So one template more is one family to
score, and another way of weighing is none.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from promptlab.errors import StoreError
from promptlab.plugins import BUILT_IN
from promptlab.protocols import Rule
from promptlab.score.contest import Layout
from promptlab.score.reducers import over_classes
from promptlab.score.rules import parse_rule
from promptlab.score.sweep import Asked, sweep
from promptlab.store import fingerprint, written
from promptlab.types import Array, Features, Named, Scoreboard

AT_ONCE = 4096  # rows that are hashed together
MOST = 2048  # families that are kept of one question


class KeptScores:
    """Scores on disk, one file a question. A folder that cannot be used costs time and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._marks: list[tuple[Features, str]] = []  # of the features that were hashed last: pictures, and right answers

    def sweep(
        self,
        features: Features,
        z: Array,
        layout: Callable[[Array], Layout],
        names: Sequence[str],
        rules: Mapping[str, Rule],
        asked: Asked,
    ) -> dict[str, Scoreboard]:
        """As `sweep` of the families z (K, C, D); those that were asked the same before are not scored again.

        layout: makes the candidates of some of the families. Rules of plugins are not for keeping, since their code may change under the
        same version; nor are pooled sums, nor right answers that differ by family.
        """
        found = {name: parse_rule(name, rules, z.shape[1]) for name in names}
        many = np.ndim(asked["labels"]) == 2 if asked["labels"] is not None else False
        fresh = [name for name, (rule, reducer) in found.items() if many or reducer == "micro" or not _is_ours(rule)]
        boards = sweep(features, layout(z), fresh, rules, **asked) if fresh else {}
        known = {name: rule for name, (rule, _) in found.items() if name not in fresh}
        sums = self._sums(features, z, layout, known, rules, asked) if known else {}
        for name, (per_class, count, ties) in sums.items():
            rule, reducer = found[name]
            value = over_classes(per_class, count, reducer, rule.lower_is_better)
            about = (value, per_class, count, rule.unit, rule.lower_is_better, ties, rule.by)
            boards[name] = Scoreboard(f"{rule.name}/{reducer}", asked["source"].value, asked["families"], *about)
        return {name: boards[name] for name in names}

    def _sums(
        self,
        features: Features,
        z: Array,
        layout: Callable[[Array], Layout],
        known: Mapping[str, Rule],
        rules: Mapping[str, Rule],
        asked: Asked,
    ) -> dict[str, tuple[Array, ...]]:
        """{name: (per class (K, C), count (K, C), ties (K,))}, of which only those that are not kept are scored."""
        device = layout(z).device
        question = fingerprint(_code(), device, self._mark(features), asked["source"].value, asked["scale"], asked["labels"])
        marks = [fingerprint(rows) for rows in z]
        kept = {name: self._load(question, rule.name) for name, rule in known.items()}
        new = [k for k, mark in enumerate(marks) if any(mark not in one for one in kept.values())]
        if new:
            some: Asked = {**asked, "families": tuple(asked["families"][k] for k in new)}
            for name, board in sweep(features, layout(z if len(new) == len(z) else z[new]), list(known), rules, **some).items():
                kept[name] |= {marks[k]: (board.per_class[i], board.count[i], board.ties[i]) for i, k in enumerate(new)}
                self._save(question, known[name].name, kept[name])
        return {name: tuple(np.stack(part) for part in zip(*(one[mark] for mark in marks), strict=True)) for name, one in kept.items()}

    def _mark(self, features: Features) -> str:
        for one, mark in self._marks:
            if one is features:
                return mark
        self._marks = [*self._marks[-1:], (features, _mark(features))]
        return self._marks[-1][1]

    def _file(self, question: str, rule: str) -> Path:
        return self._folder / f"{fingerprint(question, rule)[:32]}.npz"

    def _load(self, question: str, rule: str) -> dict[str, tuple[Array, Array, Array]]:
        """{mark of a family: (per class (C,), count (C,), ties ())}."""
        try:
            with open(self._file(question, rule), "rb") as file, np.load(file, allow_pickle=False) as found:
                parts = [found[name] for name in ("per_class", "count", "ties")]
                return {str(mark): (v, n, t) for mark, v, n, t in zip(found["marks"], *parts, strict=True)}
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error, TypeError, AttributeError):
            return {}

    def _save(self, question: str, rule: str, kept: Mapping[str, tuple[Array, Array, Array]]) -> None:
        last = dict(list(kept.items())[-MOST:])
        per_class, count, ties = (np.stack(part) for part in zip(*last.values(), strict=True))
        try:
            with written(self._file(question, rule)) as file:
                np.savez(file, marks=np.array(list(last)), per_class=per_class, count=count, ties=ties)
        except StoreError:
            return  # scored anew the next time


def _is_ours(rule: Rule) -> bool:
    return rule.by.rpartition(" ")[0] == BUILT_IN


@cache
def _code() -> str:
    """Changes when the code that scores does."""
    here = Path(__file__).parent
    rooms = (here, here.parent / "types", here.parent / "protocols.py")  # what is counted, and what it is counted on
    files = sorted(file for room in rooms for file in ([room] if room.suffix else room.glob("*.py")))
    return fingerprint(version("torch"), version("numpy"), *(file.read_bytes() for file in files if file.is_file()))


def _mark(features: Features) -> str:
    """Changes when vectors, keys or right answers do."""
    parts = [fingerprint(features.x[i : i + AT_ONCE]) for i in range(0, len(features), AT_ONCE)]
    keys = [features.keys.prefix, features.keys.what] if isinstance(features.keys, Named) else [list(features.keys)]
    several = [] if features.several is None else [_mark(features.several.pictures), features.several.picture]
    return fingerprint(parts, *keys, features.labels, *several)
