"""What retrieval found: as plain JSON, as sentences, and as tables of that JSON, so that a kept run is told like a new one."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from promptlab.display import many, safe
from promptlab.report import markdown
from promptlab.report.run import Report
from promptlab.report.tables import Table, cosine, percent, signed, span, tail, with_interval
from promptlab.types import Array, Captioned, Interval, Recall

if TYPE_CHECKING:
    from promptlab.loops.retrieve import Outcome, Row

CAPTIONS, PICTURES = "captions", "pictures"  # what is looked for
WAYS = {
    CAPTIONS: "Captions for pictures: a picture looks for one of its own",
    PICTURES: "Pictures for captions: a caption looks for its picture",
}
LAST = {CAPTIONS: "Pictures whose captions are found last", PICTURES: "Captions whose pictures are found last"}
FEW = 8  # hard ones in the terminal; more are in the report


def result(outcome: "Outcome", material: Captioned, *, run: str, how: str, hard: int, seconds: Mapping[str, float]) -> dict[str, Any]:
    """The whole result. Recalls are fractions, places count from 1, margins are cosines. how: the way of weighing. hard: how many of the
    queries that find their right answer last are listed, each way."""
    chosen = how != "uniform"
    return {
        "run": run,
        "task": "retrieve",
        "data": {
            "name": material.dataset.name,
            "pictures": len(material.judged),
            "captions": len(outcome.texts),
            "tune": len(material.tune) if chosen else 0,
            "in_sample": chosen and material.in_sample,
            "skipped": [{"picture": key, "reason": reason} for key, reason in material.skipped],
            "model": material.model,
            "by": material.dataset.by,
            "notes": list(material.dataset.notes),
        },
        "method": {"weights": how, "families": len(outcome.weights.families), "effective_families": outcome.weights.effective},
        "plain": _row(outcome.plain),
        "baseline": _row(outcome.baseline),
        "result": _row(outcome.result),
        "difference": {"against": outcome.reference.name, CAPTIONS: _differences(outcome, 0), PICTURES: _differences(outcome, 1)},
        "families": [{"name": f, "weight": w} for f, w in zip(outcome.weights.families, outcome.weights.overall.tolist(), strict=True)],
        "hard": {CAPTIONS: _pictures(outcome, material, hard), PICTURES: _captions(outcome, material, hard)},
        "health": [{"name": one.name, "text": one.text} for one in outcome.health],
        "seconds": dict(seconds),
        "encoded": dict(material.encoded),
    }


def _row(row: "Row") -> dict[str, Any]:
    return {"name": row.name, CAPTIONS: _recall(row.captions), PICTURES: _recall(row.pictures)}


def _recall(one: Recall) -> dict[str, Any]:
    at = [
        {"k": k, "recall": share, "interval": [interval.low, interval.high], "chance": chance}
        for k, share, interval, chance in zip(one.ks, one.share, one.interval, one.chance, strict=True)
    ]
    return {"queries": len(one.rank), "median_place": one.median, "at": at}


def _differences(outcome: "Outcome", way: int) -> list[dict[str, Any]]:
    before, after = ((row.captions, row.pictures)[way] for row in (outcome.reference, outcome.result))
    return [
        {"k": k, "change": b - a, "interval": [interval.low, interval.high]}
        for k, a, b, interval in zip(before.ks, before.share, after.share, outcome.differences[way], strict=True)
    ]


def _last(one: Recall, most: int) -> Array:
    """The queries whose right answer stands last; of equal places first those whose best wrong answer is furthest above it."""
    wrong = np.flatnonzero(one.rank > 0)
    return wrong[np.lexsort((wrong, one.gap[wrong], -one.rank[wrong]))][:most]


def _pictures(outcome: "Outcome", material: Captioned, most: int) -> list[dict[str, Any]]:
    """Pictures whose captions are found last: the best of them, its place, and the caption that comes first."""
    one, keys, texts = outcome.result.captions, material.judged.keys, material.judged_captions.texts
    return [
        {
            "picture": keys[i],
            "place": int(one.rank[i]) + 1,
            "right": texts[outcome.texts[one.right[i]]],
            "first": texts[outcome.texts[one.first[i]]],
            "margin": float(one.gap[i]),
        }
        for i in _last(one, most)
    ]


def _captions(outcome: "Outcome", material: Captioned, most: int) -> list[dict[str, Any]]:
    """Captions whose pictures are found last: the picture, its place, and the picture that comes first."""
    one, keys, texts = outcome.result.pictures, material.judged.keys, material.judged_captions.texts
    return [
        {
            "caption": texts[outcome.texts[i]],
            "place": int(one.rank[i]) + 1,
            "right": keys[one.right[i]],
            "first": keys[one.first[i]],
            "margin": float(one.gap[i]),
        }
        for i in _last(one, most)
    ]


# -- what a person is shown ---------------------------------------------------------------------------------------------------------


def report(found: Mapping[str, Any]) -> Report:
    """Sentences and tables of result.json."""
    said, whole = lead(found), tables(found, None)
    return Report(
        tuple(said), tuple(tables(found, FEW)), markdown.report(f"promptlab retrieve: {safe(found['data']['name'])}", said, whole)
    )


def lead(found: Mapping[str, Any]) -> list[str]:
    """What was done, and what templates change."""
    data, method = found["data"], found["method"]
    size = f"{many(data['pictures'], 'picture')}, {many(data['captions'], 'caption')}"
    said = [
        f"{safe(data['name'])}: {size}; {many(method['families'], 'template')}, {safe(method['weights'])}; model: {safe(data['model'])}."
    ]
    if data["skipped"]:
        first, left = data["skipped"][0], many(len(data["skipped"]), "picture")
        said.append(f"Left out: {left} that could not be read, e.g. {safe(first['picture'])}: {safe(first['reason'])}.")
    said += [safe(note, 400) for note in data["notes"]]
    if data["in_sample"]:
        said.append("In-sample: told on the pictures that the weights were chosen on.")
    elif data["tune"]:
        said.append(f"The weights were chosen on {many(data['tune'], 'other picture')}.")
    return [*said, *(_found(found, way) for way in WAYS), *(verdict(found, way) for way in WAYS)]


def _found(found: Mapping[str, Any], way: str) -> str:
    """How many find what they look for, beside guessing."""
    one = found["result"][way]
    what = {CAPTIONS: ("picture", "one of their captions"), PICTURES: ("caption", "their picture")}[way]
    first, *more = (f"{percent(at['recall'])} % (guessing {percent(at['chance'])})" for at in one["at"])
    among = ", ".join(f"{share} among the first {at['k']}" for share, at in zip(more, one["at"][1:], strict=True))
    return f"Of {many(one['queries'], what[0])} {first} find {what[1]} first, {among}."


def verdict(found: Mapping[str, Any], way: str) -> str:
    """What templates change in one direction, or their weights."""
    parts = []
    for one in found["difference"][way]:
        interval = Interval(*one["interval"])
        word = ("better" if one["change"] > 0 else "worse") if interval.clear else "no clear change"
        parts.append(f"recall@{one['k']} {word}, {signed(one['change'])} points {span(interval, sign=True)}")
    what = "Templates" if found["result"]["name"] == found["baseline"]["name"] else safe(found["result"]["name"])
    return f"{what} against {safe(found['difference']['against'])}, {way} found: {'; '.join(parts)}."


def tables(found: Mapping[str, Any], most: int | None) -> list[Table]:
    """Recalls both ways, the hardest queries each way where there are any, cut to `most`, and health."""
    hard = (_hard(found, way, most) for way in WAYS)
    return [*recalls(found), *(table for table in hard if table.rows), health(found)]


def recalls(found: Mapping[str, Any]) -> list[Table]:
    """A table for each direction."""
    made = []
    for way, title in WAYS.items():
        rows = list({found[name]["name"]: found[name][way] for name in ("plain", "baseline", "result")}.items())
        cells = tuple((safe(name), *map(_share, one["at"]), f"{one['median_place']:g}") for name, one in rows)
        heads = ("captions", *(f">recall@{at['k']} %" for at in rows[0][1]["at"]), ">median place")
        guessing = ", ".join(f"@{at['k']} {percent(at['chance'])}" for at in rows[0][1]["at"])
        where = ", in-sample" if found["data"]["in_sample"] else ""
        made.append(Table(title + where, heads, cells, f"Brackets: 95 % intervals, over pictures. Guessing: {guessing} %."))
    return made


def _share(at: Mapping[str, Any]) -> str:
    return with_interval(at["recall"], Interval(*at["interval"]))


def _hard(found: Mapping[str, Any], way: str, most: int | None) -> Table:
    what = {CAPTIONS: "picture", PICTURES: "caption"}[way]
    every: Sequence[Mapping[str, Any]] = found["hard"][way]
    asked, answer = (tail, safe) if way == CAPTIONS else (safe, tail)
    rows = tuple(
        (asked(one[what], 60), str(one["place"]), answer(one["right"], 60), answer(one["first"], 60), cosine(one["margin"]))
        for one in every[:most]
    )
    left = f" {len(every) - len(rows)} more are in the report." if len(rows) < len(every) else ""
    note = f"Margin: the best right answer minus the best wrong one, in cosine units.{left}"
    heads = (what, ">place", "best right answer", "comes first", ">margin")
    return Table(LAST[way], heads, rows, note)


def pictures(found: Mapping[str, Any], most: int) -> set[str]:
    """The pictures of the first hard ones, each way."""
    there, back = (found["hard"][way][:most] for way in WAYS)
    return {one["picture"] for one in there} | {one[which] for one in back for which in ("right", "first")}


def health(found: Mapping[str, Any]) -> Table:
    """The checks that fired."""
    rows = tuple((safe(check["name"]), safe(check["text"], 400)) for check in found["health"])
    return Table("Health", ("check", "what it means"), rows or (("all clear", "no check fired"),))
