from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptlab.config import Settings
from promptlab.data.features import FeatureFiles
from promptlab.errors import DataError, MismatchError, PromptlabError, UsageError
from promptlab.lab import Lab
from promptlab.protocols import DataOptions
from promptlab.types import Dataset, Features

Arrays = dict[str, Any]
Planted = Callable[..., Arrays]


def saved(path: Path, arrays: Arrays) -> Path:
    np.savez(path, **arrays)
    return path


def opened(path: Path, names: str = "") -> Dataset:
    return FeatureFiles().open(str(path), DataOptions(names=names))


def part(dataset: Dataset, split: str = "all") -> Features:
    found = dataset.splits[split]
    assert isinstance(found, Features)
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "things.npz"


def test_one_file_with_all_of_it(file: Path, planted: Planted) -> None:
    arrays = planted()
    dataset = opened(saved(file, arrays | {"keys": np.array([f"k{i}" for i in range(24)])}))
    assert dataset.name == "things"
    assert dataset.classes.titles == ("thing 0", "thing 1", "thing 2")
    np.testing.assert_array_equal(part(dataset).x, arrays["features"])
    np.testing.assert_array_equal(part(dataset).labels, arrays["labels"])
    assert part(dataset).keys[3] == "k3"


@pytest.mark.parametrize(("x", "y", "names"), [("x", "y", "classnames"), ("features", "labels", "classes"), ("x", "labels", "names")])
def test_arrays_may_go_by_their_other_names(file: Path, planted: Planted, x: str, y: str, names: str) -> None:
    arrays = planted()
    dataset = opened(saved(file, {x: arrays["features"], y: arrays["labels"], names: arrays["names"]}))
    assert part(dataset).labels is not None
    assert len(dataset.classes) == 3


def test_labels_are_optional(file: Path, planted: Planted) -> None:
    arrays = planted()
    del arrays["labels"]
    assert part(opened(saved(file, arrays))).labels is None


def splits_of(arrays: Arrays, *names: str) -> Arrays:
    rest = {n: arrays[n] for n in ("names", "text", "families")}
    return (
        rest
        | {f"{n}_x": arrays["features"][i:] for i, n in enumerate(names)}
        | {f"{n}_y": arrays["labels"][i:] for i, n in enumerate(names)}
    )


@pytest.mark.parametrize(
    ("there", "tune", "judged"),
    [(("val", "test"), 24, 23), (("train", "test"), 24, 23), (("train", "val"), 24, 23), (("train", "val", "test"), 23, 22)],
)
def test_two_sets_are_tune_and_eval(file: Path, planted: Planted, there: tuple[str, ...], tune: int, judged: int) -> None:
    dataset = opened(saved(file, splits_of(planted(), *there)))
    assert set(dataset.splits) == {"tune", "eval"}
    assert (len(part(dataset, "tune")), len(part(dataset, "eval"))) == (tune, judged)


def test_keys_differ_between_the_sets(file: Path, planted: Planted) -> None:
    dataset = opened(saved(file, splits_of(planted(), "val", "test")))
    assert not set(part(dataset, "tune").keys) & set(part(dataset, "eval").keys)


def test_a_folder_of_npy_files_is_read_as_one(tmp_path: Path, planted: Planted) -> None:
    arrays = planted()
    root = tmp_path / "things"
    root.mkdir()
    np.save(root / "features.npy", arrays["features"])
    np.save(root / "labels.npy", arrays["labels"])
    (root / "names.txt").write_text("cat\ndog\ncow\n")
    dataset = opened(root)
    assert dataset.classes.titles == ("cat", "dog", "cow")
    np.testing.assert_array_equal(part(dataset).x, arrays["features"])


def test_npy_features_stay_on_disk(tmp_path: Path, planted: Planted) -> None:
    np.save(tmp_path / "features.npy", planted()["features"])
    (tmp_path / "names.txt").write_text("cat\n")
    assert isinstance(part(opened(tmp_path)).x, np.memmap)


def test_a_names_file_is_not_matched_by_position_to_names_in_the_data(file: Path, planted: Planted, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("a\nb\nc\n")
    with pytest.raises(DataError, match="matched to them by position"):
        opened(saved(file, planted()), str(tmp_path / "other.txt"))
    arrays = planted()
    del arrays["names"]
    assert opened(saved(file, arrays), str(tmp_path / "other.txt")).classes.titles == ("a", "b", "c")


def test_names_must_come_from_somewhere(file: Path, planted: Planted) -> None:
    arrays = planted()
    del arrays["names"], arrays["text"]
    with pytest.raises(DataError, match="no class names") as caught:
        opened(saved(file, arrays))
    assert "names.txt" in caught.value.hint


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64])
def test_labels_may_list_several_classes(file: Path, planted: Planted, kind: type) -> None:
    arrays = planted()
    several = np.eye(3, dtype=bool)[arrays["labels"]] | (np.arange(24) % 5 == 0)[:, None]
    np.savez(file, **{**arrays, "labels": several.astype(kind)})
    found = opened(file).splits["all"].labels
    assert found is not None
    assert found.dtype == bool
    assert np.array_equal(found, several)


WRONG: dict[str, tuple[Callable[[Arrays], Arrays], str]] = {
    "flat features": (lambda a: {"features": a["features"][0]}, "features"),
    "deep features": (lambda a: {"features": a["features"][None]}, "features"),
    "int features": (lambda a: {"features": a["features"].astype(int)}, "features"),
    "complex features": (lambda a: {"features": a["features"].astype(complex)}, "features"),
    "no features": (lambda a: {"features": a["features"][:0], "labels": a["labels"][:0]}, "no picture"),
    "float labels": (lambda a: {"labels": a["labels"].astype(float)}, "labels"),
    "column of labels": (lambda a: {"labels": a["labels"][:, None]}, "labels"),
    "counts as labels": (lambda a: {"labels": 2 * np.eye(3, dtype=int)[a["labels"]]}, "0 and 1 of shape"),
    "too few columns": (lambda a: {"labels": np.eye(3, dtype=bool)[a["labels"]][:, :2]}, r"bool \(N, 3\) was expected"),
    "word labels": (lambda a: {"labels": a["labels"].astype(str)}, "labels"),
    "few labels": (lambda a: {"labels": a["labels"][:-1]}, "24 vectors, 24 keys, 23 labels"),
    "label too high": (lambda a: {"labels": a["labels"] + 1}, "run from 1 to 3; there are 3 classes"),
    "label below 0": (lambda a: {"labels": a["labels"] - 1}, "run from -1 to 1"),
    "few keys": (lambda a: {"keys": np.array(["a", "b"])}, "24 vectors, 2 keys"),
    "byte names": (lambda a: {"names": a["names"].astype("S")}, "names"),
    "number names": (lambda a: {"names": np.arange(3)}, "names"),
    "table of names": (lambda a: {"names": a["names"][None]}, "names"),
    "empty name": (lambda a: {"names": np.array(["cat", " ", "dog"])}, "empty name"),
    "object names": (lambda a: {"names": a["names"].astype(object)}, "cannot be read"),
    "object features": (lambda a: {"features": a["features"].astype(object)}, "cannot be read"),
    "flat text": (lambda a: {"text": a["text"][0]}, r"\(K, 3, D\)"),
    "text of fewer classes": (lambda a: {"text": a["text"][:, :2]}, r"\(K, 3, D\)"),
    "no family": (lambda a: {"text": a["text"][:0], "families": a["families"][:0]}, "text"),
    "object text": (lambda a: {"text": a["text"].astype(object)}, "cannot be read"),
    "word text": (lambda a: {"text": a["text"].astype(str)}, "text"),
    "few families": (lambda a: {"families": a["families"][:1]}, "famil"),
    "many families": (lambda a: {"families": np.array(["a", "b", "c"])}, "famil|cells"),
    "scale in words": (lambda a: {"scale": np.array("large")}, "scale"),
    "scale of nothing": (lambda a: {"scale": np.array(0.0)}, "scale"),
    "scale below 0": (lambda a: {"scale": np.array(-100.0)}, "scale"),
    "scale without end": (lambda a: {"scale": np.array(np.nan)}, "scale"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arrays_are_refused_in_words(file: Path, planted: Planted, case: str) -> None:
    change, said = WRONG[case]
    arrays = planted()
    with pytest.raises(PromptlabError, match=said):
        opened(saved(file, arrays | change(arrays)))


def test_features_of_another_width_than_the_texts_are_refused(file: Path, planted: Planted, lab: Lab) -> None:
    arrays = planted()
    arrays["text"] = arrays["text"][:, :, :-1]
    with pytest.raises(MismatchError, match="8"):
        lab.run(str(saved(file, arrays)))


def damaged(file: Path, how: str) -> None:
    whole = bytearray(file.read_bytes())
    if how == "cut":
        whole = whole[: len(whole) // 2]
    elif how == "flipped":
        whole[200] ^= 0xFF
    elif how == "empty":
        whole.clear()
    else:
        whole = bytearray(b"this is no zip file")
    file.write_bytes(whole)


@pytest.mark.parametrize("how", ["cut", "flipped", "empty", "text"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed], ids=["plain", "compressed"])
def test_a_damaged_file_is_refused_by_name(file: Path, planted: Planted, how: str, save: Callable[..., None]) -> None:
    save(file, **planted())
    damaged(file, how)
    with pytest.raises(DataError, match=r"things\.npz"):
        opened(file)


def test_a_damaged_npy_file_is_refused_by_name(tmp_path: Path, planted: Planted) -> None:
    np.save(tmp_path / "features.npy", planted()["features"])
    damaged(tmp_path / "features.npy", "cut")
    with pytest.raises(DataError, match=r"features\.npy"):
        opened(tmp_path)


@pytest.mark.parametrize("there", [{"val_x": 1}, {"train_x": 1, "names": 1}, {"labels": 1}, {"text": 1}])
def test_a_file_without_features_is_told_what_is_missing(file: Path, planted: Planted, there: Arrays) -> None:
    arrays = planted()
    kept = {name: arrays.get(name.replace("val_x", "features").replace("train_x", "features")) for name in there}
    with pytest.raises(DataError, match="`features`, or `val_x` and `test_x`"):
        opened(saved(file, kept | {"names": arrays["names"]}))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0], ids=["nan", "inf", "zero"])
@pytest.mark.parametrize("row", [0, 13, 23])
def test_a_row_that_is_no_vector_is_named_when_it_is_scored(file: Path, planted: Planted, lab: Lab, bad: float, row: int) -> None:
    arrays = planted()
    arrays["features"][row] = bad
    with pytest.raises(DataError, match=f"{row:07d}") as caught:
        lab.run(str(saved(file, arrays)))
    assert "(row" not in caught.value.message or f"(row {row})" in caught.value.message


@pytest.mark.parametrize("bad", [np.nan, np.inf], ids=["nan", "inf"])
def test_a_text_vector_that_is_not_finite_is_an_error_that_says_where(file: Path, planted: Planted, lab: Lab, bad: float) -> None:
    arrays = planted()
    arrays["text"][1, 2] = bad
    with pytest.raises(DataError, match=r"text|family 1|thing 2"):
        lab.run(str(saved(file, arrays)))


def test_text_vectors_become_unit_rows(file: Path, planted: Planted) -> None:
    arrays = planted()
    bank = opened(saved(file, arrays | {"text": 7 * arrays["text"]})).bank
    assert bank is not None
    np.testing.assert_allclose(np.linalg.norm(bank.z, axis=-1), 1, atol=1e-6)
    assert bank.grid.families == ("family 0 of {}", "family 1 of {}")


def test_a_bank_without_a_scale_takes_clips_and_says_so(file: Path, planted: Planted) -> None:
    dataset = opened(saved(file, planted()))
    assert dataset.bank is not None
    assert dataset.bank.scale == 100
    assert any("no logit scale; 100 is assumed" in note for note in dataset.notes)


@pytest.mark.parametrize("scale", [np.array(42.5), np.array([42.5]), np.float32(42.5)], ids=["scalar", "one", "float32"])
def test_a_scale_in_the_file_is_used_and_nothing_is_noted(file: Path, planted: Planted, scale: Any) -> None:
    dataset = opened(saved(file, planted() | {"scale": scale}))
    assert dataset.bank is not None
    assert dataset.bank.scale == 42.5
    assert dataset.notes == ()


def test_families_without_names_are_counted(file: Path, planted: Planted) -> None:
    arrays = planted()
    del arrays["families"]
    bank = opened(saved(file, arrays)).bank
    assert bank is not None
    assert bank.grid.families == ("family 0", "family 1")


def test_features_with_texts_need_no_model(file: Path, planted: Planted, lab: Lab) -> None:
    found = lab.run(str(saved(file, planted())))
    assert found.summary["result"]["accuracy"] == 1
    assert found.summary["data"]["model"] is None
    assert found.summary["encoded"] == {"texts": 0, "images": 0}


def test_features_alone_must_name_their_model(file: Path, planted: Planted, lab: Lab) -> None:
    arrays = planted()
    del arrays["text"], arrays["families"]
    with pytest.raises(UsageError, match="do not say which model") as caught:
        lab.run(str(saved(file, arrays)))
    assert "--model" in caught.value.hint


def test_features_can_name_their_model(file: Path, planted: Planted) -> None:
    assert opened(saved(file, planted() | {"encoder": np.array("mini")})).encoder == "mini"


def test_data_with_its_own_parts_cannot_be_in_sample(file: Path, planted: Planted) -> None:
    lab = Lab(Settings.load({"transductive": True}))
    with pytest.raises(UsageError, match="brings its own tune and eval"):
        lab.run(str(saved(file, splits_of(planted(), "val", "test"))))


def test_only_feature_files_are_claimed(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npy", "c.txt"):
        (tmp_path / name).write_bytes(b"")
    claims = FeatureFiles().claims
    assert claims(str(tmp_path))
    assert [claims(str(tmp_path / n)) for n in ("a.npz", "b.npy", "c.txt", "gone.npz")] == [True, True, False, False]


def test_real_clip_vectors_in_two_files_are_one_data_set(shared: Path) -> None:
    dataset = opened(shared / "data" / "clip_b32")
    tune, judged = part(dataset, "tune"), part(dataset, "eval")
    assert (tune.x.shape, judged.x.shape) == ((925, 512), (1386, 512))
    assert len(dataset.classes) == 1203
    assert dataset.bank is not None
    assert dataset.bank.z.shape == (5, 1203, 512)
    assert dataset.bank.grid.families[0] == "a_X"


def test_the_right_family_of_real_clip_vectors_knows_most_pictures(shared: Path, lab: Lab) -> None:
    found = lab.run(str(shared / "data" / "clip_b32"))
    assert 0.4 < found.summary["result"]["accuracy"] < 0.8
    assert found.summary["data"]["absent"] == 1203 - 49
    assert any("scale" in note for note in found.summary["data"]["notes"])


def test_labels_may_be_names_themselves(file: Path, planted: Planted) -> None:
    arrays = planted()
    words = np.array(["owl", "cat", "dog"])[arrays["labels"]]
    dataset = opened(saved(file, {"features": arrays["features"], "labels": words}))
    assert dataset.classes.titles == ("cat", "dog", "owl")
    found = part(dataset).labels
    assert found is not None
    assert [dataset.classes.ids[c] for c in found] == words.tolist()


def test_the_order_of_text_vectors_is_not_guessed(file: Path, planted: Planted) -> None:
    arrays = planted() | {"labels": np.array(["owl", "cat", "dog"] * 8)}
    del arrays["names"]
    with pytest.raises(DataError, match="no class names"):
        opened(saved(file, arrays))


def test_names_may_be_replaced_by_pairs(file: Path, planted: Planted, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("thing 2\tgadget\n")
    dataset = opened(saved(file, planted()), str(tmp_path / "names.txt"))
    assert dataset.classes.titles == ("thing 0", "thing 1", "gadget")
