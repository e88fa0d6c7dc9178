"""The command `promptlab`."""

import logging
import sys

import click

from promptlab.cli import build, classify, datasets, demo, diagnostics, doctor, models, run, runs, score, templates


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="promptlab-clip", prog_name="promptlab")
def cli() -> None:
    """Find the classes a CLIP model fails, build a better zero-shot classifier from prompts, and see
    how much better it really is.

    Start with `promptlab demo`, or `promptlab run photos/` where each sub-folder is a class.
    """


for command in (run.run, score.score, build.build, classify.classify, demo.demo, runs.runs, models.models, datasets.datasets):
    cli.add_command(command)
for command in (templates.templates, doctor.doctor):
    cli.add_command(command)


def main() -> None:
    """Run the command line; exits with the code that `diagnostics` documents."""
    logging.getLogger().addHandler(logging.NullHandler())  # else open_clip's first log line installs a handler on stderr
    sys.exit(diagnostics.guarded(lambda: cli.main(standalone_mode=False)))
