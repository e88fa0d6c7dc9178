"""promptlab eval"""

from pathlib import Path
from typing import Any

import click

from promptlab.cli import completion, options

FLOORS = ("accuracy", "mean", "worst", "map")


def _floor(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, float]:
    floors = {}
    for text in given:
        name, _, value = text.partition("=")
        try:
            floors[name] = float(value)
        except ValueError:
            floors[name] = -1.0
        if name not in FLOORS or not 0 <= floors[name] <= 1:
            raise click.BadParameter(f"{text!r}; NAME=SHARE was expected, NAME one of {', '.join(FLOORS)}, SHARE from 0 to 1.")
    return floors


@click.command("eval")
@click.argument("data", type=completion.DATA)
@options.classifier
@click.option(
    "--fail-under", multiple=True, callback=_floor, metavar="NAME=SHARE", help="Exit with 1 below it: accuracy, mean, worst, map."
)
@click.option("--classes", type=completion.FILES, help="Names: one per line for a flat folder, FOLDER<TAB>NAME for a labelled one.")
@options.halves
@click.option("--k", type=click.IntRange(min=0), help="How many worst classes (default: min(10, a fifth of them)).")
@click.option("--result", type=click.Path(path_type=Path), help="Write the result here as CLIP_benchmark does (JSON).")
@click.option("--language", default="en", show_default=True, help="What that file says of the prompts' language.")
@options.loading
@options.places
@options.output
def judge(
    data: str,
    classifier: Path | None,
    run_name: str,
    fail_under: dict[str, float],
    result: Path | None,
    language: str,
    as_json: bool,
    quiet: bool,
    **flags: Any,
) -> None:
    """Judge a classifier on all pictures of DATA, best on pictures that no run has seen; with --fail-under as a gate for CI.

    `promptlab eval heldout/ --fail-under accuracy=0.8 --fail-under worst=0.2`

    accuracy is the share of pictures, mean the mean over classes, worst the mean over the k classes that do worst on these pictures.
    Where pictures may show several classes, accuracy is recall, the share of right answers that beat every class that their picture does
    not show, and map is mean average precision.

    Below a floor the exit code is 1 and the result is on stdout; data or a classifier that cannot be used is 1, too, with stdout empty.
    """
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.config import Settings
    from promptlab.errors import UsageError
    from promptlab.lab import Lab
    from promptlab.report import judged, summary, tables
    from promptlab.report.results import save as save_result

    settings = Settings.load(flags)
    with listening(quiet) as listen:
        path = options.chosen(settings, classifier, run_name, listen)
        found, made, in_sample = Lab(settings, listen).judge(data, path)
    ranked = None if found.precision is None else found.precision.mean
    reached = {"accuracy": found.accuracy, "mean": found.mean, "worst": found.worst.repicked, "map": ranked}
    if fail_under and found.accuracy is None:
        raise UsageError("The data has no labels, so nothing can be said of --fail-under.", "Judge on labelled pictures.")
    if "map" in fail_under and ranked is None:
        raise UsageError(
            "The pictures show one class each, so there is no mean average precision to judge by.", "Use accuracy, mean or worst."
        )
    if result is not None:
        save_result(result, found, data, settings.model or str(made.lineage.get("model", "")), language)
    failed = [name for name, least in fail_under.items() if (reached[name] or 0.0) < least]
    if as_json:
        output.show_json({**summary.judged(found, made.classes), "in_sample": in_sample, "failed": failed})
    else:
        said = ["In-sample in part: the classifier was tuned on pictures of this dataset."] if in_sample else []
        output.show([judged.judged(found), *([] if found.accuracy is None else [judged.worst_of(found, made.classes)])], said)
        output.say(
            *(
                f"Below the floor: {name} is {tables.percent(reached[name])} %, {tables.percent(fail_under[name])} % was asked."
                for name in failed
            )
        )
    if failed:
        raise click.exceptions.Exit(1)
