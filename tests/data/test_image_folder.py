import os
from collections.abc import Callable
from pathlib import Path

import pytest

from promptlab.config import Settings
from promptlab.data.imagefolder import ImageFolder, some_pictures
from promptlab.errors import DataError, UsageError
from promptlab.events import Event
from promptlab.lab import Lab
from promptlab.types import Dataset, Images

Make, Open, Write = Callable[..., Path], Callable[..., Dataset], Callable[[str], Path]


def pictures(dataset: Dataset) -> Images:
    part = dataset.splits["all"]
    assert isinstance(part, Images)
    return part


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("car_side", "car side"),
        ("001.ak47", "ak47"),
        ("012. golden_retriever", "golden retriever"),
        ("Faces_easy", "Faces easy"),
        ("747", "747"),
        ("00_accordion", "accordion"),
        ("04-dalmatian", "dalmatian"),
        ("2024 - 11", "2024 - 11"),
        ("3d printer", "3d printer"),
        ("__x__", "x"),
        ("01.", "01."),
        ("_", "_"),
        ("naïve 🐟", "naïve 🐟"),
    ],
)
def test_a_folder_name_becomes_words(folder: Make, opened: Open, name: str, title: str) -> None:
    dataset = opened(folder(f"{name}/a.jpg"))
    assert dataset.classes.titles == (title,)
    assert dataset.classes.ids == (name,)


def test_pictures_come_sorted_with_the_labels_of_their_folders(folder: Make, opened: Open) -> None:
    found = pictures(opened(folder("dog/b.jpg", "cat/2.png", "dog/a.jpeg", "cat/10.png", "cat/deep/er/x.webp")))
    assert found.keys == ("cat/10.png", "cat/2.png", "cat/deep/er/x.webp", "dog/a.jpeg", "dog/b.jpg")
    assert found.labels is not None
    assert found.labels.tolist() == [0, 0, 0, 1, 1]


def test_a_picture_is_read_by_its_index(folder: Make, opened: Open) -> None:
    found = pictures(opened(folder("dog/b.jpg", "cat/a.jpg")))
    assert [found.read(i) for i in range(2)] == [b"cat/a.jpg", b"dog/b.jpg"]


def test_a_stamp_changes_with_the_bytes(folder: Make, opened: Open) -> None:
    root = folder("cat/a.jpg", "cat/b.jpg")
    before = pictures(opened(root)).stamps
    (root / "cat/b.jpg").write_bytes(b"something else")
    after = pictures(opened(root)).stamps
    assert [x == y for x, y in zip(before, after, strict=True)] == [True, False]


def test_only_pictures_count_whatever_the_case_of_their_ending(folder: Make, opened: Open) -> None:
    found = pictures(opened(folder("cat/A.JPG", "cat/b.Png", "cat/readme.txt", "cat/c.jpg.part", "cat/jpg")))
    assert found.keys == ("cat/A.JPG", "cat/b.Png")


def test_hidden_files_and_folders_are_ignored(folder: Make, opened: Open) -> None:
    dataset = opened(folder("cat/a.jpg", "cat/.b.jpg", "cat/._a.jpg", "cat/.thumbs/c.jpg", ".git/d.jpg", ".DS_Store"))
    assert pictures(dataset).keys == ("cat/a.jpg",)
    assert dataset.classes.ids == ("cat",)


def test_an_empty_sub_folder_is_no_class_and_is_noted(folder: Make, opened: Open) -> None:
    dataset = opened(folder("cat/a.jpg", "dog/", "bird/readme.txt"))
    assert dataset.classes.ids == ("cat",)
    assert len(dataset.notes) == 1
    assert dataset.notes[0].startswith("2 sub-folders hold no picture")
    assert "bird, dog" in dataset.notes[0]


def test_pictures_beside_the_class_folders_are_not_left_out_in_silence(folder: Make, opened: Open) -> None:
    dataset = opened(folder("cat/a.jpg", "loose.jpg", "more.png"))
    assert pictures(dataset).keys == ("cat/a.jpg",)
    assert any("2 pictures" in note for note in dataset.notes)


@pytest.mark.parametrize("splits", [("train", "val"), ("train", "test"), ("test",), ("valid", "train", "test"), ("Train", "Val")])
def test_splits_are_refused_with_a_hint(folder: Make, opened: Open, splits: tuple[str, ...]) -> None:
    root = folder(*(f"{split}/cat/a.jpg" for split in splits))
    with pytest.raises(DataError, match="splits") as caught:
        opened(root)
    assert str(root / sorted(splits)[-1]) in caught.value.hint


def test_a_class_may_be_called_like_a_split(folder: Make, opened: Open) -> None:
    assert opened(folder("train/a.jpg", "bus/b.jpg", "test/c.jpg")).classes.ids == ("bus", "test", "train")


def test_a_flat_folder_needs_names(folder: Make, opened: Open) -> None:
    with pytest.raises(DataError, match="2 pictures but no sub-folders") as caught:
        opened(folder("a.jpg", "b.jpg"))
    assert "--classes" in caught.value.hint


def test_a_flat_folder_with_names_has_classes_but_no_labels(folder: Make, opened: Open, listing: Write) -> None:
    dataset = opened(folder("b.jpg", "a.jpg"), listing("golden retriever\n\ncat\n"))
    assert dataset.classes.titles == ("golden retriever", "cat")
    assert pictures(dataset).labels is None
    assert pictures(dataset).keys == ("a.jpg", "b.jpg")


def test_equal_names_in_a_bare_list_stay_two_classes(folder: Make, opened: Open, listing: Write) -> None:
    dataset = opened(folder("a.jpg"), listing("missile\ncat\nmissile\n"))
    assert dataset.classes.titles == ("missile", "cat", "missile")
    assert len(set(dataset.classes.ids)) == 3


def test_a_bare_list_for_a_labelled_folder_is_refused(folder: Make, opened: Open, listing: Write) -> None:
    with pytest.raises(DataError, match=r"Line 1 of .*'kitten'; `folder<TAB>name` was expected") as caught:
        opened(folder("cat/a.jpg", "dog/b.jpg"), listing("kitten\npuppy\n"))
    assert "shift labels" in caught.value.hint


def test_names_are_matched_by_folder_never_by_position(folder: Make, opened: Open, listing: Write) -> None:
    dataset = opened(folder("a_cat/a.jpg", "b_dog/b.jpg", "c_cow/c.jpg"), listing("c_cow\tcattle\na_cat\thouse  cat\na_cat\tkitten\n"))
    assert dataset.classes.names == (("house cat", "kitten"), ("b dog",), ("cattle",))
    assert dataset.classes.ids == ("a_cat", "b_dog", "c_cow")


def test_a_line_may_hold_several_names(folder: Make, opened: Open, listing: Write) -> None:
    dataset = opened(folder("m/a.jpg", "n/b.jpg"), listing("# folder, names\nm\tmug\tcoffee  cup\t\nm\tcup\n"))
    assert dataset.classes.names == (("mug", "coffee cup", "cup"), ("n",))


def test_the_nearest_folder_is_suggested(folder: Make, opened: Open, listing: Write) -> None:
    with pytest.raises(DataError) as caught:
        opened(folder("tench/a.jpg", "dog/b.jpg"), listing("dog\tpuppy\ntensh\tfish\n"))
    assert "Did you mean 'tench'?" in caught.value.hint


def test_a_names_file_may_be_a_pipe(folder: Make, tmp_path: Path) -> None:
    root = folder("a.jpg")
    read, write = os.pipe()
    os.write(write, b"# two\ncat\ndog\n")
    os.close(write)
    try:
        assert Lab(Settings.load({"classes": f"/dev/fd/{read}"})).open(str(root)).classes.titles == ("cat", "dog")
    finally:
        os.close(read)


@pytest.mark.parametrize("ending", ["\r\n", "\n"])
def test_names_files_of_both_systems_are_read(folder: Make, opened: Open, listing: Write, ending: str) -> None:
    dataset = opened(folder("cat/a.jpg", "dog/b.jpg"), listing(ending.join(["cat\tkitten", "dog\tpuppy", ""])))
    assert dataset.classes.titles == ("kitten", "puppy")


def test_a_byte_order_mark_is_no_part_of_a_name(folder: Make, opened: Open, listing: Write) -> None:
    assert opened(folder("a.jpg"), listing("\ufeffcat\ndog\n")).classes.titles == ("cat", "dog")
    assert opened(folder("cat/a.jpg"), listing("\ufeffcat\tkitten\n")).classes.titles == ("kitten",)


def test_a_folder_that_is_not_there_is_named(folder: Make, opened: Open, listing: Write) -> None:
    with pytest.raises(DataError, match="names the folder 'cow', which is not there") as caught:
        opened(folder("cat/a.jpg", "dog/b.jpg"), listing("cat\tkitten\ncow\tcattle\n"))
    assert "cat, dog" in caught.value.hint


@pytest.mark.parametrize("line", ["cat\t", "cat\t  ", "\tkitten", "cat"])
def test_half_a_line_is_refused_with_its_number(folder: Make, opened: Open, listing: Write, line: str) -> None:
    with pytest.raises(DataError, match=r"Line 2|folder ''"):
        opened(folder("cat/a.jpg", "dog/b.jpg"), listing(f"dog\tpuppy\n{line}\n"))


@pytest.mark.parametrize("content", [b"", b"\n \n", b"caf\xe9\n"], ids=["empty", "blank", "latin-1"])
def test_a_names_file_without_use_is_refused(folder: Make, opened: Open, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "n.txt").write_bytes(content)
    with pytest.raises(DataError, match=r"n\.txt"):
        opened(folder("a.jpg"), tmp_path / "n.txt")


def test_a_missing_names_file_is_named(folder: Make, opened: Open) -> None:
    with pytest.raises(DataError, match=r"nowhere\.txt"):
        opened(folder("a.jpg"), "nowhere.txt")


@pytest.mark.parametrize("content", [(), ("readme.txt",), ("cat/", "dog/"), (".hidden/a.jpg",)])
def test_a_folder_without_pictures_is_refused(folder: Make, opened: Open, content: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="no picture") as caught:
        opened(folder(*content))
    assert ".jpg" in caught.value.hint


def test_a_missing_folder_is_refused(lab: Lab) -> None:
    with pytest.raises(UsageError, match="no dataset or folder named 'nowhere'") as caught:
        lab.open("nowhere")
    assert "There are: " in caught.value.hint


def test_a_name_too_long_for_the_disk_is_refused(lab: Lab) -> None:
    with pytest.raises(UsageError, match="no dataset or folder named"):
        lab.open("x" * 5000)


def test_a_single_picture_is_no_dataset(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match="nothing that a dataset source understands"):
        lab.open(str(tmp_path / "a.jpg"))


def test_a_folder_with_a_data_sets_name_is_opened_as_a_path(lab: Lab, folder: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder("imagefolder/cat/a.jpg")
    monkeypatch.chdir(root)
    assert lab.open("imagefolder").classes.ids == ("cat",)


def test_a_link_that_loops_below_a_class_is_not_followed(folder: Make, opened: Open) -> None:
    root = folder("cat/a.jpg", "dog/b.jpg")
    (root / "cat" / "again").symlink_to(root)
    assert pictures(opened(root)).keys == ("cat/a.jpg", "dog/b.jpg")


def test_a_link_back_to_the_folder_is_no_class(folder: Make, opened: Open) -> None:
    root = folder("cat/a.jpg", "dog/b.jpg")
    (root / "self").symlink_to(root)
    assert opened(root).classes.ids == ("cat", "dog")


def test_a_class_folder_may_be_a_link(folder: Make, opened: Open, tmp_path: Path) -> None:
    root = folder("cat/a.jpg")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.jpg").write_bytes(b"b")
    (root / "dog").symlink_to(tmp_path / "elsewhere")
    assert pictures(opened(root)).keys == ("cat/a.jpg", "dog/b.jpg")


def test_a_pipe_with_the_name_of_a_picture_is_left_alone(folder: Make, opened: Open) -> None:
    root = folder("cat/a.jpg")
    os.mkfifo(root / "cat" / "b.jpg")
    assert pictures(opened(root)).keys == ("cat/a.jpg",)


@pytest.mark.parametrize("root", [".", "./", "../photos", "../photos/."])
def test_a_folder_may_be_named_from_within(folder: Make, opened: Open, monkeypatch: pytest.MonkeyPatch, root: str) -> None:
    monkeypatch.chdir(folder("cat/a.jpg", "dog/b.jpg"))
    found = pictures(opened(root))
    assert found.keys == ("cat/a.jpg", "dog/b.jpg")
    assert found.read(1) == b"dog/b.jpg"


ODD: dict[str, Callable[[Path], object]] = {
    "pipe": lambda path: (os.mkfifo(path.with_suffix(".pipe")), path.symlink_to(path.with_suffix(".pipe"))),
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "itself": lambda path: path.symlink_to(path.name),
    "folder": lambda path: path.symlink_to(path.parent),
    "huge": lambda path: (path.touch(), os.truncate(path, 1 << 40)),
}


@pytest.mark.parametrize("case", ODD)
def test_an_odd_file_is_skipped_with_a_reason(folder: Make, opened: Open, case: str) -> None:
    root = folder("cat/a.jpg")
    ODD[case](root / "cat" / "b.jpg")
    found = pictures(opened(root))
    assert found.keys == ("cat/a.jpg", "cat/b.jpg")
    if case == "folder":
        assert [Path(key).name for key in some_pictures([str(root / "cat" / "b.jpg")]).keys] == ["a.jpg", "b.jpg"]
    named = [str(root / key) for key in found.keys if case != "folder"]  # a link to a folder that is named stands for what is in it
    for images in (found, *([some_pictures(named)] if named else [])):
        with pytest.raises((DataError, OSError)):
            images.read(1)


def test_a_link_to_itself_beside_the_classes_is_no_folder(folder: Make, opened: Open) -> None:
    root = folder("cat/a.jpg")
    (root / "dog").symlink_to("dog")
    (root / "loose.jpg").symlink_to("loose.jpg")
    assert opened(root).classes.ids == ("cat",)


def test_a_folder_that_may_not_be_read_is_named(folder: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder("cat/a.jpg")
    said: list[Event] = []

    def refused(path: object = ".") -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "listdir", refused)
    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(DataError, match=r"photos.* cannot be read: Permission denied"):
        Lab(listen=said.append).open(str(root))
    assert said == []


def test_a_dangling_link_is_not_left_out_in_silence(folder: Make, opened: Open) -> None:
    root = folder("cat/a.jpg")
    (root / "cat" / "b.jpg").symlink_to("gone.jpg")
    dataset = opened(root)
    assert "cat/b.jpg" in pictures(dataset).keys or any("b.jpg" in note for note in dataset.notes)


def test_the_data_set_is_called_like_its_folder(folder: Make, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder("cat/a.jpg")
    monkeypatch.chdir(root)
    assert opened(".").name == "photos"
    assert pictures(opened(".")).root == str(root)


def test_folders_with_feature_files_are_left_to_their_source(folder: Make) -> None:
    root = folder("cat/a.jpg")
    assert ImageFolder().claims(str(root))
    (root / "x.npy").write_bytes(b"")
    assert not ImageFolder().claims(str(root))
    assert not ImageFolder().claims(str(root / "nowhere"))
