"""promptlab demo"""

import importlib.util
from pathlib import Path
from typing import Any

import click

from promptlab.cli import options

# Every photograph of a thing that scikit-image and scikit-learn carry; the classes of `everyday` were made without a thought of them.
PHOTOGRAPHS = {
    "skimage": ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg"),
    "sklearn": ("china.jpg", "flower.jpg"),
}
FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}
LEAD = (
    "promptlab demo: the whole loop on 2,020 everyday pictures (Caltech-101, as features) with the embedded model `mini`.",
    "`mini` is small and is not CLIP: what you see is how promptlab works, not how CLIP behaves.",
    "Claude, a language model, wrote the phrases from the class names alone. They come with the demo: nothing is asked.",
    "",
)
NEXT = (
    "",
    "Try next:",
    "  promptlab run photos/                  your own: each sub-folder is a class",
    "  promptlab enrich everyday --llm local  ask the small language model of promptlab-local instead",
    "  promptlab run everyday --debias none   the same pictures, weights alone",
    "  promptlab score everyday --rule cmm    which prompts and classes do badly",
    "  promptlab classify PICTURE...          with the classifier just built",
)


@click.command()
@options.places
@options.output
def demo(as_json: bool, quiet: bool, **flags: Any) -> None:
    """The whole loop on pictures and a model that come with promptlab: no network, no GPU, no key.

    Weighs the families (shrunk), balances the classes (fair here: each has 20 pictures), tries better names and phrases for the 20 worst
    classes, judges on the half that nothing was tuned on, then classifies a few photographs.
    """
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.config import Settings
    from promptlab.display import safe
    from promptlab.lab import Lab
    from promptlab.report import summary, tables

    with listening(quiet) as listen:
        lab = Lab(Settings.load(flags), listen)
        found = lab.demo()
        photographs = _photographs()
        guesses = lab.classify([str(p) for p in photographs], found.run.classifier) if photographs else []
    if as_json:
        output.show_json({**found.summary, "photographs": summary.guesses(guesses)})
        return
    output.show(found.report.tables, (*LEAD, *found.report.lead))
    if guesses:
        output.show([tables.guesses(guesses, "Photographs that the classifier has never seen (among its 101 classes)")])
    output.say("", f"Report: {safe(str(found.run.path / 'report.md'))}", *NEXT)


def _photographs() -> list[Path]:
    """Those of the photographs that are installed, found without importing their packages."""
    found = []
    for package, names in PHOTOGRAPHS.items():
        spec = importlib.util.find_spec(package)
        for place in spec.submodule_search_locations or [] if spec else []:
            found += [path for name in names if (path := Path(place) / FOLDERS[package] / name).is_file()]
    return found
