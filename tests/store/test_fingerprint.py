from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.store import fingerprint, slug

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.text() | st.binary(), max_size=4), st.lists(st.text() | st.binary(), max_size=4))
def test_different_parts_have_different_fingerprints(first: list[Any], second: list[Any]) -> None:
    assert (fingerprint(*first) == fingerprint(*second)) == (first == second)


@given(st.dictionaries(st.text(), plain, max_size=5))
def test_the_order_of_a_dictionary_does_not_matter(value: dict[str, Any]) -> None:
    assert fingerprint(value) == fingerprint(dict(reversed(value.items())))


@given(plain)
def test_a_fingerprint_is_a_sha256_and_stays(value: Any) -> None:
    assert fingerprint(value) == fingerprint(value)
    assert len(bytes.fromhex(fingerprint(value))) == 32


DISTINCT = [
    ("a", "b"),
    ("ab",),
    ("ab", ""),
    ("", "ab"),
    (["a", "b"],),
    (b"ab",),
    ("1",),
    (1,),
    (1.0,),
    (True,),
    (None,),
    (),
    (np.zeros(2),),
    (np.zeros((2, 1)),),
    (np.zeros(2, np.float32),),
    (np.zeros(2, ">f8"),),
    (np.zeros(4, np.int32),),
    (np.zeros(2).tobytes(),),
    (np.zeros(2).tolist(),),
]


def test_kind_shape_and_cut_all_count() -> None:
    assert len({fingerprint(*parts) for parts in DISTINCT}) == len(DISTINCT)


def test_a_parts_own_bytes_cannot_stand_for_two_parts() -> None:
    assert fingerprint(b'x\njson 3\n"a"') != fingerprint(b"x", "a")


def test_an_array_counts_by_its_values_not_by_its_layout() -> None:
    x = np.arange(12.0).reshape(3, 4)
    assert fingerprint(x) == fingerprint(np.asfortranarray(x)) == fingerprint(x[::1]) != fingerprint(x.T)


def test_names_that_are_no_text_have_fingerprints_too() -> None:
    assert fingerprint("\udcff") != fingerprint("\udcfe")


def test_the_fingerprint_is_the_same_on_every_machine() -> None:
    assert fingerprint("a", [1, {"b": None}], b"c") == "bc400f0885993e1ee929b9e6bbd3dace3d29def86c0be63834b6565d26e4fdf5"


@given(st.text())
def test_a_slug_is_safe_as_part_of_a_file_name(text: str) -> None:
    made = slug(text)
    assert made
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert len(made) <= 40
    assert not made.startswith("-")


@pytest.mark.parametrize("text", ["..", "../../etc/passwd", "/", "a\x00b", "CON\\..\\x", "🐟"])
def test_hostile_names_make_harmless_slugs(text: str) -> None:
    assert "/" not in slug(text)
    assert "." not in slug(text)
