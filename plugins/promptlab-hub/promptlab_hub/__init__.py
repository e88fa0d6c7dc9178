"""Datasets by name: those of Hugging Face's `datasets`, and of torchvision."""

from collections.abc import Iterable

from promptlab import hookimpl
from promptlab_hub.hf import HuggingFace
from promptlab_hub.vision import Torchvision


@hookimpl
def promptlab_datasets() -> Iterable[object]:
    """The sources `hf:` and `torchvision:`."""
    return [HuggingFace(), Torchvision()]
