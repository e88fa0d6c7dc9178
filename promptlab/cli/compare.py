"""promptlab compare"""

from typing import Any

import click

from promptlab.cli import completion, options


@click.command()
@click.argument("first", metavar="RUN|CLASSIFIER", type=completion.RUNS_OR_FILES)
@click.argument("second", metavar="RUN|CLASSIFIER", type=completion.RUNS_OR_FILES)
@click.option(
    "--data", "where", type=completion.DATA, default="", help="Judge both on the eval half of this data (default: of the first run)."
)
@options.halves
@options.places
@options.output
def compare(first: str, second: str, where: str, as_json: bool, quiet: bool, **flags: Any) -> None:
    """Compare two runs or classifier files on the pictures that the first run was judged on, or on those of --data.

    Paired differences with 95 % intervals, worst sets of every size, and the classes that were won and lost, with who took what was
    lost. Run names: `promptlab runs`, or `latest`.
    """
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.config import Settings
    from promptlab.lab import Lab
    from promptlab.report import duels

    with listening(quiet) as listen:
        found, classes = Lab(Settings.load(flags), listen).compare(first, second, where)
    if as_json:
        output.show_json(duels.plain(found, classes))
    else:
        output.show(duels.tables_of(found, classes), [duels.verdict(found)])
