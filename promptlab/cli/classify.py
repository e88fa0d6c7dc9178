"""promptlab classify"""

from pathlib import Path
from typing import Any

import click

from promptlab.cli import completion, options


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...", type=completion.FILES)
@options.classifier
@click.option("--text", "texts", multiple=True, help="Choose from these texts instead of a classifier's classes; two or more.")
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="How many classes to show.")
@options.loading
@options.places
@options.output
def classify(
    images: tuple[str, ...],
    classifier: Path | None,
    run_name: str,
    texts: tuple[str, ...],
    top: int,
    as_json: bool,
    quiet: bool,
    **flags: Any,
) -> None:
    """Say what is on pictures, with a classifier that `run` or `build` made; or which of some texts fits each best (--text)."""
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.config import Settings
    from promptlab.lab import Lab
    from promptlab.report import summary, tables

    settings = Settings.load(flags)
    if texts and (classifier or run_name):
        raise click.UsageError("--text needs no classifier; it was given beside one.")
    with listening(quiet) as listen:
        lab = Lab(settings, listen)
        if texts:
            guesses = lab.choose(images, texts, top)
        else:
            guesses = lab.classify(images, options.chosen(settings, classifier, run_name, listen), top)
    if as_json:
        output.show_json(summary.guesses(guesses, "text" if texts else "class"))
    else:
        output.show([tables.guesses(guesses, of="texts" if texts else "classes")])
    if all(guess.fault for guess in guesses):
        raise click.exceptions.Exit(1)
