"""promptlab compare"""

from typing import Any

import click

from promptlab.cli import completion, options


@click.command()
@click.argument("first", metavar="RUN", type=completion.RUNS)
@click.argument("second", metavar="RUN|CLASSIFIER", type=completion.RUNS_OR_FILES)
@options.places
@options.output
def compare(first: str, second: str, as_json: bool, quiet: bool, **flags: Any) -> None:
    """Compare two runs, or a run and a classifier file, on the pictures that the first run was judged on.

    Paired differences with 95 % intervals, and the classes that were won and lost. Run names: `promptlab runs`, or `latest`.
    """
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.config import Settings
    from promptlab.lab import Lab
    from promptlab.report import duels

    with listening(quiet) as listen:
        found, classes = Lab(Settings.load(flags), listen).compare(first, second)
    if as_json:
        output.show_json(duels.plain(found, classes))
    else:
        output.show(duels.tables_of(found, classes), [duels.verdict(found)])
