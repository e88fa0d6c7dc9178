"""A run as a thing to play with: every edit is scored at once on tune, with weights and labels held. Over sessions, under the lab.

Nothing here looks at the eval half: whoever edits by what they see would tune on it. A new run judges what was made.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from threading import RLock
from typing import NamedTuple

import numpy as np

from promptlab.analysis.confusion import takers
from promptlab.describing import Describer
from promptlab.errors import DataError, MismatchError, UsageError
from promptlab.events import Listener, ignore
from promptlab.prompts.edits import Prompts
from promptlab.prompts.history import History
from promptlab.protocols import Encoder
from promptlab.runs import Run, load_classifier
from promptlab.score.ensemble import joined
from promptlab.score.live import Live, Standing, moved, sampled
from promptlab.score.reducers import default_k
from promptlab.types import (
    Array,
    Classes,
    Classifier,
    Combine,
    Description,
    Edit,
    EditKind,
    Guess,
    Images,
    LabelSource,
    Template,
)
from promptlab.workbench.views import FamilyRow, Headline, Now, Seen, TextRow, by_source, number, scores_of

OF_ALL = (EditKind.ADD, EditKind.REMOVE, EditKind.TOGGLE)  # edits of families; an import moves every class, too, the others one


class _Cells(NamedTuple):
    """What one family says of some classes."""

    z: Array  # (n, D) f4 unit
    texts: Array  # (n,) int: how many


class Workbench:
    """A run, opened. Reading is safe from any thread; edits wait for each other."""

    def __init__(self, lab: Describer, where: str, run: Run, history: History | None, listen: Listener = ignore) -> None:
        """history: its edits; None for data that brought its text vectors, whose prompts nobody can edit.

        Raises MismatchError when the data has other classes than the run's classifier.
        """
        self._lab, self.where, self.run, self._history, self._listen = lab, where, run, history, listen
        self._lock = RLock()
        self.dataset = lab.classified(where)
        self.model = lab.model_for(self.dataset)
        features, _ = lab.features(self.dataset, self._encoder)
        tune = lab.halves(features)[0].rows()
        self.labelled, self.several = tune.labels is not None, tune.several is not None
        self.tune = sampled(tune, len(self.dataset.classes), lab.settings.seed)
        self._cells: dict[str, _Cells] = {}
        first, prompts = (self._own_prompts,) * 2 if history is None else (history.first, history.prompts)
        self._weigh(load_classifier(run.classifier) if run.classifier.is_file() else None, first)
        classes = prompts.apply(self.dataset.classes)
        self._cells = self._encoded(prompts, classes, self._known(prompts), range(len(classes)))
        self._live = Live(self.tune, self._rows(prompts, self._even(prompts)), np.zeros(len(classes)))
        self._label = self._labels(first)
        self._live.put(self._rows(prompts, self._weights(prompts)) if self._kept is None else self._kept.weight, self._offsets)
        self.base = self._live.standing(self._label)
        self._worst = self._followed()
        self.now = self._stand(prompts, classes, range(len(classes)))

    # -- opening ------------------------------------------------------------------------------------------------------------------

    @cached_property
    def _encoder(self) -> Encoder | None:
        return self._lab.encoder(self.model) if self.model else None

    @property
    def _own_prompts(self) -> Prompts:
        """Prompts that stand for vectors that came with the data: families by name, which nobody can edit."""
        bank = self.dataset.bank
        if bank is None:
            raise UsageError(f"The run {self.run.name!r} has lost its prompts.toml.", "Make a new one: promptlab run")
        return Prompts(tuple(Template(name, name) for name in bank.grid.families))

    def _weigh(self, kept: Classifier | None, first: Prompts) -> None:
        """Take over how the run's classifier is made of its first prompts: weights by family, offsets, how families are joined."""
        self._kept = kept
        if kept is not None and kept.classes.ids != self.dataset.classes.ids:
            raise MismatchError(
                f"The run {self.run.name!r} was made of other classes than the data has now.", "Make a new one: promptlab run"
            )
        lineage = {} if kept is None else kept.lineage
        self._held = by_source(zip(lineage.get("families", ()), np.asarray(lineage.get("weights", ())), strict=True), first)
        self._combine = Combine.EMBEDDING if kept is None else kept.combine
        self._offsets = np.zeros(len(self.dataset.classes)) if kept is None else kept.bias / kept.scale
        self.way, self.switched = str(lineage.get("how", "uniform")), False  # switched: somebody chose another way here
        self._scores = by_source(scores_of(self.run.result or {}), first)

    def _labels(self, first: Prompts) -> Array:
        """The right answers, held from here on: true ones, else what the uniform ensemble without descriptions said before any edit."""
        if self.tune.labels is not None:
            return self.tune.labels
        classes = first.apply(self.dataset.classes)
        bare = self._encoded(replace(first, descriptions=()), classes, first.templates, range(len(classes)))
        self._live.put(joined([bare[t.source].z for t in first.templates], self._even(first), Combine.EMBEDDING))
        return self._live.winners()

    def _followed(self) -> Array:
        """The classes that the headline follows: the worst of the run's baseline, else of what is there now."""
        k = self._lab.settings.k or default_k(len(self.dataset.classes))
        rows = [row for row in self.run.classes or [] if number(row.get("worst")) is not None]
        place = {class_id: c for c, class_id in enumerate(self.dataset.classes.ids)}
        known = [place[row["id"]] for row in sorted(rows, key=lambda row: row["worst"]) if str(row.get("id")) in place]
        return np.array(known[:k] or self.order(self.base)[:k], int)

    # -- what screens show --------------------------------------------------------------------------------------------------------

    def order(self, standing: Standing) -> list[int]:
        """Class indices, worst first; without labels classes that were never predicted come before all others."""
        never = [] if self.labelled else np.flatnonzero(standing.count == 0).tolist()
        return [*never, *standing.order.tolist()]

    @property
    def editable(self) -> bool:
        """Whether the prompts can be edited."""
        return self._history is not None

    @property
    def headline(self) -> Headline:
        """All classes together, now and against the run."""
        now = self.now.standing
        zeros = int((now.accuracy == 0).sum())
        accuracy = float((now.winner == now.label).mean())
        figures = (accuracy, float(np.nanmean(now.accuracy)), zeros, len(self._worst), now.worst(self._worst), float(np.nanmean(now.cmm)))
        return Headline(len(self.tune.pictures), self.labelled, *figures, moved(self.base, now), self.several)

    def families(self) -> list[FamilyRow]:
        """Every family, heaviest first, then those that are set aside."""
        now = self.now
        overall = now.weights if now.weights.ndim == 1 else now.weights.mean(1)
        rows = [
            FamilyRow(t, True, float(w), *self._scores.get(t.source, (None, None)))
            for t, w in zip(now.prompts.templates, overall, strict=True)
        ]
        aside = [FamilyRow(t, False, 0.0, *self._scores.get(t.source, (None, None))) for t in now.prompts.off]
        return [*sorted(rows, key=lambda row: -row.weight), *aside]

    @property
    def effective(self) -> float:
        """1 / sum w²: the number of families that really count; median over classes where they differ."""
        return float(np.median(1 / (self.now.weights**2).sum(0)))

    def texts(self, c: int) -> list[TextRow]:
        """What each family in use says of class c without its descriptions, each text alone in the class's row, heaviest first."""
        now, class_id = self.now, self.dataset.classes.ids[c]
        if self._encoder is None:
            return []
        few, prompts = now.classes.take([c]), now.prompts.only([class_id])
        bank, _ = self._lab.texts(few, replace(prompts, off=()), self._encoder)
        assert bank.texts is not None  # encoded here
        plain = np.ones(len(bank.grid.cell), bool) if bank.grid.described is None else ~bank.grid.described
        images = np.flatnonzero(self._label == c)
        own, rows = prompts.texts.get(class_id, {}), list[TextRow]()
        cmm, accuracy = self._live.alone(images, c, bank.texts) if len(images) else (np.full(len(bank.texts), np.nan),) * 2
        for k, _, p in bank.grid.cell[plain]:
            made, text = prompts.templates[k], bank.grid.texts[p]
            w = float(now.weights[k] if now.weights.ndim == 1 else now.weights[k, c])
            rows.append(TextRow(made, text, made.source in own, w, float(cmm[p]), float(accuracy[p]), text in bank.too_long))
        return sorted(rows, key=lambda row: -row.weight)

    def descriptions(self, c: int) -> list[Description]:
        """What else is said of class c, in use or not."""
        return [one for one in self.now.prompts.descriptions if one.class_id == self.dataset.classes.ids[c]]

    def tokens(self, text: str) -> int:
        """Tokens of a text with its start and end. Loads the tokenizer, which takes seconds the first time."""
        assert self._encoder is not None
        return self._encoder.tokens(self._encoder.clean(text))

    @property
    def context_length(self) -> int:
        """Tokens that the model reads."""
        assert self._encoder is not None
        return self._encoder.context_length

    def takers(self, c: int, most: int = 3) -> list[tuple[int, int]]:
        """(class, how many) of those that take images of class c, most first."""
        now = self.now.standing
        return [(found.predicted, found.count) for found in takers(now.label, now.winner, c, most)]

    def seen(self, c: int, *, right: bool, most: int = 6) -> list[Seen]:
        """Images of class c on tune: the most wrong ones, or the most right ones."""
        now = self.now.standing
        mine = np.flatnonzero((now.label == c) & ((now.winner == c) == right))
        order = mine[np.argsort(-now.margin[mine] if right else now.margin[mine], kind="stable")][:most]
        return [Seen(self.tune.keys[i], int(now.rival[i]), float(now.margin[i])) for i in order]

    def picture(self, key: str) -> bytes:
        """A small JPEG of an image. Raises DataError for data of vectors, which has none, and for a file that cannot be read."""
        from promptlab.encode.pictures import thumbnail

        if key not in self._pictures:
            raise DataError(f"{self.dataset.name!r} is data of vectors; it has no pictures to show.")
        made = thumbnail(*self._pictures[key])
        if not made:
            raise DataError(f"{key!r} cannot be read.")
        return base64.b64decode(made)

    @property
    def has_pictures(self) -> bool:
        """Whether the data has pictures, not vectors alone."""
        return bool(self._pictures)

    @cached_property
    def _pictures(self) -> dict[str, tuple[Images, int]]:
        parts = [part for part in self.dataset.splits.values() if isinstance(part, Images)]
        return {key: (part, i) for part in parts for i, key in enumerate(part.keys)}

    def guess(self, path: str, top: int = 5, most: int = 20) -> tuple[list[Guess], list[Guess]]:
        """What the classifier as it is now says of a picture file, or of the first pictures of a folder, and what it says with uniform
        weights; one Guess each, in order."""
        prompts = self.now.prompts
        plain = self._rows(prompts, self._even(prompts))
        made = (self._classifier(self._live.rows, self._offsets), self._classifier(plain, np.zeros(len(plain))))
        now, even = self._lab.guesses([path], self._reading, made, top, most, self._listen)
        return now, even

    def choose(self, path: str, texts: Sequence[str], top: int = 5, most: int = 20) -> tuple[list[Guess], list[Guess]]:
        """Which of some texts fits a picture file best, or each of the first pictures of a folder: as they are written, and within the
        templates in use, under the weights of these; one Guess each, in order."""
        prompts, encoder, w = self.now.prompts, self._reading, self._weights(self.now.prompts)
        templates = prompts.templates if self.dataset.bank is None else ()
        within = self._lab.chosen_from(texts, encoder, templates, (w if w.ndim == 1 else w.mean(1)) if templates else None)
        made = (self._lab.chosen_from(texts, encoder), within)
        alone, templated = self._lab.guesses([path], encoder, made, top, most, self._listen)
        return alone, templated

    @property
    def _reading(self) -> Encoder:
        """The model, for pictures that are not of the data. Raises UsageError where nobody knows it."""
        if self._encoder is None:
            raise UsageError(f"The vectors of {self.dataset.name!r} do not say which model made them.", "Name it with --model.")
        return self._encoder

    def _classifier(self, rows: Array, offsets: Array) -> Classifier:
        assert self._encoder is not None
        scale = self._encoder.scale
        bias = np.asarray(offsets * scale, np.float32)
        return Classifier(rows, bias, scale, self.now.classes, "", self._combine, logit_bias=self._encoder.logit_bias)

    # -- edits --------------------------------------------------------------------------------------------------------------------

    def edit(self, edit: Edit) -> None:
        """Do an edit, score it, keep it. Raises UsageError for one that cannot be done; then all is as before."""
        with self._lock:
            history = self._editing()
            self._settle(edit, history.after(edit), lambda: history.commit(edit))

    def undo(self) -> Edit | None:
        """Take the last edit back; which one that was, None when there is none."""
        with self._lock:
            history = self._editing()
            found = history.before()
            if found is not None:
                self._settle(*found, history.undo)
            return None if found is None else found[0]

    def redo(self) -> Edit | None:
        """Do again what was undone last; which edit that was, None when there is none."""
        with self._lock:
            history = self._editing()
            found = history.again()
            if found is not None:
                self._settle(*found, history.redo)
            return None if found is None else found[0]

    def _editing(self) -> History:
        if self._history is None:
            raise UsageError(f"The text vectors of {self.dataset.name!r} came with the data, so nothing can be said anew.")
        if self._history.stale:
            history = History.open(self.run, self.dataset.classes)
            prompts, classes = history.prompts, history.prompts.apply(self.dataset.classes)
            self._cells = self._encoded(prompts, classes, self._known(prompts), range(len(classes)))
            self._history = history
            self.now = self._stand(prompts, classes, range(len(classes)))
            raise UsageError(f"The prompts of {self.run.name!r} were changed elsewhere; here they are as they are now.", "Do it again.")
        return self._history

    def _settle(self, edit: Edit, prompts: Prompts, keep: Callable[[], object]) -> None:
        """Encode what an edit says, keep it, and score it. What can fail comes first."""
        classes, known = prompts.apply(self.dataset.classes), self._known(prompts)
        rows = range(len(classes)) if edit.kind in (*OF_ALL, EditKind.IMPORT) else [classes.ids.index(edit.class_id)]
        missing = [t for t in known if t.source not in self._cells]
        fresh = self._encoded(prompts, classes, missing, range(len(classes))) if missing else {}
        mine = {} if edit.kind in OF_ALL else self._encoded(prompts, classes, known, rows)
        keep()
        self._cells = {t.source: fresh.get(t.source) or self._cells[t.source] for t in known}
        for source, made in mine.items():
            self._cells[source].z[rows], self._cells[source].texts[rows] = made
        self.now = self._stand(prompts, classes, rows)

    # -- vectors ------------------------------------------------------------------------------------------------------------------

    @staticmethod
    def _known(prompts: Prompts) -> tuple[Template, ...]:
        """Every family, in use or set aside: what is set aside is encoded, too, so that it is back at once."""
        return (*prompts.templates, *prompts.off)

    def _encoded(self, prompts: Prompts, classes: Classes, templates: Sequence[Template], rows: Sequence[int]) -> dict[str, _Cells]:
        """{source: what that family says} of some classes."""
        if self.dataset.bank is not None:
            return {
                name: _Cells(z, np.ones(len(z), int)) for name, z in zip(self.dataset.bank.grid.families, self.dataset.bank.z, strict=True)
            }
        assert self._encoder is not None  # texts are encoded where none came with the data
        few = classes.take(rows)
        bank, _ = self._lab.texts(few, replace(prompts.only(few.ids), templates=tuple(templates), off=()), self._encoder)
        counts = np.zeros(bank.z.shape[:2], int)
        np.add.at(counts, tuple(bank.grid.cell[:, :2].T), 1)
        return {t.source: _Cells(z, n) for t, z, n in zip(templates, bank.z, counts, strict=True)}

    def _weights(self, prompts: Prompts) -> Array:
        """The held weights of the families in use; a family that nobody weighed gets the mean of the others."""
        known = [self._held[t.source] for t in prompts.templates if t.source in self._held]
        usual = np.mean(known, 0) if known else np.float64(1.0)
        w = np.array([self._held.get(t.source, usual) for t in prompts.templates], np.float64)
        total = w.sum(0)
        return np.asarray(np.where(total > 0, w / np.where(total > 0, total, 1), 1 / len(w)))

    @staticmethod
    def _even(prompts: Prompts) -> Array:
        return np.full(len(prompts.templates), 1 / len(prompts.templates))

    def _rows(self, prompts: Prompts, w: Array, rows: Sequence[int] | None = None) -> Array:
        """The rows of some classes, by default of all, under the weights w (K,) or (K, C)."""
        some = slice(None) if rows is None else rows
        return joined([self._cells[t.source].z[some] for t in prompts.templates], w if w.ndim == 1 else w[:, some], self._combine)

    def _stand(self, prompts: Prompts, classes: Classes, rows: Sequence[int]) -> Now:
        """Score prompts of which the texts of some classes may be new; all else is as it was."""
        w = self._weights(prompts)
        made = self._live.rows.copy()
        made[rows] = self._rows(prompts, w, rows)
        self._live.put(made, self._offsets)
        texts = np.sum([self._cells[t.source].texts for t in prompts.templates], 0)
        done, undone = (0, 0) if self._history is None else (len(self._history.done), len(self._history.undone))
        return Now(prompts, classes, self._live.standing(self._label), w, texts, done, undone)

    # -- what takes longer --------------------------------------------------------------------------------------------------------

    def reweigh(self, way: str = "", listen: Listener = ignore) -> None:
        """Find weights anew for the prompts as they are, by another way if one is given, and offsets with them; then hold those."""
        from promptlab.loops.run import make
        from promptlab.score.evidence import Evidence
        from promptlab.score.weighting import find

        lab, prompts, classes = self._lab.but(weights=way) if way else self._lab, self.now.prompts, self.now.classes
        choice = lab.choice(replace(self.dataset, classes=classes))
        bank = self.dataset.bank or lab.texts(classes, replace(prompts, off=()), self._needed)[0]
        bare = self.dataset.bank or lab.texts(classes, replace(prompts, off=(), descriptions=()), self._needed)[0]
        evidence = Evidence(self.tune, bank, lab.rules, lab.device, listen, bare, lab.kept)
        weights, board = find(choice.how, evidence)
        accuracy = evidence.board("accuracy", LabelSource.TRUE).value if self.labelled else np.full(len(board.value), np.nan)
        made = make(self.tune, bank, weights, choice)
        with self._lock:
            sources = [made.source for made in prompts.templates]
            figures = [(float(s), None if np.isnan(a) else float(a)) for s, a in zip(board.value, accuracy, strict=True)]
            self._held, self._scores = (dict(zip(sources, found, strict=True)) for found in (weights.w, figures))
            self._combine, self._offsets, self.way = choice.how.combine, made.bias / made.scale, choice.how.name
            self.switched = self.switched or bool(way)
            self.now = self._stand(self.now.prompts, self.now.classes, range(len(classes)))

    @property
    def _needed(self) -> Encoder:
        assert self._encoder is not None  # texts are encoded where none came with the data
        return self._encoder
