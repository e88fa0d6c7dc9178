"""What is exported says the same when it is imported again; what a format cannot say is refused or told."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptlab.errors import UsageError
from promptlab.prompts.compose import clean, compose
from promptlab.prompts.edits import Prompts
from promptlab.prompts.exchange import reading
from promptlab.prompts.exchange.imported import Asked
from promptlab.prompts.exchange.taking import How, Taken, taken
from promptlab.prompts.exchange.texts import which
from promptlab.prompts.exchange.writing import Written, written
from promptlab.prompts.templates import template
from promptlab.types import Classes, Description, Form, Place, Template

CLASSES = Classes(("n1", "n2", "f\udcff"), (("crane",), ("barn owl",), ("lamp", "light")))
START = Prompts((template("a photo of a {}."),))
BARE = replace(START, templates=(template("{}"),))
checked = settings(max_examples=40, deadline=None, derandomize=True)

words = (
    st.text(st.characters(codec="utf-8", exclude_characters="{}<&"), min_size=1, max_size=12).map(clean).filter(lambda t: t.strip(" .#"))
)
sentences = words.map(lambda text: f"{text.rstrip('.')} it is.")
sources = st.builds("{} {{{{ name }}}} {}".format, words, words)
names = st.lists(words, min_size=3, max_size=3, unique_by=str.casefold)


def out(prompts: Prompts, format_: str, by_id: bool = False, classes: Classes = CLASSES) -> str:
    now = prompts.apply(classes)
    grid = compose(now, prompts.templates, prompts.descriptions, own=prompts.texts)
    return written(format_, Written(prompts, grid, "data", by_id))[0]


def back(text: str, format_: str, prompts: Prompts = START, name: str = "it.json", **how: object) -> Taken:
    found = reading.parsed(text, name, Asked(format_), prompts.apply(CLASSES))
    return taken(found, prompts, CLASSES, How(**how), "it")  # type: ignore[arg-type]


@checked
@given(st.lists(sources, min_size=1, max_size=5, unique=True), st.sampled_from(["clip-benchmark", "list"]))
def test_templates_come_back(wanted: list[str], format_: str) -> None:
    prompts = replace(START, templates=tuple(Template(one.replace("{{ name }}", "{}"), one) for one in wanted))
    made = back(out(prompts, format_), format_, name="it.json" if format_ == "clip-benchmark" else "it.txt", replacing=True).prompts
    assert [clean(one.source) for one in made.templates] == [clean(one) for one in wanted]


@checked
@given(names, st.sampled_from(["classnames", "tsv"]))
def test_names_come_back(wanted: list[str], format_: str) -> None:
    prompts = replace(START, names={i: (name,) for i, name in zip(CLASSES.ids, wanted, strict=True)})
    now = prompts.apply(CLASSES)
    text = out(prompts, format_)
    if format_ == "tsv":
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    assert back(text, format_, prompts, "it.json" if format_ == "classnames" else "it.tsv").prompts.apply(CLASSES).names == now.names


@checked
@given(st.lists(st.lists(words, max_size=3, unique=True), min_size=3, max_size=3).filter(any), st.booleans())
def test_phrases_come_back(wanted: list[list[str]], by_id: bool) -> None:
    said = tuple(
        Description(i, which(text), Form.PHRASE, Place.INSIDE, True, "it")
        for i, those in zip(CLASSES.ids, wanted, strict=True)
        for text in those
    )
    prompts = replace(START, descriptions=said)
    assert back(out(prompts, "dclip", by_id), "dclip").prompts.descriptions == said


@checked
@given(
    st.lists(st.lists(sentences, max_size=3), min_size=3, max_size=3), st.sampled_from(["cupl", "clip-benchmark-prompts"]), st.booleans()
)
def test_finished_texts_come_back(wanted: list[list[str]], format_: str, by_id: bool) -> None:
    said = tuple(
        Description(i, text, Form.SENTENCE, Place.BESIDE, True) for i, those in zip(CLASSES.ids, wanted, strict=True) for text in those
    )
    prompts = replace(START, descriptions=said)
    made = back(out(prompts, format_, by_id), format_, place="replace").prompts
    grids = [compose(CLASSES, made.templates, one.descriptions) for one in (prompts, made)]
    texts = [[{grid.texts[p] for _, j, p in grid.cell if j == c} for c in range(3)] for grid in grids]
    assert texts[0] == texts[1]


def test_random_words_are_as_many_and_as_long_as_what_they_stand_for() -> None:
    said = [("n1", "which has a long grey neck"), ("n1", "which is tall"), ("n2", "It hoots at night.")]
    prompts = replace(START, descriptions=tuple(Description(i, t, Form.PHRASE, Place.INSIDE, True) for i, t in said))
    text = out(prompts, "waffle")
    assert text == out(prompts, "waffle")
    found = json.loads(text)
    assert [len(those) for those in found.values()] == [2, 1, 0]
    assert len(found["crane"][0].removeprefix("which has ").split()) == len(["a", "long", "grey", "neck"])
    assert [len(word) for word in found["crane"][1].removeprefix("which has ").split()] == [len("tall")]
    assert [d.text for d in back(text, "waffle").prompts.descriptions if d.class_id == "n1"] == found["crane"]
    with pytest.raises(UsageError, match="No description is in use"):
        out(START, "waffle")


@pytest.mark.parametrize("source", ["{{ name | article }}", "a {colour} {{ name }}", "{{ 'x' if name == 'a' else name }}"])
def test_what_a_slot_cannot_say_is_refused(source: str) -> None:
    prompts = replace(START, templates=(template(source),))
    with pytest.raises(UsageError, match=r"says more than \{c\} can") as error:
        out(prompts, "clip-benchmark")
    assert "finished prompts" in error.value.hint
    made = back(out(prompts, "list"), "list", name="it.txt", replacing=True).prompts.templates
    assert [one.source for one in made] == [source], "a line can say it"


def test_classes_of_one_name_need_their_ids() -> None:
    twins = Classes.of(["crane", "crane"])
    with pytest.raises(UsageError, match="Several classes are called 'crane'") as error:
        out(START, "cupl", classes=twins)
    assert "--by-id" in error.value.hint
    assert list(json.loads(out(START, "cupl", by_id=True, classes=twins))) == ["crane", "crane#2"]


def test_what_is_lost_is_told() -> None:
    said = (Description("n1", "It wades.", Form.SENTENCE, Place.BESIDE, True), Description("n2", "grey", Form.PHRASE, Place.BESIDE, True))
    prompts = replace(START, descriptions=said, off=(template("a {}"),), texts={"n1": {START.templates[0].source: "mine"}})
    about = Written(prompts, compose(CLASSES, prompts.templates, said), "data")
    lost = {format_: " ".join(written(format_, about)[1]) for format_ in ("cupl", "dclip", "clip-benchmark", "classnames")}
    assert "Weights" in lost["cupl"]
    assert "sentences are not in it: 1" in lost["dclip"]
    assert "which is" in lost["dclip"]
    assert written("dclip", replace(about, prompts=START))[1][0] == "No description is in use that is a phrase: every list is empty."
    assert all(words in lost["clip-benchmark"] for words in ("set aside", "2 descriptions", "1 text of single classes"))
    assert "1 further name" in lost["classnames"]


pools = st.permutations(["a", "A", "b", "B", "a_b", "a b", "1", "2"])


@settings(checked, max_examples=150)
@given(pools, pools, st.lists(st.booleans(), min_size=3, max_size=3), st.booleans(), st.booleans())
def test_whatever_classes_are_called_each_gets_its_own_texts_back_or_none_does(
    ids: list[str], others: list[str], renamed: list[bool], by_id: bool, told: bool
) -> None:
    classes = Classes(tuple(ids[:3]), tuple((name,) for name in others[3:6]))
    names = {i: (other,) for i, other, new in zip(ids, others, renamed, strict=False) if new}
    said = tuple(Description(i, f"which has thing {n}", Form.PHRASE, Place.INSIDE, True, "it") for n, i in enumerate(classes.ids))
    prompts = replace(START, names=names, descriptions=said)
    grid = compose(prompts.apply(classes), prompts.templates, prompts.descriptions)
    try:
        text = written("dclip", Written(prompts, grid, "data", by_id, data=classes))[0]
        found = reading.parsed(text, "it.json", Asked("dclip"), prompts.apply(classes))
        made = taken(found, replace(prompts, descriptions=()), classes, How(by_id=by_id and told), "it").prompts
    except UsageError:
        assert not (by_id and told), "ids that are said to be ids always fit"
    else:
        assert made.descriptions == said


def test_a_name_that_another_class_has_needs_ids() -> None:
    data = Classes(("n1", "n2"), (("tench",), ("church",)))
    prompts = replace(START, names={"n1": ("church",), "n2": ("tench",)})
    about = Written(prompts, compose(prompts.apply(data), prompts.templates, ()), "data", data=data)
    with pytest.raises(UsageError, match="'church', the name of 'n1', is what 'n2' is called, too") as error:
        written("dclip", about)
    assert "--by-id" in error.value.hint


def test_classes_renamed_to_the_ids_of_others_are_told_by_all_of_the_file() -> None:
    data = Classes.of(["0", "1", "2"])
    prompts = replace(START, names={i: (str(int(i) + 1),) for i in data.ids})
    for keys, at in (("123", "012"), ("012", "012")):
        found = reading.parsed(json.dumps({key: [f"a {key}"] for key in keys}), "it.json", Asked("dclip"), prompts.apply(data))
        made = taken(found, prompts, data, How(), "it").prompts.descriptions
        assert [(one.class_id, one.text) for one in made] == [(i, f"which is a {key}") for i, key in zip(at, keys, strict=True)]


def test_a_name_that_no_line_can_hold_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot stand in a line"):
        out(START, "tsv", classes=Classes(("n1",), (("a\tb",),)))
