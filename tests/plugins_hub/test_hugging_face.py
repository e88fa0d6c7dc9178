"""Hugging Face's datasets, of folders written here. They need the package `datasets`."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from promptlab import DataError, DataOptions, Dataset, Images
from promptlab_hub.hf import HuggingFace

NAMES = ["cat", "dog"]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The package, its cache in the test's own folder; skips without it."""
    datasets = pytest.importorskip("datasets", reason="the package `datasets` is not installed")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    return datasets


def png(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(out, "PNG")
    return out.getvalue()


def rows(hub: Any, labels: list[Any], kind: Any = None) -> Any:
    pictures = [{"bytes": png(f"#{i:06x}"), "path": None} for i in range(len(labels))]
    features = hub.Features({"image": hub.Image(), "label": kind or hub.ClassLabel(names=NAMES)})
    return hub.Dataset.from_dict({"image": pictures, "label": labels}, features)


def opened(where: str, names: str = "") -> Dataset:
    return HuggingFace().open(where, DataOptions(names, offline=True))


def images(dataset: Dataset, split: str = "all") -> Images:
    part = dataset.splits[split]
    assert isinstance(part, Images)
    return part


def test_what_was_saved_to_disk_is_opened(hub: Any) -> None:
    hub.DatasetDict({"train": rows(hub, [0, 1, 1]), "test": rows(hub, [1, 0])}).save_to_disk("saved")
    dataset = opened("hf:saved")
    judged = images(dataset, "eval")
    assert (dataset.name, dataset.classes.titles) == ("saved", ("cat", "dog"))
    assert [judged.read(i) for i in range(2)] == [png("#000000"), png("#000001")]
    assert judged.labels is not None
    assert judged.labels.tolist() == [1, 0]
    assert "train to tune, test to judge" in dataset.notes[0]
    assert images(opened("hf:saved:train")).keys == ("train/00000000", "train/00000001", "train/00000002")


def test_labels_that_are_kept_back_are_none(hub: Any) -> None:
    hub.DatasetDict({"train": rows(hub, [0, 1]), "validation": rows(hub, [1, 0]), "test": rows(hub, [-1, -1])}).save_to_disk("saved")
    assert "train to tune, validation to judge; test not used" in opened("hf:saved").notes[0]
    assert images(opened("hf:saved:test")).labels is None


def test_words_are_names(hub: Any) -> None:
    rows(hub, ["dog", "cat", "dog"], hub.Value("string")).save_to_disk("saved")
    dataset = opened("hf:saved")
    assert dataset.classes.titles == ("cat", "dog")
    assert images(dataset).labels.tolist() == [1, 0, 1]  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["ClassLabel", "string", "int64"])
def test_pictures_may_show_several_classes(hub: Any, kind: str) -> None:
    inner = hub.ClassLabel(names=NAMES) if kind == "ClassLabel" else hub.Value(kind)
    listed = [["dog", "cat"], [], ["dog"]] if kind == "string" else [[1, 0], [], [1]]
    rows(hub, listed, hub.List(inner)).save_to_disk("saved")
    Path("names.txt").write_text("cat\ndog\n")
    dataset = opened("hf:saved", "names.txt" if kind == "int64" else "")
    assert dataset.classes.titles == ("cat", "dog")
    assert images(dataset).labels.tolist() == [[True, True], [False, False], [False, True]]  # type: ignore[union-attr]


@pytest.mark.parametrize("listed", [[[0], None], [[0], [9]], [[0], [-1]], [[0, 1, 0], [1, 0, 0]]])
def test_lists_that_cannot_be_used(hub: Any, listed: list[Any]) -> None:
    rows(hub, listed, hub.List(hub.Value("int64"))).save_to_disk("saved")
    Path("names.txt").write_text("cat\ndog\n")
    with pytest.raises(DataError):
        opened("hf:saved", "names.txt")


def captioned(hub: Any, column: str, said: list[Any]) -> None:
    pictures = [{"bytes": png("red"), "path": None}] * len(said)
    kind = hub.List(hub.Value("string")) if any(isinstance(one, list) for one in said) else hub.Value("string")
    features = hub.Features({"image": hub.Image(), column: kind})
    hub.DatasetDict(dict.fromkeys(("train", "test"), hub.Dataset.from_dict({"image": pictures, column: said}, features))).save_to_disk(
        "saved"
    )


@pytest.mark.parametrize(("column", "said"), [("caption", [["a", "b"], ["c"]]), ("captions", ["a", "c"]), ("text", ["a", "c"])])
def test_captions_need_no_classes(hub: Any, column: str, said: list[Any]) -> None:
    captioned(hub, column, said)
    dataset = opened("hf:saved")
    assert dataset.classes.ids == ()
    assert images(dataset, "eval").captions == (("a", "b") if isinstance(said[0], list) else ("a",), ("c",))


@pytest.mark.parametrize("said", [["a", ""], ["a", None], [["a"], []], [["a"], ["b", " "]]])
def test_a_picture_without_a_caption_is_told(hub: Any, said: list[Any]) -> None:
    captioned(hub, "caption", said)
    with pytest.raises(DataError, match="Row 1 of train of 'hf:saved' has no caption"):
        opened("hf:saved")


def test_numbers_take_a_list_of_names(hub: Any) -> None:
    rows(hub, [1, 0], hub.Value("int64")).save_to_disk("saved")
    Path("names.txt").write_text("one\ntwo\n")
    assert opened("hf:saved", "names.txt").classes.titles == ("one", "two")
    with pytest.raises(DataError, match="does not name its classes"):
        opened("hf:saved")


def test_words_that_look_like_numbers_are_names(hub: Any) -> None:
    rows(hub, ["3", "1", "2"], hub.Value("string")).save_to_disk("saved")
    Path("names.txt").write_text("1\n2\n3\n4\n")
    assert images(opened("hf:saved", "names.txt")).labels.tolist() == [2, 0, 1]  # type: ignore[union-attr]


@pytest.mark.parametrize(("labels", "kind"), [(["dog", None], "string"), ([0, -1], None)])
def test_labels_missing_in_part_are_told(hub: Any, labels: list[Any], kind: str | None) -> None:
    rows(hub, labels, kind and hub.Value(kind)).save_to_disk("saved")
    with pytest.raises(DataError, match="1 of 2 rows of all of 'hf:saved' have no label"):
        opened("hf:saved")


def test_splits_with_other_names_are_refused(hub: Any) -> None:
    other = rows(hub, [0, 1], hub.ClassLabel(names=NAMES[::-1]))
    hub.DatasetDict({"train": rows(hub, [0, 1]), "test": other}).save_to_disk("saved")
    with pytest.raises(DataError, match="The column 'label' of 'hf:saved' is another one in test"):
        opened("hf:saved")


@pytest.mark.parametrize("split", ["train[:50%]", "train+test", "tset"])
def test_splits_of_a_folder_are_whole(hub: Any, split: str) -> None:
    hub.DatasetDict({"train": rows(hub, [0, 1]), "test": rows(hub, [1, 0])}).save_to_disk("saved")
    with pytest.raises(DataError, match="'saved' has the splits train, test, not"):
        opened(f"hf:saved:{split}")


def test_a_row_names_no_file_elsewhere(hub: Any) -> None:
    Path("secret.png").write_bytes(png("red"))
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array([{"bytes": None, "path": str(Path("secret.png").absolute())}], kind)})
    note = json.dumps({"info": {"features": {"image": {"_type": "Image"}}}})
    Path("saved").mkdir()
    parquet.write_table(table.replace_schema_metadata({"huggingface": note}), "saved/test.parquet")
    Path("names.txt").write_text("cat\n")
    with pytest.raises(DataError, match="lies outside the data"):
        images(opened("hf:saved", "names.txt")).read(0)


def test_a_folder_of_pictures_keeps_its_files(hub: Any) -> None:
    for name in NAMES:
        Path(f"photos/{name}").mkdir(parents=True)
        Path(f"photos/{name}/1.png").write_bytes(png("red"))
    dataset = opened("hf:photos")
    assert dataset.classes.titles == ("cat", "dog")
    assert images(dataset).read(0) == png("red")


def test_stamps_change_with_the_data(hub: Any) -> None:
    rows(hub, [0, 1]).save_to_disk("one")
    rows(hub, [1, 0]).save_to_disk("two")
    assert not set(images(opened("hf:one")).stamps) & set(images(opened("hf:two")).stamps)
    assert images(opened("hf:one")).stamps == images(opened("hf:one")).stamps


def test_what_cannot_be_used_is_told(hub: Any) -> None:
    hub.Dataset.from_dict({"text": ["a"]}).save_to_disk("texts")
    with pytest.raises(DataError, match="no column of pictures; its columns are text"):
        opened("hf:texts")
    with pytest.raises(DataError, match="'nobody/nothing' cannot be loaded"):
        opened("hf:nobody/nothing")
    Path("coded").mkdir()
    Path("coded/coded.py").write_text("open('ran', 'w')")
    with pytest.raises(DataError, match="'coded' cannot be loaded"):
        opened("hf:coded")
    assert not Path("ran").exists()


def test_a_version_that_runs_code_is_refused(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "__version__", "3.6.0")
    with pytest.raises(DataError, match=r"3\.6\.0 can run code"):
        opened("hf:cifar10")


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match="needs the package `datasets`") as caught:
        opened("hf:cifar10")
    assert "promptlab-hub" in caught.value.hint


@pytest.mark.parametrize(
    ("where", "claimed"), [("hf:cifar10", True), ("hf://datasets/a/b/x.tar", False), ("photos", False), ("hf:", False)]
)
def test_only_its_own_words_are_claimed(where: str, claimed: bool) -> None:
    assert HuggingFace().claims(where) == claimed
