"""promptlab report"""

from pathlib import Path
from typing import Any

import click

from promptlab.cli import completion, options


@click.command()
@click.argument("run", required=False, default="", type=completion.RUNS)
@click.option(
    "--thumbnails",
    type=click.IntRange(0, 6),
    default=0,
    help="How many of the most wrong pictures of each worst class to show (default: 0).",
)
@click.option("--output", "-o", "target", type=click.Path(path_type=Path), help="Write the page here instead of into the run.")
@options.places
@options.output
def report(run: str, thumbnails: int, target: Path | None, as_json: bool, quiet: bool, **flags: Any) -> None:
    """Write report.html of a finished run again: one file, nothing in it is fetched from anywhere.

    Every run writes it, without pictures. With --thumbnails it holds small copies of pictures: mind whom you give it to.
    """
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.config import Settings
    from promptlab.display import safe
    from promptlab.lab import Lab

    with listening(quiet) as listen:
        path = Lab(Settings.load(flags), listen).report(run, thumbnails, target)
    if as_json:
        output.show_json({"report": str(path)})
    else:
        output.say(f"Report: {safe(str(path))}")
