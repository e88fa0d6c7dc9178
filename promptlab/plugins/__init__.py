"""Plugins: where they come from, what they add, and how promptlab goes on when one of them fails."""

from promptlab.plugins.collected import BUILT_IN, Brought, Plugins, State
from promptlab.plugins.guards import checked_dataset, checked_finding, checked_rule, guarded
from promptlab.plugins.sources import Source

__all__ = ["BUILT_IN", "Brought", "Plugins", "Source", "State", "checked_dataset", "checked_finding", "checked_rule", "guarded"]
