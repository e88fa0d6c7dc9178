"""Edits on the workbench: each moves what it should, and nothing else; undone, all is as before; kept as they happen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from cli.planted import NAMES, WORDS
from hypothesis import given
from hypothesis import strategies as st
from score.planted import checked_briefly

from promptlab.errors import StoreError, UsageError
from promptlab.lab import Lab
from promptlab.prompts import edits
from promptlab.prompts.edits import Prompts
from promptlab.prompts.templates import template as template_of
from promptlab.types import Array, Description, Edit, EditKind, Form, Place
from promptlab.workbench import Workbench

from .planted import CRANE, FISH, LAMP, Shop, files, run_folder

Desk = Callable[[str], Lab]
TEXT, ADD, REMOVE, TOGGLE, RENAME, DESCRIBE, USE, LEAVE, IMPORT = EditKind
BIRD = WORDS["crane"][0]
PLAIN = "{}"
SINGLE = [
    Edit(TEXT, "crane", PLAIN, (BIRD,)),
    Edit(RENAME, "crane", "", ("heron", "grey heron")),
    Edit(DESCRIBE, "crane", "", (BIRD,)),
]
OF_ALL = [Edit(ADD, words=("a watch near a {}",)), Edit(REMOVE, words=(PLAIN,)), Edit(TOGGLE, of=FISH)]
NEAR = 1e-6


class State:
    """All that a workbench shows."""

    def __init__(self, bench: Workbench) -> None:
        now = bench.now
        self.rows, self.margin = bench._live.rows.copy(), now.standing.margin.copy()
        self.winner, self.weights, self.texts = now.standing.winner.tolist(), now.weights.tolist(), now.texts.tolist()
        self.prompts, self.names, self.done, self.undone = now.prompts.fingerprint, now.classes.names, now.done, now.undone

    def same_as(self, other: "State") -> None:
        """Both show the same; what can be undone and redone apart."""
        np.testing.assert_allclose(self.rows, other.rows, atol=NEAR)
        np.testing.assert_allclose(self.margin, other.margin, atol=NEAR)
        assert (self.winner, self.texts, self.prompts, self.names) == (other.winner, other.texts, other.prompts, other.names)
        np.testing.assert_allclose(self.weights, other.weights)


def moved_rows(bench: Workbench, before: Array) -> list[str]:
    return [NAMES[c] for c in np.flatnonzero((bench._live.rows != before).any(1))]


# -- each kind ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edit", SINGLE, ids=lambda edit: edit.kind.value)
def test_an_edit_of_a_class_moves_its_row_alone(desk: Desk, edit: Edit) -> None:
    bench = desk("balance").workbench()
    before = State(bench)
    bench.edit(edit)
    assert moved_rows(bench, before.rows) == ["crane"]
    assert bench.now.weights.tolist() == before.weights
    assert bench.headline.since.images == sum(a != b for a, b in zip(before.winner, bench.now.standing.winner.tolist(), strict=True))


@pytest.mark.parametrize("edit", OF_ALL, ids=lambda edit: edit.kind.value)
def test_an_edit_of_a_family_moves_every_row(desk: Desk, edit: Edit) -> None:
    bench = desk("balance").workbench()
    before = State(bench)
    bench.edit(edit)
    assert moved_rows(bench, before.rows) == list(NAMES)
    assert sum(bench.now.weights) == pytest.approx(1)


@pytest.mark.parametrize("kind", ["things", "one chosen", "by class", "logits", "balance", "few lamps", "unlabelled"])
@pytest.mark.parametrize("edit", [*SINGLE, *OF_ALL], ids=lambda edit: edit.kind.value)
def test_an_edit_stands_as_a_bench_opened_afterwards(desk: Desk, kind: str, edit: Edit) -> None:
    lab = desk(kind)
    bench = lab.workbench()
    before = State(bench)
    bench.edit(edit)
    edited = State(bench)
    assert edited.prompts != before.prompts
    State(lab.workbench()).same_as(edited)
    assert bench.undo() == edit
    State(bench).same_as(before)
    assert bench.redo() == edit
    State(bench).same_as(edited)
    bench.undo()
    State(lab.workbench()).same_as(before)


def test_own_text_is_said_and_the_template_again_after_it(desk: Desk) -> None:
    lab = desk("things")
    bench = lab.workbench()
    before = bench.now.standing.accuracy[CRANE]
    for template in bench.now.prompts.templates:
        bench.edit(Edit(TEXT, "crane", template.source, (BIRD,)))
    rows = bench.texts(CRANE)
    assert {(row.text, row.own) for row in rows} == {(BIRD, True)}
    assert bench.now.standing.accuracy[CRANE] > before
    draft = edits.load(run_folder(lab) / edits.DRAFT)
    assert draft.texts == {"crane": {template.source: BIRD for template in bench.now.prompts.templates}}
    bench.edit(Edit(TEXT, "crane", "a photo of a {}."))
    assert {row.text for row in bench.texts(CRANE) if not row.own} == {"a photo of a crane."}


def test_a_class_can_be_named_anew_and_called_what_the_data_calls_it(desk: Desk) -> None:
    bench = desk("things").workbench()
    before, ids = State(bench), bench.now.classes.ids
    bench.edit(Edit(RENAME, "crane", "", ("heron", "bird")))
    assert bench.now.classes.names[CRANE] == ("heron", "bird")
    assert bench.now.classes.ids == ids
    assert {row.text for row in bench.texts(CRANE) if row.template.name == "{}"} == {"heron", "bird"}
    assert bench.now.texts[CRANE] == 2 * before.texts[CRANE]
    bench.edit(Edit(RENAME, "crane"))
    State(bench).same_as(before)
    assert bench.now.done == 2


def test_a_family_set_aside_takes_no_part_and_is_back_as_it_was(desk: Desk) -> None:
    bench = desk("things").workbench()
    bench.edit(Edit(TEXT, "crane", FISH, ("a fish and a crane",)))
    before = State(bench)
    bench.edit(Edit(TOGGLE, of=FISH))
    assert [(row.template.name, row.weight) for row in bench.families() if not row.used] == [(FISH, 0.0)]
    assert bench.now.weights.tolist() == pytest.approx([1 / 4] * 4)
    assert "a fish and a crane" not in {row.text for row in bench.texts(CRANE)}
    bench.edit(Edit(RENAME, "bass", "", ("perch",)))  # of the one set aside, too
    bench.edit(Edit(TOGGLE, of=FISH))
    assert "a green fish and a perch on wet grass." in {row.text for row in bench.texts(0)}
    bench.edit(Edit(RENAME, "bass"))
    assert "a fish and a crane" in {row.text for row in bench.texts(CRANE)}
    np.testing.assert_allclose(State(bench).rows, before.rows, atol=NEAR)


def test_descriptions_are_added_changed_left_out_used_and_dropped(desk: Desk) -> None:
    bench = desk("things").workbench()
    plain = State(bench)
    bench.edit(Edit(DESCRIBE, "crane", "", (BIRD,)))
    described = State(bench)
    assert [(one.text, one.use) for one in bench.descriptions(CRANE)] == [(BIRD, True)]
    assert bench.now.standing.accuracy[CRANE] > bench.base.accuracy[CRANE]
    assert bench.now.texts[CRANE] == 2 * plain.texts[CRANE]
    assert len(bench.texts(CRANE)) == 5  # texts alone, without what is described
    bench.edit(Edit(LEAVE, "crane", "", (BIRD,)))
    assert [one.use for one in bench.descriptions(CRANE)] == [False]
    np.testing.assert_allclose(State(bench).rows, plain.rows, atol=NEAR)
    bench.edit(Edit(USE, "crane"))
    State(bench).same_as(described)
    bench.edit(Edit(DESCRIBE, "crane", BIRD, ("a bird with long legs",)))
    assert [one.text for one in bench.descriptions(CRANE)] == ["a bird with long legs"]
    bench.edit(Edit(DESCRIBE, "crane", "a bird with long legs"))
    assert bench.descriptions(CRANE) == []
    State(bench).same_as(plain)
    assert bench.descriptions(LAMP) == []


def test_edits_of_a_class_without_pictures_are_taken(desk: Desk) -> None:
    bench = desk("few lamps").workbench()
    before = State(bench)
    for edit in (
        Edit(RENAME, "lamp", "", ("lantern",)),
        Edit(DESCRIBE, "lamp", "", ("in the dark",)),
        Edit(TEXT, "lamp", PLAIN, ("light",)),
    ):
        bench.edit(edit)
        assert np.isnan(bench.now.standing.accuracy[LAMP])
        assert np.isfinite([bench.headline.accuracy, bench.headline.mean, bench.headline.worst, bench.headline.cmm]).all()
    assert moved_rows(bench, before.rows) == ["lamp"]
    bench.edit(Edit(DESCRIBE, "lamp", "in the dark"))
    for _ in range(4):
        bench.undo()
    State(bench).same_as(before)


def test_a_class_whose_texts_become_those_of_another_ties_with_it(desk: Desk) -> None:
    bench = desk("things").workbench()
    bench.edit(Edit(RENAME, "watch", "", ("crane",)))
    np.testing.assert_array_equal(bench._live.rows[NAMES.index("watch")], bench._live.rows[CRANE])
    assert bench.now.standing.accuracy[NAMES.index("watch")] == 0  # the lowest index has it


# -- all of them ----------------------------------------------------------------------------------------------------------------------

TEMPLATES = ("{}", "a photo of a {}.", FISH, "a watch near a {}")
TEXTS = (BIRD, "a bird with long legs", "a cup")


@st.composite
def some_edits(draw: st.DrawFn) -> Edit:
    kind, class_id = draw(st.sampled_from(list(EditKind))), draw(st.sampled_from(("crane", "lamp")))
    template, text = draw(st.sampled_from(TEMPLATES)), draw(st.sampled_from(TEXTS))
    if kind in (ADD, REMOVE):
        return Edit(kind, words=(template,))
    if kind is IMPORT:
        said = Description(class_id, text, Form.PHRASE, Place.INSIDE, True)
        return edits.imported(Prompts((template_of(template),), {"lamp": ("light",)}, (said,)), "a file")
    if kind is TOGGLE:
        return Edit(kind, of=template)
    if kind is RENAME:
        return Edit(kind, class_id, "", draw(st.sampled_from([(), ("heron",), ("heron", "bird")])))
    if kind is TEXT:
        return Edit(kind, class_id, template, draw(st.sampled_from([(), (text,)])))
    if kind is DESCRIBE:
        of, words = draw(st.sampled_from([("", (text,)), (text, (BIRD,)), (text, ())]))
        return Edit(kind, class_id, of, words)
    return Edit(kind, class_id, "", draw(st.sampled_from([(), (text,)])))


@contextmanager
def a_copy(shop: Shop, kind: str) -> Iterator[Lab]:
    with TemporaryDirectory() as folder:
        yield shop.copy(kind, Path(folder))


@pytest.mark.parametrize("kind", ["things", "by class", "balance"])
def test_any_edits_all_undone_leave_what_was_there(shop: Shop, kind: str) -> None:
    @checked_briefly
    @given(st.lists(some_edits(), min_size=1, max_size=7))
    def holds(wanted: list[Edit]) -> None:
        with a_copy(shop, kind) as lab:
            bench = lab.workbench()
            states = [State(bench)]
            for edit in wanted:
                before = State(bench), files(run_folder(lab))
                try:
                    bench.edit(edit)
                except UsageError:
                    State(bench).same_as(before[0])
                    assert files(run_folder(lab)) == before[1]
                    continue
                if bench.now.done == before[0].done:  # it said what was said already
                    State(bench).same_as(before[0])
                else:
                    states.append(State(bench))
            assert bench.now.done == len(states) - 1
            State(lab.workbench()).same_as(states[-1])
            for state in reversed(states[:-1]):
                bench.undo()
                State(bench).same_as(state)
            assert bench.undo() is None
            assert (bench.now.done, bench.now.undone) == (0, len(states) - 1)
            State(lab.workbench()).same_as(states[0])
            while bench.redo():
                pass
            State(bench).same_as(states[-1])
            assert bench.redo() is None

    holds()


# -- what cannot be done --------------------------------------------------------------------------------------------------------------

IMPOSSIBLE = [
    Edit(TEXT, "crane", "no such family {}", ("x",)),
    Edit(TEXT, "nobody", PLAIN, ("x",)),
    Edit(TEXT, "crane", PLAIN, ("\x1b\x07",)),
    Edit(TEXT, "crane", PLAIN, ("x" * 100_000,)),
    Edit(TEXT, "crane", PLAIN, ("one", "two")),
    Edit(ADD),
    Edit(ADD, words=("no place for a name",)),
    Edit(ADD, words=("{{ name | no_such_filter }}",)),
    Edit(REMOVE, words=("no such family {}",)),
    Edit(REMOVE, words=("{}", "a photo of a {}.", "a drawing of a {}.", "several {}s together.", FISH)),
    Edit(TOGGLE, of="no such family {}"),
    Edit(RENAME, "nobody", "", ("x",)),
    Edit(RENAME, "crane", "", ("",)),
    Edit(RENAME, "crane", "", ("\udcff",)),
    Edit(DESCRIBE, "nobody", "", ("x",)),
    Edit(DESCRIBE, "crane", "never said", ("x",)),
    Edit(DESCRIBE, "crane"),
    Edit(USE, "crane"),
    Edit(LEAVE, "crane", "", ("never said",)),
]


@pytest.mark.parametrize("edit", IMPOSSIBLE, ids=lambda edit: f"{edit.kind.value} {ascii(edit.of or edit.words)[:24]}")
def test_an_edit_that_cannot_be_done_changes_nothing(desk: Desk, edit: Edit) -> None:
    lab = desk("things")
    bench = lab.workbench()
    bench.edit(Edit(RENAME, "lamp", "", ("lantern",)))
    before, kept = State(bench), files(run_folder(lab))
    with pytest.raises(UsageError):
        bench.edit(edit)
    State(bench).same_as(before)
    assert (bench.now.done, bench.now.undone) == (1, 0)
    assert files(run_folder(lab)) == kept
    bench.edit(Edit(RENAME, "cup", "", ("mug",)))  # and goes on
    assert bench.now.done == 2


def test_an_edit_whose_words_cannot_be_encoded_changes_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = desk("things")
    bench = lab.workbench()
    before, kept = State(bench), files(run_folder(lab))

    def broken(*given: object) -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr("promptlab.encode.text.encode_grid", broken)
        for edit in (*SINGLE, OF_ALL[0]):
            with pytest.raises(RuntimeError, match="out of memory"):
                bench.edit(edit)
            State(bench).same_as(before)
    assert files(run_folder(lab)) == kept
    bench.edit(SINGLE[0])
    State(lab.workbench()).same_as(State(bench))


@pytest.mark.parametrize("edit", [SINGLE[0], SINGLE[2], OF_ALL[0]], ids=lambda edit: edit.kind.value)
def test_an_edit_that_cannot_be_kept_changes_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch, edit: Edit) -> None:
    lab = desk("things")
    bench = lab.workbench()
    bench.edit(SINGLE[1])
    before, kept = State(bench), files(run_folder(lab))

    def full(*given: object) -> None:
        raise StoreError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr("promptlab.prompts.history._put", full)
        with pytest.raises(StoreError, match="disk is full"):
            bench.edit(edit)
    State(bench).same_as(before)
    assert files(run_folder(lab)) == kept
    bench.edit(edit)
    State(lab.workbench()).same_as(State(bench))


# -- others, crashes, later runs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("do", [lambda bench: bench.edit(SINGLE[0]), Workbench.undo], ids=["edit", "undo"])
def test_what_somebody_else_edited_meanwhile_is_not_overwritten(desk: Desk, do: Callable[[Workbench], object]) -> None:
    lab = desk("things")
    mine = lab.workbench()
    mine.edit(Edit(RENAME, "lamp", "", ("lantern",)))
    other = lab.workbench()
    other.edit(Edit(RENAME, "cup", "", ("mug",)))
    kept = files(run_folder(lab))
    with pytest.raises(UsageError, match="changed elsewhere"):
        do(mine)
    State(mine).same_as(State(other))
    assert (mine.now.done, mine.now.undone) == (2, 0)
    assert files(run_folder(lab)) == kept
    assert lab.workbench().now.classes.titles[2:5] == ("mug", "ewer", "lantern")
    do(mine)
    State(mine).same_as(State(lab.workbench()))


def test_a_bench_opened_after_a_crash_shows_the_edits_and_can_undo_them(desk: Desk) -> None:
    lab = desk("balance")
    bench = lab.workbench()
    start = State(bench)
    for edit in (*SINGLE, *OF_ALL):
        bench.edit(edit)
    bench.undo()
    held = State(bench)
    del bench
    again = lab.workbench()
    State(again).same_as(held)
    assert (again.now.done, again.now.undone) == (5, 1)
    assert again.redo() == OF_ALL[-1]
    while again.undo():
        pass
    State(again).same_as(start)
    assert again.headline.since.images == 0


@pytest.mark.parametrize("kind", ["things", "balance"])
def test_the_next_run_takes_the_edits_and_comes_to_the_same_figures(desk: Desk, kind: str) -> None:
    lab = desk(kind)
    bench, folder = lab.workbench(), run_folder(lab)
    for edit in (Edit(DESCRIBE, "crane", "", (BIRD,)), Edit(RENAME, "lamp", "", ("lantern",)), Edit(TOGGLE, of=FISH)):
        bench.edit(edit)
    made = lab.run(run=str(folder))
    assert made.run.path != folder
    assert made.material.dataset.classes.titles == bench.now.classes.titles
    after = lab.workbench()
    assert after.now.prompts.fingerprint == bench.now.prompts.fingerprint
    assert (after.now.done, after.headline.since.images) == (0, 0)
    bench.reweigh()
    if made.outcome.kept:
        assert after.now.standing.winner.tolist() == bench.now.standing.winner.tolist()
    assert lab.workbench(folder.name).now.done == 0  # the run that was edited says again what it was made with


def test_an_unfinished_run_is_edited_in_place(desk: Desk) -> None:
    lab = desk("things")
    (run_folder(lab) / "result.json").unlink()
    bench = lab.workbench()
    bench.edit(OF_ALL[0])
    assert not (run_folder(lab) / edits.DRAFT).exists()
    assert "a watch near a {}" in {t.name for t in edits.load(run_folder(lab) / edits.FILE).templates}
    State(lab.workbench()).same_as(State(bench))
