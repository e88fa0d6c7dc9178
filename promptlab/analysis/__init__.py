"""What else outcomes tell: who takes whose pictures, what changed, which rule finds the worst."""

from collections.abc import Iterable

from promptlab.analysis.swaps import swaps
from promptlab.hookspecs import hookimpl
from promptlab.protocols import Analysis


@hookimpl
def promptlab_analyses() -> Iterable[Analysis]:
    """The built-in analyses."""
    return [Analysis("swaps", swaps, "pairs of classes that take each other's pictures")]
