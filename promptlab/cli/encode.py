"""promptlab encode"""

from typing import Any

import click

from promptlab.cli import completion, options


@click.command()
@click.argument("data", type=completion.DATA)
@click.option(
    "--model", type=completion.MODELS, help="An alias, NAME,TAG, NAME,FILE.safetensors, hf-hub:ORG/REPO or a model folder (default: mini)."
)
@options.texts
@options.loading
@options.places
@options.output
def encode(data: str, as_json: bool, quiet: bool, **flags: Any) -> None:
    """Encode the pictures and prompts of DATA into the cache, ahead of time."""
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.config import Settings
    from promptlab.display import many, safe
    from promptlab.lab import Lab
    from promptlab.report.run import data as facts

    with listening(quiet) as listen:
        lab = Lab(Settings.load(flags), listen)
        material = lab.encode(data)
    banks = (material.bank, material.single)
    texts = {text for bank in banks if bank is not None for text in bank.grid.texts}
    found = {**facts(material), "encoded": dict(material.encoded), "texts": len(texts), "cache": str(lab.cache.root)}
    if as_json:
        output.show_json(found)
    else:
        new = material.encoded
        pictures, prompts = many(found["n"], "picture"), many(found["texts"], "text")
        output.say(
            f"{safe(found['name'])}: {pictures} ({new['images']} encoded anew), {prompts} ({new['texts']} anew).",
            f"Cache: {safe(found['cache'])}",
        )
