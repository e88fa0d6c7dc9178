"""A broken plugin of each kind: the message names plugin and hook, everything else works, and strictness makes it fatal."""

import pytest

from promptlab.errors import PluginError, UsageError
from promptlab.events import Started

from .conftest import Bench

RULE = "@hookimpl\ndef promptlab_rules():\n    return [{}]\n"
SOUND = RULE.format('Rule("sound", lambda c: c.true)')
BROKEN = {
    "import error": ("import nothing_of_this_name", "failed in loading: ModuleNotFoundError: No module named 'nothing_of_this_name'"),
    "syntax error": ("def", "failed in loading: SyntaxError"),
    "exits": ("import sys\nsys.exit(3)", "failed in loading: SystemExit: 3"),
    "raises in hook": ("@hookimpl\ndef promptlab_rules():\n    raise KeyError('gone')", "failed in promptlab_rules: KeyError: 'gone'"),
    "raises on the way": (
        "@hookimpl\ndef promptlab_rules():\n    yield Rule('first', lambda c: c.true)\n    raise ValueError('late')",
        "failed in promptlab_rules: ValueError: late",
    ),
    "no list": (
        "@hookimpl\ndef promptlab_datasets():\n    return 7",
        "failed in promptlab_datasets: it gave back an object of type int; a list was expected",
    ),
    "no source": ("@hookimpl\ndef promptlab_datasets():\n    return ['a']", "gave an object of type str without `name`"),
    "no rule": (RULE.format("'cmm'"), "failed in promptlab_rules: it gave an object of type str; one of type Rule was expected"),
    "no analysis": (
        "@hookimpl\ndef promptlab_analyses():\n    return [None]",
        "it gave an object of type NoneType; one of type Analysis was expected",
    ),
    "half a rule": (
        RULE.format("Rule('half')"),
        "failed in promptlab_rules: The rule 'half' needs one of `per_image` and `start`; it has none",
    ),
    "half a model": (
        "@hookimpl\ndef promptlab_encoders():\n    return [ModelAlias('half')]",
        "failed in promptlab_encoders: The model 'half' needs one of `target` and `open`; it has none",
    ),
    "no name": (RULE.format("Rule('', lambda c: c.true)"), "is named ''; a word without spaces and / , : was expected"),
    "a name with an escape": (RULE.format(r"Rule('\x1b[31m', lambda c: c.true)"), r"is named '\x1b[31m'; a word without spaces"),
    "unknown hook": (
        "@hookimpl\ndef promptlab_dataset():\n    return []",
        "failed in loading: There is no hook named 'promptlab_dataset'. Did you mean 'promptlab_datasets'?",
    ),
    "no mark": ("def promptlab_rules():\n    return []", "failed in loading: promptlab_rules is not marked; write @hookimpl above it"),
    "no hook": ("x = 1", "failed in loading: it implements no hook; there are: promptlab_datasets"),
    "unknown argument": (
        "@hookimpl\ndef promptlab_rules(lab):\n    return []",
        "failed in loading: promptlab_rules takes lab; it may take nothing",
    ),
    "another API": (
        "promptlab_api = 2\n" + SOUND,
        "failed in loading: it was written for version 2 of the plugin API, and this promptlab has version 1",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_named_and_the_rest_works(bench: Bench, kind: str) -> None:
    code, wanted = BROKEN[kind]
    lab = bench.add("broken", code).add("sound", SOUND).lab()
    listed = {one["name"]: one for one in lab.plugin_list()}
    assert {"cmm", "sound"} <= lab.rules.keys()
    assert {"table", "imagefolder"} <= lab.sources.keys()
    (told,) = bench.said  # once, however often it was met
    assert told.startswith(f"The plugin 'broken' ({bench.folder / 'broken.py'}) ")
    assert wanted in told
    assert told.endswith("Everything else works.")
    assert listed["sound"]["state"] == "works"
    assert listed["broken"]["state"] == ("failed" if "in loading" in told else "faulty")
    assert listed["broken"]["faults"][0].partition(": ")[2].rstrip(".") in told


@pytest.mark.parametrize("kind", ["import error", "raises in hook", "no rule", "another API"])
def test_strictness_makes_a_fault_fatal(bench: Bench, kind: str) -> None:
    with pytest.raises(PluginError, match="The plugin 'broken'") as caught:
        _ = bench.add("broken", BROKEN[kind][0]).lab(strict_plugins=True).rules
    assert caught.value.hint == "Go on without it: --disable-plugin broken."


def test_a_plugin_that_was_asked_for_by_name_fails_loudly(bench: Bench) -> None:
    with pytest.raises(PluginError, match=r"The plugin 'broken' .* ModuleNotFoundError"):
        bench.add("broken", BROKEN["import error"][0]).lab(load_plugins="broken")


def test_two_plugins_with_a_thing_of_one_name_both_lose_it_and_both_are_told(bench: Bench) -> None:
    lab = bench.add("one", SOUND).add("two", RULE.format('Rule("sound", lambda c: c.rival), Rule("other", lambda c: c.true)')).lab()
    assert "sound" not in lab.rules
    assert "other" in lab.rules
    assert [text.partition("promptlab_rules: ")[2].partition(". ")[0] for text in bench.said] == [
        "it brings 'sound', and so does 'two'; neither 'sound' can be used",
        "it brings 'sound', and so does 'one'; neither 'sound' can be used",
    ]
    assert all("Rename it, or disable one." in text for text in bench.said)


def test_no_plugin_takes_the_place_of_a_built_in(bench: Bench) -> None:
    rule = bench.add("thief", RULE.format('Rule("cmm", lambda c: c.rival)')).lab().rules["cmm"]
    assert rule.by.startswith("promptlab ")
    assert "it brings 'cmm', and so does 'promptlab'; promptlab's own 'cmm' stays" in bench.said[0]


def test_a_slow_plugin_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptlab.plugins.collected.SLOW", 0.02)
    lab = bench.add("slow", "import time\n@hookimpl\ndef promptlab_rules():\n    time.sleep(0.03)\n    return []").lab()
    assert "cmm" in lab.rules
    assert [text.partition(": ")[0] for text in bench.said] == ["The plugin 'slow' is slow"]


def test_a_listener_that_raises_silences_no_other_and_stops_nothing(bench: Bench, vectors: str) -> None:
    bench.add("raiser", "@hookimpl\ndef promptlab_event(event):\n    raise ValueError('no')")
    bench.add("writer", "import pathlib\n@hookimpl\ndef promptlab_event(event, run):\n    pathlib.Path(run, 'heard').touch()")
    run = bench.lab().run(vectors).run
    assert run.result is not None
    assert (run.path / "heard").is_file()
    (told,) = [text for text in bench.said if "raiser" in text]
    assert "failed in promptlab_event: ValueError: no (raiser.py, line 5). Everything else works." in told


def test_a_listener_may_leave_arguments_out(bench: Bench) -> None:
    lab = bench.add("deaf", "heard = []\n@hookimpl\ndef promptlab_event():\n    heard.append(1)").lab()
    lab._plugins.announce(Started("x", None, "y"), "")
    assert not bench.said


SOURCE = """
class Source:
    name, about, example = "odd", "odd", "promptlab run odd"
    def claims(self, where):
        {claims}
    def open(self, where, options):
        {open}
@hookimpl
def promptlab_datasets():
    return [Source()]
"""
PICTURES = 'return Dataset("odd", Classes.of(["a", "b"]), {"all": Images("all", ("1", "2"), ("", ""), None, lambda i: READ)})'


def test_a_source_whose_claims_raises_is_passed_over(bench: Bench, vectors: str) -> None:
    lab = bench.add("odd", SOURCE.format(claims="raise RuntimeError('no idea')", open="return None")).lab()
    assert lab.open(vectors).by.startswith("promptlab ")
    assert "failed in claims: RuntimeError: no idea" in bench.said[0]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("return {}", "gave an object of type dict back from open; a Dataset was expected"),
        ("return 1 / 0", "failed in open: ZeroDivisionError: division by zero"),
    ],
)
def test_a_source_that_cannot_open_is_named(bench: Bench, code: str, said: str) -> None:
    lab = bench.add("odd", SOURCE.format(claims="return where == 'odd'", open=code)).lab()
    with pytest.raises(PluginError, match=f"The plugin 'odd' {said}"):
        lab.open("odd")


@pytest.mark.parametrize(
    ("read", "said"),
    [
        ("{}[i]", "failed in read: KeyError: 1"),
        ("'text'", "gave an object of type str back from read; bytes were expected"),
    ],
)
def test_what_read_raises_costs_the_picture_and_names_the_plugin(bench: Bench, read: str, said: str) -> None:
    from promptlab import DataError

    lab = bench.add("odd", SOURCE.format(claims="return where == 'odd'", open=PICTURES.replace("READ", read))).lab()
    images = lab.open("odd").splits["all"]
    with pytest.raises(DataError, match=f"the plugin 'odd' {said}"):
        images.read(1)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("lambda c: c.nothing", "failed in the rule 'odd': AttributeError"),
        (
            "lambda c: 3",
            "gave an object of type int back from the rule 'odd'; a tensor: use the contest's own + - * < and methods",
        ),
        ("lambda c: c.true[:, 0]", "gave values of shape (30,) back from the rule 'odd'"),
        ("lambda c: c.true / 0", "gave values that are no finite numbers back from the rule 'odd'"),
    ],
)
def test_a_rule_that_gives_nonsense_is_named_before_it_becomes_a_score(bench: Bench, vectors: str, rule: str, said: str) -> None:
    lab = bench.add("odd", RULE.format(f"Rule('odd', {rule})")).lab()
    with pytest.raises(PluginError) as caught:
        lab.score(vectors, ["odd"])
    assert caught.value.message.startswith(f"The plugin 'odd' {said}")


def test_a_state_that_gives_nonsense_is_named(bench: Bench, vectors: str) -> None:
    code = "class S:\n    def __init__(self, setting): pass\n    def add(self, contest): pass\n    def per_class(self): return 1\n"
    lab = bench.add("odd", code + RULE.format("Rule('odd', start=S)")).lab()
    with pytest.raises(
        PluginError, match=r"The plugin 'odd' gave arrays of shapes \[\] back from the rule 'odd'; values and counts, both \(3, 5\)"
    ):
        lab.score(vectors, ["odd"])


def test_an_analysis_that_fails_is_told_and_left_out(bench: Bench, vectors: str) -> None:
    code = "@hookimpl\ndef promptlab_analyses():\n    return [Analysis('odd', lambda judged: 1 / 0), Analysis('text', lambda judged: 'x')]"
    found = bench.add("odd", code).lab().run(vectors).summary["findings"]
    assert {one["name"]: one["headline"].partition(" (")[0] for one in found if one["name"] != "swaps"} == {
        "odd": "It failed: the analysis 'odd': ZeroDivisionError: division by zero",
        "text": "It failed: the analysis 'text': it gave an object of type str; a Finding or None was expected.",
    }
    told = [text.partition("failed in ")[2] for text in bench.said if "odd" in text]
    assert told == [
        "the analysis 'odd': ZeroDivisionError: division by zero (odd.py, line 5). Everything else works.",
        "the analysis 'text': it gave an object of type str; a Finding or None was expected. Everything else works.",
    ]


SPOILS = "def find(judged):\n    judged.after.outcomes.winner[:] = 0\n"


def test_an_analysis_cannot_change_what_is_told(bench: Bench, vectors: str) -> None:
    plain = bench.add("quiet", "@hookimpl\ndef promptlab_event():\n    pass").lab().run(vectors).summary
    bench.add("odd", SPOILS + "@hookimpl\ndef promptlab_analyses():\n    return [Analysis('odd', find)]")
    spoilt = bench.lab().run(vectors).summary
    assert spoilt["result"] == plain["result"]
    assert spoilt["findings"][-1] == plain["findings"][-1]
    assert "ValueError: assignment destination is read-only (odd.py, line 4)" in bench.said[-1]


LEAVE = "import sys\n"


@pytest.mark.parametrize("raised", ["sys.exit(0)", "exec('raise GeneratorExit')", "exec('raise BaseException(1)')"])
def test_no_plugin_ends_the_program_from_a_callback(bench: Bench, vectors: str, raised: str) -> None:
    lab = bench.add("odd", LEAVE + RULE.format(f"Rule('odd', lambda c: {raised})")).lab()
    with pytest.raises(PluginError, match=r"The plugin 'odd' failed in the rule 'odd': (SystemExit|GeneratorExit|BaseException)"):
        lab.score(vectors, ["odd"])


def test_a_rule_that_writes_into_the_contest_spoils_no_other(bench: Bench, vectors: str) -> None:
    lab = bench.add("odd", RULE.format("Rule('odd', lambda c: c.similarity.zero_()[..., 0])")).lab()
    with pytest.raises(PluginError, match="it changed the contest, which other rules read, too"):
        lab.score(vectors, ["odd", "cmm"])


def test_shares_beyond_one_are_told(bench: Bench, vectors: str) -> None:
    lab = bench.add("odd", RULE.format("Rule('odd', lambda c: c.true * 0 + 2, unit=Unit.SHARE)")).lab()
    with pytest.raises(PluginError, match="gave shares outside of 0 and 1"):
        lab.score(vectors, ["odd"])


NUMBERS = "import numpy as np\n"
SPLIT = "return Dataset('odd', Classes.of(['a', 'b']), {{'all': Images('all', {keys}, {stamps}, {labels}, lambda i: b'')}})"


@pytest.mark.parametrize(
    ("keys", "stamps", "labels", "said"),
    [
        ("('1', '2')", "('',)", "None", "1 stamps for 2 keys"),
        ("('1', '2')", "('', '')", "np.array([0.0, 1.0])", "float64 labels of shape (2,)"),
        ("('1', '2')", "('', '')", "np.array([0])", "int64 labels of shape (1,)"),
        ("('1', '2')", "('', '')", "np.ones((1, 2), bool)", "bool labels of shape (1, 2)"),
        ("('2', '1')", "('', '')", "None", "the keys '2' and '1' in that order"),
        ("('1', '1')", "('', '')", "None", "the keys '1' and '1' in that order"),
        ("()", "()", "None", "no picture"),
    ],
)
def test_a_split_that_cannot_be_used_is_named(bench: Bench, keys: str, stamps: str, labels: str, said: str) -> None:
    code = SOURCE.format(claims="return where == 'odd'", open=SPLIT.format(keys=keys, stamps=stamps, labels=labels))
    with pytest.raises(PluginError) as caught:
        bench.add("odd", NUMBERS + code).lab().open("odd")
    assert caught.value.message.startswith(f"The plugin 'odd' gave a split 'all' with {said} back from open")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("captions=[('a',), ('b',)]", "captions of type list"),
        ("captions=(('a',),)", "1 rows of captions"),
        ("captions=('ab', 'cd')", "captions of a picture of type str"),
        ("captions=(('a',), ())", "a picture without captions"),
        ("captions=(('a',), (3,))", "the text 3 among its captions"),
        ("captions=(('a',), (' ',))", "the text ' ' among its captions"),
        ("captions=(('a',), ('b',)), distractors=((), ('c', None))", "the text None among its distractors"),
        ("distractors=(('a',), ('b',))", "distractors but no captions"),
        ("", "neither classes nor captions"),
    ],
)
def test_captions_that_cannot_be_used_are_named(bench: Bench, given: str, said: str) -> None:
    classes = "[]" if not given else "['a', 'b']"
    split = f"Images('all', ('1', '2'), ('', ''), None, lambda i: b'', '', {given})"
    code = SOURCE.format(claims="return where == 'odd'", open=f"return Dataset('odd', Classes.of({classes}), {{'all': {split}}})")
    with pytest.raises(PluginError) as caught:
        bench.add("odd", NUMBERS + code).lab().open("odd")
    assert caught.value.message.startswith(f"The plugin 'odd' gave a split 'all' with {said} back from open")


def test_a_source_that_takes_no_names_file_says_so(bench: Bench) -> None:
    lab = bench.add("odd", SOURCE.format(claims="return where == 'odd'", open=PICTURES.replace("READ", "b''"))).lab(classes="names.txt")
    with pytest.raises(UsageError, match=r"The source 'odd' .* takes no names file, so --classes cannot be used"):
        lab.open("odd")


START = "@contextmanager\ndef start(rest):\n"


@pytest.mark.parametrize(
    ("open_", "said"),
    [
        (
            START + "    raise KeyError('OUR_SERVER')\n    yield",
            "failed in open: KeyError: 'OUR_SERVER' (odd.py, line 6)",
        ),
        (START + "    yield 7", "gave an object of type int back from open; an Endpoint was expected"),
        ("def start(rest):\n    return 7", "failed in open: "),
    ],
)
def test_a_language_model_that_cannot_be_had_is_named(bench: Bench, open_: str, said: str) -> None:
    hook = "@hookimpl\ndef promptlab_chats():\n    return [ChatAlias('mine', start)]\n"
    lab = bench.add("odd", f"from contextlib import contextmanager\n{open_}\n{hook}").lab(llm="mine")
    with pytest.raises(PluginError) as caught, lab._endpoint():
        pass
    assert f"The plugin 'odd' {said}" in caught.value.message
