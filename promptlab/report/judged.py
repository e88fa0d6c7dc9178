"""How classifiers do, before and after, in sentences and tables. Where pictures may show several classes, accuracy is recall, and average
precision comes first."""

from typing import TYPE_CHECKING

from promptlab.analysis.confusion import takers
from promptlab.display import many, safe
from promptlab.report.tables import Table, cosine, percent, signed, span, with_interval
from promptlab.types import Changes, Classes, Difference, Evaluation, Interval

if TYPE_CHECKING:
    from promptlab.loops.run import Outcome, Row


def headline(outcome: "Outcome", in_sample: bool) -> Table:
    """Before and after, on the eval half."""
    rows = [row for row in (outcome.single, outcome.baseline) if row is not None]
    if outcome.tried.name != "uniform":
        rows.append(outcome.tried)
    evaluation, k = outcome.baseline.evaluation, outcome.baseline.evaluation.worst.k
    where = f"{counted(evaluation)}, " + (
        "in-sample: tuned and judged on the same pictures" if in_sample else "the half that nothing was tuned on"
    )
    if evaluation.accuracy is None:
        few = tuple((_name(row, outcome), cosine(row.evaluation.cmm_top), percent(_changed(outcome.baseline, row))) for row in rows)
        return Table(f"Without labels, on {where}", ("classifier", f">cmm-top of worst {k}", ">predictions changed %"), few)
    cells = tuple((_name(row, outcome), *judged_cells(row.evaluation)) for row in rows)
    heads = ("classifier", *judged_heads(evaluation))
    note = (
        "Mean: over classes. At 0: classes of which no picture is right. Fixed: the baseline's worst classes on tune, followed here. "
        "Re-picked: each row's own worst here, which is biased low. Brackets: 95 % intervals"
    )
    more = "." if evaluation.precision is None else f"; whole pictures are resampled. {SEVERAL}"
    return Table(f"Before and after, on {where}", heads, cells, note + more)


SEVERAL = (
    "mAP: mean over classes of average precision, over all pictures. Recall: share of right answers that beat every class that their "
    "picture does not show."
)


def counted(e: Evaluation) -> str:
    """`12 pictures`, and how many right answers these have where they may have several."""
    return many(e.n, "picture") + ("" if e.precision is None else f" with {many(int(e.count.sum()), 'right answer')}")


def share(e: Evaluation) -> str:
    """What the share of right answers is called."""
    return "accuracy" if e.precision is None else "recall"


def counts(e: Evaluation) -> str:
    """What is counted of each class."""
    return "pictures" if e.precision is None else "right answers"


def judged_heads(e: Evaluation) -> tuple[str, ...]:
    """Heads over `judged_cells`."""
    k = worst_size(e)
    first, last = ((">mAP %",), (f">AP of fixed {k} %", ">re-picked AP")) if e.precision is not None else ((), ())
    return (*first, f">{share(e)} %", ">mean %", ">at 0", f">fixed worst-{k} %", ">re-picked", *last)


def worst_size(e: Evaluation) -> int:
    """How many classes the worst set really has: no more than have pictures."""
    return min(e.worst.k, int((e.count > 0).sum())) if e.accuracy is not None else e.worst.k


def judged_cells(e: Evaluation) -> tuple[str, ...]:
    """How one classifier does, with intervals."""
    fixed, p = with_interval(e.worst.fixed, e.worst.fixed_interval), e.precision
    return (
        *(() if p is None else (with_interval(p.mean, p.interval),)),
        with_interval(e.accuracy, e.interval),
        percent(e.mean),
        "-" if e.zeros is None else str(e.zeros),
        fixed,
        percent(e.worst.repicked),
        *(() if p is None else (with_interval(p.fixed, p.fixed_interval), percent(p.repicked))),
    )


def judged(e: Evaluation) -> Table:
    """How one classifier does on data that need not be its own."""
    if e.accuracy is None:
        return Table(
            f"Without labels, on {many(e.n, 'picture')}", ("", f">cmm-top of worst {e.worst.k}"), (("classifier", cosine(e.cmm_top)),)
        )
    k, p = worst_size(e), e.precision
    cells: tuple[str, ...] = (with_interval(e.accuracy, e.interval), percent(e.mean), str(e.zeros), percent(e.worst.repicked))
    heads: tuple[str, ...] = (f">{share(e)} %", ">mean %", ">at 0", f">worst-{k} %")
    if p is not None:
        cells = (with_interval(p.mean, p.interval), *cells, percent(p.repicked))
        heads = (">mAP %", *heads, f">worst-{k} AP %")
    return Table(f"On {counted(e)}", ("", *heads), (("classifier", *cells),), "" if p is None else SEVERAL)


def worst_of(e: Evaluation, classes: Classes) -> Table:
    """The worst classes of one evaluation."""
    rows = tuple(
        (
            safe(classes.titles[c]),
            str(e.count[c]),
            *(() if e.precision is None else (percent(e.precision.per_class[c]),)),
            percent(e.per_class[c]),
            cosine(e.margin[c]),
            rivals(e, c, classes),
        )
        for c in e.worst.fixed_classes
    )
    first = () if e.precision is None else (">AP %",)
    return Table("Worst classes", ("class", f">{counts(e)}", *first, f">{share(e)} %", ">margin", "taken by"), rows)


def _name(row: "Row", outcome: "Outcome") -> str:
    if row is outcome.tried and outcome.tried.name != "uniform":
        return row.name + ("" if outcome.kept else " (tried)")
    return row.name


def _changed(baseline: "Row", row: "Row") -> float:
    return float((baseline.evaluation.outcomes.winner != row.evaluation.outcomes.winner).mean())


def verdict(outcome: "Outcome") -> str:
    """What the difference comes to, in plain words."""
    if outcome.tried.name == "uniform":
        return "The result is the baseline: uniform weights, nothing changed."
    if outcome.same:
        return f"{outcome.tried.name} makes the same classifier as the baseline: nothing changed."
    if not outcome.kept:
        return f"{outcome.tried.name} does not beat the baseline on tune, so the baseline is kept."
    d = outcome.difference
    if d.accuracy is None:
        return f"{percent(d.changed)} % of the predictions changed. Whether for the better, only labels can say."
    k = worst_size(outcome.baseline.evaluation)
    return sentence(d, k)


def sentence(d: Difference, k: int) -> str:
    """What a paired difference comes to; k: classes of the worst set."""
    first = [] if d.precision is None else [change("mAP", d.precision, d.precision_interval)]
    all_of_them = change("accuracy" if d.precision is None else "recall", d.accuracy, d.interval)
    said = f"{'; '.join([*first, all_of_them, change(f'fixed worst-{k}', d.worst, d.worst_interval)])}."
    return said if d.mcnemar_p is None else f"{said} {mcnemar(d)}"


def mcnemar(d: Difference) -> str:
    """The exact McNemar p, and a word where it and the interval of accuracy disagree."""
    assert d.mcnemar_p is not None
    doubt = " The two disagree: take it as unclear." if d.interval and d.interval.clear and d.mcnemar_p > 0.05 else ""
    return f"McNemar p = {d.mcnemar_p:.2g}.{doubt}"


def change(what: str, x: float | None, interval: Interval | None) -> str:
    """`accuracy better: +2.3 points [+0.8, +3.9]`, or that there is no clear change."""
    if x is None or interval is None:
        return f"{what}: unknown"
    said = f"{signed(x)} points {span(interval, sign=True)}"
    if interval.clear:
        return f"{what} {'better' if x > 0 else 'worse'}: {said}"
    return f"{what}: no clear change, {said}"


def worst_classes(outcome: "Outcome", classes: Classes) -> Table:
    """The fixed worst classes: before, after, and who takes their pictures from the result."""
    before, after = outcome.baseline.evaluation, outcome.result.evaluation
    labels, rows = after.outcomes.label, list[tuple[str, ...]]()
    for c in before.worst.fixed_classes:
        taker = rivals(after, c, classes)
        if labels is None:
            rows.append(
                (
                    safe(classes.titles[c]),
                    cosine(before.margin[c]),
                    cosine(after.margin[c]),
                    str(int((after.outcomes.winner == c).sum())),
                )
            )
        else:
            rows.append((safe(classes.titles[c]), str(before.count[c]), percent(before.per_class[c]), percent(after.per_class[c]), taker))
    if labels is None:
        return Table("Worst classes", ("class", ">cmm-top before", ">cmm-top after", ">pictures it gets"), tuple(rows))
    return Table("Worst classes", ("class", f">{counts(after)}", ">before %", ">after %", "taken by"), tuple(rows))


def rivals(e: Evaluation, c: int, classes: Classes) -> str:
    """Who takes the pictures of class c, with counts, strongest first; empty without labels."""
    found = [] if e.outcomes.label is None else takers(e.outcomes.label, e.outcomes.winner, c)
    return ", ".join(f"{safe(classes.titles[t.predicted], 30)} {t.count}" for t in found)


def worst_sets(before: Evaluation, after: Evaluation, d: Difference) -> Table:
    """Fixed worst sets of every size: before, after, and the paired difference."""
    sets = {w.k: (w, a) for w, a in zip(before.sizes, after.sizes, strict=True)}
    rows = tuple(
        (
            str(k),
            with_interval(sets[k][0].fixed, sets[k][0].fixed_interval),
            with_interval(sets[k][1].fixed, sets[k][1].fixed_interval),
            with_interval(x, interval, sign=True),
        )
        for k, x, interval in d.sizes
    )
    return Table("Fixed worst sets of every size", ("worst", ">before %", ">after %", ">difference, points"), rows)


def class_changes(found: Changes, classes: Classes, most: int, one_each: bool = True) -> Table:
    """Classes that were won and lost, those that moved most first, and who takes what was lost."""
    moved = sorted((*found.won, *found.lost), key=lambda c: -abs(c.after - c.before))
    rows = tuple(
        (
            safe(classes.titles[c.class_index]),
            percent(c.before),
            percent(c.after),
            signed(c.after - c.before),
            ", ".join(f"{safe(classes.titles[t.predicted], 30)} {t.count}" for t in c.taken[:3]),
        )
        for c in moved[:most]
    )
    title = f"Classes: {len(found.won)} won, {len(found.lost)} lost" + (f"; the {most} that moved most" if len(moved) > most else "")
    note = f"{'Pictures' if one_each else 'Right answers'}: {found.gained_images} gained, {found.lost_images} lost."
    return Table(title, ("class", ">before %", ">after %", ">change", "what was lost went to"), rows, note)
