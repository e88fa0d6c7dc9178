"""Where plugins come from: installed packages, and a folder that the user names. Nothing is imported before it is asked for."""

import hashlib
import importlib.util
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from promptlab.errors import UsageError

GROUP = "promptlab"
OF_FOLDER = "promptlab_plugins_dir_"  # how the names of modules begin that no other process finds by itself


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
    def module(self) -> str:
        """Of a package: the name of the module that is imported."""
        return self.origin.partition(":")[0].partition(".")[0]

    @property
    def called(self) -> str:
        """How messages call it."""
        return f"{self.name!r} ({self.package} {self.version})" if self.package else f"{self.name!r} ({self.origin})"


def installed() -> Iterator[Source]:
    """The plugins of installed packages, by name: entry points of the group `promptlab`. One whose metadata is damaged cannot be loaded."""
    found: dict[tuple[str, str, str], Source] = {}
    for distribution in distributions():
        try:
            entries = [entry for entry in distribution.entry_points if entry.group == GROUP]
        except Exception as error:  # metadata of any package can be damaged
            if GROUP in str(getattr(distribution, "_path", "")):
                name = Path(str(getattr(distribution, "_path", ""))).name
                found["", name, ""] = Source(name, name, "unknown", "its metadata", "", partial(_raise, error))
            continue
        for entry in entries:
            source = _of_package(entry, distribution)
            found.setdefault((source.name, source.origin, source.package), source)  # a package can be on the path twice
    yield from sorted(found.values(), key=lambda source: (source.name, source.package))


def _of_package(entry: EntryPoint, distribution: Distribution) -> Source:
    try:
        about = distribution.metadata.json
    except Exception:  # metadata of any package can be damaged, or missing
        about = {}
    name, version = (str(about.get(key) or "unknown") for key in ("name", "version"))
    return Source(entry.name, name, version, entry.value, str(about.get("summary") or ""), entry.load)


def _raise(error: Exception) -> NoReturn:
    raise error


def in_folder(folder: str) -> Iterator[Source]:
    """The plugins of a folder, by name: its modules and packages, but for those that begin with `_` or `.`, and tests.

    Raises UsageError when there is no such folder, or no plugin in it.
    """
    root, found = Path(folder), False
    if os.path.isfile(folder):
        raise UsageError(f"The plugins folder {folder!r} is a file.", f"Name the folder that it lies in: --plugins-dir {root.parent}")
    if not os.path.isdir(folder):
        raise UsageError(f"The plugins folder {folder!r} is not there.", "Name one with --plugins-dir, or leave it out.")
    for path in sorted(root.iterdir()):
        file = path / "__init__.py" if path.is_dir() else path
        if file.suffix == ".py" and file.is_file() and not path.name.startswith(("_", ".", "test_", "conftest")):
            found = True
            yield Source(path.stem, "", _hash(file), str(file), "", lambda file=file, name=path.stem: _import(file, name))  # type: ignore[misc]
    if not found:
        raise UsageError(f"The plugins folder {folder!r} holds no plugin.", "A plugin is a module: NAME.py, or NAME/ with an __init__.py.")


def _hash(file: Path) -> str:
    """Eight digits of a file's hash; `unknown` when it cannot be read, which loading tells."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    except OSError:
        return "unknown"


def _import(file: Path, name: str) -> ModuleType:
    """The module in a file, imported anew; under a name of its own, so that it hides no installed module."""
    full = f"{OF_FOLDER}{name}"
    for stale in [one for one in sys.modules if one.startswith(f"{full}.")]:
        del sys.modules[stale]  # of another folder's, or as it was before an edit
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
