"""The report of a run: sentences and tables, and the facts of its data."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from promptlab.display import many, safe
from promptlab.report import enrich, judged, markdown, tables
from promptlab.types import Check, Material

if TYPE_CHECKING:
    from promptlab.loops.run import Outcome


class Report(NamedTuple):
    """What a person is shown."""

    lead: tuple[str, ...]
    """Sentences above the tables."""
    tables: tuple[tables.Table, ...]
    """Headline, worst classes, families, health; the families cut to the first eight."""
    markdown: str
    """All of it: every family, worst sets of every size, classes won and lost, whether rules find the worst."""


def data(material: Material) -> dict[str, Any]:
    """What the numbers stand on: pictures, right answers and pictures without any where a picture may have several, classes, absent
    classes, skipped pictures. Plain JSON."""
    tune, told = material.tune.pictures, material.judged.pictures
    labels = [f.labels for f in (tune, told) if f.labels is not None]
    titles = material.dataset.classes.titles
    shown = [np.flatnonzero(one.any(0)) if one.ndim == 2 else one for one in labels]
    present = set(np.unique(np.concatenate(shown)).tolist()) if labels else None
    absent = None if present is None else [title for c, title in enumerate(titles) if c not in present]
    return {
        "name": material.dataset.name,
        "n": len(tune) + (0 if material.in_sample else len(told)),
        "tune": len(tune),
        "eval": len(told),
        "right_answers": None if material.tune.several is None else _answers(material),
        "unanswered": None if material.tune.several is None else _unanswered(material),
        "in_sample": material.in_sample,
        "classes": len(titles),
        "absent": None if absent is None else len(absent),
        "absent_classes": absent,
        "skipped": [{"picture": key, "reason": reason} for key, reason in material.skipped],
        "model": material.model or None,
        "by": material.dataset.by,
        "notes": list(material.dataset.notes),
    }


def _answers(material: Material) -> int:
    return len(material.tune) + (0 if material.in_sample else len(material.judged))


def _unanswered(material: Material) -> int:
    """Pictures that have no right answer: those that show none of the classes, or all."""
    halves = (material.tune,) if material.in_sample else (material.tune, material.judged)
    return sum(len(half.pictures) - len(np.unique(half.several.picture)) for half in halves if half.several is not None)


def report(
    outcome: "Outcome",
    material: Material,
    health: Sequence[Check],
    enrichment: Mapping[str, Any] | None = None,
    findings: Sequence[Mapping[str, Any]] = (),
) -> Report:
    """The report of what the main loop found, of the enrichment before it, and of what analyses found, as result.json keeps it."""
    name, classes = material.dataset.name, material.dataset.classes
    more = [] if enrichment is None else enrich.tables(enrichment)
    said = [] if enrichment is None else [*enrich.cost(enrichment), *enrich.verdict(enrichment)]
    lead = (*_about(outcome, material), judged.verdict(outcome), *said)
    before = (judged.headline(outcome, material.in_sample), judged.worst_classes(outcome, classes))
    few, every = (tables.families(outcome, most) for most in (8, None))
    after = tables.checks(health)
    whole = [*before, *more]
    if outcome.difference.sizes:
        whole.append(judged.worst_sets(outcome.baseline.evaluation, outcome.result.evaluation, outcome.difference))
    if outcome.changes is not None and (outcome.changes.won or outcome.changes.lost):
        whole.append(judged.class_changes(outcome.changes, classes, 24, material.judged.several is None))
    whole += [
        every,
        *([tables.ranking(outcome.ranking, judged.share(outcome.baseline.evaluation))] if outcome.ranking else []),
        *map(tables.finding, findings),
        after,
    ]
    return Report(lead, (*before, *more, few, after), markdown.report(f"promptlab: {safe(name)}", lead, whole))


def _about(outcome: "Outcome", material: Material) -> list[str]:
    facts = data(material)
    absent = f", {facts['absent']} of them without a picture" if facts["absent"] else ""
    model = safe(material.model) or "vectors that came with the data"
    answers = "" if facts["right_answers"] is None else f" with {many(facts['right_answers'], 'right answer')}"
    size = f"{many(facts['n'], 'picture')}{answers}, {facts['classes']} classes{absent}"
    said = [f"{safe(facts['name'])}: {size}; {many(len(outcome.weights.w), 'prompt family', 'prompt families')}; model: {model}."]
    if facts["absent"]:
        said.append(f"Without a picture: {', '.join(safe(t, 40) for t in facts['absent_classes'][:12])}{', ...' * (facts['absent'] > 12)}.")
    if facts["unanswered"]:
        show = "picture shows" if facts["unanswered"] == 1 else "pictures show"
        said.append(f"{facts['unanswered']} {show} none of the classes, or all: without a right answer, counted in mAP alone.")
    if material.skipped:
        key, reason = material.skipped[0]
        said.append(f"Left out: {many(len(material.skipped), 'picture')} that could not be read, e.g. {safe(key)}: {safe(reason)}.")
    return said + [safe(note, 400) for note in material.dataset.notes]
