"""Pairs of classes that take each other's pictures."""

from collections import Counter

import numpy as np

from promptlab.analysis.confusion import confusions
from promptlab.protocols import Judged
from promptlab.types import Finding

MOST = 12


def swaps(judged: Judged) -> Finding | None:
    """The pairs of classes between which most mistakes lie, whichever way, most first; None without labels or without a mistake.

    One way alone speaks of a class that is too strong, both ways of two that the texts don't tell apart.
    """
    outcomes, titles = judged.after.outcomes, judged.classifier.classes.titles
    if outcomes.label is None:
        return None
    one_way = {(p.true, p.predicted): p.count for p in confusions(outcomes.label, outcomes.winner, len(titles))}
    both = Counter[tuple[int, int]]()
    for (true, predicted), count in one_way.items():
        both[min(true, predicted), max(true, predicted)] += count
    if not both:
        return None
    wrong, pairs = both.total(), sorted(both.items(), key=lambda pair: (-pair[1], pair[0]))
    half = int(np.searchsorted(np.cumsum([count for _, count in pairs]), wrong / 2)) + 1
    rows = [
        (titles[a], titles[b], str(one_way.get((a, b), 0)), str(one_way.get((b, a), 0)), f"{100 * count / wrong:.1f}")
        for (a, b), count in pairs[:MOST]
    ]
    what = "pictures are wrong" if outcomes.picture is None else "right answers are beaten"
    return Finding(
        f"{wrong} of {len(outcomes.label)} {what}; half of the mistakes lie between {half} of {len(pairs)} pairs of classes.",
        ("class", "and class", ">taken by the second", ">taken by the first", ">% of the mistakes"),
        tuple(rows),
        ("Both ways: the texts don't tell the two apart. One way alone: a class is too strong, which --debias may mend.",),
    )
