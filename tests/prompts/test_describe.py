import re
import time
import unicodedata
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptlab.lab import Lab
from promptlab.prompts.compose import SPECIAL
from promptlab.prompts.describe import TOKEN, Cleaned, bank, clean
from promptlab.types import Form


class Reader:
    """An encoder of which only the tokenizer is asked: words and signs, folded to lower case; reads a few."""

    name = fingerprint = precision = "reader"
    scale, logit_bias = 1.0, None

    def __init__(self, context_length: int = 12) -> None:
        self.context_length = context_length

    def clean(self, text: str) -> str:
        return " ".join(text.casefold().split())

    def tokens(self, text: str) -> int:
        return len(re.findall(r"\w+|[^\w\s]", text)) + 2

    def encode_texts(self, texts: Sequence[str], listen: Any) -> Any:
        raise AssertionError("nothing is encoded")

    encode_images = encode_texts


def cleaned(*texts: str, form: Form = Form.PHRASE, own: Sequence[str] = ("hen",), **more: Any) -> Cleaned:
    return clean(texts, form, **{"own": own, "rivals": (), "others": (), "encoder": None, **more})


def kept(*texts: str, **more: Any) -> tuple[str, ...]:
    return cleaned(*texts, **more).texts


def reason(text: str, **more: Any) -> str:
    ((_, why),) = cleaned(text, **more).dropped
    return why


COMB = (
    *("a red comb", "  a red\tcomb \n", "- a red comb", "* a red comb", "• a red comb", "•a red comb", "– a red comb", "1. a red comb"),
    *("12) a red comb", "(a) a red comb", "b. a red comb", "- 1. **a red comb**", "**a red comb**", "*a* `red` comb", "__a red comb__"),
    *("# a red comb", "> a red comb", '"a red comb"', "'a red comb',", "“a red comb”", "«a red comb»", "[a red comb]", "a red comb."),
    *("a red comb...", "a red comb!", "a red comb;", "... a red comb", "a_red_comb", "a [red](http://x.y/z) comb", "<b>a red comb</b>"),
    *(
        "a red comb<br/>",
        "a red comb<|im_end|>",
        "a red comb <end_of_text>",
        "a <|endoftext|>red comb",
        "</s>a red comb<s>",
        "[INST]a red comb",
    ),
    *(
        "a red<end<end_of_text>_of_text> comb",
        "a red comb<<s>s>",
        "a red comb&lt;end_of_text&gt;",
        "a \u202ered\u202c comb",
        "a r\u200bed comb",
    ),
    *("a \x1b[31mred\x1b[0m comb", "a\x00red\x07comb", "\ufeffa red comb", "a red\u2028comb", "a red&nbsp;comb", "It has a red comb"),
    *(
        "It usually has a red comb",
        "with a red comb",
        "has a red comb",
        "having a red comb",
        "which has a red comb",
        "The hen has a red comb.",
    ),
    *(
        "Hens have a red comb",
        "A hen often has a red comb",
        "hen: a red comb",
        "Hen - a red comb",
        "The hen: a red comb",
        "Comb: a red comb",
    ),
    *(
        "Head colour: a red comb",
        "a photo of a red comb",
        "A close-up photograph of a hen, with a red comb.",
        "It's a red comb",
        "They have a red comb",
    ),
    *("This image shows a red comb.", '1. "**Comb**: It has a red comb."'),
)


@pytest.mark.parametrize("text", COMB)
def test_the_words_alone_are_left(text: str) -> None:
    assert kept(text) == ("a red comb",)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "3D printed edges",
            "a no. 1 painted on it",
            "made of wood",
            "standing in water",
            "its long neck stretched",
            "black-and-white tail",
        ),
        *(
            "a T-shirt",
            "U.S. colours",
            "two legs, one of them raised",
            "ears (often folded)",
            "a so-called crest",
            "10 cm long, like a thumb",
        ),
        *(
            "猫",
            "пёс у дома",
            "café chairs",
            "a 45° angle",
            "sure-footed on rocks",
            "ok signs and arrows",
            "great wings",
            "I-beams of steel",
        ),
    ],
)
def test_what_reads_well_stays_as_it_is(text: str) -> None:
    assert kept(text) == (text,)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("It has a red comb.", "It has a red comb."),
        ("- A photo of a hen, with a red comb.", "A photo of a hen, with a red comb."),
        ('"A hen is a bird."', "A hen is a bird."),
        ("**A hen** is a bird!<|im_end|>", "A hen is a bird!"),
    ],
)
def test_sentences_keep_their_words(text: str, wanted: str) -> None:
    assert kept(text, form=Form.SENTENCE) == (wanted,)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        *[(text, "has no words") for text in ("", "  ", "...", "42", "- 7.", "a", "It is a", "🐟", "</s>", "**", "\x00")],
        *[(text, "is only the name") for text in ("hen", "A hen.", "the HENS", "The hen, a hen", "Hen: hen")],
        *[
            (text, "speaks of the reply, not of the class")
            for text in ("Sure! Here are 3:", "Here are three", "**Features:**", "Certainly, I")
        ],
        *[(text, "speaks of the reply, not of the class") for text in ("I hope this helps", "Let me know", "The phrases above", "You see")],
        *[(text, "is a refusal") for text in ("As an AI language model", "Sorry, no", "Unfortunately, I cannot")],
        *[(text, "is a question") for text in ("What does it look like?", '"Is it red?"')],
        *[(text, "is an address") for text in ("see https://x.y/z", "at www.hens", "hens.com has it", "me@here.org", "a hen.jpg")],
        *[
            (text, "looks like code")
            for text in ("{{ name }}", "def f(x): f()", "a = b", "a | b", "C:\\hens", "a \uff1ctag\uff1e", "a JSON list")
        ],
        *[
            (text, "repeats itself")
            for text in ("bird bird", "a bit of a bit of a bit of a bit of", "red, red, red, red, red, red, red, red")
        ],
        ("x " * 1500, "has 3000 characters; 2000 are read"),
    ],
)
def test_what_is_no_description_is_dropped_with_its_reason(text: str, why: str) -> None:
    assert cleaned(text).dropped == ((text[:2000], why),)
    assert kept(text, "a red comb") == ("a red comb",)


def test_a_text_with_a_rival_s_name_is_dropped_and_another_class_s_is_told() -> None:
    found = cleaned("bigger than a Ducks' nest", "like a swan, but red", "a shuttlecock", rivals=["duck", "cock"], others=["swan", "goose"])
    assert found.texts == ("like a swan, but red", "a shuttlecock")
    assert found.dropped == (("bigger than a Ducks' nest", "names the rival 'duck'"),)
    assert found.names_others == (("like a swan, but red", "swan"),)


@pytest.mark.parametrize(
    ("own", "rival", "text", "usable"),
    [
        ("crocodile head", "crocodile", "crocodile head with teeth", True),
        ("crocodile head", "crocodile", "long snout of a crocodile", False),
        ("crocodile", "crocodile head", "crocodile skin", True),
        ("crocodile", "crocodile head", "crocodile head and tail", False),
        ("bass", "bass", "bass with silver scales", True),
        ("Bass", "bass", "bass with silver scales", True),
        ("sea horse", "horse", "a sea-horse tail", True),
        ("sea horse", "horse", "a horse-like face", False),
        ("duck", "a", "a flat beak", True),
    ],
)
def test_names_within_names(own: str, rival: str, text: str, usable: bool) -> None:
    assert bool(kept(text, own=[own], rivals=[rival])) is usable


@pytest.mark.parametrize("text", ["duck", "A duck.", "ducks and duck"])
def test_a_text_that_is_another_class_s_name_is_no_description(text: str) -> None:
    found = cleaned(text, others=["duck"])
    assert found.texts == (() if text != "ducks and duck" else (text,))
    assert found.dropped == (() if found.texts else ((text, "is only the name of 'duck'"),))


def test_other_names_are_names_that_are_not_there_yet() -> None:
    assert kept("Gas pump", "petrol pump", "the gas pumps", "Petrol Pump.", "fuel pump", own=["gas pump", "fuel pump"]) == ("petrol pump",)


def test_repeats_are_dropped_case_and_signs_aside() -> None:
    found = cleaned("a red comb", "A red comb.", "a red-comb", "red comb", "it has a red comb")
    assert found.texts == ("a red comb", "red comb")
    assert [why for _, why in found.dropped] == ["is there already"] * 3


def test_what_is_one_to_the_encoder_is_one() -> None:
    class Stemming(Reader):
        def clean(self, text: str) -> str:
            return text.replace("colour", "color")

    assert kept("red colour", "red color") == ("red colour", "red color")
    assert kept("red colour", "red color", encoder=Stemming()) == ("red colour",)


def test_only_the_first_are_taken_and_the_rest_is_told() -> None:
    found = cleaned(*(f"thing {word}" for word in ("one", "two", "three")), "thing one", most=2)
    assert found.texts == ("thing one", "thing two")
    assert found.dropped == (("thing three", "comes after the first 2"), ("thing one", "is there already"))


def test_a_long_text_is_shortened_at_a_clause_and_told() -> None:
    found = cleaned("a red comb, two yellow legs and white feathers with black tips", encoder=Reader(10))
    assert found.texts == ("a red comb, two yellow legs",)
    assert found.shortened == (("a red comb, two yellow legs and white feathers with black tips", "a red comb, two yellow legs"),)
    assert found.dropped == ()


def test_room_is_made_for_the_longest_prompt() -> None:
    said = "a red comb, two yellow legs"
    assert kept(said, encoder=Reader(10)) == (said,)
    assert kept(said, encoder=Reader(10), room=lambda text: f"a photo of a {text}") == ("a red comb",)
    assert reason(said, encoder=Reader(10), room=lambda text: "word " * 20) == (
        "needs 22 tokens where 10 are read, and has no clause to cut at"
    )


def test_a_long_text_without_a_clause_is_dropped_with_the_reason() -> None:
    text = "one two three four five six seven eight nine ten"
    assert reason(text, encoder=Reader(8)) == "needs 12 tokens where 8 are read, and has no clause to cut at"
    words = " ".join(f"word{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(41))
    assert reason(words) == "has 41 words where 40 are a phrase, and no clause to cut at"
    assert kept(words, form=Form.SENTENCE) == (words,)
    assert kept(f"a red comb, {words}") == ("a red comb",)


def test_a_rival_in_the_part_that_is_cut_does_not_count() -> None:
    assert kept("a red comb and legs like a duck", encoder=Reader(6), rivals=["duck"]) == ("a red comb",)


def test_what_is_left_after_the_cut_may_be_there_already() -> None:
    found = cleaned("a red comb", "a red comb and quite a few other things here", encoder=Reader(6))
    assert found.texts == ("a red comb",)
    assert found.dropped[0][1] == "is there already"


PIECES = [
    *(
        "<end_of_text>",
        "<end<",
        "_of_text>",
        "<|im_end|>",
        "</s>",
        "&lt;",
        "&amp;",
        "- ",
        "1. ",
        "**",
        "`",
        '"',
        "It has ",
        "hen",
        "duck",
        "swan",
    ),
    *(
        ": ",
        ", ",
        "; ",
        " and ",
        " with ",
        ".",
        "?",
        "a photo of ",
        "Sure! ",
        "[",
        "](",
        "_",
        "\x1b[31m",
        "\u202e",
        "\u200b",
        "\u200d",
        "＜s＞",
    ),
    *("red comb", "ﬁne", "猫", " ", "\n", "I'm sorry", "http://", "{", "has", "\ud800", "²", "...", "…", "’s ", "the ", "A ", "hen: "),
]
TEXTS = st.lists(st.one_of(st.text(max_size=30), st.lists(st.sampled_from(PIECES), max_size=12).map("".join)), max_size=6)


@settings(max_examples=300, deadline=None)
@given(texts=TEXTS, form=st.sampled_from(Form), encoder=st.sampled_from([None, Reader(7), Reader(30)]))
def test_whatever_comes_in_what_comes_out_is_clean(texts: list[str], form: Form, encoder: Reader | None) -> None:
    more: dict[str, Any] = {"form": form, "rivals": ["duck"], "others": ["swan"], "encoder": encoder, "most": 50}
    found = cleaned(*texts, **more)
    assert len(found.texts) + len(found.dropped) == len(texts)
    again = cleaned(*found.texts, **more)
    assert (again.texts, again.dropped, again.shortened) == (found.texts, (), ())
    for text in found.texts:
        assert text == " ".join(text.split())
        assert not [ch for ch in text if unicodedata.category(ch) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
        assert not TOKEN.search(text)
        assert not SPECIAL.search(unicodedata.normalize("NFKC", text))
        assert "duck" not in re.findall(r"\w+", text.casefold())
        assert encoder is None or encoder.tokens(text) <= encoder.context_length


def test_with_a_real_tokenizer_what_is_left_is_read_whole(lab: Lab) -> None:
    encoder = lab.encoder("mini")
    long = ", ".join(f"{a}{b} on {b}{a}{a}" for a in ("red", "white", "tawny", "speckled") for b in ("comb", "wing", "tail", "breast"))
    found = cleaned(
        long, "A  red\u200b comb", "a RED comb", encoder=encoder, form=Form.SENTENCE, room=lambda text: f"a photo of a hen, {text}."
    )
    ((before, after),) = found.shortened
    assert (before, found.texts) == (long, (after, "A red comb"))
    assert encoder.tokens(f"a photo of a hen, {after}.") <= encoder.context_length < encoder.tokens(f"a photo of a hen, {before}.")
    more = before[: before.index(", ", len(after) + 2)]
    assert encoder.tokens(f"a photo of a hen, {more}.") > encoder.context_length, "no more was cut than needed"


HOSTILE = [
    "<s",
    "<end<",
    "[",
    "![",
    "](",
    "*",
    "- ",
    "1.",
    "&amp;",
    "&",
    "\u202e",
    '"',
    ", ",
    " and a",
    "a: ",
    "It has ",
    "it is it ",
    "a",
    "a ",
    "_",
]


@pytest.mark.parametrize("part", HOSTILE)
@pytest.mark.parametrize("size", [2000, 1_000_000])
def test_hostile_texts_take_no_time(part: str, size: int) -> None:
    texts = [part * (size // len(part)) + end for end in ("", ">", "a red comb")]
    begin = time.perf_counter()
    cleaned(*texts, encoder=Reader(77), rivals=["duck"] * 99, others=[f"thing {i}" for i in range(1000)])
    assert time.perf_counter() - begin < 1


def test_descriptors_1_a_pool_names_no_class_and_holds_each_text_once() -> None:
    raw = {
        "hen": ["a red comb", "- two legs", "A hen's beak", "red comb"],
        "swing": ["can be hung from a tree", "a seat", "  a seat "],
        "cock": ["a red comb", "shuttlecock feathers"],
    }
    pool = ["a red comb", "two legs", "red comb", "can be hung from a tree", "a seat", "shuttlecock feathers"]
    assert bank(raw, ["hen", "swing", "cock"]) == (pool, ["A hen's beak"])


def test_a_pool_knows_names_in_the_plural() -> None:
    assert bank({"cock": ["shuttlecock feathers", "sea swings", ""]}, ["cock", "swing"]) == (["shuttlecock feathers"], ["sea swings"])
    assert bank({}, []) == ([], [])
