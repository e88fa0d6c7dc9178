"""promptlab prompts"""

from typing import Any

import click

from promptlab.cli import options

NEXT = "Judge it: promptlab run"


@click.group()
@click.option("--run", "run_name", metavar="RUN", default="", help="The run whose prompts are meant (default: the latest).")
@options.places
@click.pass_context
def prompts(context: click.Context, /, run_name: str, **flags: Any) -> None:
    """The prompts of a run: look at them, change them, then `promptlab run` again."""
    from promptlab.config import Settings
    from promptlab.lab import Lab

    context.obj = (Lab(Settings.load(flags)), run_name)


def _save(run: Any, changed: Any) -> None:
    from promptlab.cli import output
    from promptlab.display import safe
    from promptlab.lab import Lab

    path = Lab.save_prompts(run, changed)
    output.say(f"Saved {safe(str(path))}. {NEXT}")


@prompts.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.pass_obj
def list_(given: Any, as_json: bool) -> None:
    """The templates, and the names that differ from those of the data."""
    from promptlab.cli import output
    from promptlab.display import safe
    from promptlab.report.tables import Table

    run, found, _ = given[0].prompts(given[1])
    if as_json:
        output.show_json({"run": str(run.path), "templates": [t.source for t in found.templates], "names": dict(found.names)})
        return
    shown = [Table(f"Templates of {safe(run.name)}", ("family", "source"), tuple((safe(t.name), safe(t.source)) for t in found.templates))]
    if found.names:
        shown.append(Table("Renamed classes", ("class", "names"), tuple((safe(i), safe(", ".join(n))) for i, n in found.names.items())))
    output.show(shown)


@prompts.command()
@click.argument("class_", metavar="CLASS")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.pass_obj
def show(given: Any, class_: str, as_json: bool) -> None:
    """What is said of one class: its texts, family by family."""
    from promptlab.cli import output
    from promptlab.display import safe
    from promptlab.report.tables import Table

    _, _, grid = given[0].prompts(given[1])
    wanted = grid.classes.find(class_)
    rows = [(grid.families[k], grid.texts[p]) for k, c, p in grid.cell if c == wanted]
    if as_json:
        output.show_json([{"family": family, "text": text} for family, text in rows])
    else:
        output.show([Table(safe(class_), ("family", "text"), tuple((safe(f), safe(t)) for f, t in rows))])


@prompts.command()
@click.argument("class_", metavar="CLASS")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.pass_obj
def score(given: Any, class_: str, as_json: bool) -> None:
    """How each text of a class does alone in its class's row, on tune, best first."""
    from promptlab.cli import output
    from promptlab.report import summary, tables

    found, material = given[0].score_texts(class_, given[1])
    if as_json:
        output.show_json(summary.texts(found, material))
    else:
        output.show([tables.texts(found, material)])


@prompts.command()
@click.argument("templates", nargs=-1, required=True, metavar="TEMPLATE...")
@click.pass_obj
def add(given: Any, templates: tuple[str, ...]) -> None:
    """Add templates, e.g. 'a photo of {} at night.'"""
    run, found, _ = given[0].prompts(given[1])
    _save(run, found.with_templates(templates))


@prompts.command()
@click.argument("templates", nargs=-1, required=True, metavar="TEMPLATE...")
@click.pass_obj
def remove(given: Any, templates: tuple[str, ...]) -> None:
    """Take templates away, named as `prompts list` shows them."""
    run, found, _ = given[0].prompts(given[1])
    _save(run, found.without(templates))


@prompts.command()
@click.argument("class_", metavar="CLASS")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.pass_obj
def rename(given: Any, class_: str, names: tuple[str, ...]) -> None:
    """Give a class other names; several make several texts in each family."""
    run, found, grid = given[0].prompts(given[1])
    _save(run, found.renamed(grid.classes, class_, names))


@prompts.command()
@click.pass_obj
def edit(given: Any) -> None:
    """Open the run's prompts in $EDITOR; what cannot be read is not kept."""
    from promptlab.cli import output

    run, found, _ = given[0].prompts(given[1])
    text = click.edit(found.text(), extension=".toml")
    if text is None:
        output.say("Nothing changed.")
        return
    _save(run, found.parsed(text, "what was edited"))


@prompts.command()
@click.argument("data", default="")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.pass_obj
def lint(given: Any, data: str, as_json: bool) -> None:
    """What is likely wrong with the names of DATA, or of the run."""
    from promptlab.cli import output
    from promptlab.report.tables import checks

    found = given[0].lint(data, given[1])
    if as_json:
        output.show_json([{"name": check.name, "text": check.text} for check in found])
    else:
        output.show([checks(found, "Names")])
