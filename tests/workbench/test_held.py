"""What is held while prompts change: weights, until they are found anew; and what is found then is what a run finds."""

from collections.abc import Callable

import numpy as np
import pytest

from promptlab.errors import PromptlabError
from promptlab.events import Cancelled, Event
from promptlab.lab import Lab
from promptlab.types import Combine, Edit, EditKind

from .planted import FISH, files, run_folder

Desk = Callable[[str], Lab]
NEW = "a watch near a {}"
ADDED = Edit(EditKind.ADD, words=(NEW,))
DESCRIBED = Edit(EditKind.DESCRIBE, "crane", "", ("a tall grey bird in shallow water",))
WEIGHTED = ["things", "one chosen", "by class", "logits", "balance", "unlabelled"]


@pytest.mark.parametrize("kind", WEIGHTED)
def test_weights_stay_under_edits_and_a_new_family_gets_the_mean(desk: Desk, kind: str) -> None:
    bench = desk(kind).workbench()
    held = bench.now.weights
    bench.edit(DESCRIBED)
    assert bench.now.weights.tolist() == held.tolist()
    bench.edit(ADDED)
    wide = np.concatenate([held, held.mean(0, keepdims=True)])
    np.testing.assert_allclose(bench.now.weights, wide / wide.sum(0))
    bench.edit(Edit(EditKind.REMOVE, words=("{}",)))
    names = [template.name for template in bench.now.prompts.templates]
    assert names == ["a photo of a {}.", "a drawing of a {}.", "several {}s together.", FISH, NEW]
    assert (bench.now.weights >= 0).all()
    np.testing.assert_allclose(bench.now.weights.sum(0), 1)


def test_where_all_weight_is_gone_the_rest_share_alike(desk: Desk) -> None:
    bench = desk("one chosen").workbench()
    assert max(row.weight for row in bench.families()) == 1
    bench.edit(Edit(EditKind.TOGGLE, of=FISH))
    assert bench.now.weights.tolist() == [0.25] * 4


def test_of_weights_by_class_those_that_lose_all_share_alike_and_others_do_not(desk: Desk) -> None:
    bench = desk("by class").workbench()
    w = dict(zip([t.name for t in bench.now.prompts.templates], bench.now.weights, strict=True))
    alone = np.flatnonzero(w[FISH] > 0.999)
    assert 0 < len(alone) < 6
    bench.edit(Edit(EditKind.TOGGLE, of=FISH))
    now = bench.now.weights
    np.testing.assert_allclose(now.sum(0), 1)
    rest = np.setdiff1d(np.arange(6), alone)
    left = np.stack([w[t.name] for t in bench.now.prompts.templates])
    gone = left.sum(0) == 0
    assert gone.any()
    assert (now[:, gone] == 0.25).all()
    np.testing.assert_allclose(now[:, rest], left[:, rest] / left[:, rest].sum(0))


@pytest.mark.parametrize("kind", WEIGHTED)
def test_reweighing_finds_what_a_run_of_the_same_prompts_finds(desk: Desk, kind: str) -> None:
    lab = desk(kind)
    bench, folder = lab.workbench(), run_folder(lab)
    bench.edit(DESCRIBED)
    bench.edit(ADDED)
    bench.reweigh()
    made = lab.run(run=str(folder))
    found = dict(zip(made.outcome.weights.families, made.outcome.weights.w, strict=True))
    for template, w in zip(bench.now.prompts.templates, bench.now.weights, strict=True):
        np.testing.assert_allclose(w, found[template.name], atol=1e-9)
    tried = made.outcome.tried.classifier
    np.testing.assert_allclose(bench._live.rows, tried.weight, atol=1e-6)
    np.testing.assert_allclose(bench._offsets, tried.bias / tried.scale, atol=1e-6)
    told = {name: float(value) for name, value in zip(made.outcome.weights.families, made.outcome.board.value, strict=True)}
    assert {row.template.name: row.score for row in bench.families()} == pytest.approx(told)


def test_another_way_of_weighing_is_held_from_then_on_and_no_file_changes(desk: Desk) -> None:
    lab = desk("things")
    bench, before = lab.workbench(), files(run_folder(lab))
    even = bench.now.weights.tolist()
    bench.reweigh("cpe")
    assert (bench.way, bench.switched) == ("cpe", True)
    cpe = bench.now.weights.tolist()
    assert cpe != even
    assert bench.now.standing.winner.tolist() != bench.base.winner.tolist() or bench.headline.since.cmm != 0
    bench.edit(DESCRIBED)
    assert bench.now.weights.tolist() == cpe
    bench.undo()
    bench.reweigh("zpe")
    assert bench._combine is Combine.LOGIT
    bench.reweigh("uniform")
    assert bench.now.weights.tolist() == pytest.approx(even)
    assert bench._combine is Combine.EMBEDDING
    assert bench.headline.since.images == 0
    bench.edit(DESCRIBED)
    bench.undo()
    after = files(run_folder(lab))
    assert {name for name in after if after[name] != before.get(name)} <= {"edits.jsonl", "prompts.toml", "events.jsonl"}


def test_a_way_that_nobody_knows_is_told_and_nothing_changes(desk: Desk) -> None:
    bench = desk("things").workbench()
    before = bench.now
    with pytest.raises(PromptlabError):
        bench.reweigh("no-such-way")
    assert bench.now is before
    assert (bench.way, bench.switched) == ("uniform", False)


def test_reweighing_that_is_stopped_changes_nothing(desk: Desk) -> None:
    bench = desk("balance").workbench()
    bench.edit(ADDED)
    before, way = bench.now, bench.way

    def stop(event: Event) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        bench.reweigh("zpe", stop)
    assert bench.now is before
    assert bench.way == way


def test_families_of_one_name_have_each_its_own_weight_and_score(desk: Desk) -> None:
    lab = desk("logits")
    bench = lab.workbench()
    held = dict(zip([t.source for t in bench.now.prompts.templates], bench.now.weights, strict=True))
    bench.edit(Edit(EditKind.ADD, words=("{{ name | lower }}",)))
    twins = [t for t in bench.now.prompts.templates if t.name == "{}"]
    assert len(twins) == 2
    total = sum(held.values()) + np.mean(list(held.values()))
    now = dict(zip([t.source for t in bench.now.prompts.templates], bench.now.weights, strict=True))
    assert now[twins[1].source] == pytest.approx(np.mean(list(held.values())) / total)
    assert now[twins[0].source] == pytest.approx(held[twins[0].source] / total)
    bench.reweigh()
    weights, families = bench.now.weights, bench.now.prompts.templates
    lab.but(runs=lab.settings.runs).run(run=str(run_folder(lab)))
    again = lab.workbench()
    assert [t.source for t in again.now.prompts.templates] == [t.source for t in families]
    np.testing.assert_allclose(again.now.weights, weights, atol=1e-9)
