"""promptlab init"""

from pathlib import Path

import click

from promptlab.cli import options


@click.command()
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@options.output
def init(force: bool, as_json: bool, quiet: bool) -> None:
    """Write a commented promptlab.toml with every setting into this folder."""
    from promptlab.cli import output
    from promptlab.config import FILE, template
    from promptlab.display import safe
    from promptlab.errors import UsageError

    path = Path.cwd() / FILE
    if path.exists() and not force:
        raise UsageError(f"{str(path)!r} is there already.", "Use --force to replace it.")
    try:
        path.write_text(template(), "utf-8")
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be written: {error.strerror}.", "Go to a folder that you can write to.") from error
    if as_json:
        output.show_json({"wrote": str(path)})
    else:
        output.say(f"Wrote {safe(str(path))}. Flags and PROMPTLAB_... variables go before it.")
