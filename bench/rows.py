"""What every bench gives: rows of one form, printed for people or, with `--json`, for `table.py`.

Work is timed in alternating rounds, so that whatever else the machine does falls on all sides alike; told are medians. CPU seconds count
all threads, and the children where work starts processes.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple


class Cost(NamedTuple):
    """What some work took."""

    wall: float
    """Seconds by the clock."""
    cpu: float
    """Seconds of all processors together, in this process and in those that it started and waited for."""


def _spent() -> Cost:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(time.perf_counter(), own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime)


def cost(work: Callable[[], object]) -> Cost:
    """What some work takes."""
    before = _spent()
    work()
    after = _spent()
    return Cost(after.wall - before.wall, after.cpu - before.cpu)


def alternate(rounds: int, works: Mapping[str, Callable[[], object]]) -> dict[str, Cost]:
    """The medians of each work, in rounds in which each has its turn."""
    found: dict[str, list[Cost]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            found[name].append(cost(work))
    return {name: median(costs) for name, costs in found.items()}


def median(costs: Sequence[Cost]) -> Cost:
    """Of wall and of CPU time, each."""
    return Cost(*(statistics.median(side) for side in zip(*costs, strict=True)))


def row(
    what: str,
    ours: Cost,
    *,
    threads: int,
    rounds: int,
    peer: tuple[str, Cost] | None = None,
    limit: tuple[str, Cost] | None = None,
    difference: float | None = None,
    note: str = "",
) -> dict[str, Any]:
    """One row. ratio: the peer's CPU time by ours; share_of_limit: the limit's by ours; difference: the largest between results."""
    return {
        "what": what,
        "threads": threads,
        "rounds": rounds,
        "ours": _rounded(ours),
        "peer": None if peer is None else {"name": peer[0], **_rounded(peer[1])},
        "limit": None if limit is None else {"name": limit[0], **_rounded(limit[1])},
        "ratio": None if peer is None else float(f"{peer[1].cpu / ours.cpu:.3g}"),
        "share_of_limit": None if limit is None else float(f"{limit[1].cpu / ours.cpu:.3g}"),
        "difference": None if difference is None else float(f"{difference:.2g}"),
        "note": note,
    }


def _rounded(of: Cost) -> dict[str, float]:
    return {"wall": float(f"{of.wall:.3g}"), "cpu": float(f"{of.cpu:.3g}")}


def parser(about: str | None, threads: int = 1, rounds: int = 3) -> argparse.ArgumentParser:
    """The arguments that every bench takes; `about`: its docstring, whose first line is told."""
    made = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    made.add_argument("--threads", type=int, default=threads)
    made.add_argument("--rounds", type=int, default=rounds)
    made.add_argument("--json", action="store_true", dest="as_json", help="print a list of rows for programs")
    return made


def told(rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Prints rows: all of them as one JSON list, or a few lines each."""
    if as_json:
        print(json.dumps(rows))
        return
    for one in rows:
        print(f"{one['what']} ({one['threads']} thread{'s' * (one['threads'] != 1)}, {one['rounds']} rounds)")
        for who, side in (("ours", one["ours"]), *((s["name"], s) for s in (one["peer"], one["limit"]) if s)):
            print(f"  {who:45}{side['wall']:10.4g} s by the clock{side['cpu']:10.4g} s of CPU time")
        said = [
            *([f"{one['ratio']:g} times less CPU time than {one['peer']['name']}"] if one["peer"] else []),
            *([f"{one['share_of_limit']:.0%} of the limit"] if one["limit"] else []),
            *([f"results differ by at most {one['difference']:.0e}"] if one["difference"] is not None else []),
            *([one["note"]] if one["note"] else []),
        ]
        print("  " + "; ".join(said))


def machine() -> dict[str, Any]:
    """What this ran on: processor, cores, memory, system, torch, day."""
    about = Path("/proc/cpuinfo")
    names = (
        [line.partition(":")[2].strip() for line in about.read_text().splitlines() if line.startswith("model name")]
        if about.exists()
        else []
    )
    return {
        "cpu": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "os": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "torch": version("torch"),
        "date": time.strftime("%Y-%m-%d"),
    }


def run(command: Sequence[str | Path], folder: Path, threads: int = 0, **variables: str) -> str:
    """The output of a command run in a folder, on so many threads (0: as many as it likes). Raises RuntimeError with what it said when it
    fails."""
    few = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)} if threads else {}
    done = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True, env=os.environ | few | variables)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")
    return done.stdout
