"""promptlab cache"""

import time
from pathlib import Path
from typing import Any

import click

from promptlab.cli import options

DAY = 86_400.0


@click.group(invoke_without_command=True)
@options.places
@options.output
@click.pass_context
def cache(context: click.Context, /, as_json: bool, quiet: bool, **flags: Any) -> None:
    """What the cache holds; `cache clean` deletes from it. Everything in it can be made again."""
    from promptlab.config import Settings
    from promptlab.lab import Lab

    context.obj = Lab(Settings.load(flags)).cache
    if context.invoked_subcommand is None:
        _list(context.obj, as_json)


def _list(kept: Any, as_json: bool) -> None:
    from promptlab.cli import output
    from promptlab.display import safe
    from promptlab.report.tables import Table

    found = kept.contents()
    if as_json:
        entries = [{"kind": kind, "encoder": encoder, "bytes": size, "changed": newest} for kind, encoder, size, newest in found]
        output.show_json({"folder": str(kept.root), "entries": entries})
        return
    rows = tuple((kind, encoder, f"{size / 1e6:.1f}", f"{(time.time() - newest) / DAY:.0f}") for kind, encoder, size, newest in found)
    total = sum(size for *_, size, _ in found) / 1e6
    output.show([Table(safe(str(kept.root)), ("kind", "encoder", ">MB", ">days old"), rows, f"{total:.1f} MB in all.")])


@cache.command()
@click.option("--older-than", "days", type=float, help="Only what nobody changed for so many days.")
@click.option("--encoder", help="Only this encoder, as `promptlab cache` shows it.")
@click.option("--all", "everything", is_flag=True, help="All of it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def clean(kept: Any, days: float | None, encoder: str | None, everything: bool, yes: bool) -> None:
    """Delete vectors by age or encoder."""
    from promptlab.cli import output
    from promptlab.errors import UsageError

    if days is None and encoder is None and not everything:
        raise UsageError("Nothing says what to delete.", "Use --older-than DAYS, --encoder NAME, or --all.")
    chosen = [
        (kind, name, size)
        for kind, name, size, newest in kept.contents()
        if name and (days is None or time.time() - newest > days * DAY) and (encoder is None or name.startswith(encoder))
    ]
    total = sum(size for *_, size in chosen) / 1e6
    if chosen and not yes:
        click.confirm(f"Delete {len(chosen)} entries, {total:.1f} MB, from {Path(kept.root)}?", abort=True, err=True)
    for kind, name, _ in chosen:
        kept.remove(kind, name)
    output.say(f"Deleted {len(chosen)} entries, {total:.1f} MB.")
