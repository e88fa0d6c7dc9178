"""The faults that a check finds, told together."""

from collections.abc import Iterator
from contextlib import contextmanager

LONGEST = 300  # letters of an error that are shown


class Found:
    """Faults of one thing, in the order in which they were found."""

    def __init__(self, check: str, thing: str) -> None:
        self.check, self.thing = check, thing
        self.faults: dict[str, str] = {}

    def add(self, fault: str, kind: str = "") -> None:
        """One more; of a kind, the first alone is told."""
        self.faults.setdefault(kind or fault, fault)

    @contextmanager
    def during(self, doing: str, wanted: str, kind: str = "") -> Iterator[None]:
        """What is raised inside is a fault: `wanted` says what was expected instead."""
        try:
            yield
        except Exception as error:  # a plugin can raise anything
            said = str(error)
            said = said if len(said) <= LONGEST else f"{said[:LONGEST]}..."
            self.add(f"{doing} raised {type(error).__name__}: {said}; {wanted}", kind)

    def error(self) -> AssertionError:
        """All faults as one error."""
        many = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        return AssertionError(f"{self.check} found {many} in {self.thing}:\n" + "\n".join(f"- {fault}" for fault in self.faults.values()))

    def tell(self) -> None:
        """Raises AssertionError with all faults, if there are any."""
        __tracebackhide__ = True  # pytest shows the line of the test instead
        if self.faults:
            raise self.error()
