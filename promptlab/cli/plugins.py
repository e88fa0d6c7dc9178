"""promptlab plugins"""

import click

from promptlab.cli import options


@click.group(invoke_without_command=True)
@options.output
@click.pass_context
def plugins(context: click.Context, /, as_json: bool, quiet: bool) -> None:
    """Every installed plugin: version, state, and what it adds."""
    if context.invoked_subcommand is None:
        _list(as_json, quiet)


@plugins.command("list")
@options.output
def list_(as_json: bool, quiet: bool) -> None:
    """Every installed plugin; what `promptlab plugins` alone shows."""
    _list(as_json, quiet)


def _list(as_json: bool, quiet: bool) -> None:
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.display import safe
    from promptlab.lab import Lab
    from promptlab.report.tables import Table

    with listening(quiet) as listen:
        found = Lab(listen=listen).plugin_list()
    if as_json:
        output.show_json(found)
        return
    rows = tuple((safe(p["name"]), safe(p["version"]), safe(p["state"]), safe(", ".join(p["adds"]))) for p in found)
    output.show([Table("", ("plugin", "version", "state", "adds"), rows or (("none", "", "", ""),))])
