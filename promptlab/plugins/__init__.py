"""Plugins: where they come from, what they add, and how promptlab goes on when one of them fails."""

from promptlab.plugins.calls import guarded, nonsense
from promptlab.plugins.collected import BUILT_IN, Brought, Plugins, State
from promptlab.plugins.guards import checked_finding, checked_rule, opened, reading
from promptlab.plugins.sources import Source

__all__ = [
    "BUILT_IN",
    "Brought",
    "Plugins",
    "Source",
    "State",
    "checked_finding",
    "checked_rule",
    "guarded",
    "nonsense",
    "opened",
    "reading",
]
