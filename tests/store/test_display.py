import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptlab.display import safe

nasty = st.text(
    st.sampled_from("\x00\x07\x08\x1b\x7f\x85\x9b\x9d\u200b\u200e\u202e\u2066\u2028\u2029\ufeff\udc80\ue000a]0;[/") | st.characters()
)
KEPT = {"\u200d", "\ufe0f"}


@given(nasty)
@example("\u2028")
@example("\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\")
def test_no_control_or_bidi_character_survives(text: str) -> None:
    shown = safe(text, 10_000)
    assert not [ch for ch in shown if unicodedata.category(ch) in ("Cc", "Cf", "Cs", "Co") and ch not in KEPT]
    assert not [ch for ch in shown if unicodedata.bidirectional(ch) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")]
    shown.encode("utf-8")


@given(nasty)
@example("a\u2028b")
@example("a\x0bb\x0cc\x85d\x1ce")
def test_what_is_shown_is_one_line(text: str) -> None:
    assert len(safe(text).splitlines()) <= 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;x\x07", "\\x1b]0;x\\x07"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b31m", "\\x9b31m"),
        ("a\u202eb", "a\\u202eb"),
        ("a\tb\nc\rd", "a b c d"),
        ("\x00", "\\x00"),
        ("[@click=app.quit]", "[@click=app.quit]"),
        ("\udce9", "\\udce9"),
    ],
)
def test_what_is_unsafe_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert safe(text) == shown


@pytest.mark.parametrize("text", ["golden retriever", "Straße", "猫", "👩‍🚀", "⭐️", "قطة", "a\u0301", "100 %", "«x»", ""])
def test_ordinary_words_are_shown_as_they_are(text: str) -> None:
    assert safe(text) == text


@given(st.text(st.characters(categories=("L", "N", "P")), max_size=300), st.integers(2, 250))
def test_long_texts_are_cut_and_the_cut_is_seen(text: str, longest: int) -> None:
    shown = safe(text, longest)
    assert len(shown) <= longest
    assert shown == text if len(text) <= longest else shown.endswith("…")


def test_a_long_text_of_control_characters_is_cut_too() -> None:
    assert len(safe("\x1b" * 5000, 100)) <= 100
