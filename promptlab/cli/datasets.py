"""promptlab datasets"""

import click

from promptlab.cli import options


@click.command()
@options.output
def datasets(as_json: bool, quiet: bool) -> None:
    """What data can be read, and by which plugin."""
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.display import safe
    from promptlab.lab import Lab
    from promptlab.report.tables import Table

    with listening(quiet) as listen:
        found = Lab(listen=listen).sources
    if as_json:
        output.show_json([{"name": n, "about": s.about, "example": s.example, "plugin": plugin} for n, (s, plugin, *_) in found.items()])
        return
    rows = tuple((safe(n), safe(s.about), safe(s.example), safe(plugin)) for n, (s, plugin, *_) in found.items())
    output.show([Table("", ("dataset", "what it is", "example", "from"), rows)])
