"""Everything on stdout: results, as tables for people or one JSON object for programs."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from promptlab.display import safe, safe_json
from promptlab.report.tables import Table

GAP = 2  # between two columns
NARROW = 9  # what a column of text can be folded into
ENDLESS = 10_000


def show_json(value: Any) -> None:
    """One JSON object; NaN never occurs in it."""
    sys.stdout.write(safe_json(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)) + "\n")


def say(*lines: str) -> None:
    """Sentences, each on a line of its own; what comes from outside must have passed `display.safe`."""
    sys.stdout.write("".join(line + "\n" for line in lines))


def hand_on(text: str) -> None:
    """A file's text: unchanged where a program reads it, on a terminal each line made safe."""
    if sys.stdout.isatty():
        say(*(safe(line, ENDLESS) for line in text.removesuffix("\n").split("\n")))
    else:
        sys.stdout.write(text)


def show(tables: Iterable[Table], lead: Sequence[str] = ()) -> None:
    """Sentences, then tables that fit the terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(highlight=False, width=_room())
    for line in lead:
        console.print(Text(line))
    for table in (part for whole in tables for part in _fitting(whole, console.width)):
        drawn = RichTable(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
        for head in table.columns:
            number = head.startswith(">")
            drawn.add_column(
                Text(head.lstrip("=>")), justify="right" if number else "left", no_wrap=head.startswith(("=", ">")), overflow="fold"
            )
        for row in table.rows:
            drawn.add_row(*map(Text, row))
        console.print()
        if table.title:
            console.print(Text(table.title, style="bold"))
        # Wider than the terminal only for names that somebody will copy: those it may wrap itself.
        Console(highlight=False, width=max(console.width, _least(table))).print(drawn)
        if table.note:
            console.print(Text(table.note, style="dim"))


def _room() -> int | None:
    """Characters in a line: those of the terminal, or what COLUMNS says; without both nothing is wrapped."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else ENDLESS


def _least(table: Table) -> int:
    """The width under which names to copy would be folded."""
    columns = zip(table.columns, *table.rows, strict=True)
    sizes = [max(map(len, column)) if column[0].startswith(("=", ">")) else NARROW for column in columns]
    return _width(sizes, range(len(sizes))) if any(head.startswith("=") for head in table.columns) else 0


def _fitting(table: Table, width: int) -> list[Table]:
    """The table, or where its columns of numbers are too many for the terminal several, each with the first column."""
    sizes = [max(len(cell) for cell in column) for column in zip(table.columns, *table.rows, strict=True)]
    sizes = [size - head.startswith(">") * (size == len(head)) for size, head in zip(sizes, table.columns, strict=True)]
    numbers = [i for i, head in enumerate(table.columns) if head.startswith(">")]
    if len(numbers) < len(table.columns) - 1 or _width(sizes, [0, *numbers]) <= width:
        return [table]
    parts: list[list[int]] = [[]]
    for i in numbers:
        if parts[-1] and _width(sizes, [0, *parts[-1], i]) > width:
            parts.append([])
        parts[-1].append(i)
    cut = [
        Table(
            "" if n else table.title,
            tuple(table.columns[i] for i in [0, *part]),
            tuple(tuple(row[i] for i in [0, *part]) for row in table.rows),
        )
        for n, part in enumerate(parts)
    ]
    return [*cut[:-1], replace(cut[-1], note=table.note)]


def _width(sizes: Sequence[int], columns: Sequence[int]) -> int:
    return sum(sizes[i] for i in columns) + GAP * (len(columns) - 1)
