"""The façade: resolves names, calls the stages, keeps the results, announces progress. Wiring only.

Stages that need torch are imported where they are called: listing datasets must not take seconds.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from promptlab import runs
from promptlab.config import Settings
from promptlab.data.imagefolder import some_pictures
from promptlab.errors import DataError, MismatchError, UsageError, unknown_name
from promptlab.events import Event, Listener, Noted, Saved, ignore
from promptlab.plugins import Plugins
from promptlab.prompts import templates as template_sets
from promptlab.prompts.compose import compose
from promptlab.prompts.lint import lint
from promptlab.prompts.templates import TemplateSet
from promptlab.protocols import DataOptions, DatasetSource, ModelAlias, Rule
from promptlab.report import summary
from promptlab.report.run import Report, report
from promptlab.store import Cache, fingerprint
from promptlab.types import (
    Array,
    Classes,
    Classifier,
    Combine,
    Dataset,
    Features,
    Guess,
    LabelSource,
    Material,
    Scoreboard,
    Template,
    TextBank,
)

if TYPE_CHECKING:
    from promptlab.encode.openclip import OpenClipEncoder
    from promptlab.loops import run as loop

DEFAULT_MODEL = "mini"
ONE_TEMPLATE = "a photo of a {}."


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
    report: Report
    """The sentences and tables."""


class _Session(NamedTuple):
    """One verb at work on one dataset in one run folder."""

    dataset: Dataset
    run: runs.Run
    watch: runs.Stopwatch


class Lab:
    """promptlab from Python: `Lab().run("photos/")`. `plugins=False` leaves third-party plugins out."""

    def __init__(self, settings: Settings | None = None, listen: Listener = ignore, *, plugins: bool = True) -> None:
        self.settings = settings or Settings.load({})
        self.cache = Cache(self.settings.cache_folder)
        self._listen = listen
        self._third_party = plugins
        self._plugins = Plugins(listen, plugins)
        self._recorders: tuple[Listener, ...] = ()

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

    @staticmethod
    def templates(name: str = "") -> list[TemplateSet]:
        """The template sets that can be asked for by name; with a name or a file, that one alone."""
        return [template_sets.one(name)] if name else template_sets.shipped()

    @staticmethod
    def published(search: str) -> list[tuple[str, str]]:
        """(name, tag) of every published open_clip model whose name or tag holds `search`."""
        from promptlab.encode.openclip import published

        return published(search)

    @cached_property
    def device(self) -> str:
        """Where products run: `cpu`, `cuda`, `mps`."""
        from promptlab.encode.device import resolve

        return resolve(self.settings.device)

    @property
    def choice(self) -> "loop.Choice":
        """The settings of the main loop."""
        from promptlab.loops import run as loop

        s = self.settings
        return loop.Choice(s.weights, LabelSource(s.labels), Combine(s.combine), s.debias, s.tau, s.k, s.seed, self.device)

    # -- stages -------------------------------------------------------------------------------------------------------------------

    def open(self, where: str) -> Dataset:
        """The dataset that `where` names or points to. Raises UsageError or DataError that lists what would work."""
        options = DataOptions(names=self.settings.classes)
        source = next((source for source, _ in self.sources.values() if source.claims(where)), None)
        if source is not None:
            return source.open(where, options)
        if Path(where).exists():
            raise DataError(f"{where!r} is nothing that a dataset source understands.", "`promptlab datasets` shows what they read.")
        raise unknown_name("dataset or folder", where, [name for name, (source, _) in self.sources.items() if source.claims(name)])

    def encoder(self, model: str = "") -> "OpenClipEncoder":
        """The encoder for an alias or a model as `--model` takes it; nothing is loaded yet."""
        from promptlab.encode.openclip import Loading, OpenClipEncoder

        name = model or self.settings.model or DEFAULT_MODEL
        alias = self.models.get(name)
        if alias is None and name.isidentifier() and not Path(name).exists():
            raise unknown_name("model", name, self.models)
        s = self.settings
        how = Loading(self.device, s.precision, s.allow_pickle_weights, s.offline)
        return OpenClipEncoder(alias[0].target if alias else name, self.cache, how, name)

    def features(self, dataset: Dataset, encoder: "OpenClipEncoder | None") -> tuple[dict[str, Features], int]:
        """Features of every split, and how many pictures were encoded anew."""
        from promptlab.encode.features import encode_images

        out, new = {}, 0
        for split, part in dataset.splits.items():
            if isinstance(part, Features):
                out[split] = part
                continue
            assert encoder is not None  # `_model_for` names one whenever there are pictures
            out[split], made = encode_images(part, encoder, dataset.name, self.cache, self._tell)
            new += made
        return out, new

    def texts(self, classes: Classes, templates: Sequence[Template], encoder: "OpenClipEncoder") -> tuple[TextBank, int]:
        """The text bank of templates, and how many texts were encoded anew."""
        from promptlab.encode.text import encode_grid

        return encode_grid(compose(classes, templates), encoder, self.cache, self._tell)

    def prepare(self, dataset: Dataset) -> Material:
        """Everything that the main loop needs, encoded or taken from the cache."""
        model = self._model_for(dataset)
        encoder = self.encoder(model) if model else None
        features, images = self.features(dataset, encoder)
        bank, single, texts = dataset.bank, None, 0
        if bank is None:
            assert encoder is not None
            bank, first = self.texts(dataset.classes, template_sets.load(self.settings.templates), encoder)
            single, second = self.texts(dataset.classes, [template_sets.template(ONE_TEMPLATE)], encoder)
            texts = first + second
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

        if "all" not in features:
            if self.settings.transductive:
                raise UsageError("This data brings its own tune and eval parts, so --transductive cannot be used.")
            return features["tune"], features["eval"]
        whole = features["all"]
        if self.settings.transductive:
            return whole, whole
        first, second = halves(whole.labels, len(whole), self.settings.seed)
        return whole.take(first, "tune"), whole.take(second, "eval")

    # -- verbs --------------------------------------------------------------------------------------------------------------------

    def run(self, where: str = "", run: str = "") -> RunResult:
        """The whole loop on a dataset, kept in a run folder; without a dataset the latest run (or `run`) goes on."""
        from promptlab.loops import run as loop

        lab, where, kept = self._resumed(where, run, new_when_changed=True)
        with lab._session(where, kept) as session:
            material = lab.prepare(session.dataset)
            outcome = loop.run(material, lab.choice, lab.rules, lab._tell)
            health = (*material.lint, *outcome.health)
            lab._save_classifier(session.run, lab._with_lineage(outcome, material))
            found = summary.result(outcome, material, health, run=str(session.run.path), seconds=session.watch.table())
            shown = report(outcome, material, health)
            session.run.save_json("classes.json", summary.class_rows(outcome, material))
            lab._tell(Saved("report", str(session.run.save_text("report.md", shown.markdown))))
            session.run.save_json("result.json", found)  # last: a run with a result is whole
        return RunResult(session.run, outcome, material, found, shown)

    def score(self, where: str, names: Sequence[str], labels: str = "", run: str = "") -> tuple[dict[str, Scoreboard], Material]:
        """Scoreboards of all families on the tune half, kept in a run folder. Default labels: true ones where there are any."""
        from promptlab.loops import run as loop

        lab, where, kept = self._resumed(where, run)
        with lab._session(where, kept) as session:
            material = lab.prepare(session.dataset)
            source = LabelSource(labels) if labels else LabelSource.ENSEMBLE if material.tune.labels is None else LabelSource.TRUE
            boards = loop.score_families(material.tune, material.bank, names, source, lab.rules, lab.device, lab._tell)
            scores = {name: summary.board(board, session.dataset.classes) for name, board in boards.items()}
            lab._tell(Saved("scores", str(session.run.save_json("scores.json", scores))))
        return boards, material

    def build(self, where: str = "", run: str = "", output: Path | None = None) -> tuple[Path, Classifier]:
        """Weigh and build, without judging: the classifier, in the run folder and, if given, at `output`."""
        from promptlab.loops import run as loop

        lab, where, kept = self._resumed(where, run, new_when_changed=True)
        if kept is not None and kept.result is not None:
            kept = None  # a finished run keeps the classifier that its report judges
        with lab._session(where, kept) as session:
            material = lab.prepare(session.dataset)
            weights, _ = loop.weigh(material.tune, material.bank, lab.choice, lab.rules, lab._tell)
            made = loop.make(material.tune, material.bank, weights, lab.choice)
            classifier = replace(made, lineage=lab._lineage(material, weights.families, weights.w, lab.settings.weights))
            lab._save_classifier(session.run, classifier)
            if output is not None:
                runs.save_classifier(output, classifier)
        return output or session.run.classifier, classifier

    def classify(self, pictures: Sequence[str], path: Path, top: int = 3) -> list[Guess]:
        """What the classifier at `path` says of picture files; one Guess each, in order."""
        from promptlab.score.classifier import guesses

        images, classifier = some_pictures(pictures), runs.load_classifier(path)
        model = self.settings.model or str(classifier.lineage.get("model", ""))
        if not model:
            raise UsageError(f"{str(path)!r} does not say which model it belongs to.", "Name it with --model.")
        encoder = self.encoder(model)
        if classifier.encoder and encoder.fingerprint != classifier.encoder:
            raise MismatchError(f"The classifier was not made with the model {model!r}.", f"It says: {classifier.lineage.get('model')!r}.")
        x, bad = encoder.encode_images(images, range(len(images)))
        found = {images.keys[i]: Guess(images.keys[i], (), 0.0, reason) for i, reason in bad.items()}
        good = tuple(key for i, key in enumerate(images.keys) if i not in bad)
        if good:
            found |= {guess.key: guess for guess in guesses(classifier, Features(x, good, None, "given", ""), self.device, top)}
        return [found[key] for key in images.keys]

    # -- keeping ------------------------------------------------------------------------------------------------------------------

    def _resumed(self, where: str, run: str, new_when_changed: bool = False) -> tuple["Lab", str, runs.Run | None]:
        """(lab, data, run folder): without data the latest run's, its settings under those given now. No folder: a new one is due."""
        if where:
            return self, where, None
        kept = runs.find(Path(self.settings.runs), run)
        manifest = kept.manifest
        settings = self.settings.over(manifest["settings"])
        lab = Lab(settings, self._listen, plugins=self._third_party)
        return lab, str(manifest["data"]), None if new_when_changed and not settings.agrees(manifest["settings"]) else kept

    @contextmanager
    def _session(self, where: str, kept: runs.Run | None) -> Iterator[_Session]:
        """The opened dataset and its run folder; until the end every event is recorded there."""
        watch, dataset = runs.Stopwatch(), self.open(where)
        if kept is None:
            place = where if where in self.sources else str(Path(where).resolve())
            manifest = {"promptlab": version("promptlab-clip"), "data": place, "settings": self.settings.plain()}
            kept = runs.new(Path(self.settings.runs), dataset.name, manifest)
        folder = str(kept.path)
        self._recorders = (watch, kept.log, lambda event: self._plugins.announce(event, folder))
        try:
            for note in dataset.notes:
                self._tell(Noted(note))
            yield _Session(dataset, kept, watch)
        finally:
            self._recorders = ()

    def _tell(self, event: Event) -> None:
        for listener in (*self._recorders, self._listen):
            listener(event)

    def _save_classifier(self, run: runs.Run, classifier: Classifier) -> None:
        runs.save_classifier(run.classifier, classifier)
        self._tell(Saved("classifier", str(run.classifier)))

    def _with_lineage(self, outcome: "loop.Outcome", material: Material) -> Classifier:
        k = len(outcome.weights.w)
        w, how = (outcome.weights.w, self.settings.weights) if outcome.kept else (np.full(k, 1 / k), "uniform")
        return replace(outcome.result.classifier, lineage=self._lineage(material, outcome.weights.families, w, how))

    def _lineage(self, material: Material, families: tuple[str, ...], w: Array, how: str) -> dict[str, Any]:
        folder = Path(material.model.removeprefix("local-dir:"))
        return {
            "model": str(folder.resolve()) if material.model not in self.models and folder.is_dir() else material.model,
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
