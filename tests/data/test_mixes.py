"""Class mixes from files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from promptlab.data.names import read_mix
from promptlab.errors import DataError
from promptlab.types import Classes

CLASSES = Classes(("cat", "dog", "1. big_cow"), (("cat",), ("dog", "hound"), ("big cow",)))
Listing = Callable[[str], Path]


@pytest.mark.parametrize(
    "text",
    [
        "cat\t0.2\ndog\t0.5\n1. big_cow\t0.3\n",
        "1. big_cow\t30\ncat\t20\ndog\t50",
        "\ufeffcat\t2e2\r\n\r\ndog\t 500\r\n1. big_cow\t300\r\n",
    ],
)
def test_shares_and_counts_in_any_order_are_a_mix_in_the_order_of_the_classes(listing: Listing, text: str) -> None:
    assert read_mix(str(listing(text)), CLASSES) == pytest.approx(np.array([0.2, 0.5, 0.3]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cat\t1\ndog\t1", "has no share for '1. big_cow'"),
        ("cat\t1\ndog\t1\nbig cow\t1", "names the class 'big cow', which the data has not"),
        ("cat\t1\ndog\t1\n1. big_cow\t1\nhorse\t1", "names the class 'horse'"),
        ("cat\t1\ndog\t0\n1. big_cow\t1", "gives 'dog' the share 0;"),
        ("cat\t1\ndog\t-2\n1. big_cow\t1", "gives 'dog' the share -2;"),
        ("cat\tnan\ndog\t1\n1. big_cow\t1", "gives 'cat' the share nan;"),
        ("cat\t1\ndog\tinf\n1. big_cow\t1", "gives 'dog' the share inf;"),
        ("cat\t1\ndog\tmany\n1. big_cow\t1", "Line 2 of"),
        ("cat 1\ndog 1\n1. big_cow 1", "Line 1 of"),
        ("cat\t1\ndog\t1\t1\n1. big_cow\t1", "Line 2 of"),
        ("", "is empty"),
    ],
)
def test_what_is_no_mix_of_these_classes_is_refused(listing: Listing, text: str, said: str) -> None:
    with pytest.raises(DataError) as error:
        read_mix(str(listing(text)), CLASSES)
    assert said in error.value.message
    assert error.value.hint or "was expected" in error.value.message


def test_a_class_that_is_named_twice_is_refused(listing: Listing) -> None:
    with pytest.raises(DataError, match="twice"):
        read_mix(str(listing("cat\t1\ndog\t1\n1. big_cow\t1\ncat\t9")), CLASSES)


def test_a_mix_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    for name in ("nothing", "noise"):
        with pytest.raises(DataError, match="cannot be read"):
            read_mix(str(tmp_path / name), CLASSES)
