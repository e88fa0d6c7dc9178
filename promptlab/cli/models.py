"""promptlab models"""

import click

from promptlab.cli import options


@click.command()
@click.argument("search", required=False, default="")
@options.output
def models(search: str, as_json: bool, quiet: bool) -> None:
    """Models that can be named: aliases of plugins, and with SEARCH the open_clip models whose name or tag holds it. Language models are
    what `enrich --llm` takes."""
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.display import safe
    from promptlab.lab import Lab
    from promptlab.report.tables import Table

    with listening(quiet) as listen:
        lab = Lab(listen=listen)
        found = [(n, m.about, m.target or "an encoder of the plugin", plugin) for n, (m, plugin, *_) in lab.models.items()]
        asked = [(n, chat.about, "language model", plugin) for n, (chat, plugin, *_) in lab.chats.items()]
    if not search:
        found += asked
    else:
        found += [(f"{name},{tag}", "published weights", "downloaded when first used", "open_clip") for name, tag in Lab.published(search)]
    if as_json:
        output.show_json([dict(zip(("model", "about", "target", "plugin"), row, strict=True)) for row in found])
        return
    rows = tuple(tuple(safe(cell) for cell in row) for row in found)
    note = "" if search else "Also: NAME,TAG of open_clip (promptlab models ViT-B-32), NAME,FILE.safetensors, or a model folder."
    output.show([Table("", ("model", "what it is", "where", "from"), rows, note)])
