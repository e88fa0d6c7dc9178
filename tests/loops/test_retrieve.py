"""Retrieval, against plain numpy: on planted vectors, and on real pictures with five captions each."""

import itertools
import json
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
from promptlab.types import Array, Captioned, Captions, Classes, Dataset, Weights, unit


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


def test_weights_are_compared_with_uniform_ones_and_templates_with_none() -> None:
    rng = np.random.default_rng(1)
    x = unit(rng.standard_normal((20, 6)))
    z = np.stack([unit(x + noise * rng.standard_normal(x.shape)) for noise in (3.0, 0.1)])
    material = material_of(x, z, [(i, i) for i in range(20)])
    even = found(material)
    assert (even.reference, even.result) == (even.plain, even.baseline)
    chosen = Weights(np.array([0.0, 1.0]), material.bank.grid.families, "cpe")
    made = retrieve.run(material, chosen, Choice(weighting("cpe", RULES, 2), "none", None, 0, 0, "cpu"), ignore)
    assert made.reference is made.baseline
    assert made.result.captions.share[0] == 1.0 > made.baseline.captions.share[0] > made.plain.captions.share[0]
    said = told.report(told.result(made, material, run="r", how="cpe", hard=0, seconds={}))
    assert said.lead[-1].startswith("cpe against baseline")
    assert [row[0] for row in said.tables[0].rows] == ["plain captions", "baseline", "cpe"]


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


def test_real_pictures_equal_plain_numpy(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "flickr8k"
    rows = [json.loads(line) for line in (folder / "captions.jsonl").read_text().splitlines()[:80]]
    table = tmp_path / "captions.jsonl"
    table.write_text("".join(json.dumps(row | {"image": str(folder / row["image"])}) + "\n" for row in rows))
    (tmp_path / "plain.txt").write_text("{}\n")
    lab = Lab(Settings.load({"templates": (str(tmp_path / "plain.txt"),)}))
    material = lab.captioned(lab.open(str(table)), whole=True)
    made = found(material)
    x = np.concatenate([x for _, x in material.judged.batches(500)]).astype(np.float64)
    s = x @ material.plain.z[0].astype(np.float64).T
    right = np.zeros(s.shape, bool)
    right[tuple(material.judged_captions.right.T)] = True
    assert (s.shape, right.sum(1).tolist()) == ((80, 400), [5] * 80)
    for one, scores, mine in ((made.plain.captions, s, right), (made.plain.pictures, s.T, right.T)):
        best = np.where(mine, scores, -2).max(1)
        rank = (np.where(mine, -2, scores) > best[:, None]).sum(1)
        assert one.share == pytest.approx([(rank < k).mean() for k in (1, 5, 10)], abs=0.003)  # fp32 may turn a caption of 400
        assert one.interval[0].low > one.chance[0]
