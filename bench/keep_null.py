"""Random phrases as descriptions: how often the keep step lets one through, and what they seem to bring on tune and bring on eval.

    python bench/keep_null.py [DATA ...] [--seeds 20] [--templates general] [--phrases FILE.json] [--without-labels]

Every seed halves the pictures anew and draws two phrases of four to seven plain words for each of the 20 worst classes (10 of fewer than 50
classes), tried inside and in place of the name. Beside the keep step as it is: the published criterion (the mean margin of all classes
rises at all), its 95 % interval alone, and the 95 % interval of the mean accuracy alone. --phrases: a JSON object {class: [phrases]} of
real ones in their stead. Default data: everyday.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from promptlab.config import Settings
from promptlab.describing import BAR_TEXTS, BARS
from promptlab.events import ignore
from promptlab.lab import Lab
from promptlab.loops import enrich, run
from promptlab.prompts import templates
from promptlab.prompts.babble import Babble
from promptlab.score.ensemble import build
from promptlab.score.evaluate import evaluate
from promptlab.score.evidence import Evidence
from promptlab.score.weighting import find
from promptlab.types import Description, Features, Form, Place

LENGTHS = ("one two three four", "one two three four five", "one two three four five six", "one two three four five six seven")


def best(good: Callable[[enrich.Trial], bool]) -> enrich.Ask:
    """The keep step with another criterion."""
    return lambda trials: max(filter(good, trials), key=lambda t: t.change.value, default=None)


CRITERIA = {
    "published": best(lambda t: t.change.value > 0),
    "interval of margins": best(lambda t: t.change.interval.low > 0),
    "interval of accuracy": best(lambda t: t.change.accuracy_interval is not None and t.change.accuracy_interval.low > 0),
    "as it is": enrich.better,
}


def one_seed(where: str, seed: int, phrases: dict[str, list[str]] | None, labelled: bool, template_set: str) -> dict[str, dict[str, float]]:
    """{criterion: figures} of one halving."""
    lab = Lab(Settings.load({"seed": seed, "templates": (template_set,)}), ignore)
    dataset, said = lab.open(where), templates.load((template_set,))
    material, choice = lab.prepare(dataset), lab.choice(dataset)
    weights, _ = find(choice.how, Evidence(material.tune, material.bank, lab.rules, lab.device, ignore))
    before, classes = run.make(material.tune, material.bank, weights, choice), dataset.classes
    tune = material.tune if labelled else replace(material.tune, labels=None)
    order = evaluate(before, tune, lab.rules, fixed=None, k=None, seed=seed, device=lab.device).order[: 20 if len(classes) > 50 else 10]
    encoder, rng = lab.encoder(material.model), np.random.default_rng(seed)

    def words(c: int) -> list[str]:
        if phrases is not None:
            return phrases[classes.titles[c]][:2]
        return [Babble(int(rng.integers(2**31)), encoder.tokens)(n, str(rng.choice(LENGTHS))) for n in range(2)]

    def bundle(c: int, place: Place, texts: Sequence[str]) -> tuple[Description, ...]:
        return tuple(Description(classes.ids[c], text, Form.PHRASE, place, True) for text in texts)

    bars = [] if labelled else [Babble(10_000 + 100 * seed + n, encoder.tokens) for n in range(BARS)]
    bundles = {}
    for c in order:
        texts = words(c)
        lower = [[bar(n, text) for n, text in enumerate(texts[:BAR_TEXTS])] for bar in bars]
        bundles[c] = [enrich.Bundle(bundle(c, p, texts), tuple(bundle(c, p, low) for low in lower)) for p in (Place.INSIDE, Place.REPLACE)]

    def rows(those: Sequence[Description]) -> Any:
        return build(lab.texts(classes, said, encoder, those)[0], weights.w, choice.how.combine).weight

    shares = {part.split: _means(part, before.weight) for part in (material.tune, material.judged)}
    found = {}
    for name, choose in CRITERIA.items():
        made = enrich.enrich(tune, order, (), {}, bundles, {}, rows, choose)
        kept = [trial for trial in made.trials if trial.kept]
        after = rows(made.settled)
        gain = {s: float(np.nanmean(_means(p, after) - shares[s])) for s, p in (("tune", material.tune), ("eval", material.judged))}
        mine = [trial.class_index for trial in kept]
        own = {
            s: float(np.nanmean((_means(p, after) - shares[s])[mine])) if mine else 0.0
            for s, p in (("tune", material.tune), ("eval", material.judged))
        }
        found[name] = {
            "tried": len(order),
            "kept": len(kept),
            **{f"{s} gain": g for s, g in gain.items()},
            **{f"{s} of kept": g for s, g in own.items()},
        }
    return found


def _means(part: Features, rows: Any) -> Any:
    """(C,) accuracy of each class."""
    winner = (np.asarray(part.x[:], np.float32) @ rows.T).argmax(1)
    return np.array([np.mean(winner[part.labels == c] == c) if (part.labels == c).any() else np.nan for c in range(len(rows))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", default=["everyday"])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--templates", default="general")
    parser.add_argument("--phrases", type=Path)
    parser.add_argument("--without-labels", action="store_true")
    given = parser.parse_args()
    phrases = json.loads(given.phrases.read_text("utf-8")) if given.phrases else None
    for where in given.data:
        per_seed = [one_seed(where, seed, phrases, not given.without_labels, given.templates) for seed in range(given.seeds)]
        for name in per_seed[0]:
            print(f"{Path(where).name:10} {told(name, [one[name] for one in per_seed])}", flush=True)


def told(name: str, seeds: Sequence[dict[str, float]]) -> str:
    """One line over all halvings."""
    kept, tried = (sum(one[key] for one in seeds) for key in ("kept", "tried"))
    gain = {s: 100 * float(np.mean([one[f"{s} gain"] for one in seeds])) for s in ("tune", "eval")}
    of = {s: 100 * sum(one[f"{s} of kept"] * one["kept"] for one in seeds) / max(kept, 1) for s in ("tune", "eval")}
    return (
        f"{name:20} kept {kept:.0f} of {tried:.0f} classes ({100 * kept / tried:.1f} %); mean accuracy {gain['tune']:+.2f} points on tune, "
        f"{gain['eval']:+.2f} on eval; of the kept classes {of['tune']:+.1f} on tune, {of['eval']:+.1f} on eval"
    )


if __name__ == "__main__":
    main()
