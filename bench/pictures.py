"""Pictures through the pipeline, beside its parts: bare decoding and bare forward passes, in one process, in alternating rounds.

    python bench/pictures.py [--pictures FOLDER] [--count 2000] [--threads 1|2] [--model mini|ViT-B-32] [--rounds 3] [--json]

Without a folder it makes JPEGs of its own (500 x 375, quality 90). ViT-B-32 has its true size and random weights. On a CPU the limit is
bare decoding, then bare forward passes on what was decoded, each with all threads: what nobody can beat without decoding or computing
less. On CUDA (--device cuda) it is bare forward passes alone, since decoding is done beside them. The peer is the loop that most people
write: decode a batch, run it, and so on. Everything but the peer has the memory settings that promptlab has.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

SIZE = (500, 375)


def make(folder: Path, count: int) -> None:
    """So many JPEGs that are as hard to decode as photographs: soft colours, texture, grain."""
    folder.mkdir(exist_ok=True)
    for i in range(count):
        rng = np.random.default_rng(i)
        soft = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).resize(SIZE, Image.Resampling.BICUBIC)
        rough = Image.fromarray(rng.integers(0, 256, (94, 125), np.uint8)).resize(SIZE, Image.Resampling.BICUBIC)
        pixels = np.asarray(soft, np.float32) + 0.3 * (np.asarray(rough, np.float32) - 128)[..., None] + rng.normal(0, 6, (*SIZE[::-1], 1))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{i:06d}.jpg", quality=90)


class Watch:
    """Wall and CPU seconds of pieces of work, round by round."""

    def __init__(self) -> None:
        self.rounds: dict[str, list[tuple[float, float]]] = {}

    def __call__(self, name: str, work: Callable[[], Any]) -> Any:
        """What the work gives."""
        wall, cpu = time.perf_counter(), time.process_time()
        found = work()
        self.rounds.setdefault(name, []).append((time.perf_counter() - wall, time.process_time() - cpu))
        return found

    def of(self, *names: str) -> dict[str, float]:
        """Medians over the rounds, added up over the names."""
        wall, cpu = (sum(median(one[n] for one in self.rounds[name]) for name in names) for n in (0, 1))
        return {"wall": round(wall, 3), "cpu": round(cpu, 3)}


def spec(model: str, folder: Path) -> str:
    """The model as an encoder takes it."""
    if model == "mini":
        return f"local-dir:{Path(__file__).parents[1] / 'plugins' / 'promptlab-demo' / 'promptlab_demo' / 'mini'}"
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    save_file(open_clip.create_model(model).state_dict(), folder / "weights.safetensors")
    return f"{model},{folder / 'weights.safetensors'}"


def batches(rows: range, size: int) -> Iterator[range]:
    """The rows, cut."""
    return (rows[i : i + size] for i in range(0, len(rows), size))


def naive(watch: Watch, given: argparse.Namespace, names: list[str], batch: int, folder: Path) -> np.ndarray:
    """In a process of its own, where memory is as Python leaves it: the loop, its times added to the watch. Gives its vectors."""
    asked = [names, batch, given.spec, given.threads, given.device, str(folder / "loop.npy")]
    (folder / "asked.json").write_text(json.dumps(asked))
    ran = subprocess.run([sys.executable, __file__, "--loop", str(folder / "asked.json")], check=True, stdout=subprocess.PIPE)
    watch.rounds.setdefault("loop", []).append(tuple(json.loads(ran.stdout)))
    return np.load(asked[-1])


def loop(asked: Path) -> None:
    """What most people write. Prints its wall and CPU seconds."""
    names, batch, model, threads, device, out = json.loads(asked.read_text())
    import open_clip
    import torch

    torch.set_num_threads(threads)
    name, _, weights = model.partition(",")
    net, transform = open_clip.create_model_from_pretrained(name, weights or None, device=device)
    net.eval()

    def work() -> np.ndarray:
        found = []
        for some in batches(range(len(names)), batch):
            pixels = torch.stack([transform(Image.open(names[i]).convert("RGB")) for i in some]).to(device)
            with torch.inference_mode(), torch.autocast(device.partition(":")[0], torch.float16, enabled=device.startswith("cuda")):
                found.append(net.encode_image(pixels, normalize=True).float().cpu().numpy())
        return np.concatenate(found)

    watch = Watch()
    np.save(out, watch("loop", work))
    print(json.dumps(watch.rounds["loop"][0]))


def measure(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """One row of the table."""
    import torch

    from promptlab import memory
    from promptlab.data.imagefolder import some_pictures
    from promptlab.encode.openclip import Loading, OpenClipEncoder
    from promptlab.encode.pictures import prepare
    from promptlab.encode.vision import AT_ONCE
    from promptlab.events import ignore
    from promptlab.store import Cache

    memory.keep()  # as the command line does
    torch.set_num_threads(given.threads)
    given.spec = spec(given.model, folder)
    images, cuda = some_pictures([str(given.pictures)]), given.device.startswith("cuda")
    rows, batch = range(min(given.count, len(images))), given.batch or AT_ONCE[given.device.partition(":")[0]]
    encoder = OpenClipEncoder(given.spec, Cache(folder / "cache"), Loading(given.device, batch=batch))
    watch, off, busy = Watch(), 0.0, []

    def decode(some: range) -> list[Any]:
        # One thread for each operation, as promptlab has it: those of an operation would only wait for one another.
        torch.set_num_threads(1)
        with ThreadPoolExecutor(given.threads) as pool:
            made = list(pool.map(lambda i: prepare(images, i, encoder.transform).numpy(), some))
        torch.set_num_threads(given.threads)
        return made

    encoder.vectors(decode(range(1)))
    for _ in range(given.rounds):
        part = watch.rounds
        for some in batches(rows, 32 * batch):  # in slices, else the pixels of 2,000 pictures would take 1.2 GB
            parts = Watch()
            pixels = parts("decode", lambda some=some: decode(some))
            parts("forward", lambda pixels=pixels: [encoder.vectors(pixels[i : i + batch]) for i in range(0, len(pixels), batch)])
            for name in ("decode", "forward"):
                part.setdefault(f"{name} of this round", []).append(parts.rounds[name][0])
        for name in ("decode", "forward"):
            slices = part.pop(f"{name} of this round")
            part.setdefault(name, []).append((sum(one[0] for one in slices), sum(one[1] for one in slices)))
        ours, _ = watch("ours", lambda: encoder.encode_images(images, rows, ignore))
        busy.append(encoder.pace().share)
        theirs = naive(watch, given, [str(images.place(i)) for i in rows], batch, folder)
        off = max(off, float(abs(ours.astype(np.float32) - theirs).max()))
    ours, peer, limit = watch.of("ours"), watch.of("loop"), watch.of(*(["forward"] if cuda else ["decode", "forward"]))
    decoding, forward = watch.of("decode"), watch.of("forward")
    return {
        "what": f"{len(rows):,} pictures, {given.model}, {given.device}",
        "threads": given.threads,
        "rounds": given.rounds,
        "ours": ours,
        "peer": {"name": "decode a batch, run it", **peer},
        "limit": {"name": "bare forward" if cuda else "bare decode + bare forward", **limit},
        "share_of_limit": round(limit["wall"] / ours["wall"], 3),
        "ratio": round(peer["cpu"] / ours["cpu"], 2),
        "difference": off,
        "note": f"{len(rows) / ours['wall']:.0f} pictures/s; model busy {median(busy):.0%}; bare decode {decoding['wall']:.1f} s "
        f"({decoding['cpu']:.1f} CPU), bare forward {forward['wall']:.1f} s ({forward['cpu']:.1f} CPU); of the limit's CPU time "
        f"{limit['cpu'] / ours['cpu']:.0%}",
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--loop", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity") and not given.loop and given.device == "cpu":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.threads])  # the loop inherits it
    if given.loop:
        loop(given.loop)
        return
    from promptlab import memory

    memory.share()
    with tempfile.TemporaryDirectory() as folder:
        if given.pictures is None:
            given.pictures = Path(folder) / "pictures"
            make(given.pictures, given.count)
        row = measure(given, Path(folder))
    if given.json:
        print(json.dumps([row]))
        return
    print(f"{row['what']}, {row['threads']} threads, medians of {row['rounds']} rounds (wall / CPU seconds)")
    for side in ("ours", "limit", "peer"):
        print(f"  {row[side].get('name', 'promptlab'):28} {row[side]['wall']:8.2f} {row[side]['cpu']:8.2f}")
    print(f"  {row['share_of_limit']:.0%} of the limit's rate; {row['ratio']} times less CPU time than the loop; {row['note']}")
    print(f"  largest difference of a vector's entry: {row['difference']:.1e}")


if __name__ == "__main__":
    main()
