"""promptlab init"""

from pathlib import Path

import click


@click.command()
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def init(force: bool) -> None:
    """Write a commented promptlab.toml with every setting into this folder."""
    from promptlab.cli import output
    from promptlab.config import FILE, template
    from promptlab.errors import UsageError

    path = Path.cwd() / FILE
    if path.exists() and not force:
        raise UsageError(f"{str(path)!r} is there already.", "Use --force to replace it.")
    path.write_text(template(), "utf-8")
    output.say(f"Wrote {path}. Flags and PROMPTLAB_... variables go before it.")
