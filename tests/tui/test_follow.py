"""Following a run that another process writes."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.events import Event, Finished, Noted, Progressed, Saved, Started
from promptlab.runs import Run
from promptlab.tui import follow
from promptlab.tui.follow import Follow, parsed

from .hostile import HOSTILE

GOOD = b'{"time": "2026-01-02T03:04:05.678", "event": "Noted", "text": "a", "level": "info"}'


def told(following: Follow) -> list[Event]:
    return [event for _, event in following.new()]


def append(run: Path, data: bytes) -> None:
    with open(run / "events.jsonl", "ab") as file:
        file.write(data)


def test_each_event_comes_once_and_in_order(tmp_path: Path) -> None:
    run, following = Run(tmp_path), Follow(tmp_path)
    assert following.new() == []
    before = datetime.now().replace(microsecond=0)
    first: list[Event] = [Started("encode", None, "pictures"), Noted("x", "info"), Finished("encode", 3)]
    for event in (*first, Progressed("encode", 2)):
        run.log(event)
    found = following.new()
    assert [event for _, event in found] == first
    assert all(before <= when <= datetime.now() for when, _ in found)
    assert following.new() == []
    run.log(Saved("classifier", "/x/y"))
    assert told(following) == [Saved("classifier", "/x/y")]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:12])
def test_texts_come_as_they_were(text: str, tmp_path: Path) -> None:
    Run(tmp_path).log(Noted(text))
    assert told(Follow(tmp_path)) == [Noted(text)]


@given(st.lists(st.integers(1, 40), max_size=20))
def test_a_line_that_is_written_in_pieces_comes_when_it_is_whole(pieces: list[int]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        run, following, heard = Path(folder), Follow(Path(folder)), 0
        whole, at = (GOOD + b"\n") * 3, 0
        for size in (*pieces, len(whole)):
            append(run, whole[at : at + size])
            at = min(at + size, len(whole))
            heard += len(following.new())
            assert heard == at // (len(GOOD) + 1)


def test_a_torn_line_that_somebody_writes_on_behind_loses_no_other(tmp_path: Path) -> None:
    following = Follow(tmp_path)
    append(tmp_path, GOOD[:30] + GOOD + b"\n" + GOOD + b"\n")
    assert told(following) == [Noted("a", "info")]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"3",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b"[" * 100_000,
        b"1" * 10_000,
        GOOD.replace(b"Noted", b"Quit"),
        GOOD.replace(b'"Noted"', b'["Noted"]'),
        GOOD.replace(b'"a"', b"3"),
        GOOD.replace(b'"text": "a", ', b""),
        GOOD.replace(b"2026-01", b"2026-21"),
        GOOD.replace(b'"2026-01-02T03:04:05.678"', b"7"),
        b'{"time": "2026-01-02T03:04:05", "event": "Finished", "work": "a", "done": true}',
        b'{"time": "2026-01-02T03:04:05", "event": "Started", "work": "a", "total": "3", "unit": "b"}',
    ],
    ids=lambda line: repr(line[:50]),
)
def test_what_is_no_event_is_passed_over(line: bytes, tmp_path: Path) -> None:
    assert parsed(line) is None
    append(tmp_path, line + b"\n" + GOOD + b"\n")
    assert told(Follow(tmp_path)) == [Noted("a", "info")]


def test_what_later_versions_add_to_an_event_does_no_harm() -> None:
    found = parsed(json.dumps({**json.loads(GOOD), "more": 1}).encode())
    assert found
    assert found[1] == Noted("a", "info")


def test_a_file_that_was_replaced_is_read_from_its_start(tmp_path: Path) -> None:
    following = Follow(tmp_path)
    append(tmp_path, (GOOD + b"\n") * 3 + GOOD[:9])
    assert len(following.new()) == 3
    (tmp_path / "events.jsonl").write_bytes(GOOD + b"\n")
    assert told(following) == [Noted("a", "info")]
    (tmp_path / "events.jsonl").unlink()
    assert following.new() == []


def test_a_large_file_comes_in_parts_and_a_line_without_end_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "AT_ONCE", 200)
    append(tmp_path, b"x" * 1000 + b"\n" + (GOOD + b"\n") * 10)
    following = Follow(tmp_path)
    counts = [len(following.new()) for _ in range(12)]
    assert sum(counts) == 10
    assert max(counts) <= 3
    assert len(following._torn) <= 200


def test_a_folder_in_its_place_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").mkdir()
    assert Follow(tmp_path).new() == []
