"""Two classifiers side by side."""

from typing import TYPE_CHECKING, Any

import numpy as np

from promptlab.display import many, safe
from promptlab.report import summary
from promptlab.report.tables import Table, change, judged_cells, judged_heads, mcnemar, percent, signed, worst_size
from promptlab.types import Classes

if TYPE_CHECKING:
    from promptlab.loops.judge import Duel

MOST = 10


def verdict(duel: "Duel") -> str:
    """What the difference comes to, in plain words."""
    d = duel.difference
    if duel.in_sample:
        return "No verdict: the second classifier was tuned on pictures that both are judged on here (another seed, or --transductive)."
    if d.accuracy is None:
        return f"{percent(d.changed)} % of the predictions differ. Which are better, only labels can say."
    k = worst_size(duel.first)
    parts = [change("accuracy", d.accuracy, d.interval), change(f"fixed worst-{k}", d.worst, d.worst_interval)]
    return f"Second against first: {'; '.join(parts)}. {mcnemar(d)}"


def tables_of(duel: "Duel", classes: Classes) -> list[Table]:
    """Both rows, then the classes that were won and lost."""
    rows = tuple((name, *judged_cells(e)) for name, e in (("first", duel.first), ("second", duel.second)))
    note = "Fixed: the worst classes of the first on its own tune half, followed in both."
    whole = Table(f"On {many(duel.first.n, 'picture')}", ("classifier", *judged_heads(duel.first)), rows, note)
    moved = duel.second.per_class - duel.first.per_class
    order = np.argsort(-np.abs(np.nan_to_num(moved)), kind="stable")
    changed = [c for c in order if np.isfinite(moved[c]) and moved[c] != 0]
    lines = tuple(
        (safe(classes.titles[c]), percent(duel.first.per_class[c]), percent(duel.second.per_class[c]), signed(moved[c]))
        for c in changed[:MOST]
    )
    won, lost = sum(moved[c] > 0 for c in changed), sum(moved[c] < 0 for c in changed)
    title = f"Classes: {won} won, {lost} lost" + (f"; the {MOST} that moved most" if len(changed) > MOST else "")
    return [whole, Table(title, ("class", ">first %", ">second %", ">change"), lines)]


def plain(duel: "Duel", classes: Classes) -> dict[str, Any]:
    """The whole comparison as JSON."""
    moved = duel.second.per_class - duel.first.per_class
    return {
        "first": summary.evaluation(duel.first, classes),
        "second": summary.evaluation(duel.second, classes),
        "difference": summary.difference(duel.difference),
        "in_sample": duel.in_sample,
        "classes": {title: float(v) for title, v in zip(classes.titles, moved, strict=True) if np.isfinite(v) and v != 0},
    }
