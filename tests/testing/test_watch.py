"""What code does is seen from outside, from every thread, and only while somebody looks."""

import os
import sys
import threading
from pathlib import Path

from promptlab.testing.watch import taking_turns, watching


def test_files_are_seen_whoever_opens_them(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a", "b", "c", "link")]
    for file in files[:3]:
        file.write_bytes(b"x")
    files[3].symlink_to(files[2])
    with watching() as seen:
        files[0].read_bytes()
        os.close(os.open(files[1], os.O_RDONLY))
        thread = threading.Thread(target=files[3].read_bytes)
        thread.start()
        thread.join()
        list(tmp_path.iterdir())
    (tmp_path / "later").write_bytes(b"x")
    assert seen.files() == {str(file.resolve()) for file in files[:3]}
    assert (seen.listed, seen.waited) == (1, set())


def test_two_watch_at_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    with watching() as outer, watching() as inner:
        (tmp_path / "a").read_bytes()
    assert len(outer.opened) == len(inner.opened) == 1


def test_tracing_is_as_before_afterwards() -> None:
    before = threading.gettrace(), sys.gettrace()
    with taking_turns():
        assert threading.gettrace() is not before[0]
    assert (threading.gettrace(), sys.gettrace()) == before
