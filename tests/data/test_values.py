from typing import Any

import numpy as np
import pytest

from promptlab.errors import DataError, MismatchError
from promptlab.types import Classes, Dataset, Features, unit


def features(n: int = 4, labels: list[Any] | None = None) -> Features:
    return Features(np.eye(n, 5, dtype=np.float32), tuple(map(str, range(n))), None if labels is None else np.array(labels), "all", "")


def test_ids_are_distinct() -> None:
    with pytest.raises(DataError, match="cat"):
        Classes(("cat", "cat"), (("a",), ("b",)))


def test_ids_and_names_are_equally_many() -> None:
    with pytest.raises(MismatchError, match="2 ids, 1 names"):
        Classes(("a", "b"), (("cat",),))


@pytest.mark.parametrize("names", [((),), (("",),), (("cat", " "),)])
def test_every_class_has_words(names: tuple[tuple[str, ...], ...]) -> None:
    with pytest.raises(DataError, match="empty name"):
        Classes(("a",), names)


def test_repeated_names_keep_ids_of_their_own() -> None:
    made = Classes.of(["cat", "dog", "cat"])
    assert made.titles == ("cat", "dog", "cat")
    assert len(set(made.ids)) == 3


def test_a_repeated_name_does_not_clash_with_a_name_that_looks_like_its_id() -> None:
    assert len(set(Classes.of(["cat", "cat", "cat#0"]).ids)) == 3


def test_taking_rows_takes_keys_and_labels_along() -> None:
    some = features(4, [0, 1, 2, 3]).take(np.array([2, 0]), "tune")
    assert (some.keys, some.split) == (("2", "0"), "tune")
    assert some.labels is not None
    assert some.labels.tolist() == [2, 0]


def test_batches_are_unit_rows_in_fp32_and_cover_all() -> None:
    made = Features((3 * np.eye(5, 5)).astype(np.float16), tuple("abcde"), None, "all", "")
    parts = list(made.batches(2))
    assert [start for start, _ in parts] == [0, 2, 4]
    assert {x.dtype for _, x in parts} == {np.dtype(np.float32)}
    np.testing.assert_allclose(np.concatenate([x for _, x in parts]), np.eye(5), atol=1e-6)


def test_a_zero_row_stays_zero() -> None:
    assert not unit(np.zeros((2, 3))).any()


def test_a_data_set_has_one_part_or_tune_and_eval() -> None:
    with pytest.raises(DataError, match="splits"):
        Dataset("x", Classes.of(["cat"]), {"train": features()})


@pytest.mark.parametrize("labels", [[0, 0, 0, 1], [-1, 0, 0, 0]])
def test_labels_point_to_classes(labels: list[int]) -> None:
    with pytest.raises(DataError, match="there are 1 classes"):
        Dataset("x", Classes.of(["cat"]), {"all": features(4, labels)})


def test_both_parts_list_labels_or_none_does() -> None:
    one, several = features(2, [0, 0]), features(2, [[True], [True]])
    with pytest.raises(DataError, match="One part of 'x' lists the labels of its pictures, the other gives one each"):
        Dataset("x", Classes.of(["cat"]), {"tune": one, "eval": several})
    Dataset("x", Classes.of(["cat"]), {"tune": several, "eval": features(2, None)})
