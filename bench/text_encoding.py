"""Text encoding against open_clip's own zero-shot builder and against bare matrix products, in one process, in alternating rounds.

    python bench/text_encoding.py [--classes 100] [--templates openai-80] [--threads 1] [--rounds 3] [--json]
    python bench/text_encoding.py --sentences 30 [--classes 100]

A ViT-B-32 of the true size with random weights. Both sides tokenize, encode and average; ours also writes its cache. The limit is
the time that this machine needs for the products of all linear layers and of attention, of each distinct beginning once, at the rate of
bare `torch.mm` in the layers' own shapes.

With `--sentences N` each class has N made-up sentences of 14 to 25 tokens that share few beginnings, as language models write them; the
peer is then open_clip's tower, a class at a time, as prompts of that kind are encoded elsewhere, and what ours takes is also told with each
text cut at its own length, without shared beginnings.
"""

import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from rows import Cost, alternate, cost, parser, row, told
from safetensors.torch import save_file
from torch.nn import functional as F

from promptlab.encode.openclip import Loading, OpenClipEncoder
from promptlab.encode.text import encode_grid
from promptlab.encode.tower import PREFIXES_AT_ONCE
from promptlab.events import ignore
from promptlab.prompts.compose import compose
from promptlab.prompts.templates import load
from promptlab.score.ensemble import uniform
from promptlab.store import Cache
from promptlab.types import Array, Classes, PromptGrid

ABOUT = ("small", "large", "grey", "brown", "pale", "dark", "narrow", "broad", "rough", "shiny", "dull", "soft", "round", "flat", "curved")
PARTS = ("body", "legs", "tail", "head", "wings", "handle", "surface", "edges", "wheels", "leaves", "roof", "frame", "base", "neck", "top")
PLACES = ("on a table", "in a garden", "near the water", "under a tree", "by the road", "in a small room", "on a hill", "among rocks")
SAYS = (
    "{A} {name} has {a} {p} with {b} {q} and is often seen {where}.",
    "In a photo, {a} {p} and {b} {q} make the {name} easy to tell from other things {where}.",
    "You can know {an} {name} by its {a} {p}, its {b} {q} and its {c} {r}.",
    "The {name} is {a} and {b}, has {c} {q}, and usually stands {where}.",
    "This picture shows {an} {name} with {a} {p} {where}, and its {q} look {b}.",
)


def sentences(names: list[str], each: int) -> PromptGrid:
    """So many made-up sentences of every class, as one family."""
    say, texts, cell = random.Random(0), [], []
    for c, name in enumerate(names):
        an = "an" if name[0].lower() in "aeiou" else "a"
        for _ in range(each):
            (a, b, d), (p, q, r) = say.sample(ABOUT, 3), say.sample(PARTS, 3)
            words = {"an": an, "A": an.title(), "name": name, "a": a, "b": b, "c": d, "p": p, "q": q, "r": r, "where": say.choice(PLACES)}
            cell.append((0, c, len(texts)))
            texts.append(say.choice(SAYS).format(**words))
    return PromptGrid(Classes.of(names), ("sentences",), tuple(texts), np.array(cell))


def distinct(ids: Array, ends: Array) -> tuple[int, int]:
    """(how many distinct beginnings texts have, how many tokens these look at together)."""
    found = {row[: n + 1].tobytes(): n + 1 for row, end in zip(ids, ends, strict=True) for n in range(end + 1)}
    return len(found), sum(found.values())


def limit(model: Any, ids: Array, ends: Array, rounds: int) -> Cost:
    """What the products alone would take at the rate of torch.mm."""
    nodes, seen = distinct(ids, ends)
    layers, width = len(model.transformer.resblocks), model.positional_embedding.shape[1]
    shapes = [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)]
    packed = PREFIXES_AT_ONCE["cpu"]
    pairs = [(torch.randn(packed, a), torch.randn(b, a)) for a, b in shapes]

    def products() -> None:
        for _ in range(2 * layers):
            for x, w in pairs:
                torch.mm(x, w.T)

    products()
    once, flops = alternate(2 * rounds + 3, {"mm": products})["mm"], 2 * layers * packed * sum(2 * a * b for a, b in shapes)
    wanted = (
        layers * (nodes * sum(2 * a * b for a, b in shapes) + 4 * width * seen) + 2 * len(ends) * width * model.text_projection.shape[1]
    )
    return Cost(*(side * wanted / flops for side in once))


def by_class(model: Any, tokenizer: Any, grid: PromptGrid) -> Array:
    """(C, D) the mean vector of each class's texts, each padded, a class at a time."""
    rows = []
    with torch.inference_mode():
        for c in range(len(grid.classes)):
            some = [grid.texts[p] for _, of, p in grid.cell if of == c]
            rows.append(F.normalize(F.normalize(model.encode_text(tokenizer(some)), dim=-1).mean(0), dim=-1))
    return torch.stack(rows).numpy()


class World:
    """A model of the true size, and both ways to a classifier."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(0)
        weights = folder / "weights.safetensors"
        save_file(open_clip.create_model("ViT-B-32").state_dict(), weights)
        self.folder, self.count = folder, 0
        self.encoder = OpenClipEncoder(f"ViT-B-32,{weights}", Cache(folder / "cache"), Loading())
        self.model, _, self.tokenizer, self.tower = self.encoder._loaded

    def ours(self, grid: PromptGrid, shares: bool = True) -> Array:
        """(C, D) with an empty cache."""
        self.count += 1
        self.tower.shares = shares
        return uniform(encode_grid(grid, self.encoder, Cache(self.folder / f"cache{self.count}"), ignore)[0]).weight

    def limit(self, grid: PromptGrid, rounds: int) -> Cost:
        """What the products alone would take."""
        ids = self.tokenizer(list(grid.texts))
        return limit(self.model, ids.numpy(), self.tower.ends(ids).numpy(), rounds)


def kept(results: dict[str, Array], name: str, work: Callable[[], Array]) -> Callable[[], None]:
    """The work, whose result is kept by its name."""
    return lambda: results.__setitem__(name, work())


def compared(
    world: World, what: str, grid: PromptGrid, theirs: tuple[str, Callable[[], Array]], given: Any, note: str = ""
) -> dict[str, Any]:
    """One row: both sides in alternating rounds, and the limit."""
    found: dict[str, Array] = {}
    works = {"ours": kept(found, "ours", lambda: world.ours(grid)), "theirs": kept(found, "theirs", theirs[1])}
    costs = alternate(given.rounds, works)
    return row(
        what,
        costs["ours"],
        threads=given.threads,
        rounds=given.rounds,
        peer=(theirs[0], costs["theirs"]),
        limit=("bare matmul", world.limit(grid, given.rounds)),
        difference=float(np.abs(found["ours"] - found["theirs"]).max()),
        note=note,
    )


def main() -> int:
    """Measure and print; 1 where the classifiers differ by more than 1e-6."""
    arguments = parser(__doc__)
    arguments.add_argument("--classes", type=int, default=100)
    arguments.add_argument("--templates", default="openai-80")
    arguments.add_argument("--sentences", type=int, default=0, help="so many made-up sentences a class, instead of templates")
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    names = list(open_clip.IMAGENET_CLASSNAMES[: given.classes])
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        if given.sentences:
            grid = sentences(names, given.sentences)
            lengths = (world.tower.ends(world.tokenizer(list(grid.texts))) + 1).tolist()
            apart = cost(lambda: world.ours(grid, shares=False)).cpu / cost(lambda: world.ours(grid)).cpu
            note = f"{min(lengths)} to {max(lengths)} tokens; without shared beginnings {apart:.2f} times ours"
            theirs = ("open_clip, a class at a time", lambda: by_class(world.model, world.tokenizer, grid))
            found = compared(world, f"Sentences: {given.classes} classes x {given.sentences}, ViT-B-32", grid, theirs, given, note)
        else:
            templates = load([given.templates])
            formats = [t.name for t in templates]
            build = open_clip.build_zero_shot_classifier
            theirs = ("open_clip's builder", lambda: build(world.model, world.tokenizer, names, formats).T.numpy())
            what = f"Templates: {given.classes} classes x {len(templates)}, ViT-B-32"
            found = compared(world, what, compose(Classes.of(names), templates), theirs, given)
    told([found], given.as_json)
    return int(found["difference"] > 1e-6)


if __name__ == "__main__":
    sys.exit(main())
