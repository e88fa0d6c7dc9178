"""Descriptions in the grid: what each place makes of phrases and sentences, what is marked, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.errors import UsageError
from promptlab.prompts.compose import compose, described
from promptlab.prompts.templates import template
from promptlab.types import Classes, Description, Form, Place, PromptGrid

PHRASE, SENTENCE = Form
INSIDE, REPLACE, BESIDE = Place.INSIDE, Place.REPLACE, Place.BESIDE
TWO = Classes(("n1", "n2"), (("tench",), ("owl", "night bird")))
TEMPLATES = [template("a photo of a {}."), template("{} in the wild"), template("one {{ name | article }}")]


def says(text: str, place: Place = INSIDE, form: Form = PHRASE, class_id: str = "n1", use: bool = True) -> Description:
    return Description(class_id, text, form, place, use)


def cell(grid: PromptGrid, k: int, c: int) -> tuple[set[str], set[str]]:
    """(bare texts, descriptions) of one cell."""
    marked = np.zeros(len(grid.cell), bool) if grid.described is None else grid.described
    mine = [(grid.texts[p], bool(its)) for (i, j, p), its in zip(grid.cell, marked, strict=True) if (i, j) == (k, c)]
    return {text for text, its in mine if not its}, {text for text, its in mine if its}


def cells(*descriptions: Description, c: int = 0) -> list[tuple[set[str], set[str]]]:
    """The cells of one class, family after family."""
    grid = compose(TWO, TEMPLATES, descriptions)
    return [cell(grid, k, c) for k in range(len(TEMPLATES))]


# -- places -------------------------------------------------------------------------------------------------------------------------

BARE = ["a photo of a tench.", "tench in the wild", "one a tench"]


def test_inside_a_phrase_follows_the_bare_text_of_every_template() -> None:
    assert cells(says("a green fish")) == [
        ({"a photo of a tench."}, {"a photo of a tench, a green fish."}),
        ({"tench in the wild"}, {"tench in the wild, a green fish."}),
        ({"one a tench"}, {"one a tench, a green fish."}),
    ]


def test_inside_a_phrase_follows_each_of_several_names() -> None:
    bare, said = cells(says("a round face", class_id="n2"), c=1)[0]
    assert bare == {"a photo of a owl.", "a photo of a night bird."}
    assert said == {"a photo of a owl, a round face.", "a photo of a night bird, a round face."}


def test_inside_a_sentence_stands_alone_in_every_cell() -> None:
    sentence = "It is green and swims."
    assert cells(says(sentence, form=SENTENCE)) == [({bare}, {sentence}) for bare in BARE]


def test_in_place_of_the_name_a_phrase_is_the_name() -> None:
    assert cells(says("green fish", REPLACE), says("doctor fish", REPLACE)) == [
        ({"a photo of a green fish.", "a photo of a doctor fish."}, set()),
        ({"green fish in the wild", "doctor fish in the wild"}, set()),
        ({"one a green fish", "one a doctor fish"}, set()),
    ]


def test_in_place_of_the_name_a_sentence_is_the_whole_cell() -> None:
    assert cells(says("It swims.", REPLACE, SENTENCE)) == [({"It swims."}, set())] * 3
    assert cells(says("It swims.", REPLACE, SENTENCE), says("fish", REPLACE))[1] == ({"It swims.", "fish in the wild"}, set())


def test_beside_a_phrase_is_one_text_in_all_cells_alike() -> None:
    said = {"a photo of an owl, a round face."}
    assert [made[1] for made in cells(says("a round face", BESIDE, class_id="n2"), c=1)] == [said] * 3
    assert [made[1] for made in cells(says("It hoots.", BESIDE, SENTENCE, "n2"), c=1)] == [{"It hoots."}] * 3


def test_what_goes_with_the_name_goes_with_the_better_one() -> None:
    better = says("green fish", REPLACE)
    assert cells(better, says("in a pond")) == cells(says("in a pond"), better)
    assert cells(better, says("in a pond"))[1] == ({"green fish in the wild"}, {"green fish in the wild, in a pond."})
    assert cells(better, says("in a pond", BESIDE))[1] == ({"green fish in the wild"}, {"a photo of a green fish, in a pond."})


def test_where_a_sentence_stands_for_the_name_a_phrase_goes_with_the_name_itself() -> None:
    found = cells(says("It swims.", REPLACE, SENTENCE), says("in a pond"))
    assert found[1] == ({"It swims."}, {"tench in the wild, in a pond."})


@pytest.mark.parametrize(
    ("text", "phrase", "made"),
    [
        ("a photo of a tench.", "a green fish", "a photo of a tench, a green fish."),
        ("a photo of a tench", "a green fish.", "a photo of a tench, a green fish."),
        ("a photo of a tench...", "a green fish . ", "a photo of a tench, a green fish."),
        ("a tench", "v. 2.0 of a fish", "a tench, v. 2.0 of a fish."),
        ("a tench", " two\n lines ", "a tench, two lines."),
        ("a tench", "fish <end_of_text> here", "a tench, fish here."),
    ],
)
def test_stops_are_not_doubled_and_texts_are_cleaned(text: str, phrase: str, made: str) -> None:
    assert described(text, phrase) == made


def test_descriptions_are_cleaned_in_every_place_and_form() -> None:
    for place in Place:
        for form in Form:
            texts = compose(TWO, TEMPLATES, [says("green\x07 <end_of_text>\nfish", place, form)]).texts
            assert any("green fish" in text for text in texts)
            assert not [text for text in texts if "\x07" in text or "<" in text or "\n" in text]


# -- what is marked -----------------------------------------------------------------------------------------------------------------


def test_descriptions_are_marked_and_have_their_share() -> None:
    grid = compose(TWO, TEMPLATES, [says("a fish"), says("a bird", BESIDE, class_id="n2")], 0.3)
    assert grid.described.dtype == bool
    assert [grid.texts[p] for p in grid.cell[grid.described, 2]] == [
        *["a photo of a tench, a fish.", "a photo of an owl, a bird."],
        *["tench in the wild, a fish.", "a photo of an owl, a bird."],
        *["one a tench, a fish.", "a photo of an owl, a bird."],
    ]
    assert grid.share.tolist() == [0.5, 0.3], "the weight is that of what stands beside"


def test_a_description_that_says_the_bare_text_counts_as_both() -> None:
    assert cells(says("tench in the wild", form=SENTENCE))[1] == ({"tench in the wild"}, {"tench in the wild"})


def test_better_names_alone_mark_nothing() -> None:
    grid = compose(TWO, TEMPLATES, [says("fish", REPLACE), says("It hoots.", REPLACE, SENTENCE, "n2")])
    assert (grid.described, grid.share) == (None, None)


def same(one: PromptGrid, other: PromptGrid) -> bool:
    alike = one.texts == other.texts and np.array_equal(one.cell, other.cell) and one.families == other.families
    return alike and (one.described is None) == (other.described is None)


@pytest.mark.parametrize("place", Place)
@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize(("text", "use"), [("a fish", False), ("", True), (" \x07 ", True), ("<end_of_text>", True), (" . . ", True)])
def test_what_is_not_in_use_or_says_nothing_leaves_the_grid_as_it_was(text: str, use: bool, form: Form, place: Place) -> None:
    assert same(compose(TWO, TEMPLATES, [says(text, place, form, use=use)]), compose(TWO, TEMPLATES))


texts = st.sampled_from(["a fish", "It swims.", "tench", "owl", "a photo of a owl.", "night bird", "red"])
some = st.lists(st.tuples(texts, st.sampled_from(Form), st.sampled_from([INSIDE, REPLACE]), st.booleans()), max_size=6)


@given(some)
def test_other_classes_say_what_they_said(rows: list[tuple[str, Form, Place, bool]]) -> None:
    grid, bare = compose(TWO, TEMPLATES, [says(t, place, form, use=use) for t, form, place, use in rows]), compose(TWO, TEMPLATES)
    for k in range(3):
        assert cell(grid, k, 1) == cell(bare, k, 1)
        assert cell(grid, k, 0)[0], "every cell has a bare text"
    assert set(grid.cell[:, 2]) == set(range(len(grid.texts)))
    assert len(set(grid.texts)) == len(grid.texts)


@given(st.permutations([says("a fish"), says("red"), says("It swims.", form=SENTENCE), says("a bird", class_id="n2")]))
def test_the_order_in_which_they_are_said_changes_no_cell(order: list[Description]) -> None:
    grid, first = (compose(TWO, TEMPLATES, those) for those in (order, sorted(order, key=lambda one: one.text)))
    assert [cell(grid, k, c) for k in range(3) for c in range(2)] == [cell(first, k, c) for k in range(3) for c in range(2)]


# -- what is refused ----------------------------------------------------------------------------------------------------------------


def test_inside_and_beside_of_one_class_are_refused_and_of_two_are_not() -> None:
    with pytest.raises(UsageError, match="'n1' has descriptions placed `inside` and others `beside`") as error:
        compose(TWO, TEMPLATES, [says("a fish"), says("red", BESIDE), says("trout", REPLACE)])
    assert "descriptions.jsonl" in error.value.hint
    assert compose(TWO, TEMPLATES, [says("a fish"), says("red", BESIDE, use=False)]).share.tolist() == [0.5, 0.5]
    assert compose(TWO, TEMPLATES, [says("a fish"), says("red", BESIDE, class_id="n2")], 0.2).share.tolist() == [0.5, 0.2]


@pytest.mark.parametrize("use", [True, False])
def test_a_class_that_is_not_there_is_refused(use: bool) -> None:
    with pytest.raises(UsageError, match="'n3'") as error:
        compose(TWO, TEMPLATES, [says("a fish", class_id="n3", use=use)])
    assert "n1" in error.value.hint


# -- texts of their own ---------------------------------------------------------------------------------------------------------------

OWN = {"n1": {TEMPLATES[0].source: "a\x07 slimy  tench."}}


def own(*descriptions: Description, c: int = 0) -> list[tuple[set[str], set[str]]]:
    grid = compose(TWO, TEMPLATES, descriptions, own=OWN)
    return [cell(grid, k, c) for k in range(len(TEMPLATES))]


def test_an_own_text_is_the_only_bare_text_of_its_cell() -> None:
    assert own() == [({"a slimy tench."}, set()), ({BARE[1]}, set()), ({BARE[2]}, set())]
    assert own(c=1) == cells(c=1)
    assert own(says("fish", REPLACE), says("It swims.", REPLACE, SENTENCE))[0] == ({"a slimy tench."}, set())


def test_descriptions_join_an_own_text_as_any_other() -> None:
    assert own(says("a green fish"))[0] == ({"a slimy tench."}, {"a slimy tench, a green fish."})
    assert own(says("It swims.", form=SENTENCE))[0] == ({"a slimy tench."}, {"It swims."})
    assert own(says("a green fish", BESIDE))[0] == ({"a slimy tench."}, {"a photo of a tench, a green fish."})
    assert own(says("It swims.", REPLACE, SENTENCE), says("green"))[0] == ({"a slimy tench."}, {"a slimy tench, green."})


def test_one_text_stands_in_for_those_of_several_names() -> None:
    grid = compose(TWO, TEMPLATES, own={"n2": {TEMPLATES[1].source: "owls in the wild"}})
    assert cell(grid, 1, 1) == ({"owls in the wild"}, set())
    assert len(cell(grid, 0, 1)[0]) == 2


def test_texts_of_classes_and_templates_that_are_not_there_are_ignored() -> None:
    assert same(compose(TWO, TEMPLATES, own={"n3": {TEMPLATES[0].source: "x"}, "n1": {"{{ name }} alone": "x"}}), compose(TWO, TEMPLATES))


@pytest.mark.parametrize("text", ["", " ", "\x07\u200b", " . ", "<end_of_text>", "\ud800"])
def test_an_own_text_of_which_nothing_is_left_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="Nothing is left of the text"):
        compose(TWO, TEMPLATES, own={"n1": {TEMPLATES[0].source: text}})


def test_an_own_text_may_be_long_but_not_endless() -> None:
    long = "x" * 10_000
    assert long in compose(TWO, TEMPLATES, own={"n1": {TEMPLATES[0].source: long}}).texts
    with pytest.raises(UsageError, match="10001 characters"):
        compose(TWO, TEMPLATES, own={"n1": {TEMPLATES[0].source: long + "x"}})
