"""Descriptions as a file that people edit, descriptions that somebody brings, and what tells whether a classifier stands on them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptlab.errors import UsageError
from promptlab.prompts import descriptions
from promptlab.prompts.descriptions import FILE, form_of, load, mark, text
from promptlab.prompts.exchange import reading
from promptlab.prompts.exchange.imported import Asked
from promptlab.store import written
from promptlab.types import Classes, Description, Form, Place

PHRASE, SENTENCE = Form
INSIDE, REPLACE = Place.INSIDE, Place.REPLACE
ONE = Description("n1", "a tall bird", PHRASE, INSIDE, True, "contrast@1", "small", "f00", "kept")


def kept(folder: Path, *said: Description) -> tuple[Description, ...]:
    """What is read from the file that a run writes."""
    with written(folder / FILE, "w") as file:
        file.write(text(said))
    return load(folder)


def brought(path: str, classes: Classes) -> tuple[dict[int, list[Any]], list[str]]:
    return reading.brought(path, classes, Asked())


def wrote(folder: Path, content: str | bytes, name: str = FILE) -> str:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return str(folder / name)


# -- the file of a run --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hostile",
    [
        *[
            "\"quoted\" \\ and 'so'",
            "two\nlines\r\nand a third\r",
            "tab\there",
            "nul \x00 bell \x07 esc \x1b[31m",
            "🐟 👩‍🚀",
            "x\u2028y\u2029z\x85w",
        ],
        *[
            "x\x0b\x0c\x1cy",
            '{"class": "other"}',
            "#comment",
            "\ufeffmark",
            "\u202eright to left",
            "  spaces  ",
            "\\udcff",
            "</script>",
            "NaN",
        ],
    ],
)
def test_whatever_is_said_comes_back_as_it_was(hostile: str, tmp_path: Path) -> None:
    said = [replace(ONE, text=hostile), replace(ONE, class_id=hostile, verdict=hostile, source=hostile), ONE]
    assert kept(tmp_path, *said) == tuple(said)
    assert len(text(said).split("\n")) == 4, "one line each"


def test_a_class_whose_folder_is_no_text_comes_back(tmp_path: Path) -> None:
    said = replace(ONE, class_id="f\udcffolder")
    assert kept(tmp_path, said) == (said,)


plain = st.text(max_size=20)
anything = st.builds(
    *[Description, plain, plain.filter(str.strip), st.sampled_from(Form), st.sampled_from(Place), st.booleans()], plain, plain, plain, plain
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(anything, max_size=4))
def test_any_descriptions_come_back(tmp_path_factory: pytest.TempPathFactory, said: list[Description]) -> None:
    folder = tmp_path_factory.mktemp("run")
    assert kept(folder, *said) == tuple(said)


def test_a_line_by_hand_needs_a_class_and_a_text_only(tmp_path: Path) -> None:
    wrote(
        tmp_path,
        '\ufeff{"class": "n1", "text": "a tall bird"}\r\n\n  \n{"text": "It wades.", "class": "n2"}\n'
        '{"class": "n2", "text": "crane", "place": "replace", "use": false, "form": ""}',
    )
    assert load(tmp_path) == (
        Description("n1", "a tall bird", PHRASE, INSIDE, True),
        Description("n2", "It wades.", SENTENCE, INSIDE, True),
        Description("n2", "crane", PHRASE, REPLACE, False),
    )


def test_no_file_is_no_description(tmp_path: Path) -> None:
    assert load(tmp_path) == ()
    wrote(tmp_path, "")
    assert load(tmp_path) == ()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a tall bird", "line 2"),
        ('{"class": "n1"', "line 2"),
        ('["n1", "a bird"]', "no `class` and `text`"),
        ('{"class": "n1"}', "no `class` and `text`"),
        ('{"text": "a bird"}', "no `class` and `text`"),
        ('{"class": "n1", "text": ""}', "a text"),
        ('{"class": "n1", "text": " \\n"}', "a text"),
        ('{"class": 1, "text": "a bird"}', "words were expected"),
        ('{"class": "n1", "text": ["a bird"]}', "words were expected"),
        ('{"class": "n1", "text": "a bird", "verdict": null}', "words were expected"),
        ('{"class": "n1", "text": "a bird", "use": "no"}', "`use` is 'no'"),
        ('{"class": "n1", "text": "a bird", "use": 1}', "`use` is 1"),
        ('{"class": "n1", "text": "a bird", "use": null}', "`use` is None"),
        ('{"class": "n1", "text": "a bird", "form": "word"}', "word"),
        ('{"class": "n1", "text": "a bird", "place": "Inside"}', "Inside"),
        ('{"class": "n1", "text": "a bird", "palce": "inside"}', "'palce', which means nothing"),
        ("[" * 100_000, "line 2"),
        ('{"class": "n1", "text": ' + "1" * 5000 + "}", "line 2"),
    ],
)
def test_a_line_that_is_wrong_is_named_with_its_file(line: str, said: str, tmp_path: Path) -> None:
    path = wrote(tmp_path, f'{{"class": "n1", "text": "fine"}}\n{line}\n')
    with pytest.raises(UsageError) as error:
        load(tmp_path)
    assert error.value.message.startswith(f"{path!r}, line 2")
    assert said in error.value.message
    assert error.value.hint


@pytest.mark.parametrize("place", [True, False])
def test_a_file_that_cannot_be_read_is_named(place: bool, tmp_path: Path) -> None:
    path = wrote(tmp_path, b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read") as error:
        load(tmp_path) if place else brought(path, Classes.of(["a"]))
    assert path in error.value.message


def test_a_sentence_is_long_or_ends_with_a_stop() -> None:
    assert [form_of(one) for one in ("It wades.", "Does it? ", "Wow!", "word " * 13)] == [SENTENCE] * 4
    assert [form_of(one) for one in ("a tall bird", "a bird, v. 2", "word " * 12, "")] == [PHRASE] * 4


# -- brought by somebody ------------------------------------------------------------------------------------------------------------

BIRDS = Classes(("n1", "n2", "Owl"), (("crane",), ("construction crane", "lift"), ("barn owl",)))
EXPECTED = {0: [("a tall bird", PHRASE), ("It wades.", SENTENCE)], 1: [("a machine", PHRASE)]}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("said.json", '{"n1": ["a tall bird", "It wades."], "n2": "a machine"}'),
        ("said.JSON", '\ufeff{"crane": ["a tall bird", "It wades."], "CONSTRUCTION Crane": ["a machine"]}'),
        ("said.tsv", "Crane\ta tall bird\n# a comment\n\nCrane\tIt wades.\r\nN2\ta machine"),
        ("said.txt", "n1 \ta tall bird\nn1\tIt wades.\nconstruction crane\ta machine\n"),
        (
            "said.jsonl",
            text([replace(ONE, class_id=c, text=t, form=form_of(t)) for c, t in (("n1", "a tall bird"), ("n1", "It wades."))])
            + '{"class": "n2", "text": "a machine"}\n{"class": "n2", "text": "a lift", "use": false}',
        ),
    ],
)
def test_classes_are_known_by_id_or_name_case_aside(name: str, content: str, tmp_path: Path) -> None:
    assert brought(wrote(tmp_path, content, name), BIRDS) == (EXPECTED, [])


def test_a_file_is_read_by_id_or_by_name_as_a_whole_and_case_goes_before_none(tmp_path: Path) -> None:
    shifted = Classes(("1", "2", "3"), (("2",), ("3",), ("4",)))
    for content, at in (('{"1": "x", "2": "y", "3": "z"}', "xyz"), ('{"4": "z", "3": "y", "2": "x"}', "xyz")):
        assert brought(wrote(tmp_path, content, "said.json"), shifted)[0] == {c: [(text, PHRASE)] for c, text in enumerate(at)}
    for content in ('{"2": "x", "3": "y"}', '{"1": "x", "4": "y", "3": "z"}'):
        with pytest.raises(UsageError, match=r"may mean 2 classes of the data, as id or as name: '\d', '\d'"):
            brought(wrote(tmp_path, content, "said.json"), shifted)
    by_id = wrote(tmp_path, '{"class": "2", "text": "x"}\n{"class": "4", "text": "y"}', "said.jsonl")
    assert brought(by_id, shifted) == ({1: [("x", PHRASE)]}, ["4"]), "our own lines hold ids and nothing else"
    cases = Classes(("a", "A"), (("x",), ("y",)))
    assert brought(wrote(tmp_path, '{"a": "small", "A": "big"}', "said.json"), cases)[0] == {0: [("small", PHRASE)], 1: [("big", PHRASE)]}


def test_two_entries_of_one_class_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'crane' and 'Crane' of the file are one class of the data, 'n1'"):
        brought(wrote(tmp_path, '{"crane": "a bird", "Crane": "a machine"}', "said.json"), BIRDS)


def test_a_form_that_is_said_holds(tmp_path: Path) -> None:
    path = wrote(
        tmp_path, '{"class": "n1", "text": "a stop.", "form": "phrase"}\n{"class": "n1", "text": "none", "form": "sentence"}', "said.jsonl"
    )
    assert brought(path, BIRDS)[0] == {0: [("a stop.", PHRASE), ("none", SENTENCE)]}


@pytest.mark.parametrize("name", ["said.tsv", "said.jsonl"])
def test_only_line_ends_end_lines(name: str, tmp_path: Path) -> None:
    hostile = "one\u2028two\x85three\x0cfour"
    line = f"n1\t{hostile}" if name == "said.tsv" else json.dumps({"class": "n1", "text": hostile}, ensure_ascii=False)
    assert brought(wrote(tmp_path, "\n".join([line, line]), name), BIRDS)[0] == {0: [(hostile, PHRASE)] * 2}


def test_classes_that_the_data_does_not_have_are_listed_once(tmp_path: Path) -> None:
    path = wrote(tmp_path, "emu\ta\nn1\tb\nkiwi\tc\nemu\td", "said.tsv")
    assert brought(path, BIRDS) == ({0: [("b", PHRASE)]}, ["emu", "kiwi"])


@pytest.mark.parametrize("content", ['{"emu": "a", "kiwi": ["b"]}', '{"n1": []}', "{}"])
def test_a_file_that_describes_no_class_is_refused(content: str, tmp_path: Path) -> None:
    path = wrote(tmp_path, content, "said.json")
    with pytest.raises(UsageError, match="describes none of the 3 classes") as error:
        brought(path, BIRDS)
    assert path in error.value.message
    assert "n1, n2, Owl" in error.value.hint


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("said.json", '["a bird"]', "no object of lists"),
        ("said.json", '{"n1": {"a": 1}}', "no object of lists"),
        ("said.json", '{"n1": ["a", 1]}', "no object of lists"),
        ("said.json", '{"n1": null}', "no object of lists"),
        ("said.json", '{"n1": ', "is no JSON"),
        ("said.json", "[" * 100_000, "is no JSON"),
        ("said.tsv", "n1\ta bird\nn2 a machine", "line 2"),
        ("said.jsonl", '{"class": "n1", "text": "a"}\nn2', "line 2"),
    ],
)
def test_what_is_brought_wrong_is_named_with_its_file(name: str, content: str, said: str, tmp_path: Path) -> None:
    path = wrote(tmp_path, content, name)
    with pytest.raises(UsageError, match=said) as error:
        brought(path, BIRDS)
    assert repr(path) in error.value.message
    assert error.value.hint


def test_a_file_that_is_not_there_or_is_a_folder_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.json", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            brought(str(path), BIRDS)


# -- what a classifier stands on ----------------------------------------------------------------------------------------------------


def test_the_mark_changes_when_a_classifier_would() -> None:
    others = [
        *[replace(ONE, class_id="n2"), replace(ONE, text="a small bird"), replace(ONE, form=SENTENCE), replace(ONE, place=REPLACE)],
        *[replace(ONE, class_id="n\udcff")],
    ]
    marks = [mark([ONE]), *(mark([one]) for one in others), *(mark([ONE, one]) for one in others)]
    assert None not in marks
    assert len(set(marks)) == len(marks)


def test_the_mark_stays_when_no_classifier_changes() -> None:
    unused = replace(ONE, class_id="n2", use=False)
    aside = replace(ONE, verdict="other", source="other", model="other", reply="other")
    assert mark([ONE]) == mark([aside]) == mark([ONE, unused]) == mark([unused, aside])
    assert mark([]) is mark([unused]) is None


def test_the_mark_is_that_of_what_comes_back_from_the_file(tmp_path: Path) -> None:
    said = [ONE, replace(ONE, text="line\u2028end \ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"))]
    assert mark(kept(tmp_path, *said)) == mark(said)


def test_the_hint_is_a_line_that_can_be_read(tmp_path: Path) -> None:
    wrote(tmp_path, descriptions.HINT[descriptions.HINT.index("{") :])
    assert load(tmp_path) == (Description("crane", "a tall wading bird", PHRASE, INSIDE, True),)
