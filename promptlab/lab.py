"""The façade: resolves names, calls the stages, keeps the results, announces progress. Wiring only.

Stages that need torch are imported where they are called: listing datasets must not take seconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from promptlab import runs
from promptlab.config import Settings
from promptlab.errors import DataError, MismatchError, UsageError, unknown_name
from promptlab.events import Event, Listener, Noted, Saved, ignore
from promptlab.plugins import Plugins
from promptlab.prompts import templates as template_sets
from promptlab.prompts.compose import compose
from promptlab.prompts.lint import lint
from promptlab.protocols import DataOptions, DatasetSource, ModelAlias, Rule
from promptlab.report import markdown, summary, tables
from promptlab.store import Cache, fingerprint
from promptlab.types import Array, Check, Classes, Classifier, Combine, Dataset, Features, Guess, Images, LabelSource, Scoreboard, Template, TextBank

if TYPE_CHECKING:
    from promptlab.encode.openclip import OpenClipEncoder
    from promptlab.loops import run as loop

DEFAULT_MODEL = "mini"
ONE_TEMPLATE = "a photo of a {}."


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Everything that the main loop needs, encoded."""

    dataset: Dataset
    """What was opened."""
    tune: Features
    """What things are chosen on."""
    judged: Features
    """What is told."""
    bank: TextBank
    """The families."""
    single: TextBank | None
    """One template; None when text vectors came with the data and none of them is it."""
    model: str
    """As `--model` takes it; empty when nobody knows it."""
    encoded: dict[str, int]
    """How many texts and images were encoded anew."""
    skipped: tuple[tuple[str, str], ...]
    """Pictures that could not be read: (key, reason)."""
    lint: tuple[Check, ...]
    """What is likely wrong with names and texts."""


@dataclass(frozen=True, slots=True, eq=False)
class RunResult:
    """A finished run."""

    run: runs.Run
    """Its folder."""
    outcome: "loop.Outcome"
    """What was found."""
    material: Material
    """What it was found on."""
    summary: dict[str, Any]
    """The JSON object."""
    tables: tuple[tables.Table, ...]
    """Headline, worst classes, families, health."""
    lead: tuple[str, ...]
    """The sentences above the tables."""


class Lab:
    """promptlab from Python: `Lab().run("photos/")`. `plugins=False` leaves third-party plugins out."""

    def __init__(self, settings: Settings | None = None, listen: Listener = ignore, *, plugins: bool = True) -> None:
        self.settings = settings or Settings.load({})
        self.cache = Cache(self.settings.cache_folder)
        self._listen = listen
        self._run = ""
        self._plugins = Plugins(listen, plugins)

    # -- what there is ------------------------------------------------------------------------------------------------------------

    @cached_property
    def sources(self) -> dict[str, tuple[DatasetSource, str]]:
        """{name: (source, plugin)}."""
        return self._plugins.collect("promptlab_datasets", ["promptlab.data"])

    @cached_property
    def models(self) -> dict[str, tuple[ModelAlias, str]]:
        """{alias: (model, plugin)}."""
        return self._plugins.collect("promptlab_encoders", [])

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """{name: rule}."""
        return {name: rule for name, (rule, _) in self._plugins.collect("promptlab_rules", ["promptlab.score.rules"]).items()}

    @cached_property
    def device(self) -> str:
        """Where products run: `cpu`, `cuda`, `mps`."""
        from promptlab.encode.device import resolve

        return resolve(self.settings.device)

    # -- stages -------------------------------------------------------------------------------------------------------------------

    def open(self, where: str) -> Dataset:
        """The dataset that `where` names or points to. Raises UsageError or DataError that lists what would work."""
        options = DataOptions(names=self.settings.classes)
        if where in self.sources:
            return self.sources[where][0].open(where, options)
        source = next((source for source, _ in self.sources.values() if source.claims(where)), None)
        if source is not None:
            return source.open(where, options)
        if Path(where).exists():
            raise DataError(f"{where!r} is nothing that a dataset source understands.", "`promptlab datasets` shows what they read.")
        raise unknown_name("dataset or folder", where, self.sources)

    def encoder(self, model: str = "") -> "OpenClipEncoder":
        """The encoder for an alias or a model as `--model` takes it; nothing is loaded yet."""
        from promptlab.encode.openclip import OpenClipEncoder

        name = model or self.settings.model or DEFAULT_MODEL
        alias = self.models.get(name)
        if alias is None and "," not in name and ":" not in name and not Path(name).exists() and "/" not in name and "-" not in name:
            raise unknown_name("model", name, self.models)
        return OpenClipEncoder(alias[0].target if alias else name, self.cache, self.device, name)

    def features(self, dataset: Dataset, encoder: "OpenClipEncoder | None") -> tuple[dict[str, Features], int]:
        """Features of every split, and how many pictures were encoded anew."""
        from promptlab.encode.features import encode_images

        out, new = {}, 0
        for split, part in dataset.splits.items():
            if isinstance(part, Features):
                out[split] = part
                continue
            if encoder is None:
                raise UsageError("Pictures need a model to encode them.", "Add --model.")
            out[split], made = encode_images(part, encoder, dataset.name, self.cache, self._tell)
            new += made
        return out, new

    def texts(self, classes: Classes, names: Sequence[str], encoder: "OpenClipEncoder") -> tuple[TextBank, int]:
        """The text bank of template sets, and how many texts were encoded anew."""
        return self._bank(classes, template_sets.load(names), encoder)

    def _bank(self, classes: Classes, templates: Sequence[Template], encoder: "OpenClipEncoder") -> tuple[TextBank, int]:
        from promptlab.encode.text import encode_grid

        return encode_grid(compose(classes, templates), encoder, self.cache, self._tell)

    def prepare(self, where: str) -> Material:
        """Everything that the main loop needs, encoded or taken from the cache."""
        return self._prepare(self.open(where))

    def _prepare(self, dataset: Dataset) -> Material:
        model = self._model_for(dataset)
        encoder = self.encoder(model) if model else None
        features, images = self.features(dataset, encoder)
        bank, single, texts = dataset.bank, None, 0
        if bank is None:
            assert encoder is not None
            bank, texts = self.texts(dataset.classes, self.settings.templates, encoder)
            single, more = self._bank(dataset.classes, [template_sets.template(ONE_TEMPLATE)], encoder)
            texts += more
        else:
            single = _family_alone(bank)
        tune, judged = self._halves(features)
        skipped = tuple(s for part in features.values() for s in part.skipped)
        if skipped:
            self._tell(Noted(f"{len(skipped)} pictures could not be read and are left out, e.g. {skipped[0][0]}: {skipped[0][1]}."))
        found = tuple(lint(dataset.classes, bank.too_long))
        return Material(dataset, tune, judged, bank, single, model, {"texts": texts, "images": images}, skipped, found)

    def _model_for(self, dataset: Dataset) -> str:
        """The model as `--model` takes it; empty when the data brings pictures and texts as vectors."""
        encoded = all(isinstance(part, Features) for part in dataset.splits.values())
        if encoded and dataset.bank is not None:
            return ""
        if encoded and not self.settings.model and not dataset.encoder:
            raise UsageError(f"The features of {dataset.name!r} do not say which model made them.", "Name it with --model.")
        return self.settings.model or dataset.encoder or DEFAULT_MODEL

    def _halves(self, features: dict[str, Features]) -> tuple[Features, Features]:
        from promptlab.score.evaluate import halves

        if self.settings.transductive:
            if "all" not in features:
                raise UsageError("This data brings its own tune and eval parts, so --transductive cannot be used.")
            return features["all"], features["all"]
        if "all" not in features:
            return features["tune"], features["eval"]
        whole = features["all"]
        first, second = halves(whole.labels, len(whole), self.settings.seed)
        return whole.take(first, "tune"), whole.take(second, "eval")

    @property
    def choice(self) -> "loop.Choice":
        """The settings of the main loop."""
        from promptlab.loops import run as loop

        s = self.settings
        return loop.Choice(s.weights, LabelSource(s.labels), Combine(s.combine), s.debias, s.tau, s.k, s.seed, self.device)

    # -- verbs --------------------------------------------------------------------------------------------------------------------

    def run(self, where: str = "", run: str = "") -> RunResult:
        """The whole loop on a dataset, kept in a run folder; without a dataset the latest run (or `run`) goes on."""
        from promptlab.loops import run as loop

        watch, dataset, kept = self._begin("run", where, run)
        material = self._prepare(dataset)
        outcome = loop.run(material.tune, material.judged, material.bank, material.single, self.choice, self.rules, self._tell)
        health = (*material.lint, *outcome.health)
        classifier = self._with_lineage(outcome.result.classifier, material, outcome)
        self._save_classifier(kept, classifier)
        found = summary.result(
            outcome,
            run=str(kept.path),
            data=_data_summary(material),
            classes=dataset.classes,
            health=health,
            seconds=watch.table(),
            encoded=material.encoded,
        )
        kept.save_json("classes.json", summary.class_rows(outcome, dataset.classes, material.judged.labels))
        shown, lead = _shown(outcome, material, health, self.settings.transductive)
        full = [*shown[:2], tables.families(outcome.weights, outcome.board, outcome.accuracy), *shown[3:]]
        path = kept.save_text("report.md", markdown.report(f"promptlab: {dataset.name}", lead, full))
        self._tell(Saved("report", str(path)))
        kept.save_json("result.json", found)
        self._run = ""
        return RunResult(kept, outcome, material, found, shown, lead)

    def score(self, where: str, names: Sequence[str], labels: str = "", run: str = "") -> tuple[dict[str, Scoreboard], Material]:
        """Scoreboards of all families on the tune half, kept in a run folder. Default labels: true ones where there are any."""
        from promptlab.loops import run as loop

        _, dataset, kept = self._begin("score", where, run)
        material = self._prepare(dataset)
        source = LabelSource(labels) if labels else LabelSource.ENSEMBLE if material.tune.labels is None else LabelSource.TRUE
        boards = loop.score_families(material.tune, material.bank, list(names), source, self.rules, self.device, self._tell)
        kept.save_json("scores.json", {name: summary.board(board, dataset.classes) for name, board in boards.items()})
        self._run = ""
        return boards, material

    def build(self, where: str = "", run: str = "", output: Path | None = None) -> tuple[Path, Classifier]:
        """Weigh and build, without judging: the classifier, in the run folder or at `output`."""
        from promptlab.loops import run as loop

        _, dataset, kept = self._begin("build", where, run)
        material = self._prepare(dataset)
        weights, _ = loop.weigh(material.tune, material.bank, self.choice, self.rules, self._tell)
        made = loop.make(material.tune, material.bank, weights, self.choice)
        classifier = replace(made, lineage=self._lineage(material, weights.families, weights.w, self.settings.weights))
        self._save_classifier(kept, classifier)
        if output is not None:
            runs.save_classifier(output, classifier)
        self._run = ""
        return output or kept.classifier, classifier

    def classify(self, images: Images, path: Path, top: int = 3) -> list[Guess]:
        """What the classifier at `path` says of pictures; one Guess each, in order."""
        from promptlab.score.classifier import logits

        classifier = runs.load_classifier(path)
        model = str(classifier.lineage.get("model", ""))
        if not (model or self.settings.model):
            raise UsageError(f"{str(path)!r} does not say which model it belongs to.", "Name it with --model.")
        encoder = self.encoder(self.settings.model or model)
        if classifier.encoder and encoder.fingerprint != classifier.encoder:
            raise MismatchError(f"The classifier was made with another model than {encoder.name!r}.", f"It was made with {model!r}: use that one.")
        x, bad = encoder.encode_images(images, range(len(images)))
        good = [i for i in range(len(images)) if i not in bad]
        out = {i: Guess(images.keys[i], (), 0.0, reason) for i, reason in bad.items()}
        if good:
            found = logits(classifier, Features(x, tuple(images.keys[i] for i in good), None, "given", ""), self.device)
            out |= {i: _guess(images.keys[i], row, classifier, top) for i, row in zip(good, found, strict=True)}
        return [out[i] for i in range(len(images))]

    # -- keeping ------------------------------------------------------------------------------------------------------------------

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)
        self._plugins.announce(event, self._run)
        self._listen(event)

    _listeners: tuple[Callable[[Event], None], ...] = ()

    def _begin(self, verb: str, where: str, run: str) -> tuple[runs.Stopwatch, Dataset, runs.Run]:
        """A stopwatch, the opened dataset, and the run folder: a new one for new data or other settings, else the one that goes on."""
        watch = runs.Stopwatch()
        root, kept = Path(self.settings.runs), None
        if not where:
            kept = runs.find(root, run)
            manifest = kept.manifest
            where = str(manifest["data"])
            before = {n: tuple(v) if isinstance(v, list) else v for n, v in manifest["settings"].items() if n not in self.settings.origin}
            self.settings = replace(self.settings, **{n: v for n, v in before.items() if n not in ("cache", "runs", "device")})
            same = {n: v for n, v in self.settings.plain().items() if n not in ("cache", "runs", "device")}
            if verb == "run" and any(manifest["settings"].get(n) != v for n, v in same.items()):
                kept = None
        dataset = self.open(where)
        place = str(Path(where).resolve()) if Path(where).exists() and where not in self.sources else where
        if kept is None:
            kept = runs.new(root, dataset.name, {"promptlab": version("promptlab-clip"), "data": place, "settings": self.settings.plain()})
        self._run, self._listeners = str(kept.path), (watch, kept.log)
        for note in dataset.notes:
            self._tell(Noted(note))
        return watch, dataset, kept

    def _save_classifier(self, run: runs.Run, classifier: Classifier) -> None:
        runs.save_classifier(run.classifier, classifier)
        self._tell(Saved("classifier", str(run.classifier)))

    def _with_lineage(self, classifier: Classifier, material: Material, outcome: "loop.Outcome") -> Classifier:
        k = len(outcome.weights.w)
        w, how = (outcome.weights.w, self.settings.weights) if outcome.kept else (np.full(k, 1 / k), "uniform")
        return replace(classifier, lineage=self._lineage(material, outcome.weights.families, w, how))

    def _lineage(self, material: Material, families: tuple[str, ...], w: Array, how: str) -> dict[str, Any]:
        model = material.model
        alias = self.models.get(model)
        if model and alias is None and Path(model.removeprefix("local-dir:")).exists():
            model = str(Path(model.removeprefix("local-dir:")).resolve())
        return {
            "model": model,
            "dataset": material.dataset.name,
            "grid": fingerprint(list(material.bank.grid.texts), material.bank.grid.cell),
            "families": list(families),
            "weights": [float(x) for x in w],
            "how": how,
            "labels": self.settings.labels,
            "debias": self.settings.debias,
            "seed": self.settings.seed,
            "tuned_on": len(material.tune),
            "versions": {name: version(name) for name in ("promptlab-clip", "torch", "open_clip_torch", "numpy")},
        }


def version(name: str) -> str:
    """The installed version of a package; `not installed` without it."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _family_alone(bank: TextBank) -> TextBank | None:
    """The family `a photo of a ...` of a bank that came with the data, alone; None when it has none."""
    k = next((k for k, name in enumerate(bank.grid.families) if name.lower().startswith("a photo of a ")), None)
    if k is None:
        return None
    cell = bank.grid.cell[bank.grid.cell[:, 0] == k] * np.array([0, 1, 1])
    return replace(bank, z=bank.z[k : k + 1], grid=replace(bank.grid, families=(bank.grid.families[k],), cell=cell))


def _data_summary(material: Material) -> dict[str, Any]:
    labels = [f.labels for f in (material.tune, material.judged) if f.labels is not None]
    present = np.unique(np.concatenate(labels)) if labels else None
    same = material.tune is material.judged
    return {
        "name": material.dataset.name,
        "n": len(material.tune) + (0 if same else len(material.judged)),
        "tune": len(material.tune),
        "eval": len(material.judged),
        "classes": len(material.dataset.classes),
        "absent": None if present is None else len(material.dataset.classes) - len(present),
        "skipped": [{"picture": key, "reason": reason} for key, reason in material.skipped],
        "model": material.model or None,
        "notes": list(material.dataset.notes),
    }


def _shown(outcome: "loop.Outcome", material: Material, health: Sequence[Check], in_sample: bool) -> tuple[tuple[tables.Table, ...], tuple[str, ...]]:
    classes, data = material.dataset.classes, _data_summary(material)
    size = f"{data['n']} pictures, {data['classes']} classes" + (f", of which {data['absent']} do not occur" if data["absent"] else "")
    lead = [f"{material.dataset.name}: {size}; {len(outcome.weights.w)} prompt families; model: {material.model or 'vectors that came with the data'}."]
    if material.skipped:
        lead.append(f"{len(material.skipped)} pictures could not be read and are left out, e.g. {material.skipped[0][0]}.")
    lead += [*material.dataset.notes, tables.verdict(outcome)]
    made = (
        tables.headline(outcome, in_sample),
        tables.worst_classes(outcome, classes, material.judged.labels),
        tables.families(outcome.weights, outcome.board, outcome.accuracy, most=8),
        tables.checks(health),
    )
    return made, tuple(lead)


def _guess(key: str, row: Array, classifier: Classifier, top: int) -> Guess:
    share = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
    order = np.argsort(-row, kind="stable")
    best = tuple((classifier.classes.titles[c], float(share[c])) for c in order[:top])
    return Guess(key, best, float(row[order[0]] - row[order[1]]) / classifier.scale)
