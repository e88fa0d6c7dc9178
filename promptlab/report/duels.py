"""Two classifiers side by side."""

from typing import TYPE_CHECKING, Any

from promptlab.analysis.changes import changes
from promptlab.display import many
from promptlab.report import summary
from promptlab.report.judged import class_changes, counted, judged_cells, judged_heads, sentence, worst_sets, worst_size
from promptlab.report.tables import Table, cosine, percent
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
    return f"Second against first: {sentence(d, worst_size(duel.first))}"


def tables_of(duel: "Duel", classes: Classes) -> list[Table]:
    """Both rows, worst sets of every size, then the classes that were won and lost, with who took what was lost."""
    if duel.first.outcomes.label is None:
        few = tuple((name, cosine(e.cmm_top)) for name, e in (("first", duel.first), ("second", duel.second)))
        return [
            Table(f"Without labels, on {many(duel.first.n, 'picture')}", ("classifier", f">cmm-top of worst {worst_size(duel.first)}"), few)
        ]
    rows = tuple((name, *judged_cells(e)) for name, e in (("first", duel.first), ("second", duel.second)))
    note = "Fixed: the worst classes of the first on its own tune half, followed in both."
    whole = Table(f"On {counted(duel.first)}", ("classifier", *judged_heads(duel.first)), rows, note)
    return [whole, *([worst_sets(duel.first, duel.second, duel.difference)] if duel.difference.sizes else []), *_moved(duel, classes)]


def _moved(duel: "Duel", classes: Classes) -> list[Table]:
    found = changes(duel.first, duel.second)
    return [] if found is None else [class_changes(found, classes, MOST, duel.first.precision is None)]


def plain(duel: "Duel", classes: Classes) -> dict[str, Any]:
    """The whole comparison as JSON."""
    found = changes(duel.first, duel.second)
    return {
        "first": summary.evaluation(duel.first, classes),
        "second": summary.evaluation(duel.second, classes),
        "difference": summary.difference(duel.difference),
        "in_sample": duel.in_sample,
        "changes": None if found is None else summary.changed(found, classes),
    }
