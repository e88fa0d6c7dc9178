"""A language model on this machine: any GGUF file, served on loopback for as long as it is needed."""

from collections.abc import Iterable

from promptlab import ChatAlias, hookimpl
from promptlab_local.child import opened


@hookimpl
def promptlab_chats() -> Iterable[ChatAlias]:
    """The alias `local`."""
    return [ChatAlias("local", opened, "a model on this machine: local:FILE.gguf; without a file, SmolLM2 (135M), which writes poorly")]
