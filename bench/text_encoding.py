"""CPU time of text encoding against open_clip's own zero-shot builder, in one process, one thread.

    python bench/text_encoding.py [--classes 40] [--templates openai-80]

A ViT-B-32 of the true size with random weights. Both sides tokenize, encode and average; ours also writes its cache. Prints the CPU
seconds of both, their ratio, and the largest difference between the two classifiers.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file

from promptlab.encode.openclip import Loading, OpenClipEncoder
from promptlab.encode.text import encode_grid
from promptlab.events import ignore
from promptlab.prompts.compose import compose
from promptlab.prompts.templates import load
from promptlab.score.ensemble import uniform
from promptlab.store import Cache
from promptlab.types import Classes


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """(result, CPU seconds)."""
    began = time.process_time()
    return work(), time.process_time() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--classes", type=int, default=40)
    parser.add_argument("--templates", default="openai-80")
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    names = list(open_clip.IMAGENET_CLASSNAMES[: given.classes])
    templates = load([given.templates])
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.safetensors"
        save_file(open_clip.create_model("ViT-B-32").state_dict(), weights)
        encoder = OpenClipEncoder(f"ViT-B-32,{weights}", Cache(Path(folder) / "cache"), Loading())
        model, _, tokenizer, tower = encoder._loaded
        grid = compose(Classes.of(names), templates)
        (bank, new), ours = timed(lambda: encode_grid(grid, encoder, Cache(Path(folder) / "cache"), ignore))
        formats = [t.name for t in templates]
        theirs_weight, theirs = timed(lambda: open_clip.build_zero_shot_classifier(model, tokenizer, names, formats))
        difference = abs(uniform(bank).weight - theirs_weight.T.numpy()).max()
    print(f"{new} distinct texts, each at its own length: {tower.cut}, beginnings shared: {tower.shares}")
    print(
        f"open_clip {theirs:.1f} s, promptlab {ours:.1f} s of CPU time: {theirs / ours:.1f} times less; largest difference {difference:.1e}"
    )


if __name__ == "__main__":
    main()
