"""The report of a run as one self-contained HTML file, made from what the run keeps: nothing in it is fetched from anywhere."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

from promptlab.display import safe
from promptlab.report import enrich, match, plots, retrieve, tables
from promptlab.report.tables import cosine, percent, signed
from promptlab.shipped import folder

MOST_CHANGES = 12


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=FileSystemLoader(folder("report")),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"safe_text": safe, "percent": percent, "signed": signed, "cosine": cosine, "span": _span, "bar": plots.bar}
    return environment.get_template(name)


def page(
    found: Mapping[str, Any],
    classes: Sequence[Mapping[str, Any]],
    manifest: Mapping[str, Any],
    thumbnails: Mapping[str, str] | None = None,
) -> str:
    """The page. found: result.json; classes: classes.json; manifest: run.json; thumbnails: {picture: JPEG in base64}, none by
    default."""
    known = [row for row in classes if "after" in row]
    worst = sorted((row for row in classes if "worst" in row), key=lambda row: row["worst"])
    slope = [(safe(row["class"], 60), row["before"], row["after"]) for row in worst if "after" in row]
    every = [(safe(row["class"], 60), row["before"], row["after"], tuple(row["after_interval"])) for row in known]
    rows = [
        (name, found[key], found["changed"][key])
        for name, key in (("one template", "one_template"), ("baseline", "baseline"))
        if found[key]
    ]
    if found["method"]["tried"] != "uniform":
        rows.append((found["method"]["tried"] + ("" if found["method"]["kept"] else " (tried)"), found["tried"], found["changed"]["tried"]))
    return _template("report.html.j2").render(
        found=found,
        rows=rows,
        manifest=manifest,
        worst=worst,
        slope=plots.slopes(slope) if slope else "",  # plots escape what they show
        accuracies=plots.sorted_accuracies(every) if every else "",
        families=sorted(found["families"], key=lambda row: -row["weight"]),
        heaviest=max(row["weight"] for row in found["families"]),
        thumbnails=thumbnails or {},
        most=MOST_CHANGES,
        enrichment=enrich.tables(found["enrichment"]) if found.get("enrichment") else (),  # of words that are safe to show
        findings=[tables.finding(one) for one in found.get("findings", ())],
    )


def match_page(found: Mapping[str, Any], manifest: Mapping[str, Any], thumbnails: Mapping[str, str]) -> str:
    """The page of a caption run. found: result.json; manifest: run.json; thumbnails: {picture: JPEG in base64}."""
    before, after = match.around_hard_cases(found)  # of words that are safe to show
    return _template("match.html.j2").render(
        found=found, lead=match.lead(found), before=before, after=after, manifest=manifest, thumbnails=thumbnails
    )


def retrieve_page(found: Mapping[str, Any], manifest: Mapping[str, Any], thumbnails: Mapping[str, str]) -> str:
    """The page of a retrieval run. found: result.json; manifest: run.json; thumbnails: {picture: JPEG in base64}."""
    return _template("retrieve.html.j2").render(
        found=found,
        lead=retrieve.lead(found),
        recalls=retrieve.recalls(found),
        health=retrieve.health(found),
        manifest=manifest,
        thumbnails=thumbnails,
    )


def _span(interval: Sequence[float] | None, sign: bool = False) -> str:
    return "" if interval is None else "[" + ", ".join(signed(v) if sign else percent(v) for v in interval) + "]"
