"""Results as tables of words: the only formatter of numbers. Markdown and the terminal show the same tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from promptlab.analysis.confusion import takers
from promptlab.display import many, safe
from promptlab.types import Agreement, Changes, Check, Classes, Difference, Evaluation, Guess, Interval, Material, Scoreboard, TextScores

if TYPE_CHECKING:
    from promptlab.loops.run import Outcome, Row


@dataclass(frozen=True, slots=True)
class Table:
    """A table of words that are safe to show."""

    title: str
    """One line above it; may be empty."""
    columns: tuple[str, ...]
    """Heads; one that begins with `>` is of a column of numbers, which align right, with `=` of names to copy, which are never folded."""
    rows: tuple[tuple[str, ...], ...]
    """The cells."""
    note: str = ""
    """One line below it; may be empty."""


def percent(x: float | None) -> str:
    """`94.0`; `-` when there is none. Tables of shares say % in their heads."""
    return "-" if x is None or np.isnan(x) else f"{100 * x:.1f}"


def signed(x: float | None) -> str:
    """`+1.2`, in points."""
    return "-" if x is None else f"{100 * x:+.1f}"


def span(interval: Interval | None, sign: bool = False) -> str:
    """`[90.1, 97.2]`."""
    if interval is None:
        return ""
    low, high = (signed(v) if sign else percent(v) for v in (interval.low, interval.high))
    return f"[{low}, {high}]"


def with_interval(x: float | None, interval: Interval | None, sign: bool = False) -> str:
    """`94.0 [90.1, 97.2]`."""
    return f"{signed(x) if sign else percent(x)} {span(interval, sign)}".strip()


def cosine(x: float) -> str:
    """A margin, with its sign."""
    return "-" if np.isnan(x) else f"{x:+.4f}"


def headline(outcome: "Outcome", in_sample: bool) -> Table:
    """Before and after, on the eval half."""
    rows = [row for row in (outcome.single, outcome.baseline) if row is not None]
    if outcome.tried.name != "uniform":
        rows.append(outcome.tried)
    evaluation, k = outcome.baseline.evaluation, outcome.baseline.evaluation.worst.k
    where = f"{evaluation.n} pictures, " + (
        "in-sample: tuned and judged on the same pictures" if in_sample else "the half that nothing was tuned on"
    )
    if evaluation.accuracy is None:
        few = tuple((_name(row, outcome), cosine(row.evaluation.cmm_top), percent(_changed(outcome.baseline, row))) for row in rows)
        return Table(f"Without labels, on {where}", ("classifier", f">cmm-top of worst {k}", ">predictions changed %"), few)
    cells = tuple((_name(row, outcome), *judged_cells(row.evaluation)) for row in rows)
    heads = ("classifier", *judged_heads(evaluation))
    note = (
        "Mean: over classes. At 0: classes of which no picture is right. Fixed: the baseline's worst classes on tune, followed here. "
        "Re-picked: each row's own worst here, which is biased low. Brackets: 95 % intervals."
    )
    return Table(f"Before and after, on {where}", heads, cells, note)


def judged_heads(e: Evaluation) -> tuple[str, ...]:
    """Heads over `judged_cells`."""
    return (">accuracy %", ">mean %", ">at 0", f">fixed worst-{worst_size(e)} %", ">re-picked")


def worst_size(e: Evaluation) -> int:
    """How many classes the worst set really has: no more than have pictures."""
    return min(e.worst.k, int((e.count > 0).sum())) if e.accuracy is not None else e.worst.k


def judged_cells(e: Evaluation) -> tuple[str, ...]:
    """How one classifier does, with intervals."""
    fixed = with_interval(e.worst.fixed, e.worst.fixed_interval)
    return (
        with_interval(e.accuracy, e.interval),
        percent(e.mean),
        "-" if e.zeros is None else str(e.zeros),
        fixed,
        percent(e.worst.repicked),
    )


def judged(e: Evaluation) -> Table:
    """How one classifier does on data that need not be its own."""
    if e.accuracy is None:
        return Table(
            f"Without labels, on {many(e.n, 'picture')}", ("", f">cmm-top of worst {e.worst.k}"), (("classifier", cosine(e.cmm_top)),)
        )
    cells = (with_interval(e.accuracy, e.interval), percent(e.mean), str(e.zeros), percent(e.worst.repicked))
    return Table(
        f"On {many(e.n, 'picture')}", ("", ">accuracy %", ">mean %", ">at 0", f">worst-{worst_size(e)} %"), (("classifier", *cells),)
    )


def worst_of(e: Evaluation, classes: Classes) -> Table:
    """The worst classes of one evaluation."""
    rows = tuple(
        (safe(classes.titles[c]), str(e.count[c]), percent(e.per_class[c]), cosine(e.margin[c]), rivals(e, c, classes))
        for c in e.worst.fixed_classes
    )
    return Table("Worst classes", ("class", ">pictures", ">accuracy %", ">margin", "taken by"), rows)


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
    parts = [change("accuracy", d.accuracy, d.interval), change(f"fixed worst-{k}", d.worst, d.worst_interval)]
    return f"{'; '.join(parts)}. {mcnemar(d)}"


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
    return Table("Worst classes", ("class", ">pictures", ">before %", ">after %", "taken by"), tuple(rows))


def rivals(e: Evaluation, c: int, classes: Classes) -> str:
    """Who takes the pictures of class c, with counts, strongest first; empty without labels."""
    found = [] if e.outcomes.label is None else takers(e.outcomes.label, e.outcomes.winner, c)
    return ", ".join(f"{safe(classes.titles[t.predicted], 30)} {t.count}" for t in found)


def families(outcome: "Outcome", most: int | None = None) -> Table:
    """Families by weight, then by score."""
    weights, board, accuracy = outcome.weights, outcome.board, outcome.accuracy
    per_class = weights.w.ndim == 2
    order = np.lexsort((np.arange(len(weights.w)), board.value * (1 if board.lower_is_better else -1), -weights.overall))
    shown = order if most is None or len(order) <= most else order[:most]
    heads = ("family", ">mean weight %" if per_class else ">weight %", f">{board.rule}", *([">accuracy %"] if accuracy else []))
    rows = tuple(
        (
            safe(weights.families[i], 60),
            percent(weights.overall[i]),
            _value(board, board.value[i]),
            *([percent(accuracy.value[i])] if accuracy else []),
        )
        for i in shown
    )
    left = f" {len(order) - len(shown)} more are in the report." if len(shown) < len(order) else ""
    where = " in a class, in the median" if per_class else ""
    note = f"Scores on tune, labels: {board.labels}. {weights.effective:.1f} of {len(order)} families count{where}.{left}"
    tried = "" if outcome.kept else " (tried, not kept)"
    return Table(f"Families, weighted by {weights.how}{' for each class' if per_class else ''}{tried}", heads, rows, note)


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


def class_changes(found: Changes, classes: Classes, most: int) -> Table:
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
    note = f"Pictures: {found.gained_images} gained, {found.lost_images} lost."
    return Table(title, ("class", ">before %", ">after %", ">change", "what was lost went to"), rows, note)


def ranking(found: Sequence[Agreement]) -> Table:
    """Whether each rule, read off the baseline on tune, finds the classes that fail on eval."""
    rows = tuple((r.rule, r.labels, "-" if np.isnan(r.spearman) else f"{r.spearman:+.2f}", str(r.found)) for r in found)
    heads = ("rule", "labels", ">rank correlation with class accuracy", f">of the {found[0].k} worst it finds")
    note = "Each rule is read off the baseline on tune and compared with the class accuracies on eval."
    return Table("Does a rule find the classes that fail?", heads, rows, note)


def finding(found: Mapping[str, Any]) -> Table:
    """What an analysis found, as result.json keeps it. Its words are an outsider's: they are made safe here."""
    title = f"{safe(found['name'], 60)} ({safe(found['by'], 60)})"
    if not found["columns"]:
        return Table(title, ("finding",), ((safe(found["headline"], 400),),), " ".join(safe(note, 400) for note in found["notes"]))
    rows = tuple(tuple(safe(cell, 120) for cell in row) for row in found["rows"])
    note = " ".join(safe(note, 400) for note in (found["headline"], *found["notes"]))
    return Table(title, tuple(safe(head, 60) for head in found["columns"]), rows, note)


def checks(found: Sequence[Check], title: str = "Health") -> Table:
    """Health checks that fired."""
    rows = tuple((check.name, safe(check.text, 400)) for check in found)
    return Table(title, ("check", "what it means"), rows or (("all clear", "no check fired"),))


def boards(found: Mapping[str, Scoreboard], most: int = 20) -> Table:
    """Families by the first rule, best first, with their value under every rule."""
    first = next(iter(found.values()))
    order = np.argsort(first.value if first.lower_is_better else -first.value, kind="stable")[:most]
    rows = tuple((safe(first.families[k], 60), *(_value(board, board.value[k]) for board in found.values())) for k in order)
    left = len(first.families) - len(order)
    note = f"On tune, labels: {first.labels}." + (f" {left} more families are in scores.json." if left else "")
    return Table("Families, best first", ("family", *(">" + board.rule for board in found.values())), rows, note)


def worst_by_board(board: Scoreboard, classes: Classes, most: int) -> Table:
    """The classes with the lowest mean value over families under one rule."""
    known = np.isfinite(board.per_class).sum(0)
    mean = np.where(known > 0, np.nansum(board.per_class, 0) / np.maximum(known, 1), np.nan)
    order = [c for c in np.argsort(-mean if board.lower_is_better else mean, kind="stable") if known[c]][:most]
    never = "never predicted" if board.labels != "true" else "no picture"
    rows = tuple(
        (safe(classes.titles[c]), _value(board, mean[c]), str(board.count[:, c].max()) if board.count[:, c].any() else never) for c in order
    )
    name = board.rule.partition("/")[0]
    return Table(f"Worst classes by {name}, mean over families", ("class", f">{name}", ">pictures"), rows)


def _value(board: Scoreboard, value: float) -> str:
    if board.rule.endswith("/zeros"):
        return f"{value:.0f}"
    if board.unit == "share":
        return percent(value)
    return cosine(value) if board.unit == "margin" else "-" if np.isnan(value) else f"{value:.3f}"


def guesses(found: Sequence[Guess], title: str = "", of: str = "classes") -> Table:
    """One row per picture: the classes, or what else there is to choose from, that it looks most like."""
    wide = 30 if of == "classes" else 60
    rows = tuple(
        (
            safe(Path(guess.key).name, 40),
            ", ".join(f"{safe(name, wide)} {percent(share)}" for name, share in guess.top) or f"cannot be read: {safe(guess.fault)}",
            cosine(guess.margin) if guess.top else "-",
        )
        for guess in found
    )
    return Table(
        title,
        ("picture", "looks most like (share %)", ">margin"),
        rows,
        f"Share: softmax over {of}; of sigmoid models each one's own. Margin: winner - runner-up, in cosine units.",
    )


def run_list(found: Sequence[tuple[str, str, dict[str, Any], dict[str, Any] | None]]) -> Table:
    """One row per run, of its name, state, manifest and result: its headline."""
    rows = tuple((safe(name, 60), *_run_cells(state, manifest, result)) for name, state, manifest, result in found)
    return Table("", ("=run", "tried", ">accuracy %", ">at 0", ">worst %"), rows, "Worst: the baseline's worst classes, followed.")


def _run_cells(state: str, manifest: dict[str, Any], result: dict[str, Any] | None) -> tuple[str, ...]:
    try:
        assert result is not None
        e = result["result"]
        zeros = "-" if e["zeros"] is None else str(e["zeros"])
        caption = "captions: " if manifest.get("task") == "match" else ""
        return caption + safe(result["method"]["tried"]), percent(e["accuracy"]), zeros, percent(e["worst"]["fixed"])
    except (AssertionError, KeyError, TypeError):  # no result, or one that somebody else wrote
        return safe(str(manifest["settings"].get("weights", ""))), state, "-", "-"


def texts(found: TextScores, material: Material) -> Table:
    """The texts of one class, best first."""
    grid = material.bank.grid
    rows = tuple(
        (safe(grid.texts[found.texts[i]], 60), cosine(found.cmm[i]), percent(found.accuracy[i]))
        for i in np.lexsort((np.arange(len(found.cmm)), -found.cmm))
    )
    labels = "true" if material.tune.labels is not None else "ensemble"
    title = f"Texts of {safe(grid.classes.titles[found.class_index])}, each alone in its row"
    return Table(
        title,
        ("text", ">cmm", ">accuracy %"),
        rows,
        f"On {many(found.images, 'picture')} on tune; labels: {labels}. All other rows: uniform ensemble.",
    )
