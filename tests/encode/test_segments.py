import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptlab.encode import features, segments
from promptlab.encode.features import encode_images, fill, local
from promptlab.encode.pictures import UNREAD
from promptlab.errors import DataError, StoreError
from promptlab.events import Cancelled, Finished, Noted, Progressed, Started, ignore
from promptlab.store import Cache, file_sha256, locked
from promptlab.types import Features, Images, Shards

Make = Callable[..., Images]


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "FIRST", 4)
    monkeypatch.setattr(features, "SECONDS", 0.0)


def content(n: int = 10, **other: bytes) -> dict[str, bytes]:
    return {f"{i:02d}.jpg": f"picture {i}".encode() for i in range(n)} | {name.replace("_", "") + ".jpg": b for name, b in other.items()}


def encoded(images: Images, encoder: Any, cache: Cache) -> tuple[Features, int]:
    return encode_images(images, encoder, "things", cache, ignore)


def shard_files(cache: Cache) -> list[Path]:
    return sorted(cache.root.rglob("*.npy"))


def test_rows_come_in_order_whatever_the_shards(counting: Any, cache: Cache, images: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    found, new = encoded(images(content()), counting, cache)
    monkeypatch.setattr(features, "FIRST", 100)
    whole, _ = encoded(images(content()), counting, Cache(cache.root / "other"))
    assert new == 10
    assert len(shard_files(cache)) == 4
    np.testing.assert_array_equal(found.x[:], whole.x[:])
    assert found.keys == tuple(content())


def test_a_warm_cache_encodes_nothing_and_is_equal_to_the_bit(counting: Any, cache: Cache, images: Make) -> None:
    cold, _ = encoded(images(content()), counting, cache)
    before = np.array(cold.x[:])
    warm, new = encoded(images(content()), counting, cache)
    assert new == 0
    assert len(counting.pictures) == 10
    np.testing.assert_array_equal(before, warm.x[:])


def test_one_changed_picture_is_one_encoded_picture(counting: Any, cache: Cache, images: Make) -> None:
    encoded(images(content()), counting, cache)
    found, new = encoded(images(content() | {"05.jpg": b"another"}), counting, cache)
    assert new == 1
    assert counting.pictures[10:] == ["05.jpg"]
    fresh, _ = encoded(images(content() | {"05.jpg": b"another"}), counting, Cache(cache.root / "other"))
    np.testing.assert_array_equal(found.x[:], fresh.x[:])


@pytest.mark.parametrize("where", ["00a.jpg", "04a.jpg", "99.jpg"])
def test_added_pictures_alone_are_encoded_wherever_they_stand(counting: Any, cache: Cache, images: Make, where: str) -> None:
    encoded(images(content(10)), counting, cache)
    more = dict(sorted((content(10) | {where: b"another"}).items()))
    found, new = encoded(images(more), counting, cache)
    assert (new, counting.pictures[10:]) == (1, [where])
    assert found.keys == tuple(more)
    fresh, _ = encoded(images(more), counting, Cache(cache.root / "other"))
    np.testing.assert_array_equal(found.x[:], fresh.x[:])


def test_fewer_pictures_and_then_all_again_encode_nothing(counting: Any, cache: Cache, images: Make) -> None:
    whole, _ = encoded(images(content(10)), counting, cache)
    some, new = encoded(images(content(4)), counting, cache)
    assert new == 0
    np.testing.assert_array_equal(some.x[:], whole.x[:4])
    assert encoded(images(content(10)), counting, cache)[1] == 0


def test_a_table_over_the_same_files_encodes_nothing(counting: Any, cache: Cache, tmp_path: Path) -> None:
    folder = tmp_path / "pictures" / "cats"
    folder.mkdir(parents=True)
    (folder / "a.jpg").write_bytes(b"a cat")
    (tmp_path / "table.csv").touch()
    read, stamps = (lambda i: b"a cat"), ("5-1",)
    encoded(Images("all", ("cats/a.jpg",), stamps, None, read, str(tmp_path / "pictures"), files=True), counting, cache)
    for key in ("pictures/cats/a.jpg", "./pictures/cats/a.jpg", "cats/../pictures/cats/a.jpg", str(folder / "a.jpg")):
        listed = Images("tune", (key,), stamps, None, read, str(tmp_path / "table.csv"), files=True)
        assert encode_images(listed, counting, "table", cache, ignore)[1] == 0


@pytest.mark.parametrize("other", ["root", "key", "stamp", "name", "split", "files", "encoder", "precision"])
def test_what_differs_in_anything_is_encoded(counting: Any, cache: Cache, other: str) -> None:
    about = {"root": "/somewhere", "key": "a.jpg", "stamp": "1", "name": "things", "split": "all", "files": ""}

    def one() -> int:
        where = {"root": about["root"], "files": bool(about["files"])}
        made = Images(about["split"], (about["key"],), (about["stamp"],), None, lambda i: about["stamp"].encode(), **where)
        return encode_images(made, counting, about["name"], cache, ignore)[1]

    assert (one(), one()) == (1, 0)
    if other == "encoder":
        counting = type(counting)("another")
    elif other == "precision":
        counting.precision = "fp16"
    else:
        about[other] += "0"
    assert one() == 1


def test_data_sets_of_different_places_share_nothing(counting: Any, cache: Cache, images: Make) -> None:
    encoded(images(content(10)), counting, cache)
    some = images(content(4))
    elsewhere = Images(some.split, some.keys, some.stamps, None, some.read, "/elsewhere")
    assert encode_images(elsewhere, counting, "things", cache, ignore)[1] == 4
    assert encoded(images(content(10)), counting, cache)[1] == 0


def test_a_killed_run_finds_its_finished_segments_again(counting: Any, cache: Cache, images: Make) -> None:
    counting.stop_at = 9
    with pytest.raises(KeyboardInterrupt):
        encoded(images(content()), counting, cache)
    assert len(shard_files(cache)) == 2
    counting.stop_at = -1
    _, new = encoded(images(content()), counting, cache)
    assert new == 2


def test_pieces_are_as_large_as_is_done_in_some_seconds(counting: Any, images: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(0, 10_000, 1))  # one second a piece and one between
    monkeypatch.setattr(features.time, "monotonic", lambda: float(next(now)))
    monkeypatch.setattr(features, "SECONDS", 3.0)
    made = images(content(400))
    assert [len(piece.rows) for piece in local(made, np.arange(100), counting, ignore)] == [4, 12, 36, 48]
    monkeypatch.setattr(features, "LAST", 6)
    assert max(len(piece.rows) for piece in local(made, np.arange(100), counting, ignore)) == 6


def test_a_stop_leaves_no_half_file(counting: Any, cache: Cache, images: Make) -> None:
    counting.stop_at = 6
    with pytest.raises(KeyboardInterrupt):
        encoded(images(content()), counting, cache)
    names = sorted(path.suffix for path in cache.root.rglob("*") if path.is_file() and path.suffix != ".lock")
    assert names == [".note", ".npy"]


@pytest.mark.parametrize("how", ["flipped", "cut", "empty", "gone"])
def test_a_damaged_shard_is_made_again(counting: Any, cache: Cache, images: Make, how: str) -> None:
    cold, _ = encoded(images(content()), counting, cache)
    before = np.array(cold.x[:])
    del cold
    path = shard_files(cache)[1]
    whole = bytearray(path.read_bytes())
    whole[-3] ^= 1
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes({"flipped": bytes(whole), "cut": bytes(whole[:100]), "empty": b""}[how])
    warm, new = encoded(images(content()), counting, cache)
    assert new in (2, 4)
    np.testing.assert_array_equal(before, warm.x[:])


@pytest.mark.parametrize("note", ["", "{", "null", "[]", '{"sha256": "x", "bad": {}}', '{"bad": {}}', "[" * 200_000])
def test_a_damaged_note_costs_its_shard(counting: Any, cache: Cache, images: Make, note: str) -> None:
    encoded(images(content()), counting, cache)
    path = next(cache.root.rglob("*.note"))
    path.write_text(note)
    _, new = encoded(images(content()), counting, cache)
    assert new in (2, 4)


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "bad is a list": lambda note: note.update(bad=[]),
    "bad is null": lambda note: note.update(bad=None),
    "bad is gone": lambda note: note.pop("bad"),
    "an odd key": lambda note: note.update(bad={"x": "y"}),
    "a row too far": lambda note: note.update(bad={"99": "y"}),
    "a reason that is none": lambda note: note.update(bad={"1": None}),
    "a good row called bad": lambda note: note.update(bad={"1": "no picture"}),
    "a number for a hash": lambda note: note.update(sha256=5),
    "another word": lambda note: note.update(more=1),
}


@pytest.mark.parametrize("case", EDITS)
def test_an_edited_note_costs_its_shard(counting: Any, cache: Cache, images: Make, case: str) -> None:
    before, _ = encoded(images(content(8)), counting, cache)
    path = next(cache.root.rglob("*.note"))
    head, _, rest = path.read_bytes().partition(b"\n")
    note = json.loads(head)
    EDITS[case](note)
    path.write_bytes(json.dumps(note).encode() + b"\n" + rest)
    after, new = encoded(images(content(8)), counting, cache)
    assert new == 4
    np.testing.assert_array_equal(after.x[:], before.x[:])


def test_a_shard_of_another_width_is_made_again_whatever_its_note_says(counting: Any, cache: Cache, images: Make) -> None:
    encoded(images(content(8)), counting, cache)
    path = shard_files(cache)[0]
    np.save(path, np.ones((4, 3), np.float32))
    head, _, rest = path.with_suffix(".note").read_bytes().partition(b"\n")
    made_up = json.loads(head) | {"sha256": file_sha256(path), "shape": [4, 3]}
    path.with_suffix(".note").write_bytes(json.dumps(made_up).encode() + b"\n" + rest)
    assert encoded(images(content(8)), counting, cache)[0].x.shape == (8, 6)


def test_swapped_shards_are_made_again(counting: Any, cache: Cache, images: Make) -> None:
    before = encoded(images(content(8)), counting, cache)[0].x[:]
    first, second = shard_files(cache)
    for suffix in (".npy", ".note"):
        a, b = first.with_suffix(suffix), second.with_suffix(suffix)
        one, other = a.read_bytes(), b.read_bytes()
        a.write_bytes(other)
        b.write_bytes(one)
    after, new = encoded(images(content(8)), counting, cache)
    assert new == 8
    np.testing.assert_array_equal(after.x[:], before)


def test_who_waits_for_another_process_can_be_stopped(counting: Any, cache: Cache, images: Make) -> None:
    events: list[Any] = []

    def listen(event: Any) -> None:
        events.append(event)
        if isinstance(event, Progressed):
            raise Cancelled

    encoded(images(content(4)), counting, cache)
    (lock,) = cache.root.rglob("*.lock")
    with locked(lock, lambda times: None), pytest.raises(Cancelled):
        encode_images(images(content(8)), counting, "things", cache, listen)
    assert [type(event) for event in events] == [Started, Noted, Progressed]


def test_other_pictures_need_not_wait(counting: Any, cache: Cache, images: Make) -> None:
    encoded(images(content(4)), counting, cache)
    (lock,) = cache.root.rglob("*.lock")
    with locked(lock, lambda times: pytest.fail("waited")):
        made = images(content(8))
        assert fill(made, np.arange(4, 8), counting, "things", cache, ignore).new == 4


def test_rows_beyond_a_size_are_compared_when_they_are_read(
    counting: Any, cache: Cache, images: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = encoded(images(content()), counting, cache)[0].x[:]
    monkeypatch.setattr(segments, "SOON", 0)
    path = shard_files(cache)[0]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    opened, new = encoded(images(content()), counting, cache)
    assert new == 0
    with pytest.raises(StoreError, match="damaged, and were removed"):
        opened.x[:]
    again, new = encoded(images(content()), counting, cache)
    assert new in (2, 4)
    np.testing.assert_array_equal(again.x[:], whole)


def test_marks_that_begin_alike_are_told_apart() -> None:
    known = np.array([[1, 5], [1, 3], [2, 9], [1, 7]], "<u8").view(np.uint8).reshape(-1, 16)
    wanted = np.array([[1, 7], [2, 8], [1, 3], [0, 0], [3, 3], [1, 4], [1, 5], [2, 9], [1, 8]], "<u8").view(np.uint8).reshape(-1, 16)
    assert segments._positions(known, wanted).tolist() == [3, -1, 1, -1, -1, -1, 0, 2, -1]


def test_where_a_missing_picture_was_looked_for_is_said(counting: Any, cache: Cache, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.touch()
    counting.encode_images = lambda images, rows, listen: (np.zeros((0, 1), np.float32), {0: f"{UNREAD}: No such file"})
    with pytest.raises(DataError) as caught:
        encode_images(Images("all", ("a.png",), ("1",), None, lambda i: b"", str(table)), counting, "t", cache, ignore)
    assert str(tmp_path / "a.png") in caught.value.hint


def test_labels_come_from_the_data_not_from_the_cache(counting: Any, cache: Cache, images: Make) -> None:
    encoded(images(content(4), [0, 0, 1, 1]), counting, cache)
    found, new = encoded(images(content(4), [1, 0, 2, 0]), counting, cache)
    assert new == 0
    assert found.labels is not None
    assert found.labels.tolist() == [1, 0, 2, 0]


@pytest.mark.parametrize("time", ["cold", "warm"])
def test_bad_pictures_are_left_out_with_their_labels_and_named(counting: Any, cache: Cache, images: Make, time: str) -> None:
    made = images({"a": b"1", "b": b"bad", "c": b"2", "d": b"3", "e": b"4", "f": b"bad too", "g": b"5"}, [0, 1, 2, 3, 4, 5, 6])
    found, _ = encoded(made, counting, cache)
    if time == "warm":
        found, _ = encoded(made, counting, cache)
    assert found.skipped == (("b", "no picture"), ("f", "no picture"))
    assert found.keys == ("a", "c", "d", "e", "g")
    assert found.labels is not None
    assert found.labels.tolist() == [0, 2, 3, 4, 6]
    assert found.x.shape == (5, 6)


def test_a_shard_of_bad_pictures_alone_is_no_trouble(counting: Any, cache: Cache, images: Make) -> None:
    made = images({f"{i}": b"bad" if 4 <= i < 8 else b"good %d" % i for i in range(10)})
    for _ in range(2):
        found, _new = encoded(made, counting, cache)
        assert found.x.shape == (6, 6)
        assert len(found.skipped) == 4


@pytest.mark.parametrize("n", [1, 5])
def test_bad_pictures_alone_are_an_error_that_names_one(counting: Any, cache: Cache, images: Make, n: int) -> None:
    with pytest.raises(DataError, match=f"None of the {n} pictures .*'0.jpg': no picture"):
        encoded(images({f"{i}.jpg": b"bad" for i in range(n)}), counting, cache)


def test_listeners_hear_the_total_and_progress_up_to_it(counting: Any, cache: Cache, images: Make) -> None:
    events: list[Any] = []
    encode_images(images(content(10)), counting, "things", cache, events.append)
    done = [event.done for event in events if isinstance(event, Progressed)]
    assert events[0] == Started("encode pictures", 10, "pictures")
    assert done == sorted(done)
    assert done[-1] == 10
    assert events[-1] == Finished("encode pictures", 10)


def test_a_cache_that_cannot_be_written_is_an_error_with_a_remedy(counting: Any, tmp_path: Path, images: Make) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError) as caught:
        encoded(images(content(4)), counting, Cache(tmp_path / "file"))
    assert "--cache" in caught.value.hint


def test_a_name_from_the_data_does_not_name_a_path(counting: Any, cache: Cache, images: Make) -> None:
    encode_images(images(content(4)), counting, "../../../evil", cache, ignore)
    outside = [p for p in cache.root.parent.rglob("*.npy") if not p.is_relative_to(cache.root / "features")]
    assert not outside
    assert len(shard_files(cache)) == 1


@pytest.mark.parametrize(
    "rows",
    [slice(0, 7), slice(3, 5), slice(None, None, -1), np.array([6, 0, 3, 3]), np.array([], int), np.array([-1, 2]), np.arange(7) % 3 == 0],
)
def test_shards_are_seen_as_one_array(rows: Any) -> None:
    whole = np.arange(14.0).reshape(7, 2)
    parts = Shards([whole[:3], whole[3:4], whole[4:]])
    assert (parts.shape, len(parts)) == ((7, 2), 7)
    np.testing.assert_array_equal(parts[rows], whole[rows])


def test_vectors_of_two_widths_under_one_fingerprint_are_told(counting: Any, cache: Cache, images: Make) -> None:
    encoded(images(content(4)), counting, cache)
    counting._vector = lambda content: np.ones(3, np.float32)
    with pytest.raises(StoreError, match="differ in width or kind: the model changed"):
        encoded(images(content(8)), counting, cache)


def test_what_was_cleaned_away_is_told(counting: Any, cache: Cache, images: Make) -> None:
    opened, _ = encoded(images(content(4)), counting, cache)
    for path in shard_files(cache):
        path.unlink()
    with pytest.raises(StoreError, match="are gone"):
        opened.x[:]
