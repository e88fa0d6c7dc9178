"""torchvision's datasets: real classes of it, on layouts written here."""

import socket
from pathlib import Path

import pytest
from PIL import Image

from promptlab import DataError, DataOptions, Dataset, Images
from promptlab_hub.vision import Torchvision

pytest.importorskip("torchvision", reason="torchvision is not installed")
COLOURS = ("red", "green", "blue")


def picture(path: Path, colour: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), colour).save(path)


@pytest.fixture
def eurosat() -> Path:
    for colour in COLOURS:
        for i in range(2):
            picture(Path(f"there/eurosat/2750/{colour}/{i}.jpg"), colour)
    return Path("there")


@pytest.fixture
def dtd() -> Path:
    root = Path("there/dtd/dtd")
    for i, split in enumerate(("train", "val", "test")):
        lines = [f"{colour}/{colour}_{i}.jpg" for colour in COLOURS]
        for colour, line in zip(COLOURS, lines, strict=True):
            picture(root / "images" / line, colour)
        (root / "labels").mkdir(exist_ok=True)
        (root / "labels" / f"{split}1.txt").write_text("\n".join(lines))
    return Path("there")


@pytest.fixture
def pets() -> Path:
    root = Path("there/oxford-iiit-pet")
    for split in ("trainval", "test"):
        for colour in COLOURS:
            picture(root / "images" / f"{colour}_cat_{split}.jpg", colour)
        (root / "annotations").mkdir(exist_ok=True)
        (root / "annotations" / f"{split}.txt").write_text("".join(f"{c}_cat_{split} {i + 1} 1 1\n" for i, c in enumerate(COLOURS)))
    return Path("there")


def opened(where: str, names: str = "", offline: bool = False) -> Dataset:
    return Torchvision().open(where, DataOptions(names, offline))


def images(dataset: Dataset, split: str = "all") -> Images:
    part = dataset.splits[split]
    assert isinstance(part, Images)
    return part


def test_pictures_of_a_folder_are_its_files(eurosat: Path) -> None:
    dataset = opened(f"torchvision:EuroSAT@{eurosat}")
    part = images(dataset)
    assert (dataset.name, dataset.classes.titles, len(part)) == ("EuroSAT", tuple(sorted(COLOURS)), 6)
    assert part.labels is not None
    assert part.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert part.read(5) == (eurosat / "eurosat/2750/red/1.jpg").read_bytes()
    assert list(part.keys) == sorted(set(part.keys))


def test_train_is_tuned_on_and_test_is_judged(dtd: Path) -> None:
    dataset = opened(f"torchvision:DTD@{dtd}")
    assert dataset.notes == ("The splits of 'torchvision:DTD@there': train to tune, test to judge; val not used.",)
    judged = images(dataset, "eval")
    assert judged.labels is not None
    assert [dataset.classes.titles[c] for c in judged.labels] == list(COLOURS)
    assert judged.read(0) == (dtd / "dtd/dtd/images/red/red_2.jpg").read_bytes()


def test_one_split_may_be_named(dtd: Path) -> None:
    assert images(opened(f"torchvision:DTD@{dtd}:val")).keys[0] == "val/00000000"


def test_a_dataset_without_files_gives_png(pets: Path) -> None:
    judged = images(opened(f"torchvision:OxfordIIITPet@{pets}"), "eval")
    assert judged.read(0).startswith(b"\x89PNG")
    assert judged.labels is not None
    assert judged.labels.tolist() == [0, 1, 2]


def test_names_may_be_changed(eurosat: Path) -> None:
    Path("pairs.tsv").write_text("red\tcrimson\n")
    assert opened(f"torchvision:EuroSAT@{eurosat}", "pairs.tsv").classes.titles == ("blue", "green", "crimson")
    Path("names.txt").write_text("a\nb\nc\n")
    with pytest.raises(DataError, match="class names of its own"):
        opened(f"torchvision:EuroSAT@{eurosat}", "names.txt")


@pytest.mark.parametrize("name", ["EuroSAT", "SEMEION"])
def test_nothing_is_downloaded_offline(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(socket, "socket", lambda *_, **__: pytest.fail("asked the network"))
    with pytest.raises(DataError, match=f"{name} cannot be had from 'nowhere'") as caught:
        opened(f"torchvision:{name}@nowhere", offline=True)
    assert "offline" in caught.value.hint
    assert not Path("nowhere").exists()


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("torchvision:eurosat", "no classification data named 'eurosat'"),
        ("torchvision:CocoDetection", "no classification"),
        ("torchvision:QMNIST", "no classification"),
        ("torchvision:", "no"),
    ],
)
def test_other_names_are_refused(where: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        opened(where)
    assert "EuroSAT" in caught.value.hint


def test_an_unknown_split_is_refused(eurosat: Path) -> None:
    with pytest.raises(DataError, match="EuroSAT has no split 'test'"):
        opened(f"torchvision:EuroSAT@{eurosat}:test")
    with pytest.raises(DataError, match="DTD cannot be had"):
        opened(f"torchvision:DTD@{eurosat}:tset")


def test_a_split_called_valid_is_known() -> None:
    for split in ("train", "valid", "test"):
        for colour in COLOURS:
            picture(Path(f"there/country211/{split}/{colour}/1.jpg"), colour)
    assert "train to tune, test to judge; valid not used" in opened("torchvision:Country211@there").notes[0]


def test_a_split_without_labels_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchvision.datasets.fer2013.check_integrity", lambda path, md5: Path(path).is_file())
    Path("there/fer2013").mkdir(parents=True)
    Path("there/fer2013/test.csv").write_text("pixels\n" + " ".join(["7"] * 48 * 48) + "\n")
    Path("names.txt").write_text("\n".join(COLOURS))
    assert images(opened("torchvision:FER2013@there:test", "names.txt")).labels is None
