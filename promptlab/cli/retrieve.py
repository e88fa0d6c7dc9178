"""promptlab retrieve"""

from pathlib import Path
from typing import Any

import click

from promptlab.cli import completion, options


@click.command()
@click.option("--hard", type=click.IntRange(min=0), default=20, show_default=True, help="How many hard cases to list, each way.")
@click.option("--weights", type=completion.WAY, help="Of the templates: cpe, zpe, shrunk, forward, top-3, or any rule (default: uniform).")
@click.option(
    "--result",
    type=click.Path(path_type=Path),
    help="Write the last row here as CLIP_benchmark does (JSON); --templates bare: of captions alone.",
)
@click.option("--language", default="en", show_default=True, help="What that file says of the captions' language.")
@options.captions
def retrieve(data: str, run_name: str, hard: int, result: Path | None, language: str, as_json: bool, quiet: bool, **flags: Any) -> None:
    """Recall of captions by pictures, and of pictures by captions, among all of DATA.

    DATA has captions: a table with a column `captions`, or shards with texts. With uniform weights nothing is chosen, and all pictures
    are told; other weights are found on one half and told on the other. The report shows pictures: mind whom you give it to.
    Without DATA the newest run of this kind goes on.
    """
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.config import Settings
    from promptlab.display import safe
    from promptlab.lab import Lab
    from promptlab.report import results

    with listening(quiet) as listen:
        found = Lab(Settings.load(flags), listen).retrieve(data, run_name, hard=hard)
    if result is not None:
        results.save_retrieval(result, found.summary, str(found.run.manifest["data"]), language)
    if as_json:
        output.show_json(found.summary)
        return
    output.show(found.report.tables, found.report.lead)
    output.say("", f"Report: {safe(str(found.run.path / 'report.html'))}")
