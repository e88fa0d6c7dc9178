"""One table of all speed figures: what `make bench` prints, keeps in `bench/results.json` and writes into README.md.

    python bench/table.py [--quick] [--peer PYTHON] [--only NAME ...] [--write]

Benches run one after the other, each in a process of its own, on one thread or two; what they are at is told on stderr. Each row is one
piece of work, done by promptlab and, in the same bench in alternating rounds, by a peer and as a physical limit. `--only` runs some of
the benches and keeps the rows of the others; `--write` runs none and writes the table of `bench/results.json` into README.md again.
`--quick` is a small version that checks that everything runs; it keeps and writes nothing. Peers that need a virtual environment make
one, or use `--peer`.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import clip_benchmark
from rows import machine

HERE = Path(__file__).parent
RESULTS, README = HERE / "results.json", HERE.parent / "README.md"
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"

STEPS: tuple[tuple[str, str, str], ...] = (
    ("text_encoding.py", "--threads 1 --rounds 1", "--classes 2 --rounds 1"),
    ("text_encoding.py", "--threads 1 --rounds 3 --classes 10", "--classes 1 --rounds 1"),
    ("text_encoding.py", "--threads 2 --rounds 3 --classes 10", "--classes 1 --rounds 1 --threads 2"),
    ("text_encoding.py", "--threads 1 --rounds 3 --classes 10 --sentences 30", "--classes 2 --sentences 3 --rounds 1"),
    ("pictures.py", "--threads 1 --count 2000 --model mini", "--count 32 --model mini --rounds 1"),
    ("pictures.py", "--threads 2 --count 2000 --model mini", "--count 32 --model mini --threads 2 --rounds 1"),
    ("pictures.py", "--threads 2 --count 2000 --model ViT-B-32 --rounds 1", "--count 32 --model ViT-B-32 --threads 2 --rounds 1"),
    ("runs_against_clip_benchmark.py", "--threads 2 --model mini --count 500", "--model mini --count 40 --rounds 1"),
    ("runs_against_clip_benchmark.py", "--threads 2 --model ViT-B-32 --count 500", "--model mini --count 40 --rounds 1"),
    ("reweighting.py", "--threads 1", "--pictures 200 --classes 5 --families 3 --width 32 --rounds 1"),
    ("reweighting.py", "--threads 2", "--pictures 200 --classes 5 --families 3 --width 32 --rounds 1 --threads 2"),
    ("edits.py", "", "--classes 20 --pictures 100 --repeat 3"),
    ("startup.py", "", "--rounds 1"),
)
"""(bench, its arguments, those of `--quick`), in their order."""


def named(step: Sequence[str]) -> str:
    """How a step is called in results.json."""
    return " ".join(word for word in step[:2] if word)


def measured(bench: str, arguments: str, peer: str) -> list[dict[str, Any]]:
    """The rows of one bench. Raises CalledProcessError when it fails."""
    words = arguments.split()
    if bench.startswith("runs_"):
        words += ["--peer", clip_benchmark.peer(peer, HERE.parent / ".venv" / "clip_benchmark")]
    threads = words[words.index("--threads") + 1] if "--threads" in words else ""
    few = {name: threads for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS") if threads}
    command = [sys.executable, str(HERE / bench), *words, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | few)
    return list(json.loads(done.stdout.splitlines()[-1]))


def table(found: Mapping[str, Any]) -> str:
    """The table of kept results, as Markdown."""
    on = found["machine"]
    head = ("work", "threads", "promptlab: CPU s", "clock s", "peer: CPU s", "times less", "of the limit", "differs by")
    place = f"{on['cpu']}, {on['cores']} cores, {on['memory']}, {on['os']}, Python {on['python']}, torch {on['torch']}"
    lines = [
        f"`make bench` on {place}, {on['date']}. Medians of alternating rounds; CPU time counts all threads.",
        "The limit is what the same work takes as bare matrix products or bare forward passes.",
        "",
        "| " + " | ".join(head) + " |",
        "| --- |" + " ---: |" * 7,
    ]
    for name in filter(found["rows"].__contains__, map(named, STEPS)):
        lines += ["| " + " | ".join(_cells(one)) + " |" for one in found["rows"][name]]
    return "\n".join(lines)


def _cells(one: Mapping[str, Any]) -> list[str]:
    peer, share, note = one["peer"], one["share_of_limit"], one["note"]
    return [
        one["what"] + (f" ({note})" if note else ""),
        str(one["threads"]),
        f"{one['ours']['cpu']:g}",
        f"{one['ours']['wall']:g}",
        f"{peer['cpu']:g} ({peer['name']})" if peer else "",
        f"**{one['ratio']:g}**" if peer else "",
        f"{share:.0%} ({one['limit']['name']})" if share is not None else "",
        f"{one['difference']:.0e}" if one["difference"] is not None else "",
    ]


def in_readme(page: str, found: Mapping[str, Any]) -> str:
    """README.md with the table between its two marks. Raises ValueError without them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md has no marks {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n{table(found)}\n{END}{after}"


def keep(found: Mapping[str, Any]) -> None:
    """Results into results.json and README.md."""
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    README.write_text(in_readme(README.read_text("utf-8"), found), "utf-8")


def main() -> int:
    """Run the benches and keep what they give."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes; nothing is kept")
    parser.add_argument("--peer", default="", help="a Python with clip-benchmark")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="benches, without .py")
    parser.add_argument("--write", action="store_true", help="run nothing, write README.md again")
    given = parser.parse_args()
    kept = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {"rows": {}}
    steps = [] if given.write else [step for step in STEPS if not given.only or Path(step[0]).stem in given.only]
    rows = {} if given.quick else dict(kept["rows"])
    found = {"machine": kept["machine"] if given.write else machine(), "rows": rows}
    for n, (bench, full, small) in enumerate(steps, 1):
        began = time.perf_counter()
        print(f"[{n}/{len(steps)}] {bench} {small if given.quick else full}", end=" ... ", file=sys.stderr, flush=True)
        rows[named((bench, full))] = measured(bench, small if given.quick else full, given.peer)
        print(f"{time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        if not given.quick:  # after each, so that a bench that fails costs no other's rows
            keep(found)
    print(table(found))
    if given.write:
        keep(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
