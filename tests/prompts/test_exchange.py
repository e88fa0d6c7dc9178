"""Files of others are read as what they are; what does not fit the data is refused or counted, never put in another order."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from promptlab.errors import UsageError
from promptlab.prompts.edits import Prompts
from promptlab.prompts.exchange import reading, writing
from promptlab.prompts.exchange.imported import Asked, Imported, Kind
from promptlab.prompts.exchange.taking import How, Taken, taken
from promptlab.prompts.exchange.texts import bare, which
from promptlab.prompts.templates import template
from promptlab.types import Classes, Description, Form, Place

BIRDS = Classes(("n1", "n2", "n3"), (("crane",), ("barn owl",), ("Crane fly",)))
TWINS = Classes(("n1", "n2", "crane"), (("crane",), ("crane",), ("lift",)))
START = Prompts((template("a photo of a {}."),))


def parsed(content: object, name: str = "said.json", format_: str = "", key: str = "", classes: Classes = BIRDS) -> Imported:
    text = content if isinstance(content, str) else json.dumps(content)
    return reading.parsed(text, name, Asked(format_, key), classes)


def took(content: object, name: str = "said.json", format_: str = "", key: str = "", classes: Classes = BIRDS, **how: object) -> Taken:
    found = parsed(content, name, format_, key, classes)
    return taken(found, START, classes, How(**how), "a file")  # type: ignore[arg-type]


def counts(found: Taken) -> dict[str, int]:
    return {one.name: one.count for one in found.counts}


def texts(found: Taken) -> list[tuple[str, str, Form, Place]]:
    return [(d.class_id, d.text, d.form, d.place) for d in found.prompts.descriptions]


# -- what it is -------------------------------------------------------------------------------------------------------------------------

PHRASES = {"crane": ["a long neck", "grey feathers"], "barn_owl": []}
SENTENCES = {"crane": ["A crane is a tall bird.", "It wades."], "Barn Owl": ["An owl hunts at night."]}
NOTEBOOK = {"cells": [{"cell_type": "code", "source": ["%matplotlib inline\n", "x ="]}, {"cell_type": "markdown", "source": "a = ['b']"}]}
PAIRS = {"0_2": {"classes": [0, 2], "prompt_pairs": [{"attr_type": "size", "prompt_pair": ["a large crane", "a tiny fly"]}] * 2}}


@pytest.mark.parametrize(
    ("content", "name", "format_", "kind"),
    [
        ("a photo of a {c}.\n\n# none\n{}\n", "t.txt", "list", Kind.TEMPLATES),
        ("{} in the wild\n{c}%", "t.txt", "list", Kind.TEMPLATES),
        ("heron\nbarn owl\nfly\n", "n.txt", "list", Kind.NAMES),
        (["a photo of a {}."], "t.json", "list", Kind.TEMPLATES),
        (["heron", ["owl", "barn owl"], "fly"], "n.json", "list", Kind.NAMES),
        ("gender:a photo of a {c}\nrace:my {c}", "t.txt", "datacomp", Kind.TEMPLATES),
        ("n1\theron\n", "n.tsv", "tsv", Kind.NAMES),
        ({"cifar10": ["a {c}."], "imagenet1k": ["the {c}"]}, "t.json", "clip-benchmark", Kind.TEMPLATES),
        ({"JA": ["{} x"], "DE": [" {} y"]}, "t.json", "clip-benchmark", Kind.TEMPLATES),
        ({"birds": {"crane": ["a crane."]}}, "p.json", "clip-benchmark-prompts", Kind.TEXTS),
        ({"birds": ["heron", "barn_owl", "fly"]}, "n.json", "classnames", Kind.NAMES),
        ({"DE": [[0, 2], ["Kranich", "Schnake"]]}, "n.json", "babel", Kind.NAMES),
        (PHRASES, "d.json", "dclip", Kind.TEXTS),
        (SENTENCES, "d.json", "cupl", Kind.TEXTS),
        ({"crane": ["It wades. It is tall. Look.", "It is grey. It sings."]}, "d.json", "mpvr", Kind.TEXTS),
        ({"crane": ["It wades.", "grey"]}, "d.json", "texts", Kind.TEXTS),
        ('{"class": "n1", "text": "grey"}', "d.jsonl", "texts", Kind.TEXTS),
        ("import os\ntemplates = [\n 'a {}.',\n]\nx = os.remove('y')\n", "t.py", "python", Kind.TEMPLATES),
        (
            NOTEBOOK | {"cells": [*NOTEBOOK["cells"], {"cell_type": "code", "source": "my_classes = ['a', 'b']"}]},
            "t.ipynb",
            "python",
            Kind.NAMES,
        ),
        ("# FER2013\n```py\nclasses = [['happy', 'smiling'], ['sad']]\n```\n", "t.md", "python", Kind.NAMES),
    ],
)
def test_a_format_is_told_by_its_shape(content: object, name: str, format_: str, kind: Kind) -> None:
    found = parsed(
        content, name, key="cifar10" if "cifar10" in content else "DE" if "JA" in content else "race" if "race" in content else ""
    )
    assert (found.format, found.kind) == (format_, kind)


@pytest.mark.parametrize(
    ("key", "templates", "told"),
    [
        ("cifar10", ("a {c}.",), "Of 'cifar10'."),
        ("wds/vtab/cifar10", ("a {c}.",), "Of 'cifar10'."),
        ("tfds/pets", ("my {c}",), "Of 'tfds/pets'."),
        ("food101", ("the {c}",), "has nothing for 'food101': the templates are those of 'imagenet1k'"),
    ],
)
def test_a_data_set_is_looked_up_as_clip_benchmark_does_and_a_fallback_is_told(key: str, templates: Sequence[str], told: str) -> None:
    table = {"cifar10": ["a {c}."], "imagenet1k": ["the {c}"], "tfds/pets": ["my {c}"], "pets": ["your {c}"]}
    found = parsed(table, key=key)
    assert found.templates == templates
    assert told in " ".join(found.notes)
    with pytest.raises(UsageError, match="4 entries; which is meant"):
        parsed(table)


def test_class_names_fall_back_on_nothing() -> None:
    for table in ({"imagenet1k": ["a", "b", "c"]}, {"FR": [[0], ["grue"]]}):
        with pytest.raises(UsageError, match=r"no entry of 'n\.json' named 'DE'"):
            parsed(table, "n.json", key="DE")
    with pytest.raises(UsageError, match=r"no entry of 'n\.json' named 'food101'"):
        parsed({"imagenet1k": ["a"], "cars": ["b"]}, "n.json", key="food101")


def test_lists_of_one_file_are_told_apart_by_heading_and_name() -> None:
    page = "".join(f"## {one}\n\n```bash\nclasses = ['{one}']\ntemplates = [\n  'a {one} {{}}.',\n]\n```\n" for one in ("CIFAR", "DTD"))
    assert parsed(page, "p.md", key="DTD.templates").templates == ("a DTD {}.",)
    with pytest.raises(UsageError, match=r"2 lists: CIFAR\.templates, DTD\.templates"):
        parsed(page, "p.md", key="templates")
    with pytest.raises(UsageError, match="4 lists"):
        parsed(page, "p.md")


def test_a_table_in_python_has_its_keys_as_headings() -> None:
    code = "CUSTOM_TEMPLATES = {'OxfordPets': 'a photo of a {}, a pet.', 'DTD': ['{} texture.', 'a {}'], 3: ['x'], 'bad': [1]}\n"
    assert parsed(code, "t.py", key="DTD").templates == ("{} texture.", "a {}")
    assert parsed(code, "t.py", key="CUSTOM_TEMPLATES.OxfordPets").templates == ("a photo of a {}, a pet.",)


def test_what_a_python_file_would_have_to_run_is_no_list() -> None:
    with pytest.raises(UsageError, match="without running it"):
        parsed("templates = [lambda c: f'a {c}']\nnames = list('abc')\n", "t.py")


@pytest.mark.parametrize(
    ("later", "name"),
    [
        ("a += ['{} y']\n", "t.py"),
        ("a = ['{} y']\n", "t.py"),
        ("a.append('{} y')\n", "t.py"),
        ("a[0] = f'{x}'\n", "t.py"),
        ("```\n# B\n```\nb = ['x']\n```\n# A\n```\na = ['{}']\n", "t.md"),
    ],
)
def test_a_list_that_is_changed_later_is_refused(later: str, name: str) -> None:
    fenced = "# A\n```\na = ['a {}']\n" if name == "t.md" else "a = None\na = ['a {}']\n"
    assert parsed(fenced, name, key="a").templates == ("a {}",)
    with pytest.raises(UsageError, match="more than once, or changes it later"):
        parsed(fenced + later, name, key="a")


@pytest.mark.parametrize(
    ("content", "name", "remedy", "format_"),
    [
        ({"grebe": ["a", "b", "c"]}, "n.json", "--as classnames", "dclip"),
        ("grue\nchouette\ntipule\n", "n.txt", "--as list", "list"),
        ("crane\ta grey bird\nbarn owl\twhite\n", "n.tsv", "--as texts", "tsv"),
        ({"crane": ["heron", "stork"], "barn owl": ["screech owl"]}, "n.json", "--as tsv", "dclip"),
    ],
)
def test_names_and_descriptions_are_not_guessed(content: object, name: str, remedy: str, format_: str) -> None:
    with pytest.raises(UsageError) as error:
        parsed(content, name)
    assert remedy in error.value.hint
    assert parsed(content, name, format_).format == format_, "whoever says it is believed"


def test_a_bare_slot_is_a_template() -> None:
    assert parsed("{}\n", "t.txt").templates == ("{}",)
    assert parsed("art:{}\n", "t.txt").templates == ("art:{}",)
    assert parsed("art:{}\n", "t.txt", key="art").templates == parsed("art:{}\n", "t.txt", "datacomp").templates == ("{}",)


def test_a_key_that_nothing_is_under_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no 'birds' in it"):
        parsed("heron\nowl\nfly\n", "n.txt", key="birds")
    Path("names.txt").write_text("crane\n")
    with pytest.raises(UsageError, match="calls its classes by name"):
        reading.parsed('{"crane": ["a grey bird"]}', "d.json", Asked(class_names="names.txt"), BIRDS)


def test_tasks_are_chosen() -> None:
    lines = "gender:a photo of a {c}\nrace:my {c}\ngender:{c}"
    assert parsed(lines, "t.txt", key="gender").templates == ("a photo of a {c}", "{c}")
    with pytest.raises(UsageError, match="2 tasks"):
        parsed(lines, "t.txt")


# -- what becomes of it -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slot", ["{}", "{c}", "{class}", "{classname}", "{name}", "{{ c }}", "{{name}}"])
def test_every_slot_is_one(slot: str) -> None:
    made = took([f'"{slot}" traffic sign', f"{slot}%"]).prompts.templates
    assert [one.name for one in made] == ["a photo of a {}.", '"{}" traffic sign', "{}%"]


def test_templates_are_added_or_replace_those_that_are_there() -> None:
    sources = [one.source for one in took(["a {}", "a {c}", "a photo of a {}."]).prompts.templates]
    assert sources == ["a photo of a {{ name }}.", "a {{ name }}"]
    assert [one.name for one in took(["a {}"], replacing=True).prompts.templates] == ["a {}"]
    with pytest.raises(UsageError, match="1 template of 2 cannot be used"):
        took(["a {}", "no place"])
    assert counts(took(["a {}", "no place"], allow_missing=True))["templates-left-out"] == 1


def test_dclip_words_are_joined_as_dclip_joins_them() -> None:
    phrases = ["a long neck", "antennae", "used to lift", "has wings", "often grey", "typically in water", "may fly", "canopy", "two wings"]
    joined = ["which is", "which is", "which is", "which", "which", "which", "which", "which", "which has"]
    found = texts(took({"n1": phrases}))
    assert found == [("n1", f"{w} {p}", Form.PHRASE, Place.INSIDE) for w, p in zip(joined, phrases, strict=True)]
    assert all(which(bare(which(one))) == which(one) for one in phrases)
    assert texts(took({"n1": ["a long neck"]}, place="replace"))[0][1] == "a long neck", "in place of the name there is nothing to join"


def test_sentences_go_beside_and_keep_their_braces() -> None:
    found = took({"crane": ["A {crane} is {0} tall.", "It wades<|endoftext|>."], "Barn_OWL": ["An owl hoots."]})
    assert texts(found)[0] == ("n1", "A {crane} is {0} tall.", Form.SENTENCE, Place.BESIDE)
    assert texts(found)[1][1] == "It wades ."
    assert (counts(found)["literal-braces"], counts(found)["unclean"], counts(found)["folded"]) == (1, 1, 1)
    assert (counts(found)["matched"], counts(found)["classes-without"]) == (2, 1)


def test_empty_classes_and_duplicates_are_counted() -> None:
    found = counts(took({"crane": ["grey", "grey"], "barn owl": []}, format_="dclip"))
    assert (found["empty-classes"], found["duplicates"], found["texts"], found["classes-without"]) == (1, 1, 1, 2)


def test_random_words_of_a_list_are_for_every_class() -> None:
    found = texts(took(["which has foot loud", "!32d"], format_="waffle"))
    assert [(i, text) for i, text, *_ in found if i == "n3"] == [("n3", "which has foot loud"), ("n3", "which has !32d")]


def test_a_class_that_the_data_does_not_have_is_an_error_with_the_nearest() -> None:
    said = {"crane": ["grey."], "barn owls": ["white."], "emu": ["fast."]}
    with pytest.raises(UsageError, match=r"2 of the file's 3 classes are not in the data: 'barn owls' \('barn owl'\?\), 'emu'"):
        took(said)
    found = took(said, allow_missing=True)
    assert counts(found)["unknown-classes"] == 2
    assert [i for i, *_ in texts(found)] == ["n1"]


def test_a_name_of_two_classes_is_an_error_with_both_ids() -> None:
    twins = Classes(("n1", "n2"), (("crane",), ("crane",)))
    with pytest.raises(UsageError, match="'crane' may mean 2 classes of the data, as id or as name: 'n1', 'n2'"):
        took({"crane": ["grey."]}, classes=twins, format_="cupl")
    assert [i for i, *_ in texts(took({"n2": ["grey."]}, classes=twins))] == ["n2"]
    numbered = Classes.of(["crane", "crane"])
    with pytest.raises(UsageError, match="'crane', 'crane#2'"):
        took({"crane": ["grey."]}, classes=numbered)
    assert [i for i, *_ in texts(took({"crane": ["grey."], "crane#2": ["steel."]}, classes=numbered))] == ["crane", "crane#2"]
    with pytest.raises(UsageError, match="'n1', 'n2', 'crane'") as error:
        took({"crane": ["a lift."]}, classes=TWINS)
    assert "--by-id" in error.value.hint
    assert [i for i, *_ in texts(took({"crane": ["a lift."]}, classes=TWINS, by_id=True))] == ["crane"]


def test_a_key_that_occurs_twice_is_an_error() -> None:
    with pytest.raises(UsageError, match="the key 'crane' twice"):
        parsed('{"crane": ["a"], "crane": ["b"]}')


def test_descriptions_that_cannot_be_joined_are_refused() -> None:
    said = replace(START, descriptions=(Description("n1", "grey", Form.PHRASE, Place.INSIDE, True),))
    found = parsed({"crane": ["It wades."]})
    with pytest.raises(UsageError, match="`inside` and others `beside`") as error:
        taken(found, said, BIRDS, How(), "x")
    assert "--replace" in error.value.hint
    assert len(taken(found, said, BIRDS, How(replacing=True), "x").prompts.descriptions) == 1
    assert len(taken(found, said, BIRDS, How("inside"), "x").prompts.descriptions) == 2


# -- names ------------------------------------------------------------------------------------------------------------------------------


def test_names_in_label_order_rename() -> None:
    found = took({"birds": ["heron", "barn owl", "fly"]}, key="birds")
    assert found.prompts.names == {"n1": ("heron",), "n3": ("fly",)}
    assert counts(found) == {"renamed": 2, "same-names": 1}
    assert took([["heron", "stork"], "owl", "fly"], format_="list").prompts.names["n1"] == ("heron", "stork")


def test_names_that_are_too_few_or_in_another_order_are_refused() -> None:
    with pytest.raises(UsageError, match="2 class names, the data 3 classes") as error:
        took(["heron", "owl"])
    assert "tsv" in error.value.hint
    with pytest.raises(UsageError, match="2 names of the file belong elsewhere: 'Barn Owl' at 0, which the data has at 1; 'n1' at 2"):
        took(["Barn Owl", "heron", "n1"])


def test_names_that_are_spelt_like_those_of_others_are_counted_or_refused() -> None:
    with pytest.raises(
        UsageError, match="3 names of the file look like those of other classes: 'barn owls' at 0, near 'n2' at 1; 'crane f"
    ):
        took(["barn owls", "crane flies", "cranes"], format_="list")
    assert counts(took(["barn owls", "owl", "Crane fly"]))["names-near-elsewhere"] == 1
    with pytest.raises(UsageError, match="name of 'n2' in the file is empty") as error:
        took(["crane", "", "Crane fly"])
    assert "leave it out" in error.value.hint


def test_names_by_id_and_by_number() -> None:
    assert took("N3\tmosquito\tgnat\nbarn_owl\towl\n", "n.tsv").prompts.names == {"n3": ("mosquito", "gnat"), "n2": ("owl",)}
    found = took({"DE": [[0, 2], ["Kranich", "barn owl"]]})
    assert found.prompts.names == {"n1": ("Kranich",), "n3": ("barn owl",)}
    assert counts(found)["names-elsewhere"] == 1
    with pytest.raises(UsageError, match="names class 3; the data has 3"):
        took({"DE": [[0, 3], ["a", "b"]]})


# -- pairs ------------------------------------------------------------------------------------------------------------------------------


def test_pairs_describe_both_classes_once() -> None:
    Path("names.json").write_text('["crane", "barn owl", "crane_fly"]')
    found = reading.parsed(json.dumps(PAIRS), "pairs.json", Asked(class_names="names.json"), BIRDS)
    assert texts(taken(found, START, BIRDS, How(), "x")) == [
        ("n1", "a large crane", Form.SENTENCE, Place.BESIDE),
        ("n3", "a tiny fly", Form.SENTENCE, Place.BESIDE),
    ]
    Path("names.json").write_text('["crane", "barn owl", "crane"]')
    with pytest.raises(UsageError, match="has 'crane' more than once"):
        reading.parsed(json.dumps(PAIRS), "pairs.json", Asked(class_names="names.json"), BIRDS)
    Path("names.json").write_text('["crane", "barn owl"]')
    with pytest.raises(UsageError, match="speaks of class 2 in '0_2'"):
        reading.parsed(json.dumps(PAIRS), "pairs.json", Asked(class_names="names.json"), BIRDS)
    with pytest.raises(UsageError, match="calls its classes by numbers"):
        parsed(PAIRS)
    with pytest.raises(UsageError, match=r"says \[0, 2\] under '0_1'"):
        reading.parsed(json.dumps({"0_1": PAIRS["0_2"]}), "pairs.json", Asked(class_names="names.json"), BIRDS)


def test_the_formats_of_the_command_line_are_those_there_are() -> None:
    from promptlab.cli import options

    assert set(options.READ) == set(reading.FORMATS)
    assert options.READ_TEXTS == reading.OF_TEXTS
    assert set(options.WRITTEN) == set(writing.WRITERS)
