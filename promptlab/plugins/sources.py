"""Where plugins come from: installed packages, and a folder that the user names. Nothing is imported before it is asked for."""

import hashlib
import importlib.util
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from promptlab.errors import UsageError

GROUP = "promptlab"


@dataclass(frozen=True, slots=True)
class Source:
    """A plugin that can be loaded."""

    name: str
    """What it is called: its entry point's name, or its file's in a plugins folder."""
    package: str
    """The package that brings it; empty for a file of a plugins folder."""
    version: str
    """The package's version; for a file a short hash of what it says."""
    origin: str
    """The module, or the file."""
    about: str
    """The package's one line about itself; empty when it says none."""
    load: Callable[[], Any]
    """Imports it; raises whatever its import does."""

    @property
    def called(self) -> str:
        """How messages call it."""
        return f"{self.name!r} ({self.package} {self.version})" if self.package else f"{self.name!r} ({self.origin})"


def installed() -> Iterator[Source]:
    """The plugins of installed packages, by name: entry points of the group `promptlab`."""
    found = {(e.name, e.value, e.dist.name if e.dist else ""): e for e in entry_points(group=GROUP)}  # a package can be on the path twice
    for entry in sorted(found.values(), key=lambda entry: (entry.name, entry.dist.name if entry.dist else "")):
        yield _of_package(entry)


def _of_package(entry: EntryPoint) -> Source:
    dist = entry.dist
    if dist is None:
        return Source(entry.name, "", "unknown", entry.value, "", entry.load)
    return Source(entry.name, dist.name, dist.version, entry.value, str(dist.metadata.json.get("summary", "")), entry.load)


def in_folder(folder: str) -> Iterator[Source]:
    """The plugins of a folder, by name: its modules and packages, but for those that begin with `_` or `.`, and tests.

    Raises UsageError when there is no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise UsageError(f"The plugins folder {folder!r} is not there.", "Name one with --plugins-dir, or leave it out.")
    for path in sorted(root.iterdir()):
        file = path / "__init__.py" if path.is_dir() else path
        if file.suffix == ".py" and file.is_file() and not path.name.startswith(("_", ".", "test_", "conftest")):
            version = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
            yield Source(path.stem, "", version, str(file), "", lambda file=file, name=path.stem: _import(file, name))  # type: ignore[misc]


def _import(file: Path, name: str) -> ModuleType:
    """The module in a file, imported anew; under a name of its own, so that it hides no installed module."""
    full = f"promptlab_plugins_dir_{name}"
    spec = importlib.util.spec_from_file_location(full, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module  # its own modules, and dataclasses, look for it there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[full]
        raise
    return module


def twice(sources: list[Source]) -> dict[str, str]:
    """{name: why it is ambiguous} of plugins that share a name: neither is loaded, since which one was meant is anybody's guess."""
    count = Counter(source.name for source in sources)
    return {
        name: f"{' and '.join(repr(s.package or s.origin) for s in sources if s.name == name)} both bring a plugin of this name"
        for name, n in count.items()
        if n > 1
    }
