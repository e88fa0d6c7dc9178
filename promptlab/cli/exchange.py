"""promptlab prompts import, promptlab prompts export"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptlab.cli import completion, options
from promptlab.cli.prompts import NEXT, Given

if TYPE_CHECKING:
    from promptlab.prompts.exchange.taking import Taken

FEW = 4  # examples in a row of the table
PLACES = ("beside", "inside", "replace")


@click.command("import")
@click.argument("file", type=completion.FILES)
@click.option("--as", "format_", type=click.Choice(options.READ), help="Its format (default: told by its shape).")
@click.option("--key", metavar="NAME", default="", help="The data set, language, task or list that is meant, where it holds several.")
@click.option("--class-names", type=completion.FILES, default="", help="FuDD: the list of names that its numbers count.")
@click.option("--place", type=click.Choice(PLACES), help="Where descriptions go (default: sentences beside, phrases inside).")
@click.option("--replace/--add", "replacing", default=False, help="Drop what is there of that kind, or add to it (default: add).")
@click.option("--allow-missing", is_flag=True, help="Leave out classes that the data does not have, and lines that are no templates.")
@click.option("--by-id", is_flag=True, help="The file calls classes by their ids, whatever names there are.")
@click.option("--dry-run", "dry", is_flag=True, help="Show what would come of it; change nothing.")
@options.output
@click.pass_obj
def import_(given: Given, /, file: str, as_json: bool, quiet: bool, **how: Any) -> None:
    """Take over templates, class names or descriptions from FILE, in the formats of CLIP_benchmark, CuPL, DCLIP and others.

    Says what was matched and what is odd. One `promptlab prompts undo` takes it back. docs/exchange.md has every format.
    """
    given_ = {name: value for name, value in how.items() if value is not None}
    made, path = given.lab().import_prompts(file, given.run, **given_)
    _show(made, path, how["dry"], as_json)


def _show(made: "Taken", path: Path | None, dry_run: bool, as_json: bool) -> None:
    from promptlab.cli import output
    from promptlab.display import safe
    from promptlab.report.tables import Table

    if as_json:
        counts = [{"name": c.name, "count": c.count, "about": c.about, "examples": list(c.examples)} for c in made.counts]
        about = {"format": made.format, "kind": made.kind, "counts": counts, "notes": list(made.notes)}
        output.show_json({**about, "saved": None if path is None else str(path)})
        return
    rows = tuple(
        (c.name, f"{c.count:,}", c.about, safe("; ".join(c.examples[:FEW]) + "; ..." * (c.count > FEW < len(c.examples)), 240))
        for c in made.counts
    )
    lead = [f"Read as {made.format}: {made.kind}.", *(safe(note, 400) for note in made.notes)]
    output.show([Table("", ("what", ">count", "which", "e.g."), rows)], lead)
    done = "Nothing was changed: a dry run." if dry_run else "Nothing changed." if path is None else f"Saved {safe(str(path))}. {NEXT}"
    output.say("", done)


@click.command("export")
@click.option("--as", "format_", type=click.Choice(options.WRITTEN), required=True, help="The format.")
@click.option("--output", "-o", "target", type=click.Path(path_type=Path, dir_okay=False), default="-", help="The file (default: stdout).")
@click.option("--key", metavar="NAME", default="", help="What the data set is called in the file (default: as the run calls it).")
@click.option("--by-id", is_flag=True, help="Call classes by their ids, not by their names.")
@click.option("--yes", is_flag=True, help="Do not ask before a file is overwritten.")
@options.output
@click.pass_obj
def export(given: Given, format_: str, target: Path, key: str, by_id: bool, yes: bool, as_json: bool, quiet: bool) -> None:
    """Write the prompts of the run in the format of others; what that cannot say is told, or refused."""
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.display import safe
    from promptlab.events import Noted

    file = None if str(target) == "-" else target
    if file is not None and file.is_file() and not yes:
        click.confirm(f"Overwrite {safe(str(file))}?", abort=True, err=True)
    text, lost = given.lab().export_prompts(format_, given.run, key=key, by_id=by_id, output=file)
    if as_json:
        output.show_json({"format": format_, "saved": None if file is None else str(file), "lost": lost, "text": text})
        return
    with listening(quiet) as listen:
        for note in lost:
            listen(Noted(note, "info"))
    if file is None:
        output.hand_on(text)
    else:
        output.say(f"Saved {safe(str(file))}.")


COMMANDS: tuple[click.Command, ...] = (import_, export)
