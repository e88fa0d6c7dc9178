"""Three template sets on the same pictures: the CPU time of `promptlab run`, cold and warm, against CLIP_benchmark's.

    python bench/runs_against_clip_benchmark.py [--count 500] [--model ViT-B-32|mini] [--peer PYTHON] [--threads 2] [--json]

Both read the same tar shards of generated JPEG pictures of 20 classes, with the same checkpoint, and judge them with one template set
after another (80, 40 and 7 templates), a process each. CLIP_benchmark encodes the pictures each time and judges the plain ensemble;
promptlab weighs, judges on half of the pictures and writes its report. Cold starts with an empty cache, warm runs the three again. Whole
processes are timed, imports included. CLIP_benchmark lives in a virtual environment of its own, which is made when none is named.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from clip_benchmark import models, peer, theirs, write_shards
from PIL import Image
from rows import alternate, cost, parser, row, run, told

from promptlab.prompts.templates import load

SETS = ("openai-80", "general", "openai-7")
CLASSES = 20


def pictures(folder: Path, count: int) -> None:
    """JPEG pictures of smooth noise, each class around a colour of its own."""
    rng = np.random.default_rng(0)
    for i in range(count):
        c = i % CLASSES
        place = folder / f"thing_{c:02d}"
        place.mkdir(parents=True, exist_ok=True)
        colour = 255 * np.random.default_rng(c).random(3)
        pixels = np.clip(colour + rng.normal(0, 60, (12, 16, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).resize((500, 375), Image.Resampling.BICUBIC).save(place / f"{i}.jpg", quality=90)


def say(root: Path, name: str) -> None:
    """Puts the templates of a set where CLIP_benchmark reads them."""
    lines = [template.name.replace("{}", "{c}") for template in load([name])]
    (root / "zeroshot_classification_templates.txt").write_text("\n".join(lines))


def main() -> int:
    """Measure and print."""
    arguments = parser(__doc__, threads=2, rounds=3)
    arguments.add_argument("--count", type=int, default=500, help="pictures")
    arguments.add_argument("--model", default="ViT-B-32", help="a random model of this architecture, or mini")
    arguments.add_argument("--peer", default="", help="a Python with clip-benchmark")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = folder / "data"
        pictures(folder / "pictures", given.count)
        write_shards(folder / "pictures", root)
        ours, named = models(given.model, folder)
        python = peer(given.peer, folder / "peer")
        script = Path(sys.executable).with_name("promptlab")

        def sweep() -> None:
            for one in SETS:
                words = ["--model", ours, "--templates", one, "--cache", folder / "cache", "--quiet", "--offline"]
                run([script, "run", root, *words], folder, given.threads)

        def sweep_of_theirs() -> None:
            for one in SETS:
                say(root, one)
                theirs(python, root, named, folder / "theirs.json", threads=given.threads)

        cold, other = cost(sweep), cost(sweep_of_theirs)
        warm = alternate(given.rounds, {"warm": sweep})["warm"]
    what = f"{given.count:,} pictures x {CLASSES} classes, 3 template sets, {given.model}"
    against = ("CLIP_benchmark", other)
    shape = {"threads": given.threads, "peer": against}
    rows = [
        row(f"Cold runs: {what}", cold, rounds=1, note="wanted: 3 times less", **shape),
        row(f"Warm runs: {what}", warm, rounds=given.rounds, note="CLIP_benchmark once; wanted: 10 times less", **shape),
    ]
    told(rows, given.as_json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
