"""Captions at work: pictures and whole sentences, encoded, and told apart. Over describing, under the lab's verbs."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from promptlab import runs
from promptlab.describing import Describer
from promptlab.errors import UsageError, unknown_name
from promptlab.events import Saved
from promptlab.prompts import captions, descriptions
from promptlab.prompts import templates as template_sets
from promptlab.prompts.edits import Prompts
from promptlab.report import html
from promptlab.report import match as matched
from promptlab.report.run import Report
from promptlab.sessions import Plan, Session
from promptlab.types import Array, Captioned, Captions, Dataset, Features

if TYPE_CHECKING:
    from promptlab.loops import match as loop
    from promptlab.loops.run import Choice

PLAIN = "{}"  # the caption as it is
DISTRACTORS = ("auto", "given", "same", "other", "any")
HARD = 20  # how many hard cases are listed where nobody says otherwise


@dataclass(frozen=True, slots=True, eq=False)
class MatchResult:
    """A finished caption run."""

    run: runs.Run
    """Its folder."""
    outcome: "loop.Outcome"
    """What was found."""
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
    ) -> MatchResult:
        """Tell the right caption of each picture from wrong ones, kept in a run folder; without a dataset the latest such run goes on.

        candidates: how many a picture has, 12 by default; 0: 12, or all that the data gives. distractors: `auto`, `given`, `same`, `other`
        or `any`. hard: how many hard cases are listed, 20 by default. What is not given is what the run that goes on had.
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
            material = lab.captioned(session.dataset, session.prompts)
            asked = (about["candidates"], about["distractors"], lab.settings.seed)
            tune = draw(material.tune_captions, material.tune.keys, *asked)
            judged = tune if material.in_sample else draw(material.judged_captions, material.judged.keys, *asked)
            outcome = loop.run(material, tune, judged, choice, lab.rules, lab._tell)
            return lab._told(session, material, outcome, about["hard"])

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

    def _told(self, session: Session, material: Captioned, outcome: "loop.Outcome", hard: int) -> MatchResult:
        """Everything that a finished caption run keeps."""
        from promptlab.score.matches import hardest

        run, order = session.run, hardest(outcome.result.matched, len(material.judged)).tolist()
        found = matched.result(outcome, material, outcome.health, run=str(run.path), seconds=session.watch.table(), hard=order[:hard])
        shown = matched.report(found)
        found |= {"lead": list(shown.lead), "descriptions": descriptions.mark(())}
        lines = (matched.case(i, outcome, material.judged.keys, material.judged_captions) for i in order)
        run.save_text(runs.CASES, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
        run.save_text("report.md", shown.markdown)
        self._tell(Saved("report", str(run.save_text("report.html", self._page(found, run, shown=hard)))))
        run.save_json("result.json", found)  # last: a run with a result is whole
        return MatchResult(run, outcome, material, found, shown)

    def _page(self, found: dict[str, Any], run: runs.Run, shown: int) -> str:
        """report.html of a caption run, with small copies of the pictures of so many hard cases."""
        wanted = {one["picture"] for one in found["hard"][:shown]}
        thumbnails = self.thumbnails(str(run.manifest["data"]), wanted) if wanted else {}
        return html.match_page(found, run.manifest, thumbnails)

    def caption_prompts(self) -> Prompts:
        """The templates around captions: those that were chosen, else the set for whole sentences; sets for names say `a photo of a`."""
        chosen = "templates" in self.settings.origin
        return Prompts(template_sets.load(self.settings.templates if chosen else (captions.DEFAULT,)))

    def captioned(self, dataset: Dataset, prompts: Prompts | None = None) -> Captioned:
        """Pictures and captions of a dataset, encoded or taken from the cache: each text under each template once.

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
        tune, judged = self.halves(features)
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
    """What is asked of the cases: what was given now, else what the run that goes on had. Raises UsageError for what means nothing."""
    kept = plan.kept or (runs.find(Path(plan.lab.settings.runs), plan.before) if plan.before else None)
    before = kept.manifest.get(runs.MATCH) if kept is not None else None
    asked: dict[str, Any] = {"candidates": 0, "distractors": "auto", "hard": HARD}
    asked |= before if isinstance(before, dict) else {}
    asked |= {name: value for name, value in given.items() if value is not None}
    if asked["distractors"] not in DISTRACTORS:
        raise unknown_name("value of `distractors`", str(asked["distractors"]), DISTRACTORS)
    if asked["candidates"] < 0 or asked["candidates"] == 1 or asked["hard"] < 0:
        raise UsageError("A picture has 2 candidates or more, one of them right, and hard cases are counted from 0.")
    return asked


def _rows(keys: tuple[str, ...], among: tuple[str, ...]) -> Array:
    place = {key: i for i, key in enumerate(among)}
    return np.array([place[key] for key in keys], np.int64)
