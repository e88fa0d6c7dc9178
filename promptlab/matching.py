"""Captions at work: pictures and whole sentences, encoded, and told apart. Over describing, under the lab's verbs."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from promptlab import runs
from promptlab.describing import Describer
from promptlab.errors import DataError, StoreError, UsageError, unknown_name
from promptlab.events import Saved
from promptlab.prompts import captions, descriptions
from promptlab.prompts import templates as template_sets
from promptlab.prompts.edits import Prompts
from promptlab.report import html
from promptlab.report import match as matched
from promptlab.report import retrieve as retrieved
from promptlab.report.run import Report
from promptlab.sessions import Plan, Session
from promptlab.stages import LARGE
from promptlab.types import Array, Captioned, Captions, Dataset, Features, Images, Weights

if TYPE_CHECKING:
    from promptlab.loops import match as loop
    from promptlab.loops import retrieve as looking
    from promptlab.loops.run import Choice

PLAIN = "{}"  # the caption as it is
DISTRACTORS = ("auto", "given", "same", "other", "any")
MOST = 1000  # candidates of a picture
HARD = 20  # how many hard cases are listed where nobody says otherwise


Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True, eq=False)
class CaptionResult(Generic[Outcome]):
    """A finished run about captions."""

    run: runs.Run
    """Its folder."""
    outcome: Outcome
    """What was found: of `loops.match`, or of `loops.retrieve`."""
    material: Captioned
    """What it was found on."""
    summary: dict[str, Any]
    """The JSON object."""
    report: Report
    """The sentences and tables."""


class Matcher(Describer):
    """Encodes captions, and has the verbs about them."""

    def match(
        self, where: str = "", run: str = "", *, candidates: int | None = None, distractors: str = "", hard: int | None = None
    ) -> "CaptionResult[loop.Outcome]":
        """Tell the right caption of each picture from wrong ones, kept in a run folder; without a dataset the latest such run goes on.

        candidates: how many a picture has, 12 by default, 1000 at most; 0: 12, or all that the data gives. distractors: `auto`, `given`,
        `same`, `other` or `any`. hard: how many hard cases are listed, 20 by default. What is not given is what the run that goes on had.

        Uniform weights choose nothing: then all pictures are told, of data with parts those to judge.
        """
        plan = self._planned(where, run, new_when_changed=True, task=runs.MATCH)
        about = _about(plan, {"candidates": candidates, "distractors": distractors or None, "hard": hard})
        if plan.kept is not None and plan.kept.manifest.get(runs.MATCH) != about:
            plan = plan._replace(kept=None)
        lab = plan.lab
        with lab._session(plan._replace(prompts=plan.prompts or lab.caption_prompts()), task=runs.MATCH, match=about) as session:
            captions.require_captions(session.dataset)  # before torch is imported
            from promptlab.loops import match as loop
            from promptlab.score.cases import draw

            choice = lab._caption_choice(session.dataset)
            material = lab.captioned(session.dataset, session.prompts, whole=choice.how.way == "uniform")
            asked = (about["candidates"], about["distractors"], lab.settings.seed)
            tune = draw(material.tune_captions, material.tune.keys, *asked)
            judged = tune if material.in_sample else draw(material.judged_captions, material.judged.keys, *asked)
            outcome = loop.run(material, tune, judged, choice, lab.rules, lab._tell)
            return lab._told(session, material, outcome, about["hard"])

    def retrieve(self, where: str = "", run: str = "", *, hard: int = HARD) -> "CaptionResult[looking.Outcome]":
        """Recall of captions by pictures and of pictures by captions, kept in a run folder; without a dataset the latest such run goes on.

        Weights are uniform where nobody chose any; nothing is chosen then, and all pictures are told, of data with parts those to judge.
        hard: how many of the queries that find their right answer last are listed.
        """
        if hard < 0:
            raise UsageError("Hard cases are counted from 0.")
        if where and "weights" not in self.settings.origin:
            return self.but(weights="uniform").retrieve(where, run, hard=hard)
        plan = self._planned(where, run, new_when_changed=True, task=runs.RETRIEVE)
        lab = plan.lab
        with lab._session(plan._replace(prompts=plan.prompts or lab.caption_prompts()), task=runs.RETRIEVE) as session:
            captions.require_captions(session.dataset)
            from promptlab.loops import retrieve as loop

            choice = lab._caption_choice(session.dataset)
            material = lab.captioned(session.dataset, session.prompts, whole=choice.how.way == "uniform")
            weights = lab._weighed(material, choice)
            outcome = loop.run(material, weights, choice, lab._tell)
            seconds = session.watch.table()
            found = retrieved.result(outcome, material, run=str(session.run.path), how=choice.how.name, hard=hard, seconds=seconds)
            shown = retrieved.report(found)
            found |= {"lead": list(shown.lead), "descriptions": descriptions.mark(())}
            lab._keep(session.run, found, shown, hard)
            return CaptionResult(session.run, outcome, material, found, shown)

    def _weighed(self, material: Captioned, choice: "Choice") -> Weights:
        """Weights of the families, found where right captions are told from wrong ones on tune."""
        from promptlab.score import weights
        from promptlab.score.cases import draw
        from promptlab.score.matches import CaptionEvidence
        from promptlab.score.weighting import find

        families = material.bank.grid.families
        if choice.how.way == "uniform":
            return weights.uniform(families)
        cases = draw(material.tune_captions, material.tune.keys, 0, "auto", self.settings.seed)
        given = (material.tune, material.bank, self.rules, self.device, self._tell, material.tune_captions, cases)
        return find(choice.how, CaptionEvidence(*given))[0]

    def _caption_choice(self, dataset: Dataset) -> "Choice":
        """How the settings want families weighted. Raises UsageError for what needs classes."""
        from promptlab.loops.run import Choice
        from promptlab.score.matches import require_global
        from promptlab.score.weighting import weighting

        s, c = self.settings, max(1, len(dataset.classes))
        ways = {name: getattr(s, name) for name in ("labels", "combine", "tau", "drop", "evidence", "k")}
        how = weighting(s.weights, self.rules, c, scope=s.scope, **ways)
        if s.scope == "auto" and how.way != "carprt":
            how = weighting(s.weights, self.rules, c, scope="global", **ways)
        require_global(how)
        return Choice(how, "none", None, s.k, s.seed, self.device)

    def _told(self, session: Session, material: Captioned, outcome: "loop.Outcome", hard: int) -> "CaptionResult[loop.Outcome]":
        """Everything that a finished caption run keeps."""
        from promptlab.score.matches import hardest

        run, order = session.run, hardest(outcome.result.matched, len(material.judged)).tolist()
        found = matched.result(outcome, material, outcome.health, run=str(run.path), seconds=session.watch.table(), hard=order[:hard])
        shown = matched.report(found)
        found |= {"lead": list(shown.lead), "descriptions": descriptions.mark(())}
        lines = (matched.case(i, outcome, material.judged.keys, material.judged_captions) for i in order)
        run.save_lines(runs.CASES, (json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
        self._keep(run, found, shown, hard)
        return CaptionResult(run, outcome, material, found, shown)

    def _keep(self, run: runs.Run, found: dict[str, Any], shown: Report, hard: int) -> None:
        """Reports and result of a caption run."""
        run.save_text("report.md", shown.markdown)
        self._tell(Saved("report", str(run.save_text("report.html", self._page(found, run, shown=hard)))))
        run.save_json("result.json", found)  # last: a run with a result is whole

    def _page(self, found: dict[str, Any], run: runs.Run, shown: int) -> str:
        """report.html of a caption run, with small copies of the pictures of so many hard cases."""
        looked_for = run.task == runs.RETRIEVE
        wanted = retrieved.pictures(found, shown) if looked_for else {one["picture"] for one in found["hard"][:shown]}
        thumbnails = self.thumbnails(str(run.manifest["data"]), wanted) if wanted else {}
        return (html.retrieve_page if looked_for else html.match_page)(found, run.manifest, thumbnails)

    def pictures_of(self, run: str) -> Callable[[str], bytes]:
        """Opens the data of a caption run; gives back what makes a small JPEG of the picture of a key, and raises DataError where there is
        none that can be read."""
        from promptlab.encode.pictures import thumbnail

        plan = self._planned("", run, task=runs.find(Path(self.settings.runs), run).task)
        parts = [part for part in plan.lab.open(plan.where).splits.values() if isinstance(part, Images)]
        places = {key: (part, i) for part in parts for i, key in enumerate(part.keys)}

        def look(key: str) -> bytes:
            made = thumbnail(*places[key], side=LARGE) if key in places else ""
            if not made:
                raise DataError(f"The picture {key!r} cannot be read.")
            return base64.b64decode(made)

        return look

    def caption_prompts(self) -> Prompts:
        """The templates around captions: those that were chosen, else the set for whole sentences; sets for names say `a photo of a`."""
        chosen = "templates" in self.settings.origin
        return Prompts(template_sets.load(self.settings.templates if chosen else (captions.DEFAULT,)))

    def captioned(self, dataset: Dataset, prompts: Prompts | None = None, whole: bool = False) -> Captioned:
        """Pictures and captions of a dataset, encoded or taken from the cache: each text under each template once. whole: whether all
        pictures are told, where the data has no parts of its own, since nothing is chosen.

        Raises DataError where there are no captions.
        """
        captions.require_captions(dataset)
        said = prompts or self.caption_prompts()
        model = self.model_for(dataset)
        encoder = self.encoder(model)
        features, images = self.features(dataset, encoder)
        found = captions.gather(dataset, features)
        texts = captions.as_classes(next(iter(found.values())))
        bank, new = self.texts(texts, replace(said, descriptions=()), encoder)
        plain, more = self.texts(texts, Prompts((template_sets.template(PLAIN),)), encoder)
        tune, judged = (features["all"],) * 2 if whole and "all" in features else self.halves(features)
        mine = self._of(tune, "tune", features, found)
        theirs = mine if tune is judged else self._of(judged, "eval", features, found)
        skipped = tuple(one for part in features.values() for one in part.skipped)
        counts = {"texts": new + more, "images": images}
        return Captioned(dataset, tune, judged, mine, theirs, bank, plain, model, counts, skipped)

    @staticmethod
    def _of(half: Features, name: str, features: dict[str, Features], found: dict[str, Captions]) -> Captions:
        """The captions of one half, row by row."""
        split = name if name in found else "all"
        return found[split].take(_rows(half.keys, features[split].keys))


def _about(plan: Plan[Any], given: dict[str, Any]) -> dict[str, Any]:
    """What is asked of the cases: what was given now, else what the run that goes on had. Raises UsageError for what means nothing,
    StoreError for a run that does not say it."""
    asked: dict[str, Any] = {"candidates": 0, "distractors": "auto", "hard": HARD}
    kept = plan.kept or (runs.find(Path(plan.lab.settings.runs), plan.before) if plan.before else None)
    if kept is not None:
        before = kept.manifest.get(runs.MATCH)
        if not isinstance(before, dict) or {name: type(value) for name, value in before.items()} != {n: type(v) for n, v in asked.items()}:
            raise StoreError(
                f"The run {kept.name!r} does not say which candidates were asked for: the `match` of its run.json is broken.",
                "Name the data, and a new run is made: promptlab match captions.jsonl",
            )
        asked = dict(before)
    asked |= {name: value for name, value in given.items() if value is not None}
    if asked["distractors"] not in DISTRACTORS:
        raise unknown_name("value of `distractors`", asked["distractors"], DISTRACTORS)
    if asked["candidates"] not in (0, *range(2, MOST + 1)) or asked["hard"] < 0:
        raise UsageError(f"A picture has 2 to {MOST} candidates, one of them right, and hard cases are counted from 0.")
    return asked


def _rows(keys: Sequence[str], among: Sequence[str]) -> Array:
    place = {key: i for i, key in enumerate(among)}
    return np.array([place[key] for key in keys], np.int64)
