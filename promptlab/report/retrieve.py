"""Retrieval as JSON, sentences and tables."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from promptlab.display import many, safe
from promptlab.report import markdown
from promptlab.report.run import Report
from promptlab.report.tables import Table, checks, cosine, percent, signed, span, with_interval
from promptlab.types import Captioned, Interval, Recall

if TYPE_CHECKING:
    from promptlab.loops.retrieve import Outcome, Row

CAPTIONS, PICTURES = "captions", "pictures"  # what is looked for


def found(outcome: "Outcome", material: Captioned, hard: int) -> dict[str, Any]:
    """The JSON object: recalls of both rows, their differences, and the queries that find their right answer last."""
    return {
        "task": "retrieve",
        "data": _data(outcome, material),
        "plain": _row(outcome.plain),
        "result": _row(outcome.result),
        "difference": {
            what: [
                {"k": k, "change": b - a, "interval": [interval.low, interval.high], "clear": interval.clear}
                for k, a, b, interval in zip(first.ks, first.share, second.share, intervals, strict=True)
            ]
            for what, first, second, intervals in _pairs(outcome)
        },
        "weights": dict(zip(outcome.weights.families, outcome.weights.overall.tolist(), strict=True)),
        "hard": {CAPTIONS: hard_pictures(outcome, material, hard), PICTURES: hard_captions(outcome, material, hard)},
        "health": [{"name": one.name, "text": one.text} for one in outcome.health],
    }


def _data(outcome: "Outcome", material: Captioned) -> dict[str, Any]:
    return {
        "name": material.dataset.name,
        "pictures": len(material.judged),
        "captions": len(outcome.texts),
        "tune": 0 if material.in_sample else len(material.tune),
        "model": material.model,
        "by": material.dataset.by,
        "skipped": [{"picture": key, "reason": reason} for key, reason in material.skipped],
        "notes": list(material.dataset.notes),
    }


def _pairs(outcome: "Outcome") -> list[tuple[str, Recall, Recall, tuple[Interval, ...]]]:
    plain, result, (there, back) = outcome.plain, outcome.result, outcome.differences
    return [(CAPTIONS, plain.captions, result.captions, there), (PICTURES, plain.pictures, result.pictures, back)]


def _row(row: "Row") -> dict[str, Any]:
    return {"name": row.name, CAPTIONS: _recall(row.captions), PICTURES: _recall(row.pictures)}


def _recall(one: Recall) -> dict[str, Any]:
    return {
        "queries": len(one.rank),
        "recall": {f"@{k}": share for k, share in zip(one.ks, one.share, strict=True)},
        "interval": {f"@{k}": [interval.low, interval.high] for k, interval in zip(one.ks, one.interval, strict=True)},
        "chance": {f"@{k}": share for k, share in zip(one.ks, one.chance, strict=True)},
        "median_place": one.median,
    }


def _last(one: Recall, most: int) -> Sequence[int]:
    """The queries whose right answer stands last; of equal ones those whose best wrong answer is furthest above it."""
    wrong = np.flatnonzero(one.rank > 0)
    order: list[int] = wrong[np.lexsort((wrong, one.gap[wrong], -one.rank[wrong]))][:most].tolist()
    return order


def hard_pictures(outcome: "Outcome", material: Captioned, most: int) -> list[dict[str, Any]]:
    """Pictures whose captions are found last: the best of them, its place, and the caption that comes first."""
    one, texts, keys = outcome.result.captions, material.judged_captions.texts, material.judged.keys
    return [
        {
            "picture": keys[i],
            "place": int(one.rank[i]) + 1,
            "caption": texts[outcome.texts[one.right[i]]],
            "first": texts[outcome.texts[one.first[i]]],
            "margin": float(one.gap[i]),
        }
        for i in _last(one, most)
    ]


def hard_captions(outcome: "Outcome", material: Captioned, most: int) -> list[dict[str, Any]]:
    """Captions whose pictures are found last: the picture, its place, and the picture that comes first."""
    one, texts, keys = outcome.result.pictures, material.judged_captions.texts, material.judged.keys
    return [
        {
            "caption": texts[outcome.texts[i]],
            "place": int(one.rank[i]) + 1,
            "picture": keys[one.right[i]],
            "first": keys[one.first[i]],
            "margin": float(one.gap[i]),
        }
        for i in _last(one, most)
    ]


def report(outcome: "Outcome", material: Captioned, made: Mapping[str, Any]) -> Report:
    """What a person is shown. made: what `found` gave."""
    lead = (*_about(outcome, material), *_verdict(outcome))
    tables = [_table(*pair) for pair in zip(TITLES, _pairs(outcome), _names(outcome), strict=True)]
    hard = [_hard_pictures(made["hard"][CAPTIONS]), _hard_captions(made["hard"][PICTURES])]
    whole = (*tables, *(table for table in hard if table.rows), checks(outcome.health))
    return Report(lead, whole, markdown.report(f"promptlab: {safe(material.dataset.name)}, retrieval", lead, whole))


TITLES = ("Captions for pictures: a picture looks for one of its own", "Pictures for captions: a caption looks for its picture")


def _names(outcome: "Outcome") -> list[tuple[str, str]]:
    return [(outcome.plain.name, outcome.result.name)] * 2


def _about(outcome: "Outcome", material: Captioned) -> list[str]:
    size = f"{many(len(material.judged), 'picture')} and {many(len(outcome.texts), 'caption')}"
    families = many(len(outcome.weights.families), "prompt family", "prompt families")
    said = [f"{safe(material.dataset.name)}: {size}; {families}; model: {safe(material.model)}."]
    if material.skipped:
        key, reason = material.skipped[0]
        said.append(f"Left out: {many(len(material.skipped), 'picture')} that could not be read, e.g. {safe(key)}: {safe(reason)}.")
    return said + [safe(note, 400) for note in material.dataset.notes]


def _verdict(outcome: "Outcome") -> list[str]:
    """What families change, in a sentence for each direction."""
    said = []
    for what, first, second, intervals in _pairs(outcome):
        parts = []
        for k, a, b, interval in zip(first.ks, first.share, second.share, intervals, strict=True):
            clear = ("better" if b > a else "worse") if interval.clear else "no clear change"
            parts.append(f"@{k} {clear} ({signed(b - a)} {span(interval, sign=True)})")
        said.append(f"{outcome.result.name} against plain captions, {what} found: {', '.join(parts)}.")
    return said


def _table(title: str, pair: tuple[str, Recall, Recall, tuple[Interval, ...]], names: tuple[str, str]) -> Table:
    _, first, second, _ = pair
    heads = ("captions", *(f">recall@{k} %" for k in first.ks), ">median place")
    rows = tuple(
        (safe(name), *(with_interval(s, i) for s, i in zip(one.share, one.interval, strict=True)), f"{one.median:g}")
        for name, one in zip(names, (first, second), strict=True)
    )
    guessing = ", ".join(f"@{k} {percent(share)}" for k, share in zip(first.ks, first.chance, strict=True))
    return Table(title, heads, rows, f"Brackets: 95 % intervals, over pictures. Guessing: {guessing} %.")


def _hard_pictures(rows: Sequence[Mapping[str, Any]]) -> Table:
    cells = tuple(
        (safe(row["picture"], 40), str(row["place"]), safe(row["caption"], 60), safe(row["first"], 60), cosine(row["margin"]))
        for row in rows
    )
    heads = ("picture", ">place", "its best caption", "comes first", ">margin")
    return Table("Pictures whose captions are found last", heads, cells, "Margin: its best caption - the best wrong one, in cosine units.")


def _hard_captions(rows: Sequence[Mapping[str, Any]]) -> Table:
    cells = tuple(
        (safe(row["caption"], 60), str(row["place"]), safe(row["picture"], 40), safe(row["first"], 40), cosine(row["margin"]))
        for row in rows
    )
    heads = ("caption", ">place", "its picture", "comes first", ">margin")
    return Table("Captions whose pictures are found last", heads, cells, "Margin: its picture - the best wrong one, in cosine units.")


def _words(row: Mapping[str, Any], what: str) -> tuple[str, str]:
    """The right answer, and what comes before it."""
    return safe(row[what], 60), safe(row["first"], 60)
