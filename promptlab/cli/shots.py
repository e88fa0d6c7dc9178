"""promptlab shots"""

from pathlib import Path
from typing import Any

import click

from promptlab.cli import completion, options


def _numbers(context: click.Context, option: click.Parameter, text: str) -> tuple[int, ...]:
    try:
        ks = tuple(int(word) for word in text.split(","))
    except ValueError:
        ks = ()
    if not ks or min(ks) < 1:
        raise click.BadParameter(f"{text!r}; numbers of pictures with commas between them were expected.")
    return ks


@click.command()
@click.argument("data", type=completion.DATA)
@click.option(
    "--k", "ks", default="1,2,4,8,16", show_default=True, callback=_numbers, metavar="K,...", help="Pictures of each class to train."
)
@click.option("--seeds", type=click.IntRange(1, 1000), default=1, show_default=True, help="How many draws: seeds S, S + 1, ...")
@click.option("--seed", type=click.IntRange(min=0), help="S, the first of them (default: 0).")
@click.option("--val", type=click.IntRange(min=0), default=0, show_default=True, help="Pictures of each class to validate.")
@click.option(
    "--short", is_flag=True, help="Classes with too few pictures give what they have, and keep one to test; those without any are left out."
)
@click.option(
    "--format", "form", type=click.Choice(["csv", "coop"]), default="csv", show_default=True, help="coop: JSON, as CoOp reads it."
)
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="The folder of the files.")
@click.option("--classes", type=completion.FILES, help="Names: one per line for labels that are numbers, LABEL<TAB>NAME for words.")
@options.halves
@options.output
def shots(
    data: str,
    ks: tuple[int, ...],
    seeds: int,
    val: int,
    short: bool,
    form: str,
    output: Path,
    as_json: bool,
    quiet: bool,
    **flags: Any,
) -> None:
    """Draw few-shot splits of DATA, to compare with few-shot methods: k pictures of each class to train, the rest to test.

    `promptlab shots photos/ --k 1,2,4 --seeds 3 -o splits/`, then `promptlab run photos/ --split splits/seed0-4shot.csv`

    Splits of one call and seed belong together: the pictures of a smaller k are among those of a larger one, validation and test
    pictures are the same for all, and no picture is in two parts. What is to test depends on the largest k: ask for all at once.
    Files are tables of path, label and split (train, val, test).
    """
    from promptlab.cli.diagnostics import listening
    from promptlab.cli.output import say, show, show_json
    from promptlab.config import Settings
    from promptlab.display import safe
    from promptlab.lab import Lab
    from promptlab.report.tables import Table

    with listening(quiet) as listen:
        made = Lab(Settings.load(flags), listen).shots(data, ks, seeds=seeds, val=val, short=short, output=output, form=form)
    if as_json:
        rows = [{"seed": s.seed, "k": s.k, "train": len(s.train), "val": len(s.val), "test": len(s.test), "file": s.file} for s in made]
        show_json({"data": data, "splits": rows})
        return
    cells = tuple((str(s.seed), str(s.k), str(len(s.train)), str(len(s.val)), str(len(s.test)), Path(s.file).name) for s in made)
    heads = (">seed", ">k", ">train", ">val", ">test", "=file")
    show([Table("", heads, cells, "Pictures. Train is nested within a seed; val and test are the same for all its k in this call.")])
    say("", f"Splits: {safe(str(output), 1000)}")
