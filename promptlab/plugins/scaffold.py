"""New plugins: a package with a working example and a passing test, written from templates."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from promptlab.errors import UsageError, unknown_name
from promptlab.plugins.collected import ALL, BUILT_IN
from promptlab.plugins.sources import installed
from promptlab.shipped import folder as shipped

PREFIX = "promptlab-"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 50
RESERVED = (BUILT_IN, ALL)
# What the example of each kind is, and a command that uses it.
KINDS = {
    "dataset": (
        "Pictures in images/ with their classes in labels.json",
        "promptlab run FOLDER                   # with images/ and labels.json",
    ),
    "rule": ("A scoring rule: by how much the right class falls short", "promptlab score photos/ --rule {name}"),
    "encoder": ("A model whose space is eleven colours", "promptlab run photos/ --model {name}"),
}
FILES = {
    "pyproject.toml": "pyproject.toml.j2",
    "README.md": "README.md.j2",
    ".gitignore": "gitignore.j2",
    "{module}/__init__.py": "{kind}/module.py.j2",
    "tests/test_{slug}.py": "{kind}/test.py.j2",
}


@dataclass(frozen=True, slots=True)
class Scaffold:
    """A plugin that was written."""

    name: str
    """What it is called: its entry point's name, and that of the thing that it adds."""
    kind: str
    """`dataset`, `rule` or `encoder`."""
    module: str
    """The module that it is."""
    folder: Path
    """The package's folder."""
    files: tuple[str, ...]
    """What was written, below the folder."""


def write(name: str, kind: str, where: Path, taken: Collection[str] = ()) -> Scaffold:
    """The package `promptlab-NAME` in a new folder below `where`. Raises UsageError for a kind that is none, for a name that no package can
    have or that is taken (taken: names of things of that kind), and where the folder is there already or cannot be made."""
    if kind not in KINDS:
        raise unknown_name("kind of plugin", kind, KINDS)
    plain = _plain(name, taken)
    slug = plain.replace("-", "_")
    folder, module = where / f"{PREFIX}{plain}", f"promptlab_{slug}"
    about, use = KINDS[kind]
    words = {
        "name": plain,
        "kind": kind,
        "slug": slug,
        "module": module,
        "package": folder.name,
        "about": about,
        "use": use.format(name=plain),
    }
    texts = {path.format(**words): _filled(template.format(**words), words) for path, template in FILES.items()}
    try:
        folder.mkdir(parents=True)  # fails where it is there: nothing is ever written over
        for path, text in texts.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text, "utf-8")
    except FileExistsError as error:
        raise UsageError(f"{str(folder)!r} is there already.", "Take another name, or another folder with --folder.") from error
    except OSError as error:
        raise UsageError(f"{str(folder)!r} cannot be written: {error.strerror or error}.", "Name another folder with --folder.") from error
    return Scaffold(plain, kind, module, folder, tuple(texts))


def _plain(name: str, taken: Collection[str]) -> str:
    """The name as packages write it: `My_Data` becomes `my-data`, and the prefix goes. Raises UsageError where that is none, or taken."""
    plain = re.sub(r"[-_. ]+", "-", name.strip().lower()).removeprefix(PREFIX)
    if not NAME.fullmatch(plain) or len(plain) > LONGEST:
        raise UsageError(
            f"A plugin cannot be called {name[:60]!r}.",
            f"Letters a to z, digits and hyphens were expected, a letter first, {LONGEST} at most, e.g. my-data.",
        )
    if plain in (*RESERVED, *taken):
        raise UsageError(f"{plain!r} means something in promptlab already.", "Take another name.")
    if plain in {one.name for one in installed()} or _is_installed(f"{PREFIX}{plain}"):
        raise UsageError(f"{plain!r} is installed already, and of two plugins with one name neither is loaded.", "Take another name.")
    return plain


def _is_installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def _filled(template: str, words: dict[str, str]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(shipped("plugin"))
    environment = Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True)  # code, not HTML
    return environment.get_template(template).render(words)
