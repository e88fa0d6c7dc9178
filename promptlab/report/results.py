"""Results of other programs, read and written: CLIP_benchmark's JSON and CSV, datacomp's lines, WaffleCLIP's rows."""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptlab.display import safe
from promptlab.errors import UsageError
from promptlab.report.tables import Table, percent
from promptlab.store import write_json
from promptlab.types import Evaluation

MAIN = ("acc1", "mean_average_precision", "main_metric", "text_retrieval_recall@5", "image_retrieval_recall@5", "lp_acc1")
SHOWN = ("acc1", "acc5", "mean_per_class_recall")
KNOWN = (*MAIN, *SHOWN)  # metrics that are shares whatever program wrote them
WORDS = ("dataset", "model", "pretrained", "task", "language", "model_fullname", "classnames", "templates", "key")
WAFFLE = ("acc1", "acc1_std", "acc1_max", "acc1_min", "acc5", "acc5_std", "acc5_max", "acc5_min")


@dataclass(frozen=True, slots=True)
class Result:
    """What one program found of one model on one data set."""

    dataset: str
    """As the file calls it; empty when it does not say."""
    model: str
    """With its weights; empty when the file does not say."""
    metrics: Mapping[str, float | None]
    """Shares from 0 to 1; None where there is none, e.g. acc5 of four classes."""
    file: str
    """Where it stands."""

    @property
    def main(self) -> float | None:
        """The one number that it is sorted by; None when it has none."""
        return next((self.metrics[name] for name in MAIN if self.metrics.get(name) is not None), None)


def for_benchmark(found: Evaluation, *, dataset: str, model: str, language: str) -> dict[str, Any]:
    """An evaluation as CLIP_benchmark writes its own, with null where that writes NaN; of pictures that may show several classes it has
    mean average precision alone. model: as --model takes it. Raises UsageError without labels."""
    if found.accuracy is None:
        raise UsageError("The data has no labels, so there is no accuracy to write.", "Judge on labelled pictures.")
    name, _, pretrained = model.partition(",")
    metrics = {"acc1": found.accuracy, "acc5": found.top5, "mean_per_class_recall": found.mean}
    if found.precision is not None:
        metrics = {"mean_average_precision": found.precision.mean}
    about = {"dataset": dataset, "model": name, "pretrained": pretrained, "task": "zeroshot_classification"}
    return {**about, "metrics": metrics, "language": language}


def save_retrieval(path: Path, found: Mapping[str, Any], data: str, language: str) -> None:
    """Write the result.json of a retrieval as CLIP_benchmark writes its own: of the templates, with recall at each k. data: where it is."""
    name, _, pretrained = str(found["data"]["model"]).partition(",")
    ways = {"image": found["result"]["pictures"], "text": found["result"]["captions"]}
    metrics = {f"{way}_retrieval_recall@{at['k']}": at["recall"] for way, one in ways.items() for at in one["at"]}
    about = {"dataset": named(data), "model": name, "pretrained": pretrained, "task": "zeroshot_retrieval"}
    write_json(path, {**about, "metrics": metrics, "language": language})


def save(path: Path, found: Evaluation, data: str, model: str, language: str) -> None:
    """Write an evaluation as CLIP_benchmark does. data: as it was typed. Raises UsageError without labels."""
    write_json(path, for_benchmark(found, dataset=named(data), model=model, language=language))


def named(data: str) -> str:
    """What data is called in the files of others, given as it was typed: a folder's name, a file's without its suffix, else the same."""
    path = Path(data)
    return (path.resolve().name if path.is_dir() else path.stem if path.exists() else data) or data


def read(path: str) -> list[Result]:
    """The results in a file. Raises UsageError for what is none."""
    try:
        text = Path(path).read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        raise UsageError(f"The results {path!r} cannot be read: {error}.") from error
    if not text.strip():
        raise UsageError(f"{path!r} is empty.", HINT)
    if text.lstrip()[:1] != "{":
        return _table(text, path)
    whole = _json(text)
    if whole is not None:
        return [_result(whole, path)]
    lines = [(n, _json(line)) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    broken = next((n for n, found in lines if found is None), None)
    if broken is not None:
        raise UsageError(f"{path!r}, line {broken}, is no JSON object.", HINT)
    return [_result(found, f"{path}:{n}") for n, found in lines]


HINT = "Expected results of CLIP_benchmark (JSON, or the CSV of its `build`), of datacomp (JSON lines), or of WaffleCLIP (CSV)."


def _json(text: str) -> dict[str, Any] | None:
    """A JSON object, NaN and all; None for anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _result(found: Any, where: str) -> Result:
    metrics = found.get("metrics")
    if not isinstance(metrics, Mapping):
        raise UsageError(f"{where!r} holds no `metrics`.", HINT)
    named = found.get("model_fullname") or " ".join(filter(None, (_word(found.get(name)) for name in ("model", "pretrained"))))
    shares = {name: _share(value, name, where) for name, value in metrics.items() if name in KNOWN or _number(value)}
    return Result(_word(found.get("dataset")) or _word(found.get("key")), _word(named), shares, where)


def _number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _word(found: Any) -> str:
    return found if isinstance(found, str) else ""


def _share(value: Any, name: str, where: str) -> float | None:
    """A share from 0 to 1; None for NaN and nothing, and for words in other columns than those of shares. Raises UsageError for anything
    else."""
    known = name in KNOWN
    try:
        number = float("nan" if value in (None, "") else str(value))  # as words: true is no share
    except (ValueError, TypeError, OverflowError) as error:
        if not known:
            return None
        raise UsageError(f"{where!r} has {str(value)[:40]!r} for {name!r}; a share from 0 to 1 was expected.", HINT) from error
    if math.isnan(number) or (not known and math.isinf(number)):
        return None
    if known and not 0 <= number <= 1:
        raise UsageError(f"{where!r} has {number:g} for {name!r}; a share from 0 to 1 was expected.", "Is it percent? Divide it by 100.")
    return number


def _table(text: str, path: str) -> list[Result]:
    """The rows of a CSV: with a head CLIP_benchmark's, without one WaffleCLIP's."""
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise UsageError(f"{path!r} is no CSV: {error}.", HINT) from error
    if not rows or ("model" not in rows[0] and "acc1" not in rows[0]):
        return [_waffle(row, f"{path}:{n}") for n, row in enumerate(rows, 1)]
    if twice := [head for head, n in Counter(rows[0]).items() if n > 1]:
        raise UsageError(f"{path!r} has several columns {twice[0]!r}; nobody knows which is meant.", "Leave one of them.")
    if len(rows) == 1:
        raise UsageError(f"{path!r} has a head and no row of results.", HINT)
    ragged = next((n for n, row in enumerate(rows, 1) if len(row) != len(rows[0])), None)
    if ragged is not None:
        raise UsageError(f"{path!r}, row {ragged}, has {len(rows[ragged - 1])} cells; {len(rows[0])} were expected.", HINT)
    found = []
    for n, row in enumerate(rows[1:], 2):
        cells = dict(zip(rows[0], row, strict=True))
        metrics = {name: value for name, value in cells.items() if name not in WORDS}
        shares = {name: _share(value, name, f"{path}:{n}") for name, value in metrics.items()}
        named = cells.get("model_fullname") or " ".join(filter(None, (cells.get("model", ""), cells.get("pretrained", ""))))
        found.append(Result(cells.get("dataset", ""), named.strip(), shares, f"{path}:{n}"))
    return found


def _waffle(row: Sequence[str], where: str) -> Result:
    """A row of WaffleCLIP: what was called, then mean, spread, most and least of top-1, and the same of top-5, in percent."""
    numbers = row[-len(WAFFLE) :]
    try:
        shares = {name: float(value) / 100 for name, value in zip(WAFFLE, numbers, strict=True)}
    except ValueError as error:
        raise UsageError(f"{where!r} is no row of results: {', '.join(row)[:60]!r}.", HINT) from error
    return Result("", " ".join(row[: -len(WAFFLE)]), {name: _share(value, name, where) for name, value in shares.items()}, where)


def table(results: Sequence[Result]) -> Table:
    """All results, worst first."""
    ordered = sorted(results, key=lambda one: (one.main is None, one.main or 0.0))
    rows = tuple(
        (safe(one.dataset), safe(one.model), *(percent(one.metrics.get(m)) for m in SHOWN), _others(one), safe(one.file)) for one in ordered
    )
    return Table("", ("data set", "model", ">acc1 %", ">acc5 %", ">mean recall %", "more, %", "file"), rows)


def _others(one: Result) -> str:
    return safe(", ".join(f"{name} {percent(value)}" for name, value in one.metrics.items() if name not in SHOWN and value is not None))


def plain(results: Sequence[Result]) -> list[dict[str, Any]]:
    """All results as JSON objects, worst first."""
    ordered = sorted(results, key=lambda one: (one.main is None, one.main or 0.0))
    return [{"dataset": one.dataset, "model": one.model, "metrics": dict(one.metrics), "file": one.file} for one in ordered]
