"""The command `promptlab`."""

import logging
import sys

import click

from promptlab import memory
from promptlab.cli import (
    build,
    cache,
    classes,
    classify,
    compare,
    datasets,
    demo,
    diagnostics,
    doctor,
    encode,
    enrich,
    eval,
    exchange,
    init,
    keys,
    match,
    models,
    options,
    plugins,
    prompts,
    questions,
    report,
    results,
    retrieve,
    rules,
    run,
    runs,
    score,
    shots,
    study,
    templates,
    trust,
    tui,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="promptlab-clip", prog_name="promptlab")
@options.plugins(hidden=False)
def cli() -> None:
    """Find the classes a CLIP model fails, build a better zero-shot classifier from prompts, and see
    how much better it really is.

    Start with `promptlab demo`, or `promptlab run photos/` where each sub-folder is a class.
    """
    diagnostics.misspelt()


COMMANDS: tuple[click.Command, ...] = (
    *(demo.demo, run.run, score.score, build.build, classify.classify, eval.judge, compare.compare, study.study, report.report),
    results.results,
    retrieve.retrieve,
    enrich.enrich,
    match.match,
    tui.tui,
    classes.classes,
    *(encode.encode, shots.shots, prompts.prompts, runs.runs, datasets.datasets, models.models, templates.templates, questions.questions),
    *(rules.rules, plugins.plugins, cache.cache, init.init, trust.trust, keys.keys, doctor.doctor),
)


def _with_plugins(command: click.Command) -> click.Command:
    """The command, and those below it, with the options that every command has."""
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        _with_plugins(inner)
    return options.plugins(hidden=True)(command)


for command in exchange.COMMANDS:
    prompts.prompts.add_command(command)
for command in COMMANDS:
    cli.add_command(_with_plugins(command))


def main() -> None:
    """Run the command line; exits with the code that `diagnostics` documents."""
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # file names need not be text
    memory.keep()
    logging.getLogger().addHandler(logging.NullHandler())  # else open_clip's first log line installs a handler on stderr
    sys.exit(diagnostics.guarded(lambda: cli.main(standalone_mode=False)))
