"""promptlab enrich"""

from typing import TYPE_CHECKING, Any

import click

from promptlab.cli import completion, options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptlab.loops.enrich import Trial

PLACES = ("auto", "inside", "replace", "beside")
KEEPS = ("better", "all", "ask")


def _asking(command: Any) -> Any:
    """Whom to ask, and what."""
    return options.stacked(
        click.option("--llm", help="Whom to ask: local, local:FILE.gguf, or the name of a model at --base-url."),
        click.option("--base-url", metavar="URL", help="A server that speaks OpenAI's Chat Completions (default: OpenAI's own)."),
        click.option("--pack", type=completion.PACKS, default="contrast", show_default=True, help="The question: a pack, or a .toml file."),
        click.option("--count", type=click.IntRange(1, 8), default=4, show_default=True, help="How many texts to ask for."),
        click.option("--rivals", type=click.IntRange(0, 5), default=3, show_default=True, help="How many rivals the question names."),
        click.option("--descriptions", type=completion.FILES, default="", help="Ask nobody: a file in any format of docs/exchange.md."),
        click.option("--as", "file_as", type=click.Choice(options.READ_TEXTS), help="The format of that file."),
        click.option("--key", "file_key", metavar="NAME", default="", help="The data set that is meant in that file."),
        click.option("--class-names", type=completion.FILES, default="", help="FuDD: the list of names that its numbers count."),
        click.option("--max-cost", type=click.FloatRange(min=0), help="US dollars to spend at most; needs `prices` (default: no limit)."),
        click.option("--prices", multiple=True, metavar="MODEL=IN/OUT", help="US dollars for a million tokens in and out."),
        click.option("--llm-timeout", type=float, help="Seconds that one reply may take (default: 60)."),
        click.option("--llm-parallel", type=click.IntRange(min=1), help="Questions asked at once (default: 4)."),
        click.option("--llm-rate", type=click.IntRange(min=0), help="Requests in a minute (default: no limit)."),
        click.option("--llm-tokens", type=click.IntRange(min=0), help="Tokens in a minute (default: no limit)."),
        click.option("--dry-run", is_flag=True, help="Show the questions, tokens and price; send nothing, make no run."),
    )(command)


def _keeping(command: Any) -> Any:
    """Which classes, and what to keep."""
    return options.stacked(
        click.option("--worst", type=click.IntRange(min=1), default=10, show_default=True, help="How many of the worst classes."),
        click.option("--class", "only", multiple=True, type=completion.CLASSES, help="This class instead; may be repeated."),
        click.option("--place", type=click.Choice(PLACES), default="auto", show_default=True, help="Where descriptions go."),
        click.option("--keep", type=click.Choice(KEEPS), default="better", show_default=True, help="What helps, all, or ask each time."),
        click.option("--synonyms", type=completion.FILES, default="", help="Other names to try: CLASS<TAB>NAME, NAME lines."),
        click.option("--renames/--no-renames", default=True, help="Try better names first: singular, no underscores, ..."),
        click.option("--control-draws", type=click.IntRange(min=1), default=1, show_default=True, help="Draws of random words."),
    )(command)


@click.command()
@options.material
@_keeping
@_asking
@options.method
@options.places
@options.output
def enrich(data: str, run_name: str, dry_run: bool, as_json: bool, quiet: bool, **flags: Any) -> None:
    """Better words for the worst classes of DATA, or of the newest run.

    Tries better names, then asks a language model what tells each of the worst classes from the classes that take its pictures. Only
    what helps all classes together on the tune half is kept; random words and other classes' descriptions go through the same test, and
    the report says how much is left. Replies are kept: asking again asks only what failed. Without --llm and --descriptions only names
    are tried.
    """
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.config import Settings
    from promptlab.describing import Wanted
    from promptlab.display import safe
    from promptlab.lab import Lab

    fields = ("worst", "pack", "count", "rivals", "place", "keep", "renames", "control_draws")
    files = ("descriptions", "file_key", "class_names", "synonyms")
    wanted = Wanted(classes=flags.pop("only"), file_as=flags.pop("file_as") or "", **{name: flags.pop(name) for name in (*fields, *files)})
    with listening(quiet) as listen:
        lab = Lab(Settings.load(flags), listen)
        if dry_run:
            _show_questions(*lab.would_ask(data, wanted, run_name), as_json)
            return
        found = lab.enrich(data, wanted, run_name, _chosen if wanted.keep == "ask" else None)
    if as_json:
        output.show_json(found.summary)
        return
    output.show(found.report.tables, found.report.lead)
    output.say("", f"Descriptions: {safe(str(found.run.path / 'descriptions.jsonl'))} (edit them, then `promptlab run`)")
    output.say(f"Report: {safe(str(found.run.path / 'report.md'))}", f"Classifier: {safe(str(found.run.classifier))}")


def _show_questions(asked: Any, endpoint: Any, estimate: Any, as_json: bool) -> None:
    """The questions as they would be sent, and what that would take."""
    from dataclasses import asdict

    from promptlab.cli import output
    from promptlab.display import safe

    if as_json:
        who = {"provider": endpoint.provider, "model": endpoint.model}
        questions = [{"class": one.about, "system": one.system, "text": one.text} for one in asked]
        output.show_json({**who, "questions": questions, "estimate": asdict(estimate)})
        return
    for one in asked:
        lines = [safe(line, 1000) for line in f"{one.system}\n\n{one.text}".strip().split("\n")]
        output.say(f"--- {safe(one.about, 60)}", *lines, "")
    price = "unknown: set `prices`" if estimate.cost is None else f"about ${estimate.cost:.4f}"
    output.say(
        f"{estimate.questions} questions to {safe(endpoint.model)} ({safe(endpoint.provider)}), {estimate.kept} of them answered before.",
        f"Tokens, if each reply is right the first time: up to {estimate.tokens_in:,} in, {estimate.tokens_out:,} out. Price: {price}.",
        "Nothing was sent.",
    )


def _chosen(trials: "Sequence[Trial]") -> "Trial | None":
    """What somebody at the terminal wants kept of one class's trials."""
    from promptlab.display import safe

    click.echo(f"\n{safe(trials[0].class_id)}", err=True)
    for n, one in enumerate(trials, 1):
        click.echo(f"  {n}. {one.bundle.place}: {one.figures}{f'; {one.fault}' * bool(one.fault)}", err=True)
        click.echo(f"     {safe('; '.join(one.texts), 300)}", err=True)
    best = next((n for n, one in enumerate(trials, 1) if not one.fault), 0)
    number = click.prompt("Keep which (0: none)?", type=click.IntRange(0, len(trials)), default=best, err=True)
    return trials[number - 1] if number else None
