"""The same pictures and captions through CLIP_benchmark's retrieval and through promptlab's: do they say the same?

    python bench/retrieval.py CAPTIONS.jsonl [--model mini|ViT-B-32] [--peer PYTHON]

CAPTIONS.jsonl is a table with the columns image and captions. It is written as tar shards in CLIP_benchmark's layout, of which both read
the same bytes. CLIP_benchmark runs with `--no_amp` in a virtual environment of its own, which is made when none is named. Compared is
recall at 1, 5 and 10 both ways, of the captions as they are. A query whose right answer is closer than 1e-5 (in cosine units) to the last
place that counts may fall to either side: these are counted. Prints a table; ends with 1 where recalls differ by more than those queries.
"""

import argparse
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
from clip_benchmark import CLOSE, models, peer, promptlab

from promptlab import Lab, Settings
from promptlab.types import Captioned

KS = (1, 5, 10)
DATASET = "wds/pairs"
METRICS = [f"{way}_retrieval_recall@{k}" for way in ("text", "image") for k in KS]


def write_shards(table: Path, root: Path, per_shard: int = 100) -> None:
    """The pictures and captions of a table as shards of a test split."""
    rows = [json.loads(line) for line in table.read_text("utf-8").splitlines() if line.strip()]
    (root / "test").mkdir(parents=True)
    (root / "dataset_type.txt").write_text("retrieval")
    shards = -(-len(rows) // per_shard)
    (root / "test" / "nshards.txt").write_text(str(shards))
    for n in range(shards):
        with tarfile.open(root / "test" / f"{n}.tar", "w") as tar:
            for i, row in enumerate(rows[n * per_shard : (n + 1) * per_shard], n * per_shard):
                picture = table.parent / row["image"]
                words = "\n".join(row["captions"]).encode()
                for suffix, data in ((picture.suffix.lower(), picture.read_bytes()), (".txt", words)):
                    about = tarfile.TarInfo(f"s{i:07d}{suffix}")
                    about.size = len(data)
                    tar.addfile(about, io.BytesIO(data))


def near(material: Captioned) -> dict[str, int]:
    """How many queries of each metric may fall to either side."""
    x = np.concatenate([x for _, x in material.judged.batches(4096)]).astype(np.float64)
    s = x @ material.plain.z[0].astype(np.float64).T
    right = np.zeros(s.shape, bool)
    right[tuple(material.judged_captions.right.T)] = True
    found = {}
    for way, scores, mine in (("text", s, right), ("image", s.T, right.T)):
        best = np.where(mine, scores, -2).max(1)
        wrong = -np.sort(-np.where(mine, -2, scores), 1)
        for k in KS:
            found[f"{way}_retrieval_recall@{k}"] = int((np.abs(wrong[:, k - 1] - best) < CLOSE).sum())
    return found


def main() -> int:
    """Run both, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("captions", type=Path)
    parser.add_argument("--model", default="ViT-B-32", help="a random model of this architecture, or mini")
    parser.add_argument("--peer", default="", help="a Python with clip-benchmark")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = folder / "data"
        write_shards(given.captions, root)
        (folder / "plain.txt").write_text("{}\n")
        ours, (architecture, weights) = models(given.model, folder)
        python = peer(given.peer, folder / "peer")
        promptlab("retrieve", str(root), "--model", ours, "--templates", "plain.txt", "--result", "ours.json", folder=folder)
        words = ["--dataset", DATASET, "--dataset_root", str(root), "--split", "test", "--model", architecture, "--pretrained", weights]
        words += ["--task", "zeroshot_retrieval", "--recall_k", *map(str, KS), "--no_amp", "--num_workers", "0"]
        command = [python, "-m", "clip_benchmark.cli", "eval", *words, "--output", str(folder / "theirs.json")]
        subprocess.run(command, check=True, capture_output=True)
        rows = {who: json.loads((folder / f"{who}.json").read_text())["metrics"] for who in ("theirs", "ours")}
        lab = Lab(Settings.load({"model": ours, "cache": str(folder / "cache"), "templates": (str(folder / "plain.txt"),)}))
        material = lab.captioned(lab.open(str(root)), whole=True)
    queries = {"text": len(material.judged), "image": len(material.judged_captions.texts)}
    return told(rows, queries, near(material))


def told(rows: dict[str, dict[str, float]], queries: dict[str, int], close: dict[str, int]) -> int:
    """Prints the table; 1 where recalls differ by more than queries that may fall to either side."""
    print(f"{queries['text']} pictures, {queries['image']} captions")
    print(f"{'':28}{'CLIP_benchmark':>16}{'promptlab':>12}{'close':>8}")
    wrong = 0
    for name in METRICS:
        theirs, ours = rows["theirs"][name], rows["ours"][name]
        print(f"{name:28}{theirs:16.6f}{ours:12.6f}{close[name]:8d}")
        wrong += abs(theirs - ours) > close[name] / queries[name.partition("_")[0]] + 1e-6
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
