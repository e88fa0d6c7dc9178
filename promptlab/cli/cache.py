"""promptlab cache"""

import math
import time
from typing import TYPE_CHECKING, Any

import click

from promptlab.cli import options

if TYPE_CHECKING:
    from promptlab.store import Cache

DAY = 86_400.0


@click.group(invoke_without_command=True)
@options.places
@options.output
@click.pass_context
def cache(context: click.Context, /, as_json: bool, quiet: bool, **flags: Any) -> None:
    """What the cache holds; `cache clean` deletes from it. Everything in it can be made again."""
    from promptlab.cli.diagnostics import listening
    from promptlab.config import Settings
    from promptlab.lab import Lab

    with listening(quiet) as listen:
        context.obj = Lab(Settings.load(flags), listen).cache
    if context.invoked_subcommand is None:
        _list(context.obj, as_json)


def _model(kept: "Cache", encoder: str) -> str:
    """What the user calls an encoder, with its precision; its fingerprint where nobody knows."""
    name = kept.models().get(encoder[:16])
    return f"{name}{encoder[16:].replace('-', ' ')}" if name else encoder


def _list(kept: "Cache", as_json: bool) -> None:
    from promptlab.cli import output
    from promptlab.display import safe
    from promptlab.report.tables import Table

    found = [(kind, encoder, _model(kept, encoder), size, newest) for kind, encoder, size, newest in kept.contents()]
    if as_json:
        heads = ("kind", "encoder", "model", "bytes", "changed")
        output.show_json({"folder": str(kept.root), "entries": [dict(zip(heads, row, strict=True)) for row in found]})
        return
    rows = tuple((kind, safe(model), f"{size / 1e6:.1f}", f"{(time.time() - newest) / DAY:.0f}") for kind, _, model, size, newest in found)
    total = sum(size for *_, size, _ in found) / 1e6
    output.show([Table(safe(str(kept.root)), ("kind", "model", ">MB", ">days old"), rows, f"{total:.1f} MB in all.")])


def _days(context: click.Context, option: click.Parameter, given: float | None) -> float | None:
    if given is not None and not 0 <= given < math.inf:
        raise click.BadParameter(f"{given}; a number of days, 0 or more, was expected.")
    return given


@cache.command()
@click.option("--older-than", "days", type=float, callback=_days, help="Only what nobody changed for so many days.")
@click.option("--encoder", metavar="MODEL", help="Only vectors of this model, as `promptlab cache` shows it.")
@click.option("--all", "everything", is_flag=True, help="All of it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.output
@click.pass_obj
def clean(kept: "Cache", days: float | None, encoder: str | None, everything: bool, yes: bool, as_json: bool, quiet: bool) -> None:
    """Delete vectors by age or model, or everything."""
    from promptlab.cli import output
    from promptlab.display import many, safe
    from promptlab.errors import UsageError, unknown_name

    if days is None and encoder is None and not everything:
        raise UsageError("Nothing says what to delete.", "Use --older-than DAYS, --encoder MODEL, or --all.")
    known = {name: {_model(kept, name), kept.models().get(name[:16], name), name} for _, name, *_ in kept.contents() if name}
    if encoder is not None and encoder not in set[str]().union(*known.values()):
        raise unknown_name("model in the cache", encoder, {_model(kept, name) for name in known})
    chosen = [
        (kind, name, size)
        for kind, name, size, newest in kept.contents()
        if (name or everything)  # what belongs to no encoder are notes of a few bytes
        and (days is None or time.time() - newest > days * DAY)
        and (encoder is None or encoder in known.get(name, ()))
    ]
    total = sum(size for *_, size in chosen) / 1e6
    said = f"{many(len(chosen), 'entry', 'entries')}, {total:.1f} MB"
    if chosen and not yes:
        click.confirm(f"Delete {said}, from {safe(str(kept.root))}?", abort=True, err=True)
    for kind, name, _ in chosen:
        kept.remove(kind, name)
    if as_json:
        output.show_json({"deleted": [{"kind": kind, "encoder": name, "bytes": size} for kind, name, size in chosen]})
    else:
        output.say(f"Deleted {said}.")
