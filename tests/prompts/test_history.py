"""Edits as values, and their history in a run's folder: what is undone is gone to the byte, what is interrupted can be read."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptlab.errors import StoreError, UsageError
from promptlab.prompts import descriptions, edits, history
from promptlab.prompts.edits import Prompts
from promptlab.prompts.history import JOURNAL, LONGEST_TOLD, History, applied, told
from promptlab.prompts.templates import template
from promptlab.runs import Run
from promptlab.store import fingerprint
from promptlab.types import Classes, Description, Edit, EditKind, Form, Place

TEXT, ADD, REMOVE, TOGGLE, RENAME, DESCRIBE, USE, LEAVE, IMPORT = EditKind
CLASSES = Classes(("n1", "n 2", "f\udcff"), (("tench",), ("owl", "night bird"), ("coffee",)))
PHOTO, WILD, ARTICLE = (template(text) for text in ("a photo of a {}.", "{} in the wild", "one {{ name | article }}"))
FISH = Description("n1", "a green fish", Form.PHRASE, Place.INSIDE, True, "contrast@1", "small", "f00", "kept")
RED = Description("n1", "red fins", Form.PHRASE, Place.INSIDE, False, "contrast@1", "small", "f00", "lost")
FACE = Description("n 2", "a round face", Form.PHRASE, Place.BESIDE, True)
START = Prompts((PHOTO, WILD, ARTICLE), {"n 2": ("owl",)}, (FISH, RED, FACE))
HOSTILE = [
    'a "quoted" \\ \'so\' """ # = [x]\n[names]',
    "nul \x00 bell \x07 esc \x1b[31m red",
    "tab\there, two\r\nlines",
    "x\u2028y\x85z\x7f",
    "\u202eright to left",
    "🐟 👩‍🚀",
    "word " * 1000,
    "{{ name }} {% for %}",
]
FILES = (edits.FILE, edits.DRAFT, descriptions.FILE)


def made(folder: Path, prompts: Prompts = START, finished: bool = True) -> Run:
    """A run folder with these prompts."""
    run = Run(folder)
    run.save_json("run.json", {"created": "", "data": "", "settings": {}})
    run.save_text(edits.FILE, prompts.text())
    if prompts.descriptions:
        run.save_text(descriptions.FILE, descriptions.text(prompts.descriptions))
    if finished:
        run.save_json("result.json", {"written": fingerprint(descriptions.text(prompts.descriptions))})
    return run


def opened(run: Run) -> History:
    return History.open(run, CLASSES)


def files(run: Run) -> dict[str, bytes]:
    """{name: bytes} of the files that say what the prompts are."""
    return {name: (run.path / name).read_bytes() for name in FILES if (run.path / name).is_file()}


def read(run: Run) -> Prompts:
    """What the next command reads."""
    return replace(edits.load(edits.file_of(run.path)), descriptions=descriptions.load(run.path))


def after(edit: Edit, prompts: Prompts = START) -> Prompts:
    return applied(edit, prompts, CLASSES)


# -- edits as values ------------------------------------------------------------------------------------------------------------------


def test_an_own_text_is_said_by_source_or_as_tables_show_it_and_taken_back() -> None:
    for of in (PHOTO.source, "a photo of a {}."):
        found = after(Edit(TEXT, "n1", of, ("a slimy\tfish",)))
        assert found == replace(START, texts={"n1": {PHOTO.source: "a slimy fish"}})
        assert after(Edit(TEXT, "n1", of), found) == START


def test_templates_are_added_removed_and_set_aside() -> None:
    aside = after(Edit(TOGGLE, of="{} in the wild"))
    assert (aside.templates, aside.off) == ((PHOTO, ARTICLE), (WILD,))
    assert after(Edit(TOGGLE, of=WILD.source), aside) == replace(START, templates=(PHOTO, ARTICLE, WILD))
    assert after(Edit(ADD, words=("{} in the wild",)), aside) == replace(START, templates=(PHOTO, ARTICLE, WILD))
    assert after(Edit(REMOVE, words=("{} in the wild", PHOTO.source)), aside) == replace(START, templates=(ARTICLE,))


def test_a_template_that_goes_takes_its_own_texts_along() -> None:
    said = after(Edit(TEXT, "n1", WILD.source, ("wild fish",)), after(Edit(TEXT, "n1", PHOTO.source, ("a fish",))))
    assert after(Edit(TOGGLE, of=WILD.source), said).texts == said.texts
    assert after(Edit(REMOVE, words=(WILD.source,)), said).texts == {"n1": {PHOTO.source: "a fish"}}
    assert after(Edit(REMOVE, words=(WILD.source, PHOTO.source)), said).texts == {}


def test_classes_are_renamed_and_called_as_the_data_calls_them() -> None:
    assert after(Edit(RENAME, "n1", words=("big  tench", "fish"))).names == {"n 2": ("owl",), "n1": ("big tench", "fish")}
    assert after(Edit(RENAME, "n 2")).names == {}


def test_a_description_that_is_changed_by_hand_is_in_use_and_nobody_elses() -> None:
    found = after(Edit(DESCRIBE, "n1", "red fins", ("red and long fins.",)))
    assert found.descriptions == (FISH, Description("n1", "red and long fins.", Form.PHRASE, Place.INSIDE, True), FACE)


@pytest.mark.parametrize(
    ("class_id", "text", "form", "place"),
    [
        ("n1", "a slimy fish", Form.PHRASE, Place.INSIDE),
        ("n 2", "It hoots.", Form.SENTENCE, Place.BESIDE),
        ("f\udcff", "black", Form.PHRASE, Place.INSIDE),
    ],
)
def test_a_new_description_goes_where_those_of_its_class_are(class_id: str, text: str, form: Form, place: Place) -> None:
    assert after(Edit(DESCRIBE, class_id, words=(text,))).descriptions[3:] == (Description(class_id, text, form, place, True),)


def test_a_name_says_nothing_of_where_a_new_description_goes() -> None:
    named = replace(START, descriptions=(replace(FACE, place=Place.REPLACE), replace(FACE, text="x", use=False)))
    assert after(Edit(DESCRIBE, "n 2", words=("brown",)), named).descriptions[-1].place is Place.INSIDE


def test_what_is_said_already_is_not_said_twice() -> None:
    mine = Description("n1", "red fins", Form.PHRASE, Place.INSIDE, True)
    assert after(Edit(DESCRIBE, "n1", words=("red fins",))).descriptions == (FISH, mine, FACE)
    assert after(Edit(DESCRIBE, "n1", "a green fish", ("red fins",))).descriptions == (mine, FACE)


def test_descriptions_are_removed_accepted_and_rejected() -> None:
    assert after(Edit(DESCRIBE, "n1", "a green fish")).descriptions == (RED, FACE)
    assert after(Edit(USE, "n1", words=("red fins",))).descriptions == (FISH, replace(RED, use=True), FACE)
    assert after(Edit(LEAVE, "n1")).descriptions == (replace(FISH, use=False), RED, FACE)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (Edit(TEXT, "n3", PHOTO.source, ("x",)), "no class named 'n3'"),
        (Edit(TEXT, "tench", PHOTO.source, ("x",)), "no class named 'tench'"),
        (Edit(TEXT, "n1", "a photo", ("x",)), "no template named 'a photo'"),
        (Edit(TEXT, "n1", PHOTO.source, ("\x07 .",)), "Nothing is left"),
        (Edit(TEXT, "n1", PHOTO.source, ("",)), "Nothing is left"),
        (Edit(TEXT, "n1", PHOTO.source, ("caf\udce9",)), "no UTF-8"),
        (Edit(TEXT, "n1", PHOTO.source, ("x" * 10_001,)), "10001 characters"),
        (Edit(TEXT, "n1", PHOTO.source, ("x", "y")), "2 texts were given"),
        (Edit(ADD), "No template was given"),
        (Edit(ADD, words=("no place",)), "no place for the class name"),
        (Edit(ADD, words=("caf\udce9 {}",)), "no UTF-8"),
        (Edit(REMOVE), "No template was given"),
        (Edit(REMOVE, words=("a fotograph of a {}.",)), "no template named"),
        (Edit(REMOVE, words=tuple(t.source for t in START.templates)), "leave no template"),
        (Edit(TOGGLE, of="a"), "no template named 'a'"),
        (Edit(RENAME, "n3", words=("x",)), "no class named 'n3'"),
        (Edit(RENAME, "n1", words=("",)), "name is empty"),
        (Edit(RENAME, "n1", words=("\x07",)), "name is empty"),
        (Edit(RENAME, "n1", words=("caf\udce9",)), "no UTF-8"),
        (Edit(DESCRIBE, "n1", "a green fihs", ("x",)), "named 'a green fihs'"),
        (Edit(DESCRIBE, "n1", "a round face"), "named 'a round face'"),
        (Edit(DESCRIBE, "n1"), "named ''"),
        (Edit(IMPORT, of="x"), "An import has 0 texts"),
        (Edit(IMPORT, of="x", words=("templates = 1", "")), "holds no list of templates"),
        (Edit(DESCRIBE, "n1", words=(" . ",)), "Nothing is left"),
        (Edit(DESCRIBE, "n1", words=("caf\udce9",)), "no UTF-8"),
        (Edit(USE, "n1", words=("a round face",)), "named 'a round face'"),
        (Edit(LEAVE, "f\udcff"), "Nothing describes"),
    ],
    ids=lambda value: repr(value) if isinstance(value, str) else value.kind,
)
def test_what_cannot_be_done_is_told(edit: Edit, said: str, tmp_path: Path) -> None:
    run = made(tmp_path)
    before, found = files(run), opened(run)
    with pytest.raises(UsageError) as error:
        found.commit(edit)
    assert said in error.value.message
    assert (found.done, files(run)) == ((), before)
    assert not (run.path / JOURNAL).exists()


def test_the_nearest_name_is_told() -> None:
    with pytest.raises(UsageError) as error:
        after(Edit(DESCRIBE, "n1", "a green fihs"))
    assert "Did you mean 'a green fish'?" in error.value.hint


def test_the_last_template_in_use_stays() -> None:
    with pytest.raises(UsageError, match="leave no template"):
        after(Edit(TOGGLE, of=PHOTO.source), Prompts((PHOTO,), off=(WILD,)))


def test_each_edit_is_told_in_a_few_words() -> None:
    long = "word " * 1000
    for kind in EditKind:
        for words in ((), ("brown",), (long, long)):
            for of in ("", "a {}", long):
                said = told(Edit(kind, "n1", of, words))
                assert said
                assert len(said) < 4 * LONGEST_TOLD
    assert told(Edit(RENAME, "n1", words=("tench", "fish"))) == "rename n1 to tench, fish"
    assert told(Edit(DESCRIBE, "n1", "red", ("blue",))) == "describe n1 as 'blue' instead of 'red'"
    assert told(Edit(LEAVE, "n1")) == "leave out all of n1"
    assert told(Edit(IMPORT, of="cupl, said.json", words=("x", "y"))) == "import 'cupl, said.json'"


# -- the history in a run's folder ----------------------------------------------------------------------------------------------------

ONE_OF_EACH = [
    Edit(TEXT, "n1", PHOTO.source, ("a slimy fish",)),
    Edit(ADD, words=("a drawing of {}",)),
    Edit(TOGGLE, of=WILD.source),
    Edit(RENAME, "f\udcff", words=("a cup of coffee",)),
    Edit(DESCRIBE, "f\udcff", words=("black and hot",)),
    Edit(LEAVE, "n1"),
    Edit(REMOVE, words=(ARTICLE.source,)),
    Edit(USE, "n1", words=("red fins",)),
    edits.imported(replace(START, templates=(PHOTO, WILD), names={"n1": ("fish",)}, descriptions=(FISH,)), "cupl, said.json"),
]


@pytest.mark.parametrize("finished", [True, False])
def test_the_next_command_reads_every_step(finished: bool, tmp_path: Path) -> None:
    run = made(tmp_path, finished=finished)
    before, found = files(run), opened(run)
    for edit in ONE_OF_EACH:
        wanted = found.after(edit)
        assert found.commit(edit)
        assert found.prompts == read(run) == opened(run).prompts == wanted
        assert (run.path / edits.FILE).read_bytes() == before[edits.FILE] or not finished
    assert found.done == opened(run).done == tuple(ONE_OF_EACH)
    for edit in reversed(ONE_OF_EACH):
        assert (ahead := found.before()) is not None
        assert (found.undo(), found.prompts) == ahead == (edit, read(run))
    assert files(run) == before
    assert (found.undo(), found.before()) == (None, None)
    for edit in ONE_OF_EACH:
        assert (ahead := found.again()) is not None
        assert (found.redo(), found.prompts) == ahead == (edit, read(run))
    assert (found.redo(), found.again()) == (None, None)


def test_a_new_edit_ends_what_was_undone(tmp_path: Path) -> None:
    found = opened(run := made(tmp_path))
    for edit in ONE_OF_EACH[:3]:
        found.commit(edit)
    found.undo()
    found.undo()
    assert found.undone == tuple(ONE_OF_EACH[1:3])
    found.commit(ONE_OF_EACH[3])
    for one in (found, opened(run)):
        assert (one.done, one.undone) == ((ONE_OF_EACH[0], ONE_OF_EACH[3]), ())


def test_an_edit_that_changes_nothing_is_not_kept(tmp_path: Path) -> None:
    found = opened(run := made(tmp_path))
    found.commit(ONE_OF_EACH[0])
    found.undo()
    assert found.commit(Edit(ADD, words=(PHOTO.source,))) is None
    assert (found.done, found.undone) == ((), (ONE_OF_EACH[0],))
    assert opened(run).undone == found.undone


def test_a_draft_goes_when_it_says_what_the_run_was_made_with(tmp_path: Path) -> None:
    found = opened(run := made(tmp_path))
    found.commit(Edit(RENAME, "n1", words=("fish",)))
    assert (run.path / edits.DRAFT).is_file()
    found.commit(Edit(RENAME, "n1"))
    assert not (run.path / edits.DRAFT).exists()
    found.undo()
    assert (run.path / edits.DRAFT).is_file()


def test_files_by_hand_come_back_to_the_byte(tmp_path: Path) -> None:
    run = made(tmp_path)
    draft = b'# mine\r\ntemplates = ["a photo of a {}.", "{} alone"]\r\noff = ["a {}"]\n[texts.n1]\n"a photo of a {}." = "it"\n'
    said = b'\xef\xbb\xbf{"class": "n1", "text": "tall"}\r\n\r\n{"text": "It wades.", "class": "n 2"}'
    (run.path / edits.DRAFT).write_bytes(draft)
    (run.path / descriptions.FILE).write_bytes(said)
    before, found = files(run), opened(run)
    assert found.prompts.texts == {"n1": {PHOTO.source: "it"}}
    for edit in (Edit(TOGGLE, of="{} alone"), Edit(LEAVE, "n1"), Edit(TOGGLE, of="a {}")):
        found.commit(edit)
        found = opened(run)
    for _ in range(3):
        assert found.undo()
        found = opened(run)
    assert files(run) == before


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_words_are_kept_and_taken_back(hostile: str, tmp_path: Path) -> None:
    run = made(tmp_path, replace(START, descriptions=()))
    before, found = files(run), opened(run)
    found.commit(Edit(TEXT, "f\udcff", WILD.source, (hostile,)))
    found.commit(Edit(DESCRIBE, "f\udcff", words=(hostile,)))
    found.commit(Edit(RENAME, "f\udcff", words=(hostile,)))
    again = opened(run)
    assert again.prompts == found.prompts == read(run)
    assert again.done == found.done
    assert again.prompts.descriptions[0].text == again.prompts.texts["f\udcff"][WILD.source] == edits.clean(hostile)
    while again.undo():
        pass
    assert files(run) == before


texts = st.sampled_from(["a b", "x", "It is.", *HOSTILE])
ids = st.sampled_from(CLASSES.ids)
ofs = st.sampled_from([t.source for t in START.templates] + ["a drawing of {{ name }}"])
said = st.sampled_from(["a green fish", "red fins", "a round face", "x", "It is."])
any_edit = st.one_of(
    st.builds(Edit, st.just(TEXT), ids, ofs, st.one_of(st.just(()), st.tuples(texts))),
    st.builds(Edit, st.sampled_from([ADD, REMOVE]), words=st.tuples(ofs)),
    st.builds(Edit, st.just(TOGGLE), of=ofs),
    st.builds(Edit, st.just(RENAME), ids, words=st.one_of(st.just(()), st.tuples(texts), st.tuples(texts, texts))),
    st.builds(Edit, st.just(DESCRIBE), ids, st.one_of(st.just(""), said), st.one_of(st.just(()), st.tuples(texts))),
    st.builds(Edit, st.sampled_from([USE, LEAVE]), ids, words=st.one_of(st.just(()), st.tuples(said))),
)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.lists(st.one_of(any_edit, any_edit, st.sampled_from(["undo", "redo"])), max_size=12), st.booleans(), st.booleans())
def test_any_edits_undone_leave_everything_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Edit | str], finished: bool, bare: bool
) -> None:
    run = made(tmp_path_factory.mktemp("run"), replace(START, descriptions=()) if bare else START, finished)
    before, found = files(run), opened(run)
    start = found.prompts.fingerprint
    for step in steps:
        if isinstance(step, Edit):
            try:
                found.commit(step)
            except UsageError:
                continue
        else:
            getattr(found, step)()
        again = opened(run)
        assert (again.prompts, again.done, again.undone) == (found.prompts, found.done, found.undone)
        assert again.prompts.fingerprint == found.prompts.fingerprint
        assert read(run) == found.prompts
        found = again
    while found.undo():
        pass
    assert found.prompts.fingerprint == start
    assert files(run) == before


# -- what goes wrong ------------------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("moment", ["_put", "_append"])
@pytest.mark.parametrize("deed", ["commit", "undo", "redo"])
@pytest.mark.parametrize("edit", ONE_OF_EACH[3:5], ids=lambda edit: edit.kind)
def test_whatever_is_interrupted_can_be_opened(moment: str, deed: str, edit: Edit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(tmp_path)
    found = opened(run)
    found.commit(ONE_OF_EACH[0])
    doing: dict[str, Callable[[], Any]] = {"commit": lambda: found.commit(edit), "undo": found.undo, "redo": found.redo}
    if deed != "commit":
        found.commit(edit)
    if deed == "redo":
        found.undo()
    now, then = found.prompts, found.after(edit) if deed == "commit" else (found.before() if deed == "undo" else found.again())[1]  # type: ignore[index]

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(History if moment == "_append" else history, moment, die)
        try:
            doing[deed]()
        except Killed:
            pass
        else:
            assert (deed, moment) == ("undo", "_put"), "a file is removed, not written"
    again = opened(run)
    assert again.prompts == read(run)
    assert again.prompts in (now, then)
    again.commit(Edit(ADD, words=("{} at last",)))
    assert opened(run).done == again.done
    again.undo()
    assert read(run) == opened(run).prompts


def test_a_line_that_was_torn_is_dropped(tmp_path: Path) -> None:
    found = opened(run := made(tmp_path))
    found.commit(ONE_OF_EACH[0])
    with open(run.path / JOURNAL, "ab") as file:
        file.write(b'{"edit": {"kind": "ren')
    found = opened(run)
    assert found.done == (ONE_OF_EACH[0],)
    found.commit(ONE_OF_EACH[1])
    assert opened(run).done == tuple(ONE_OF_EACH[:2])


@pytest.mark.parametrize(
    "line",
    [
        "oops",
        "[]",
        '{"undo": true}\n{"undo": true}',
        '{"redo": true}',
        '{"edit": {"kind": "add"}}',
        '{"edit": 1}',
        '{"edit": {"kind": "paint", "class_id": "", "of": "", "words": []}}',
        "[" * 100_000,
    ],
    ids=lambda line: line[:20],
)
def test_a_journal_that_makes_no_sense_starts_anew(line: str, tmp_path: Path) -> None:
    found = opened(run := made(tmp_path))
    found.commit(ONE_OF_EACH[0])
    with open(run.path / JOURNAL, "a") as file:
        file.write(line + "\n")
    again = opened(run)
    assert (again.prompts, again.done) == (found.prompts, ())
    again.commit(ONE_OF_EACH[1])
    assert opened(run).done == (ONE_OF_EACH[1],)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\xff\n", b'{"base": {}}\n', b'{"base": {"prompts": 1}}\n', b'{"base": {"prompts": "x = ["}}\n']
)
def test_a_journal_without_a_beginning_starts_anew(content: bytes, tmp_path: Path) -> None:
    run = made(tmp_path)
    (run.path / JOURNAL).write_bytes(content)
    found = opened(run)
    found.commit(ONE_OF_EACH[0])
    assert opened(run).done == (ONE_OF_EACH[0],)


def test_edits_by_hand_start_a_new_history(tmp_path: Path) -> None:
    found = opened(run := made(tmp_path))
    found.commit(ONE_OF_EACH[0])
    for name, mine in ((edits.DRAFT, b"# mine\n"), (descriptions.FILE, b'{"class": "n 2", "text": "mine"}\n')):
        path = run.path / name
        path.write_bytes(path.read_bytes() + mine)
        found = opened(run)
        assert (found.prompts, found.done) == (read(run), ())
        before = files(run)
        found.commit(ONE_OF_EACH[1])
        found.undo()
        assert files(run) == before


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    run = made(tmp_path)
    mine, theirs = opened(run), opened(run)
    theirs.commit(ONE_OF_EACH[0])
    before = files(run)
    for deed in (lambda: mine.commit(ONE_OF_EACH[1]), lambda: mine.commit(ONE_OF_EACH[4])):
        with pytest.raises(UsageError, match="changed by something else"):
            deed()
    assert files(run) == before
    assert mine.done == ()
    (run.path / JOURNAL).unlink()
    with pytest.raises(UsageError, match="changed by something else"):
        theirs.undo()


def test_a_disk_that_is_full_is_told_and_the_prompts_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = opened(run := made(tmp_path))
    found.commit(ONE_OF_EACH[0])

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(StoreError, match="No space left"):
            found.commit(ONE_OF_EACH[1])
    assert opened(run).prompts == read(run)
    assert opened(run).done == (ONE_OF_EACH[0],)


# -- dropping edits -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("finished", [True, False])
def test_a_reset_gives_everything_back(finished: bool, tmp_path: Path) -> None:
    run = made(tmp_path, finished=finished)
    before, found = files(run), opened(run)
    assert history.reset(run) is False
    for edit in ONE_OF_EACH:
        found.commit(edit)
    assert history.reset(run) is True
    assert files(run) == before
    assert not (run.path / JOURNAL).exists()
    assert opened(run).done == ()
    assert history.reset(run) is False


def test_a_reset_drops_a_draft_by_hand_and_keeps_descriptions_by_hand(tmp_path: Path) -> None:
    run = made(tmp_path)
    (run.path / edits.DRAFT).write_text('templates = ["a {}"]\n')
    (run.path / descriptions.FILE).write_text(mine := '{"class": "n1", "text": "mine"}\n')
    before = files(run)
    opened(run).commit(Edit(LEAVE, "n1"))
    assert history.reset(run) is True
    assert files(run) == {name: content for name, content in before.items() if name != edits.DRAFT}
    assert (run.path / descriptions.FILE).read_text() == mine


def test_what_cannot_be_read_can_be_reset(tmp_path: Path) -> None:
    run = made(tmp_path)
    opened(run).commit(Edit(LEAVE, "n1"))
    (run.path / edits.DRAFT).write_bytes(b"\xff")
    (run.path / descriptions.FILE).write_bytes(b"\xff")
    assert history.reset(run) is True
    assert read(run) == START


def test_a_run_that_took_the_edits_leaves_a_finished_one_as_it_was(tmp_path: Path) -> None:
    for finished in (True, False):
        run = made(tmp_path / str(finished), finished=finished)
        before, found = files(run), opened(run)
        for edit in ONE_OF_EACH:
            found.commit(edit)
        after = files(run)
        history.taken(run)
        assert files(run) == (before if finished else after)


def test_a_journal_holds_one_small_line_an_edit(tmp_path: Path) -> None:
    found = opened(run := made(tmp_path))
    found.commit(ONE_OF_EACH[0])
    found.undo()
    found.redo()
    lines = [json.loads(line) for line in (run.path / JOURNAL).read_text().splitlines()]
    assert lines == [
        {"base": {"prompts": START.text(), "descriptions": descriptions.text(START.descriptions)}},
        {"edit": {"kind": "text", "class_id": "n1", "of": PHOTO.source, "words": ["a slimy fish"]}},
        {"undo": True},
        {"redo": True},
    ]
    assert (run.path / JOURNAL).stat().st_mode & 0o077 == 0
