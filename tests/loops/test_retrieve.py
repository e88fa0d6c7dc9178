"""Retrieval, against plain numpy: on planted vectors, and on real pictures with five captions each."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from score.planted import RULES, bank_of, features_of

from promptlab import Lab, Settings
from promptlab.events import Event, Progressed, Started, ignore
from promptlab.loops import retrieve
from promptlab.loops.retrieve import Outcome, chance
from promptlab.loops.run import Choice
from promptlab.report import retrieve as told
from promptlab.score.weighting import weighting
from promptlab.score.weights import uniform
from promptlab.types import Array, Captioned, Captions, Classes, Dataset, unit


def material_of(x: Array, z: Array, right: list[tuple[int, int]]) -> Captioned:
    """Pictures x (N, D), captions z (K, P, D), and which are right for which picture."""
    pictures, bank = features_of(x), bank_of(z)
    none = np.zeros(len(x), int)
    captions = Captions(tuple(f"caption {p}" for p in range(z.shape[1])), np.array(right), None, none, ())
    dataset = Dataset("planted", Classes((), ()), {"all": pictures})
    return Captioned(dataset, pictures, pictures, captions, captions, bank, bank_of(z[:1]), "m", {"texts": 0, "images": 0}, ())


def found(material: Captioned, listen=ignore) -> Outcome:  # type: ignore[no-untyped-def]
    weights = uniform(material.bank.grid.families)
    return retrieve.run(material, weights, Choice(weighting("uniform", RULES, 2), "none", None, 0, 0, "cpu"), listen)


def test_both_ways_equal_plain_numpy() -> None:
    rng = np.random.default_rng(3)
    x = unit(rng.standard_normal((40, 8)))
    own = np.repeat(np.arange(40), 3)
    z = unit(x[own] + 0.9 * rng.standard_normal((2, 120, 8)))
    made = found(material_of(x, z, [(int(i), p) for p, i in enumerate(own)]))
    s = x @ unit(z.sum(0)).T
    right = own == np.arange(40)[:, None]
    for one, scores, mine in ((made.result.captions, s, right), (made.result.pictures, s.T, right.T)):
        best = np.where(mine, scores, -2).max(1)
        rank = (np.where(mine, -2, scores) > best[:, None]).sum(1)
        assert one.rank.tolist() == rank.tolist()
        assert one.share == tuple(float((rank < k).mean()) for k in (1, 5, 10))
        assert one.median == sorted(rank)[(len(rank) - 1) // 2] + 1
        assert all(interval.low <= share <= interval.high for share, interval in zip(one.share, one.interval, strict=True))


def test_a_caption_of_two_pictures_is_right_for_both_and_is_asked_once() -> None:
    x, z = np.eye(3), unit(np.array([[[1.0, 0.9, 0], [0, 0, 1], [0, 0.1, 1]]]))
    made = found(material_of(x, z, [(0, 0), (1, 0), (2, 1), (2, 2)]))
    assert made.result.captions.rank.tolist() == [0, 0, 0]
    assert made.result.pictures.rank.tolist() == [0, 0, 0]
    assert made.result.pictures.picture.tolist() == [0, 2, 2]


def test_captions_of_other_pictures_than_those_are_not_among_them() -> None:
    x, z = np.eye(3), np.eye(3)[None]
    made = found(material_of(x[[0, 2]], z, [(0, 0), (1, 2)]))  # caption 1 is of no picture here
    assert made.texts.tolist() == [0, 2]
    assert (made.result.captions.rank.tolist(), made.result.captions.right.tolist()) == ([0, 0], [0, 1])


def test_guessing_is_drawing_blindly() -> None:
    right, targets = np.array([1, 2, 5]), 6
    for k in (1, 2, 3, 10):
        lucky = [
            np.mean([bool(set(drawn) & set(range(n))) for drawn in itertools.combinations(range(targets), min(k, targets))]) for n in right
        ]
        assert chance(right, targets, k) == pytest.approx(np.mean(lucky))


def test_progress_goes_through_all_queries() -> None:
    heard: list[Event] = []
    found(material_of(np.eye(4), np.eye(4)[None], [(i, i) for i in range(4)]), heard.append)
    done = [event.done for event in heard if isinstance(event, Progressed)]
    assert isinstance(heard[0], Started)
    assert (done, heard[0].total) == (sorted(done), done[-1])


def test_hard_ones_are_named_worst_first() -> None:
    x = np.eye(3)
    z = unit(np.array([[[0, 1.0, 0.5], [0.1, 0.9, 0], [0, 0.4, 1]]]))
    material = material_of(x, z, [(0, 0), (1, 1), (2, 2)])
    made = found(material)
    kept = told.result(made, material, run="r", how="uniform", hard=5, seconds={})
    assert [(one["right"], one["place"], one["first"]) for one in kept["hard"]["captions"]] == [("caption 0", 2, "caption 1")]
    first, *others = kept["hard"]["pictures"]
    assert ((first["caption"], first["place"], first["first"]), others) == (("caption 0", 3, "00001.png"), [])
    report = told.report(kept)
    assert "no clear change" in " ".join(report.lead)
    assert "Pictures whose captions are found last" in report.markdown


def test_flickr8k_equals_plain_numpy(shared: Path) -> None:
    lab = Lab(Settings.load({"transductive": True, "templates": ("captions",)}))
    material = lab.captioned(lab.open(str(shared / "data" / "flickr8k" / "captions.jsonl")))
    made = found(material)
    x = np.concatenate([x for _, x in material.judged.batches(500)]).astype(np.float64)
    s = x @ material.plain.z[0].astype(np.float64).T
    right = np.zeros(s.shape, bool)
    right[tuple(material.judged_captions.right.T)] = True
    assert (right.sum(1) == 5).all()
    for one, scores, mine in ((made.plain.captions, s, right), (made.plain.pictures, s.T, right.T)):
        best = np.where(mine, scores, -2).max(1)
        rank = (np.where(mine, -2, scores) > best[:, None]).sum(1)
        assert one.share == pytest.approx([(rank < k).mean() for k in (1, 5, 10)], abs=0.001)  # fp32 may turn one of a thousand
        assert one.interval[0].low > one.chance[0]
