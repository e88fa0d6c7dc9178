"""promptlab tui"""

from typing import Any

import click

from promptlab.cli import completion, options


@click.command()
@click.argument("run_name", metavar="[RUN]", required=False, default="", type=completion.RUNS)
@options.loading
@options.places
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
def tui(run_name: str, **flags: Any) -> int:
    """Play with a run in the terminal: look at the worst classes, change words, see at once what that does.

    Opens the newest run, or RUN; where there is none it offers the demo, a folder of pictures, or past runs. A run that another process
    works on is followed. `?` shows every key.
    """
    from promptlab.config import Settings
    from promptlab.lab import Lab
    from promptlab.tui.app import start

    return start(Lab(Settings.load(flags)), run_name)
