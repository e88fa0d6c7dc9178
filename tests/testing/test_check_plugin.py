"""check_plugin: sound modules pass, and each planted fault is named."""

from types import ModuleType

import pytest

from promptlab.testing import check_plugin

HEAD = """
from promptlab import Analysis, Finding, Rule, hookimpl, Saved

def margin(contest):
    return contest.true - contest.rival

class Source:
    name, about, example = "mine", "a folder", "promptlab run FOLDER"
    def claims(self, where): return False
    def open(self, where, options): raise KeyError(where)
"""
SOUND = """
@hookimpl
def promptlab_rules():
    return [Rule("mine", margin), Rule("mine-too", margin)]

@hookimpl
def promptlab_datasets():
    yield Source()

@hookimpl
def promptlab_event(event):
    assert not isinstance(event, Saved) or event.path
"""
MARKED = "@hookimpl\ndef "
FAULTS = {
    "not marked": ("def promptlab_rules():\n return []", "loading: promptlab_rules is not marked; write @hookimpl above it"),
    "not known": (MARKED + "promptlab_rule():\n return []", "loading: There is no hook named 'promptlab_rule'"),
    "no hook": ("", "loading: it implements no hook; there are: promptlab_datasets"),
    "arguments": (MARKED + "promptlab_rules(lab):\n return []", "loading: promptlab_rules takes lab; it may take nothing"),
    "another API": ("promptlab_api = 2\n" + MARKED + "promptlab_rules():\n return []", "it was written for version 2"),
    "no list": (
        MARKED + "promptlab_rules():\n return Rule('x', margin)",
        "promptlab_rules: it gave back an object of type Rule; a list was expected",
    ),
    "raises": (MARKED + "promptlab_rules():\n return [Rule('x')]", "promptlab_rules: The rule 'x' needs one of"),
    "a function": (
        MARKED + "promptlab_rules():\n return [margin]",
        "promptlab_rules: it gave an object of type function; one of type Rule",
    ),
    "a class": (MARKED + "promptlab_datasets():\n return [Source]", r"the class Source; .*Source\(\)"),
    "a name": (MARKED + "promptlab_rules():\n return [Rule('', margin)]", "promptlab_rules: its Rule is named ''; a word without spaces"),
    "ours": (MARKED + "promptlab_rules():\n return [Rule('cmm', margin)]", "it brings 'cmm', .*; promptlab's own 'cmm' stays"),
    "twice": (MARKED + "promptlab_rules():\n return [Rule('x', margin)] * 2", "it brings 'x' twice; neither 'x' can be used"),
    "listens badly": (
        MARKED + "promptlab_event(event):\n event.path",
        "promptlab_event: AttributeError: 'Started' object .*mine.py, line 13",
    ),
}


def module(code: str) -> ModuleType:
    made = ModuleType("mine")
    exec(compile(HEAD + code, "mine.py", "exec"), vars(made))
    return made


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named(fault: str) -> None:
    code, said = FAULTS[fault]
    with pytest.raises(AssertionError, match=f"check_plugin found . faults? in the plugin 'mine':\n- .*{said}"):
        check_plugin(module(code))


def test_what_a_sound_one_adds_is_given_back() -> None:
    assert check_plugin(module(SOUND)) == {"promptlab_datasets": ["mine"], "promptlab_rules": ["mine", "mine-too"], "promptlab_event": []}


def test_what_is_no_module_is_told() -> None:
    with pytest.raises(AssertionError, match="was given an object of type str; a module was expected: import it"):
        check_plugin("mine.py")  # type: ignore[arg-type]
