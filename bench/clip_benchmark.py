"""The same folder, checkpoint and templates through CLIP_benchmark and through promptlab: do they say the same?

    python bench/clip_benchmark.py PICTURES [--model mini|ViT-B-32] [--peer PYTHON]

PICTURES is a folder of class folders. It is written as tar shards in CLIP_benchmark's layout, of which both read the same bytes.
CLIP_benchmark runs with `--no_amp` in a virtual environment of its own, which is made when none is named. Compared are acc1, acc5 and
mean per class recall of CLIP_benchmark's own classifier with ours; then CLIP_benchmark is given our classifier (`--load_clfs`), and its
`build` reads our result. A picture whose two best classes are closer than 1e-5 (in cosine units), or whose fifth and sixth are, may
fall to either side: these are counted. Prints a table; ends with 1 where the figures differ by more than those pictures.
"""

import argparse
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from rows import run
from safetensors.torch import save_file

from promptlab import Lab, Settings, runs
from promptlab.score.classifier import logits

CLOSE = 1e-5
TEMPLATES = ("a photo of a {c}.", "a blurry photo of a {c}.", "a drawing of a {c}.", '"{c}"')
PICTURES = (".jpg", ".jpeg", ".png", ".webp")
METRICS = ("acc1", "acc5", "mean_per_class_recall")
DATASET = "wds/shapes"


def write_shards(pictures: Path, root: Path, per_shard: int = 64) -> None:
    """The pictures of a folder as shards of a test split, with class names and templates."""
    folders = sorted(f for f in pictures.iterdir() if f.is_dir())
    found = [(file, c) for c, folder in enumerate(folders) for file in sorted(folder.iterdir()) if file.suffix.lower() in PICTURES]
    (root / "test").mkdir(parents=True)
    (root / "classnames.txt").write_text("\n".join(folder.name.replace("_", " ") for folder in folders))
    (root / "zeroshot_classification_templates.txt").write_text("\n".join(TEMPLATES))
    shards = -(-len(found) // per_shard)
    (root / "test" / "nshards.txt").write_text(str(shards))
    for n in range(shards):
        with tarfile.open(root / "test" / f"{n}.tar", "w") as tar:
            for i in range(n * per_shard, min((n + 1) * per_shard, len(found))):
                file, label = found[i]
                for suffix, data in ((file.suffix.lower(), file.read_bytes()), (".cls", str(label).encode())):
                    about = tarfile.TarInfo(f"s{i:07d}{suffix}")
                    about.size = len(data)
                    tar.addfile(about, io.BytesIO(data))


def peer(given: str, folder: Path) -> str:
    """A Python that has CLIP_benchmark; made when none is named and none is there."""
    python = given or str(folder / "bin" / "python")
    if given or (folder / "bin" / "clip_benchmark").exists():
        return python
    venv.create(folder, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "clip-benchmark", "numpy<2.4", "requests"], check=True)
    return python


def theirs(python: str, root: Path, model: tuple[str, str], out: Path, *more: str, threads: int = 0) -> dict[str, Any]:
    """What CLIP_benchmark says, on so many threads (0: as many as it likes)."""
    name, pretrained = model
    words = ["--dataset", DATASET, "--dataset_root", str(root), "--split", "test", "--model", name, "--pretrained", pretrained]
    command = [python, "-m", "clip_benchmark.cli", "eval", *words, "--no_amp", "--num_workers", "0", "--output", str(out), *more]
    run(command, root, threads)
    return dict(json.loads(out.read_text())["metrics"])


def promptlab(*arguments: str, folder: Path) -> None:
    """A command of ours."""
    script = Path(sys.executable).with_name("promptlab")
    subprocess.run([script, *arguments, "--cache", str(folder / "cache")], check=True, capture_output=True, cwd=folder)


def near_ties(settings: Settings, root: Path, classifier: Path) -> tuple[int, dict[str, int]]:
    """How many pictures there are, and how many may fall to either side for each figure."""
    lab, made = Lab(settings), runs.load_classifier(classifier)
    found, _ = lab.features(lab.open(str(root)), lab.encoder())
    cosines = np.sort(-logits(made, found["all"], lab.device) / made.scale, 1)
    first, fifth = (int((np.abs(cosines[:, k] - cosines[:, k - 1]) < CLOSE).sum()) if cosines.shape[1] > k else 0 for k in (1, 5))
    return len(cosines), {"acc1": first, "acc5": fifth, "mean_per_class_recall": first}


def models(wanted: str, folder: Path) -> tuple[str, tuple[str, str]]:
    """The model as promptlab takes it, and as CLIP_benchmark does (name, pretrained)."""
    if wanted == "mini":
        target = Lab(Settings.load({})).models["mini"].thing.target
        return target, (target, "")
    torch.manual_seed(0)
    weights = folder / "weights.safetensors"
    save_file(open_clip.create_model(wanted).state_dict(), weights)
    return f"{wanted},{weights}", (wanted, str(weights))


def main() -> int:
    """Run both, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--model", default="ViT-B-32", help="a random model of this architecture, or mini")
    parser.add_argument("--peer", default="", help="a Python with clip-benchmark")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = folder / "data"
        write_shards(given.pictures, root)
        ours, named = models(given.model, folder)
        python = peer(given.peer, folder / "peer")
        promptlab("build", str(root), "--model", ours, "--weights", "uniform", "--transductive", "-o", "ours.safetensors", folder=folder)
        promptlab("build", str(root), "--model", ours, "--weights", "uniform", "--transductive", "-o", "ours.pt", folder=folder)
        promptlab("eval", str(root), "--classifier", "ours.safetensors", "--result", "ours.json", folder=folder)
        rows = {
            "CLIP_benchmark": theirs(python, root, named, folder / "theirs.json", "--save_clf", str(folder / "theirs.pt")),
            "promptlab": json.loads((folder / "ours.json").read_text())["metrics"],
            "CLIP_benchmark, our classifier": theirs(python, root, named, folder / "loaded.json", "--load_clfs", str(folder / "ours.pt")),
        }
        built = [python, "-m", "clip_benchmark.cli", "build", "theirs.json", "ours.json", "--output", "both.csv"]
        subprocess.run(built, check=True, capture_output=True, cwd=folder)
        settings = Settings.load({"model": ours, "cache": str(folder / "cache")})
        n, close = near_ties(settings, root, folder / "ours.safetensors")
        difference = (torch.load(folder / "theirs.pt") - torch.load(folder / "ours.pt")).abs().max().item()
        csv = (folder / "both.csv").read_text()
    return told(rows, n, close, difference, csv)


def told(rows: dict[str, dict[str, Any]], n: int, close: dict[str, int], difference: float, csv: str) -> int:
    """Prints the table; 1 where the figures differ by more than pictures that may fall to either side."""
    print(f"{n} pictures; classifiers differ by at most {difference:.1e}")
    print(f"{'':32}" + "".join(f"{name:>24}" for name in METRICS))
    for who, found in rows.items():
        print(f"{who:32}" + "".join(f"{found[name]:24.6f}" for name in METRICS))
    print(f"{'pictures that are close':32}" + "".join(f"{close[name]:24d}" for name in METRICS))
    print("CLIP_benchmark build:", *csv.splitlines(), sep="\n  ")
    first = rows["CLIP_benchmark"]
    # One picture that falls to the other side moves an accuracy by 1 / n, and the recall of its class by more.
    room = {name: close[name] * (n if name == "mean_per_class_recall" else 1) / n + 1e-6 for name in METRICS}
    return int(any(abs(found[name] - first[name]) > room[name] for found in rows.values() for name in METRICS))


if __name__ == "__main__":
    sys.exit(main())
