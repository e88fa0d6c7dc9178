"""promptlab prompts"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from promptlab.cli import completion, options

if TYPE_CHECKING:
    from promptlab.events import Listener
    from promptlab.lab import Lab
    from promptlab.runs import Run

NEXT = "Judge it: promptlab run"


class _Given(NamedTuple):
    """What was said before the verb."""

    run: str
    flags: dict[str, Any]

    def lab(self, listen: "Listener | None" = None, **more: Any) -> "Lab":
        from promptlab.config import Settings
        from promptlab.events import ignore
        from promptlab.lab import Lab

        return Lab(Settings.load({**self.flags, **more}), listen or ignore)


@click.group()
@click.option("--run", "run_name", type=completion.RUNS, default="", help="The run whose prompts are meant (default: the newest).")
@options.places
@click.pass_context
def prompts(context: click.Context, /, run_name: str, **flags: Any) -> None:
    """The prompts of a run: look at them, change them, then `promptlab run` again."""
    context.obj = _Given(run_name, flags)


def _save(run: "Run", changed: Any, as_json: bool) -> None:
    from promptlab.lab import Lab

    _saved(Lab.save_prompts(run, changed), as_json)


def _saved(path: Path | None, as_json: bool) -> None:
    from promptlab.cli import output
    from promptlab.display import safe

    if as_json:
        output.show_json({"saved": None if path is None else str(path)})
    else:
        output.say("Nothing changed." if path is None else f"Saved {safe(str(path))}. {NEXT}")


@prompts.command("list")
@options.output
@click.pass_obj
def list_(given: _Given, as_json: bool, quiet: bool) -> None:
    """The templates, and the names that differ from those of the data."""
    from promptlab.cli import output
    from promptlab.display import safe
    from promptlab.report.tables import Table

    lab = given.lab()
    run, found, _ = lab.prompts(given.run)
    waiting = lab.edits_wait(run)
    if as_json:
        about = {"run": str(run.path), "edited": waiting}
        output.show_json({**about, "templates": [t.source for t in found.templates], "names": dict(found.names)})
        return
    title = f"Templates of {safe(run.name)}" + ", edited: the next `promptlab run` takes them" * waiting
    shown = [Table(title, ("=family", "source"), tuple((safe(t.name), safe(t.source)) for t in found.templates))]
    if found.names:
        shown.append(Table("Renamed classes", ("class", "names"), tuple((safe(i), safe(", ".join(n))) for i, n in found.names.items())))
    output.show(shown)


@prompts.command()
@click.argument("class_", metavar="CLASS", type=completion.CLASSES)
@options.output
@click.pass_obj
def show(given: _Given, class_: str, as_json: bool, quiet: bool) -> None:
    """What is said of one class: its texts, family by family."""
    from promptlab.cli import output
    from promptlab.display import safe
    from promptlab.report.tables import Table

    _, _, grid = given.lab().prompts(given.run)
    wanted = grid.classes.find(class_)
    rows = [(grid.families[k], grid.texts[p]) for k, c, p in grid.cell if c == wanted]
    if as_json:
        output.show_json([{"family": family, "text": text} for family, text in rows])
    else:
        output.show([Table(safe(class_), ("family", "text"), tuple((safe(f), safe(t)) for f, t in rows))])


@prompts.command()
@click.argument("class_", metavar="CLASS", type=completion.CLASSES)
@options.loading
@options.output
@click.pass_obj
def score(given: _Given, /, class_: str, as_json: bool, quiet: bool, **flags: Any) -> None:
    """How each text of a class does alone in its class's row, on tune, best first."""
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.report import summary, tables

    with listening(quiet) as listen:
        found, material = given.lab(listen, **flags).score_texts(class_, given.run)
    if as_json:
        output.show_json(summary.texts(found, material))
    else:
        output.show([tables.texts(found, material)])


@prompts.command()
@click.argument("templates", nargs=-1, required=True, metavar="TEMPLATE...")
@options.output
@click.pass_obj
def add(given: _Given, templates: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Add templates, e.g. 'a photo of {} at night.'"""
    run, found, _ = given.lab().prompts(given.run)
    _save(run, found.with_templates(templates), as_json)


@prompts.command()
@click.argument("templates", nargs=-1, required=True, metavar="TEMPLATE...")
@options.output
@click.pass_obj
def remove(given: _Given, templates: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Take templates away, named as `prompts list` shows them."""
    run, found, _ = given.lab().prompts(given.run)
    _save(run, found.without(templates), as_json)


@prompts.command()
@click.argument("class_", metavar="CLASS", type=completion.CLASSES)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@options.output
@click.pass_obj
def rename(given: _Given, class_: str, names: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Give a class other names; several make several texts in each family."""
    run, found, grid = given.lab().prompts(given.run)
    _save(run, found.renamed(grid.classes, class_, names), as_json)


@prompts.command()
@options.output
@click.pass_obj
def edit(given: _Given, as_json: bool, quiet: bool) -> None:
    """Open the run's prompts in $EDITOR; what cannot be read then is kept, and opened the next time."""
    _saved(given.lab().edit_prompts(given.run, _editor), as_json)


def _editor(path: Path) -> None:
    from promptlab.errors import UsageError

    try:
        click.edit(filename=str(path))
    except click.ClickException as error:
        raise UsageError(f"The editor failed: {error.format_message()}.", "Set EDITOR to another one, e.g. EDITOR=nano.") from error


@prompts.command()
@options.output
@click.pass_obj
def reset(given: _Given, as_json: bool, quiet: bool) -> None:
    """Drop edits that no run has taken yet."""
    from promptlab.cli import output
    from promptlab.display import safe

    run, dropped = given.lab().reset_prompts(given.run)
    if as_json:
        output.show_json({"run": str(run.path), "dropped": dropped})
    else:
        output.say(f"The prompts of {safe(run.name)} are again those that it was made with." if dropped else "No edits are waiting.")


@prompts.command()
@click.argument("data", default="", type=completion.DATA)
@options.texts
@options.output
@click.pass_obj
def lint(given: _Given, /, data: str, as_json: bool, quiet: bool, **flags: Any) -> None:
    """What is likely wrong with names and templates, of DATA or of the run."""
    from promptlab.cli import output
    from promptlab.report.tables import checks

    found = given.lab(**flags).lint(data, given.run)
    if as_json:
        output.show_json([{"name": check.name, "text": check.text} for check in found])
    else:
        output.show([checks(found, "Names and templates")])
