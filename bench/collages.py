"""Pictures that show two classes, made of pictures that show one: a small data set with several right answers.

    python bench/collages.py PHOTOS FOLDER [--seed 0] [--side 224]

Each picture of PHOTOS, data that promptlab reads, becomes the left or the right half of one collage, beside one of another class; no
picture is used twice, so that collages know nothing of each other. After every tenth comes one of noise, which shows no class. Writes
FOLDER/*.png and FOLDER/collages.csv, which `promptlab run` reads.
"""

import argparse
import csv
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from promptlab.lab import Lab
from promptlab.types import Array, Features


def pairs(labels: Array, seed: int) -> list[tuple[int, int]]:
    """Pictures two by two, each once, of two classes each; a few may be left over."""
    rng = np.random.default_rng(seed)
    left = [int(i) for i in rng.permutation(len(labels))]
    made = []
    while left:
        first = left.pop()
        other = next((i for i in reversed(left) if labels[i] != labels[first]), None)
        if other is not None:
            left.remove(other)
            made.append((first, other))
    return made


def beside(first: bytes, second: bytes, side: int) -> Image.Image:
    """Two pictures side by side, each cut to half of a square: models cut off what is wider."""
    whole = Image.new("RGB", (side, side))
    for n, data in enumerate((first, second)):
        half = ImageOps.fit(Image.open(io.BytesIO(data)).convert("RGB"), (side // 2, side))
        whole.paste(half, (n * (side // 2), 0))
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", type=int, default=224)
    given = parser.parse_args()
    dataset = Lab().open(given.photos)
    images = next(iter(dataset.splits.values()))
    if isinstance(images, Features) or images.labels is None:
        raise SystemExit("Pictures with labels are needed.")
    given.folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(given.seed)
    with open(given.folder / "collages.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "labels"))
        for n, (first, second) in enumerate(pairs(images.labels, given.seed)):
            name = f"{n:04d}.png"
            beside(images.read(first), images.read(second), given.side).save(given.folder / name)
            rows.writerow((name, "|".join(dataset.classes.titles[images.labels[i]] for i in (first, second))))
            if n % 10 == 9:
                noise = rng.integers(0, 256, (given.side, given.side, 3), np.uint8)
                Image.fromarray(noise).save(given.folder / f"{n:04d}-none.png")
                rows.writerow((f"{n:04d}-none.png", ""))
    print(f"{n + 1} collages in {given.folder}")


if __name__ == "__main__":
    main()
