"""promptlab classes"""

from typing import Any

import click

from promptlab.cli import completion, options

FIELDS = ("worst", "name", "pictures", "accuracy", "change", "cmm", "rival", "lost", "texts")


@click.command()
@click.option("--run", "run_name", type=completion.RUNS, default="", help="The run (default: the newest).")
@click.option("--find", metavar="LETTERS", default="", help="Only classes whose name holds these letters.")
@click.option("--sort", "field", type=click.Choice(FIELDS), default="worst", show_default=True, help="By what the classes are ordered.")
@click.option("--reverse", is_flag=True, help="The other way round.")
@click.option("--top", type=click.IntRange(min=1), help="Only so many of them (default: all).")
@options.loading
@options.places
@options.output
def classes(run_name: str, find: str, field: str, reverse: bool, top: int | None, as_json: bool, quiet: bool, **flags: Any) -> None:
    """Every class of a run with its prompts as they are now, worst first: what `promptlab tui` shows.

    The figures are of the half that prompts are tuned on. How the run did on the other half: `promptlab runs show`.
    """
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.config import Settings
    from promptlab.lab import Lab
    from promptlab.report import classes as report

    with listening(quiet) as listen:
        bench = Lab(Settings.load(flags), listen).workbench(run_name)
    rows = dict(list(report.chosen(report.rows_of(bench), find, field, reverse).items())[:top])
    if as_json:
        output.show_json(report.plain(bench, rows))
    else:
        output.show([report.table(rows, bench.labelled, bench.several)], [report.lead(bench)])
