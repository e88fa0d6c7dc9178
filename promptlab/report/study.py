"""A study as JSON, as a table, and as CSV."""

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from promptlab.display import safe
from promptlab.report import markdown, summary
from promptlab.report.tables import Table, percent, signed
from promptlab.types import Classes

if TYPE_CHECKING:
    from promptlab.loops.study import Tried

FORMAT = 5  # of a row: one that was kept in another is made again
COLUMNS = ("name", "weights", "scope", "labels", "combine", "debias", "tau", "evidence", "descriptions")


def row(tried: "Tried", classes: Classes) -> dict[str, Any]:
    """One combination as plain JSON: what it is, its figures on tune and on eval, its paired difference to the baseline."""
    how = tried.choice.how
    return {
        "name": tried.name,
        "weights": how.name,
        "scope": how.scope.value,
        "labels": how.labels.value,
        "by": tried.by,
        "combine": how.combine.value,
        "debias": tried.choice.debias,
        "tau": how.tau,
        "evidence": how.evidence if how.way == "shrunk" else None,
        "descriptions": "with" if tried.described else "without",
        "in_sample": tried.in_sample,
        "effective_families": tried.weights.effective,
        "tune": {"mean": tried.tune.mean, "worst": tried.tune.worst.fixed, "cmm_top": tried.tune.cmm_top},
        "eval": summary.evaluation(tried.evaluation, classes),
        "difference": summary.difference(tried.difference),
        "health": [{"name": check.name, "text": check.text} for check in tried.health],
    }


def ordered(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """By fixed worst-k on eval, highest first, then by accuracy; without labels by cmm-top."""

    def key(one: dict[str, Any]) -> tuple[float, float]:
        told = one["eval"]
        return (-told["cmm_top"], 0.0) if told["accuracy"] is None else (-(told["worst"]["fixed"] or 0.0), -told["accuracy"])

    return sorted(rows, key=key)


def chosen(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What tune chooses: the highest mean class accuracy there, then the highest fixed worst-k; without labels the highest cmm-top."""

    def key(one: dict[str, Any]) -> tuple[float, float]:
        tune = one["tune"]
        return (tune["cmm_top"], 0.0) if tune["mean"] is None else (tune["mean"], tune["worst"] or 0.0)

    return max(rows, key=key)


def clearly(one: dict[str, Any]) -> str:
    """`better` or `worse` than the baseline where the paired interval of the fixed worst set says so; else empty, in-sample always."""
    interval = one["difference"]["worst_interval"]
    if one["in_sample"] or interval is None or interval[0] <= 0 <= interval[1]:
        return ""
    return "better" if interval[0] > 0 else "worse"


def verdict(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What the study comes to, in sentences."""
    best = chosen(rows)
    told, change = best["eval"], best["difference"]
    if told["accuracy"] is None:
        where = "the pictures that all is told on: in-sample" if best["in_sample"] else "tune"
        return [f"Without labels nothing here says which is better. Highest cmm-top on {where}: {safe(best['name'])}."]
    k = told["worst"]["k"]
    gain = f"{signed(change['worst'])} points{_span(change['worst_interval'], sign=True)}"
    share = percent(told["worst"]["fixed"])
    if best["in_sample"]:
        return [
            f"In-sample: chosen and told on the same pictures, so nothing is marked. Highest: {safe(best['name'])}, "
            f"fixed worst-{k} {share} %, against the baseline {gain}."
        ]
    said = [f"Chosen on tune: {safe(best['name'])}. On eval its fixed worst-{k} is {share} %, against the baseline {gain}."]
    if clearly(best) == "worse":
        said.append("That interval lies below 0: on eval it is clearly worse, so nothing is marked best.")
    elif not clearly(best):
        said.append("That interval holds 0: no clear change, so nothing is marked best.")
    better = sum(clearly(one) == "better" for one in rows)
    return [
        *said,
        f"Of {len(rows)} combinations {better} are clearly better than the baseline on the fixed worst-{k}; chance alone makes 1 in 40.",
    ]


def table(rows: Sequence[dict[str, Any]], most: int | None = None) -> Table:
    """One line a combination, best fixed worst-k first."""
    lines, best = ordered(rows), chosen(rows)
    shown = lines if most is None or best in lines[:most] else [*lines[: most - 1], best]
    shown = shown if most is None else shown[:most]
    if lines[0]["eval"]["accuracy"] is None:
        few = tuple((safe(r["name"], 60), f"{r['eval']['cmm_top']:+.4f}", percent(r["difference"]["changed"]), _tune(r)) for r in shown)
        return Table(
            f"{len(rows)} combinations without labels, by cmm-top", ("weighting", ">cmm-top", ">predictions changed %", ">on tune"), few
        )
    k, n = lines[0]["eval"]["worst"]["k"], lines[0]["eval"]["n"]
    several = lines[0]["eval"].get("average_precision") is not None
    shares = (">mAP %", ">against baseline", ">recall %") if several else (">accuracy %",)
    heads = ("weighting", f">fixed worst-{k} %", ">against baseline", *shares, ">at 0", ">mean %", ">on tune")
    note = (
        "Fixed: the baseline's worst classes on tune, followed here. Against baseline: paired difference in points, 95 % interval; "
        "> above 0, < below 0. *: chosen on tune; best: chosen, and above 0."
    )
    answers = f" with {lines[0]['eval']['right_answers']} right answers" if several else ""
    where = f"{n} pictures{answers}, in-sample: chosen and told on the same" if best["in_sample"] else f"{n} pictures{answers}"
    return Table(f"{len(rows)} combinations on {where}, by fixed worst-{k}", heads, tuple(_cells(r, r is best) for r in shown), note)


def health(rows: Sequence[dict[str, Any]]) -> Table:
    """Checks that fired: in how many rows, and what the first of them says."""
    found: dict[str, list[str]] = {}
    for check in (check for row in rows for check in row["health"]):
        found.setdefault(check["name"], []).append(check["text"])
    lines = tuple((name, str(len(texts)), safe(texts[0], 400)) for name, texts in found.items())
    return Table("Health", ("check", ">rows", "what it means, in the first"), lines or (("all clear", "0", "no check fired"),))


def page(name: str, rows: Sequence[dict[str, Any]]) -> str:
    """The whole study as markdown."""
    return markdown.report(f"promptlab study: {safe(name)}", verdict(rows), [table(rows), health(rows)])


def _cells(one: dict[str, Any], best: bool) -> tuple[str, ...]:
    told, change = one["eval"], one["difference"]
    mark = {"better": " >", "worse": " <", "": ""}[clearly(one)]
    chosen_mark = "" if not best else " (best)" if mark == " >" else " *"
    return (
        safe(one["name"], 60) + chosen_mark,
        percent(told["worst"]["fixed"]) + _span(told["worst"]["fixed_interval"]),
        signed(change["worst"]) + _span(change["worst_interval"], sign=True) + (mark or "  "),
        *_precision(told, change),
        percent(told["accuracy"]) + _span(told["interval"]),
        str(told["zeros"]),
        percent(told["mean"]),
        _tune(one),
    )


def _precision(told: dict[str, Any], change: dict[str, Any]) -> tuple[str, ...]:
    """Cells of mean average precision; none where a picture shows one class."""
    found = told.get("average_precision")
    if found is None:
        return ()
    gain = signed(change["average_precision"]) + _span(change["average_precision_interval"], sign=True)
    return percent(found["mean"]) + _span(found["interval"]), gain


def _tune(one: dict[str, Any]) -> str:
    return f"{one['tune']['cmm_top']:+.4f}" if one["tune"]["mean"] is None else percent(one["tune"]["mean"])


def _span(interval: list[float] | None, sign: bool = False) -> str:
    return "" if interval is None else " [" + ", ".join(signed(v) if sign else percent(v) for v in interval) + "]"


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """One line a combination, shares as fractions. A cell that begins with = + - @ and is no number is quoted, so that no sheet runs it."""
    out = io.StringIO()
    facts = ("n", "in_sample", "k")
    figures = ("accuracy", "accuracy_low", "accuracy_high", "mean", "zeros", "worst", "worst_low", "worst_high", "repicked", "cmm_top")
    changes = (
        "changed",
        "accuracy_difference",
        "accuracy_difference_low",
        "accuracy_difference_high",
        "worst_difference",
        "worst_difference_low",
        "worst_difference_high",
        "mcnemar_p",
        "tune_mean",
        "tune_cmm_top",
    )
    ranked = ("map", "map_low", "map_high", "map_difference", "map_difference_low", "map_difference_high")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, *facts, *figures, *changes, "clearly", "chosen", *ranked])
    best = chosen(rows)
    for one in ordered(rows):
        told, change = one["eval"], one["difference"]
        writer.writerow(
            [
                *(_cell(one[name]) for name in COLUMNS),
                *(told["n"], "yes" if one["in_sample"] else "", told["worst"]["k"]),
                *(told["accuracy"], *(told["interval"] or ("", "")), told["mean"], told["zeros"]),
                *(told["worst"]["fixed"], *(told["worst"]["fixed_interval"] or ("", "")), told["worst"]["repicked"], told["cmm_top"]),
                *(change["changed"], change["accuracy"], *(change["interval"] or ("", ""))),
                *(change["worst"], *(change["worst_interval"] or ("", "")), change["mcnemar_p"]),
                *(one["tune"]["mean"], one["tune"]["cmm_top"], clearly(one), "yes" if one is best else ""),
                *_ranked(told, change),
            ]
        )
    return out.getvalue()


def _ranked(told: dict[str, Any], change: dict[str, Any]) -> tuple[Any, ...]:
    """Mean average precision and what it has over the baseline, with their ends; empty cells where a picture shows one class."""
    found = told.get("average_precision")
    if found is None:
        return ("",) * 6
    return found["mean"], *found["interval"], change["average_precision"], *change["average_precision_interval"]


def _cell(value: Any) -> Any:
    return "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
