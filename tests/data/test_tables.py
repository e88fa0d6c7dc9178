"""Tables of pictures, and the layout of clip-retrieval."""

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from promptlab.errors import DataError
from promptlab.lab import Lab
from promptlab.types import Features, Images

ROWS = [("b/2.png", "dog"), ("a/1.png", "wild_cat"), ("b/3.png", "dog")]
Write = Callable[[], str]


def csv_file() -> str:
    Path("t.csv").write_text("\ufeffPath,Label\n" + "".join(f"{p},{label}\n" for p, label in ROWS))
    return "t.csv"


def tsv_file() -> str:
    Path("t.tsv").write_text("filename\tclass\n" + "".join(f"{p}\t{label}\n" for p, label in ROWS))
    return "t.tsv"


def jsonl_file() -> str:
    Path("t.jsonl").write_text("\n".join(json.dumps({"image": p, "category": label}) for p, label in ROWS) + "\n\n")
    return "t.jsonl"


def parquet_file() -> str:
    parquet.write_table(pa.table({"path": [p for p, _ in ROWS], "label": [label for _, label in ROWS], "size": [1, 2, 3]}), "t.parquet")
    return "t.parquet"


@pytest.mark.parametrize("write", [csv_file, tsv_file, jsonl_file, parquet_file])
def test_every_kind_of_table_says_the_same(lab: Lab, write: Write) -> None:
    dataset = lab.open(write())
    images = dataset.splits["all"]
    assert isinstance(images, Images)
    assert images.keys == ("a/1.png", "b/2.png", "b/3.png")
    assert dataset.classes.ids == ("dog", "wild_cat")
    assert dataset.classes.titles == ("dog", "wild cat")
    assert images.labels is not None
    assert images.labels.tolist() == [1, 0, 0]


def test_paths_are_relative_to_the_table(lab: Lab) -> None:
    Path("deep").mkdir()
    Image.new("RGB", (8, 8), "red").save("deep/x.png")
    Path("deep/t.csv").write_text("path,label\nx.png,red\n")
    images = lab.open("deep/t.csv").splits["all"]
    assert isinstance(images, Images)
    assert images.read(0) == Path("deep/x.png").read_bytes()
    assert images.stamps[0] != "missing"


def test_numbers_are_indices_into_the_names(lab: Lab) -> None:
    Path("t.csv").write_text("path,label\na.png,1\nb.png,0\n")
    Path("names.txt").write_text("cat\ndog\n")
    other = Lab(lab.settings.load({"classes": "names.txt"}))
    dataset = other.open("t.csv")
    assert dataset.classes.titles == ("cat", "dog")
    assert dataset.splits["all"].labels is not None
    assert dataset.splits["all"].labels.tolist() == [1, 0]


def test_a_quoted_comma_is_no_delimiter(lab: Lab) -> None:
    Path("t.csv").write_text('path,label\n"a,1.png",cat\nb.png,dog\n')
    assert lab.open("t.csv").splits["all"].keys == ("a,1.png", "b.png")  # type: ignore[union-attr]


def retrieval(rows: tuple[int, ...] = (3, 2), metadata: bool = True) -> str:
    rng = np.random.default_rng(0)
    for part, count in enumerate(rows):
        Path("emb/img_emb").mkdir(parents=True, exist_ok=True)
        np.save(f"emb/img_emb/img_emb_{part}.npy", rng.normal(size=(count, 8)).astype(np.float16))
        if metadata:
            Path("emb/metadata").mkdir(exist_ok=True)
            table = pa.table({"image_path": [f"{part}-{i}.jpg" for i in range(count)], "caption": ["x"] * count})
            parquet.write_table(table, f"emb/metadata/metadata_{part}.parquet")
    Path("names.txt").write_text("cat\ndog\n")
    return "emb"


def with_names(lab: Lab) -> Lab:
    return Lab(lab.settings.load({"classes": "names.txt"}))


def test_vectors_of_clip_retrieval_are_read_in_order(lab: Lab) -> None:
    part = with_names(lab).open(retrieval()).splits["all"]
    assert isinstance(part, Features)
    assert part.keys == ("0-0.jpg", "0-1.jpg", "0-2.jpg", "1-0.jpg", "1-1.jpg")
    first, second = (np.load(f"emb/img_emb/img_emb_{i}.npy") for i in (0, 1))
    assert np.array_equal(part.x[:], np.concatenate([first, second]))
    assert np.array_equal(part.x[np.array([4, 0])], np.stack([second[1], first[0]]))


def test_the_tenth_part_comes_after_the_second(lab: Lab) -> None:
    where = retrieval(tuple([1] * 11), metadata=False)
    part = with_names(lab).open(where).splits["all"]
    assert isinstance(part, Features)
    assert np.array_equal(part.x[10:11], np.load("emb/img_emb/img_emb_10.npy"))


def test_metadata_of_another_length_are_loud(lab: Lab) -> None:
    where = retrieval()
    parquet.write_table(pa.table({"image_path": ["only one"]}), "emb/metadata/metadata_1.parquet")
    with pytest.raises(DataError, match="1 rows, but its vectors are 2"):
        with_names(lab).open(where)


def test_names_are_asked_for(lab: Lab) -> None:
    with pytest.raises(DataError, match="names no classes"):
        lab.open(retrieval())


def test_damaged_metadata_are_loud(lab: Lab) -> None:
    where = retrieval()
    Path("emb/metadata/metadata_1.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match=r"metadata_1\.parquet' is no parquet file"):
        with_names(lab).open(where)


@pytest.mark.parametrize(("write", "name"), [(tsv_file, "T.TSV"), (jsonl_file, "T.JSONL"), (parquet_file, "T.PARQUET")])
def test_the_case_of_an_ending_says_nothing(lab: Lab, write: Write, name: str) -> None:
    Path(write()).rename(name)
    assert len(lab.open(name).splits["all"]) == 3  # type: ignore[arg-type]


BROKEN: dict[str, tuple[str, str, str, str]] = {
    "a label no class can have": ("t.csv", "path,label\na.png,99999999999999999999999\nb.png,1\n", "numbers such as 9999", "0, 1, 2"),
    "a zero byte": ("t.csv", "path,label\na\0.png,cat\n", "Line 2 .* zero byte", ""),
    "a zero byte in JSON": ("t.jsonl", '{"path": "a\\u0000.png", "label": "cat"}', "Line 1 .* zero byte", ""),
    "a number of 5,000 digits": ("t.jsonl", '{"path": "a.png", "label": ' + "9" * 5000 + "}", "Line 1 .* is no JSON", ""),
    "deep nesting": ("t.jsonl", "[" * 200_000, "Line 1 .* is no JSON", ""),
    "no header": ("t.csv", "a.png,cat\nb.png,dog\n", "has no path; its columns are a.png, cat", "header: path,label"),
    "semicolons": ("t.csv", "path;label\na.png;cat\n", "has no path", "by commas"),
    "an unknown split": ("t.csv", "path,label,split\na.png,cat,fold 1\n", "holds 'fold 1'; train, tune", "Rename it"),
    "half a split": ("t.csv", "path,label,split\na.png,cat,train\nb.png,cat,\n", "holds ''", "Give each row one"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_table_says_where(lab: Lab, case: str) -> None:
    name, content, said, hint = BROKEN[case]
    Path(name).write_text(content)
    with pytest.raises(DataError, match=said) as caught:
        lab.open(name)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("there", "tune", "judged"),
    [
        ("train test", "train", "test"),
        ("train val test", "train val", "test"),
        ("Train validation", "train", "validation"),
        ("tune eval", "tune", "eval"),
        ("eval test", "eval", "test"),
    ],
)
def test_the_column_split_says_what_is_tuned_on(lab: Lab, there: str, tune: str, judged: str) -> None:
    rows = [f"{c}-{split.lower()}.png,{c},{split}" for split in there.split() for c in ("dog", "cat")]
    Path("t.csv").write_text("path,label,split\n" + "\n".join(rows))
    dataset = lab.open("t.csv")
    for part, those in (("tune", tune), ("eval", judged)):
        images = dataset.splits[part]
        assert isinstance(images, Images)
        assert images.keys == tuple(sorted(f"{c}-{split}.png" for split in those.split() for c in ("dog", "cat")))
        assert [dataset.classes.ids[c] for c in images.labels] == [key.partition("-")[0] for key in images.keys]  # type: ignore[union-attr]
    assert judged in dataset.notes[0]


def test_one_split_alone_is_halved(lab: Lab) -> None:
    Path("t.csv").write_text("path,label,split\na.png,cat,train\nb.png,dog,train\n")
    assert set(lab.open("t.csv").splits) == {"all"}


@pytest.mark.parametrize("labels", [("n1", "n2"), ("1", "2")])
def test_labels_may_be_renamed_by_pairs(lab: Lab, labels: tuple[str, str]) -> None:
    Path("t.csv").write_text(f"path,label\na.png,{labels[1]}\nb.png,{labels[0]}\n")
    Path("names.txt").write_text(f"{labels[1]}\tdog\n{labels[0]}\tcat\ttabby\n")
    dataset = with_names(lab).open("t.csv")
    assert (dataset.classes.ids, dataset.classes.names) == (labels, (("cat", "tabby"), ("dog",)))
    assert dataset.splits["all"].labels.tolist() == [1, 0]  # type: ignore[union-attr]


def test_a_pipe_in_a_table_is_not_waited_for(lab: Lab) -> None:
    os.mkfifo("a.png")
    Path("t.csv").write_text("path,label\na.png,cat\n")
    images = lab.open("t.csv").splits["all"]
    assert isinstance(images, Images)
    with pytest.raises(DataError, match="no file"):
        images.read(0)


DIGITS = ["10", "3", "4", "5", "6"]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_words_that_look_like_numbers_are_names_where_the_table_has_types(lab: Lab, kind: str) -> None:
    Path("names.txt").write_text("\n".join(DIGITS))
    rows = [{"path": f"{i}.png", "label": label} for i, label in enumerate(("3", "4", "10"))]
    Path("t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    parquet.write_table(pa.Table.from_pylist(rows), "t.parquet")
    part = with_names(lab).open(f"t.{kind}").splits["all"]
    assert [DIGITS[i] for i in part.labels] == ["3", "4", "10"]  # type: ignore[union-attr]
    Path("t.jsonl").write_text('{"path": "a", "label": 3}\n{"path": "b", "label": "3"}')
    with pytest.raises(DataError, match="numbers in some rows and words in others"):
        with_names(lab).open("t.jsonl")


def test_a_number_in_text_that_is_also_a_name_is_refused(lab: Lab) -> None:
    Path("names.txt").write_text("\n".join(DIGITS))
    Path("t.csv").write_text("path,label\na.png,3\nb.png,4\n")
    with pytest.raises(DataError, match=r"'3' in 't\.csv' may be the class that is called so, the 2\. .* this number, the 4\."):
        with_names(lab).open("t.csv")


# -- several labels -------------------------------------------------------------------------------------------------------------------


def table_of(column: str, cells: list[Any], kind: str) -> str:
    rows = [{"path": f"{i}.png", column: cell} for i, cell in enumerate(cells)]
    if kind == "csv":
        with open("t.csv", "w", newline="") as file:
            csv.DictWriter(file, ["path", column]).writeheader()
            csv.DictWriter(file, ["path", column]).writerows(rows)
    elif kind == "jsonl":
        Path("t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    else:
        parquet.write_table(pa.Table.from_pylist(rows), "t.parquet")
    return f"t.{kind}"


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("mark", ["|", ";"])
def test_a_text_lists_several_labels(lab: Lab, kind: str, mark: str) -> None:
    dataset = lab.open(table_of("labels", [f"car{mark} dog", "dog", '["car", "red, old"]', ""], kind))
    assert dataset.classes.ids == ("car", "dog", "red, old")
    assert dataset.splits["all"].labels.astype(int).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1], [0, 0, 0]]  # type: ignore[union-attr]
    assert any(f"separated by `{mark}`" in note for note in dataset.notes)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize(
    "cells", [["car,dog", "dog"], ["['car', 'dog']", "['dog']"], ['{"car","dog"}', "{}"], ["a|b", "a;b"], ["[0, 2]", "[1]"]]
)
def test_lists_that_are_written_otherwise_are_refused(lab: Lab, kind: str, cells: list[str]) -> None:
    with pytest.raises(DataError, match="The column `labels` of") as caught:
        lab.open(table_of("labels", cells, kind))
    assert "Write car|dog" in caught.value.hint


@pytest.mark.parametrize("name", ["name", "category"])
def test_lists_go_before_names(lab: Lab, name: str) -> None:
    Path("t.csv").write_text(f"path,{name},labels\na.png,x,car|dog\nb.png,y,dog\n")
    assert lab.open("t.csv").classes.ids == ("car", "dog")
    Path("t.csv").write_text(f"path,{name},labels\na.png,x,\nb.png,y,\n")
    assert lab.open("t.csv").classes.ids == ("x", "y")


def test_a_label_goes_before_lists_which_is_said(lab: Lab) -> None:
    Path("t.csv").write_text("path,label,labels\na.png,x,car|dog\nb.png,y,dog\n")
    dataset = lab.open("t.csv")
    assert dataset.classes.ids == ("x", "y")
    assert any("`label` is read" in note for note in dataset.notes)
    Path("t.csv").write_text("path,label,labels\na.png,,car|dog\nb.png,,dog\n")
    assert lab.open("t.csv").classes.ids == ("car", "dog")


def test_captions_in_a_cell(lab: Lab) -> None:
    part = lab.open(table_of("captions", ['["a cat", "a [red] cat"]', "[a] dog"], "csv")).splits["all"]
    assert part.captions == (("a cat", "a [red] cat"), ("[a] dog",))  # type: ignore[union-attr]


def test_captions_that_are_empty_everywhere_are_told(lab: Lab) -> None:
    with pytest.raises(DataError, match=r"The captions of 't\.jsonl' are empty in all rows"):
        lab.open(table_of("captions", [[], []], "jsonl"))
