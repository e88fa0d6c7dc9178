import contextlib
import json
import subprocess
import sys
from pathlib import Path

import open_clip
import pytest

from promptlab.errors import UsageError
from promptlab.prompts import templates
from promptlab.prompts.templates import load, render, template
from promptlab.shipped import folder

HOLES = ("{}", "{c}", "{class}", "{classname}", "{name}", "{{ name }}", "{{name}}", "{{ c }}", "{{ class }}", "{{ classname }}")
REFUSED = (
    "{% for x in name %}{{ x }}{% endfor %}",
    "{% for x in 'ab' %}{{ name }}{% endfor %}",
    "{% set x = name %}{{ x }}{{ name }}",
    "{% include 'secret' %}{{ name }}",
    "{% import 'os' as os %}{{ name }}",
    "{% macro f() %}x{% endmacro %}{{ name }}",
    "{{ name.upper() }}",
    "{{ range(10) }}{{ name }}",
    "{{ name.__class__ }}",
    "{{ name['x'] }}",
    "{{ name[0] }}",
    "{{ name | attr('__class__') }}",
    "{{ name * 1000000 }}",
    "{{ 2 ** 99 }}{{ name }}",
    "{{ name + name }}",
    "{{ name % 5 }}",
    "{{ [name] }}",
    "{{ {'a': name} }}",
    "{{ name | nosuchfilter }}",
    "{{ name | join(',') }}",
    "{{ name }} of {{ colour }}",
    "{{ name",
    "{% if name %}",
    "{{ }}",
)
NO_PLACE = ("a photo.", "", "a photo of {0}.", "{0.__class__} of a thing", "{!r}", "{name.__class__}", "{{ 'cat' }}", "{{ colour }}")


def filled(text: str, name: str = "tench") -> str:
    return render(template(text), name)


@pytest.mark.parametrize("hole", HOLES)
def test_every_way_to_write_the_hole_means_the_name(hole: str) -> None:
    assert filled(f"a photo of a {hole}.") == "a photo of a tench."


@pytest.mark.parametrize("hole", HOLES)
def test_a_family_is_called_by_its_sentence(hole: str) -> None:
    assert template(f"a photo of a {hole}.").name == "a photo of a {}."


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('"{c}" traffic sign', '"tench" traffic sign'),
        ("{c}%", "tench%"),
        ("{}", "tench"),
        ("{} and {}", "tench and tench"),
        ("{c} {photo} {{", None),
        ("a {photo} of {}", "a {photo} of tench"),
        ("{ } of {}", "{ } of tench"),
        ("100 % {}", "100 % tench"),
    ],
)
def test_braces_that_are_no_hole_stay(text: str, wanted: str | None) -> None:
    if wanted is None:
        with pytest.raises(UsageError):
            template(text)
    else:
        assert filled(text) == wanted


@pytest.mark.parametrize("name", ["{{ 7 * 7 }}", "{}", "{c}", "%s", "{% raw %}", "{{ name.__class__ }}", "\\1", "{#"])
def test_a_name_is_never_read_as_a_template(name: str) -> None:
    assert filled("a {} here", name) == f"a {name} here"
    assert filled("a {{ name }} here", name) == f"a {name} here"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{{ name | article }}", "an Old owl"),
        ("{{ name | plural }}", "Old owls"),
        ("{{ name | lower }}", "old owl"),
        ("{{ name | upper }}", "OLD OWL"),
        ("{{ name | title }}", "Old Owl"),
        ("{{ name | lower | capitalize }}", "Old owl"),
        ("{{ name | lower | article }}", "an old owl"),
        ("{{ 'yes' if name == 'Old owl' else 'no' }} {{ name }}", "yes Old owl"),
        ("{{ 'one ' ~ name }}", "one Old owl"),
    ],
)
def test_filters_and_conditions_work(text: str, wanted: str) -> None:
    assert filled(text, "Old owl") == wanted


@pytest.mark.parametrize("text", REFUSED)
def test_what_a_template_may_not_do_is_refused_before_it_runs(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        template(text)
    assert caught.value.message


@pytest.mark.parametrize("text", NO_PLACE)
def test_a_template_without_a_place_for_the_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no place for the class name"):
        template(text)


@pytest.mark.parametrize(
    "text",
    [
        "{{ name | lower(1, 2) }}",
        "{{ 5 | upper }} {{ name }}",
        "{{ 'x' if name < 5 else 'y' }}{{ name }}",
        "{{ name }}" + "(" * 5 + "{{ " + "(" * 400 + "name" + ")" * 400 + " }}",
        "{{ " + "not " * 200 + "name }}{{ name }}",
    ],
    ids=["arguments", "number", "comparison", "nesting", "nots"],
)
def test_a_template_that_breaks_python_is_refused_in_our_words_or_works(text: str) -> None:
    said = ""
    with contextlib.suppress(UsageError):
        said = filled(text)
    assert "tench" in said.lower() or said == ""


def test_an_over_long_template_is_refused() -> None:
    with pytest.raises(UsageError, match="1008 characters"):
        template("{}" + "x" * 998)


def test_a_template_cannot_grow_a_text_without_end() -> None:
    made = template("{{ name }}" * 90)
    with pytest.raises(UsageError, match="characters"):
        render(made, "y" * 150)


def test_refusals_name_the_template_and_what_is_allowed() -> None:
    with pytest.raises(UsageError, match=r"name\.upper") as caught:
        template("{{ name.upper() }}")
    assert "call" in caught.value.message
    assert "article" in caught.value.hint


@pytest.mark.parametrize(("name", "count"), [("openai-80", 80), ("openai-7", 7), ("general", 40), ("simple", 7), ("plain", 1)])
def test_the_shipped_sets_have_their_size_and_are_distinct(name: str, count: int) -> None:
    made = load([name])
    assert len(made) == count
    assert len({render(t, "tench") for t in made}) == count


@pytest.mark.parametrize(
    ("name", "published"), [("openai-80", open_clip.OPENAI_IMAGENET_TEMPLATES), ("openai-7", open_clip.SIMPLE_IMAGENET_TEMPLATES)]
)
@pytest.mark.parametrize("word", ["tench", "Old English sheepdog", "{} & {{ name }}", "café 🐟"])
def test_openai_templates_give_the_texts_that_open_clip_gives(name: str, published: tuple, word: str) -> None:
    assert [render(t, word) for t in load([name])] == [line(word) for line in published]


@pytest.mark.parametrize("path", sorted(folder("prompts").glob("*.toml")), ids=lambda p: p.stem)
def test_every_shipped_file_is_valid_and_says_what_it_is(path: Path) -> None:
    made = templates.one(path.stem)
    assert made.about
    assert made.templates
    assert all("tench" in render(t, "tench").lower() for t in made.templates)


def test_every_set_that_is_listed_can_be_loaded() -> None:
    found = templates.shipped()
    assert {"general", "simple", "plain", "openai-80", "openai-7"} <= {made.name for made in found}
    assert all(load([made.name]) == made.templates for made in found)


def test_reading_openai_templates_imports_no_open_clip() -> None:
    code = "import sys; from promptlab.prompts.templates import load; n = len(load(['openai-80'])); print(n, 'open_clip' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["80", "False"]


def test_sets_and_files_are_joined_in_order_and_equal_templates_count_once(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("a photo of {{ name | article }}.\nmy {}\n")
    assert [t.name for t in load([str(file), "plain", str(file)])] == ["a photo of a {}.", "my {}"]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("t.txt", "a photo of {}.\n\n  \nthe {c}\n"),
        ("t.txt", "a photo of {}.\r\nthe {c}\r\n"),
        ("t.json", json.dumps(["a photo of {}.", "the {c}"])),
        ("t.toml", 'about = "mine"\ntemplates = ["a photo of {}.", "the {c}"]\n'),
    ],
    ids=["txt", "windows", "json", "toml"],
)
def test_files_of_three_kinds_are_read(tmp_path: Path, file: str, content: str) -> None:
    path = tmp_path / file
    path.write_bytes(content.encode())
    assert [render(t, "tench") for t in load([str(path)])] == ["a photo of tench.", "the tench"]


def test_a_byte_order_mark_is_no_part_of_the_first_template(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("{} in a photo\n", "utf-8-sig")
    assert [render(t, "tench") for t in load([str(path)])] == ["tench in a photo"]


BROKEN = {
    "not-json.json": b"[1, 2",
    "object.json": b'{"a": ["x {}"]}',
    "numbers.json": b"[1, 2]",
    "empty.json": b"[]",
    "string.json": b'"a photo of {}."',
    "broken.toml": b"templates = [",
    "nothing.toml": b'about = "x"\n',
    "words.toml": b'templates = "a photo of {}."\n',
    "mixed.toml": b'templates = ["{}", 5]\n',
    "empty.txt": b"\n\n",
    "latin.txt": "caf\xe9 {}".encode("latin-1"),
    "latin.toml": "templates = ['caf\xe9 {}']".encode("latin-1"),
    "bytes.json": b"\xff\xfe\x00",
    "no-place.txt": b"a photo of {}.\na photo\n",
    "digits.json": b"[" + b"9" * 5000 + b"]",
    "deep.json": b"[" * 200_000,
    "digits.toml": b"templates = " + b"9" * 5000,
    "deep.toml": b"templates = " + b"[" * 100_000,
    "attribute.json": b'["{{ name.__class__ }}"]',
}


@pytest.mark.parametrize("file", BROKEN)
def test_a_broken_file_is_refused_by_name(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_bytes(BROKEN[file])
    with pytest.raises(UsageError) as caught:
        load([str(tmp_path / file)])
    assert file in caught.value.message


def test_a_missing_file_is_named() -> None:
    with pytest.raises(UsageError, match=r"no template file 'mine\.txt'"):
        load(["mine.txt"])


def test_an_unknown_set_lists_the_nearest() -> None:
    with pytest.raises(UsageError, match="openai80") as caught:
        load(["openai80"])
    assert "Did you mean 'openai-80'?" in caught.value.hint
    assert "general" in caught.value.hint


@pytest.mark.parametrize("name", ["../prompts/plain", "", ".", "prompts/../plain", "x" * 5000, "x/" * 2000])
def test_a_set_name_is_no_path(name: str) -> None:
    with pytest.raises(UsageError):
        load([name])
