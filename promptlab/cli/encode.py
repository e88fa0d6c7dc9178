"""promptlab encode"""

from typing import TYPE_CHECKING, Any

import click

from promptlab.cli import completion, options

if TYPE_CHECKING:
    from promptlab.lab import Lab


@click.command()
@click.argument("data", type=completion.DATA)
@click.option(
    "--model", type=completion.MODELS, help="An alias, NAME,TAG, NAME,FILE.safetensors, hf-hub:ORG/REPO or a model folder (default: mini)."
)
@click.option(
    "--shard",
    metavar="I/N",
    help="Only the I-th of N equal parts of the pictures, and no prompts: for jobs that share the work, e.g. 3/10.",
)
@options.texts
@options.loading
@options.engine
@options.places
@options.output
def encode(data: str, shard: str | None, as_json: bool, quiet: bool, **flags: Any) -> None:
    """Encode the pictures and prompts of DATA into the cache, ahead of time."""
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.config import Settings
    from promptlab.display import safe
    from promptlab.lab import Lab

    with listening(quiet) as listen:
        lab = Lab(Settings.load(flags), listen)
        found, said = _whole(lab, data) if shard is None else _part(lab, data, shard)
    found["cache"] = str(lab.cache.root)
    if as_json:
        output.show_json(found)
    else:
        output.say(f"{safe(found['name'])}: {said}.", f"Cache: {safe(found['cache'])}")


def _whole(lab: "Lab", data: str) -> tuple[dict[str, Any], str]:
    """(the JSON object, what is said) of pictures and prompts."""
    from promptlab.display import many
    from promptlab.report.run import data as facts

    material = lab.encode(data)
    banks = (material.bank, material.single)
    texts = {text for bank in banks if bank is not None for text in bank.grid.texts}
    new = material.encoded
    found = {**facts(material), "encoded": dict(new), "texts": len(texts)}
    pictures, prompts = many(found["n"], "picture"), many(len(texts), "text")
    return found, f"{pictures} ({new['images']} encoded anew), {prompts} ({new['texts']} anew)"


def _part(lab: "Lab", data: str, shard: str) -> tuple[dict[str, Any], str]:
    """(the JSON object, what is said) of a part of the pictures."""
    from promptlab.display import many

    one = lab.encode_part(data, shard)
    found = {"name": one.name, "shard": str(one.part), "n": one.pictures, "encoded": {"images": one.new}}
    return found, f"part {one.part}, {many(one.pictures, 'picture')} ({one.new} encoded anew)"
