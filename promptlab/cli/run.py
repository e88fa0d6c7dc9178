"""promptlab run"""

from typing import Any

import click

from promptlab.cli import completion, options


@click.command()
@options.material
@options.method
@click.option("--from", "prompts_of", type=completion.RUNS, default="", help="Take the prompts and names of this run along.")
@options.places
@options.output
def run(data: str, run_name: str, prompts_of: str, as_json: bool, quiet: bool, **flags: Any) -> None:
    """Score, weigh, build and judge: the whole loop on DATA.

    DATA is a folder of pictures whose sub-folders are classes, a flat folder with --classes, a table (csv, tsv, jsonl, parquet: path,
    label), a features file, or the name of a dataset (`promptlab datasets`). Everything is tuned on one half of the pictures and told
    on the other. Without DATA the newest run goes on; ctrl-C stops at the next batch and keeps all but the last seconds.
    """
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.config import Settings
    from promptlab.display import safe
    from promptlab.lab import Lab

    with listening(quiet) as listen:
        found = Lab(Settings.load(flags), listen).run(data, run_name, prompts_of)
    if as_json:
        output.show_json(found.summary)
        return
    output.show(found.report.tables, found.report.lead)
    output.say("", f"Report: {safe(str(found.run.path / 'report.md'))}", f"Classifier: {safe(str(found.run.classifier))}")
