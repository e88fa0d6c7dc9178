"""Template sets: where they come from, and the sandbox that they run in.

A template is one sentence. It may use the name, a few filters and a condition; loops, calls, attributes and arithmetic are refused
before anything runs, so that a template file from a stranger can neither read secrets nor eat memory.
"""

import importlib.util
import json
import os
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from promptlab.errors import UsageError, unknown_name
from promptlab.prompts.english import article, plural
from promptlab.shipped import folder as shipped_folder
from promptlab.types import Template

LONGEST_SOURCE = 1000
LONGEST_TEXT = 10_000
SLOT = re.compile(r"\{(?:c|class|classname|name)?\}")
SLOT_NAMES = ("name", "c", "class", "classname")
FILTERS = {
    "article": article,
    "plural": plural,
    "lower": str.lower,
    "upper": str.upper,
    "title": str.title,
    "capitalize": str.capitalize,
}
ALLOWED = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Filter),
    *(nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.Not, nodes.And, nodes.Or, nodes.Concat),
)
OPENAI = {"openai-80": "OPENAI_IMAGENET_TEMPLATES", "openai-7": "SIMPLE_IMAGENET_TEMPLATES"}


@dataclass(frozen=True, slots=True)
class TemplateSet:
    """Templates under one name."""

    name: str
    """What the user types."""
    about: str
    """One line."""
    origin: str
    """Where they come from."""
    templates: tuple[Template, ...]
    """(K,) the families."""


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    environment.filters = dict(FILTERS)
    return environment


def template(text: str) -> Template:
    """A template from what people write: `{}`, `{c}`, `{class}`, `{classname}`, `{name}` or jinja2.

    Raises UsageError that says what is wrong with it.
    """
    source = text if "{{" in text or "{%" in text else SLOT.sub("{{ name }}", text)
    if len(source) > LONGEST_SOURCE:
        raise UsageError(f"The template {text[:60]!r}... has {len(source)} characters; at most {LONGEST_SOURCE} are allowed.")
    try:
        tree = _environment().parse(source)
    except (TemplateSyntaxError, RecursionError) as error:
        raise UsageError(f"The template {text[:200]!r} cannot be read: {error}.") from error
    refused = next((node for node in tree.find_all(nodes.Node) if not isinstance(node, ALLOWED)), None)
    if refused is not None:
        raise UsageError(
            f"The template {text!r} uses {_words(refused)}, which templates may not.",
            f"Allowed: the name and {', '.join(FILTERS)}.",
        )
    names = {node.name for node in tree.find_all(nodes.Name)}
    if not names & set(SLOT_NAMES):
        raise UsageError(f"The template {text!r} has no place for the class name.", "Write {} or {{ name }} where the name goes.")
    return Template(render(Template(text, source), "{}"), source)


def _words(node: nodes.Node) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).lower()


@cache
def _compiled(source: str) -> Any:
    return _environment().from_string(source)


def render(made: Template, name: str) -> str:
    """The text for one name. Raises UsageError for an unknown word or filter, or a text that grows too long."""
    try:
        text: str = _compiled(made.source).render(dict.fromkeys(SLOT_NAMES, name))
    except Exception as error:  # a stranger's template can fail in any way that Python knows
        raise UsageError(
            f"The template {made.name!r} fails: {error}.", f"It may use `name` and the filters {', '.join(FILTERS)}."
        ) from error
    if len(text) > LONGEST_TEXT:
        raise UsageError(f"The template {made.name!r} makes a text of {len(text)} characters; at most {LONGEST_TEXT} are allowed.")
    return text


def shipped() -> list[TemplateSet]:
    """The sets that can be asked for by name."""
    ours = [_read_toml(path, path.stem, "promptlab") for path in sorted(shipped_folder("prompts").glob("*.toml"))]
    return ours + [_openai(name) for name in OPENAI]


def load(wanted: Sequence[str]) -> tuple[Template, ...]:
    """The distinct templates of sets and files (.toml, .txt, .json), in order. Raises UsageError for what cannot be had."""
    found = {made.source: made for made in listed(wanted)}
    if not found:
        raise UsageError("No template was given.", "Name a set, e.g. --templates simple.")
    return tuple(found.values())


def listed(wanted: Sequence[str]) -> tuple[Template, ...]:
    """The templates of sets and files as they stand there, in order. Raises UsageError for what cannot be had."""
    return tuple(made for name in wanted for made in one(name).templates)


def one(name: str) -> TemplateSet:
    """The set of that name, or of that file. Raises UsageError for what does not exist or cannot be read."""
    if name in OPENAI:
        return _openai(name)
    path = shipped_folder("prompts") / f"{name}.toml"
    if re.fullmatch(r"[\w-]{1,99}", name) and path.is_file():
        return _read_toml(path, name, "promptlab")
    given = Path(name)
    if os.path.isfile(given):  # Path.is_file raises for a name that is too long
        return _read_file(given)
    if given.suffix or "/" in name:
        raise UsageError(f"There is no template file {name!r}.")
    raise unknown_name("template set", name, [path.stem for path in shipped_folder("prompts").glob("*.toml")] + list(OPENAI))


def _read_file(path: Path) -> TemplateSet:
    if path.suffix.lower() == ".toml":
        return _read_toml(path, path.name, str(path))
    try:
        text = path.read_text("utf-8-sig")
        lines = json.loads(text) if path.suffix.lower() == ".json" else [line for line in text.splitlines() if line.strip()]
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no JSON, no UTF-8, or a number of 5,000 digits
        raise UsageError(f"The template file {str(path)!r} cannot be read: {error}.") from error
    return TemplateSet(path.name, "", str(path), _templates(lines, path))


def _read_toml(path: Path, name: str, origin: str) -> TemplateSet:
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"The template file {str(path)!r} cannot be read: {error}.") from error
    return TemplateSet(name, str(data.get("about", "")), origin, _templates(data.get("templates"), path))


def _templates(lines: Any, path: Path) -> tuple[Template, ...]:
    if not isinstance(lines, list) or not lines or not all(isinstance(line, str) for line in lines):
        raise UsageError(
            f"{str(path)!r} holds no list of templates.",
            'Expected: templates = ["a photo of {}."], a JSON list, or one per line.',
        )
    try:
        return tuple(template(line) for line in lines)
    except UsageError as error:
        raise UsageError(f"{str(path)!r}: {error.message}", error.hint) from error


def _openai(name: str) -> TemplateSet:
    lines: Iterable[Any] = getattr(_open_clip_metadata(), OPENAI[name])
    made = tuple(template(line("{}")) for line in lines)
    return TemplateSet(name, f"the {len(made)} templates published with CLIP for ImageNet", "open_clip", made)


@cache
def _open_clip_metadata() -> ModuleType:
    """open_clip's list of templates, read without importing open_clip itself, which takes seconds."""
    package = importlib.util.find_spec("open_clip")
    if package is None or not package.submodule_search_locations:
        raise UsageError(
            "open_clip is not installed, so its templates cannot be read.", "Install open_clip_torch, or use --templates general."
        )
    path = Path(package.submodule_search_locations[0]) / "zero_shot_metadata.py"
    spec = importlib.util.spec_from_file_location("open_clip_zero_shot_metadata", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
