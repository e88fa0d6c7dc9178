"""A run as a thing to play with."""

from promptlab.prompts.history import told
from promptlab.workbench.bench import Workbench
from promptlab.workbench.views import FamilyRow, Headline, Now, Seen, TextRow

__all__ = ["FamilyRow", "Headline", "Now", "Seen", "TextRow", "Workbench", "told"]
