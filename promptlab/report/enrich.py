"""The report of an enrichment: as JSON, which the run keeps, and as sentences and tables, which are made from it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from promptlab.display import many, safe
from promptlab.llm.question import Failure, Reply
from promptlab.prompts.renames import SOURCES as NAME_SOURCES
from promptlab.report import summary
from promptlab.report.judged import change
from promptlab.report.tables import Table, cosine, percent, signed, span
from promptlab.types import Classes, Interval

if TYPE_CHECKING:
    from promptlab.describing import Enrichment, Said, Wanted
    from promptlab.loops.enrich import Comparison, Trial
    from promptlab.loops.run import Row

NOBODY = "No language model was named, so only names were tried: --llm, or --descriptions FILE."
CALLED = {"swapped": "other classes' descriptions"}  # in a sentence
LEVEL = "The descriptions do not clearly beat {}."
ENSEMBLING = "The descriptions do not clearly beat {}, so what was gained is that of more texts, not of these words."


def trial(one: "Trial") -> dict[str, Any]:
    """A bundle that was tried, and what it does on tune. Margins in cosine units; an interval that is unknown is null."""
    made = one.change
    margin, accuracy = (_ends(span) for span in (made.interval, made.accuracy_interval))
    said = {
        "place": one.bundle.place.value,
        "texts": list(one.texts),
        "source": one.bundle.descriptions[0].source,
    }
    figures = {"margin": made.value, "margin_interval": margin, "accuracy": made.accuracy, "accuracy_interval": accuracy}
    return {**said, "kept": one.kept, "fault": one.fault, **figures}


def _ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None or not abs(interval.low) < float("inf") else [interval.low, interval.high]


def comparison(found: "Comparison", classes: Classes) -> dict[str, Any]:
    """Rows and differences, on eval; plain JSON."""
    named = [] if found.named is None else [found.named]
    kinds = [
        ("before", found.before),
        *(("names", row) for row in named),
        ("after", found.after),
        *(("control", r) for r in found.controls),
    ]
    against = [{"control": row.name, **summary.difference(other)} for row, other in zip(found.controls, found.against, strict=True)]
    return {
        "rows": [_row(kind, row, found, classes) for kind, row in kinds],
        "gain": summary.difference(found.gain),
        "over_names": None if found.over_names is None else summary.difference(found.over_names),
        "against": against,
        "collateral": None if found.changes is None else summary.changed(found.changes, classes),
    }


def _row(kind: str, row: "Row", found: "Comparison", classes: Classes) -> dict[str, Any]:
    changed = summary.changed_share(found.before.evaluation, row.evaluation)
    return {"kind": kind, "name": row.name, **summary.evaluation(row.evaluation, classes), "changed": changed}


def verdict(found: Mapping[str, Any]) -> list[str]:
    """What enrichment comes to, in plain words."""
    kept = [one for row in found["classes"] for one in row["trials"] if one["kept"]]
    names = sum(one["source"] in NAME_SOURCES for one in kept)
    said = [f"Of {many(len(found['classes']), 'class', 'classes')}, {len(kept) - names} got descriptions and {names} a better name."]
    if not kept:
        return [*said, "Nothing that was tried helps clearly on tune, so the classifier is as it was."]
    gain, rows = found["gain"], {row["kind"]: row for row in found["rows"]}
    if gain["accuracy"] is None:
        return [*said, f"{percent(gain['changed'])} % of the predictions changed. Whether for the better, only labels can say."]
    k = rows["after"]["worst"]["k"]
    worst = change(f"fixed worst-{k}", gain["worst"], _interval(gain["worst_interval"]))
    several = rows["after"].get("average_precision") is not None
    share = change("recall" if several else "accuracy", gain["accuracy"], _interval(gain["interval"]))
    ranked = [change("mAP", gain["average_precision"], _interval(gain["average_precision_interval"]))] if several else []
    said.append(f"Enrichment alone: {'; '.join([*ranked, worst, share])}.")
    said += _cost_to_others(found["collateral"], "right answer" if several else "picture")
    if len(kept) == names:
        return said
    beaten = {one["control"]: _better(one) for one in found["against"]}
    level = [CALLED.get(name, name) for name, clear in beaten.items() if not clear]
    if level:
        said.append((ENSEMBLING if _better(gain) else LEVEL).format(" or ".join(level)))
    if beaten and not level:
        *most, last = (CALLED.get(name, name) for name in beaten)
        none = ", of which none passed the test" * (not any(row["kept"] for row in found["rows"] if row["kind"] == "control"))
        said.append(f"The descriptions clearly beat {' and '.join(filter(None, [', '.join(most), last]))}{none}.")
    return said


def _cost_to_others(found: Mapping[str, Any] | None, what: str) -> list[str]:
    """Pictures (right answers) won and lost, and the class that lost most; nothing when none did."""
    if not found or not found["lost"]:
        return []
    most = found["lost"][0]
    away = f"{safe(most['class'], 40)} from {percent(most['before'])} to {percent(most['after'])} %"
    moved = f"{many(found['gained_pictures'], what)} won, {found['lost_pictures']} lost"
    return [f"{moved}; {many(len(found['lost']), 'class', 'classes')} lost some, most of all {away}."]


def _better(difference: Mapping[str, Any]) -> bool:
    """Whether the fixed worst or the accuracy is clearly better, and neither clearly worse."""
    ends = [difference[name] for name in ("worst_interval", "interval") if difference[name] is not None]
    return any(low > 0 for low, _ in ends) and not any(high < 0 for _, high in ends)


def _interval(ends: Sequence[float] | None) -> Interval | None:
    return None if ends is None else Interval(ends[0], ends[1])


def cost(found: Mapping[str, Any]) -> list[str]:
    """Who was asked, and what it took; or where the words come from, or could come from, when nobody was."""
    asked = found["asked"]
    if asked is None:
        return [f"Descriptions from {safe(found['brought'])}; nobody was asked." if found["brought"] else NOBODY]
    kept = (
        ""
        if not asked["kept"]
        else ", all of them answered before"
        if asked["kept"] == asked["questions"]
        else f", {asked['kept']} of them answered before"
    )
    who = f"{safe(asked['model'])} ({safe(asked['provider'])})"
    said = f"Asked {who}, pack {safe(asked['pack'])}: {many(asked['questions'], 'question')}{kept}; "
    if not asked["requests"]:
        return [said + "nothing was sent now."]
    tokens = "unknown" if asked["tokens_in"] is None else f"{asked['tokens_in']:,} in, {asked['tokens_out'] or 0:,} out"
    money = "unknown (no price is set)" if asked["cost"] is None else f"${asked['cost']:.4f}"
    return [said + f"{many(asked['requests'], 'request')} now; tokens: {tokens}; cost: {money}."]


def tables(found: Mapping[str, Any]) -> list[Table]:
    """Before and after with controls; a verdict for every class; what it cost others."""
    made = [_rows(found)] if len(_compared(found)) > 1 else []
    made.append(_classes(found))
    if found["collateral"] and found["collateral"]["lost"]:
        made.append(_collateral(found["collateral"], found["rows"][0].get("average_precision") is not None))
    return made


def _rows(found: Mapping[str, Any]) -> Table:
    rows, n = _compared(found), found["rows"][0]["n"]
    where = "that it was chosen on: in-sample" if found["in_sample"] else "that nothing was chosen on"
    k, differences = rows[0]["worst"]["k"], {one["control"]: one for one in found["against"]} | {rows[0]["name"]: found["gain"]}
    differences |= {row["name"]: found["over_names"] for row in rows if row["kind"] == "names"}
    if rows[0]["accuracy"] is None:
        cells = tuple((safe(row["name"]), cosine(row["cmm_top"]), percent(row["changed"])) for row in rows)
        heads = ("classifier", f">cmm-top of worst {k}", ">predictions changed %")
        return Table(f"Enrichment without labels, on {n} pictures {where}", heads, cells)

    def cell(row: Mapping[str, Any]) -> tuple[str, ...]:
        worst, other = row["worst"], differences.get(row["name"])
        after = "" if other is None else f"{signed(other['worst'])} {span(_interval(other['worst_interval']), sign=True)}"
        fixed = f"{percent(worst['fixed'])} {span(_interval(worst['fixed_interval']))}".strip()
        ranked = () if row.get("average_precision") is None else (percent(row["average_precision"]["mean"]),)
        figures = (*ranked, percent(row["accuracy"]), percent(row["mean"]), str(row["zeros"]), fixed)
        kept = f", kept for {row['kept']}" if row["kind"] == "control" else ""
        return (safe(row["name"]) + kept, *figures, after)

    shares = (">accuracy %",) if rows[0].get("average_precision") is None else (">mAP %", ">recall %")
    shown = ("classifier", *shares, ">mean %", ">at 0", f">fixed worst-{k} %", ">words add, points")
    note = (
        "Random words: as many and as long, the same for every class. Swapped: other classes' descriptions. Both went through the same "
        "keep step, and were kept for so many classes. The last column: with descriptions minus this row, in the fixed worst, with its "
        "paired 95 % interval."
    )
    return Table(f"Enrichment, on {n} pictures {where}", shown, tuple(map(cell, rows)), note)


def _compared(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rows that differ from each other: where nothing was kept, after is before."""
    kept = any(row["kept"] for row in found["classes"])
    return [row for row in found["rows"] if kept or row["kind"] != "after"]


def _classes(found: Mapping[str, Any]) -> Table:
    labelled = any(one["before"] is not None for one in found["classes"])
    rows = tuple(
        (
            safe(one["class"], 40),
            *((percent(one["before"]), percent(one["after"])) if labelled else ()),
            safe(short(one), 160),
            safe("; ".join(one["texts"][:1]), 100) + (f"; {len(one['texts']) - 1} more" if len(one["texts"]) > 1 else ""),
        )
        for one in found["classes"]
    )
    figures = (">before %", ">after %") if labelled else ()
    return Table("Enriched classes, worst first", ("class", *figures, "verdict on tune", "in use"), rows)


def short(row: Mapping[str, Any]) -> str:
    """The verdict of one class without its figures; those are in the run."""
    kept = ["name" if one["source"] in NAME_SOURCES else one["place"] for one in row["trials"] if one["kept"]]
    if kept or row["failure"] or not row["trials"]:
        return f"kept, {' and '.join(kept)}" if kept else str(row["verdict"])
    return max(row["trials"], key=lambda one: float(one["margin"]))["fault"] or "not wanted"


def _collateral(found: Mapping[str, Any], several: bool) -> Table:
    rows = tuple(
        (
            safe(one["class"], 40),
            percent(one["before"]),
            percent(one["after"]),
            ", ".join(f"{safe(t['class'], 30)} {t['takes']}" for t in one["taken"][:3]),
        )
        for one in found["lost"][:12]
    )
    note = f"{'Right answers' if several else 'Pictures'}: {found['gained_pictures']} gained, {found['lost_pictures']} lost."
    return Table(
        f"What it cost: {many(len(found['lost']), 'class', 'classes')} lost", ("class", ">before %", ">after %", "went to"), rows, note
    )


def found(made: "Enrichment", compared: "Comparison", classes: Classes, wanted: "Wanted") -> dict[str, Any]:
    """All that enrichment came to, as plain JSON: who was asked, every class with its verdict, rows and differences on eval."""
    before, after = compared.before.evaluation, compared.after.evaluation
    rows = []
    for case in made.ground.cases:
        c, said = case.c, made.said[case.c]
        trials = [one for one in made.found.trials if one.class_index == c]
        shown = [None if e.accuracy is None or np.isnan(e.per_class[c]) else float(e.per_class[c]) for e in (before, after)]
        in_use = [d.text for d in made.found.settled if d.class_id == classes.ids[c]]
        rows.append(
            {
                "class": classes.titles[c],
                "id": classes.ids[c],
                "rivals": [classes.titles[j] for j in case.rivals],
                "before": shown[0],
                "after": shown[1],
                "kept": any(one.kept for one in trials),
                "verdict": _verdict(said, trials),
                "texts": in_use,
                "trials": [trial(one) for one in trials],
                "dropped": [list(pair) for pair in said.dropped],
                "noted": [list(pair) for pair in said.noted],
                "reply": said.reply.key if isinstance(said.reply, Reply) else None,
                "failure": said.reply.reason if isinstance(said.reply, Failure) else None,
            }
        )
    judged = comparison(compared, classes)
    for row in judged["rows"]:
        if row["kind"] == "control":
            row["kept"] = len({one.class_id for one in made.found.controls[row["name"]] if one not in made.found.named})
    about = {"brought": wanted.descriptions, "in_sample": made.ground.material.in_sample}
    return {"asked": _asked(made, wanted), **about, "classes": rows, **judged}


def _verdict(said: "Said", trials: Sequence["Trial"]) -> str:
    """Why the class has the words that it has: kept, rejected with a reason, or failed with a reason."""
    kept = [one for one in trials if one.kept]
    if kept:
        return "; ".join(one.verdict for one in kept)
    if isinstance(said.reply, Failure):
        return f"failed: {said.reply.reason}"
    if trials:
        return max(trials, key=lambda one: one.change.value).verdict
    return f"nothing to try: {said.dropped[0][1]}" if said.dropped else "nothing to try"


def _asked(made: "Enrichment", wanted: "Wanted") -> dict[str, Any] | None:
    if made.endpoint is None:
        return None
    answers = [said.reply for said in made.said.values() if said.reply is not None]

    def total(values: Sequence[float | None]) -> Any:
        return None if any(value is None for value in values) else sum(value for value in values if value is not None)

    return {
        "provider": made.endpoint.provider,
        "model": made.endpoint.model,
        "pack": wanted.pack,
        "questions": len(answers),
        "kept": sum(isinstance(one, Reply) and one.kept for one in answers),
        "failed": sum(isinstance(one, Failure) for one in answers),
        "requests": sum(one.requests for one in answers),
        "tokens_in": total([one.tokens_in for one in answers if one.requests]),
        "tokens_out": total([one.tokens_out for one in answers if one.requests]),
        "cost": total([one.cost for one in answers if one.requests]),
    }
