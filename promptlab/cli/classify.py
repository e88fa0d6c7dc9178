"""promptlab classify"""

from pathlib import Path
from typing import Any

import click

from promptlab.cli import completion, options


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...", type=completion.FILES)
@options.classifier
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="How many classes to show.")
@options.loading
@options.places
@options.output
def classify(images: tuple[str, ...], classifier: Path | None, run_name: str, top: int, as_json: bool, quiet: bool, **flags: Any) -> None:
    """Say what is on pictures, with a classifier that `run` or `build` made."""
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.config import Settings
    from promptlab.lab import Lab
    from promptlab.report import summary, tables

    settings = Settings.load(flags)
    with listening(quiet) as listen:
        path = options.chosen(settings, classifier, run_name, listen)
        guesses = Lab(settings, listen).classify(images, path, top)
    if as_json:
        output.show_json(summary.guesses(guesses))
    else:
        output.show([tables.guesses(guesses)])
    if all(guess.fault for guess in guesses):
        raise click.exceptions.Exit(1)
