"""The values that flow through promptlab: frozen dataclasses over numpy, their shapes checked when they are made.

The alphabet, used in every docstring: N images · C classes · K prompt families · P texts · D embedding width · B images in a batch ·
M captions to choose from.
Cosines lie in [-1, 1]; logits are cosine x scale (+ bias); rows called *unit* have L2 norm 1.
"""

from promptlab.types.arrays import Array, Named, Picked, Rows, Shards, unit
from promptlab.types.captions import NO_TEXT, Captioned, Captions, Cases, Matched
from promptlab.types.data import Check, Combine, Dataset, Features, Images, LabelSource, Material, Scope, Several
from promptlab.types.prompts import Classes, Description, Edit, EditKind, Form, Place, PromptGrid, Template, TextBank
from promptlab.types.results import (
    Agreement,
    Changes,
    ClassChange,
    Classifier,
    Confusion,
    Difference,
    Evaluation,
    Finding,
    Guess,
    Interval,
    Outcomes,
    Precision,
    Scoreboard,
    TextScores,
    Weights,
    WorstSet,
)
from promptlab.types.retrieved import Recall

__all__ = [
    "NO_TEXT",
    "Agreement",
    "Array",
    "Captioned",
    "Captions",
    "Cases",
    "Changes",
    "Check",
    "ClassChange",
    "Classes",
    "Classifier",
    "Combine",
    "Confusion",
    "Dataset",
    "Description",
    "Difference",
    "Edit",
    "EditKind",
    "Evaluation",
    "Features",
    "Finding",
    "Form",
    "Guess",
    "Images",
    "Interval",
    "LabelSource",
    "Matched",
    "Material",
    "Named",
    "Outcomes",
    "Picked",
    "Place",
    "Precision",
    "PromptGrid",
    "Recall",
    "Rows",
    "Scope",
    "Scoreboard",
    "Several",
    "Shards",
    "Template",
    "TextBank",
    "TextScores",
    "Weights",
    "WorstSet",
    "unit",
]
