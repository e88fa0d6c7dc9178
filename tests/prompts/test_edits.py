"""The file of a run's prompts: what it says comes back, what makes no sense is told, a file without anything new is as it was."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptlab.errors import UsageError
from promptlab.prompts.edits import HEAD, Prompts, read
from promptlab.prompts.templates import template
from promptlab.types import Classes, Description, Form, Place

PHOTO, WILD = template("a photo of a {}."), template("{} in the wild")
ONE = Description("n1", "a tall bird", Form.PHRASE, Place.INSIDE, True)
BIRDS = Classes(("n1", "n2"), (("crane",), ("lift",)))


def test_a_file_without_texts_of_its_own_is_what_it_always_was() -> None:
    found = Prompts((PHOTO, WILD), {'n "2"': ("a", "b")})
    listed = 'templates = [\n    "a photo of a {{ name }}.",\n    "{{ name }} in the wild",\n]\n'
    assert found.text() == f'{HEAD}\n{listed}\n[names]\n"n \\"2\\"" = ["a", "b"]\n'
    assert Prompts((PHOTO, WILD)).text() == f"{HEAD}\n{listed}"


def test_own_texts_and_families_set_aside_are_written_by_class() -> None:
    text = Prompts((PHOTO,), off=(WILD,), texts={"f\udcff": {PHOTO.source: 'a "cup"', WILD.source: "x"}, "n1": {PHOTO.source: "y"}}).text()
    assert text.endswith(
        'off = [\n    "{{ name }} in the wild",\n]\n\n'
        '[texts."f\\\\xff"]\n"a photo of a {{ name }}." = "a \\"cup\\""\n"{{ name }} in the wild" = "x"\n\n'
        '[texts."n1"]\n"a photo of a {{ name }}." = "y"\n'
    )


def test_a_file_by_hand_may_say_templates_as_people_write_them() -> None:
    found = read(
        'templates = ["a photo of a {}."]\noff = ["{c} in the wild", "a photo of a {}."]\n[texts.n1]\n"a photo of a {}." = "it"', ""
    )
    assert (found.templates, [t.source for t in found.off]) == ((PHOTO,), [WILD.source])
    assert found.texts == {"n1": {PHOTO.source: "it"}}


words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
folders = st.text(st.characters(codec="utf-8") | st.sampled_from(["\udcff", "\udc80", "\\", '"']), min_size=1, max_size=8)
sources = st.sampled_from([PHOTO, WILD, template('the "{}"\n= [x]'), template("\\ {} # '''"), template("{{ name | article }}\x7f")])


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.lists(sources, min_size=1, max_size=3, unique=True),
    st.lists(sources, max_size=3, unique=True),
    st.dictionaries(folders, st.dictionaries(sources.map(lambda t: t.source), words, min_size=1), max_size=3),
    st.dictionaries(folders, st.tuples(words.filter(str.strip)), max_size=2),
)
def test_whatever_is_said_comes_back(
    used: list[object], off: list[object], texts: dict[str, dict[str, str]], names: dict[str, tuple[str]]
) -> None:
    before = Prompts(tuple(used), names, (), tuple(t for t in off if t not in used), texts)  # type: ignore[arg-type]
    found = read(before.text(), "here")
    assert found.fingerprint == before.fingerprint
    assert (found.names, found.texts) == (names, texts)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("off = 1", "set aside"),
        ("off = [1]", "set aside"),
        ('off = ["no place"]', "no place for the class name"),
        ("texts = 1", "not texts by template"),
        ("[texts]\nn1 = 'x'", "not texts by template"),
        ('[texts.n1]\n"a {}" = 1', "not texts by template"),
        ('[texts.n1]\n"a {}" = ["x"]', "not texts by template"),
        ('[texts.n1]\n"a {% for %}" = "x"', "cannot be read"),
        ("off = " + "9" * 5000, "cannot be read"),
        ("off = " + "[" * 5000, "cannot be read"),
    ],
)
def test_what_makes_no_sense_is_told(content: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read(f'templates = ["a {{}}"]\n{content}\n', "here")


def test_the_fingerprint_changes_with_all_that_is_said() -> None:
    first = Prompts((PHOTO, WILD))
    others = [
        replace(first, templates=(PHOTO,), off=(WILD,)),
        replace(first, templates=(PHOTO,)),
        replace(first, names={"n1": ("x",)}),
        replace(first, texts={"n1": {PHOTO.source: "x"}}),
        replace(first, descriptions=(ONE,)),
        replace(first, descriptions=(replace(ONE, use=False),)),
    ]
    assert len({one.fingerprint for one in [first, *others]}) == len(others) + 1
    assert Prompts((PHOTO, WILD), texts={}).fingerprint == first.fingerprint


def test_what_is_said_of_other_classes_is_left_out_and_counted() -> None:
    said = (ONE, replace(ONE, class_id="x"), replace(ONE, class_id="y", use=False), replace(ONE, class_id="x", text="b"))
    texts = {"n2": {PHOTO.source: "t"}, "x": {PHOTO.source: "t"}, "z": {PHOTO.source: "t"}}
    before = Prompts((PHOTO,), {"n1": ("crane",)}, said, (WILD,), texts)
    found, strange = before.fitting(BIRDS)
    assert (found, strange) == (replace(before, descriptions=(ONE,), texts={"n2": {PHOTO.source: "t"}}), 3)
    assert found.fitting(BIRDS) == (found, 0)
