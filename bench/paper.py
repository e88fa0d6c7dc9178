"""What 1 million and 100 million pictures take, on paper: rates measured on this machine, and assumptions, each named as one.

    python bench/paper.py [--gpu-rate 3000] [--gpu-hour 2.0] [--core-hour 0.04] [--picture-bytes 110000] ...

Measured, in CPU time of one thread: reading and preparing a JPEG of 500 x 375 pixels, a forward of the image tower of a true-size ViT-B-32,
listing files and the headers of tar shards, and the memory that a listing stays in. Everything else is an argument. Prints two tables
in Markdown.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

SIZES = (1_000_000, 100_000_000)
LISTED = 100_000
OPEN = """
import json, resource, sys, time
from promptlab.config import Settings
from promptlab.lab import Lab
from promptlab.data import imagefolder, webdataset
def memory():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
lab = Lab(Settings.load({"classes": sys.argv[2], "cache": sys.argv[3]}))
lab.sources
before, began = memory(), time.process_time()
images = lab.open(sys.argv[1]).splits["all"]
print(json.dumps([(time.process_time() - began) / len(images), (memory() - before) / len(images)]))
"""


class Rates(NamedTuple):
    """Seconds of CPU time and bytes of memory for one picture, on one core of this machine."""

    decode: float
    forward: float
    file: float  # listing one
    file_bytes: float
    member: float  # listing one of a tar
    member_bytes: float


def jpeg(seed: int, size: tuple[int, int]) -> bytes:
    """A picture that is as hard to decode as a photograph: smooth noise."""
    from PIL import Image

    small = np.random.default_rng(seed).integers(0, 255, (size[1] // 8, size[0] // 8, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
    return out.getvalue()


def per_picture() -> tuple[float, float]:
    """(decode, forward) in seconds of CPU time, the better of three rounds."""
    import open_clip
    import torch

    from promptlab.encode.pictures import read_rgb

    torch.set_num_threads(1)
    model, _, transform = open_clip.create_model_and_transforms("ViT-B-32")
    model.eval()
    files = [jpeg(seed, (500, 375)) for seed in range(32)]
    decode, forward = [], []
    for _ in range(3):
        began = time.process_time()
        pixels = torch.stack([transform(read_rgb(file)) for file in files])
        decode.append(time.process_time() - began)
        began = time.process_time()
        with torch.inference_mode():
            model.encode_image(pixels)
        forward.append(time.process_time() - began)
    return min(decode) / len(files), min(forward) / len(files)


def listed(where: Path, names: str, cache: Path) -> tuple[float, float]:
    """(seconds, bytes that stay) for one picture, of a process that opens the data and reads none."""
    said = subprocess.run([sys.executable, "-c", OPEN, where, names, cache], capture_output=True, text=True, check=True).stdout
    seconds, memory = json.loads(said)
    return seconds, memory


def measure(folder: Path) -> Rates:
    """All that is measured."""
    files, shards, names = folder / "files", folder / "shards", folder / "names.txt"
    names.write_text("".join(f"class {c}\n" for c in range(100)))
    shards.mkdir()
    for c in range(100):
        (files / f"n{c:08d}").mkdir(parents=True)
        for i in range(LISTED // 100):
            os.mknod(files / f"n{c:08d}" / f"n{c:08d}_{i:06d}.jpg")
    with tarfile.open(shards / "shard-000000.tar", "w") as tar:
        for i in range(LISTED):
            for suffix, data in (("jpg", b"?"), ("cls", str(i % 100).encode())):
                info = tarfile.TarInfo(f"{i:09d}.{suffix}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    of_files = listed(files, "", folder / "cache")
    of_members = listed(shards, str(names), folder / "cache")
    return Rates(*per_picture(), *of_files, *of_members)


def table(head: str, rows: Sequence[tuple[str, ...]]) -> str:
    """In Markdown; the first column is text."""
    names = (head, *(f"{n:,} pictures" for n in SIZES))
    lines = [names, ("---", *["---:"] * len(SIZES)), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def hours(seconds: float) -> str:
    """In the unit that suits."""
    if seconds < 5400:
        return f"{seconds / 60:,.0f} min" if seconds >= 60 else f"{seconds:.2g} s"
    return f"{seconds / 3600:,.1f} h" if seconds < 172_800 else f"{seconds / 86_400:,.1f} days"


def money(dollars: float) -> str:
    """Without false digits."""
    return f"{dollars:,.0f} $" if dollars >= 10 else f"{dollars:.2g} $"


def size(count: float) -> str:
    """Bytes in the unit that suits."""
    return f"{count / 1e12:,.1f} TB" if count >= 1e12 else f"{count / 1e9:,.1f} GB"


def pages(rates: Rates, given: argparse.Namespace) -> str:
    """The two tables."""
    core, feed = rates.decode + rates.forward, given.gpu_rate * rates.decode

    def row(what: str, of: Callable[[int], str]) -> tuple[str, ...]:
        return (what, *(of(n) for n in SIZES))

    dear = given.gpu_hour + feed * given.core_hour
    work = [
        row("CPU alone: core-hours", lambda n: f"{n * core / 3600:,.0f}"),
        row(f"... on one machine of {given.cores} cores", lambda n: hours(n * core / given.cores)),
        row(f"... at {given.core_hour:g} $ for a core-hour", lambda n: money(n * core / 3600 * given.core_hour)),
        row(f"one GPU at {given.gpu_rate:,.0f} pictures/s (assumed)", lambda n: hours(n / given.gpu_rate)),
        row(f"{given.gpus} GPUs", lambda n: hours(n / given.gpu_rate / given.gpus)),
        row(f"cores that decode for each GPU: {feed:.0f}; core-hours", lambda n: f"{n * rates.decode / 3600:,.1f}"),
        row(f"... at {given.gpu_hour:g} $ for a GPU-hour, and its cores", lambda n: money(n / given.gpu_rate / 3600 * dear)),
        row(
            f"bytes read, {given.picture_bytes / 1000:g} kB a picture; at {given.disk / 1e9:g} GB/s",
            lambda n: f"{size(n * given.picture_bytes)}; {hours(n * given.picture_bytes / given.disk)}",
        ),
    ]
    kept = [
        *(row(f"vectors, D = {d}, fp16", lambda n, d=d: size(n * d * 2)) for d in (512, 768)),
        row("listing a folder of files: time; memory", lambda n: f"{hours(n * rates.file)}; {size(n * rates.file_bytes)}"),
        row("listing tar shards: time; memory", lambda n: f"{hours(n * rates.member)}; {size(n * rates.member_bytes)}"),
    ]
    return f"{table('Work', work)}\n{table('Room', kept)}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gpu-rate", type=float, default=3000, help="pictures a second of one GPU, forward alone (assumed)")
    parser.add_argument("--gpus", type=int, default=8)
    parser.add_argument("--cores", type=int, default=64)
    parser.add_argument("--gpu-hour", type=float, default=2.0, help="US dollars for one GPU without its cores (assumed)")
    parser.add_argument("--core-hour", type=float, default=0.04, help="US dollars (assumed)")
    parser.add_argument("--picture-bytes", type=float, default=110_000, help="ImageNet's mean (assumed)")
    parser.add_argument("--disk", type=float, default=1e9, help="bytes a second that one machine reads (assumed)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rates = measure(Path(folder))
    print(
        f"Measured, one thread: decode {rates.decode * 1e3:.1f} ms, forward of ViT-B-32 {rates.forward * 1e3:.1f} ms; listing a file "
        f"{rates.file * 1e6:.1f} us and {rates.file_bytes:.0f} bytes, a picture of a tar {rates.member * 1e6:.1f} us and "
        f"{rates.member_bytes:.0f} bytes.\n"
    )
    print(pages(rates, given))


if __name__ == "__main__":
    main()
