"""promptlab score"""

from typing import Any

import click

from promptlab.cli import completion, options
from promptlab.config import CHOICES


@click.command()
@options.material
@click.option(
    "--rule",
    "rules",
    multiple=True,
    type=completion.RULE,
    help="RULE or RULE/REDUCER, e.g. cmm/worst-10, hit@5, accuracy/zeros; may be repeated.",
)
@click.option("--labels", type=click.Choice(CHOICES["labels"]), help="Right answers (default: true where there are any, else ensemble).")
@click.option("--worst", type=click.IntRange(min=1), default=10, show_default=True, help="How many classes to list.")
@options.places
@options.output
def score(
    data: str, run_name: str, rules: tuple[str, ...], labels: str | None, worst: int, as_json: bool, quiet: bool, **flags: Any
) -> None:
    """Score every prompt family and class of DATA on its tune half.

    Rules: accuracy, recall, f1, ap, hit@K, caption-match, cmm, cmm-class, cmm-top, loglik, similarity, entropy, confidence,
    predicted-sim. Reducers: overall, mean, worst-K, min; of shares also hmean, zeros; of f1 macro, micro, weighted. `promptlab rules`
    says what they are.
    """
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.config import Settings
    from promptlab.display import safe
    from promptlab.events import Event, Saved
    from promptlab.lab import Lab
    from promptlab.report import summary, tables

    names = rules or ("cmm/worst-k", "accuracy")
    kept: list[str] = []
    with listening(quiet) as listen:

        def told(event: Event) -> None:
            kept.extend([event.path] if isinstance(event, Saved) else [])
            listen(event)

        boards, material = Lab(Settings.load(flags), told).score(data, names, labels or "", run_name)
    classes = material.dataset.classes
    if as_json:
        output.show_json({name: summary.board(board, classes) for name, board in boards.items()})
        return
    output.show([tables.boards(boards), tables.worst_by_board(next(iter(boards.values())), classes, worst)])
    output.say("", *(f"Scores: {safe(path, 1000)}" for path in kept))
