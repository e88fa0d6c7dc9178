import re
import time
from pathlib import Path

import pytest

from promptlab.errors import UsageError
from promptlab.prompts import questions
from promptlab.prompts.questions import LONGEST_TEXT, Pack, one, render, shipped
from promptlab.shipped import folder
from promptlab.types import Form

NAMES = ("contrast", "features", "rename", "senses")
GOOD = """
about = "mine"
version = 3
form = "sentence"
list = "sentences"
system = "Be brief."
ask = "Tell of {{ name }}."
max_tokens = 200
temperature = 1
[schema]
type = "object"
required = ["sentences"]
[schema.properties.sentences]
type = "array"
items = { type = "string" }
"""


def asked(pack: Pack, name: str = "okapi", rivals: tuple[str, ...] = (), siblings: tuple[str, ...] = (), count: int = 6) -> str:
    return render(pack, name, rivals=rivals, siblings=siblings, count=count)[1]


def written(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text, "utf-8")
    return str(path)


def with_ask(folder: Path, ask: str) -> Pack:
    return one(written(folder, GOOD.replace('"Tell of {{ name }}."', f"'''{ask}'''")))


def test_four_packs_are_shipped() -> None:
    assert tuple(pack.name for pack in shipped()) == NAMES
    assert {pack.id for pack in shipped()} == {f"{name}@1" for name in NAMES}
    assert all(pack.origin == "promptlab" and pack.about for pack in shipped())


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_question_names_the_class_the_form_and_the_limits(name: str) -> None:
    pack = one(name)
    text = asked(pack, "okapi", ("llama",), ("llama", "emu"), 7)
    assert "okapi" in text
    assert "7" in text.splitlines()[-1], "the question itself comes last: small models answer what they read last"
    assert "JSON" in text
    assert f'{{"{pack.list_of}": [' in text
    assert "no numbers" in text
    assert re.search(r"\d to \d+ words", text)
    assert "all different" in text.lower() or "All are different" in text
    assert len(text) < 1500
    assert len(pack.system) < 120
    assert pack.form is Form.PHRASE
    assert pack.schema["additionalProperties"] is False


@pytest.mark.parametrize(("name", "rivals", "siblings"), [("contrast", True, False), ("features", False, False), ("senses", False, True)])
def test_which_names_are_asked_about(name: str, rivals: bool, siblings: bool) -> None:
    text = asked(one(name), rivals=("gerenuk",), siblings=("hawksbill",))
    assert ("gerenuk" in text, "hawksbill" in text) == (rivals, siblings)


@pytest.mark.parametrize("name", NAMES)
def test_a_question_without_rivals_and_siblings_reads_well(name: str) -> None:
    text = asked(one(name))
    assert "  " not in text
    assert '""' not in text
    assert "{%" not in text
    assert not re.search(r"\b(?:unlike|not|classes are|among) *[?.,]", text)


def test_names_are_cleaned_cut_and_few(tmp_path: Path) -> None:
    pack = with_ask(tmp_path, "{{ name }}: {{ rivals | listed }} {{ siblings | listed }} {{ count }}")
    rivals, siblings = tuple(f"rival{i}" for i in range(9)), tuple(f"sibling{i}" for i in range(99))
    text = asked(pack, "ca\x1b[31mt\u202e <end_of_text>" + "x" * 300, rivals, siblings, 10**9)
    assert text.startswith("ca [31mt xxx")
    assert len(text.partition(":")[0]) == 100
    assert ("rival4" in text, "rival5" in text, "sibling39" in text, "sibling40" in text) == (True, False, True, False)
    assert text.endswith(" 50")


def test_a_name_is_never_read_as_a_template(tmp_path: Path) -> None:
    assert asked(with_ask(tmp_path, "{{ name }}"), "{{ 7 * 7 }}{% for") == "{{ 7 * 7 }}{% for"


def test_names_of_which_nothing_is_left_are_left_out(tmp_path: Path) -> None:
    assert asked(with_ask(tmp_path, "{{ name }}: {{ rivals | listed }}"), rivals=("\x00", "emu")) == 'okapi: "emu"'


@pytest.mark.parametrize(
    ("ask", "wanted"),
    [
        ("{{ rivals | listed }} {{ name }}", '"a", "b" and "c" okapi'),
        ("{% for r in rivals %}not {{ r | article }}, {% endfor %}{{ name }}", "not an a, not a b, not a c, okapi"),
        ("{% if siblings %}x{% else %}none{% endif %} {{ name | upper }}", "none OKAPI"),
        ("{% for r in rivals if r != 'b' %}{{ r }}{% endfor %} {{ name }}", "ac okapi"),
    ],
)
def test_what_questions_may_do(tmp_path: Path, ask: str, wanted: str) -> None:
    assert asked(with_ask(tmp_path, ask), rivals=("a", "b", "c")) == wanted


@pytest.mark.parametrize(
    ("ask", "found"),
    [
        ("{{ name.upper() }}", "call"),
        ("{{ name.__class__ }}", "getattr"),
        ("{{ rivals[0] }}{{ name }}", "getitem"),
        ("{{ name * 999 }}", "mul"),
        ("{% set x = name %}{{ x }}", "assign"),
        ("{% include 'x' %}{{ name }}", "include"),
        ("{% macro f() %}x{% endmacro %}{{ name }}", "macro"),
        ("{{ range(9) }}{{ name }}", "call"),
        ("{% for a in siblings %}{% for b in siblings %}{{ name }}{% endfor %}{% endfor %}", "a loop within a loop"),
        ("{% for a in siblings recursive %}{{ name }}{% endfor %}", "a loop within a loop"),
        ("{{ name | join('x') }}", "join"),
        ("{{ name }} {{ colour }}", "colour"),
        ("{{ name", "cannot be read"),
        ("{{ name }}" + "(" * 5 + "{{ " + "(" * 900 + "name" + ")" * 900 + " }}", "cannot be read"),
        ("{% if name %}", "cannot be read"),
        ("no place", "no place for the class name"),
        ("{{ name }}" + "x" * 4000, "4010 characters"),
    ],
)
def test_what_questions_may_not_do_is_refused_before_it_runs(tmp_path: Path, ask: str, found: str) -> None:
    with pytest.raises(UsageError, match=re.escape(found)) as caught:
        with_ask(tmp_path, ask)
    assert "mine.toml" in caught.value.message
    assert caught.value.hint or found in ("cannot be read", "4010 characters")


@pytest.mark.parametrize(
    "ask",
    [
        "{% for a in siblings %}" + "{{ siblings | listed }}" * 100 + "{% endfor %}{{ name }}",
        "{% for a in siblings %}" + "x" * 3900 + "{% endfor %}{{ name }}",
    ],
)
def test_a_question_cannot_grow_without_end(tmp_path: Path, ask: str) -> None:
    pack, begin = with_ask(tmp_path, ask), time.perf_counter()
    with pytest.raises(UsageError, match=f"longer than {LONGEST_TEXT} characters"):
        asked(pack, siblings=("s" * 100,) * 40)
    assert time.perf_counter() - begin < 1


@pytest.mark.parametrize("ask", ["{{ name | listed }}", "{{ 'x' | listed | listed | listed }}{{ name }}", "{{ name | lower(1, 2) }}"])
def test_a_question_that_breaks_is_told_in_our_words(tmp_path: Path, ask: str) -> None:
    with pytest.raises(UsageError, match=r"The question of '.*mine\.toml' fails"):
        asked(with_ask(tmp_path, ask))


def test_a_pack_of_the_user_s_own(tmp_path: Path) -> None:
    pack = one(written(tmp_path, GOOD))
    assert (pack.id, pack.about, pack.form, pack.list_of, pack.max_tokens, pack.temperature) == (
        *("mine@3", "mine", Form.SENTENCE, "sentences", 200, 1.0),
    )
    assert pack.origin.endswith("mine.toml")
    assert render(pack, "cat", rivals=(), siblings=(), count=1) == ("Be brief.", "Tell of cat.")


BROKEN = {
    "version = 3": ("", "`version` is missing"),
    'form = "sentence"': ('form = "poem"', "form named 'poem'"),
    'list = "sentences"': ('list = "phrases"', "no list of texts under 'phrases'"),
    "max_tokens = 200": ('max_tokens = "many"', "`max_tokens` is 'many'; a whole number was expected"),
    "temperature = 1": ("temperature = 3.5", "`temperature` is 3.5; 0 to 2 was expected"),
    'system = "Be brief."': ("system = 5", "`system` is '5'; a text was expected"),
    'ask = "Tell of {{ name }}."': ("ask = true", "`ask` is 'True'; a text was expected"),
    'about = "mine"': ('colour = "red"', "key of a question pack named 'colour'"),
    'required = ["sentences"]': ("", "does not require 'sentences'"),
    'type = "array"': ('type = "string"', "no list of texts under 'sentences'"),
    'items = { type = "string" }': ('items = { type = "number" }', "no list of texts"),
    'type = "object"': ('type = "object"\nsince = 2026-01-01', "what JSON cannot"),
}


@pytest.mark.parametrize("line", BROKEN)
def test_a_broken_pack_is_told_with_its_file_and_its_key(tmp_path: Path, line: str) -> None:
    instead, found = BROKEN[line]
    assert line in GOOD
    with pytest.raises(UsageError, match=re.escape(found)) as caught:
        one(written(tmp_path, GOOD.replace(line, instead, 1)))
    assert "mine.toml" in caught.value.message


@pytest.mark.parametrize("content", [b"ask = [", b"\xff\xfe\x00", b"x = " + b"[" * 50_000, b"x = " + b"9" * 5000])
def test_a_file_that_is_no_toml_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mine.toml").write_bytes(content)
    with pytest.raises(UsageError, match=r"mine\.toml' cannot be read"):
        one(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize("name", ["contrst", "", ".", "x" * 5000])
def test_an_unknown_pack_lists_those_that_there_are(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        one(name)
    assert "contrast" in caught.value.hint


@pytest.mark.parametrize("name", ["nowhere.toml", "../ask/contrast", "a/b"])
def test_a_missing_file_is_named(name: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"There is no question pack {name!r}")):
        one(name)


def test_every_shipped_file_is_a_pack() -> None:
    assert sorted(path.stem for path in folder("ask").iterdir()) == sorted(NAMES)


def test_the_module_says_every_key_of_a_pack() -> None:
    said = questions.__doc__ or ""
    assert not [key for key in (*questions.KINDS, "about") if f"    {key} = " not in said and f"[{key}]" not in said]
    assert not [word for word in questions.WORDS if f"`{word}`" not in said]
