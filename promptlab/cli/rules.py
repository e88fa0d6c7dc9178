"""promptlab rules"""

import click

from promptlab.cli import options


@click.command()
@options.output
def rules(as_json: bool, quiet: bool) -> None:
    """Scoring rules and reducers: what `score --rule` takes."""
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.display import safe
    from promptlab.lab import Lab
    from promptlab.report.tables import Table

    with listening(quiet) as listen:
        found = Lab(listen=listen).rules.values()
    if as_json:
        output.show_json([{"name": r.name, "unit": r.unit.value, "reducer": r.reducer, "about": r.about, "by": r.by} for r in found])
        return
    rows = tuple((safe(r.name), r.unit.value, r.reducer, safe(r.about), safe(r.by.rpartition(" ")[0])) for r in found)
    note = "Also hit@K. RULE/REDUCER joins classes: overall, mean, worst-K, min; of shares also hmean, zeros; of f1 macro, micro, weighted."
    output.show([Table("", ("rule", "values", "reducer", "what it is", "from"), rows, note)])
