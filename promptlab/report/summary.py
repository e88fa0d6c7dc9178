"""The result as one JSON object, the one that `promptlab run --json` prints."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from promptlab.analysis.confusion import confusions, takers
from promptlab.report.run import data
from promptlab.score.intervals import clopper_pearson
from promptlab.types import (
    Changes,
    Check,
    ClassChange,
    Classes,
    Difference,
    Evaluation,
    Guess,
    Interval,
    Material,
    Precision,
    Scoreboard,
    TextScores,
    WorstSet,
)

if TYPE_CHECKING:
    from promptlab.loops.run import Outcome


MOST_WRONG = 6  # pictures kept of each of the worst classes


def interval(value: Interval | None) -> list[float] | None:
    """[low, high], or None."""
    return None if value is None else [value.low, value.high]


def evaluation(e: Evaluation, classes: Classes) -> dict[str, Any]:
    """Accuracy, intervals and worst sets of one classifier."""
    return {
        "split": e.split,
        "n": e.n,
        "right_answers": None if e.precision is None else int(e.count.sum()),
        "average_precision": None if e.precision is None else precision(e.precision),
        "accuracy": e.accuracy,
        "interval": interval(e.interval),
        "mean": e.mean,
        "zeros": e.zeros,
        "worst": {
            "k": e.worst.k,
            "repicked": e.worst.repicked,
            "fixed": e.worst.fixed,
            "fixed_interval": interval(e.worst.fixed_interval),
            "fixed_classes": [classes.titles[c] for c in e.worst.fixed_classes],
        },
        "worst_sizes": [worst_set(w) for w in e.sizes],
        "cmm_top": e.cmm_top,
    }


def precision(p: Precision) -> dict[str, Any]:
    """Average precision: its mean over classes (mAP), the fixed worst classes, the k lowest."""
    worst = {"fixed": p.fixed, "fixed_interval": interval(p.fixed_interval), "repicked": p.repicked}
    return {"mean": p.mean, "interval": interval(p.interval), **worst}


def confused(e: Evaluation, classes: Classes) -> list[dict[str, Any]]:
    """Every pair of classes of which the second takes pictures of the first, highest share first; empty without labels."""
    pairs = [] if e.outcomes.label is None else confusions(e.outcomes.label, e.outcomes.winner, len(classes))
    titles = classes.titles
    return [{"true": titles[p.true], "predicted": titles[p.predicted], "count": p.count, "rate": p.rate} for p in pairs]


def worst_set(w: WorstSet) -> dict[str, Any]:
    """One worst set, without its classes."""
    return {"k": w.k, "repicked": w.repicked, "fixed": w.fixed, "fixed_interval": interval(w.fixed_interval)}


def judged(e: Evaluation, classes: Classes) -> dict[str, Any]:
    """One classifier on data that need not be its own: its worst classes are picked there, so nothing is fixed."""
    worst = {"k": e.worst.k, "repicked": e.worst.repicked, "classes": [classes.titles[c] for c in e.worst.fixed_classes]}
    return {**evaluation(e, classes), "worst": worst, "confusions": confused(e, classes)}


def difference(d: Difference) -> dict[str, Any]:
    """The paired difference of two classifiers."""
    return {
        "accuracy": d.accuracy,
        "interval": interval(d.interval),
        "worst": d.worst,
        "worst_interval": interval(d.worst_interval),
        "worst_sizes": [{"k": k, "difference": x, "interval": interval(span)} for k, x, span in d.sizes],
        "mcnemar_p": d.mcnemar_p,
        "changed": d.changed,
        "average_precision": d.precision,
        "average_precision_interval": interval(d.precision_interval),
    }


def class_rows(outcome: "Outcome", material: Material) -> list[dict[str, Any]]:
    """One object per class: pictures, before and after with intervals, rivals; for the worst classes the pictures that are most wrong."""
    classes, before, after = material.dataset.classes, outcome.baseline.evaluation, outcome.result.evaluation
    labels, worst, rows = after.outcomes.label, set(before.worst.fixed_classes), list[dict[str, Any]]()
    for c, title in enumerate(classes.titles):
        row: dict[str, Any] = {"class": title, "id": classes.ids[c], "pictures": int(before.count[c])}
        if labels is not None and before.count[c]:
            row |= {"before": float(before.per_class[c]), "before_interval": _of_class(before, c)}
            row |= {"after": float(after.per_class[c]), "after_interval": _of_class(after, c), "margin": float(after.margin[c])}
            if before.precision is not None and after.precision is not None:
                ranked = {"before": before.precision, "after": after.precision}
                row["average_precision"] = {when: float(p.per_class[c]) for when, p in ranked.items()}
            found = [{"class": classes.titles[t.predicted], "takes": t.count} for t in takers(labels, after.outcomes.winner, c)]
            row |= {"rivals": found} if found else {}
        if labels is None:
            row |= {"cmm_top_before": float(before.margin[c]), "cmm_top_after": float(after.margin[c])}
            row |= {"gets": int((after.outcomes.winner == c).sum())}
        if c in worst:
            row |= {"worst": before.worst.fixed_classes.index(c) + 1, "wrong": _wrong(after, c, material)}
        rows.append(row)
    return rows


def _of_class(e: Evaluation, c: int) -> list[float]:
    n = int(e.count[c])
    found = clopper_pearson(round(float(e.per_class[c]) * n), n)
    return [found.low, found.high]


def _wrong(e: Evaluation, c: int, material: Material) -> list[dict[str, Any]]:
    """The pictures of class c that are most wrong, worst margin first; none without labels."""
    if e.outcomes.label is None:
        return []
    mine = np.flatnonzero((e.outcomes.label == c) & (e.outcomes.winner != c))
    order = mine[np.argsort(e.outcomes.margin[mine], kind="stable")][:MOST_WRONG]
    keys, titles = material.judged.keys, material.dataset.classes.titles
    return [{"picture": keys[i], "taken_by": titles[e.outcomes.winner[i]], "margin": float(e.outcomes.margin[i])} for i in order]


def changed_share(first: Evaluation, second: Evaluation) -> float:
    """Share of images whose prediction differs."""
    return float((first.outcomes.winner != second.outcomes.winner).mean())


def changed(found: Changes, classes: Classes) -> dict[str, Any]:
    """Classes won and lost, and who takes what is lost."""
    titles = classes.titles

    def plain(change: ClassChange) -> dict[str, Any]:
        taken = [{"class": titles[t.predicted], "takes": t.count} for t in change.taken]
        about = {"class": titles[change.class_index], "pictures": change.images}
        return {**about, "before": change.before, "after": change.after, "taken": taken}

    sides = {"won": [plain(c) for c in found.won], "lost": [plain(c) for c in found.lost]}
    return {**sides, "gained_pictures": found.gained_images, "lost_pictures": found.lost_images}


def result(
    outcome: "Outcome", material: Material, health: Sequence[Check], *, run: str, lead: Sequence[str], seconds: dict[str, float]
) -> dict[str, Any]:
    """The whole result. Shares are fractions; margins are cosines; what labels would be needed for is null without them."""
    classes = material.dataset.classes
    return {
        "run": run,
        "lead": list(lead),
        "data": data(material),
        "method": {
            "tried": outcome.tried.name,
            "kept": outcome.kept,
            "labels": outcome.board.labels,
            "families": len(outcome.weights.w),
            "per_class": outcome.weights.w.ndim == 2,
            "rule": outcome.board.rule,
            "by": outcome.board.by,
        },
        "one_template": None if outcome.single is None else evaluation(outcome.single.evaluation, classes),
        "baseline": evaluation(outcome.baseline.evaluation, classes),
        "tried": evaluation(outcome.tried.evaluation, classes),
        "result": evaluation(outcome.result.evaluation, classes),
        "difference": difference(outcome.difference),
        "changed": {
            name: changed_share(outcome.baseline.evaluation, row.evaluation)
            for name, row in (("one_template", outcome.single), ("baseline", outcome.baseline), ("tried", outcome.tried))
            if row is not None
        },
        "families": [
            {
                "name": name,
                "weight": float(w),
                "score": float(s),
                **({} if outcome.accuracy is None else {"accuracy": float(outcome.accuracy.value[k])}),
            }
            for k, (name, w, s) in enumerate(zip(outcome.weights.families, outcome.weights.overall, outcome.board.value, strict=True))
        ],
        "changes": None if outcome.changes is None else changed(outcome.changes, classes),
        "ranking": [
            {"rule": r.rule, "labels": r.labels, "spearman": None if np.isnan(r.spearman) else r.spearman, "found": r.found, "k": r.k}
            for r in outcome.ranking
        ],
        "health": [{"name": check.name, "text": check.text} for check in health],
        "seconds": seconds,
        "encoded": dict(material.encoded),
    }


def board(made: Scoreboard, classes: Classes) -> dict[str, Any]:
    """One scoreboard; undefined values are null."""
    plain = [[None if np.isnan(v) else float(v) for v in row] for row in made.per_class]
    value = [None if np.isnan(v) else float(v) for v in made.value]
    about = {"rule": made.rule, "by": made.by, "labels": made.labels, "families": list(made.families), "classes": list(classes.titles)}
    return {**about, "value": value, "per_class": plain, "count": made.count.tolist(), "ties": made.ties.tolist()}


def guesses(found: Sequence[Guess], what: str = "class") -> list[dict[str, Any]]:
    """One object per picture; what: how it calls that which was chosen from."""
    return [
        {"picture": g.key, "error": g.fault}
        if g.fault
        else {"picture": g.key, "top": [{what: n, "share": p} for n, p in g.top], "margin": g.margin}
        for g in found
    ]


def texts(found: TextScores, material: Material) -> list[dict[str, Any]]:
    """One object per text of a class."""
    grid = material.bank.grid
    return [
        {"family": grid.families[k], "text": grid.texts[p], "cmm": float(m), "accuracy": float(a)}
        for k, p, m, a in zip(found.families, found.texts, found.cmm, found.accuracy, strict=True)
    ]
