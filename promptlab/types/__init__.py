"""The values that flow through promptlab: frozen dataclasses over numpy, their shapes checked when they are made.

The alphabet, used in every docstring: N images · C classes · K prompt families · P texts · D embedding width · B images in a batch.
Cosines lie in [-1, 1]; logits are cosine x scale (+ bias); rows called *unit* have L2 norm 1.
"""

from promptlab.types.data import (
    Array,
    Check,
    Classes,
    Combine,
    Dataset,
    Features,
    Images,
    LabelSource,
    Material,
    PromptGrid,
    Rows,
    Scope,
    Shards,
    Template,
    TextBank,
    unit,
)
from promptlab.types.results import (
    Classifier,
    Confusion,
    Difference,
    Evaluation,
    Guess,
    Interval,
    Outcomes,
    Scoreboard,
    TextScores,
    Weights,
    WorstSet,
)

__all__ = [
    "Array",
    "Check",
    "Classes",
    "Classifier",
    "Combine",
    "Confusion",
    "Dataset",
    "Difference",
    "Evaluation",
    "Features",
    "Guess",
    "Images",
    "Interval",
    "LabelSource",
    "Material",
    "Outcomes",
    "PromptGrid",
    "Rows",
    "Scope",
    "Scoreboard",
    "Shards",
    "Template",
    "TextBank",
    "TextScores",
    "Weights",
    "WorstSet",
    "unit",
]
