"""check_dataset: sound sources pass, and each planted fault is named."""

import io
import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import accumulate, count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptlab import Classes, DataOptions, Dataset, Features, Images
from promptlab.data.features import FeatureFiles
from promptlab.data.imagefolder import ImageFolder
from promptlab.data.retrieval import ClipRetrieval
from promptlab.data.table import Table
from promptlab.testing import check_dataset, tiny_features, tiny_pictures


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures of three classes."""
    return tiny_pictures(tmp_path_factory.mktemp("data") / "photos")


class Changed(ImageFolder):
    """The image folder, with something changed in the dataset that it opens."""

    def __init__(self, change: Callable[[Dataset], Dataset]) -> None:
        self.change = change

    def open(self, where: str, options: DataOptions) -> Dataset:
        return self.change(super().open(where, options))


def images(**values: Any) -> Callable[[Dataset], Dataset]:
    """Puts other values into the split; a function is given the split."""

    def change(dataset: Dataset) -> Dataset:
        part = dataset.splits["all"]
        return replace(dataset, splits={"all": replace(part, **{n: v(part) if callable(v) else v for n, v in values.items()})})

    return change


def turning() -> Callable[[Dataset], Dataset]:
    """Keys in another order at every second opening."""
    times: list[int] = []

    def change(dataset: Dataset) -> Dataset:
        times.append(1)
        return images(keys=lambda part: part.keys[::-1])(dataset) if len(times) % 2 == 0 else dataset

    return change


def eager(dataset: Dataset) -> Dataset:
    part = dataset.splits["all"]
    held = [part.read(i) for i in range(len(part))]
    return images(read=lambda _: held.__getitem__)(dataset)


def one_handle(part: Images) -> Callable[[int], bytes]:
    """A reader of one archive, by a handle that every call moves."""

    @cache
    def archive() -> tuple[io.BytesIO, list[int]]:
        contents = [part.read(i) for i in range(len(part))]
        return io.BytesIO(b"".join(contents)), [0, *accumulate(map(len, contents))]

    def read(i: int) -> bytes:
        handle, starts = archive()
        handle.seek(starts[i])
        return handle.read(starts[i + 1] - starts[i])

    return read


def fickle(part: Images) -> Callable[[int], bytes]:
    times: list[int] = []
    return lambda i: part.read(i) + bytes(times.append(1) or len(times))  # type: ignore[func-returns-value]


NUMBERS = count()


def numbered(part: Images) -> tuple[str, ...]:
    return tuple(str(next(NUMBERS)) for _ in part.keys)


def by_name_alone(part: Images) -> tuple[str, ...]:
    return tuple(f"stamp of {key}" for key in part.keys)


def as_features(**values: Any) -> Callable[[Dataset], Dataset]:
    """The dataset of vectors, with other values in its split."""
    made = tiny_features()
    part = made.splits["all"]
    return lambda dataset: replace(made, splits={"all": replace(part, **{n: v(part) for n, v in values.items()})})


def one_hot(gone: int = 0) -> Callable[[Any], Any]:
    """Labels as rows of one class each, without the first `gone`."""
    return lambda part: np.eye(3, dtype=bool)[part.labels][gone:]


def halved(part: Features) -> Any:
    return part.x * np.float32(0.5)


def hole(part: Features) -> Any:
    return np.where(np.arange(len(part))[:, None] == 3, np.float32(np.nan), part.x)


class Claims(ImageFolder):
    """The image folder, which claims as it is told."""

    def __init__(self, claims: Callable[[str], Any]) -> None:
        self.claims = claims  # type: ignore[method-assign]


def read_one(where: str) -> bool:
    return any(path.read_bytes() for path in sorted(Path(where).glob("*/*.png"))[:1]) if len(where) < 1000 and "\0" not in where else False


def look_everywhere(where: str) -> bool:
    return ImageFolder().claims(where) and all(list(Path(where).iterdir()) for _ in range(40))


def ask_around(where: str) -> bool:
    socket.getaddrinfo("localhost", 80)
    return ImageFolder().claims(where)


def refuse(dataset: Dataset) -> Dataset:
    raise KeyError("labels")


TWO = Classes.of(["red", "green"])
FAULTS = {
    "labels above": (Changed(lambda d: replace(d, classes=TWO)), "Labels of 'photos' run from 0 to 2; there are 2 classes"),
    "labels below": (Changed(images(labels=lambda p: p.labels - 1)), "run from -1 to 1"),
    "labels of floats": (Changed(images(labels=lambda p: p.labels.astype(float))), "The labels of 'all' are float64; whole numbers"),
    "too few labels": (Changed(images(labels=lambda p: p.labels[1:])), r"The labels of 'all' have shape \(11,\); \(12,\) was expected"),
    "a row of labels too few": (Changed(images(labels=one_hot(1))), r"The labels of 'all' have shape \(11, 3\); \(12, 3\) was expected"),
    "captions in a list": (Changed(images(captions=[("a",)] * 12)), "The captions of 'all' are no tuple of 12 tuples"),
    "a caption that is none": (Changed(images(captions=(("a",),) * 11 + ((3,),))), r"The captions of 'red/003.jpg' are \(3,\)"),
    "a picture without a caption": (Changed(images(captions=((),) + (("a",),) * 11)), "'blue/000.png' has no caption"),
    "distractors alone": (Changed(images(distractors=(("a",),) * 12)), "There are distractors of 'all' and no captions"),
    "captions that change": (
        Changed(images(captions=lambda p: ((str(next(NUMBERS)),),) * 12)),
        "The captions or distractors of 'all' are others",
    ),
    "nothing to say": (
        Changed(lambda d: replace(images(labels=None)(d), classes=Classes((), ()))),
        "neither classes nor captions of 'all'",
    ),
    "keys not sorted": (Changed(images(keys=lambda p: p.keys[::-1])), "The keys of 'all' are not sorted: 'red/002.png' comes too late"),
    "keys twice": (Changed(images(keys=lambda p: p.keys[:1] + p.keys[:-1])), "The key 'blue/000.png' of 'all' occurs 2 times"),
    "keys no texts": (Changed(images(keys=lambda p: tuple(range(12)))), "A key of 'all' is 0; a text"),
    "too few stamps": (Changed(images(stamps=lambda p: p.stamps[1:])), "There are 11 stamps of 'all' and 12 keys"),
    "empty stamps": (Changed(images(stamps=lambda p: ("",) * 12)), "A stamp of 'all' is no text"),
    "stamps that stay": (Changed(images(stamps=by_name_alone)), "The stamp of 'blue/000.png' stayed when its file changed"),
    "stamps that go": (Changed(images(stamps=numbered)), "The stamps of 'all' are others when the data is opened again, though"),
    "unstable keys": (Changed(turning()), "The keys of 'all' are others when the data is opened again"),
    "eager": (Changed(eager), "open.. opened pictures, 12 of 12 that were looked at"),
    "no bytes": (Changed(images(read=lambda p: lambda i: bytearray(p.read(i)))), "read.. of 'all' gave a bytearray; bytes"),
    "fickle": (Changed(images(read=fickle)), "read.. of 'all' gave other bytes the second time"),
    "threads": (Changed(images(read=one_handle)), "read.. of 'all' gave wrong bytes when several threads read at once"),
    "no pictures": (
        Changed(images(read=lambda p: lambda i: b"no picture")),
        "read.0. of 'all' .'blue/000.png'. raised UnidentifiedImageError",
    ),
    "read raises": (Changed(images(read=lambda p: lambda i: p.read(i + 1))), "read.11. of 'all' .'red/003.jpg'. raised IndexError"),
    "empty name": (Changed(lambda d: replace(d, classes=Classes(d.classes.ids, (("",),) * 3))), "The class 'blue' has an empty name"),
    "splits": (Changed(lambda d: replace(d, splits={"train": d.splits["all"]})), r"has the splits \['train'\]; `all`, or `tune`"),
    "no dataset": (Changed(lambda d: d.splits), "open.. gave a dict; a promptlab.Dataset was expected"),  # type: ignore[arg-type,return-value]
    "open raises": (Changed(refuse), r"open.. raised KeyError: 'labels' \(test_check_dataset.py, line \d+\); mend"),
    "claims nothing": (Claims(lambda where: False), "said no; the source opens it"),
    "claims all": (Claims(lambda where: True), r"claims\(''\) said yes, though nothing is there"),
    "claims raises": (
        Claims(lambda where: Path(where).is_dir()),
        r"5000 letters'\) raised OSError: .{20,99}\(test_check_dataset.py, line \d+\); .* os.path.isfile says",
    ),
    "claims reads": (Claims(read_one), "claims.. opened the picture '.*/blue/000.png'"),
    "claims looks far": (Claims(look_everywhere), "claims.. listed 4. folders"),
    "claims asks": (Claims(ask_around), "claims.. went to the network"),
    "no unit rows": (Changed(as_features(x=halved)), "The vectors of 'all' have norms from 0.5 to 0.5; unit rows"),
    "no numbers": (Changed(as_features(x=hole)), "The vectors of 'all' hold 1 rows with NaN or infinity"),
    "doubles": (Changed(as_features(x=lambda p: p.x.astype(float))), "The vectors of 'all' are float64; float32"),
    "other texts": (
        Changed(lambda d: replace(tiny_features(), classes=Classes.of(["green", "blue", "red"]))),
        "are of other classes than the",
    ),
    "widths": (Changed(lambda d: replace(tiny_features(), bank=tiny_features(width=5).bank)), "different widths, {'all': 8, 'texts': 5}"),
}


def test_captions_and_lists_of_labels_pass(folder: Path) -> None:
    said = images(labels=one_hot(), captions=(("a cat", "a black cat"),) * 12, distractors=((), *((("a dog",),) * 11)))
    assert check_dataset(Changed(said), folder).splits["all"].labels.shape == (12, 3)  # type: ignore[union-attr]
    assert not check_dataset(
        Changed(lambda d: replace(images(labels=None, captions=(("a",),) * 12)(d), classes=Classes((), ()))), folder
    ).classes.ids


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named(fault: str, folder: Path) -> None:
    source, said = FAULTS[fault]
    with pytest.raises(AssertionError, match=said):
        check_dataset(source, folder)


def test_faults_are_told_together(folder: Path) -> None:
    with pytest.raises(AssertionError, match=r"found 2 faults in the source 'imagefolder':\n- The keys.*\n- .*stamps"):
        check_dataset(Changed(images(keys=lambda p: p.keys[::-1], stamps=("x",))), folder)


def test_our_own_sources_are_sound(folder: Path, tmp_path: Path) -> None:
    assert check_dataset(ImageFolder(), folder).classes.titles == ("blue", "green", "red")
    shutil.copytree(folder, tmp_path / "photos")
    rows = [f"photos/{file.parent.name}/{file.name},{file.parent.name}" for file in sorted(folder.rglob("*.*"))]
    (tmp_path / "pictures.csv").write_text("\n".join(["path,label", *rows]))
    check_dataset(Table(), tmp_path / "pictures.csv")
    tiny = tiny_features()
    part, bank = tiny.splits["all"], tiny.bank
    assert isinstance(part, Features)
    assert bank is not None
    np.savez(tmp_path / "tiny.npz", features=part.x, labels=part.labels, names=np.array(tiny.classes.titles), text=bank.z)
    check_dataset(FeatureFiles(), tmp_path / "tiny.npz")
    (tmp_path / "kept" / "img_emb").mkdir(parents=True)
    np.save(tmp_path / "kept" / "img_emb" / "img_emb_0.npy", part.x)
    (tmp_path / "names.txt").write_text("red\ngreen\nblue\n")
    check_dataset(ClipRetrieval(), tmp_path / "kept", DataOptions(str(tmp_path / "names.txt")))


def test_an_archive_may_be_opened_by_open(tmp_path: Path, folder: Path) -> None:
    """Its index is read once, its pictures when they are needed, each by a handle of its own."""
    import zipfile

    shutil.make_archive(str(tmp_path / "photos"), "zip", folder)

    class Zipped(ImageFolder):
        def claims(self, where: str) -> bool:
            return where.endswith("photos.zip")

        def open(self, where: str, options: DataOptions) -> Dataset:
            with zipfile.ZipFile(where) as file:
                infos = sorted((one for one in file.infolist() if not one.is_dir()), key=lambda one: one.filename)

            def read(i: int) -> bytes:
                with zipfile.ZipFile(where) as file:
                    return file.read(infos[i])

            keys, stamps = tuple(one.filename for one in infos), tuple(f"{one.CRC:x}" for one in infos)
            return Dataset("zipped", Classes.of(["thing", "other"]), {"all": Images("all", keys, stamps, None, read)})

    assert len(check_dataset(Zipped(), tmp_path / "photos.zip").splits["all"]) == 12


def test_what_was_raised_is_chained(folder: Path) -> None:
    with pytest.raises(AssertionError) as told:
        check_dataset(Changed(refuse), folder)
    assert isinstance(told.value.__cause__, KeyError)


def test_what_is_no_source_is_told(folder: Path) -> None:
    with pytest.raises(AssertionError, match=r"was given the class ImageFolder; a source of data was expected: give ImageFolder\(\)"):
        check_dataset(ImageFolder, folder)  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="an object of type str without `claims`, `open`"):
        check_dataset(str(folder), folder)  # type: ignore[arg-type]


def test_a_source_that_takes_every_folder_is_told(tmp_path: Path) -> None:
    class Greedy:
        name, about, example = "greedy", "", ""
        claims = staticmethod(os.path.isdir)
        open = ImageFolder().open

    with pytest.raises(AssertionError, match=r"claims.. said yes to a folder with a text file alone; look for what makes a folder yours"):
        check_dataset(Greedy(), tiny_pictures(tmp_path / "photos"))
