"""What a weighting may ask of the tune half; every answer is computed once."""

from collections.abc import Mapping, Sequence

import numpy as np

from promptlab.errors import UsageError
from promptlab.events import Listener, Noted
from promptlab.protocols import Rule
from promptlab.score.contest import Columns, Layout, contests, require_same_encoder
from promptlab.score.ensemble import joined, uniform
from promptlab.score.kept import KeptScores
from promptlab.score.rules import parse_rule
from promptlab.score.sweep import Asked, sweep
from promptlab.score.weights import zpe
from promptlab.types import Array, Combine, Features, LabelSource, Scoreboard, TextBank, unit


class Evidence:
    """Labels from every source and scores by every rule, on tune.

    bare: the families without descriptions. Labels that are made are made from them, so that no description judges itself. Only the
    source `true` sees rows of right answers; to all others a picture is a picture, whatever it shows. kept: what families scored before.
    """

    def __init__(
        self,
        tune: Features,
        bank: TextBank,
        rules: Mapping[str, Rule],
        device: str,
        listen: Listener,
        bare: TextBank | None = None,
        kept: KeptScores | None = None,
    ) -> None:
        require_same_encoder(tune, bank)
        self._bare = None if bare is None or bare is bank else Evidence(tune, bare, rules, device, listen, kept=kept)
        self.tune, self.bank, self.rules, self.device, self.listen = tune, bank, rules, device, listen
        self._kept = kept
        self.families, self.scale = bank.grid.families, bank.scale
        self._columns: Layout | None = None
        self._labels: dict[LabelSource, Array | None] = {}
        self._boards: dict[tuple[str, LabelSource], Scoreboard] = {}

    @property
    def classes(self) -> int:
        """C."""
        return len(self.bank.grid.classes)

    def labels(self, source: LabelSource) -> Array | None:
        """The right answers: (N,) int, (N, K) for `others`, None for `self`; N rows for `true`, else N pictures.

        One family has no others: its labels are those of `ensemble`. Raises UsageError for `true` where there are none.
        """
        if self._bare is not None:
            return self._bare.labels(source)
        if source not in self._labels:
            self._labels[source] = self._find_labels(source)
        return self._labels[source]

    def _find_labels(self, source: LabelSource) -> Array | None:
        if source is LabelSource.SELF:
            return None
        if source is LabelSource.ENSEMBLE or (source is LabelSource.OTHERS and len(self.families) == 1):
            return self.winners(uniform(self.bank).weight)
        if source is LabelSource.ZPE:
            weights = zpe(self.board("confidence", LabelSource.SELF))  # whose right answers are told apart only by class
            return self.winners(joined(self.bank.z, weights.w, Combine.LOGIT))
        if source is LabelSource.OTHERS:
            return self._others()
        return self.true_labels()

    def true_labels(self) -> Array:
        """(N,) int: the data's own. Raises UsageError where there are none."""
        check_question([], {}, LabelSource.TRUE, self.tune.labels is not None, self.classes)
        assert self.tune.labels is not None  # checked just now
        return self.tune.labels

    def images(self, source: LabelSource) -> Features:
        """What a label source gives labels to: right answers, a row each, for `true`, else pictures."""
        return self.tune if source is LabelSource.TRUE else self.tune.pictures

    def layout(self, z: Array) -> Layout:
        """What the candidates of an image are under text vectors z (K, C, D)."""
        return Columns(z, device=self.device)

    def seen(self, layout: Layout, source: LabelSource) -> Layout:
        """A layout as a label source may see it."""
        return layout

    def _all(self, z: Array) -> Layout:
        """The layout of text vectors; that of all families is one for all questions."""
        if z is not self.bank.z:
            return self.layout(z)
        if self._columns is None:
            self._columns = self.layout(z)
            if isinstance(self._columns, Columns) and self.tune.several is None:  # else some sources see pictures, others right answers
                self._columns.hold()
        return self._columns

    def winners(self, rows: Array) -> Array:
        """(N,) int: the candidate that wins each image under one row a class (C, D)."""
        found = [one.winner[:, 0].cpu().numpy() for one in contests(self.tune.pictures, self.layout(rows[None]), None, self.scale)]
        return np.concatenate(found)

    def _others(self) -> Array:
        """(N, K) int: what the uniform ensemble of all families but k says of each image."""
        total = self.bank.z.sum(0, dtype=np.float64)
        columns = self.layout(np.stack([unit(total - rows) for rows in self.bank.z]))
        labels = np.empty((len(self.tune.pictures), len(self.bank.z)), np.int64)
        for contest in contests(self.tune.pictures, columns, None, self.scale):
            labels[contest.start : contest.start + len(contest.x), contest.families] = contest.winner.cpu().numpy()
        return labels

    def ask(self, names: Sequence[str], source: LabelSource) -> dict[str, Scoreboard]:
        """Scoreboards of all families under one label source; those not yet known come from one pass."""
        if source is LabelSource.OTHERS and len(self.families) == 1:
            self.listen(Noted("There is one family, so it has no others to judge it; labels `ensemble` are used."))
            source = LabelSource.ENSEMBLE
        new = [name for name in names if (name, source) not in self._boards]
        if new:
            labels = self.labels(source)
            told: Asked = {"source": source, "labels": labels, "families": self.families, "scale": self.scale, "listen": self.listen}
            if self._kept is not None:
                made = self._kept.sweep(self.images(source), self.bank.z, self._all, new, self.rules, told)
            else:
                made = sweep(self.images(source), self.seen(self._all(self.bank.z), source), new, self.rules, **told)
            self._boards |= {(name, source): board for name, board in made.items()}
        return {name: self._boards[name, source] for name in names}

    def board(self, name: str, source: LabelSource) -> Scoreboard:
        """The scoreboard of one rule."""
        return self.ask([name], source)[name]


def check_question(names: Sequence[str], rules: Mapping[str, Rule], source: LabelSource | None, labelled: bool, classes: int) -> None:
    """Raises UsageError for an unknown rule or for labels that are not there, before anything is encoded for it."""
    for name in names:
        parse_rule(name, rules, classes)
    if source is LabelSource.TRUE and not labelled:
        raise UsageError("The data has no labels, so --labels true cannot be used.", "Use --labels ensemble.")
