import re

import numpy as np
import pytest

from promptlab.prompts.compose import compose
from promptlab.prompts.lint import lint, lint_templates
from promptlab.prompts.templates import shipped, template
from promptlab.types import Classes, TextBank


def found(*names: str) -> dict[str, str]:
    return {check.name: check.text for check in lint(Classes.of(list(names)))}


def found_in(names: list[str], templates: tuple[str, ...] = ("a {}",), too_long: tuple[str, ...] = ()) -> dict[str, str]:
    """With text vectors: one for each name without its signs."""
    classes = Classes.of(names)
    grid = compose(classes, [template(t) for t in templates])
    read = [re.sub(r"\W", "", name).lower() for name in names]
    z = np.eye(len(names), dtype=np.float32)[[read.index(word) for word in read]]
    return {check.name: check.text for check in lint(classes, TextBank(np.stack([z] * len(templates)), grid, "", 1.0, too_long))}


def test_ordinary_names_raise_nothing() -> None:
    assert found("cat", "golden retriever", "French horn", "café", "🐟") == {}


def test_equal_names_are_found() -> None:
    assert list(found("missile", "cat", "missile")) == ["equal-names"]
    assert "missile" in found("missile", "cat", "missile")["equal-names"]


def test_names_that_differ_by_case_alone_are_found() -> None:
    assert list(found("Apple", "apple", "pear")) == ["case-only-names"]
    assert found("Apple", "apple", "pear")["case-only-names"].startswith("2 names")


def test_equal_names_are_not_case_only_too() -> None:
    assert "case-only-names" not in found("apple", "apple")


@pytest.mark.parametrize("name", ["leopards", "car wheels", "Motorbikes", "churches", "Faces"])
def test_plurals_are_found_with_their_singular(name: str) -> None:
    singular = {"leopards": "leopard", "car wheels": "car wheel", "Motorbikes": "Motorbike", "churches": "church", "Faces": "Face"}
    assert f"{name} ({singular[name]}?)" in found(name)["plural-names"]


@pytest.mark.parametrize(
    "name", ["scissors", "ibis", "chess", "bus", "octopus", "glass", "sunglasses", "lens", "gas", "swim trunks", "BMWs X"]
)
def test_words_that_only_end_in_s_are_no_plurals(name: str) -> None:
    assert found(name) == {}


def test_underscores_are_found() -> None:
    assert list(found("car_side", "cat")) == ["underscored-names"]


@pytest.mark.parametrize("name", ["cat\x1b[31m", "cat <end_of_text> dog", "\u202ecat"])
def test_names_that_will_be_cleaned_are_found(name: str) -> None:
    assert "unclean-names" in found(name)


def test_white_space_alone_is_nothing_unclean() -> None:
    assert found("golden   retriever") == {}


def test_names_that_the_model_reads_alike_are_found() -> None:
    text = found_in(["C++", "cat", "C#"])["alike-names"]
    assert text.startswith("2 names")
    assert "C#, C++" in text


@pytest.mark.parametrize("names", [["cat", "dog"], ["cat", "cat"], ["cat", "Cat"]])
def test_names_that_are_alike_for_another_reason_are_told_once(names: list[str]) -> None:
    assert "alike-names" not in found_in(names)


@pytest.mark.parametrize("text", ["a {} <end_of_text> here", "{}</s>", "a\u202e {}"])
def test_templates_that_will_be_cleaned_are_found(text: str) -> None:
    told = found_in(["cat"], ("a {}", text))["unclean-templates"]
    assert told.startswith("1 template holds")


def test_cut_texts_are_counted_and_shown() -> None:
    text = found_in(["cat"], too_long=("a very long text",))["texts-cut"]
    assert text.startswith("1 text exceeds")
    assert "a very long text" in text


def test_one_is_one_and_several_are_several() -> None:
    assert found("leopards")["plural-names"].startswith("1 name looks plural;")
    assert found("leopards", "wheels")["plural-names"].startswith("2 names look plural;")


def test_long_lists_are_shortened_but_counted() -> None:
    text = found(*(f"a_{i}" for i in range(9)))["underscored-names"]
    assert text.startswith("9 names")
    assert text.endswith("a_3, ....")


def test_a_long_name_does_not_fill_the_screen() -> None:
    assert len(found("x_" * 3000)["underscored-names"]) < 300


def of_templates(*texts: str, names: tuple[str, ...] = ("cat", "elephant")) -> dict[str, str]:
    return {check.name: check.text for check in lint_templates([template(t) for t in texts], Classes.of(list(names)))}


def test_templates_as_they_should_be_raise_nothing() -> None:
    assert of_templates("a photo of {{ name | article }}.", "the {}", "{{ name | plural | upper }}", "my area {}", "an old {}") == {}


@pytest.mark.parametrize("text", ["a {color} {}", "{} {", "} {}", "{{ name }} in {place}"])
def test_braces_that_are_read_as_text_are_found(text: str) -> None:
    assert of_templates(text)["braces-left"].startswith("1 template holds braces")


def test_two_places_for_the_name_are_found() -> None:
    assert of_templates("{} beside {}")["name-twice"].startswith("1 template has more than one place")


@pytest.mark.parametrize(("text", "said"), [("a photo of a {}.", "a elephant"), ("An {}", "An cat"), ("a {{ class }}!", "a elephant")])
def test_articles_that_do_not_fit_are_found(text: str, said: str) -> None:
    assert said in of_templates(text)["wrong-article"]
    assert "wrong-article" not in of_templates(text, names=("cat",) if said != "An cat" else ("owl",))


def test_equal_lines_are_found() -> None:
    assert of_templates("the {}", "the {c}", "my {}")["equal-templates"] == "1 template occurs more than once, to no effect: the {}."


def test_shipped_sets_of_ours_are_clean() -> None:
    for made in shipped():
        assert made.origin == "open_clip" or lint_templates(made.templates, Classes.of(["cat", "elephant"])) == [], made.name
