"""Vectors of pictures, two classes of which fail under their names alone and not with the right words; and a server that knows these."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from faults import Act, Faults, Handler, Received, reply

from promptlab.config import Settings
from promptlab.events import ignore
from promptlab.lab import Lab

NAMES = ("bass", "crane", "cup", "ewer", "lamp", "watch")
WORDS = {
    "bass": ("a green fish on wet grass", "a fish in a net"),
    "crane": ("a tall grey bird in shallow water", "a bird with long legs"),
}
THIEF = {"bass": "lamp", "crane": "watch"}
EACH = 16
FEW = ("--templates", "plain", "--worst", "3")
ALL = ("--templates", "plain", "--worst", "6")
LLM = "some-model"
ASKED = re.compile(r"What does an? (.+?) look like")


def plant(path: Path, each: int = EACH, **arrays: Any) -> Path:
    """Saves the vectors. A picture of a class with words of its own is nearer to another class's name, and nearest to name and words."""
    encoder, rng = Lab(Settings.load({})).encoder("mini"), np.random.default_rng(0)
    said = {name: f"a photo of a {name}, {words[0]}." for name, words in WORDS.items()}
    texts = [*(f"a photo of a {name}." for name in NAMES), *said.values()]
    z = dict(zip([*NAMES, *(f"{name}+" for name in said)], encoder.encode_texts(texts, ignore), strict=True))
    rows = []
    for name in NAMES:
        centre = z[name]
        if name in said:
            beyond = z[f"{name}+"] - z[name] * (z[name] @ z[f"{name}+"])
            centre = 0.3 * z[name] + 0.7 * beyond / np.sqrt(beyond @ beyond) + 0.4 * z[THIEF[name]]
        rows.append(centre + 0.03 * rng.normal(size=(each, centre.size)))
    made = {
        "features": np.concatenate(rows).astype(np.float32),
        "labels": np.repeat(np.arange(len(NAMES)), each),
        "names": np.array(NAMES),
        "keys": np.array([f"{name}/{i}.png" for name in NAMES for i in range(each)]),
        "encoder": np.array("mini"),
    }
    np.savez(path, **{name: array for name, array in {**made, **arrays}.items() if array is not None})
    return path


def phrases(name: str, words: Mapping[str, Sequence[str]] = WORDS) -> str:
    """What a good model says of a class, as JSON."""
    return json.dumps({"phrases": list(words.get(name, (f"kept in a box of {len(name)} sides", "seen from above")))})


def of(received: Received) -> str:
    """The class that a request asks about."""
    return ASKED.findall(received.question)[-1]


def knowing(words: Mapping[str, Sequence[str]] = WORDS, seconds: float = 0.0) -> Act:
    """Answers every question with what is known of its class."""

    def act(handler: Handler, received: Received) -> None:
        reply(phrases(of(received), words), seconds=seconds)(handler, received)

    return act


def each(acts: Mapping[str, Sequence[Act]]) -> Act:
    """Does for the n-th question about a class what its n-th act says, then the last of them; answers well about other classes."""
    asked: Counter[str] = Counter()

    def act(handler: Handler, received: Received) -> None:
        name = of(received)
        mine = acts.get(name, (knowing(),))
        with handler.server.lock:
            n, asked[name] = asked[name], asked[name] + 1
        mine[min(n, len(mine) - 1)](handler, received)

    return act


def whom(server: Faults) -> tuple[str, ...]:
    """The flags that name a server."""
    return ("--llm", LLM, "--base-url", server.url)


def verdicts(summary: Mapping[str, Any]) -> dict[str, str]:
    """{class: its verdict} of a result."""
    return {row["class"]: row["verdict"] for row in summary["enrichment"]["classes"]}
