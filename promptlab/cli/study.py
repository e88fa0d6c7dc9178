"""promptlab study"""

from pathlib import Path
from typing import Any

import click

from promptlab.cli import options

AXES = {
    "weights": "Ways of weighing (default: uniform, cpe, zpe, carprt, shrunk, cmm-top/worst-k).",
    "scope": "auto, global, class (default: global, class).",
    "labels": "auto, or label sources (default: auto).",
    "combine": "auto, embedding, logit (default: embedding, logit).",
    "debias": "none, prior, balance (default: none, balance).",
    "tau": "Temperatures (default: 1).",
    "descriptions": "with, without (default: both, where any are in use).",
    "evidence": "What shrunk is made from: similarity, margin, both (default: both).",
}


def _values(context: click.Context, option: click.Parameter, text: str | None) -> tuple[str, ...] | tuple[float, ...]:
    values = tuple(text.split(",")) if text else ()
    try:
        return tuple(map(float, values)) if option.name == "axis_tau" else values
    except ValueError as error:
        raise click.BadParameter(f"{text!r}; numbers with commas between them were expected.") from error


def _axes(command: Any) -> Any:
    for name, about in reversed(AXES.items()):
        command = click.option(f"--{name}", f"axis_{name}", callback=_values, metavar="A,B,...", help=about)(command)
    return command


@click.command()
@options.material
@_axes
@click.option("--mix", metavar="FILE", help="FOLDER<TAB>SHARE: the class mix that offsets aim at (default: all alike).")
@click.option("--k", type=click.IntRange(min=0), help="How many worst classes to follow (default: min(10, a fifth of them)).")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="Write the table here, too.")
@click.option("--most", type=click.IntRange(min=1), default=24, show_default=True, help="How many rows to show; all are in study.json.")
@options.places
@options.output
def study(data: str, run_name: str, csv_file: Path | None, most: int, as_json: bool, quiet: bool, **flags: Any) -> None:
    """Try a grid of weightings on DATA: everything chosen on tune, told on eval, one table.

    Every combination of the values given is tried once. What was tried before on the same data is not computed again, so a study
    that was stopped goes on where it was.
    """
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.config import Settings
    from promptlab.display import safe
    from promptlab.errors import StoreError
    from promptlab.lab import Lab
    from promptlab.report import study as report

    axes = {name: values for name in AXES if (values := flags.pop(f"axis_{name}"))}
    settings = Settings.load(flags)
    with listening(quiet) as listen:
        run, rows = Lab(settings, listen).study(data, axes, run_name)
    if csv_file is not None:
        try:
            csv_file.write_text(report.as_csv(rows), "utf-8")
        except OSError as error:
            raise StoreError(f"{str(csv_file)!r} cannot be written: {error.strerror or error}.", "The table is in the run, too.") from error
    if as_json:
        output.show_json({"run": str(run.path), "chosen": report.chosen(rows)["name"], "rows": report.ordered(rows)})
        return
    output.show([report.table(rows, most), report.health(rows)], report.verdict(rows))
    left = f"; {len(rows) - most} more rows are there" if len(rows) > most else ""
    output.say("", f"Study: {safe(str(run.path / 'study.md'))}, study.csv, study.json{left}")
