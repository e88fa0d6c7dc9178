"""The report as markdown."""

from collections.abc import Sequence

from promptlab.report.tables import Table


def escape(text: str) -> str:
    """Text that markdown shows as it is, in a table cell too."""
    for sign in "\\`*_[]<>|#~":
        text = text.replace(sign, "\\" + sign)
    return text


def table(made: Table) -> str:
    """One table, with its title and note."""
    heads = [escape(c.lstrip("=>")) for c in made.columns]
    rule = ["---:" if c.startswith(">") else "---" for c in made.columns]
    lines = [heads, rule, *([escape(cell) for cell in row] for row in made.rows)]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return "\n\n".join(part for part in (f"## {escape(made.title)}" if made.title else "", body, escape(made.note)) if part)


def report(title: str, lead: Sequence[str], tables: Sequence[Table]) -> str:
    """A whole report: title, sentences, tables."""
    return "\n\n".join([f"# {escape(title)}", *map(escape, lead), *map(table, tables)]) + "\n"
