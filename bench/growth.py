"""How time and memory of a run grow with pictures, classes and templates: points, fitted exponents, a plot and a table.

    python bench/growth.py [--small] [--threads 1]

Made-up vectors in files, run by default settings: opened, scored, weighed, built, judged; N pictures, C classes and K templates grow in
turn while the others stay at 20,000, 100 and 20, with vectors that are 128 wide. Each point has a process of its own, so that its largest
memory is its own; a run of hardly any data comes first in each, and what memory that took is taken off. Exponents are slopes of a line
through the larger half of the points, logarithm against logarithm. Writes docs/growth.svg and the section "Growth" of docs/scale.md;
`--small` tries few points, prints them and writes nothing.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rows import machine

ROOT = Path(__file__).parents[1]
PAGE, PLOT = ROOT / "docs" / "scale.md", ROOT / "docs" / "growth.svg"
HEAD = "## Growth"
FIXED = {"N": 20_000, "C": 100, "K": 20}
WIDTH = 128
POINTS: dict[str, tuple[int, ...]] = {
    "N": (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000),
    "C": (10, 30, 100, 300, 1_000, 3_000, 10_000),
    "K": (1, 3, 10, 30, 100, 250, 500),
}
CALLED = {"N": "pictures N", "C": "classes C", "K": "templates K"}
Point = tuple[int, float, float]
"""(size, seconds of CPU time, MiB)"""


def world(file: Path, n: int, c: int, k: int) -> Path:
    """Vectors of n pictures around those of c classes, by k templates, in a file."""
    rng = np.random.default_rng(0)
    text = rng.standard_normal((c, WIDTH), np.float32) + 0.3 * rng.standard_normal((k, c, WIDTH), np.float32)
    labels = np.arange(n) % c
    x = rng.standard_normal((n, WIDTH), np.float32)
    for start in range(0, n, 8192):
        here = slice(start, start + 8192)
        x[here] += text[0][labels[here]]
    np.savez(file, features=x, labels=labels, names=np.array([f"thing {i}" for i in range(c)]), text=text, scale=np.array(100.0))
    return file


def measured(small: str, large: str, threads: int) -> tuple[float, float]:
    """(CPU seconds, MiB) that a run of a file takes in this process, over one of a small file."""
    import torch

    from promptlab import Lab, Settings
    from promptlab.events import ignore
    from promptlab.loops.run import run

    torch.set_num_threads(threads)
    lab = Lab(Settings.load({}))

    def go(file: str) -> None:
        data = lab.classified(file)
        run(lab.prepare(data), lab.choice(data), lab.rules, ignore)

    go(small)
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    go(large)
    return time.process_time() - began, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def points(axis: str, sizes: Sequence[int], threads: int) -> list[Point]:
    """Each size of one axis, in a process of its own."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        small = world(Path(folder) / "small.npz", 200, 4, 2)
        for size in sizes:
            n, c, k = (FIXED | {axis: size}).values()
            large = world(Path(folder) / "large.npz", n, c, k)
            command = [sys.executable, __file__, "--point", str(small), str(large), "--threads", str(threads)]
            few = os.environ | {"OMP_NUM_THREADS": str(threads), "PROMPTLAB_CACHE": str(Path(folder) / str(size))}  # nothing is known yet
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=few)
            seconds, memory = json.loads(done.stdout)
            found.append((size, seconds, memory))
            print(f"{axis} {size:>9,}: {seconds:8.2f} s {memory:8.0f} MiB", file=sys.stderr, flush=True)
    return found


def exponent(found: Sequence[Point], what: int) -> float:
    """The slope through the larger half of the points."""
    upper = [p for p in found[len(found) // 2 :] if p[what] > 0]
    return float(np.polyfit(np.log([p[0] for p in upper]), np.log([p[what] for p in upper]), 1)[0]) if len(upper) > 1 else float("nan")


def plot(found: Mapping[str, Sequence[Point]]) -> str:
    """Both plots as one SVG: seconds and MiB against how many times the smallest size, both axes logarithmic."""
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 330" font-family="sans-serif" font-size="12">',
            '<rect width="820" height="330" fill="#fff"/>',
            *panel(found, 1, "seconds of CPU time", 60),
            *panel(found, 2, "MiB", 470),
            "</svg>",
            "",
        ]
    )


COLOURS = {"N": "#1b6ca8", "C": "#c0392b", "K": "#2e8b57"}
DASHES = {"N": "", "C": "7 3", "K": "2 3"}  # so that lines are told apart without colours
TOP, BOTTOM, SPAN = 30.0, 270.0, 300.0


def panel(found: Mapping[str, Sequence[Point]], what: int, title: str, left: float) -> list[str]:
    """One plot, whose lower left corner is at x = left."""
    sizes = [p[0] for line in found.values() for p in line]
    values = [p[what] for line in found.values() for p in line if p[what] > 0]
    (x0, x1), (y0, y1) = (_decades(sizes), _decades(values))

    def x(size: float) -> float:
        return left + SPAN * (np.log10(size) - x0) / (x1 - x0)

    def y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (np.log10(value) - y0) / (y1 - y0)

    parts = [f'<text x="{left}" y="18" font-weight="bold">{title}</text>']
    for power in range(x0, x1 + 1):
        at = x(10.0**power)
        parts.append(f'<line x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{BOTTOM}" stroke="#ddd"/>')
        parts.append(f'<text x="{at:.1f}" y="{BOTTOM + 16}" text-anchor="middle">{_power(power)}</text>')
    for power in range(y0, y1 + 1):
        at = y(10.0**power)
        parts.append(f'<line x1="{left}" y1="{at:.1f}" x2="{left + SPAN}" y2="{at:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">{_power(power)}</text>')
    for i, (axis, line) in enumerate(found.items()):
        seen = [(x(p[0]), y(p[what])) for p in line if p[what] > 0]
        way = " ".join(f"{a:.1f},{b:.1f}" for a, b in seen)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{COLOURS[axis]}" stroke-width="2" stroke-dasharray="{DASHES[axis]}"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{COLOURS[axis]}"/>' for a, b in seen]
        word = f"{CALLED[axis]}: exponent {exponent(line, what):.2f}"
        parts.append(f'<text x="{left + 10}" y="{TOP + 16 + 16 * i}" fill="{COLOURS[axis]}">{word}</text>')
    parts.append(f'<text x="{left + SPAN / 2}" y="{BOTTOM + 36}" text-anchor="middle">how many</text>')
    return parts


def _decades(values: Sequence[float]) -> tuple[int, int]:
    low, high = int(np.floor(np.log10(min(values)))), int(np.ceil(np.log10(max(values))))
    return low, max(high, low + 1)


def _power(power: int) -> str:
    return f"{10.0**power:g}" if -3 <= power < 4 else f'10<tspan dy="-5" font-size="9">{power}</tspan>'


def section(found: Mapping[str, Sequence[Point]], threads: int) -> str:
    """The section of docs/scale.md."""
    on = machine()
    place, others = f"{on['cpu']}, torch {on['torch']}", f"{FIXED['N']:,} pictures, {FIXED['C']} classes and {FIXED['K']} templates"
    lines = [
        HEAD,
        "",
        f"`python bench/growth.py` on {place}, threads: {threads}, {on['date']}. A run by default settings of vectors {WIDTH} wide, from",
        f"opening the file to the last figure. One size grows, the others stay at {others}.",
        "Exponents are fitted to the larger half of the points. Memory is over that of hardly any data; up to 256 MiB of it are",
        "similarities that are held while several things are asked of the same pictures.",
        "",
        "![Time and memory against pictures, classes and templates](growth.svg)",
        "",
        "| what grows | from, to | CPU seconds | exponent of time | MiB | exponent of memory |",
        "| --- | --- | --- | ---: | --- | ---: |",
    ]
    for axis, line in found.items():
        first, last = line[0], line[-1]
        seconds, memory = f"{first[1]:.2f}, {last[1]:.1f}", f"{max(first[2], 0):.0f}, {last[2]:.0f}"
        cells = (CALLED[axis], f"{first[0]:,}, {last[0]:,}", seconds, f"{exponent(line, 1):.2f}", memory, f"{exponent(line, 2):.2f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def placed(page: str, made: str) -> str:
    """The page with the section in the place of the one that was there, or at its end."""
    before, head, rest = page.partition(HEAD + "\n")
    if not head:
        return f"{page.rstrip()}\n\n{made}" if page.strip() else f"# Scale\n\n{made}"
    after = rest.find("\n## ")
    return before + made + (rest[after:] if after >= 0 else "")


def main() -> int:
    """Measure, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="few small points; nothing is written")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--point", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.point:
        print(json.dumps(measured(*given.point, given.threads)))
        return 0
    found = {axis: points(axis, sizes[:3] if given.small else sizes, given.threads) for axis, sizes in POINTS.items()}
    print(section(found, given.threads))
    if not given.small:
        PLOT.write_text(plot(found), "utf-8")
        PAGE.write_text(placed(PAGE.read_text("utf-8") if PAGE.exists() else "", section(found, given.threads)), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
