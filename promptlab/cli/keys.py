"""promptlab keys"""

import sys

import click

from promptlab.cli import options


@click.group(invoke_without_command=True)
@options.output
@click.pass_context
def keys(context: click.Context, /, as_json: bool, quiet: bool) -> None:
    """API keys of language models: each belongs to one host, and is sent to no other."""
    if context.invoked_subcommand is None:
        _list(as_json)


@keys.command("list")
@options.output
def list_(as_json: bool, quiet: bool) -> None:
    """Every key's host, place and last four characters; what `promptlab keys` alone shows."""
    _list(as_json)


def _list(as_json: bool) -> None:
    from promptlab import keys as kept
    from promptlab.cli import output
    from promptlab.display import safe
    from promptlab.report.tables import Table

    rows = [(key.host, key.source, key.masked) for key in kept.listed()]
    if as_json:
        output.show_json([dict(zip(("host", "source", "key"), row, strict=True)) for row in rows])
        return
    shown = tuple(tuple(safe(cell) for cell in row) for row in rows)
    output.show([Table("", ("host", "from", "key"), shown or (("none", "", ""),), "`promptlab keys set HOST` keeps one.")])


@keys.command("set")
@click.argument("host")
@options.output
def set_(host: str, as_json: bool, quiet: bool) -> None:
    """Keep the key for a host, e.g. api.openai.com. It is asked for, or read from a pipe; it is never an argument."""
    from promptlab import keys as kept
    from promptlab.cli import output
    from promptlab.display import safe

    name = kept.host_named(host)
    asked = sys.stdin.isatty()
    # Other users can see a command's words, and the shell writes them down.
    secret = click.prompt(f"Key for {name}", hide_input=True, err=True) if asked else sys.stdin.readline()
    key = kept.keep(name, secret.strip())
    if as_json:
        output.show_json({"host": key.host, "source": key.source, "key": key.masked})
    else:
        output.say(f"Kept the key for {key.host} ({key.masked}) in {safe(key.source)}.")


@keys.command()
@click.argument("host")
@options.output
def remove(host: str, as_json: bool, quiet: bool) -> None:
    """Forget the key for a host."""
    from promptlab import keys as kept
    from promptlab.cli import output

    kept.forget(host)
    if as_json:
        output.show_json({"removed": kept.host_named(host)})
    else:
        output.say(f"Removed the key for {kept.host_named(host)}.")
