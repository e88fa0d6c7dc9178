"""The faults that a check finds, told together."""

from collections.abc import Iterator
from contextlib import contextmanager


class Found:
    """Faults of one thing, in the order in which they were found."""

    def __init__(self, check: str, thing: str) -> None:
        self.check, self.thing = check, thing
        self.faults: list[str] = []

    def add(self, fault: str) -> None:
        """One more, told once."""
        if fault not in self.faults:
            self.faults.append(fault)

    @contextmanager
    def during(self, doing: str, wanted: str) -> Iterator[None]:
        """What is raised inside is a fault: `wanted` says what was expected instead."""
        try:
            yield
        except Exception as error:  # a plugin can raise anything
            self.add(f"{doing} raised {type(error).__name__}: {error}; {wanted}")

    def tell(self) -> None:
        """Raises AssertionError with all faults, if there are any."""
        if self.faults:
            many = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
            raise AssertionError(f"{self.check} found {many} in {self.thing}:\n" + "\n".join(f"- {fault}" for fault in self.faults))
