"""Where products run."""

import sys
from pathlib import Path

from promptlab.errors import UsageError

DRIVERS = ("nvidia*", "kfd", "dxg")  # in /dev: NVIDIA's, AMD's, and what passes one on to Linux inside Windows


def resolve(name: str) -> str:
    """`auto` gives cuda where there is one, else mps, else cpu. Raises UsageError for a device that is not there."""
    if name == "cpu" or (name == "auto" and not may_have_gpu()):
        return "cpu"
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return "cuda" if cuda else "mps" if mps else "cpu"
    kind = name.partition(":")[0]
    if kind not in ("cpu", "cuda", "mps"):
        raise UsageError(f"There is no device {name!r}.", "Devices are auto, cpu, cuda, mps.")
    if (kind == "cuda" and not cuda) or (kind == "mps" and not mps):
        raise UsageError(f"The device {name!r} is not there.", "Use --device auto.")
    return name


def may_have_gpu() -> bool:
    """Whether it is worth asking torch, which takes two seconds to import."""
    return sys.platform != "linux" or any(next(Path("/dev").glob(name), None) for name in DRIVERS)
