"""Data behind URLs: the same as the same data on this machine."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from promptlab.config import Settings
from promptlab.data.places import place, rooted
from promptlab.errors import DataError, OfflineError
from promptlab.lab import Lab
from promptlab.types import Dataset, Images

from .test_image_parquet import written
from .wds import write_wds


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    """fsspec's file system in memory, empty."""
    system = fsspec.filesystem("memory")
    yield system
    system.rm("/", recursive=True)


def said(dataset: Dataset) -> list[object]:
    """What a dataset holds, whatever the place."""
    parts = [part for _, part in sorted(dataset.splits.items()) if isinstance(part, Images)]
    return [
        dataset.name,
        dataset.classes,
        dataset.templates,
        *((p.keys, p.labels.tolist(), [p.read(i) for i in range(len(p))]) for p in parts),
    ]  # type: ignore[union-attr]


def test_shards_behind_urls_are_those_on_this_machine(lab: Lab, memory: fsspec.AbstractFileSystem) -> None:
    pairs = [(f"picture {i}".encode(), i % 2) for i in range(5)]
    root = write_wds(Path("wds").absolute(), {"train": pairs, "test": pairs}, ("cat", "dog"), ("a {c}",))
    memory.put(str(root), "/there/wds", recursive=True)
    for name in ("wds", "wds/test", "wds/test/{0..1}.tar", "wds/test/1.tar"):
        here = said(lab.open(f"{root.parent}/{name}"))
        assert said(lab.open(f"memory://there/{name}")) == here
        assert said(lab.open(f"file://{root.parent}/{name}")) == here


def test_parquet_behind_a_url_is_that_on_this_machine(lab: Lab, memory: fsspec.AbstractFileSystem) -> None:
    path = written("set/data/test.parquet", [0, 1, 2, 0, 1])
    memory.put(str(path), "/set/data/test.parquet")
    assert said(lab.open("memory://set")) == said(lab.open("set"))
    assert said(lab.open("memory://set/data/test.parquet")) == said(lab.open(str(path)))


def test_stamps_of_a_url_change_with_its_bytes(memory: fsspec.AbstractFileSystem) -> None:
    memory.pipe("/a", b"1")
    before = place("memory://a").status()
    memory.pipe("/a", b"2")
    assert place("memory://a").status().size == before.size
    assert place("memory://a").status().stamp != before.stamp


def test_the_case_of_a_protocol_says_nothing(lab: Lab, memory: fsspec.AbstractFileSystem) -> None:
    path = written("set/test.parquet", [0, 1, 2, 0, 1]).absolute()
    memory.put(str(path), "/set/test.parquet")
    assert said(lab.open("MEMORY://set")) == said(lab.open(f"FILE://{path.parent}"))


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("simplecache::s3://bucket/x.tar", "is a chain of protocols"),
        ("zip://x.tar::s3://bucket/a.zip", "is a chain of protocols"),
        ("github://a:b@main/x.tar", "has the protocol 'github'"),
        ("reference://x.parquet", "has the protocol 'reference'"),
        ("magnet://photos", "has the protocol 'magnet'"),
        ("pipe:curl x", "would run a program"),
        ("memory://nothing/there", "memory://nothing/there"),
    ],
)
def test_urls_that_are_not_read(lab: Lab, where: str, text: str) -> None:
    with pytest.raises(DataError, match=text):
        lab.open(where)


def test_a_missing_package_is_named(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(DataError, match="s3:// needs s3fs") as caught:
        lab.open("s3://bucket/photos")
    assert caught.value.hint == "pip install s3fs"


def test_what_a_client_raises_is_a_clear_error(lab: Lab, memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe("/t.tar", b"x" * 2000)
    monkeypatch.setattr(type(memory), "info", lambda *_, **__: 1 / 0)
    with pytest.raises(DataError, match=r"'memory://t\.tar' cannot be read: ZeroDivisionError"):
        lab.open("memory://t.tar")


def test_a_run_on_a_url_goes_on(memory: fsspec.AbstractFileSystem) -> None:
    from .test_webdataset import coloured

    memory.put(str(coloured().absolute()), "/wds", recursive=True)
    found = Lab(Settings.load({})).run("memory://wds")
    assert found.run.manifest["data"] == "memory://wds"
    again = Lab(Settings.load({"debias": "prior"})).run()
    assert (again.material.encoded["images"], again.summary["data"]) == (0, found.summary["data"])


def test_folders_and_tables_behind_urls_are_those_on_this_machine(lab: Lab, memory: fsspec.AbstractFileSystem) -> None:
    for name in ("photos/cat/1.jpg", "photos/wild_dog/2.JPG", "photos/wild_dog/deep/3.png", "photos/.trash/4.png", "photos/read.me"):
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    Path("photos/t.csv").write_text("path,label,split\ncat/1.jpg,cat,train\nwild_dog/2.JPG,dog,test\n")
    Path("photos/t.jsonl").write_text('{"path": "cat/1.jpg", "label": "cat"}\n')
    memory.put("photos", "/photos", recursive=True)
    for name in ("photos", "photos/t.csv", "photos/t.jsonl"):
        assert said(lab.open(f"memory://{name}")) == said(lab.open(name))
    stamps = {stamp for part in lab.open("memory://photos/t.csv").splits.values() for stamp in part.stamps}  # type: ignore[union-attr]
    assert len(stamps) == 2
    assert "missing" not in stamps


@pytest.mark.parametrize("where", ["s3://bucket/x.tar", "https://example.org/x.tar", "hf://datasets/a/b"])
def test_offline_fetches_nothing(where: str) -> None:
    with pytest.raises(OfflineError, match="not on this machine"):
        Lab(Settings.load({"offline": True})).open(where)


def test_a_pattern_is_found_again_from_elsewhere() -> None:
    here = os.getcwd()
    assert rooted("a-{0..1}.tar") == f"{here}/a-{{0..1}}.tar"
    for there in ("hf:{}", "hf:{}@a:test", "torchvision:DTD@{}:test", "file://{}"):
        Path("saved").mkdir(exist_ok=True)
        assert rooted(there.format("saved")) == there.format(f"{here}/saved")
    assert [rooted(where) for where in ("everyday", "hf:a/b", "s3://b/x.tar")] == ["everyday", "hf:a/b", "s3://b/x.tar"]
