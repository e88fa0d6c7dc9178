"""Options that several commands share."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from promptlab.cli import completion
from promptlab.config import CHOICES

if TYPE_CHECKING:
    from promptlab.config import Settings
    from promptlab.events import Listener

F = TypeVar("F", bound=Callable[..., Any])


def stacked(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one, in that order."""

    def wrap(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return wrap


def plugins(hidden: bool) -> Callable[[F], F]:
    """Which plugins take part. They may be said before the verb or after it; only `promptlab --help` shows them."""

    def wrap(command: F) -> F:
        return stacked(
            _everywhere(
                "--plugins-dir", "plugins_dir", hidden, multiple=True, type=completion.FOLDERS, help="Load this folder's plugins, too."
            ),
            _everywhere("--no-plugins", "load_plugins", hidden, flag_value="", help="Load no installed plugin."),
            _everywhere("--disable-plugin", "disable_plugins", hidden, multiple=True, help="Leave this plugin out; may be repeated."),
            _everywhere(
                "--strict-plugins", "strict_plugins", hidden, flag_value="yes", help="Stop at the fault of a plugin (exit code 3)."
            ),
        )(command)

    return wrap


def _everywhere(flag: str, setting: str, hidden: bool, **how: Any) -> Callable[[F], F]:
    """An option that sets a variable of the environment for as long as the command runs: whatever the command calls sees it."""
    variable = f"PROMPTLAB_{setting.upper()}"

    def put(context: click.Context, option: click.Parameter, value: Any) -> None:
        if value in (None, ()):
            return
        before = os.environ.get(variable)
        given = context.meta.setdefault(variable, [])
        given.extend(value if isinstance(value, tuple) else () if value in given else (value,))
        os.environ[variable] = ",".join(given)
        context.find_root().call_on_close(partial(_restore, variable, before))

    return click.option(flag, setting, expose_value=False, callback=put, hidden=hidden, **how)


def _restore(variable: str, before: str | None) -> None:
    if before is None:
        os.environ.pop(variable, None)
    else:
        os.environ[variable] = before


def output(command: F) -> F:
    """--json, --quiet, --debug."""
    return stacked(
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables."),
        click.option("--quiet", is_flag=True, help="Show no progress; warnings stay."),
        click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error."),
    )(command)


def places(command: F) -> F:
    """--cache and --runs."""
    return stacked(
        click.option("--cache", type=completion.FOLDERS, help="Cache folder (default: the user's cache folder)."),
        click.option("--runs", type=completion.FOLDERS, help="Where run folders go (default: ./runs)."),
    )(command)


def subject(command: F) -> F:
    """Data, or a run to go on with, and the model."""
    return stacked(
        click.argument("data", required=False, default="", type=completion.DATA),
        click.option(
            "--run", "run_name", type=completion.RUNS, default="", help="Without DATA: go on with this run instead of the newest."
        ),
        click.option(
            "--model", type=completion.MODELS, help="An alias, NAME,TAG, NAME,FILE.safetensors, or a model folder (default: mini)."
        ),
    )(command)


def draws(command: F) -> F:
    """What is left to chance, and whether anything is held back."""
    return stacked(
        click.option("--seed", type=click.IntRange(min=0), help="Of the halves and the resamples (default: 0)."),
        click.option("--transductive", is_flag=True, default=None, help="Tune and judge on all pictures; the report calls it in-sample."),
    )(command)


def material(command: F) -> F:
    """What is scored: data, model, templates."""
    return stacked(
        subject,
        texts,
        loading,
        engine,
        halves,
        draws,
    )(command)


def captions(command: F) -> F:
    """Pictures with captions, and templates around these."""
    return stacked(
        subject,
        click.option(
            "--templates", multiple=True, type=completion.TEMPLATES, help="A template set or file; may be repeated (default: captions)."
        ),
        click.option("--classes", type=completion.FILES, help="Names of categories: FOLDER<TAB>NAME."),
        ways,
        loading,
        engine,
        halves,
        draws,
        places,
        output,
    )(command)


def halves(command: F) -> F:
    """Which pictures are tuned on and which judged."""
    return click.option(
        "--split", type=completion.FILES, help="PATH,SPLIT rows: train and val to tune, test to judge (default: the data's own, or halves)."
    )(command)


def texts(command: F) -> F:
    """What is said of which classes."""
    return stacked(
        click.option(
            "--templates", multiple=True, type=completion.TEMPLATES, help="A template set or file; may be repeated (default: general)."
        ),
        click.option("--classes", type=completion.FILES, help="Names: one per line for a flat folder, FOLDER<TAB>NAME for a labelled one."),
    )(command)


def loading(command: F) -> F:
    """How a model may be loaded and run."""
    return stacked(
        click.option("--device", help="auto, cpu, cuda (all GPUs), cuda:1 (that one), mps (default: auto)."),
        click.option("--precision", type=click.Choice(CHOICES["precision"]), help="Of pictures (default: auto, fp16 on CUDA, else fp32)."),
        click.option("--batch", type=click.IntRange(min=0), help="Pictures in one batch (default: 0, as suits the device)."),
        click.option("--workers", type=click.IntRange(min=0), help="Threads that decode pictures (default: 0, one for each core)."),
        click.option("--compile", is_flag=True, default=None, help="Compile the image tower: minutes at first, faster then."),
        click.option(
            "--allow-pickle-weights", is_flag=True, default=None, help="Load .bin and .pt weights too; they can hold a stranger's code."
        ),
        click.option("--offline", is_flag=True, default=None, help="Download nothing; fail with exit code 4 instead."),
    )(command)


def engine(command: F) -> F:
    """Who encodes pictures."""
    return click.option(
        "--engine", type=click.Choice(CHOICES["engine"]), help="Who encodes pictures: this machine, or a Ray cluster (default: local)."
    )(command)


def ways(command: F) -> F:
    """What a way of weighing is made from."""
    return stacked(
        click.option("--labels", type=click.Choice(CHOICES["labels"]), help="Right answers for weighting (default: the way's own)."),
        click.option("--scope", type=click.Choice(CHOICES["scope"]), help="Weights for all classes, or for each (default: the way's own)."),
        click.option("--combine", type=click.Choice(CHOICES["combine"]), help="How families are joined (default: the way's own)."),
        click.option("--tau", type=float, help="Temperature of the weights; larger is flatter (default: 1)."),
        click.option("--drop", metavar="mad:X", help="No weight below median + X MAD of the families' scores, e.g. mad:0.5."),
        click.option("--evidence", type=click.Choice(CHOICES["evidence"]), help="What shrunk is made from (default: both)."),
    )(command)


def method(command: F) -> F:
    """How the classifier is made."""
    return stacked(
        click.option(
            "--weights", type=completion.WAY, help="uniform, cpe, zpe, carprt, shrunk, forward, top-3, or any rule (default: shrunk)."
        ),
        ways,
        click.option("--describe-weight", type=float, help="The part of descriptions placed `beside` in a class's vector (default: 0.5)."),
        click.option("--debias", type=click.Choice(CHOICES["debias"]), help="Offsets per class without labels (default: none)."),
        click.option("--mix", type=completion.FILES, help="FOLDER<TAB>SHARE: the class mix that offsets aim at (default: all alike)."),
        click.option("--k", type=click.IntRange(min=0), help="How many worst classes to follow (default: min(10, a fifth of them))."),
    )(command)


def classifier(command: F) -> F:
    """Which classifier."""
    return stacked(
        click.option("--classifier", type=click.Path(path_type=Path), help="The classifier file (default: that of the latest run)."),
        click.option("--run", "run_name", type=completion.RUNS, default="", help="Use the classifier of this run."),
        click.option("--model", type=completion.MODELS, help="The model, where the file does not know it."),
    )(command)


def chosen(settings: "Settings", file: Path | None, run: str, listen: "Listener") -> Path:
    """The classifier that is meant; one that nobody named is told."""
    from promptlab import runs
    from promptlab.errors import UsageError
    from promptlab.events import Noted

    if file and run:
        raise UsageError(f"A classifier ({str(file)!r}) and --run ({run!r}) were both given; which is meant?", "Leave one of them out.")
    if file:
        return file
    found = runs.with_classifier(Path(settings.runs), run)
    if not run:
        listen(Noted(f"With the classifier of the run {found.name} ({found.manifest['data']}).", "info"))
    return found.classifier


# Written down, since asking for them imports what --help needs not; a test keeps them in step.
READ = (
    *("list", "python", "datacomp", "tsv", "clip-benchmark", "clip-benchmark-prompts", "classnames", "babel"),
    *("cupl", "mpvr", "dclip", "waffle", "fudd", "texts"),
)
READ_TEXTS = ("clip-benchmark-prompts", "cupl", "mpvr", "dclip", "waffle", "fudd", "texts")
WRITTEN = ("cupl", "dclip", "clip-benchmark", "clip-benchmark-prompts", "classnames", "tsv", "list", "waffle")
