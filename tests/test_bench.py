"""The benches run, and the README says what they gave."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FIELDS = {"what", "threads", "rounds", "ours", "peer", "limit", "ratio", "share_of_limit", "difference", "note"}


def test_a_bench_gives_rows_of_the_common_form() -> None:
    words = ["--pictures", "200", "--classes", "5", "--families", "3", "--width", "32", "--rounds", "1", "--json"]
    done = subprocess.run([sys.executable, ROOT / "bench" / "reweighting.py", *words], capture_output=True, text=True, check=True)
    rows = json.loads(done.stdout.splitlines()[-1])
    assert len(rows) == 3
    for row in rows:
        assert set(row) == FIELDS
        assert set(row["ours"]) == {"wall", "cpu"}
    assert rows[0]["ratio"] == pytest.approx(rows[0]["peer"]["cpu"] / rows[0]["ours"]["cpu"], rel=0.02)
    assert rows[0]["difference"] < 1e-6


def test_the_readme_has_the_table_of_the_kept_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    table = runpy.run_path(str(ROOT / "bench" / "table.py"))
    page, kept = (ROOT / "README.md").read_text("utf-8"), json.loads((ROOT / "bench" / "results.json").read_text("utf-8"))
    assert table["in_readme"](page, kept) == page
    assert {table["named"](step) for step in table["STEPS"]} >= set(kept["rows"])
    assert kept["rows"]
