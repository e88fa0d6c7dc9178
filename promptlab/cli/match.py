"""promptlab match"""

from typing import Any

import click

from promptlab.cli import completion, options

DISTRACTORS = ("auto", "given", "same", "other", "any")  # written down, since asking for them imports what --help needs not


def _floor(context: click.Context, option: click.Parameter, text: str | None) -> float | None:
    if text is None:
        return None
    name, _, value = text.partition("=")
    try:
        floor = float(value)
    except ValueError:
        floor = -1.0
    if name != "accuracy" or not 0 <= floor <= 1:
        raise click.BadParameter(f"{text!r}; accuracy=SHARE was expected, SHARE from 0 to 1.")
    return floor


@click.command()
@click.option("--candidates", type=click.IntRange(2, 1000), help="Captions to choose from (default: 12, or all that the data gives).")
@click.option(
    "--distractors",
    type=click.Choice(DISTRACTORS),
    help="Wrong captions: those of the data, of pictures of the same category, of other categories, or of any picture "
    "(default: auto, given where the data has them, else any).",
)
@click.option("--hard", type=click.IntRange(min=0), help="How many hard cases to list (default: 20); cases.jsonl has all.")
@click.option("--weights", type=completion.WAY, help="uniform, cpe, zpe, shrunk, forward, top-3, or any rule (default: shrunk).")
@click.option("--k", type=click.IntRange(min=0), help="How many worst categories to follow (default: min(10, a fifth of them)).")
@click.option("--fail-under", callback=_floor, metavar="accuracy=SHARE", help="Exit with 1 below it.")
@options.captions
def match(
    data: str,
    run_name: str,
    candidates: int | None,
    distractors: str | None,
    hard: int | None,
    fail_under: float | None,
    as_json: bool,
    quiet: bool,
    **flags: Any,
) -> None:
    """Tell the right caption of each picture of DATA from wrong ones.

    DATA has captions: a table with a column `captions` (and, if you like, `label` for categories and `distractors`), or shards with
    texts. Templates around captions are weighted on one half of the pictures and judged on the other; with --weights uniform nothing is
    chosen, and all pictures are told. The report lists the hardest cases with their pictures: mind whom you give it to. Without DATA the
    newest run of this kind goes on.
    """
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.config import Settings
    from promptlab.display import safe
    from promptlab.lab import Lab
    from promptlab.report.tables import percent

    with listening(quiet) as listen:
        found = Lab(Settings.load(flags), listen).match(data, run_name, candidates=candidates, distractors=distractors or "", hard=hard)
    reached = found.outcome.result.matched.accuracy
    failed = fail_under is not None and reached < fail_under
    if as_json:
        output.show_json({**found.summary, "failed": ["accuracy"] if failed else []})
    else:
        output.show(found.report.tables, found.report.lead)
        output.say("", f"Report: {safe(str(found.run.path / 'report.html'))}", f"Cases: {safe(str(found.run.path / 'cases.jsonl'))}")
        if failed:
            output.say(f"Below the floor: accuracy is {percent(reached)} %, {percent(fail_under)} % was asked.")
    if failed:
        raise click.exceptions.Exit(1)
