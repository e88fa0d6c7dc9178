"""What a run says when it is opened: what its own classifier says, and nothing that nobody knows."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli.conftest import draw
from cli.planted import NAMES

from promptlab.errors import DataError, MismatchError, UsageError
from promptlab.events import Event
from promptlab.lab import Lab
from promptlab.runs import load_classifier
from promptlab.score.classifier import classify
from promptlab.score.evaluate import evaluate
from promptlab.types import Description, Edit, EditKind, Form, Place
from promptlab.workbench import Workbench

from .planted import CRANE, KINDS, LAMP, Shop, files, result, run_folder

Desk = Callable[[str], Lab]
LABELLED = [kind for kind in KINDS if kind != "unlabelled"]


@pytest.mark.parametrize("kind", LABELLED)
def test_an_opened_run_stands_as_its_classifier_does(desk: Desk, kind: str) -> None:
    lab = desk(kind)
    bench, kept = lab.workbench(), load_classifier(run_folder(lab) / "classifier.safetensors")
    told = evaluate(kept, bench.tune, lab.rules, fixed=None, k=2, seed=0, device="cpu")
    for standing in (bench.base, bench.now.standing):
        np.testing.assert_allclose(standing.accuracy, told.per_class, atol=1e-9)
        np.testing.assert_allclose(standing.cmm, told.margin, atol=1e-6)
        assert standing.count.tolist() == told.count.tolist()
        assert standing.winner.tolist() == told.outcomes.winner.tolist()
    head = bench.headline
    assert (head.accuracy, head.mean, head.zeros, head.images) == pytest.approx((told.accuracy, told.mean, told.zeros, told.n))
    assert (head.since.images, head.since.accuracy) == (0, 0)
    assert bench.order(bench.base) == list(told.order)
    np.testing.assert_allclose(bench._live.rows, kept.weight, atol=1e-6)


@pytest.mark.parametrize("kind", [kind for kind in LABELLED if kind != "own words"])
def test_the_headline_follows_the_worst_of_the_run_s_baseline(desk: Desk, kind: str) -> None:
    lab = desk(kind)
    bench, rows = lab.workbench(), lab.workbench().run.classes or []
    worst = [row["id"] for row in sorted((row for row in rows if "worst" in row), key=lambda row: row["worst"])][:2]
    assert [bench.dataset.classes.ids[c] for c in bench._worst] == worst
    assert bench.headline.k == 2
    assert bench.headline.worst == pytest.approx(np.nanmean(bench.now.standing.accuracy[bench._worst]))


@pytest.mark.parametrize("kind", ["things", "one chosen", "by class", "balance"])
def test_families_say_weights_and_scores_of_the_run(desk: Desk, kind: str) -> None:
    lab = desk(kind)
    bench, found = lab.workbench(), {one["name"]: one for one in result(lab)["families"]}
    rows = bench.families()
    assert {row.template.name for row in rows} == set(found)
    assert all(row.used for row in rows)
    assert [row.weight for row in rows] == sorted((row.weight for row in rows), reverse=True)
    assert sum(row.weight for row in rows) == pytest.approx(1)
    assert {row.template.name: row.accuracy for row in rows} == {name: one["accuracy"] for name, one in found.items()}
    lineage = load_classifier(run_folder(lab) / "classifier.safetensors").lineage
    means = {name: np.mean(w) for name, w in zip(lineage["families"], lineage["weights"], strict=True)}
    assert {row.template.name: row.weight for row in rows} == pytest.approx(means)
    assert bench.way == lineage["how"]
    assert 1 <= bench.effective <= len(rows) + 1e-9


def test_a_text_says_how_it_does_alone_in_the_row(desk: Desk) -> None:
    lab = desk("things")
    bench = lab.workbench()
    rows = {row.text: row for row in bench.texts(CRANE)}
    assert set(rows) == {
        "a photo of a crane.",
        "crane",
        "a drawing of a crane.",
        "several cranes together.",
        "a green fish and a crane on wet grass.",
    }
    told, material = lab.score_texts("crane")
    kept = load_classifier(run_folder(lab) / "classifier.safetensors")
    for text, row in rows.items():
        z = bench._encoder.encode_texts([text], lambda event: None)[0]  # type: ignore[union-attr]
        weight = kept.weight.copy()
        weight[CRANE] = z
        outcomes = classify(replace(kept, weight=weight), bench.tune, bench.tune.labels, "cpu")
        mine = bench.tune.labels == CRANE
        assert row.cmm == pytest.approx(outcomes.margin[mine].mean(), abs=1e-6)
        assert row.accuracy == pytest.approx((outcomes.winner[mine] == CRANE).mean())
    assert len(told.texts) == len(rows)
    assert material.tune.keys == bench.tune.keys


def test_texts_of_a_class_without_pictures_have_no_figures(desk: Desk) -> None:
    bench = desk("few lamps").workbench()
    rows = bench.texts(LAMP)
    assert len(rows) == 5
    assert np.isnan([(row.cmm, row.accuracy) for row in rows]).all()
    assert np.isnan(bench.now.standing.accuracy[LAMP])
    assert LAMP not in bench.order(bench.base)
    assert not np.isnan(bench.headline.mean)
    assert bench.seen(LAMP, right=True) == bench.seen(LAMP, right=False) == []


def test_pictures_are_told_most_wrong_and_most_right_first(desk: Desk) -> None:
    bench = desk("things").workbench()
    standing = bench.now.standing
    for right in (False, True):
        found = bench.seen(CRANE, right=right, most=3)
        mine = (standing.label == CRANE) & ((standing.winner == CRANE) == right)
        wanted = sorted(standing.margin[mine].tolist(), reverse=right)[:3]
        assert [one.margin for one in found] == pytest.approx(wanted)
        for one in found:
            i = bench.tune.keys.index(one.key)
            assert (standing.rival[i], standing.label[i]) == (one.rival, CRANE)
    takers = bench.takers(CRANE)
    assert sum(n for _, n in takers) == (standing.winner[standing.label == CRANE] != CRANE).sum()
    assert (takers[0][0], takers[0][1] / standing.count[CRANE]) == (standing.taker[CRANE], standing.lost[CRANE])


def test_data_of_vectors_has_no_pictures_and_says_so(desk: Desk) -> None:
    bench = desk("things").workbench()
    assert not bench.has_pictures
    with pytest.raises(DataError, match="data of vectors; it has no pictures"):
        bench.picture(bench.tune.keys[0])


def test_a_folder_s_pictures_are_shown_and_a_gone_one_is_an_error(shop: Shop, tmp_path: Path) -> None:
    photos = draw(tmp_path / "photos")
    lab = shop.lab(tmp_path / "runs", templates="plain")
    lab.run(str(photos))
    bench = lab.workbench()
    assert bench.has_pictures
    assert bench.picture(bench.tune.keys[0])[:2] == b"\xff\xd8"
    (photos / bench.tune.keys[1]).unlink()
    with pytest.raises(DataError, match="cannot be read"):
        bench.picture(bench.tune.keys[1])
    with pytest.raises(DataError, match="no pictures to show"):
        bench.picture("nowhere.png")
    seen, plain = bench.guess(str(photos / bench.tune.keys[2]), top=2)
    assert [len(one.top) for one in (*seen, *plain)] == [2, 2]
    assert bench.guess(str(tmp_path / "runs" / "latest" / "run.json"))[0][0].fault


def test_data_that_brought_its_text_vectors_cannot_be_edited_and_says_so(desk: Desk) -> None:
    lab = desk("own words")
    bench, before = lab.workbench(), files(run_folder(lab))
    assert not bench.editable
    assert bench.texts(0) == []
    assert {row.template.name for row in bench.families()} == {"one {}", "two {}"}
    for do in (lambda: bench.edit(Edit(EditKind.ADD, words=("a {}",))), bench.undo, bench.redo):
        with pytest.raises(UsageError, match="came with the data, so nothing can be said anew"):
            do()
    bench.reweigh("cpe")
    assert bench.way == "cpe"
    assert files(run_folder(lab)) == before


def test_unlabelled_data_is_held_to_what_the_plain_ensemble_says(desk: Desk) -> None:
    lab = desk("unlabelled")
    bench = lab.workbench()
    assert not bench.labelled
    label = bench.now.standing.label.copy()
    baseline = classify(lab_uniform(lab), bench.tune, None, "cpu")
    assert label.tolist() == baseline.winner.tolist()
    bench.edit(Edit(EditKind.DESCRIBE, "crane", "", ("a tall grey bird in shallow water",)))
    bench.edit(Edit(EditKind.ADD, words=("a watch near a {}",)))
    assert bench.now.standing.label.tolist() == label.tolist()
    again = lab.workbench()
    assert again.now.standing.winner.tolist() == bench.now.standing.winner.tolist()
    never = np.flatnonzero(bench.now.standing.count == 0).tolist()
    assert never
    assert bench.order(bench.now.standing)[: len(never)] == never
    assert sorted(bench.order(bench.now.standing)) == list(range(len(NAMES)))


def lab_uniform(lab: Lab):  # type: ignore[no-untyped-def]  # a Classifier
    """The uniform classifier of a run's prompts."""
    from promptlab.score.ensemble import uniform

    run, prompts, _ = lab.prompts()
    dataset = lab.open(str(run.manifest["data"]))
    encoder = lab.encoder(lab.model_for(dataset))
    return uniform(lab.texts(dataset.classes, prompts, encoder)[0])


def test_labels_of_unlabelled_data_leave_descriptions_out(desk: Desk) -> None:
    lab = desk("unlabelled")
    label = lab.workbench().now.standing.label.tolist()
    said = Description("crane", "a tall grey bird in shallow water", Form.PHRASE, Place.INSIDE, True)
    bench = lab.workbench()
    bench.edit(Edit(EditKind.DESCRIBE, said.class_id, "", (said.text,)))
    assert bench.now.standing.winner.tolist() != label  # it moves winners,
    assert lab.workbench().now.standing.label.tolist() == label  # and no right answer


def test_data_with_other_classes_than_the_run_s_is_refused(desk: Desk, tmp_path: Path) -> None:
    lab = desk("things")
    path = run_folder(lab)
    bench = lab.workbench()
    with np.load(str(bench.where)) as file:
        arrays = dict(file)
    np.savez(tmp_path / "other.npz", **(arrays | {"names": np.array([*NAMES[:-1], "clock"])}))
    manifest = (path / "run.json").read_text("utf-8").replace(bench.where, str(tmp_path / "other.npz"))
    (path / "run.json").write_text(manifest, "utf-8")
    with pytest.raises(MismatchError, match="was made of other classes than the data has now"):
        lab.workbench()


def test_a_run_without_a_classifier_stands_as_the_uniform_ensemble(desk: Desk) -> None:
    lab = desk("balance")
    for name in ("classifier.safetensors", "result.json", "classes.json"):
        (run_folder(lab) / name).unlink()
    bench = lab.workbench()
    plain = classify(lab_uniform(lab), bench.tune, bench.tune.labels, "cpu")
    assert bench.now.standing.winner.tolist() == plain.winner.tolist()
    assert bench.way == "uniform"
    assert [row.score for row in bench.families()] == [None] * 5
    assert bench._worst.tolist() == bench.order(bench.base)[:2]


def test_too_many_similarities_are_not_held_but_a_seeded_sample(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptlab.score.live.MOST_CELLS", 6 * 20)
    one, other = desk("things"), desk("balance")
    bench = one.workbench()
    assert len(bench.tune) == bench.headline.images == 20
    assert bench.tune.keys == other.workbench().tune.keys
    assert sorted(set(bench.tune.keys)) == sorted(bench.tune.keys)
    bench.edit(Edit(EditKind.RENAME, "crane", "", ("heron",)))
    assert len(bench.now.standing.winner) == 20


def test_opening_tells_of_its_work_to_whoever_listens(desk: Desk) -> None:
    lab, heard = desk("things"), list[Event]()
    bench: Workbench = lab.but(listen=heard.append).workbench()
    heard.clear()
    bench.edit(Edit(EditKind.DESCRIBE, "cup", "", ("with words that were never said before",)))
    assert [type(event).__name__ for event in heard][:1] == ["Started"]
