import json
import math
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.errors import StoreError
from promptlab.events import Cancelled
from promptlab.store import Cache, file_sha256, locked, read_json, write_json, written


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty folder."""
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_written_file_holds_what_was_written(place: Path) -> None:
    with written(place / "deep" / "er" / "a.bin") as file:
        file.write(b"hello")
    assert (place / "deep/er/a.bin").read_bytes() == b"hello"
    assert names_in(place / "deep/er") == ["a.bin"]


def test_nothing_is_seen_under_the_name_before_the_end(place: Path) -> None:
    with written(place / "a.bin") as file:
        file.write(b"half")
        file.flush()
        assert not (place / "a.bin").exists()
    assert (place / "a.bin").exists()


def write_half(path: Path, fault: type[BaseException]) -> None:
    with written(path) as file:
        file.write(b"new")
        raise fault


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_fault_leaves_the_old_file_and_nothing_else(place: Path, fault: type[BaseException]) -> None:
    (place / "a.bin").write_bytes(b"old")
    with pytest.raises(fault):
        write_half(place / "a.bin", fault)
    assert (place / "a.bin").read_bytes() == b"old"
    assert names_in(place) == ["a.bin"]


def test_a_fault_of_the_disk_leaves_the_old_file_and_says_what_to_do(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "a.bin").write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left") as caught, written(place / "a.bin") as file:
        file.write(b"new")
    assert caught.value.hint == "Free some space."
    assert (place / "a.bin").read_bytes() == b"old"
    assert names_in(place) == ["a.bin"]


def test_a_read_only_place_is_an_error_with_a_remedy(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refused)
    with pytest.raises(StoreError, match="Permission denied") as caught, written(place / "a.bin"):
        pass
    assert "--cache" in caught.value.hint


def test_a_place_below_a_file_is_an_error_that_names_it(place: Path) -> None:
    (place / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"file/a\.bin"), written(place / "file" / "a.bin"):
        pass


def test_the_last_of_many_writers_wins_whole(place: Path) -> None:
    def write(letter: str) -> None:
        write_json(place / "a.json", [letter] * 1000)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(read_json(place / "a.json"))) == 1
    assert names_in(place) == ["a.json"]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x, max_size=3), max_leaves=6))
def test_json_comes_back_as_it_went(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "value.json"
    write_json(path, value)
    assert read_json(path) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, [1, {"a": -math.inf}]])
def test_json_refuses_what_json_has_not_and_keeps_the_old_file(place: Path, value: Any) -> None:
    write_json(place / "a.json", "old")
    with pytest.raises(ValueError, match="JSON"):
        write_json(place / "a.json", value)
    assert read_json(place / "a.json") == "old"
    assert names_in(place) == ["a.json"]


def test_a_file_name_that_is_no_text_can_be_kept(place: Path) -> None:
    write_json(place / "a.json", {"picture": os.fsdecode(b"caf\xe9.jpg")})
    assert "caf" in read_json(place / "a.json")["picture"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"a": 1', b"nul", b"[" * 200_000, b"9" * 5000])
def test_broken_json_reads_as_nothing(place: Path, content: bytes) -> None:
    (place / "a.json").write_bytes(content)
    assert read_json(place / "a.json") is None


def test_missing_json_reads_as_nothing(place: Path) -> None:
    (place / "file").write_text("")
    assert read_json(place / "a.json") is None
    assert read_json(place / "file" / "a.json") is None


def test_json_that_cannot_be_read_is_an_error(place: Path) -> None:
    (place / "a.json").mkdir()
    with pytest.raises(StoreError, match=r"a\.json"):
        read_json(place / "a.json")


def test_json_is_written_for_people(place: Path) -> None:
    write_json(place / "a.json", {"name": "café 🐟"})
    text = (place / "a.json").read_text("utf-8")
    assert "café 🐟" in text
    assert text.endswith("}\n")
    assert json.loads(text) == {"name": "café 🐟"}


def test_a_file_s_hash_is_its_sha256(place: Path) -> None:
    (place / "a").write_bytes(b"abc")
    assert file_sha256(place / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


class Calls:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.n = 0

    def __call__(self) -> int:
        self.n += 1
        return self.n


def test_a_remembered_value_is_made_once_for_each_key(place: Path) -> None:
    cache, make = Cache(place), Calls()
    assert [cache.remembered("hashes", key, make) for key in ("a", "a", "b", "a")] == [1, 1, 2, 1]
    assert Cache(place).remembered("hashes", "b", make) == 2


def test_a_broken_memory_is_made_again(place: Path) -> None:
    cache, make = Cache(place), Calls()
    cache.remembered("hashes", "a", make)
    (path,) = (place / "hashes").iterdir()
    path.write_text("{")
    assert cache.remembered("hashes", "a", make) == 2


def test_a_memory_of_another_key_is_not_believed(place: Path) -> None:
    cache, make = Cache(place), Calls()
    cache.remembered("hashes", "a", make)
    (path,) = (place / "hashes").iterdir()
    write_json(path, {"key": "b", "value": "wrong"})
    assert cache.remembered("hashes", "a", make) == 2


def test_the_cache_is_its_owner_s_alone(place: Path) -> None:
    Cache(place / "cache").remembered("hashes", "a", lambda: 1)
    assert (place / "cache").stat().st_mode & 0o077 == 0


def test_folders_are_private_from_the_first_to_the_last(place: Path) -> None:
    cache = Cache(place / "deep" / "cache")
    with locked(cache.features("encoder", "fp32") / "x.lock", lambda times: None):
        pass
    write_json(place / "other" / "runs" / "a.json", 1)
    made = [path for top in ("deep", "other") for path in (place / top, *(place / top).rglob("*")) if path.is_dir()]
    assert len(made) == 6
    assert not [path for path in made if path.stat().st_mode & 0o077]


def test_a_folder_that_is_there_keeps_its_mode(place: Path) -> None:
    (place / "mine").mkdir(mode=0o755)
    write_json(place / "mine" / "new" / "a.json", 1)
    assert (place / "mine").stat().st_mode & 0o777 == 0o755


def test_who_waits_for_a_lock_can_be_stopped(place: Path) -> None:
    waited: list[int] = []

    def waiting(times: int) -> None:
        waited.append(times)
        if times == 2:
            raise Cancelled

    with locked(place / "x", waiting), pytest.raises(Cancelled), locked(place / "x", waiting):
        pass
    assert waited == [0, 1, 2]


@pytest.mark.parametrize("value", [None, "abc", -5, 0, "NaN", [1]])
def test_a_memory_that_does_not_fit_is_made_again(place: Path, value: object) -> None:
    cache, make = Cache(place), Calls()
    cache.remembered("scales", "a", make)
    (path,) = (place / "scales").iterdir()
    path.write_text('{"key": "a", "value": NaN}' if value == "NaN" else json.dumps({"key": "a", "value": value}))
    assert cache.remembered("scales", "a", make, lambda kept: isinstance(kept, int) and kept > 0) == 2
