"""Everything on stdout: results, as tables for people or one JSON object for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from promptlab.report.tables import Table


def show_json(value: Any) -> None:
    """One JSON object; NaN never occurs in it."""
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def say(*lines: str) -> None:
    """Sentences, each on a line of its own; what comes from outside must have passed `display.safe`."""
    sys.stdout.write("".join(line + "\n" for line in lines))


def show(tables: Iterable[Table], lead: Sequence[str] = ()) -> None:
    """Sentences, then tables that fit the terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=False)
    for line in lead:
        console.print(Text(line))
    for table in tables:
        drawn = RichTable(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
        for head in table.columns:
            number = head.startswith(">")
            drawn.add_column(Text(head.removeprefix(">")), justify="right" if number else "left", no_wrap=number, overflow="fold")
        for row in table.rows:
            drawn.add_row(*map(Text, row))
        console.print()
        if table.title:
            console.print(Text(table.title, style="bold"))
        console.print(drawn)
        if table.note:
            console.print(Text(table.note, style="dim"))
