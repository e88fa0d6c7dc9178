"""promptlab plugins"""

import shlex
from typing import TYPE_CHECKING, Any

import click

from promptlab.cli import completion, options

if TYPE_CHECKING:
    from promptlab.report.tables import Table

KINDS = ("dataset", "rule", "encoder")


@click.group(invoke_without_command=True)
@options.output
@click.pass_context
def plugins(context: click.Context, /, as_json: bool, quiet: bool) -> None:
    """Every plugin there is: version, state, and what it adds."""
    if context.invoked_subcommand is None:
        _list(as_json, quiet)


@plugins.command("list")
@options.output
@click.pass_context
def list_(context: click.Context, /, as_json: bool, quiet: bool) -> None:
    """Every plugin there is; what `promptlab plugins` alone shows."""
    before = context.parent.params if context.parent else {}  # `plugins --json list` is meant alike
    _list(as_json or bool(before.get("as_json")), quiet or bool(before.get("quiet")))


@plugins.command()
@click.argument("name", type=completion.PLUGINS)
@options.output
def info(name: str, as_json: bool, quiet: bool) -> None:
    """All there is to say of a plugin, named by itself or by its package: where it lies, what it adds, what is wrong with it."""
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.lab import Lab

    with listening(quiet) as listen:
        found = Lab(listen=listen).plugin(name)
    if as_json:
        output.show_json(found)
    else:
        output.show([_about(one) for one in found])


@plugins.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), default=KINDS[0], help=f"What it adds (default: {KINDS[0]}).")
@click.option("--folder", type=completion.FOLDERS, default=".", help="Where its folder goes (default: here).")
@options.output
def new(name: str, kind: str, folder: str, as_json: bool, quiet: bool) -> None:
    """Write a new plugin: a package promptlab-NAME with a working example, a test that passes, and a README."""
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.display import safe
    from promptlab.lab import Lab

    with listening(quiet) as listen:
        made = Lab(listen=listen).new_plugin(name, kind, folder)
    if as_json:
        facts = {"name": made.name, "kind": made.kind, "module": made.module, "folder": str(made.folder), "files": list(made.files)}
        output.show_json(facts)
        return
    place = safe(shlex.quote(str(made.folder)), 400)
    steps = (f"pip install -e {place}", f"pytest {place}", f"promptlab plugins info {made.name}")
    output.say(f"Wrote {place}, a plugin with a {made.kind}: {', '.join(made.files)}.", "", "Next:", *(f"  {step}" for step in steps))


def _about(one: dict[str, Any]) -> "Table":
    from promptlab.display import safe
    from promptlab.report.tables import Table

    facts = [("state", one["state"]), *(("fault", fault) for fault in one["faults"])]
    facts += [("what it is", one["about"])] if one["about"] else []
    facts += [("package", f"{one['package']} {one['version']}" if one["package"] else f"none; its file is {one['version']}")]
    facts += [("origin", one["origin"]), ("seconds", f"{one['seconds']:.2f}")]
    facts += [(hook, ", ".join(names) or "listens") for hook, names in one["hooks"].items()]
    return Table(f"The plugin {safe(one['name'])}", ("what", "value"), tuple((what, safe(value, 400)) for what, value in facts))


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
    rows = tuple(
        (safe(p["name"]), safe(p["package"] or "a file"), safe(p["version"]), p["state"], safe(_adds(p["hooks"]), 200)) for p in found
    )
    note = "" if all(p["state"] == "works" for p in found) else "What is wrong, and where it lies: promptlab plugins info NAME"
    output.show([Table("", ("plugin", "from", "version", "state", "adds"), rows or (("none", "", "", "", ""),), note)])


def _adds(hooks: dict[str, list[str]]) -> str:
    """`datasets: everyday; encoders: mini`."""
    short = {hook.removeprefix("promptlab_"): names for hook, names in hooks.items()}
    return "; ".join(f"{hook}: {', '.join(names)}" if names else "listens" for hook, names in short.items())
