"""promptlab runs"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptlab.cli import completion, options

if TYPE_CHECKING:
    from promptlab.runs import Run


@click.group(invoke_without_command=True)
@options.places
@options.output
@click.pass_context
def runs(context: click.Context, /, as_json: bool, quiet: bool, **flags: Any) -> None:
    """Past runs, newest first; the commands below take their names, or parts of them, and `latest`."""
    from promptlab.config import Settings

    context.obj = Path(Settings.load(flags).runs)
    if context.invoked_subcommand is None:
        _list(context.obj, as_json)


@runs.command("list")
@options.output
@click.pass_obj
def list_(root: Path, as_json: bool, quiet: bool) -> None:
    """Past runs, newest first; what `promptlab runs` alone shows."""
    _list(root, as_json)


def _list(root: Path, as_json: bool) -> None:
    from promptlab import runs as folders
    from promptlab.cli import output
    from promptlab.display import safe
    from promptlab.report import tables

    found = [(run, run.state) for run in folders.all_runs(root)]
    if as_json:
        output.show_json(
            [{"run": r.name, "path": str(r.path), "state": s, "data": r.manifest.get("data"), "result": r.result} for r, s in found]
        )
    elif found:
        output.show([tables.run_list([(r.name, s, r.manifest, r.result) for r, s in found])])
    else:
        output.say(f"There is no run in {safe(str(root))} yet. Start with: promptlab run photos/")


@runs.command()
@click.argument("name", metavar="RUN", required=False, default="latest", type=completion.RUNS)
@options.output
@click.pass_obj
def show(root: Path, name: str, as_json: bool, quiet: bool) -> None:
    """The report of a run (default: the latest)."""
    from promptlab import runs as folders
    from promptlab.cli import output
    from promptlab.display import safe
    from promptlab.errors import UsageError

    run = folders.find(root, name)
    if as_json:
        output.show_json({"manifest": run.manifest, "state": run.state, "result": run.result})
        return
    report = run.path / ("study.md" if run.state == "studied" else "report.md")
    if not report.is_file():
        raise UsageError(
            f"The run {run.name!r} has no report: it is {run.state}.",
            f"Go on with it: promptlab {folders.VERBS.get(run.task, 'run')} --run {run.name}",
        )
    # Whoever gave us the folder may have written the report, too.
    output.say(*(safe(line, 10_000) for line in report.read_text("utf-8", errors="backslashreplace").rstrip().splitlines()))


@runs.command()
@click.argument("names", nargs=-1, required=True, metavar="RUN...", type=completion.RUNS)
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.output
@click.pass_obj
def remove(root: Path, names: tuple[str, ...], yes: bool, as_json: bool, quiet: bool) -> None:
    """Delete runs."""
    from promptlab import runs as folders
    from promptlab.display import safe

    chosen = {run.path: run for run in (folders.find(root, name) for name in names)}.values()
    if not yes:
        click.confirm(f"Delete {', '.join(safe(run.name) for run in chosen)}?", abort=True, err=True)
    _delete(list(chosen), as_json, "")


@runs.command()
@click.argument("name", metavar="RUN", type=completion.RUNS)
@click.argument("folder", type=completion.FOLDERS)
@click.option("--also", multiple=True, type=click.Choice(("pt", "npz")), help="The classifier in this format, too; may be repeated.")
@click.option("--yes", is_flag=True, help="Do not ask before files are overwritten.")
@options.output
@click.pass_obj
def export(root: Path, name: str, folder: str, also: tuple[str, ...], yes: bool, as_json: bool, quiet: bool) -> None:
    """Copy classifier, reports, prompts and results of a finished run into FOLDER."""
    from promptlab import portable
    from promptlab import runs as folders
    from promptlab.cli import output
    from promptlab.display import many, safe

    run, target = folders.find(root, name), Path(folder)
    more = [target / f"classifier.{kind}" for kind in dict.fromkeys(also)]
    there = [path.name for path in (*folders.exported(run, target).values(), *more) if path.exists()]
    if there and not yes:
        click.confirm(f"Overwrite {', '.join(there)} in {safe(folder)}?", abort=True, err=True)
    for path in more:  # first: a classifier that they cannot hold leaves the folder as it was
        portable.save(path, folders.load_classifier(run.classifier))
    files = [*folders.export(run, target), *more]
    if as_json:
        output.show_json({"run": run.name, "files": [str(path) for path in files]})
    else:
        output.say(f"Copied {many(len(files), 'file')} of {safe(run.name)} to {safe(folder)}.")


@runs.command()
@click.option("--keep", type=click.IntRange(min=0), default=20, show_default=True, help="How many of the newest finished runs to keep.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.output
@click.pass_obj
def gc(root: Path, keep: int, yes: bool, as_json: bool, quiet: bool) -> None:
    """Delete runs that were broken off, and all but the newest that were finished, built or scored.

    The latest run and those that a process works on now stay in any case.
    """
    from promptlab import runs as folders
    from promptlab.display import many

    found = [(run, run.state) for run in folders.all_runs(root)]
    whole = [run.path for run, state in found if state in ("finished", "built", "scored", "studied")][:keep]
    stay = {*whole, *(run.path for run, state in found if state == "running"), (root / "latest").resolve()}
    chosen = [run for run, _ in found if run.path.resolve() not in {path.resolve() for path in stay}]
    if chosen and not yes:
        click.confirm(f"Delete {len(chosen)} of {many(len(found), 'run')}?", abort=True, err=True)
    _delete(chosen, as_json, f", kept {len(found) - len(chosen)}")


def _delete(chosen: "Sequence[Run]", as_json: bool, kept: str) -> None:
    from promptlab import runs as folders
    from promptlab.cli import output
    from promptlab.display import many, safe

    for run in chosen:
        folders.remove(run)
    if as_json:
        output.show_json({"deleted": [run.name for run in chosen]})
    else:
        output.say(*(f"removed {safe(run.name)}" for run in chosen), f"Deleted {many(len(chosen), 'run')}{kept}.")
