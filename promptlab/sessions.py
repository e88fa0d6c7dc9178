"""Run folders at work: what a verb is to work on, where it is kept, and what is kept of how a classifier was made."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeVar

from promptlab import runs
from promptlab.data import identity
from promptlab.data.places import rooted
from promptlab.display import many
from promptlab.errors import MismatchError, PromptlabError, UsageError
from promptlab.events import Noted, Saved
from promptlab.plugins import BUILT_IN
from promptlab.prompts import descriptions, edits, history
from promptlab.prompts import templates as template_sets
from promptlab.prompts.edits import Prompts
from promptlab.protocols import Encoder
from promptlab.stages import Stages
from promptlab.store import fingerprint
from promptlab.types import Classifier, Dataset, Description, Material, PromptGrid, Weights

if TYPE_CHECKING:
    from promptlab.loops import run as loop


Worker = TypeVar("Worker", bound="Sessions")


class Plan(NamedTuple, Generic[Worker]):
    """What a verb is to work on."""

    lab: Worker
    where: str
    kept: runs.Run | None  # None: a new run folder is due
    prompts: Prompts | None  # None: those of the settings
    draft: Path | None = None  # where edited prompts of the run before may wait
    before: str = ""  # the run that goes on


class Session(NamedTuple):
    """One verb at work in one run folder."""

    dataset: Dataset  # under the names of the prompts
    prompts: Prompts
    run: runs.Run
    watch: runs.Stopwatch


class Sessions(Stages):
    """Plans a verb, keeps its run folder, and writes down where a classifier comes from."""

    def _planned(self, where: str, run: str, prompts_of: str = "", new_when_changed: bool = False, task: str = runs.CLASSIFY) -> Plan[Self]:
        """Data and run folder: without data those of the latest run of the task, its settings under those given now; a new folder for
        changed settings."""
        root = Path(self.settings.runs)
        given = _prompts(runs.find(root, prompts_of, task)) if prompts_of else None
        flagged = self.settings.origin.get("templates") == "flag"
        if given is not None and flagged:
            raise UsageError("--from takes the templates of a run along, so --templates cannot be given, too.")
        if where and run:
            raise UsageError(f"Data ({where!r}) and --run ({run!r}) were both given; which is meant?", "--run goes without DATA.")
        if where:
            return Plan(self, where, None, given)
        kept = runs.find(root, run, task)
        manifest = kept.manifest
        self._require_plugin(manifest.get("by"), f"The data of the run {kept.name!r} was opened by")
        self._require_plugin(manifest.get("model_by"), f"The model of the run {kept.name!r} is one of")
        settings = self.settings.over(manifest["settings"])
        lab = type(self)(settings, self._listen, plugins=self._plugins)
        own = given or _prompts(kept)
        if own is not None and flagged:
            given_now = template_sets.load(settings.templates)
            own = replace(own, templates=given_now, off=tuple(t for t in own.off if t not in given_now))
        edited = own is not None and reworded(kept, own.descriptions)
        changed = given is not None or edited or not settings.agrees(manifest["settings"])
        draft = kept.path / edits.DRAFT
        if flagged and draft.is_file():
            self._tell(
                Noted("The prompts were edited: with --templates their own templates are not used. `promptlab prompts reset` drops edits.")
            )
        due = new_when_changed and (changed or draft.is_file())  # what a finished run holds stays as it is
        return Plan(lab, str(manifest["data"]), None if due else kept, own, None if flagged or given is not None else draft, kept.name)

    def _require_plugin(self, by: object, what: str) -> None:
        """Raises UsageError where something was a plugin's that is not there: another source would read something else."""
        plugin = str(by or "").rpartition(" ")[0]
        if plugin not in ("", BUILT_IN, *self._plugins.versions):
            raise UsageError(f"{what} the plugin {plugin!r}, which is not loaded.", "Install it, or name its folder: --plugins-dir FOLDER.")

    def _model_by(self, model: str) -> str:
        """The plugin that brings a model, and its version; empty for a model that open_clip knows."""
        return self.models[model].by if model in self.models else ""

    @contextmanager
    def _session(self, plan: Plan[Any], **about: Any) -> Iterator[Session]:
        """The opened dataset and its run folder, a new one where the data has changed; until the end every event is recorded there.
        about: what else a new run's manifest says."""
        about_classes = about.get("task", runs.CLASSIFY) == runs.CLASSIFY
        watch, dataset = runs.Stopwatch(), (self.classified if about_classes else self.open)(plan.where)
        pictures = identity.content(dataset)
        prompts = plan.prompts or self.prompts_for(dataset)
        dataset = replace(dataset, classes=prompts.apply(dataset.classes))
        prompts, strange = prompts.fitting(dataset.classes)
        same = plan.kept is not None and plan.kept.manifest.get("pictures", pictures) == pictures
        run = plan.kept if same and plan.kept is not None else self._new_run(plan.where, dataset, prompts, {"pictures": pictures, **about})
        folder = str(run.path)
        self._recorders = (watch, run.log, lambda event: self._plugins.announce(event, folder))
        going_on = [Noted(f"Going on with the run {plan.before}.", "info")] * bool(plan.before)
        changed = [Noted("The data has changed since that run, so this is a new one.")] * (plan.kept is not None and not same)
        others = many(strange, "class", "classes")
        changed += [Noted(f"Descriptions and texts of {others} that the data does not have are left out.")] * bool(strange)
        try:
            with run.work():
                for note in (*going_on, *changed, *map(Noted, dataset.notes)):
                    self._tell(note)
                yield Session(dataset, prompts, run, watch)
            if not same and plan.draft is not None:
                self._take(runs.Run(plan.draft.parent), plan.prompts)
        except PromptlabError:
            if not same:
                runs.remove(run)  # nothing came of it
            raise
        finally:
            self._recorders = ()

    def _take(self, before: runs.Run, made_of: Prompts | None) -> None:
        """A new run has succeeded: its edits wait no longer, unless somebody went on editing meanwhile."""
        now = _prompts(before)
        if now is None or made_of is None or now.fingerprint == made_of.fingerprint:
            history.taken(before)
        else:
            self._tell(Noted(f"The prompts of {before.name!r} were edited meanwhile; those edits are not in the new run, and wait there."))

    def _new_run(self, where: str, dataset: Dataset, prompts: Prompts, more: dict[str, Any]) -> runs.Run:
        about = {
            "promptlab": runs.version("promptlab-clip"),
            "data": rooted(where),
            "settings": self.settings.plain(),
            "plugins": self._plugins.versions,
            "by": dataset.by,
            "model_by": self._model_by(self.settings.model),
            **more,
        }
        made = runs.new(Path(self.settings.runs), dataset.name, about)
        if dataset.bank is None:
            made.save_text(edits.FILE, prompts.text())
            if prompts.descriptions:
                made.save_text(descriptions.FILE, descriptions.text(prompts.descriptions))
        return made

    def _encoder_of(self, classifier: Classifier) -> Encoder:
        """The encoder that a classifier was made with. Raises UsageError when nobody knows it, MismatchError when another one was given."""
        model = self.settings.model or str(classifier.lineage.get("model", ""))
        if not model:
            raise UsageError("The classifier does not say which model it belongs to.", "Name it with --model.")
        if not self.settings.model:
            self._require_plugin(classifier.lineage.get("model_by"), f"The classifier's model {model!r} is one of")
        encoder = self.encoder(model)
        if classifier.encoder and encoder.fingerprint != classifier.encoder:
            raise MismatchError(f"The classifier was not made with the model {model!r}.", f"It says: {classifier.lineage.get('model')!r}.")
        return encoder

    def _save_classifier(self, run: runs.Run, classifier: Classifier) -> None:
        runs.save_classifier(run.classifier, classifier)
        self._tell(Saved("classifier", str(run.classifier)))

    def _with_lineage(self, outcome: "loop.Outcome", material: Material, choice: "loop.Choice") -> Classifier:
        made, k = self._lineage(material, outcome.weights, choice), len(outcome.weights.w)
        plain = {} if outcome.kept else {"weights": [1 / k] * k, "how": "uniform", "labels": "", "debias": "none"}
        return replace(outcome.result.classifier, lineage=made | plain)

    def _lineage(self, material: Material, weights: Weights, choice: "loop.Choice") -> dict[str, Any]:
        return {
            "model": material.model,
            "model_by": self._model_by(material.model),
            "dataset": material.dataset.name,
            "grid": _grid(material.bank.grid),
            "families": list(weights.families),
            "weights": weights.w.tolist(),
            "how": choice.how.name,
            "labels": choice.how.labels.value,
            "debias": choice.debias,
            "by": getattr(self.rules.get(choice.how.rule.partition("/")[0]), "by", ""),
            "seed": self.settings.seed,
            "tuned_on": len(material.tune.pictures),
            "tune_keys": fingerprint(sorted(material.tune.pictures.keys)),
            "spots": identity.spots(material.dataset, material.tune.pictures.keys),
            "versions": {name: runs.version(name) for name in ("promptlab-clip", "torch", "open_clip_torch", "numpy")},
        }


def reworded(run: runs.Run, said: Sequence[Description]) -> bool:
    """Whether other descriptions are in use than those that a finished run was made with."""
    return run.result is not None and run.result.get("descriptions") != descriptions.mark(said)


def _prompts(run: runs.Run) -> Prompts | None:
    """The prompts of a run, edited or not, and its descriptions; None when its text vectors came with the data."""
    path = edits.file_of(run.path)
    return replace(edits.load(path), descriptions=descriptions.load(run.path)) if path.is_file() else None


def _grid(grid: PromptGrid) -> str:
    parts = [] if grid.described is None else [grid.described, grid.share]
    return fingerprint(list(grid.texts), grid.cell, *parts)
