"""The façade: resolves names, calls the stages, keeps the results, announces progress. Wiring only.

Stages that need torch are imported where they are called: listing datasets must not take seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptlab import portable, runs
from promptlab.data import identity
from promptlab.describing import Wanted
from promptlab.errors import MismatchError, UsageError
from promptlab.events import Saved, ignore
from promptlab.llm.question import Estimate, Question
from promptlab.matching import Matcher
from promptlab.plugins import checked_finding
from promptlab.prompts import descriptions, history
from promptlab.protocols import Endpoint, Judged
from promptlab.report import enrich as enriching
from promptlab.report import html, summary
from promptlab.report import study as study_report
from promptlab.report.run import Report, report
from promptlab.sessions import Plan, Session
from promptlab.stages import is_labelled
from promptlab.store import fingerprint, written
from promptlab.types import (
    Classes,
    Classifier,
    Evaluation,
    Features,
    Finding,
    Guess,
    LabelSource,
    Material,
    Scoreboard,
    TextScores,
)

if TYPE_CHECKING:
    from promptlab.loops import run as loop
    from promptlab.loops.enrich import Ask
    from promptlab.loops.judge import Duel
    from promptlab.loops.study import Tried
    from promptlab.plugins.scaffold import Scaffold
    from promptlab.workbench import Workbench


DEMO = "everyday"


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


class Lab(Matcher):
    """promptlab from Python: `Lab().run("photos/")`. `plugins=False` leaves third-party plugins out."""

    # -- verbs --------------------------------------------------------------------------------------------------------------------

    def run(self, where: str = "", run: str = "", prompts_of: str = "") -> RunResult:
        """The whole loop on a dataset, kept in a run folder; without a dataset the latest run (or `run`) goes on."""
        plan = self._planned(where, run, prompts_of, new_when_changed=True)
        lab = plan.lab
        with lab._session(plan) as session:
            from promptlab.loops import run as loop  # torch: after the data is found, so that a wrong name is told at once

            choice = lab.choice(session.dataset)
            material = lab.prepare(session.dataset, session.prompts)
            outcome = loop.run(material, choice, lab.rules, lab._tell)
            return lab._concluded(session, material, choice, outcome, session.run.enrichment)

    def _concluded(
        self, session: Session, material: Material, choice: "loop.Choice", outcome: "loop.Outcome", enrichment: dict[str, Any] | None
    ) -> RunResult:
        """Everything that a finished run keeps."""
        run, health = session.run, (*material.lint, *outcome.health)
        self._save_classifier(run, self._with_lineage(outcome, material, choice))
        findings = self._findings(material, outcome)
        shown, seconds = report(outcome, material, health, enrichment, findings), session.watch.table()
        found = summary.result(outcome, material, health, run=str(run.path), lead=shown.lead, seconds=seconds)
        said = session.prompts.descriptions
        found |= {"descriptions": descriptions.mark(said), "written": fingerprint(descriptions.text(said)), "enrichment": enrichment}
        found |= {"findings": findings}
        classes = summary.class_rows(outcome, material)
        run.save_json("classes.json", classes)
        run.save_text("report.md", shown.markdown)
        self._tell(Saved("report", str(run.save_text("report.html", html.page(found, classes, run.manifest)))))
        run.save_json("result.json", found)  # last: a run with a result is whole
        (run.path / history.JOURNAL).unlink(missing_ok=True)  # the edits are in it
        runs.point(run.path.parent)
        return RunResult(run, outcome, material, found, shown)

    def _findings(self, material: Material, outcome: "loop.Outcome") -> list[dict[str, Any]]:
        """What every analysis says of the result; of one that fails, that it failed."""
        judged = Judged(material.judged, outcome.result.classifier, outcome.baseline.evaluation, outcome.result.evaluation)
        found = []
        for name, one in self.analyses.items():
            before = len(self._plugins.told)
            said = self._plugins.attempt(one.plugin, f"the analysis {name!r}", partial(checked_finding, one.thing, judged))
            if len(self._plugins.told) > before:
                said = Finding(f"It failed: {self._plugins.faults[one.plugin][-1]}.")
            found += [] if said is None else [{"name": name, "by": one.by, **asdict(said)}]
        return found

    def enrich(self, where: str = "", wanted: Wanted | None = None, run: str = "", choose: "Ask | None" = None) -> RunResult:
        """Better words for the worst classes: asked for or brought, kept where they help, judged with controls; then the whole loop.

        choose: picks of a class's trials the one to keep, or None; by default what `wanted.keep` says.
        """
        plan, wanted = self._planned(where, run, new_when_changed=True), wanted or Wanted()
        lab = plan.lab
        about = lab._plain(wanted)
        if plan.kept is not None and (plan.kept.manifest.get("enrichment") != about or _rewritten(plan.kept)):
            plan = plan._replace(kept=None)
        with lab._session(plan, enrichment=about) as session:
            from promptlab.loops import enrich
            from promptlab.loops import run as loop

            made = lab._enriched(session, wanted, choose)
            session = session._replace(prompts=replace(session.prompts, descriptions=made.descriptions))
            session.run.save_text(descriptions.FILE, descriptions.text(made.descriptions))
            material, choice = lab.prepare(session.dataset, session.prompts), made.ground.choice
            outcome = loop.run(material, choice, lab.rules, lab._tell)
            before, others = lab._banks(session, made)
            found = enrich.compared(material, outcome, before, others, choice, lab.rules)
            enrichment = enriching.found(made, found, session.dataset.classes, wanted)
            session.run.save_json(runs.ENRICHMENT, enrichment)
            return lab._concluded(session, material, choice, outcome, enrichment)

    def demo(self) -> RunResult:
        """Enrichment and the whole loop on the pictures and the model that promptlab-demo brings. Raises UsageError without it."""
        if DEMO not in self.sources:
            raise UsageError(
                "The demo's data and model are not installed.",
                "Install the package promptlab-demo (in a checkout: plugins/promptlab-demo).",
            )
        return self.but(debias="balance", llm="demo").enrich(DEMO, Wanted(worst=20, pack="features", count=3))

    def would_ask(self, where: str = "", wanted: Wanted | None = None, run: str = "") -> tuple[list[Question], Endpoint, Estimate]:
        """What enrichment would ask, whom, and what that would take; nothing is sent, and no run is made."""
        wanted = wanted or Wanted()
        if wanted.descriptions:
            raise UsageError("With --descriptions nobody would be asked.", "Leave it out to see the questions.")
        plan = self._planned(where, run)
        lab, dataset = plan.lab, plan.lab.classified(plan.where)
        prompts = plan.prompts or lab.prompts_for(dataset)
        dataset = replace(dataset, classes=prompts.apply(dataset.classes))
        asked = lab._questions(lab._ground(dataset, prompts, wanted).cases, dataset.classes, wanted)
        return asked, *lab._estimate(asked)

    def score(self, where: str, names: Sequence[str], labels: str = "", run: str = "") -> tuple[dict[str, Scoreboard], Material]:
        """Scoreboards of all families on the tune half, kept in a run folder. Default labels: true ones where there are any."""
        plan = self._planned(where, run)
        if plan.kept is not None and not plan.lab.settings.agrees(plan.kept.manifest["settings"]):
            plan = plan._replace(kept=None)
        lab = plan.lab
        with lab._session(plan) as session:
            from promptlab.score.evidence import Evidence, check_question

            labelled = is_labelled(session.dataset)
            source = LabelSource(labels) if labels else LabelSource.TRUE if labelled else LabelSource.ENSEMBLE
            check_question(names, lab.rules, source, labelled, len(session.dataset.classes))
            material = lab.prepare(session.dataset, session.prompts)
            boards = Evidence(material.tune, material.bank, lab.rules, lab.device, lab._tell, material.bare, lab.kept).ask(names, source)
            scores = {name: summary.board(board, session.dataset.classes) for name, board in boards.items()}
            lab._tell(Saved("scores", str(session.run.save_json(runs.SCORES, scores))))
        return boards, material

    def score_texts(self, class_: str, run: str = "") -> tuple[TextScores, Material]:
        """Every text of one class of a run, alone in its class's row, on tune."""
        from promptlab.score.evidence import Evidence
        from promptlab.score.texts import score_texts

        plan = self._planned("", run)
        dataset = plan.lab.classified(plan.where)
        if plan.prompts is not None:
            dataset = replace(dataset, classes=plan.prompts.apply(dataset.classes))
        material = plan.lab.prepare(dataset, plan.prompts)
        source = LabelSource.ENSEMBLE if material.tune.labels is None else LabelSource.TRUE
        labels = Evidence(material.tune, material.bare, self.rules, self.device, ignore).labels(source)
        assert labels is not None  # both sources give one label to each picture
        return score_texts(material.tune, material.bank, labels, dataset.classes.find(class_), self.device), material

    def build(self, where: str = "", run: str = "", output: Path | None = None) -> tuple[Path, Classifier]:
        """Weigh and build, without judging: the classifier, in the run folder and, if given, at `output` (.safetensors, .npz or .pt)."""
        plan = self._planned(where, run, new_when_changed=True)
        if plan.kept is not None and plan.kept.result is not None:
            plan = plan._replace(kept=None)  # a finished run keeps the classifier that its report judges
        lab = plan.lab
        if output is not None:
            portable.check(output, lab.settings.debias)
        with lab._session(plan) as session:
            from promptlab.loops import run as loop
            from promptlab.score.evidence import Evidence
            from promptlab.score.weighting import find

            choice = lab.choice(session.dataset)
            material = lab.prepare(session.dataset, session.prompts)
            evidence = Evidence(material.tune, material.bank, lab.rules, lab.device, lab._tell, material.bare, lab.kept)
            weights, _ = find(choice.how, evidence)
            made = loop.make(material.tune, material.bank, weights, choice)
            classifier = replace(made, lineage=lab._lineage(material, weights, choice))
            lab._save_classifier(session.run, classifier)
            if output is not None:
                portable.save(output, classifier)
        runs.point(session.run.path.parent)  # now that nobody works on it, it counts as built
        return output or session.run.classifier, classifier

    def study(self, where: str = "", axes: Mapping[str, Any] | None = None, run: str = "") -> tuple[runs.Run, list[dict[str, Any]]]:
        """A grid of weightings (axes: fields of `loops.study.Grid`), chosen on tune and told on eval; one JSON object a combination."""
        plan = self._planned(where, run)
        if plan.kept is not None and not plan.lab.settings.agrees(plan.kept.manifest["settings"]):
            plan = plan._replace(kept=None)
        lab = plan.lab
        with lab._session(plan) as session:
            from promptlab.loops import study as loop

            base, classes = lab.choice(session.dataset), session.dataset.classes
            grid = loop.Grid(**(axes or {}))
            described = any(one.use for one in session.prompts.descriptions)
            wanted = loop.choices(grid, base, lab.rules, len(classes), is_labelled(session.dataset), described)
            material = lab.prepare(session.dataset, session.prompts)
            keep = partial(lab._kept_row, loop.key(material), classes)
            rows = list(loop.study(wanted, lambda: loop.Bench(material, lab.rules, base), keep, lab._tell))
            session.run.save_json(runs.STUDY, study_report.ordered(rows))
            session.run.save_text("study.csv", study_report.as_csv(rows))
            page = study_report.page(material.dataset.name, rows)
            lab._tell(Saved("study", str(session.run.save_text("study.md", page))))
        return session.run, rows

    def _kept_row(self, facts: str, classes: Classes, choice: "loop.Choice", attempt: Callable[[], "Tried"]) -> dict[str, Any]:
        """A row of a study, remembered by everything that it stands on."""
        mix = None if choice.mix is None else choice.mix.tolist()
        key = fingerprint(
            *(facts, asdict(choice.how), choice.debias, mix, choice.k, choice.seed, choice.described),
            *(runs.version("promptlab-clip"), study_report.FORMAT, sorted({rule.by for rule in self.rules.values()})),
        )
        row: dict[str, Any] = self.cache.remembered("study", key, lambda: study_report.row(attempt(), classes))
        return row

    def classify(self, pictures: str | Path | Sequence[str | Path], path: str | Path, top: int = 3) -> list[Guess]:
        """What the classifier at `path` says of picture files and of folders of them; one Guess each, in order."""
        given = [pictures] if isinstance(pictures, str | Path) else pictures
        classifier = runs.load_classifier(Path(path))
        return self.guesses([str(one) for one in given], self._encoder_of(classifier), [classifier], top)[0]

    def choose(self, pictures: str | Path | Sequence[str | Path], texts: Sequence[str], top: int = 3) -> list[Guess]:
        """Which of some texts fits each picture best, of files and of folders of them; one Guess each, in order. No classifier is needed,
        only the model of the settings."""
        given = [pictures] if isinstance(pictures, str | Path) else pictures
        encoder = self.encoder()
        return self.guesses([str(one) for one in given], encoder, [self.chosen_from(texts, encoder)], top)[0]

    def judge(self, where: str, path: str | Path) -> tuple[Evaluation, Classifier, bool]:
        """How the classifier at `path` does on all pictures of a dataset, and whether it was tuned on some of them."""
        from promptlab.loops.judge import labels_for
        from promptlab.score.evaluate import evaluate

        classifier, dataset = runs.load_classifier(Path(path)), self.classified(where)
        encoded = all(isinstance(part, Features) for part in dataset.splits.values())
        features, _ = self.features(dataset, None if encoded else self._encoder_of(classifier))
        part = features["all" if "all" in features else "eval"]
        s, model = self.settings, str(classifier.lineage.get("model", ""))
        named = bool(dataset.encoder and (s.model or model)) and dataset.encoder != (s.model or model)
        if named or (part.encoder and classifier.encoder and part.encoder != classifier.encoder):
            made = f" ({dataset.encoder!r} and {s.model or model!r})" if named else ""
            raise MismatchError(f"The vectors of {dataset.name!r} and the classifier come from different models{made}.")
        part = replace(part, labels=labels_for(classifier.classes, dataset.classes, part.labels)).rows()
        found = evaluate(classifier, part, self.rules, fixed=None, k=s.k or None, seed=s.seed, device=self.device, top5=True)
        return found, classifier, identity.holds(dataset, part.keys, classifier.lineage.get("spots", {}))

    def compare(self, first: str, second: str, where: str = "") -> tuple["Duel", Classes]:
        """Two runs or classifier files on the eval half of a dataset; without one on that of the first, which must be a run then."""
        from promptlab.loops.judge import duel, labels_for

        if not where and Path(first).is_file():
            raise UsageError(f"The first is no run but a file, {first!r}, so the pictures are unknown.", "Name them: --data photos/")
        mine, theirs = self._classifier(first), self._classifier(second)
        if mine.encoder != theirs.encoder:
            raise MismatchError("The two classifiers were made with different models.", "Compare each on its own: promptlab eval.")
        plan = Plan(self, where, None, None) if where else self._planned("", first)
        lab, s, dataset = plan.lab, plan.lab.settings, plan.lab.classified(plan.where)
        encoded = all(isinstance(part, Features) for part in dataset.splits.values())
        features, _ = lab.features(dataset, None if encoded else lab._encoder_of(mine))
        halves = lab.halves(features)
        known = (replace(f, labels=labels_for(mine.classes, dataset.classes, f.labels)) for f in halves)
        tune, judged = (f.rows() for f in known)
        spots = [theirs.lineage.get("spots", {}), *([mine.lineage.get("spots", {})] if where else [])]
        seen = any(identity.holds(dataset, judged.keys, spot) for spot in spots) or halves[0] is halves[1]
        return replace(duel(mine, theirs, tune, judged, lab.rules, k=s.k, seed=s.seed, device=lab.device), in_sample=seen), mine.classes

    def _classifier(self, name: str) -> Classifier:
        """Of a file, or of a run."""
        return runs.load_classifier(Path(name) if Path(name).is_file() else runs.with_classifier(Path(self.settings.runs), name).classifier)

    def report(self, run: str = "", thumbnails: int = 0, output: Path | None = None) -> Path:
        """report.html of a run again, by default the newest finished one; thumbnails: how many of the most wrong pictures of each of the
        worst classes it shows, of a caption run how many of the hard cases'."""
        root = Path(self.settings.runs)
        finished = None if run else next((one for one in runs.all_runs(root) if one.result is not None), None)
        kept = finished or runs.find(root, run)
        found, classes = kept.result, kept.classes
        if found is None or (classes is None and kept.task == runs.CLASSIFY):
            raise UsageError(f"The run {kept.name!r} has no result to report; it did not finish.", "Make one: promptlab run")
        page = (
            self._class_page(found, classes or [], kept, thumbnails) if kept.task == runs.CLASSIFY else self._page(found, kept, thumbnails)
        )
        if output is None:
            return kept.save_text("report.html", page)
        with written(output, "w") as file:
            file.write(page)
        return output

    def _class_page(self, found: dict[str, Any], classes: list[dict[str, Any]], run: runs.Run, thumbnails: int) -> str:
        """report.html of a run that made a classifier."""
        wanted = {wrong["picture"] for row in classes for wrong in row.get("wrong", [])[:thumbnails]}
        return html.page(found, classes, run.manifest, self.thumbnails(str(run.manifest["data"]), wanted) if wanted else {})

    def encode(self, where: str) -> Material:
        """Vectors of all pictures and prompts of a dataset, ahead of time."""
        return self.prepare(self.classified(where))

    def new_plugin(self, name: str, kind: str, folder: str | Path = ".") -> "Scaffold":
        """A package for a new plugin (a `dataset`, `rule` or `encoder`), in a new folder below `folder`: an example that works, tested."""
        from promptlab.plugins import scaffold

        hook = {"dataset": "promptlab_datasets", "encoder": "promptlab_encoders", "rule": "promptlab_rules"}.get(kind)
        ours = ["promptlab.data"] if kind == "dataset" else []  # our rules would import torch; its test looks at their names
        return scaffold.write(name, kind, Path(folder), list(self._plugins.collect(hook, ours)) if hook else ())

    def workbench(self, run: str = "") -> "Workbench":
        """A run opened for edits that are scored at once."""
        plan = self._planned("", run)
        assert plan.kept is not None  # without data a run is found, or UsageError is raised
        from promptlab.workbench import Workbench

        history = None if plan.prompts is None else self.history(str(plan.kept.path))[2]
        return Workbench(plan.lab, plan.where, plan.kept, history, self._listen)


def _rewritten(run: runs.Run) -> bool:
    """Whether somebody changed the descriptions of a finished run by hand."""
    return run.result is not None and run.result.get("written") != fingerprint(descriptions.text(descriptions.load(run.path)))
