import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from promptlab import runs
from promptlab.errors import StoreError, UsageError
from promptlab.events import Finished, Noted, Progressed, Saved, Started


class Clock(datetime):
    """A clock that the test sets."""

    at = datetime(2026, 1, 1)

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return cls.at


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock.at = datetime(2026, 1, 1)
    monkeypatch.setattr(runs, "datetime", Clock)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def made(root: Path, about: str = "photos", later: float = 1, built: bool = True) -> runs.Run:
    Clock.at += timedelta(seconds=later)
    run = runs.new(root, about, {"data": "/photos", "settings": {}})
    if built:
        run.classifier.touch()
        runs.point(root)
    return run


def test_a_run_is_called_by_date_and_data_and_holds_its_manifest(root: Path) -> None:
    run = made(root, "My Photos!")
    assert run.name == "2026-01-01-000001-my-photos"
    assert run.manifest == {"created": "2026-01-01T00:00:01", "data": "/photos", "settings": {}}
    assert run.result is None


def test_latest_points_to_the_newest_and_moves_with_the_folder(root: Path, tmp_path: Path) -> None:
    made(root)
    second = made(root)
    assert runs.find(root).path == second.path
    assert runs.find(root, "latest").path == second.path
    root.rename(tmp_path / "moved")
    assert runs.find(tmp_path / "moved").name == second.name


def test_latest_is_the_newest_with_a_classifier_and_no_name_the_newest_of_all(root: Path) -> None:
    first = made(root)
    second = made(root, built=False)
    (second.path / runs.SCORES).write_text("{}")
    runs.point(root)
    assert (runs.find(root).name, runs.find(root, "latest").name) == (second.name, first.name)
    assert (root / "latest").resolve() == first.path.resolve()
    runs.remove(first)
    assert not (root / "latest").is_symlink()
    with pytest.raises(UsageError, match="has a classifier yet"):
        runs.find(root, "latest")


def test_a_run_says_how_far_it_has_come(root: Path) -> None:
    run = made(root, built=False)
    assert run.state == "unfinished"
    with run.work():
        assert run.state == "running"
    (run.path / runs.SCORES).write_text("{}")
    assert run.state == "scored"
    run.classifier.touch()
    assert run.state == "built"
    run.save_json("result.json", {"a": 1})
    assert run.state == "finished"


def test_two_may_work_in_one_run(root: Path) -> None:
    run = made(root)
    with run.work(), runs.Run(run.path).work():
        pass


def test_a_part_of_a_name_that_only_one_run_has_is_enough(root: Path) -> None:
    first, second = made(root, "cats"), made(root, "dogs")
    assert runs.find(root, "cats").name == first.name
    assert runs.find(root, second.name[:17]).name == second.name
    with pytest.raises(UsageError, match="2 runs") as caught:
        runs.find(root, "2026-01")
    assert first.name in caught.value.message


def test_runs_of_one_second_have_names_of_their_own(root: Path) -> None:
    names = [made(root, later=0).name for _ in range(12)]
    assert len(set(names)) == 12
    assert runs.find(root).name == names[-1]


def test_runs_are_listed_newest_first(root: Path) -> None:
    names = [made(root, about, later=2).name for about in ("b", "c", "a")]
    assert [run.name for run in runs.all_runs(root)] == names[::-1]


def test_runs_of_one_second_are_listed_newest_first_too(root: Path) -> None:
    names = [made(root, about, later=0).name for about in ("b", "c", "a", *"a" * 10)]
    assert [run.name for run in runs.all_runs(root)] == names[::-1]


def test_only_run_folders_are_listed(root: Path) -> None:
    run = made(root)
    (root / "notes").mkdir()
    (root / "file.txt").write_text("x")
    assert [r.name for r in runs.all_runs(root)] == [run.name]
    assert runs.all_runs(root / "nowhere") == []


def test_a_run_is_found_by_name_and_by_path(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(root)
    made(root)
    assert runs.find(root, run.name).path == run.path
    assert runs.find(root / "elsewhere", str(run.path)).path == run.path
    monkeypatch.chdir(root)
    assert runs.find(root / "elsewhere", run.name).path == run.path


def test_an_unknown_run_lists_the_nearest(root: Path) -> None:
    run = made(root)
    with pytest.raises(UsageError, match="photoz") as caught:
        runs.find(root, run.name.replace("photos", "photoz"))
    assert f"Did you mean {run.name!r}?" in caught.value.hint


def test_where_there_is_no_run_the_error_says_how_to_make_one(root: Path) -> None:
    with pytest.raises(UsageError, match="no run in") as caught:
        runs.find(root)
    assert "promptlab run" in caught.value.hint


def test_a_removed_run_is_gone(root: Path) -> None:
    first, second = made(root), made(root)
    runs.remove(first)
    assert [run.name for run in runs.all_runs(root)] == [second.name]
    assert not first.path.exists()


def test_after_the_latest_is_removed_the_one_before_is_the_latest(root: Path) -> None:
    first, second = made(root), made(root)
    runs.remove(second)
    assert runs.find(root).path == first.path
    runs.remove(first)
    with pytest.raises(UsageError, match="no run in"):
        runs.find(root)


def test_a_folder_that_is_no_run_of_ours_is_never_deleted(tmp_path: Path, root: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    (precious / "run.json").write_text('{"scripts": {"test": "jest"}}')
    with pytest.raises((UsageError, StoreError)):
        runs.remove(runs.find(root, str(precious)))
    assert (precious / "thesis.txt").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_a_broken_manifest_is_an_error_that_says_so(root: Path, content: str) -> None:
    run = made(root)
    (run.path / "run.json").write_text(content)
    with pytest.raises(StoreError, match="missing or broken"):
        _ = run.manifest


def test_a_result_that_was_cut_short_is_none(root: Path) -> None:
    run = made(root)
    (run.path / "result.json").write_text('{"a": ')
    assert run.result is None
    run.save_json("result.json", {"a": 1})
    assert run.result == {"a": 1}


def test_events_are_kept_except_progress(root: Path) -> None:
    run = made(root)
    for event in (Started("x", 3, "things"), Progressed("x", 2), Noted("héllo\n"), Saved("a", "b"), Finished("x", 3)):
        run.log(event)
    lines = [json.loads(line) for line in (run.path / "events.jsonl").read_text("utf-8").splitlines()]
    assert [line["event"] for line in lines] == ["Started", "Noted", "Saved", "Finished"]
    assert lines[0] | {"time": ""} == {"time": "", "event": "Started", "work": "x", "total": 3, "unit": "things"}
    assert lines[1]["text"] == "héllo\n"


def test_an_event_about_a_file_name_that_is_no_text_is_kept(root: Path) -> None:
    run = made(root)
    run.log(Noted("caf\udce9.jpg could not be read"))
    assert "caf" in (run.path / "events.jsonl").read_text("utf-8")


def test_a_place_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError) as caught:
        made(tmp_path / "file")
    assert "--runs" in caught.value.hint


def test_a_hostile_data_name_stays_inside_the_runs_folder(root: Path) -> None:
    run = made(root, "../../../evil")
    assert run.path.parent == root
    assert run.name.endswith("-evil")


def test_the_stopwatch_adds_up_work_that_comes_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 1.0, 3.0, 10.0, 14.0, 20.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(now))
    watch = runs.Stopwatch()
    for event in (Started("x", 1, "u"), Finished("x", 1), Started("x", 1, "u"), Finished("x", 2)):
        watch(event)
    assert watch.table() == {"x": 6.0, "total": 20.0}


def test_a_run_is_its_owner_s_alone(tmp_path: Path) -> None:
    run = runs.new(tmp_path / "deep" / "runs", "things", {"data": "x", "settings": {}})
    run.log(Noted("something"))
    for path in (tmp_path / "deep", tmp_path / "deep" / "runs", run.path, run.path / "events.jsonl", run.path / "run.json"):
        assert not path.stat().st_mode & 0o077


@pytest.mark.parametrize("name", ["x" * 5000, "x/" * 2000])
def test_a_name_too_long_for_the_disk_is_no_run(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no run named"):
        runs.find(tmp_path, name)
