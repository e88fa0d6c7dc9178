"""promptlab runs"""

from pathlib import Path
from typing import Any

import click

from promptlab.cli import options


@click.group(invoke_without_command=True)
@options.places
@options.output
@click.pass_context
def runs(context: click.Context, /, as_json: bool, quiet: bool, **flags: Any) -> None:
    """Past runs, newest first; `runs show` and `runs remove` take one of them."""
    from promptlab.config import Settings

    context.obj = Path(Settings.load(flags).runs)
    if context.invoked_subcommand is None:
        _list(context.obj, as_json)


def _list(root: Path, as_json: bool) -> None:
    from promptlab import runs as folders
    from promptlab.cli import output
    from promptlab.display import safe
    from promptlab.report import tables

    found = folders.all_runs(root)
    if as_json:
        output.show_json([{"run": r.name, "path": str(r.path), "data": r.manifest.get("data"), "result": r.result} for r in found])
    elif found:
        output.show([tables.run_list([(r.name, r.manifest, r.result) for r in found])])
    else:
        output.say(f"There is no run in {safe(str(root))} yet. Start with: promptlab run photos/")


@runs.command()
@click.argument("name", required=False, default="")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the report.")
@click.pass_obj
def show(root: Path, name: str, as_json: bool) -> None:
    """The report of a run (default: the latest)."""
    from promptlab import runs as folders
    from promptlab.cli import output
    from promptlab.errors import UsageError

    run = folders.find(root, name)
    if as_json:
        output.show_json({"manifest": run.manifest, "result": run.result})
        return
    report = run.path / "report.md"
    if not report.is_file():
        raise UsageError(f"The run {run.name!r} has no report; it did not finish.", f"Go on with it: promptlab run --run {run.name}")
    output.say(report.read_text("utf-8").rstrip())


@runs.command()
@click.argument("names", nargs=-1, required=True, metavar="RUN...")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(root: Path, names: tuple[str, ...], yes: bool) -> None:
    """Delete runs."""
    from promptlab import runs as folders
    from promptlab.cli import output
    from promptlab.display import safe

    chosen = [folders.find(root, name) for name in names]
    if not yes:
        click.confirm(f"Delete {', '.join(run.name for run in chosen)}?", abort=True, err=True)
    for run in chosen:
        folders.remove(run)
        output.say(f"removed {safe(run.name)}")


@runs.command()
@click.option("--keep", type=click.IntRange(min=0), default=20, show_default=True, help="How many of the newest finished runs to keep.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def gc(root: Path, keep: int, yes: bool) -> None:
    """Delete unfinished runs and all but the newest finished ones; the latest run stays in any case."""
    from promptlab import runs as folders
    from promptlab.cli import output

    found = folders.all_runs(root)
    finished = [run for run in found if run.result is not None][:keep]
    kept = {run.name for run in [*found[:1], *finished]}
    chosen = [run for run in found if run.name not in kept]
    if chosen and not yes:
        click.confirm(f"Delete {len(chosen)} of {len(found)} runs?", abort=True, err=True)
    for run in chosen:
        folders.remove(run)
    output.say(f"Deleted {len(chosen)} runs, kept {len(found) - len(chosen)}.")
