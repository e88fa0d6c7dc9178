"""promptlab results"""

import click

from promptlab.cli import completion, options


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=completion.FILES)
@options.output
def results(files: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Results of other programs side by side, worst first.

    Reads CLIP_benchmark's JSON and CSV, datacomp's eval_results.jsonl and WaffleCLIP's CSV.
    """
    from promptlab.cli import output
    from promptlab.report import results as reading

    found = [one for file in files for one in reading.read(file)]
    if as_json:
        output.show_json(reading.plain(found))
    else:
        output.show([reading.table(found)])
