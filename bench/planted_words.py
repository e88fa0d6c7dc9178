"""Planted words: how much of what helps the keep step keeps, how much of what harms, and what becomes of pictures that nobody chose on.

    python bench/planted_words.py [--seeds 20] [--margins-alone]

The world is that of `tests/loops/planted_words.py`: 20 classes in pairs with ambiguous names; of a quarter each two phrases resolve the
name, speak of the other meaning, speak of a class of another pair, or say nothing. `own` is how much of a name is its own meaning: 0.5
is neither. Prints a line for each, with labels and without: how many of each kind are kept, accuracy before, after, and if everything
were kept, and in how many worlds it falls. --margins-alone leaves out that, without labels, words must fit the pictures of their class.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from promptlab.loops.enrich import better, whatever
from promptlab.score.swaps import Swaps

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from loops.planted_words import KINDS, judged, words

OWN = (0.5, 0.525, 0.55, 0.6, 0.7)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--margins-alone", action="store_true")
    given = parser.parse_args()
    if given.margins_alone:
        Swaps.on_held = lambda *_: None  # type: ignore[method-assign]
    heads = "".join(f"{kind:>15}" for kind in KINDS)
    print(f"{'labels':8}{'own':>6}{heads}{'before':>9}{'after':>8}{'all':>7}{'worse in':>10}")
    for labelled in (True, False):
        for own in OWN:
            found = [judged(words(seed, labelled=labelled, own=own), better, whatever) for seed in range(given.seeds)]
            kept = [f"{sum(one.kept[kind] for one in found)} of {sum(one.tried[kind] for one in found)}" for kind in KINDS]
            figures = [(one.before, one.after, one.everything) for one in found]
            before, after, everything = 100 * np.mean(figures, 0)
            told = f"{before:9.1f}{after:8.1f}{everything:7.1f}{sum(one.after < one.before for one in found):10}"
            print(f"{'true' if labelled else 'none':8}{own:6}{''.join(f'{one:>15}' for one in kept)}{told}", flush=True)


if __name__ == "__main__":
    main()
