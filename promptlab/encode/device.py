"""Where products run."""

import torch

from promptlab.errors import UsageError


def resolve(name: str) -> str:
    """`auto` gives cuda where there is one, else mps, else cpu. Raises UsageError for a device that is not there."""
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return "cuda" if cuda else "mps" if mps else "cpu"
    kind = name.partition(":")[0]
    if kind not in ("cpu", "cuda", "mps"):
        raise UsageError(f"There is no device {name!r}.", "Devices are auto, cpu, cuda, mps.")
    if (kind == "cuda" and not cuda) or (kind == "mps" and not mps):
        raise UsageError(f"The device {name!r} is not there.", "Use --device auto.")
    return name
