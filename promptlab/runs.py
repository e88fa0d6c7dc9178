"""Run folders: what a run was told, what it found, and what happened."""

import json
import math
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from filelock import FileLock, Timeout

from promptlab.errors import DataError, PromptlabError, StoreError, UsageError, unknown_name
from promptlab.events import Event, Finished, Progressed, Started
from promptlab.store import TEXT, explained, private_folder, read_json, slug, write_json, written
from promptlab.types import Array, Classes, Classifier, Combine

CLASSIFIER = "classifier.safetensors"
SCORES = "scores.json"
STUDY = "study.json"
ENRICHMENT = "enrichment.json"
LOCK = ".at-work"
CASES = "cases.jsonl"
EXPORTED = (CLASSIFIER, "report.html", "report.md", "prompts.toml", "descriptions.jsonl", "result.json", "classes.json", CASES)
CLASSIFY, MATCH, RETRIEVE = "classify", "match", "retrieve"  # what a run is about
VERBS = {CLASSIFY: "run", MATCH: "match", RETRIEVE: "retrieve"}  # which command goes on with it


class State(StrEnum):
    """How far a run has come, read off its files."""

    FINISHED = "finished"
    BUILT = "built"
    SCORED = "scored"
    STUDIED = "studied"
    RUNNING = "running"
    UNFINISHED = "unfinished"


def version(name: str) -> str:
    """The installed version of a package; `not installed` without it."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


class Stopwatch:
    """Seconds by piece of work, read off the events; work that comes twice adds up."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._start = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        now = time.perf_counter()
        if isinstance(event, Started):
            self._began[event.work] = now
        elif isinstance(event, Finished):
            self.seconds[event.work] = self.seconds.get(event.work, 0.0) + now - self._began.get(event.work, now)

    def table(self) -> dict[str, float]:
        """{work: seconds}, with the total since the watch was made."""
        return {**{w: round(s, 3) for w, s in self.seconds.items()}, "total": round(time.perf_counter() - self._start, 3)}


class Run:
    """One run folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def manifest(self) -> dict[str, Any]:
        """What run.json says; raises StoreError when this is no run folder."""
        found = read_json(self.path / "run.json")
        if not _is_manifest(found):
            raise StoreError(f"{str(self.path)!r} is no run folder: its run.json is missing or broken.", "`promptlab runs` lists the runs.")
        return found

    @property
    def task(self) -> str:
        """What it is about: `classify`, `match` where captions are told apart, `retrieve` where they are looked for."""
        return str(self.manifest.get("task", CLASSIFY))

    @property
    def is_ours(self) -> bool:
        """Whether run.json is that of a run."""
        return _is_manifest(read_json(self.path / "run.json"))

    @property
    def result(self) -> dict[str, Any] | None:
        """What the run found; None when it did not finish."""
        found = read_json(self.path / "result.json")
        return found if isinstance(found, dict) else None

    @property
    def classes(self) -> list[dict[str, Any]] | None:
        """What the run found of each class; None when it did not finish."""
        found = read_json(self.path / "classes.json")
        return found if isinstance(found, list) and all(isinstance(row, dict) for row in found) else None

    @property
    def enrichment(self) -> dict[str, Any] | None:
        """What its enrichment came to; None when there was none."""
        found = read_json(self.path / ENRICHMENT)
        return found if isinstance(found, dict) else None

    @property
    def classifier(self) -> Path:
        """Where its classifier is, or would be."""
        return self.path / CLASSIFIER

    @property
    def state(self) -> State:
        """`finished` (judged, with a report), `built` (a classifier alone), `scored`, `studied`, `running`, else `unfinished`."""
        if (self.path / "result.json").is_file() and self.result is not None:
            return State.FINISHED
        if self.at_work:
            return State.RUNNING
        kept = {State.BUILT: CLASSIFIER, State.SCORED: SCORES, State.STUDIED: STUDY}
        return next((state for state, name in kept.items() if (self.path / name).is_file()), State.UNFINISHED)

    @contextmanager
    def work(self) -> Iterator[None]:
        """Marks the run as being worked on; the mark goes with the process, however that ends."""
        lock = FileLock(self.path / LOCK)
        with suppress(OSError):  # Timeout is one: a second process may work here, too, since files appear whole
            lock.acquire(timeout=0.2)  # longer than anybody needs to look whether it is held
        try:
            yield
        finally:
            lock.release()

    @property
    def at_work(self) -> bool:
        """Whether a process works on it now."""
        if not (self.path / LOCK).is_file():
            return False
        lock = FileLock(self.path / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        except OSError:
            return False
        lock.release()
        return False

    def save_json(self, name: str, value: Any) -> Path:
        """Keep a JSON value in the run."""
        write_json(self.path / name, value)
        return self.path / name

    def save_text(self, name: str, text: str) -> Path:
        """Keep a text file in the run."""
        with written(self.path / name, "w") as file:
            file.write(text)
        return self.path / name

    def save_lines(self, name: str, lines: Iterable[str]) -> None:
        """Keep a text file in the run, of lines that are made while it is written."""
        with written(self.path / name, "w") as file:
            file.writelines(lines)

    def log(self, event: Event) -> None:
        """Append an event to events.jsonl, except progress, which is only for eyes."""
        if isinstance(event, Progressed):
            return
        line = {"time": datetime.now().isoformat(timespec="milliseconds"), "event": type(event).__name__, **asdict(event)}
        with explained(self.path), open(self.path / "events.jsonl", "a", opener=_privately, **TEXT) as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _privately(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _is_manifest(found: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(found, dict) and {"created", "data", "settings"} <= set(found) and isinstance(found["settings"], dict)


def new(root: Path, about: str, manifest: dict[str, Any]) -> Run:
    """A new run folder `<date>-<slug>`, with its manifest."""
    stamp = datetime.now()
    base = f"{stamp:%Y-%m-%d-%H%M%S}-{slug(about, 24)}"
    with explained(root):
        private_folder(root)
        for n in range(1000):
            path = root / (base if n == 0 else f"{base}-{n}")
            try:
                path.mkdir(mode=0o700)
                break
            except FileExistsError:
                continue
        write_json(path / "run.json", {"created": stamp.isoformat(timespec="seconds"), **manifest})
    return Run(path)


def point(root: Path) -> None:
    """Make the link `latest` lead to the newest run that has a classifier; without any there is no link."""
    link, newest = root / "latest", _latest(root)
    with explained(root):
        if newest is None:
            link.unlink(missing_ok=True)
            return
        fresh = root / f".latest-{newest.name}"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(newest.name)
        fresh.replace(link)


def _latest(root: Path) -> Run | None:
    return next((run for run in _newest_first(root) if run.task == CLASSIFY and run.state in (State.FINISHED, State.BUILT)), None)


def _newest_first(root: Path) -> Iterator[Run]:
    if not os.path.isdir(root):
        return
    found = [p for p in root.iterdir() if p.is_dir() and not p.is_symlink() and (p / "run.json").is_file()]
    ordered = sorted(found, key=lambda p: (p.name[:17], (p / "run.json").stat().st_mtime_ns), reverse=True)
    yield from (run for run in map(Run, ordered) if run.is_ours)


def all_runs(root: Path) -> list[Run]:
    """Every run, newest first."""
    return list(_newest_first(root))


def find(root: Path, name: str = "", task: str = "") -> Run:
    """The run of that name, part of a name, or path; `latest` is the newest with a classifier, no name the newest of all of that task.
    No task: whatever it is about.

    Raises UsageError when there is none, or several, or when the one that is named is of another task.
    """
    found = _find(root, name, task)
    if task and found.task != task:
        verb = f"`promptlab {VERBS[found.task]} --run {found.name}` goes on with it." if found.task in VERBS else ""
        raise UsageError(f"The run {found.name!r} is one of `{VERBS.get(found.task, found.task)}`, not of `{VERBS[task]}`.", verb)
    return found


def _find(root: Path, name: str, task: str) -> Run:
    if name and name != "latest" and os.path.isfile(Path(name, "run.json")):  # Path.is_file raises for a name that is too long
        run = Run(Path(name).resolve())
        _ = run.manifest  # any folder may hold a run.json; raises unless it is ours
        return run
    if name and name != "latest":
        return _named(root, name)
    newest = next((run for run in _newest_first(root) if task in ("", run.task)), None)
    if newest is None and task in (MATCH, RETRIEVE):
        raise UsageError(f"There is no run of `{task}` in {str(root)!r} yet.", f"Name data with captions: promptlab {task} captions.jsonl")
    if newest is None:
        raise UsageError(f"There is no run in {str(root)!r} yet.", "Name data: promptlab run photos/, or try promptlab demo.")
    found = newest if not name else _latest(root)
    if found is None:
        raise UsageError(f"No run in {str(root)!r} has a classifier yet.", "Make one: promptlab run photos/")
    return found


def _named(root: Path, name: str) -> Run:
    found = all_runs(root)
    fitting = [run for run in found if run.name == name] or [run for run in found if name in run.name]
    if not fitting:
        raise unknown_name("run", name, [run.name for run in found])
    if len(fitting) > 1:
        shown = ", ".join(run.name for run in fitting[:6]) + ", ..." * (len(fitting) > 6)
        raise UsageError(f"{name!r} is part of the names of {len(fitting)} runs: {shown}.", "Write more of the name.")
    return fitting[0]


def with_classifier(root: Path, name: str = "") -> Run:
    """The run of that name, the newest that has a classifier without one. Raises UsageError when it has none."""
    found = find(root, name or "latest", CLASSIFY)
    if not found.classifier.is_file():
        raise UsageError(f"The run {found.name!r} has no classifier: it is {found.state}.", f"Make one: promptlab run --run {found.name}")
    return found


def remove(run: Run) -> None:
    """Delete a run folder."""
    root, _ = run.path.parent, run.manifest  # raises unless it is a run of ours
    with explained(run.path):
        shutil.rmtree(run.path)
    point(root)


def exported(run: Run, folder: Path) -> dict[Path, Path]:
    """{file of the run: where it goes} of what is worth giving away. Raises UsageError for a run that did not finish."""
    if run.result is None:
        raise UsageError(f"The run {run.name!r} is {run.state}: only finished runs can be exported.", "Finish it: promptlab run")
    return {run.path / name: folder / name for name in EXPORTED if (run.path / name).is_file()}


def export(run: Run, folder: Path) -> list[Path]:
    """Copy what `exported` names into a folder; what is there by these names is replaced. What was written, in order."""
    files = exported(run, folder)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for source, target in files.items():
            with written(target) as file, open(source, "rb") as kept:
                shutil.copyfileobj(kept, file)
    return list(files.values())


def save_classifier(path: Path, classifier: Classifier) -> None:
    """Write weight (C, D), bias (C,) and JSON metadata as safetensors; bias holds the constant of sigmoid models, too."""
    from safetensors.numpy import save

    about = {
        "format": 1,
        "encoder": classifier.encoder,
        "scale": classifier.scale,
        "logit_bias": classifier.logit_bias,
        "combine": classifier.combine.value,
        "ids": classifier.classes.ids,
        "classes": classifier.classes.titles,
        "names": classifier.classes.names,
        "lineage": classifier.lineage,
    }
    bias = classifier.bias + np.float32(classifier.logit_bias or 0)  # whoever reads the file adds one bias, and has the logits
    tensors = {"weight": np.ascontiguousarray(classifier.weight), "bias": np.ascontiguousarray(bias)}
    with written(path) as file:
        file.write(save(tensors, {"promptlab": json.dumps(about)}))


def load_classifier(path: Path) -> Classifier:
    """A classifier from its file. Raises DataError when it is none, or when its numbers can be no classifier's."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            about = json.loads((file.metadata() or {})["promptlab"])
            weight, bias = (_finite(file.get_tensor(name), name, axes) for name, axes in (("weight", 2), ("bias", 1)))
        classes = Classes(_words(about["ids"]), tuple(map(_words, about["names"])))
        scale, encoder, lineage = float(about["scale"]), about["encoder"], about["lineage"]
        if not 0 < scale < math.inf:
            raise ValueError(f"its scale is {scale:g}")
        if not isinstance(encoder, str) or not isinstance(lineage, dict):
            raise TypeError("`encoder` must be a word, and `lineage` an object")
        constant = None if about.get("logit_bias") is None else float(about["logit_bias"])
        if constant is not None and not math.isfinite(constant):
            raise ValueError(f"its logit bias is {constant:g}")
        bias = bias - np.float32(constant or 0)
        return Classifier(weight, bias, scale, classes, encoder, Combine(about["combine"]), lineage, constant)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RecursionError, OverflowError, PromptlabError) as error:
        said = str(error).rstrip(".")
        raise DataError(f"{str(path)!r} is no classifier of promptlab: {said}.", "`promptlab build` writes one.") from error


def _finite(array: Array, name: str, axes: int) -> Array:
    """The tensor as f4. Raises ValueError unless it holds finite floats along that many axes."""
    if array.ndim != axes or array.dtype.kind != "f" or not np.isfinite(array).all():
        raise ValueError(f"`{name}` is {array.dtype} {array.shape}, and finite floats along {axes} axes were expected")
    return np.asarray(array, np.float32)


def _words(found: Any) -> tuple[str, ...]:
    """The words of a JSON list. Raises TypeError for anything else; a word alone would come apart into letters."""
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        raise TypeError(f"{str(found)[:60]!r} is no list of words")
    return tuple(found)
