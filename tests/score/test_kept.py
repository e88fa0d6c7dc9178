"""What is kept of scores is never stale: whatever changes, the answers are those of a sweep of everything."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptlab.events import ignore
from promptlab.protocols import Rule
from promptlab.score import kept as room
from promptlab.score.contest import Columns
from promptlab.score.kept import KeptScores
from promptlab.score.sweep import Asked, sweep
from promptlab.types import Array, Features, LabelSource, Named, Scoreboard, unit
from score.planted import RULES, checked, features_of

NAMES = ("cmm/worst-k", "cmm/mean", "accuracy", "hit@2", "cmm-top", "confidence", "f1/macro", "f1/micro", "similarity", "ap")
OURS = {name: replace(rule, by="promptlab 1.0") for name, rule in RULES.items()}


@dataclass(frozen=True)
class State:
    """Everything that scores depend on."""

    x: Array
    keys: tuple[str, ...]
    labels: Array
    z: Array
    scale: float
    source: LabelSource

    @property
    def features(self) -> Features:
        return features_of(self.x, self.labels, self.keys)

    @property
    def asked(self) -> Asked:
        families = tuple(f"family {k}" for k in range(len(self.z)))
        labels = None if self.source is LabelSource.SELF else self.labels
        return {"source": self.source, "labels": labels, "families": families, "scale": self.scale, "listen": ignore}


def first_state() -> State:
    rng = np.random.default_rng(0)
    x, z = (np.asarray(unit(rng.normal(size=shape)), np.float32) for shape in ((12, 5), (4, 3, 5)))
    return State(x, tuple(f"{i:02d}" for i in range(12)), np.arange(12) % 3, z, 100.0, LabelSource.TRUE)


@dataclass
class Counted:
    """Kept scores, and how many families were scored."""

    kept: KeptScores
    scored: int = 0

    def ask(self, state: State, rules: dict[str, Rule] = OURS, names: tuple[str, ...] = NAMES) -> dict[str, Scoreboard]:
        def layout(z: Array) -> Columns:
            return Columns(z)

        with pytest.MonkeyPatch.context() as patch:

            def counting(features: Features, columns: Any, *rest: Any, **more: Any) -> dict[str, Scoreboard]:
                self.scored += columns.shape[0]
                return sweep(features, columns, *rest, **more)

            patch.setattr(room, "sweep", counting)
            return self.kept.sweep(state.features, state.z, layout, names, rules, state.asked)


@pytest.fixture
def counted(tmp_path: Path) -> Counted:
    return Counted(KeptScores(tmp_path / "scores"))


def fresh(state: State, names: tuple[str, ...] = NAMES) -> dict[str, Scoreboard]:
    return sweep(state.features, Columns(state.z), names, OURS, **state.asked)


def same(found: dict[str, Scoreboard], wanted: dict[str, Scoreboard]) -> None:
    assert list(found) == list(wanted)
    for name, board in wanted.items():
        for part in ("value", "per_class", "count", "ties"):
            np.testing.assert_allclose(getattr(found[name], part), getattr(board, part), rtol=1e-6, atol=2e-5, err_msg=f"{name} {part}")
        assert (found[name].rule, found[name].families, found[name].labels) == (board.rule, board.families, board.labels)


def turned(rows: Array, at: Any) -> Array:
    out = rows.copy()
    out[at] = np.roll(out[at], 1, -1)
    return out


CHANGES: dict[str, Callable[[State, int], State]] = {
    "a picture": lambda s, i: replace(s, x=turned(s.x, i % len(s.x))),
    "a key": lambda s, i: replace(s, keys=tuple(f"z{key}" if n == i % len(s.x) else key for n, key in enumerate(s.keys))),
    "a label": lambda s, i: replace(s, labels=np.where(np.arange(len(s.x)) == i % len(s.x), (s.labels + 1) % 3, s.labels)),
    "a text": lambda s, i: replace(s, z=turned(s.z, (i % len(s.z), i % 3))),
    "a family more": lambda s, i: replace(s, z=np.concatenate([s.z, turned(s.z[:1], 0)])),
    "a family less": lambda s, i: replace(s, z=s.z[1:] if len(s.z) > 1 else s.z),
    "families in another order": lambda s, i: replace(s, z=s.z[::-1].copy()),
    "a picture more": lambda s, i: replace(
        s, x=np.concatenate([s.x, turned(s.x[:1], 0)]), keys=(*s.keys, f"more {len(s.x)}"), labels=np.append(s.labels, i % 3)
    ),
    "pictures in another order": lambda s, i: replace(s, x=s.x[::-1].copy(), keys=s.keys[::-1], labels=s.labels[::-1].copy()),
    "scale": lambda s, i: replace(s, scale=s.scale + 1),
    "source": lambda s, i: replace(s, source=LabelSource.SELF if s.source is LabelSource.TRUE else LabelSource.TRUE),
}


@given(changes=st.lists(st.tuples(st.sampled_from(sorted(CHANGES)), st.integers(0, 50)), max_size=8))
@settings(checked, max_examples=60)
def test_after_any_changes_the_answers_are_those_of_a_sweep_of_all(changes: list[tuple[str, int]], tmp_path_factory: Any) -> None:
    counted, state = Counted(KeptScores(tmp_path_factory.mktemp("scores"))), first_state()
    same(counted.ask(state), fresh(state))
    for change, i in changes:
        state = CHANGES[change](state, i)
        same(counted.ask(state), fresh(state))


KEPT = tuple(name for name in NAMES if name != "f1/micro")


@pytest.mark.parametrize(
    ("change", "families"),
    [("a text", 1), ("a family more", 1), ("a family less", 0), ("families in another order", 0)]
    + [(change, 4) for change in ("a picture", "a key", "a label", "pictures in another order", "scale", "source")]
    + [("a picture more", 4)],
)
def test_only_what_changed_is_scored(counted: Counted, change: str, families: int) -> None:
    state = first_state()
    counted.ask(state, names=KEPT)
    assert counted.scored == 4
    counted.ask(state, names=KEPT)
    assert counted.scored == 4
    counted.ask(CHANGES[change](state, 1), names=KEPT)
    assert counted.scored == 4 + families


def test_what_is_kept_is_given_back_to_the_bit(counted: Counted) -> None:
    first, again = counted.ask(first_state()), counted.ask(first_state())
    for name, board in first.items():
        np.testing.assert_array_equal(board.per_class, again[name].per_class)
        np.testing.assert_array_equal(board.value, again[name].value)


def test_another_process_finds_what_was_kept(counted: Counted) -> None:
    counted.ask(first_state(), names=KEPT)
    later = Counted(KeptScores(counted.kept._folder))
    same(later.ask(first_state(), names=KEPT), fresh(first_state(), KEPT))
    assert later.scored == 0


def test_rules_of_plugins_are_scored_each_time(counted: Counted) -> None:
    theirs = {"mine": Rule("mine", lambda contest: contest.true, by="promptlab-mine 1.0")}
    for times in (1, 2):
        counted.ask(first_state(), theirs, ("mine",))
        assert counted.scored == 4 * times


@pytest.fixture
def another_code() -> Iterator[None]:
    room._code.cache_clear()
    yield
    room._code.cache_clear()


def test_other_code_keeps_other_scores(counted: Counted, another_code: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    counted.ask(first_state(), names=KEPT)
    (tmp_path / "kept.py").write_text("# another version")
    monkeypatch.setattr(room, "__file__", str(tmp_path / "kept.py"))
    room._code.cache_clear()
    counted.ask(first_state(), names=KEPT)
    assert counted.scored == 8


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "another"])
def test_damaged_scores_are_made_again(counted: Counted, damage: str) -> None:
    state = first_state()
    counted.ask(state, names=("cmm",))
    (file,) = counted.kept._folder.glob("*.npz")
    content = file.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
    file.write_bytes({"cut": content[:middle], "flipped": flipped, "empty": b"", "another": b"\x93NUMPY"}[damage])
    same(counted.ask(state, names=("cmm",)), fresh(state, ("cmm",)))


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    counted = Counted(KeptScores(tmp_path / "file"))
    for _ in range(2):
        same(counted.ask(first_state(), names=("cmm",)), fresh(first_state(), ("cmm",)))
    assert counted.scored == 8


def test_numbered_keys_count_too() -> None:
    x, labels = first_state().x, first_state().labels
    one, other = (Features(x, Named(np.arange(12), prefix), labels, "all", "") for prefix in ("a", "b"))
    assert room._mark(one) != room._mark(other)
