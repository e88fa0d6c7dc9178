"""What one classifier wins and loses against another, class by class, and who takes what is lost."""

import numpy as np

from promptlab.analysis.confusion import confusions
from promptlab.types import Changes, ClassChange, Evaluation


def changes(first: Evaluation, second: Evaluation) -> Changes | None:
    """Classes whose accuracy rose and fell from the first to the second on the same images, largest change first; None without labels.

    A class's change is net; its takers are those of the images that the first had right and the second has wrong (collateral).
    """
    labels, before, after = first.outcomes.label, first.outcomes.hit, second.outcomes.hit
    if labels is None or before is None or after is None:
        return None
    lost = before & ~after
    taken = confusions(labels[lost], second.outcomes.winner[lost], len(first.count))
    moved = second.per_class - first.per_class
    found = [
        ClassChange(
            int(c),
            float(first.per_class[c]),
            float(second.per_class[c]),
            int(first.count[c]),
            tuple(sorted((t for t in taken if t.true == c), key=lambda t: -t.count)),
        )
        for c in np.argsort(-np.abs(np.nan_to_num(moved)), kind="stable")
        if np.isfinite(moved[c]) and moved[c] != 0
    ]
    won, fell = (tuple(change for change in found if (change.after > change.before) is up) for up in (True, False))
    return Changes(won, fell, int((after & ~before).sum()), int(lost.sum()))
