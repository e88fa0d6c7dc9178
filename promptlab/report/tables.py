"""Results as tables of words: the only formatter of numbers. Markdown and the terminal show the same tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from promptlab.display import many, safe
from promptlab.types import Agreement, Check, Classes, Guess, Interval, Material, Scoreboard, TextScores

if TYPE_CHECKING:
    from promptlab.loops.run import Outcome


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


def tail(key: str, most: int) -> str:
    """A picture's key, by its end where it is long: paths begin alike."""
    shown = safe(key)
    return shown if len(shown) <= most else f"…{shown[1 - most :]}"


def cosine(x: float) -> str:
    """A margin, with its sign."""
    return "-" if np.isnan(x) else f"{x:+.4f}"


def families(outcome: "Outcome", most: int | None = None) -> Table:
    """Families by weight, then by score."""
    weights, board, accuracy = outcome.weights, outcome.board, outcome.accuracy
    share = "accuracy" if outcome.baseline.evaluation.precision is None else "recall"
    per_class = weights.w.ndim == 2
    order = np.lexsort((np.arange(len(weights.w)), board.value * (1 if board.lower_is_better else -1), -weights.overall))
    shown = order if most is None or len(order) <= most else order[:most]
    heads = ("family", ">mean weight %" if per_class else ">weight %", f">{board.rule}", *([f">{share} %"] if accuracy else []))
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


def ranking(found: Sequence[Agreement], share: str = "accuracy") -> Table:
    """Whether each rule, read off the baseline on tune, finds the classes that fail on eval."""
    rows = tuple((r.rule, r.labels, "-" if np.isnan(r.spearman) else f"{r.spearman:+.2f}", str(r.found)) for r in found)
    heads = ("rule", "labels", f">rank correlation with class {share}", f">of the {found[0].k} worst it finds")
    truth = "the class accuracies" if share == "accuracy" else f"class {share}"
    note = f"Each rule is read off the baseline on tune and compared with {truth} on eval."
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
    several = any(row[1].startswith("recall: ") for row in rows)
    note = "Worst: the baseline's worst classes, followed." + " Recall: in place of accuracy, where pictures list labels." * several
    return Table("", ("=run", "tried", ">accuracy %", ">at 0", ">worst %"), rows, note)


def _run_cells(state: str, manifest: dict[str, Any], result: dict[str, Any] | None) -> tuple[str, ...]:
    try:
        assert result is not None
        e = result["result"]
        if manifest.get("task") == "retrieve":
            at = [percent(e[way]["at"][0]["recall"]) for way in ("captions", "pictures")]
            return f"retrieval: {safe(result['method']['weights'])}, recall@1 {at[0]} and {at[1]}", "-", "-", "-"
        zeros = "-" if e["zeros"] is None else str(e["zeros"])
        kind = "recall: " if e.get("average_precision") else ""
        if manifest.get("task") == "match":
            kind = f"captions, {int(result['candidates']['most'])} of {safe(result['candidates']['from'])}: "
        return kind + safe(result["method"]["tried"]), percent(e["accuracy"]), zeros, percent(e["worst"]["fixed"])
    except (AssertionError, KeyError, TypeError, IndexError, ValueError):  # no result, or one that somebody else wrote
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
