"""What matching captions found: as plain JSON, as sentences, and as tables of that JSON, so that a kept run is told like a new one."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from promptlab.display import many, safe
from promptlab.report import markdown, summary
from promptlab.report.judged import change, mcnemar
from promptlab.report.run import Report
from promptlab.report.tables import Table, cosine, percent, tail, with_interval
from promptlab.types import Captioned, Captions, Cases, Check, Difference, Interval, Matched

if TYPE_CHECKING:
    from promptlab.loops.match import Outcome

LONGEST = 70  # characters of a caption in a table
WRONG = {"given": "of the data", "same": "of its category", "other": "of other categories", "any": "of other pictures"}
FAR = {
    "above": "That is clearly above chance.",
    "below": "That is clearly below chance: something is wrong.",
    "unclear": "That is no clear difference from chance.",
}
FEW = 8  # families, hard cases and candidates in the terminal; all are in the report


def facts(material: Captioned, chosen: bool) -> dict[str, Any]:
    """What the figures stand on: pictures, captions, categories. Plain JSON. chosen: whether anything was chosen on tune."""
    tune, judged = material.tune_captions, material.judged_captions
    right = len(tune.right) + (0 if material.in_sample else len(judged.right))
    return {
        "name": material.dataset.name,
        "n": len(tune) + (0 if material.in_sample else len(judged)),
        "tune": len(tune) if chosen or not material.in_sample else 0,
        "eval": len(judged),
        "chosen": chosen,
        "in_sample": chosen and material.in_sample,
        "captions": right,
        "categories": len(tune.categories),
        "skipped": [{"picture": key, "reason": reason} for key, reason in material.skipped],
        "model": material.model or None,
        "by": material.dataset.by,
        "notes": list(material.dataset.notes),
    }


def matched(found: Matched, cases: Cases, captions: Captions, split: str) -> dict[str, Any]:
    """The figures of one way of scoring."""
    grouped, known = bool(captions.categories), np.isfinite(found.f1)
    names = captions.categories
    return {
        "split": split,
        "n": len(cases),
        "accuracy": found.accuracy,
        "interval": summary.interval(found.interval),
        "chance": cases.chance,
        "against_chance": found.against_chance,
        "margin": float(found.margin.mean()),
        "mean": found.mean if grouped else None,
        "zeros": int((found.per_category == 0).sum()) if grouped else None,
        "f1": float(found.f1[known].mean()) if grouped else None,
        "worst": {
            "k": found.worst.k,
            "repicked": found.worst.repicked,
            "fixed": found.worst.fixed,
            "fixed_interval": summary.interval(found.worst.fixed_interval),
            "fixed_categories": [] if found.worst.fixed is None else [names[c] for c in found.worst.fixed_classes],
        }
        if grouped
        else {"k": 0, "repicked": None, "fixed": None, "fixed_interval": None, "fixed_categories": []},
        "errors": {"all": int((~found.hit).sum()), "same": found.same if grouped else None, "other": found.other if grouped else None},
        "ties": found.ties,
    }


def categories(outcome: "Outcome", captions: Captions) -> list[dict[str, Any]]:
    """One object a category, the baseline's worst on tune first; empty where there are none."""
    before, after = outcome.baseline.matched, outcome.result.matched
    followed = () if before.worst.fixed is None else before.worst.fixed_classes
    first = [c for c in before.order if before.count[c]]
    rest = [c for c in range(len(captions.categories)) if before.count[c] and c not in first]
    return [
        {
            "category": captions.categories[c],
            "pictures": int(before.count[c]),
            "before": float(before.per_category[c]),
            "after": float(after.per_category[c]),
            "f1": float(after.f1[c]),
            "worst": followed.index(c) + 1 if c in followed else None,
        }
        for c in [*first, *rest]
        if captions.categories
    ]


def case(i: int, outcome: "Outcome", keys: Sequence[str], captions: Captions) -> dict[str, Any]:
    """One picture with its candidates, in the order in which they are shown."""
    cases, found = outcome.cases, outcome.result.matched
    row, texts = cases.texts[i], captions.texts
    places = [int(place) for place in cases.shown[i, : cases.size[i]]]
    return {
        "picture": keys[i],
        "category": captions.categories[captions.category[i]] if captions.categories else None,
        "right": texts[row[cases.right[i]]],
        "picked": texts[row[found.winner[i]]],
        "hit": bool(found.hit[i]),
        "margin": float(found.margin[i]),
        "candidates": [
            {"caption": texts[row[j]], "share": float(outcome.shares[i, j]), "cosine": float(found.similarity[i, j])} for j in places
        ],
    }


def result(
    outcome: "Outcome", material: Captioned, health: Sequence[Check], *, run: str, seconds: Mapping[str, float], hard: Sequence[int]
) -> dict[str, Any]:
    """The whole result. Shares are fractions, margins cosines, times milliseconds; what categories would be needed for is null without
    them. hard: which cases are listed."""
    captions, cases = material.judged_captions, outcome.cases
    sizes, split = cases.size, "all" if material.in_sample else "eval"
    rows = {name: getattr(outcome, name) for name in ("plain", "baseline", "tried", "result")}
    return {
        "run": run,
        "task": "match",
        "data": facts(material, outcome.chosen),
        "candidates": {
            "asked": cases.asked or None,
            "least": int(sizes.min()),
            "most": int(sizes.max()),
            "short": cases.short,
            "from": cases.source,
            "elsewhere": cases.elsewhere,
            "chance": cases.chance,
        },
        "method": {
            "tried": outcome.tried.name,
            "kept": outcome.kept,
            "same": outcome.same,
            "labels": outcome.board.labels,
            "families": len(outcome.weights.w),
            "effective_families": outcome.weights.effective,
            "rule": outcome.board.rule,
            "by": outcome.board.by,
        },
        **{name: matched(row.matched, cases, captions, split) for name, row in rows.items()},
        "difference": {name: v for name, v in summary.difference(outcome.difference).items() if name != "worst_sizes"},
        "families": [
            {"name": name, "weight": float(w), "score": float(s), "accuracy": float(a)}
            for name, w, s, a in zip(outcome.weights.families, outcome.weights.w, outcome.board.value, outcome.accuracy.value, strict=True)
        ],
        "categories": categories(outcome, captions),
        "hard": [case(i, outcome, material.judged.keys, captions) for i in hard],
        "health": [{"name": check.name, "text": check.text} for check in health],
        "per_sample": {
            "encode_ms": per_sample(seconds.get("encode pictures", 0.0), material.encoded["images"]),
            "encoded": material.encoded["images"],
            "match_ms": per_sample(seconds.get("match captions", 0.0), outcome.matched),
            "matched": outcome.matched,
        },
        "seconds": dict(seconds),
        "encoded": dict(material.encoded),
    }


def per_sample(seconds: float, n: int) -> float | None:
    """Milliseconds for each of n samples; None for none."""
    return 1000 * seconds / n if n else None


# -- what a person is shown ---------------------------------------------------------------------------------------------------------


def report(found: Mapping[str, Any]) -> Report:
    """Sentences and tables of result.json."""
    said = lead(found)
    whole = tables(found, None)
    return Report(tuple(said), tuple(tables(found, FEW)), markdown.report(f"promptlab match: {safe(found['data']['name'])}", said, whole))


def lead(found: Mapping[str, Any]) -> list[str]:
    """What was done, and what it comes to."""
    data, cases, after = found["data"], found["candidates"], found["result"]
    grouped = f", {many(data['categories'], 'category', 'categories')}" if data["categories"] else ""
    families = many(found["method"]["families"], "template")
    size = f"{many(data['n'], 'picture')}, {many(data['captions'], 'caption')}{grouped}"
    said = [f"{safe(data['name'])}: {size}; {families}; model: {safe(data['model'] or 'unknown')}."]
    if data["skipped"]:
        first = data["skipped"][0]
        left = many(len(data["skipped"]), "picture")
        said.append(f"Left out: {left} that could not be read, e.g. {safe(first['picture'])}: {safe(first['reason'])}.")
    said += [safe(note, 400) for note in data["notes"]]
    few = str(cases["most"]) if cases["least"] == cases["most"] else f"{cases['least']} to {cases['most']}"
    said.append(
        f"Of {few} captions, the wrong ones {WRONG[cases['from']]}, the right one is found for "
        f"{percent(after['accuracy'])} % {_span(after['interval'])} of "
        f"{many(after['n'], 'picture')}; guessing would find {percent(cases['chance'])} %. {FAR[after['against_chance']]}"
    )
    return [*said, _time(found["per_sample"]), verdict(found)]


def _time(each: Mapping[str, Any]) -> str:
    """What one sample takes."""
    matching = f"matching {_ms(each['match_ms'])} a case (of {each['matched']})"
    if each["encode_ms"] is None:
        return f"Time: {matching}; every picture was encoded before."
    return f"Time: encoding {_ms(each['encode_ms'])} a picture (of {each['encoded']}, with loading the model), {matching}."


def _ms(x: float) -> str:
    return f"{x:.0f} ms" if x >= 10 else f"{x:.2g} ms"


def verdict(found: Mapping[str, Any]) -> str:
    """What the weights come to, in plain words."""
    method, d = found["method"], found["difference"]
    tried = safe(method["tried"])
    if method["tried"] == "uniform":
        return "The result is the baseline: uniform weights. Nothing was chosen" + (
            "." if found["data"]["tune"] else ", so all pictures are told."
        )
    if method["same"]:
        return f"{tried} weighs as the baseline does: nothing changed."
    if not method["kept"]:
        return f"{tried} does not beat the baseline on tune, so the baseline is kept."
    interval, worst = (None if v is None else Interval(*v) for v in (d["interval"], d["worst_interval"]))
    parts = [change("accuracy", d["accuracy"], interval)]
    if d["worst"] is not None:
        parts.append(change(f"fixed worst-{found['baseline']['worst']['k']}", d["worst"], worst))
    told = Difference(d["accuracy"], interval, d["worst"], worst, (), d["mcnemar_p"], d["changed"])
    where = " In-sample: told on the pictures that it was chosen on." if found["data"]["in_sample"] else ""
    return f"{tried} against the baseline: {'; '.join(parts)}. {mcnemar(told)}{where}"


def tables(found: Mapping[str, Any], most: int | None) -> list[Table]:
    """Headline, categories, hard cases, families, health; each cut to `most` rows, None for all, with all candidates of hard cases."""
    before, after = around_hard_cases(found, most)
    return [*before, hard(found, most), *([] if most else [_candidates(one) for one in found["hard"]]), *after]


def around_hard_cases(found: Mapping[str, Any], most: int | None = None) -> tuple[list[Table], list[Table]]:
    """The tables before the hard cases, and those after them."""
    grouped = [errors(found), _categories(found, most)] if found["data"]["categories"] else []
    return [headline(found), *grouped], [_families(found, most), _health(found)]


def headline(found: Mapping[str, Any]) -> Table:
    """Plain captions, baseline and what was tried, on eval."""
    method, grouped = found["method"], bool(found["data"]["categories"])
    rows = [("plain captions", found["plain"]), ("baseline", found["baseline"])]
    if method["tried"] != "uniform":
        rows.append((safe(method["tried"]) + ("" if method["kept"] else " (tried)"), found["tried"]))
    worst = found["baseline"]["worst"]
    last = f">{'re-picked' if worst['fixed'] is None else 'fixed'} worst-{worst['k']} %"
    heads = ("score", ">accuracy %", ">chance %", ">mean margin", *((">mean %", ">F1 %", last) if grouped else ()))
    cells = tuple((name, *_figures(e), *(_grouped(e) if grouped else ())) for name, e in rows)
    note = "Margin: cosine of the right caption minus the highest of the wrong ones. Brackets: 95 % intervals."
    if grouped:
        followed = "Fixed: the baseline's worst categories on tune, followed here."
        own = "Re-picked: each row's own worst categories here; biased low."
        note += f" Mean and F1: over categories. {own if worst['fixed'] is None else followed}"
    return Table(f"The right caption, on {many(found['result']['n'], 'picture')}{_where(found['data'])}", heads, cells, note)


def _where(data: Mapping[str, Any]) -> str:
    """Which pictures are told, seen from what was chosen."""
    if not data["chosen"]:
        return "; nothing was chosen"
    return ", in-sample: tuned and judged on the same pictures" if data["in_sample"] else ", the half that nothing was tuned on"


def _figures(e: Mapping[str, Any]) -> tuple[str, ...]:
    return (with_interval(e["accuracy"], Interval(*e["interval"])), percent(e["chance"]), cosine(e["margin"]))


def _grouped(e: Mapping[str, Any]) -> tuple[str, ...]:
    worst, interval = e["worst"], e["worst"]["fixed_interval"]
    last = percent(worst["repicked"]) if worst["fixed"] is None else with_interval(worst["fixed"], Interval(*interval))
    return (percent(e["mean"]), percent(e["f1"]), last)


def errors(found: Mapping[str, Any]) -> Table:
    """Whose caption was picked where it was not the right one."""
    rows = []
    for name, key in (("baseline", "baseline"), ("result", "result")):
        e = found[key]["errors"]
        rows.append((name, str(e["all"]), str(e["same"]), str(e["other"]), str(e["all"] - e["same"] - e["other"])))
    heads = ("score", ">wrong picks", ">of the same category", ">of another", ">of no picture")
    return Table("Whose caption was picked instead", heads, tuple(rows))


def _categories(found: Mapping[str, Any], most: int | None) -> Table:
    every = found["categories"]
    rows = tuple((safe(c["category"], 60), str(c["pictures"]), percent(c["before"]), percent(c["after"]), percent(c["f1"])) for c in every)
    shown = rows if most is None else rows[: max(most, found["baseline"]["worst"]["k"])]
    left = f"{many(len(rows) - len(shown), 'more is', 'more are')} in the report." if len(shown) < len(rows) else ""
    first = "the baseline's worst on tune first" if found["baseline"]["worst"]["fixed"] is not None else "the baseline's worst first"
    return Table(f"Categories, {first}", ("category", ">pictures", ">before %", ">after %", ">F1 after %"), shown, left)


def hard(found: Mapping[str, Any], most: int | None) -> Table:
    """The hardest cases."""
    every = found["hard"]
    shown = every if most is None else every[:most]
    rows = tuple(
        (
            tail(one["picture"], 40),
            cosine(one["margin"]),
            safe(one["right"], LONGEST),
            "(right)" if one["hit"] else safe(one["picked"], LONGEST),
        )
        for one in shown
    )
    wrong = found["result"]["errors"]["all"]
    left = f" {len(every) - len(shown)} more are in the report." if len(shown) < len(every) else ""
    note = f"{many(wrong, 'wrong pick')} in all, lowest margin first; then the right ones that were closest.{left} All: cases.jsonl."
    return Table("Hard cases", ("picture", ">margin", "right caption", "picked"), rows, note)


def _candidates(one: Mapping[str, Any]) -> Table:
    rows = tuple(
        (
            "right" if c["caption"] == one["right"] else "picked" if c["caption"] == one["picked"] else "",
            percent(c["share"]),
            safe(c["caption"]),
        )
        for c in one["candidates"]
    )
    return Table(safe(one["picture"], 80), ("", ">share %", "candidate"), rows)


def _families(found: Mapping[str, Any], most: int | None) -> Table:
    method, rule = found["method"], found["method"]["rule"]
    every = sorted(found["families"], key=lambda row: -row["weight"])
    rows = tuple((safe(f["name"], 60), percent(f["weight"]), f"{f['score']:.4f}", percent(f["accuracy"])) for f in every[:most])
    where = "tune" if found["data"]["tune"] else "all pictures"
    note = f"Scores on {where}, labels: {safe(method['labels'])}. {method['effective_families']:.1f} of {len(every)} templates count."
    tried = "" if method["kept"] else " (tried, not kept)"
    return Table(
        f"Templates, weighted by {safe(method['tried'])}{tried}", ("template", ">weight %", f">{safe(rule)}", ">accuracy %"), rows, note
    )


def _health(found: Mapping[str, Any]) -> Table:
    rows = tuple((safe(check["name"]), safe(check["text"], 400)) for check in found["health"])
    return Table("Health", ("check", "what it means"), rows or (("all clear", "no check fired"),))


def _span(interval: Sequence[float]) -> str:
    return "[" + ", ".join(map(percent, interval)) + "]"
