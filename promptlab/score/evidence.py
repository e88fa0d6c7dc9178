"""What a weighting may ask of the tune half; every answer is computed once."""

from collections.abc import Mapping, Sequence

from promptlab.errors import UsageError
from promptlab.events import Listener, Noted
from promptlab.protocols import Rule
from promptlab.score.classifier import classify, others_say
from promptlab.score.contest import Columns, require_same_encoder
from promptlab.score.ensemble import build, uniform
from promptlab.score.rules import parse_rule
from promptlab.score.sweep import sweep
from promptlab.score.weights import zpe
from promptlab.types import Array, Combine, Features, LabelSource, Scoreboard, TextBank


class Evidence:
    """Labels from every source and scores by every rule, on tune.

    bare: the families without descriptions. Labels that are made are made from them, so that no description judges itself.
    """

    def __init__(
        self, tune: Features, bank: TextBank, rules: Mapping[str, Rule], device: str, listen: Listener, bare: TextBank | None = None
    ) -> None:
        require_same_encoder(tune, bank)
        self._bare = None if bare is None or bare is bank else Evidence(tune, bare, rules, device, listen)
        self.tune, self.bank, self.rules, self.device, self.listen = tune, bank, rules, device, listen
        self.families, self.scale = bank.grid.families, bank.scale
        self._columns: Columns | None = None
        self._labels: dict[LabelSource, Array | None] = {}
        self._boards: dict[tuple[str, LabelSource], Scoreboard] = {}

    @property
    def classes(self) -> int:
        """C."""
        return len(self.bank.grid.classes)

    def labels(self, source: LabelSource) -> Array | None:
        """The right answers: (N,) int, (N, K) for `others`, None for `self`. Raises UsageError for `true` where there are none.

        One family has no others: its labels are those of `ensemble`.
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
            return classify(uniform(self.bank), self.tune, None, self.device).winner
        if source is LabelSource.ZPE:
            weights = zpe(self.board("confidence", LabelSource.ENSEMBLE))
            return classify(build(self.bank, weights.w, Combine.LOGIT), self.tune, None, self.device).winner
        if source is LabelSource.OTHERS:
            return others_say(self.bank, self.tune, self.device)
        check_question([], {}, source, self.tune.labels is not None, self.classes)
        return self.tune.labels

    def ask(self, names: Sequence[str], source: LabelSource) -> dict[str, Scoreboard]:
        """Scoreboards of all families under one label source; those not yet known come from one pass."""
        if source is LabelSource.OTHERS and len(self.families) == 1:
            self.listen(Noted("There is one family, so it has no others to judge it; labels `ensemble` are used."))
            source = LabelSource.ENSEMBLE
        new = [name for name in names if (name, source) not in self._boards]
        if new:
            labels = self.labels(source)
            if self._columns is None:
                self._columns = Columns(self.bank.z, device=self.device)
            made = sweep(
                self.tune,
                self._columns,
                new,
                self.rules,
                source=source,
                labels=labels,
                families=self.families,
                scale=self.scale,
                listen=self.listen,
            )
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
