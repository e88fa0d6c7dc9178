"""promptlab templates"""

import click

from promptlab.cli import completion, options


@click.command()
@click.argument("name", required=False, default="", type=completion.TEMPLATES)
@options.output
def templates(name: str, as_json: bool, quiet: bool) -> None:
    """Template sets; with NAME (a set or a file) its templates."""
    from promptlab.cli import output
    from promptlab.display import safe
    from promptlab.lab import Lab
    from promptlab.report.tables import Table

    found = Lab.templates(name)
    if name:
        made = found[0].templates
        if as_json:
            output.show_json([{"name": t.name, "source": t.source} for t in made])
        else:
            output.show([Table("", ("=family", "source"), tuple((safe(t.name), safe(t.source)) for t in made))])
        return
    if as_json:
        output.show_json([{"name": s.name, "templates": len(s.templates), "about": s.about, "from": s.origin} for s in found])
        return
    rows = tuple((s.name, str(len(s.templates)), safe(s.about), s.origin) for s in found)
    output.show(
        [
            Table(
                "",
                ("set", ">templates", "what it is", "from"),
                rows,
                "Files work too: .txt (one per line), .json (a list), .toml.",
            )
        ]
    )
