"""A study: every combination once, each what a single run of it would be, and none computed twice."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from score.planted import RULES, bank_of, choice_of, features_of, material_of, planted

from promptlab import runs
from promptlab.config import Settings
from promptlab.errors import UsageError
from promptlab.events import Cancelled, Event, Finished, Progressed, Started, ignore
from promptlab.lab import Lab
from promptlab.loops.run import Choice, named, run
from promptlab.loops.study import Bench, Grid, Tried, choices, key, study
from promptlab.report.study import ordered, row
from promptlab.score.evaluate import compare
from promptlab.types import Classes, Material

SMALL = Grid(("uniform", "cpe", "carprt"), debias=("none", "prior"))


def names(grid: Grid, labelled: bool = True) -> list[str]:
    return [named(choice) for choice in choices(grid, choice_of(), RULES, 10, labelled)]


def material(labelled: bool = True, seed: int = 0) -> Material:
    found = planted(seed, classes=6, each=10, image_noise=2.5, text_noise=(0.3, 1.0, 3.0))
    tune, judged = (found.features(slice(start, None, 2), split, labelled=labelled) for start, split in ((0, "tune"), (1, "eval")))
    return material_of(tune, judged, bank_of(found.z))


# -- the grid -----------------------------------------------------------------------------------------------------------------------


def test_every_combination_is_made_once_and_impossible_ones_are_left_out() -> None:
    made = names(Grid(("uniform", "cpe", "top-2", "forward", "cpe"), combine=("embedding", "logit"), debias=("none", "balance")))
    for plain in ("uniform", "top-2", "forward"):
        assert sum(name.startswith(plain) for name in made) == 4, "no class scope"
    assert sum(name.startswith("cpe") for name in made) == 8
    assert len(set(made)) == len(made) == 20


def test_what_does_not_concern_a_way_does_not_multiply_it() -> None:
    grid = Grid(
        ("uniform", "cpe", "shrunk"),
        scope=("global",),
        labels=("auto", "true"),
        combine=("embedding",),
        debias=("none",),
        tau=(1.0, 2.0),
        evidence=("similarity", "margin", "both"),
    )
    made = names(grid)
    assert made.count("uniform") == sum(name.startswith("uniform") for name in made) == 1
    assert sum(name.startswith("cpe") for name in made) == 4
    assert sum(name.startswith("shrunk") for name in made) == 12


def test_auto_and_what_it_stands_for_are_one() -> None:
    assert names(Grid(("zpe",), ("auto", "global"), ("auto", "ensemble"), ("auto", "logit"), ("none",))) == ["zpe"]


def test_the_grid_nobody_chose_has_more_than_twenty_combinations() -> None:
    assert len(set(names(Grid()))) == len(names(Grid())) >= 20


def test_a_choice_keeps_what_the_settings_say_of_everything_else() -> None:
    base = replace(choice_of(k=3), mix=np.full(10, 0.1), seed=7)
    for choice in choices(SMALL, base, RULES, 10, True):
        assert (choice.k, choice.seed, choice.device) == (3, 7, "cpu")
        assert choice.mix is base.mix
    assert {choice.how.rule for choice in choices(Grid(("cpe",)), base, RULES, 10, True)} == {"cmm/worst-3"}


@pytest.mark.parametrize("grid", [Grid(("forward",)), Grid(labels=("true",)), Grid(("uniform", "forward:cmm"))])
def test_labels_that_are_not_there_are_refused_before_anything_is_computed(grid: Grid) -> None:
    with pytest.raises(UsageError, match="no labels"):
        names(grid, labelled=False)
    assert names(Grid(("uniform",), labels=("true",)), labelled=False)


@pytest.mark.parametrize(
    "said",
    [
        {"scope": ("classes",)},
        {"labels": ("auto", "right")},
        {"combine": ("mean",)},
        {"debias": ("none", "centre")},
        {"evidence": ("",)},
        {"tau": (0.0,)},
        {"tau": (1.0, float("nan"))},
    ],
)
def test_values_that_no_axis_knows_are_refused(said: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Grid(**said)


def test_an_unknown_weighting_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="'carpt'") as error:
        names(Grid(("cpe", "carpt")))
    assert "'carprt'" in error.value.hint


# -- what is found ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labelled", [True, False])
def test_every_result_is_that_of_a_single_run(labelled: bool) -> None:
    made = material(labelled)
    base = choice_of()
    bench = Bench(made, RULES, base)
    for choice in choices(SMALL, base, RULES, 6, labelled):
        tried, alone = bench.attempt(choice), run(made, choice, RULES, ignore)
        assert tried.name == alone.tried.name
        assert np.array_equal(tried.weights.w, alone.weights.w)
        for mine, other in ((tried.evaluation, alone.tried.evaluation), (bench.baseline, alone.baseline.evaluation)):
            assert (mine.accuracy, mine.interval, mine.cmm_top, mine.order) == (other.accuracy, other.interval, other.cmm_top, other.order)
            assert (mine.worst.fixed, mine.worst.fixed_interval) == (other.worst.fixed, other.worst.fixed_interval)
        assert tried.difference == compare(alone.baseline.evaluation, alone.tried.evaluation, 0)
        assert set(tried.health) <= set(alone.health)
        assert (tried.tune.split, tried.evaluation.split) == ("tune", "eval")


def test_without_labels_offsets_have_no_say_in_what_tune_shows() -> None:
    bench = Bench(material(labelled=False), RULES, choice_of())
    plain, offset = (bench.attempt(choice_of("uniform", debias=debias)) for debias in ("none", "balance"))
    assert offset.tune.cmm_top == plain.tune.cmm_top
    assert offset.evaluation.cmm_top != plain.evaluation.cmm_top


@pytest.mark.parametrize("labelled", [True, False])
def test_a_row_is_plain_json_without_nan(labelled: bool) -> None:
    made = material(labelled)
    tried = Bench(made, RULES, choice_of()).attempt(choice_of("shrunk", debias="balance"))
    found = row(tried, made.dataset.classes)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["name"], found["labels"], found["debias"], found["evidence"]) == (tried.name, "ensemble", "balance", "both")
    assert (found["eval"]["accuracy"] is None) is not labelled
    assert row(Bench(made, RULES, choice_of()).attempt(choice_of()), made.dataset.classes)["evidence"] is None


# -- what is remembered -------------------------------------------------------------------------------------------------------------


class Memory:
    """Keeps names; counts what was attempted and how often a bench was set up."""

    def __init__(self, made: Material) -> None:
        self.made, self.known, self.benches, self.attempts = made, dict[str, float](), 0, 0

    def bench(self) -> Bench:
        self.benches += 1
        return Bench(self.made, RULES, choice_of())

    def keep(self, choice: Choice, attempt: Callable[[], Tried]) -> float:
        name = named(choice)
        if name not in self.known:
            self.attempts += 1
            self.known[name] = attempt().evaluation.cmm_top
        return self.known[name]


def listened(memory: Memory, wanted: list[Choice], stop_after: int = 10**6) -> tuple[list[float], list[Event]]:
    seen: list[Event] = []

    def listen(event: Event) -> None:
        seen.append(event)
        if isinstance(event, Progressed) and event.done >= stop_after:
            raise Cancelled

    made: Iterable[float] = study(wanted, memory.bench, memory.keep, listen)
    out = []
    try:
        out.extend(made)
    except Cancelled:
        seen.append(Finished("cancelled", 0))
    return out, seen


def test_one_bench_serves_all_and_none_is_set_up_when_all_is_remembered() -> None:
    wanted = choices(SMALL, choice_of(), RULES, 6, True)
    memory = Memory(material())
    first, events = listened(memory, wanted)
    assert (memory.benches, memory.attempts, len(first)) == (1, len(wanted), len(wanted))
    assert events[0] == Started("study", len(wanted), "classifiers")
    assert events[1:-1] == [Progressed("study", n) for n in range(1, len(wanted) + 1)]
    assert events[-1] == Finished("study", len(wanted))
    again, _ = listened(memory, wanted)
    assert again == first
    assert (memory.benches, memory.attempts) == (1, len(wanted))


def test_a_study_that_is_stopped_goes_on_where_it_was() -> None:
    wanted = choices(SMALL, choice_of(), RULES, 6, True)
    memory = Memory(material())
    listened(memory, wanted, stop_after=4)
    assert memory.attempts == 4
    whole, _ = listened(memory, wanted)
    assert (memory.benches, memory.attempts) == (2, len(wanted))
    assert whole == listened(Memory(material()), wanted)[0]


def test_the_key_is_the_same_for_the_same_and_another_for_anything_else() -> None:
    made = material()
    tune, bank = made.tune, made.bank
    x, z = tune.x[:].copy(), bank.z.copy()
    x[3, 1] += 1e-6
    z[1, 2] = np.roll(z[1, 2], 1)
    grid = bank.grid
    others = {
        "vectors": replace(made, tune=replace(tune, x=x)),
        "vectors of eval": replace(made, judged=replace(made.judged, x=x)),
        "labels": replace(made, tune=replace(tune, labels=np.roll(tune.labels, 1))),
        "no labels": replace(made, tune=replace(tune, labels=None)),
        "halves": replace(made, tune=made.judged, judged=tune),
        "pictures": replace(made, tune=features_of(tune.x[:], tune.labels, keys=[f"other {i}" for i in range(len(tune))], split="tune")),
        "texts": replace(made, bank=replace(bank, z=z)),
        "scale": replace(made, bank=replace(bank, scale=50.0)),
        "families": replace(made, bank=replace(bank, grid=replace(grid, families=("a", "b", "c")))),
        "names": replace(made, bank=replace(bank, grid=replace(grid, classes=Classes.of(list("abcdef"))))),
    }
    assert key(made) == key(material())
    keys = {what: key(other) for what, other in others.items()}
    assert key(made) not in keys.values()
    assert len(set(keys.values())) == len(keys)


# -- in the lab ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., str]:
    """Writes vectors of pictures and texts to one place."""

    def save(seed: int = 0, **changed: Any) -> str:
        found = planted(seed, classes=4, each=8, width=8, image_noise=1.5, text_noise=(0.3, 1.0))
        arrays = {"features": found.x, "labels": found.labels, "names": np.array(list("abcd")), "text": found.z, "scale": np.array(100.0)}
        np.savez(tmp_path / "vectors.npz", **arrays | changed)
        return str(tmp_path / "vectors.npz")

    return save


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what is computed from now on."""
    made: list[str] = []
    real = Bench.attempt

    def attempt(self: Bench, choice: Choice) -> Tried:
        made.append(named(choice))
        return real(self, choice)

    monkeypatch.setattr(Bench, "attempt", attempt)
    return made


AXES = {"weights": ("uniform", "cpe"), "scope": ("global",), "combine": ("embedding",)}
FOUR = ["uniform", "uniform + balance", "cpe", "cpe + balance"]


def test_what_is_remembered_is_not_computed_again_and_wider_grids_compute_only_what_is_new(
    saved: Callable[..., str], attempts: list[str], lab: Lab
) -> None:
    _, first = lab.study(saved(), AXES)
    assert attempts == FOUR
    kept, again = lab.study(saved(), AXES)
    assert attempts == FOUR
    assert again == first
    assert json.loads((kept.path / "study.json").read_text()) == ordered(first)
    assert {path.name for path in kept.path.iterdir()} >= {"study.json", "study.csv", "study.md"}
    lab.study(saved(), {**AXES, "weights": ("cpe", "zpe")})
    assert attempts[4:] == ["zpe embedding", "zpe embedding + balance"]


@pytest.mark.parametrize("what", ["vectors", "labels", "texts", "names", "scale", "k", "seed", "mix", "version", "transductive"])
def test_what_changes_the_result_makes_what_was_remembered_stale(
    what: str, saved: Callable[..., str], attempts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mix").write_text("a\t3\nb\t1\nc\t1\nd\t1\n")
    other = planted(1, classes=4, each=8, width=8)
    arrays: dict[str, Any] = {
        "vectors": {"features": other.x},
        "labels": {"labels": np.arange(32) % 4},
        "texts": {"text": other.z[:2]},
        "names": {"names": np.array(list("abce"))},
        "scale": {"scale": np.array(50.0)},
    }
    settings: dict[str, Any] = {
        "k": {"k": 2},
        "seed": {"seed": 5},
        "mix": {"mix": str(tmp_path / "mix")},
        "transductive": {"transductive": True},
    }
    Lab(Settings.load({})).study(saved(), AXES)
    if what == "version":
        monkeypatch.setattr(runs, "version", lambda name: "99.0")
    Lab(Settings.load(settings.get(what, {}))).study(saved(**arrays.get(what, {})), AXES)
    assert attempts == FOUR * 2


def test_a_row_that_was_cut_short_on_disk_is_computed_again(
    saved: Callable[..., str], attempts: list[str], lab: Lab, tmp_path: Path
) -> None:
    _, first = lab.study(saved(), AXES)
    rows = sorted((tmp_path / "cache" / "study").glob("*.json"))
    rows[0].write_text(rows[0].read_text()[:40])
    rows[1].unlink()
    assert lab.study(saved(), AXES)[1] == first
    assert len(attempts) == 6


def test_a_grid_that_cannot_be_leaves_no_run_behind(saved: Callable[..., str], lab: Lab) -> None:
    for axes in ({"weights": ("nothing",)}, {"debias": ("centre",)}):
        with pytest.raises(UsageError):
            lab.study(saved(), axes)
    assert not [path for path in Path("runs").glob("*") if path.is_dir()]
