"""promptlab questions"""

import click

from promptlab.cli import completion, options


@click.group(invoke_without_command=True)
@options.output
@click.pass_context
def questions(context: click.Context, /, as_json: bool, quiet: bool) -> None:
    """What a language model is asked about a class: question packs, and the words of each."""
    if context.invoked_subcommand is None:
        _list(as_json)


@questions.command("list")
@options.output
def list_(as_json: bool, quiet: bool) -> None:
    """The packs that there are; what `promptlab questions` alone shows."""
    _list(as_json)


@questions.command()
@click.argument("pack", type=completion.PACKS)
@options.output
def show(pack: str, as_json: bool, quiet: bool) -> None:
    """The question of PACK (a name or a .toml file) as it is sent, for an example class."""
    from promptlab.cli import output
    from promptlab.display import safe
    from promptlab.lab import Lab

    (found,) = Lab.questions(pack)
    system, ask = Lab.example_question(found)
    if as_json:
        sampling = {"max_tokens": found.max_tokens, "temperature": found.temperature}
        reply = {"form": found.form.value, "list": found.list_of, "schema": dict(found.schema)}
        output.show_json({"pack": found.id, "about": found.about, "from": found.origin, "system": system, "ask": ask, **sampling, **reply})
        return
    told = [("It is told:", system)] if system else []
    for head, text in (*told, ("It is asked:", ask)):
        output.say(head, *(f"  {safe(line, 2000)}".rstrip() for line in text.splitlines()), "")
    output.say(f"Up to {found.max_tokens} tokens at temperature {found.temperature:g}; the reply's {safe(found.list_of)!r} are read.")


def _list(as_json: bool) -> None:
    from promptlab.cli import output
    from promptlab.display import safe
    from promptlab.lab import Lab
    from promptlab.report.tables import Table

    found = Lab.questions()
    if as_json:
        output.show_json([{"name": p.name, "version": p.version, "about": p.about, "from": p.origin} for p in found])
        return
    rows = tuple((p.name, str(p.version), safe(p.about), p.origin) for p in found)
    note = "Files work too: .toml. `promptlab questions show PACK` shows the words."
    output.show([Table("", ("pack", ">version", "what it asks", "from"), rows, note)])
