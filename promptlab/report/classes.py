"""Every class of a workbench, as tables have it."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from promptlab.display import safe
from promptlab.report.tables import Table, cosine, percent, signed

if TYPE_CHECKING:
    from promptlab.workbench import Workbench


class ClassRow(NamedTuple):
    """One class on tune."""

    worst: int  # its place among all, 0 is the worst
    name: str
    pictures: int
    accuracy: float  # NaN without pictures; without labels the share that goes where the first ensemble put it
    change: float  # of accuracy since the run
    cmm: float
    rival: str  # who takes most of its pictures; empty when nobody takes any
    lost: float  # the share that the rival takes
    texts: int


HIGHEST_FIRST = ("pictures", "lost", "texts")
"""The fields of which the highest values are looked for; of all others the lowest."""
HEADS = ("class", ">pictures", ">accuracy %", ">change", ">cmm", "taken by", ">lost %", ">texts")


def rows_of(bench: "Workbench") -> dict[str, ClassRow]:
    """{class id: its row}, worst first."""
    now, base, titles = bench.now.standing, bench.base, bench.now.classes.titles
    order, change = bench.order(now), np.nan_to_num(now.accuracy - base.accuracy)
    order += sorted(set(range(len(titles))) - set(order))
    return {
        bench.dataset.classes.ids[c]: ClassRow(
            n,
            titles[c],
            int(now.count[c]),
            float(now.accuracy[c]),
            float(change[c]),
            float(now.cmm[c]),
            titles[now.taker[c]] if now.taker[c] >= 0 else "",
            float(now.lost[c]),
            int(bench.now.texts[c]),
        )
        for n, c in enumerate(order)
    }


def chosen(rows: dict[str, ClassRow], find: str = "", field: str = "worst", turned: bool = False) -> dict[str, ClassRow]:
    """The rows whose names hold some letters, ordered by a field; turned: the other way round. What has no value comes last."""
    place = ClassRow._fields.index(field)
    lowest = (field not in HIGHEST_FIRST) != turned

    def rank(pair: tuple[str, ClassRow]) -> Any:
        value = pair[1][place]
        return (False, value.casefold()) if isinstance(value, str) else (bool(np.isnan(value)), value if lowest else -value)

    found = {key: row for key, row in rows.items() if find.casefold() in row.name.casefold()}
    made = sorted(found.items(), key=rank)
    return dict(reversed(made) if turned and field in ("name", "rival") else made)


def cells(row: ClassRow) -> tuple[str, ...]:
    """The cells of a row, under HEADS."""
    change = signed(row.change) if row.change else "·"
    lost = percent(row.lost) if row.lost else ""
    return safe(row.name), str(row.pictures), percent(row.accuracy), change, cosine(row.cmm), safe(row.rival), lost, str(row.texts)


def table(rows: dict[str, ClassRow], labelled: bool, several: bool = False) -> Table:
    """Classes, a row each."""
    share = "agreement" if not labelled else "recall" if several else "accuracy"
    heads = tuple(head.replace("accuracy", share) for head in HEADS)
    note = "Change: since the run, in points. Taken by: the class that takes most of its pictures; lost: their share."
    return Table("", heads, tuple(map(cells, rows.values())), note)


def lead(bench: "Workbench") -> str:
    """What the figures stand on."""
    return (
        f"{safe(bench.run.name)}, on tune: {len(bench.tune.pictures)} pictures. Prompts are chosen on these, so the figures flatter; "
        "`promptlab run` judges on the others."
    )


def plain(bench: "Workbench", rows: dict[str, ClassRow]) -> dict[str, Any]:
    """The same as JSON; what has no value is null."""
    found = [
        {"class": row.name, "id": key, **{field: _value(value) for field, value in zip(row._fields[2:], row[2:], strict=True)}}
        for key, row in rows.items()
    ]
    return {"run": bench.run.name, "half": "tune", "pictures": len(bench.tune.pictures), "labelled": bench.labelled, "classes": found}


def _value(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value or None if isinstance(value, str) else value
