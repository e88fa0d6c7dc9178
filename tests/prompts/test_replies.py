import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.prompts.questions import one, render
from promptlab.prompts.replies import MOST_CHARACTERS, MOST_TEXTS, fault, read

TWO = ["a long curved snout", "small dark eyes"]
PHRASES = one("features")
GOOD = {
    "the schema": '{"phrases": ["a long curved snout", "small dark eyes"]}',
    "fenced": '```json\n{"phrases": ["a long curved snout", "small dark eyes"]}\n```',
    "preamble and fence": 'Sure! Here are two:\n\n```\n{"phrases": ["a long curved snout", "small dark eyes"]}\n```\nI hope this helps!',
    "preamble": 'Here is the JSON object: {"phrases": ["a long curved snout", "small dark eyes"]} Let me know!',
    "bare list": '["a long curved snout", "small dark eyes"]',
    "objects of one string": '[{"phrase": "a long curved snout"}, {"phrase": "small dark eyes"}]',
    "objects of more": '{"phrases": [{"id": 1, "x": "a", "text": "a long curved snout"}, {"id": 2, "x": "b", "text": "small dark eyes"}]}',
    "objects by any key": '{"phrases": [{"1": "a long curved snout"}, {"2": "small dark eyes"}]}',
    "another key": '{"features": ["a long curved snout", "small dark eyes"]}',
    "numbered keys": '{"phrase1": "a long curved snout", "phrase2": "small dark eyes"}',
    "nested": '{"answer": {"phrases": ["a long curved snout", "small dark eyes"]}, "done": true}',
    "example repeated first": '{"phrases": ["a round body with a loop handle"]}\n{"phrases": ["a long curved snout", "small dark eyes"]}',
    "broken off": '{"phrases": ["a long curved snout", "small dark eyes", "a ta',
    "broken off after a comma": '{"phrases": [\n "a long curved snout",\n "small dark eyes",\n',
    "one comma too many": '{"phrases": ["a long curved snout", "small dark eyes",], }',
    "no closing": '```json\n["a long curved snout", "small dark eyes"',
    "Python's quotes": "{'phrases': ['a long curved snout', 'small dark eyes']}",
    "new lines within": '{"phrases": ["a long curved snout", "small dark eyes"\n]\n}<|im_end|>',
    "end sign": '["a long curved snout", "small dark eyes"]</s>',
    "thinking aloud": '<think>Eyes? ["no"]</think>{"phrases": ["a long curved snout", "small dark eyes"]}',
    "numbers": "1. a long curved snout\n2. small dark eyes",
    "numbers with brackets": "1) a long curved snout\n2) small dark eyes\n",
    "letters": "(a) a long curved snout\n(b) small dark eyes",
    "dashes": "- a long curved snout\n- small dark eyes",
    "stars": "* a long curved snout\n* small dark eyes",
    "dots": "• a long curved snout\n•small dark eyes",
    "en dashes": "– a long curved snout\n– small dark eyes",
    "preamble and bullets": "Of course. These are seen:\n\n- a long curved snout\n- small dark eyes\n\nLet me know if you need more.",
    "heading": "## Features\n\n1. a long curved snout\n2. small dark eyes",
    "bold heading": "**Features:**\na long curved snout\nsmall dark eyes",
    "lines": "a long curved snout\n\nsmall dark eyes\n",
    "carriage returns": "a long curved snout\r\nsmall dark eyes\r\n",
    "one numbered line": "1. a long curved snout 2. small dark eyes",
    "semicolons": "a long curved snout; small dark eyes",
    "a bracket in prose": "Seen [in photos]:\n- a long curved snout\n- small dark eyes",
}
BAD = {
    "": "it is empty",
    " \n\t ": "it is empty",
    "<think>Hm, a long snout": "it thinks, and says nothing",
    "<think>Hm</think>\n": "it is empty",
    "I'm sorry, but I can't help with that.": "it refuses to answer",
    "I’m sorry, I can’t see pictures.": "it refuses to answer",
    "As an AI language model, I do not see.": "it refuses to answer",
    "Unfortunately, I cannot describe this.": "it refuses to answer",
    "I am unable to answer.": "it refuses to answer",
    '{"phrases": []}': "it holds no phrases",
    '{"phrases": [1, 2, null]}': "it holds no phrases",
    '{"phrases": ["", "  ", "!!"]}': "it holds no phrases",
    '{"phrases": ["I\'m sorry, I can\'t do that."]}': "it holds no phrases",
    "[]": "it holds no phrases",
    "```\n```": "it holds no phrases",
    "---": "it holds no phrases",
    '{"phrases": ["a round body with a loop handle", "A short curved spout on one side."]}': "it only repeats the question",
    "Each phrase goes on after": "it only repeats the question",
}


@pytest.mark.parametrize("kind", GOOD)
def test_replies_are_read_for_what_is_meant(kind: str) -> None:
    assert read(GOOD[kind], PHRASES) == TWO
    assert fault(GOOD[kind], PHRASES) == ""


@pytest.mark.parametrize("text", BAD)
def test_a_reply_without_texts_says_why(text: str) -> None:
    with pytest.raises(ValueError, match=BAD[text]):
        read(text, PHRASES)
    assert fault(text, PHRASES) == BAD[text]


def test_commas_part_a_line_only_as_the_last_resort() -> None:
    assert [t.strip() for t in read("red comb, white feathers, two legs", PHRASES)] == ["red comb", "white feathers", "two legs"]
    assert read("a red comb, two legs", PHRASES) == ["a red comb, two legs"]
    assert read("- red, white, blue\n- two, three, four", PHRASES) == ["red, white, blue", "two, three, four"]


def test_sentences_of_one_line_are_parted() -> None:
    assert read("It has a red comb. Its legs are thin. The beak is short.", PHRASES) == [
        *("It has a red comb.", "Its legs are thin.", "The beak is short."),
    ]


@pytest.mark.parametrize("name", ["contrast", "features", "senses", "rename"])
def test_each_pack_s_own_form_is_read_and_its_example_is_not(name: str) -> None:
    pack = one(name)
    asked = render(pack, "okapi", rivals=["llama"], siblings=["llama", "emu"], count=6)[1]
    assert read(json.dumps({pack.list_of: TWO}), pack) == TWO
    example = next(line for line in asked.splitlines() if line.startswith("{"))
    assert fault(example, pack) == "it only repeats the question"
    assert len(json.loads(example)[pack.list_of]) == 3


def test_a_word_of_the_example_alone_is_no_echo() -> None:
    assert read('["a short curved beak", "a round body"]', PHRASES) == ["a short curved beak", "a round body"]


def test_only_so_much_is_looked_at() -> None:
    assert len(read(json.dumps([f"phrase {i}" for i in range(500)]), PHRASES)) == MOST_TEXTS
    assert read("a red comb\n" + " " * MOST_CHARACTERS + "\nwhite feathers", PHRASES) == ["a red comb"]


@given(text=st.lists(st.one_of(st.text(max_size=20), st.sampled_from(list(GOOD.values()))), max_size=4).map("".join))
def test_any_reply_gives_texts_or_a_reason(text: str) -> None:
    why = fault(text, PHRASES)
    assert why or all(t.strip() and any(ch.isalnum() for ch in t) for t in read(text, PHRASES))


HOSTILE = [
    '"',
    "[",
    "{",
    '["',
    '{"phrases": ',
    '\\"',
    "'",
    "- ",
    "1. ",
    "(a)",
    "a, ",
    "a; ",
    "a. B",
    "*",
    "```\n",
    "<think>",
    "' ,",
    "•",
    '"\\',
]


@pytest.mark.parametrize("part", HOSTILE)
@pytest.mark.parametrize("head", ["", '{"phrases": ["', "['"])
def test_a_megabyte_of_anything_takes_no_time(part: str, head: str) -> None:
    begin = time.perf_counter()
    fault(head + part * (1_000_000 // len(part)), PHRASES)
    assert time.perf_counter() - begin < 1
