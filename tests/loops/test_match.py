"""The caption loop on planted vectors: chosen on tune, told on eval."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from score.planted import RULES, bank_of, features_of

from promptlab.events import ignore
from promptlab.loops import match as loop
from promptlab.loops.match import Outcome, run
from promptlab.loops.run import Choice
from promptlab.score.cases import draw
from promptlab.score.matches import hardest
from promptlab.score.weighting import weighting
from promptlab.types import Array, Captioned, Captions, Classes, Dataset, Features, Images, Matched, unit

N, D = 120, 24


def planted(noise: tuple[float, ...], seed: int = 0, categories: tuple[str, ...] = ("a", "b", "c")) -> Captioned:
    """120 pictures with two captions each; of each family the vectors are those of the pictures, with so much noise."""
    rng = np.random.default_rng(seed)
    x = unit(rng.normal(size=(N, D)))
    z = np.stack([unit(np.repeat(x, 2, 0) + share * rng.normal(size=(2 * N, D))) for share in noise])
    right = np.stack([np.repeat(np.arange(N), 2), np.arange(2 * N)], 1)
    texts = tuple(f"{p // 2:03d} says {p % 2}" for p in range(2 * N))
    captions = Captions(texts, right, None, np.arange(N) % 3 if categories else np.zeros(N, int), categories)
    features = features_of(x)
    halves: list[Array] = [np.arange(0, N, 2), np.arange(1, N, 2)]
    tune, judged = (features.take(rows, name) for rows, name in zip(halves, ("tune", "eval"), strict=True))
    mine, theirs = (captions.take(rows) for rows in halves)
    images = Images("all", features.keys, ("",) * N, None, lambda i: b"")
    dataset = Dataset("planted", Classes((), ()), {"all": images})
    plain = bank_of(z[:1], ["{}"], scale=20.0)
    bank = bank_of(z, ["{}", *(f"family {k}: {{}}" for k in range(1, len(z)))], scale=20.0)
    return Captioned(dataset, tune, judged, mine, theirs, bank, plain, "", {"texts": 0, "images": 0}, ())


def choice_of(name: str) -> Choice:
    return Choice(weighting(name, RULES, 3, scope="auto" if name == "uniform" else "global"), "none", None, 0, 0, "cpu")


def done(material: Captioned, name: str, candidates: int = 8, seed: int = 0) -> Outcome:
    tune = draw(material.tune_captions, material.tune.keys, candidates, "any", seed)
    judged = draw(material.judged_captions, material.judged.keys, candidates, "any", seed)
    return run(material, tune, judged, choice_of(name), RULES, ignore)


def test_weights_that_are_better_on_tune_are_kept_and_told_against_the_baseline() -> None:
    found = done(planted((0.4, 3.0, 3.0, 3.0)), "caption-match")
    assert found.kept
    assert found.result is found.tried
    assert found.weights.w.argmax() == 0
    assert found.difference.accuracy is not None
    assert found.difference.accuracy == found.result.matched.accuracy - found.baseline.matched.accuracy > 0
    assert found.plain.matched.accuracy > 0.8
    assert found.accuracy.value[0] > 0.8 > 0.5 > found.accuracy.value[1]


def test_the_baseline_is_kept_where_the_weights_are_no_better_on_tune() -> None:
    material = planted((0.8, 0.8, 0.8))
    worse = done(material, "entropy")
    assert not worse.kept
    assert worse.result is worse.baseline
    assert worse.difference.accuracy == 0.0
    uniform = done(material, "uniform")
    assert (uniform.kept, uniform.same) == (True, True)


def test_eval_has_no_say() -> None:
    material = planted((1.0, 2.0, 1.5))
    turned = np.random.default_rng(5).permutation(len(material.judged))
    wrong = Features(material.judged.x[turned], material.judged.keys, None, "eval", "")
    first, second = done(material, "cpe"), done(replace(material, judged=wrong), "cpe")
    assert np.array_equal(first.weights.w, second.weights.w)
    assert first.kept == second.kept
    assert first.baseline.matched.worst.fixed_classes == second.baseline.matched.worst.fixed_classes
    assert first.baseline.matched.accuracy > second.baseline.matched.accuracy


def test_pictures_of_noise_are_at_chance() -> None:
    rng = np.random.default_rng(3)
    material = planted((1.0, 1.0))
    noise = Features(unit(rng.normal(size=(len(material.judged), D))), material.judged.keys, None, "eval", "")
    found = done(replace(material, judged=noise), "uniform").result.matched
    assert found.interval.low < 1 / 8 < found.interval.high


def test_another_shuffle_changes_positions_alone() -> None:
    material = planted((1.5, 1.5))
    tune, judged = (
        draw(captions, half.keys, 8, "any", 0)
        for captions, half in ((material.tune_captions, material.tune), (material.judged_captions, material.judged))
    )
    turned = [replace(cases, shown=cases.shown[:, ::-1].copy()) for cases in (tune, judged)]
    first, second = run(material, tune, judged, choice_of("cpe"), RULES, ignore), run(material, *turned, choice_of("cpe"), RULES, ignore)
    assert np.array_equal(first.weights.w, second.weights.w)
    assert np.array_equal(first.shares, second.shares)
    assert first.result.matched.interval == second.result.matched.interval
    assert hardest(first.result.matched, 9).tolist() == hardest(second.result.matched, 9).tolist()
    assert not np.array_equal(first.cases.shown, second.cases.shown)


def test_a_case_counts_as_scored_when_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    ran, score = 0, loop.match

    def counted(*args: Any, **how: Any) -> Matched:
        nonlocal ran
        ran += len(how["cases"])
        return score(*args, **how)

    monkeypatch.setattr(loop, "match", counted)
    apart = planted((1.0, 2.0))
    whole = replace(apart, tune=apart.judged, tune_captions=apart.judged_captions)
    for material, name in ((apart, "cpe"), (apart, "uniform"), (whole, "uniform"), (whole, "cpe")):
        ran = 0
        assert done(material, name).matched == ran > 0


def test_where_nothing_is_chosen_all_pictures_are_told_and_no_category_is_followed() -> None:
    apart = planted((1.0, 2.0))
    whole = replace(apart, tune=apart.judged, tune_captions=apart.judged_captions)
    found = done(whole, "uniform")
    assert (found.chosen, found.kept, found.same) == (False, True, True)
    assert found.baseline.matched.worst.fixed is found.baseline.matched.worst.fixed_interval is found.difference.worst is None
    assert found.baseline.matched.worst.repicked > 0
    assert done(apart, "uniform").baseline.matched.worst.fixed is not None, "data with parts of its own has another one to pick them on"
    assert done(whole, "cpe").baseline.matched.worst.fixed is not None, "in-sample they are picked where they are followed"


def test_without_categories_all_pictures_are_one_group() -> None:
    found = done(planted((1.0, 2.0), categories=()), "shrunk").baseline.matched
    assert found.per_category.tolist() == [found.accuracy]
    assert found.worst.fixed == found.accuracy
    assert found.other == 0


def test_checks_name_short_rows_ties_and_shared_captions() -> None:
    material = planted((1.0,))
    twin = material.judged_captions.right.copy()
    twin[2, 1] = twin[0, 1]  # the second picture's first caption is the first one's
    shared = replace(material, judged_captions=replace(material.judged_captions, right=twin))
    z = material.bank.z.copy()
    z[:, 1:] = z[:, :1]  # every text says the same
    same = done(replace(shared, bank=replace(material.bank, z=z, too_long=("a very long story",))), "uniform", candidates=500)
    assert [check.name for check in same.health] == ["few-candidates", "ties", "truncated", "same-captions"]
    assert "In 60 pictures" in same.health[1].text
    tied = same.result.matched
    assert tied.accuracy < 0.1, "of equal texts the seed says which wins"
    assert "1 of 240 texts" in same.health[2].text
    assert "1 caption of" in same.health[3].text
