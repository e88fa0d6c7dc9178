"""promptlab trust"""

from pathlib import Path

import click

from promptlab.cli import options


@click.command()
@click.option("--remove", is_flag=True, help="Trust it no longer.")
@options.output
def trust(remove: bool, as_json: bool, quiet: bool) -> None:
    """Let this folder's promptlab.toml name plugins, and say which language model is asked, and where.

    A stranger's project could send your questions to a server of its own, and plugins are code that runs as you
    do. What you trust is the file as it is now: after a change it has to be trusted again.
    """
    from promptlab import trust as trusted
    from promptlab.cli import output
    from promptlab.config import FILE
    from promptlab.display import safe

    file = Path.cwd() / FILE
    if remove:
        trusted.revoke(file)
        found: dict[str, str] = {}
    else:
        found = trusted.grant(file)
    if as_json:
        output.show_json({"file": str(file), "trusted": not remove, "settings": found})
    elif remove:
        output.say(f"{safe(str(file))} is trusted no longer.")
    else:
        said = [f"  {name} = {safe(value)}" for name, value in found.items()] or ["  (none of the settings that need it)"]
        output.say(f"{safe(str(file))} is trusted as it is now, with:", *said)
