"""Whether a scoring rule keeps its promises, on small random data with ties and a class without pictures."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from promptlab.errors import PromptlabError
from promptlab.plugins.checks import WORD
from promptlab.protocols import Rule, State, Unit
from promptlab.testing.found import Found, check_given
from promptlab.types import Array, unit

if TYPE_CHECKING:
    from promptlab.score.contest import Contest
    from promptlab.score.states import Setting

N, K, C, D = 41, 3, 7, 12  # pictures, families, classes, width
SCALE = 20.0
READ = ("similarity", "x", "label", "true", "rival", "winner", "rank", "logz", "expected")


class Material(NamedTuple):
    """Unit pictures x (N, D), unit texts z (K, C, D), and labels (N,), (N, K) or None."""

    x: Array
    z: Array
    labels: Array | None


def check_rule(rule: Rule) -> None:
    """Nothing where the rule is sound. Raises AssertionError that lists every fault: values of another shape or that are no numbers, that
    depend on batches, families or the order of the classes, shares outside of [0, 1], a reducer or unit that is none, a contest that is
    changed, and a state that merges to something else than one pass gives. Whether less is better, only its author knows.
    """
    __tracebackhide__ = True  # pytest shows the line of the test instead
    check_given("check_rule", rule, Rule, "a promptlab.Rule was expected: Rule('mine', function)")
    found = Found("check_rule", f"the rule {rule.name!r}")
    _check_words(rule, found)
    tied = _material(ties=True)
    _check_values(rule, tied, found)
    if not found.faults:
        for labels in (tied.labels, _others(tied), None):  # true ones, other ones for each family, each family's own winners
            _check_passes(rule, tied._replace(labels=labels), found)
    if not found.faults:
        for labels in (tied.labels, None):
            _check_order(rule, _material(ties=False)._replace(labels=labels), found)
    found.tell()


def _material(ties: bool) -> Material:
    """Random pictures and texts. Ties: pictures that occur twice, and two classes and two families that say the same."""
    rng = np.random.default_rng(5)
    x, z = (unit(rng.normal(size=shape)).astype(np.float32) for shape in ((N, D), (K, C, D)))
    if ties:
        x[20:24], z[:, 3], z[2] = x[:4], z[:, 1], z[1]
    return Material(x, z, rng.integers(0, C - 1, N))  # the last class has no picture


def _others(material: Material) -> Array:
    """(N, K) labels of each family's own."""
    return np.random.default_rng(6).integers(0, C - 1, (len(material.x), K))


def _check_words(rule: Rule, found: Found) -> None:
    from promptlab.score.reducers import parse_reducer

    if not isinstance(rule.name, str) or not WORD.fullmatch(rule.name):
        found.add(f"The name is {rule.name!r}; a word without spaces and / , : was expected: what follows a `/` is the reducer.")
    if rule.unit not in list(Unit):
        found.add(f"The unit is {rule.unit!r}; one of {', '.join(f'Unit.{one.name}' for one in Unit)} was expected.")
    try:
        parse_reducer(rule.reducer, rule, C)
    except PromptlabError as error:
        found.add(f"The reducer {rule.reducer!r} cannot be used: {error.message} {error.hint}")


def _contests(material: Material, batch: int = N, together: int = K) -> "Iterator[Contest]":
    """Every block of `batch` pictures and `together` families."""
    import torch

    from promptlab.score.contest import Columns

    columns = Columns(material.z)
    x = torch.from_numpy(material.x)
    labels = None if material.labels is None else torch.as_tensor(material.labels, dtype=torch.long)
    for start in range(0, len(x), batch):
        y = None if labels is None else labels[start : start + batch]
        for k in range(0, len(material.z), together):
            families = slice(k, min(k + together, len(material.z)))
            yield columns.contest(x[start : start + batch], y, families, start, SCALE, None)


def _setting(material: Material) -> "Setting":
    import torch

    from promptlab.score.contest import Columns
    from promptlab.score.states import Setting

    mean = torch.from_numpy(material.x.mean(0))
    order = np.random.default_rng(7).permutation(len(material.x))
    return Setting(Columns(material.z), len(material.x), lambda: order, SCALE, lambda: mean)


def _started(rule: Rule, material: Material) -> State:
    from promptlab.score.rules import start

    return start(rule, _setting(material))


def _scores(rule: Rule, material: Material, batch: int = N, together: int = K) -> tuple[Array, Array]:
    """(K, C) values and counts of one pass."""
    state = _started(rule, material)
    for contest in _contests(material, batch, together):
        state.add(contest)
    return state.per_class()


def _check_values(rule: Rule, material: Material, found: Found) -> None:
    """What it gives for one batch, and for a batch of one picture and one family."""
    for batch, together in ((N, K), (1, 1)):
        contest, same = (next(_contests(material, batch, together)) for _ in range(2))
        b, k = contest.similarity.shape[:2]
        with found.during(f"It, for {b} pictures and {k} families,", "a value for each picture and family was expected.", "raises"):
            if rule.per_image is not None:
                _check_statistic(rule.per_image(contest), (b, k), found)
            else:
                _started(rule, material).add(contest)
            changed = [name for name in READ if not _equal(getattr(contest, name), getattr(same, name))]
            if changed:
                found.add(f"It changes `contest.{changed[0]}`, which other rules read after it; make a new tensor instead.")
    if found.faults:
        return
    with found.during("per_class()", f"(values, counts), both {(K, C)}, was expected."):
        made: Any = _scores(rule, material)
        shapes = [getattr(part, "shape", None) for part in made] if isinstance(made, tuple) else type(made).__name__
        if shapes != [(K, C), (K, C)]:
            found.add(f"per_class() gave {shapes}; values and counts, both {(K, C)}, were expected.")
            return
        values, counts = made
        if np.asarray(counts).dtype.kind not in "iu":
            found.add(f"The counts are {np.asarray(counts).dtype}; whole numbers were expected.")
        if not np.isfinite(values[counts > 0]).all():
            found.add(
                "Its values hold NaN or infinity for classes with pictures; a finite number was expected, NaN only where none counts."
            )
        if rule.unit is Unit.SHARE and not ((values >= -1e-6) & (values <= 1 + 1e-6) | np.isnan(values)).all():
            span = f"from {np.nanmin(values):.3g} to {np.nanmax(values):.3g}"
            found.add(f"Its values run {span}, but its unit is Unit.SHARE; shares lie in [0, 1]. Else take Unit.MARGIN or Unit.LOGIT.")


def _check_statistic(value: Any, wanted: tuple[int, int], found: Found) -> None:
    shape = getattr(value, "shape", None)
    if shape is None or not hasattr(value, "detach"):
        found.add(f"It gave a {type(value).__name__}; a tensor of shape (B, K) was expected, made of the contest's own.")
    elif tuple(shape) != wanted:
        found.add(f"It gave shape {tuple(shape)}; (B, K) = {wanted} was expected. Reduce over classes alone: `.sum(-1)`.", "shape")
    elif not bool((abs(value * 1.0) < float("inf")).all()):  # as is no NaN
        found.add("It gave NaN or infinity for a picture; a finite number was expected.")


def _equal(one: Any, other: Any) -> bool:
    return bool(one.shape == other.shape and (one == other).all())


def _check_passes(rule: Rule, material: Material, found: Found) -> None:
    """The same scores, however pictures and families are cut."""
    with found.during("One pass", "scores were expected, whoever gives the labels."):
        whole = _scores(rule, material)
        second = "It gave other values the second time"
        if not _agree(rule, whole, _scores(rule, material), found, second, "it may depend on nothing but the contest"):
            return
        cut = "It depends on how pictures are cut into batches"
        _agree(rule, whole, _scores(rule, material, batch=7), found, cut, "each picture's value may depend on that picture alone")
        apart, advice = "It depends on which families are judged together", "each has its own value, in a state's row of `contest.families`"
        _agree(rule, whole, _scores(rule, material, together=1), found, apart, advice)
        for k in range(K):
            own = None if material.labels is None else material.labels if material.labels.ndim == 1 else material.labels[:, k : k + 1]
            alone = _scores(rule, Material(material.x, material.z[k : k + 1], own))
            _agree(rule, (whole[0][k : k + 1], whole[1][k : k + 1]), alone, found, apart, advice)
        if rule.start is not None:
            _check_merge(rule, material, whole, found)


def _check_merge(rule: Rule, material: Material, whole: tuple[Array, Array], found: Found) -> None:
    with found.during("merge()", "it takes in the state of other pictures."):
        first, second = _started(rule, material), _started(rule, material)
        for contest in _contests(material, batch=9):
            (first if contest.start < N // 2 else second).add(contest)
        first.merge(second)
        _agree(rule, whole, first.per_class(), found, "Two states that are merged are not what one pass gives", "see State.merge")


def _check_order(rule: Rule, material: Material, found: Found) -> None:
    """The classes in another order: the same values, in that order. Without ties, which fall to the first."""
    order = np.random.default_rng(8).permutation(C)
    labels = None if material.labels is None else np.argsort(order)[material.labels]
    with found.during("It, with the classes in another order,", "the same values were expected."):
        values, counts = _scores(rule, material)
        moved = _scores(rule, Material(material.x, material.z[:, order], labels))
        what, advice = "It depends on the order of the classes", "a class's index means nothing"
        _agree(rule, (values[:, order], counts[:, order]), moved, found, what, advice)


def _agree(rule: Rule, wanted: tuple[Array, Array], got: tuple[Array, Array], found: Found, what: str, advice: str) -> bool:
    """Whether two scores are the same, up to rounding; else that is a fault."""
    atol = 1e-5 * (SCALE if rule.unit is Unit.LOGIT else 1)
    fits = wanted[0].shape == got[0].shape
    same = fits and np.allclose(wanted[0], got[0], 1e-4, atol, equal_nan=True) and np.array_equal(wanted[1], got[1])
    if not same:
        gap = np.nanmax(abs(wanted[0] - got[0])) if fits else np.nan
        found.add(f"{what} (values differ by up to {gap:.3g}); {advice}.", what)
    return same
