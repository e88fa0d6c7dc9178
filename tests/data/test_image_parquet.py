"""Parquet files that hold the pictures themselves."""

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from promptlab.config import Settings
from promptlab.data import imageparquet
from promptlab.errors import DataError
from promptlab.lab import Lab
from promptlab.types import Dataset, Images

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
NAMES = ["cat", "dog", "owl"]


def written(name: str, labels: Sequence[Any] | None, first: int = 0, names: Sequence[str] = NAMES, n: int = 5, **more: Any) -> Path:
    """A file in Hugging Face's layout, of n pictures, two rows a group."""
    pictures = pa.array([{"bytes": f"picture {first + i}".encode(), "path": "x.png"} for i in range(n)], STRUCT)
    columns = {"image": pictures, **({} if labels is None else {"label": pa.array(labels)}), **more}
    features = {"image": {"_type": "Image"}} | ({"label": {"_type": "ClassLabel", "names": list(names)}} if names else {})
    table = pa.table(columns).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path, row_group_size=2)
    return path


def images(dataset: Dataset, split: str = "all") -> Images:
    part = dataset.splits[split]
    assert isinstance(part, Images)
    return part


def test_a_folder_of_hugging_face_is_split_by_the_names_of_files(lab: Lab) -> None:
    written("set/data/train-00000-of-00001.parquet", [0, 1, 2, 0, 1])
    written("set/data/test-00000-of-00002.parquet", [2, 2, 1, 1, 0], 5)
    written("set/data/test-00001-of-00002.parquet", [0, 0, 1, 1, 2], 10)
    dataset = lab.open("set")
    assert (dataset.name, dataset.classes.titles) == ("set", tuple(NAMES))
    judged = images(dataset, "eval")
    assert judged.keys[0] == "data/test-00000-of-00002.parquet/00000000"
    assert list(judged.keys) == sorted(judged.keys)
    assert [judged.read(i) for i in (0, 9, 4, 3)] == [b"picture 5", b"picture 14", b"picture 9", b"picture 8"]
    assert judged.labels is not None
    assert judged.labels.tolist() == [2, 2, 1, 1, 0, 0, 0, 1, 1, 2]
    assert len(images(dataset, "tune")) == 5
    assert "train to tune, test to judge" in dataset.notes[0]


@pytest.mark.parametrize(("one", "other"), [("c-train.parquet", "c-test.parquet"), ("plain/train-0.parquet", "plain/test-0.parquet")])
def test_the_split_is_a_word_in_the_name_and_one_configuration_is_read(lab: Lab, one: str, other: str) -> None:
    written(f"set/{one}", [0, 1, 2, 0, 1])
    written(f"set/{other}", [2, 2, 1, 1, 0], 5)
    written("set/aside/more/0.parquet", [0] * 5)
    Path("set/README.md").touch()
    assert images(lab.open("set"), "eval").read(0) == b"picture 5"


def test_a_folder_that_is_no_split_is_told(lab: Lab) -> None:
    for split in ("train", "test", "dev"):
        written(f"set/{split}/0.parquet", [0, 1, 2, 0, 1])
    assert "The folders dev hold parquet files, but no split is called so" in " ".join(lab.open("set").notes)


def test_a_file_that_was_written_anew_is_told(lab: Lab) -> None:
    part = images(lab.open(str(written("t.parquet", [0, 1, 2, 0, 1]))))
    written("t.parquet", [0, 1, 2, 0, 1], 100)
    with pytest.raises(DataError, match="changed after it was opened"):
        part.read(0)


def test_a_small_file_cannot_ask_for_much_memory(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("AT_ONCE", "KEPT", "GROWN"):
        monkeypatch.setattr(f"promptlab.data.parquetrows.{limit}", 1 << 20)
    table = pa.table({"jpg": [bytes(1 << 19)] * 64, "label": ["dog"] * 64})
    parquet.write_table(table, "t.parquet", compression="zstd")
    part = images(lab.open("t.parquet"))
    before = pa.total_allocated_bytes()
    assert len(part.read(40)) == 1 << 19
    assert pa.total_allocated_bytes() - before < 8 << 20
    parquet.write_table(table, "t.parquet", compression="zstd", use_dictionary=False)
    with pytest.raises(DataError, match="claims to hold 33"):
        lab.open("t.parquet")


def test_many_rows_are_read_in_any_order(lab: Lab) -> None:
    pictures = [f"picture {i}".encode() for i in range(1000)]
    parquet.write_table(pa.table({"jpg": pictures, "label": ["dog", "wild_cat"] * 500}), "t.parquet", row_group_size=500)
    part = images(lab.open("t.parquet"))
    for i in (0, 499, 500, 999, 63, 64, 65, 0, 700, 300):
        assert part.read(i) == pictures[i]
    assert lab.open("t.parquet").classes.titles == ("dog", "wild cat")


def test_several_threads_may_read(lab: Lab) -> None:
    pictures = [f"picture {i}".encode() for i in range(1000)]
    parquet.write_table(pa.table({"jpg": pictures, "label": ["dog"] * 1000}), "t.parquet", row_group_size=300)
    part = images(lab.open("t.parquet"))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(part.read, range(1000))) == pictures


def test_a_table_of_paths_stays_a_table(lab: Lab) -> None:
    parquet.write_table(pa.table({"image": ["a.png", "b.png"], "label": ["cat", "dog"]}), "t.parquet")
    assert images(lab.open("t.parquet")).keys == ("a.png", "b.png")


def test_minus_one_is_no_label(lab: Lab) -> None:
    dataset = lab.open(str(written("test.parquet", [-1] * 5)))
    assert images(dataset).labels is None
    assert dataset.classes.titles == tuple(NAMES)
    with pytest.raises(DataError, match=r"2 of 5 rows of 'test\.parquet' have no label"):
        lab.open(str(written("test.parquet", [0, -1, 1, -1, 2])))


def test_a_split_whose_labels_are_kept_back_is_left_out(lab: Lab) -> None:
    for split, labels in (("train", [0, 1, 2, 0, 1]), ("validation", [1] * 5), ("test", [-1] * 5)):
        written(f"set/{split}.parquet", labels)
    dataset = lab.open("set")
    assert images(dataset, "eval").keys[0].startswith("validation")
    assert "The files of test have no labels and are left out." in dataset.notes


def test_stamps_change_with_the_file(lab: Lab) -> None:
    before = images(lab.open(str(written("t.parquet", [0, 1, 2, 0, 1])))).stamps
    assert len(set(before)) == 5
    assert not set(before) & set(images(lab.open(str(written("t.parquet", [0, 1, 2, 0, 1], 100_000)))).stamps)


def test_a_row_without_a_picture_is_told_when_it_is_read(lab: Lab) -> None:
    table = pa.table(
        {"image": pa.array([None, {"bytes": None, "path": "a.png"}, {"bytes": b"x", "path": None}], STRUCT), "label": ["a", "b", "a"]}
    )
    parquet.write_table(table, "t.parquet")
    part = images(lab.open("t.parquet"))
    assert part.read(2) == b"x"
    for i in (0, 1):
        with pytest.raises(DataError, match="holds no bytes"):
            part.read(i)


def several(name: str) -> None:
    written(name, None, fine_label=[0] * 5, coarse_label=[1] * 5)


def doubled(name: str) -> None:
    for mark in "ab":
        written(f"x/train-00000-of-00001-{mark}{name}", [0] * 5)


def cut(name: str) -> None:
    path = written(name, [0] * 5)
    path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize("how", [lambda inner: {"_type": "Sequence", "feature": inner}, lambda inner: [inner]])
def test_lists_of_labels(lab: Lab, how: Callable[[Any], Any]) -> None:
    path = written("t.parquet", None, names=(), n=3, shown=pa.array([[2, 0], [], [1]]))
    note = {"info": {"features": {"image": {"_type": "Image"}, "shown": how({"_type": "ClassLabel", "names": NAMES})}}}
    parquet.write_table(parquet.read_table(path).replace_schema_metadata({"huggingface": json.dumps(note)}), path)
    dataset = lab.open("t.parquet")
    assert dataset.classes.ids == tuple(NAMES)
    labels = images(dataset).labels
    assert labels is not None
    assert labels.tolist() == [[True, False, True], [False, False, False], [False, True, False]]


def test_lists_of_names(lab: Lab) -> None:
    written("t.parquet", None, names=(), n=3, Labels=pa.array([["dog", "cat"], ["owl"], []], pa.large_list(pa.string())))
    assert images(lab.open("t.parquet")).labels.tolist() == [[True, True, False], [False, False, True], [False] * 3]  # type: ignore[union-attr]


WAYS: dict[str, tuple[Any, list[list[int]]]] = {
    "of one size": (
        pa.array([["dog", "cat"], ["owl", "dog"], ["cat", "owl"]], pa.list_(pa.string(), 2)),
        [[1, 1, 0], [0, 1, 1], [1, 0, 1]],
    ),
    "dictionaries": (
        pa.array([["dog", "cat"], [], ["owl"]], pa.list_(pa.dictionary(pa.int32(), pa.string()))),
        [[1, 1, 0], [0, 0, 0], [0, 0, 1]],
    ),
    "words": (pa.array(["dog|cat", "", "owl"]), [[1, 1, 0], [0, 0, 0], [0, 0, 1]]),
    "shared words": (pa.array(["dog;cat", "dog", "owl"]).dictionary_encode(), [[1, 1, 0], [0, 1, 0], [0, 0, 1]]),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("beside", [{}, {"category": pa.array(["x", "y", "z"])}])
def test_every_way_to_list_labels(lab: Lab, way: str, beside: dict[str, Any]) -> None:
    column, shown = WAYS[way]
    written("t.parquet", None, names=(), n=3, Labels=column, **beside)
    assert images(lab.open("t.parquet")).labels.astype(int).tolist() == shown  # type: ignore[union-attr]


@pytest.mark.parametrize("column", [[[0.0, 1.0]] * 3, [[True, False]] * 3, [{"a": 1}] * 3, [0.5] * 3, [[["cat"]]] * 3])
def test_labels_that_are_not_understood_are_refused(lab: Lab, column: list[Any]) -> None:
    written("t.parquet", None, names=(), n=3, Labels=pa.array(column))
    with pytest.raises(DataError, match=r"The column 'Labels' of 't\.parquet' is of"):
        lab.open("t.parquet")
    written("t.parquet", [0, 1, 2], n=3, Labels=pa.array(column))
    assert any("'label' is read" in note for note in lab.open("t.parquet").notes)


def test_one_label_goes_before_lists(lab: Lab) -> None:
    written("t.parquet", [0, 1, 2], n=3, Labels=pa.array([[0], [1], [2]]))
    assert images(lab.open("t.parquet")).labels.tolist() == [0, 1, 2]  # type: ignore[union-attr]


SAID = [["a cat", "a black cat"], ["a dog"], ["an owl"]]


@pytest.mark.parametrize(
    ("name", "column", "said"),
    [
        ("caption", pa.array(SAID), SAID),
        ("Captions", pa.array([one[0] for one in SAID]), [one[:1] for one in SAID]),
        ("text", pa.array([one[0] for one in SAID], pa.large_string()), [one[:1] for one in SAID]),
    ],
)
def test_captions(lab: Lab, name: str, column: Any, said: list[list[str]]) -> None:
    written("set/data/train-00000-of-00001.parquet", None, names=(), n=3, **{name: column})
    written("set/data/test-00000-of-00001.parquet", None, 3, names=(), n=3, **{name: column[::-1]})
    dataset = lab.open("set")
    assert dataset.classes.ids == ()
    assert images(dataset, "tune").captions == tuple(map(tuple, said))
    assert images(dataset, "eval").captions == tuple(map(tuple, said[::-1]))


def test_captions_beside_labels(lab: Lab) -> None:
    written("t.parquet", [0, 1, 2], n=3, caption=pa.array(SAID), text=pa.array(["x", None, ""]))
    part = images(lab.open("t.parquet"))
    assert part.captions == tuple(map(tuple, SAID))
    assert part.labels is not None
    written("t.parquet", [0, 1, 2], n=3, text=pa.array(["x", None, ""]))
    assert images(lab.open("t.parquet")).captions is None


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([["x"], [], ["y"]]), r"Row 1 of 't.parquet' has no captions"),
        (pa.array([["x"], None, ["y"]]), r"Row 1 of 't.parquet' has no captions"),
        (pa.array([["x"], ["z", None], ["y"]]), r"Row 1 of 't.parquet' has 'None' among its captions"),
        (pa.array(["x", "y" * 70_000, "z"]), "a caption of more than 65,536 bytes"),
    ],
)
def test_captions_that_cannot_be_used(lab: Lab, column: Any, said: str) -> None:
    written("t.parquet", None, names=(), n=3, caption=column)
    with pytest.raises(DataError, match=said):
        lab.open("t.parquet")


def test_captions_that_would_grow_are_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imageparquet, "GROWN", 1 << 20)
    columns = {
        "image": pa.array([b"p"] * 200),
        "caption": pa.array(["x" * 60_000] * 200),
    }  # 12 MB in memory, of which the file has one copy
    parquet.write_table(pa.table(columns), "t.parquet")
    with pytest.raises(DataError, match=r"claims to hold more than .* bytes in its column 'caption'"):
        lab.open("t.parquet")


BROKEN: dict[str, tuple[Any, str]] = {
    "several labels": (lambda: several("x/t.parquet"), "several columns of labels: fine_label, coarse_label"),
    "a label beyond the names": (lambda: written("x/t.parquet", [0, 1, 2, 3, 0]), "run from 0 to 3; there are 3 classes"),
    "labels of floats": (lambda: written("x/t.parquet", [0.5] * 5, names=()), "no labels, so the classes are unknown"),
    "cut off": (lambda: cut("x/t.parquet"), "is no parquet file that can be read"),
    "a missing file": (lambda: written("x/t-00001-of-00002.parquet", [0] * 5), "holds 1 of the 2 files"),
    "two revisions": (lambda: doubled("a.parquet"), "holds number 0 of the files train-.*-of-00001 more than once"),
    "two levels": (
        lambda: (written("x/0.parquet", [0] * 5), written("x/test/0.parquet", [0] * 5)),
        "holds parquet files at its top; in test/",
    ),
    "two folders": (
        lambda: (written("x/data/train-0.parquet", [0] * 5), written("x/train/0.parquet", [0] * 5)),
        "holds parquet files in train/; in data/",
    ),
    "two configurations": (
        lambda: (written("x/a/0.parquet", [0] * 5), written("x/b/0.parquet", [0] * 5), Path("x/README.md").touch()),
        "holds parquet files in a/; in b/",
    ),
    "two splits in a name": (lambda: written("x/train-test.parquet", [0] * 5), r"holds 'train\+test'"),
    "a long label": (lambda: written("x/t.parquet", ["x" * 5000] * 5, names=()), "a label of more than 4,096 bytes"),
    "other names": (
        lambda: (written("x/a.parquet", [0] * 5), written("x/b.parquet", [0] * 5, names=["owl", "dog"])),
        "other columns or class",
    ),
    "an unknown split": (lambda: (written("x/train.parquet", [0] * 5), written("x/more.parquet", [0] * 5)), "holds ''"),
    "no row": (lambda: written("x/t.parquet", pa.array([], pa.int64()), n=0), "holds no row"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_used_is_told(lab: Lab, case: str) -> None:
    make, said = BROKEN[case]
    make()
    with pytest.raises(DataError, match=said):
        lab.open("x")


def test_labels_without_names_take_those_of_a_file() -> None:
    Path("names.txt").write_text("one\ntwo\nthree")
    lab = Lab(Settings.load({"classes": "names.txt"}))
    assert lab.open(str(written("t.parquet", [0, 1, 2, 0, 1], names=()))).classes.titles == ("one", "two", "three")


def test_a_pipe_is_not_waited_for(lab: Lab) -> None:
    Path("x").mkdir()
    os.mkfifo("x/t.parquet")
    with pytest.raises(DataError, match=r"'x/t\.parquet' is no file"):
        lab.open("x")
