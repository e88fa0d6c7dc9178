"""The faults that a check finds, told together."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from promptlab.display import many
from promptlab.plugins.calls import place

LONGEST = 300  # letters of an error that are shown
LONG_WORD = re.compile(r"(\S{20})\S{180,}")  # e.g. a file's name in an error of the disk


class Found:
    """Faults of one thing, in the order in which they were found."""

    def __init__(self, check: str, thing: str) -> None:
        self.check, self.thing = check, thing
        self.faults: dict[str, str] = {}
        self.cause: BaseException | None = None  # the first that was raised

    def add(self, fault: str, kind: str = "") -> None:
        """One more; of a kind, the first alone is told."""
        self.faults.setdefault(kind or fault, fault)

    def raised(self, doing: str, error: BaseException, wanted: str, kind: str = "") -> None:
        """One more: that something was raised, where, and what was expected instead."""
        self.cause = self.cause or error
        self.add(f"{doing} raised {type(error).__name__}: {_said(error)}{place(error)}; {wanted}", kind)

    @contextmanager
    def during(self, doing: str, wanted: str, kind: str = "") -> Iterator[None]:
        """What is raised inside is a fault: `wanted` says what was expected instead."""
        try:
            yield
        except (Exception, SystemExit, GeneratorExit) as error:  # a plugin can raise anything
            self.raised(doing, error, wanted, kind)

    def tell(self) -> None:
        """Raises AssertionError with all faults, if there are any, from the first that was raised."""
        __tracebackhide__ = True  # pytest shows the line of the test instead
        if self.faults:
            told = "\n".join(f"- {fault}" for fault in self.faults.values())
            raise AssertionError(f"{self.check} found {many(len(self.faults), 'fault')} in {self.thing}:\n{told}") from self.cause


def _said(error: BaseException) -> str:
    said = LONG_WORD.sub(r"\1...", str(error))
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}..."


def check_given(check: str, thing: object, kind: type, wanted: str) -> None:
    """Raises AssertionError unless the thing is of the kind that the check looks at."""
    __tracebackhide__ = True
    if not isinstance(thing, kind):
        raise AssertionError(f"{check} was given {_called(thing)}; {wanted}.")


def check_has(check: str, thing: object, names: Sequence[str], wanted: str) -> None:
    """Raises AssertionError unless the thing has all of these; of a class, an instance is wanted."""
    __tracebackhide__ = True
    if isinstance(thing, type):
        raise AssertionError(f"{check} was given the class {thing.__name__}; {wanted} was expected: give {thing.__name__}().")
    missing = [f"`{name}`" for name in names if not hasattr(type(thing), name) and not hasattr(thing, name)]  # no property is run
    if missing:
        raise AssertionError(f"{check} was given {_called(thing)} without {', '.join(missing)}; {wanted} was expected.")


def _called(thing: object) -> str:
    name = getattr(thing, "__name__", "")
    kind = type(thing).__name__
    return f"the {kind} {name}" if name else f"an object of type {kind}"
