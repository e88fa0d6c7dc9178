"""promptlab build"""

from pathlib import Path
from typing import Any

import click

from promptlab.cli import options


@click.command()
@options.material
@options.method
@click.option(
    "--output", "-o", "target", type=click.Path(path_type=Path), help="Write the classifier here, too: .safetensors, .npz or .pt."
)
@options.places
@options.output
def build(data: str, run_name: str, target: Path | None, as_json: bool, quiet: bool, **flags: Any) -> None:
    """Weigh the families of DATA and write the classifier, without judging it.

    The file holds weight (C, D), bias (C,) and metadata; logits = scale * features @ weight.T + bias. A .pt file holds weight.T alone, for
    CLIP_benchmark's --load_clfs.
    """
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.config import Settings
    from promptlab.display import safe
    from promptlab.lab import Lab

    with listening(quiet) as listen:
        path, made = Lab(Settings.load(flags), listen).build(data, run_name, target)
    if as_json:
        output.show_json(
            {
                "classifier": str(path),
                "classes": len(made.classes),
                "width": made.weight.shape[1],
                "scale": made.scale,
                **made.lineage,
            }
        )
    else:
        output.say(
            f"{safe(str(path))}: {len(made.classes)} classes, {len(made.lineage['families'])} families, weighted by {made.lineage['how']}."
        )
