"""promptlab prompts"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from promptlab.cli import completion, options

if TYPE_CHECKING:
    from promptlab.events import Listener
    from promptlab.lab import Lab
    from promptlab.prompts.edits import Prompts
    from promptlab.report.tables import Table
    from promptlab.types import Template

NEXT = "Judge it: promptlab run"


class Given(NamedTuple):
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
    context.obj = Given(run_name, flags)


def _done(given: Given, as_json: bool, kind: str, class_: str | None = None, of: str = "", words: Sequence[str] = ()) -> None:
    """Edit the prompts so that it can be undone."""
    from promptlab.types import Edit, EditKind

    _, classes, history = given.lab().history(given.run)
    class_id = classes.ids[classes.find(class_)] if class_ is not None else ""
    _saved(history.commit(Edit(EditKind(kind), class_id, of, tuple(words))), as_json)


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
def list_(given: Given, as_json: bool, quiet: bool) -> None:
    """The templates, in use and set aside, the names that differ from those of the data, and texts of single classes."""
    from promptlab.cli import output
    from promptlab.display import safe

    lab = given.lab()
    run, found, _ = lab.prompts(given.run)
    waiting = lab.edits_wait(run)
    if as_json:
        about = {"run": str(run.path), "edited": waiting, "templates": [t.source for t in found.templates]}
        aside, texts = [t.source for t in found.off], {i: dict(said) for i, said in found.texts.items()}
        output.show_json({**about, "off": aside, "names": dict(found.names), "texts": texts})
        return
    output.show(_tables(found, f"Templates of {safe(run.name)}" + ", edited: the next `promptlab run` takes them" * waiting))


def _tables(found: "Prompts", title: str) -> list["Table"]:
    from promptlab.display import safe
    from promptlab.report.tables import Table

    def families(title: str, templates: "Sequence[Template]") -> Table:
        return Table(title, ("=family", "source"), tuple((safe(t.name), safe(t.source)) for t in templates))

    shown = [families(title, found.templates)]
    if found.off:
        shown.append(families("Set aside", found.off))
    if found.names:
        shown.append(Table("Renamed classes", ("class", "names"), tuple((safe(i), safe(", ".join(n))) for i, n in found.names.items())))
    texts = [(class_id, source, text) for class_id, said in found.texts.items() for source, text in said.items()]
    if texts:
        shown.append(Table("Texts of their own", ("class", "template", "text"), tuple((safe(i), safe(s), safe(t)) for i, s, t in texts)))
    return shown


@prompts.command()
@click.argument("class_", metavar="CLASS", type=completion.CLASSES)
@options.output
@click.pass_obj
def show(given: Given, class_: str, as_json: bool, quiet: bool) -> None:
    """What is said of one class: its texts, family by family."""
    from promptlab.cli import output
    from promptlab.display import safe
    from promptlab.report.tables import Table

    _, found, grid = given.lab().prompts(given.run)
    c = grid.classes.find(class_)
    own, described = found.texts.get(grid.classes.ids[c], {}), grid.described
    rows = [
        (grid.families[k], grid.texts[p], found.templates[k].source in own and (described is None or not described[n]))
        for n, (k, j, p) in enumerate(grid.cell)
        if j == c
    ]
    if as_json:
        output.show_json([{"family": family, "text": text, "own": its} for family, text, its in rows])
    else:
        shown = tuple((safe(f), safe(t), *["own text" * its] * bool(own)) for f, t, its in rows)
        output.show([Table(safe(class_), ("family", "text", *["of"] * bool(own)), shown)])


@prompts.command()
@click.argument("class_", metavar="CLASS", type=completion.CLASSES)
@options.loading
@options.output
@click.pass_obj
def score(given: Given, /, class_: str, as_json: bool, quiet: bool, **flags: Any) -> None:
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
def add(given: Given, templates: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Add templates, e.g. 'a photo of {} at night.'"""
    _done(given, as_json, "add", words=templates)


@prompts.command()
@click.argument("templates", nargs=-1, required=True, metavar="TEMPLATE...", type=completion.FAMILIES)
@options.output
@click.pass_obj
def remove(given: Given, templates: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Take templates away, named as `prompts list` shows them."""
    _done(given, as_json, "remove", words=templates)


@prompts.command()
@click.argument("template", metavar="TEMPLATE", type=completion.FAMILIES)
@options.output
@click.pass_obj
def toggle(given: Given, template: str, as_json: bool, quiet: bool) -> None:
    """Set a template aside, or use it again; what is set aside is kept, but says nothing."""
    _done(given, as_json, "toggle", of=template)


@prompts.command()
@click.argument("class_", metavar="CLASS", type=completion.CLASSES)
@click.argument("names", nargs=-1, metavar="[NAME...]")
@options.output
@click.pass_obj
def rename(given: Given, class_: str, names: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Give a class other names; several make several texts in each family. Without a NAME: those of the data."""
    _done(given, as_json, "rename", class_, words=names)


@prompts.command()
@click.argument("class_", metavar="CLASS", type=completion.CLASSES)
@click.argument("template", metavar="TEMPLATE", type=completion.FAMILIES)
@click.argument("text", required=False, metavar="[TEXT]")
@options.output
@click.pass_obj
def text(given: Given, class_: str, template: str, text: str | None, as_json: bool, quiet: bool) -> None:
    """Say TEXT of one class in place of what a template says. Without TEXT: what the template says."""
    _done(given, as_json, "text", class_, template, () if text is None else (text,))


@prompts.command()
@click.argument("class_", metavar="CLASS", type=completion.CLASSES)
@click.argument("text", required=False, metavar="[TEXT]")
@click.option("--instead-of", metavar="OLD", default="", help="The description that TEXT replaces.")
@click.option("--remove", is_flag=True, help="Take the description TEXT away.")
@options.output
@click.pass_obj
def describe(given: Given, class_: str, text: str | None, instead_of: str, remove: bool, as_json: bool, quiet: bool) -> None:
    """Describe a class in words of your own, beside its templates. Without TEXT: show what is said of it, in use or not."""
    from promptlab.errors import UsageError

    if instead_of and remove:
        raise UsageError(
            "--instead-of and --remove were both given; which is meant?", "Name what goes: prompts describe CLASS TEXT --remove"
        )
    if text is not None:
        _done(given, as_json, "describe", class_, text if remove else instead_of, () if remove else (text,))
    elif instead_of or remove:
        raise UsageError("No TEXT was given.", "Name what is meant: prompts describe CLASS TEXT")
    else:
        _descriptions(given, class_, as_json)


def _descriptions(given: Given, class_: str, as_json: bool) -> None:
    from promptlab.cli import output
    from promptlab.display import safe
    from promptlab.report.tables import Table

    _, classes, history = given.lab().history(given.run)
    class_id = classes.ids[classes.find(class_)]
    said = [d for d in history.prompts.descriptions if d.class_id == class_id]
    if as_json:
        output.show_json([{"text": d.text, "use": d.use, "place": d.place, "form": d.form, "source": d.source} for d in said])
    else:
        rows = tuple(("yes" if d.use else "no", safe(d.text), d.place.value, safe(d.source) or "you") for d in said)
        output.show([Table(f"Descriptions of {safe(class_)}", ("in use", "=text", "place", "from"), rows)])


@prompts.command()
@click.argument("class_", metavar="CLASS", type=completion.CLASSES)
@click.argument("texts", nargs=-1, metavar="[TEXT...]")
@options.output
@click.pass_obj
def use(given: Given, class_: str, texts: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Use descriptions of a class that are there; without TEXT all of them."""
    _done(given, as_json, "use", class_, words=texts)


@prompts.command()
@click.argument("class_", metavar="CLASS", type=completion.CLASSES)
@click.argument("texts", nargs=-1, metavar="[TEXT...]")
@options.output
@click.pass_obj
def leave(given: Given, class_: str, texts: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Leave descriptions of a class out, without losing them; without TEXT all of them."""
    _done(given, as_json, "leave", class_, words=texts)


@prompts.command()
@options.output
@click.pass_obj
def undo(given: Given, as_json: bool, quiet: bool) -> None:
    """Take the last edit back; each call goes one further."""
    _back(given, as_json, "undo")


@prompts.command()
@options.output
@click.pass_obj
def redo(given: Given, as_json: bool, quiet: bool) -> None:
    """Do again what was undone last."""
    _back(given, as_json, "redo")


def _back(given: Given, as_json: bool, way: str) -> None:
    from promptlab.cli import output
    from promptlab.display import safe

    run, _, history = given.lab().history(given.run)
    edit = history.undo() if way == "undo" else history.redo()
    said = None if edit is None else given.lab().told(edit)
    if as_json:
        output.show_json({"run": str(run.path), "edit": said, "done": len(history.done), "undone": len(history.undone)})
    elif said is None:
        output.say(f"Nothing to {way}.")
    else:
        output.say(f"{'Undone' if way == 'undo' else 'Done again'}: {safe(said)}. {NEXT}")


@prompts.command()
@options.output
@click.pass_obj
def edit(given: Given, as_json: bool, quiet: bool) -> None:
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
def reset(given: Given, as_json: bool, quiet: bool) -> None:
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
def lint(given: Given, /, data: str, as_json: bool, quiet: bool, **flags: Any) -> None:
    """What is likely wrong with names and templates, of DATA or of the run."""
    from promptlab.cli import output
    from promptlab.report.tables import checks

    found = given.lab(**flags).lint(data, given.run)
    if as_json:
        output.show_json([{"name": check.name, "text": check.text} for check in found])
    else:
        output.show([checks(found, "Names and templates")])
