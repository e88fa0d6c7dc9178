"""Question packs: what a language model is asked about a class, and the form that its reply must have.

A pack is a TOML file with these keys, and no others:

    about = "one line"                  what tables say of it
    version = 1                         a whole number from 1; change it with the words, as `NAME@VERSION` is kept beside each reply
    form = "phrase"                     what its texts are: "phrase" goes with a name, "sentence" stands alone
    list = "phrases"                    the key of the reply's list of texts
    system = "..."                      what the model is told first; sent as it stands
    ask = "..."                         the question: jinja2 with the words below
    max_tokens = 300                    the longest reply, 1 to 4000
    temperature = 0.7                   0 to 2; 0 asks for the likeliest words
    [schema]                            JSON schema of the reply: an object that requires `list`, an array of strings

`ask` may use `name` (the class), `rivals` (up to 5 names, often none), `siblings` (up to 40 names of other classes) and `count` (how many
texts are wanted); `if`, `for` one deep, comparisons, the filters of templates, and `listed`, which makes "a", "b" and "c" of a list.
Attributes, calls and arithmetic are refused before anything runs, as in templates. Names are outside text: they are cleaned and cut.
"""

import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from promptlab.errors import UsageError, unknown_name
from promptlab.prompts import templates
from promptlab.prompts.compose import clean
from promptlab.shipped import folder as shipped_folder
from promptlab.types import Form

LONGEST_SOURCE = 4000  # characters of `system` and of `ask`
LONGEST_TEXT = 12_000  # characters of a question: about 3,000 tokens
LONGEST_NAME = 100
RIVALS, SIBLINGS, MOST_ASKED = 5, 40, 50
WORDS = ("name", "rivals", "siblings", "count")
ALLOWED = (*templates.ALLOWED, nodes.If, nodes.For)


@dataclass(frozen=True, slots=True)
class Pack:
    """A question, and the form of its reply."""

    name: str
    """What the user types; for a file its name."""
    version: int
    """Changes with the words of the question; 1 is the first."""
    about: str
    """One line; empty when the file says nothing."""
    origin: str
    """Where it comes from: `promptlab`, or the file's path."""
    form: Form
    """What its texts are."""
    system: str
    """What the model is told first; empty when it is told nothing."""
    ask: str
    """The question: jinja2."""
    list_of: str
    """The key of the reply's list of texts, e.g. `phrases`."""
    schema: Mapping[str, Any]
    """JSON schema of the reply."""
    max_tokens: int
    """The longest reply."""
    temperature: float
    """Of the sampling; 0 asks for the likeliest words."""

    @property
    def id(self) -> str:
        """`NAME@VERSION`, which is kept beside every text."""
        return f"{self.name}@{self.version}"


def _listed(names: object) -> str:
    """`"a", "b" and "c"`. Lists alone: texts made of texts could grow without end."""
    if not isinstance(names, list):
        raise TypeError("`listed` is for lists")
    quoted = [f'"{name}"' for name in names]
    return " and ".join(filter(None, [", ".join(quoted[:-1]), *quoted[-1:]]))


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True)
    environment.filters = {**templates.FILTERS, "listed": _listed}
    return environment


def shipped() -> list[Pack]:
    """The packs that can be asked for by name."""
    return [_read(path, path.stem, "promptlab") for path in sorted(shipped_folder("ask").glob("*.toml"))]


def one(name: str) -> Pack:
    """The pack of that name, or of that file. Raises UsageError for what does not exist or cannot be used."""
    path = shipped_folder("ask") / f"{name}.toml"
    if re.fullmatch(r"[\w-]{1,99}", name) and path.is_file():
        return _read(path, name, "promptlab")
    if os.path.isfile(name):  # Path.is_file raises for a name that is too long
        return _read(Path(name), Path(name).stem, name)
    if "/" in name or name.lower().endswith(".toml"):
        raise UsageError(f"There is no question pack {name!r}.", "Name a .toml file, or a pack: promptlab questions")
    raise unknown_name("question pack", name, [path.stem for path in shipped_folder("ask").glob("*.toml")])


def render(pack: Pack, name: str, *, rivals: Sequence[str], siblings: Sequence[str], count: int) -> tuple[str, str]:
    """(what the model is told first, the question) for one class. Raises UsageError when the question fails or grows too long."""
    words = {
        "name": _cleaned(name),
        "rivals": list(filter(None, map(_cleaned, rivals[:RIVALS]))),
        "siblings": list(filter(None, map(_cleaned, siblings[:SIBLINGS]))),
        "count": max(1, min(count, MOST_ASKED)),
    }
    text = ""
    try:
        for piece in _environment().from_string(pack.ask).generate(words):
            text += piece
            if len(text) > LONGEST_TEXT:
                break
    except Exception as error:  # a stranger's question can fail in any way that Python knows
        raise UsageError(f"The question of {pack.origin!r} fails: {error}.", f"It may use {', '.join(WORDS)}.") from error
    if len(text) > LONGEST_TEXT:
        raise UsageError(f"The question of {pack.origin!r} grows longer than {LONGEST_TEXT} characters.")
    return pack.system.strip(), text.strip()


def example(pack: Pack) -> tuple[str, str]:
    """(what the model is told first, the question) for a class that nobody has in mind. Raises UsageError as `render` does."""
    return render(pack, "crane", rivals=("heron", "stork"), siblings=("heron", "stork", "duck", "rowing boat"), count=6)


def _cleaned(name: str) -> str:
    return clean(name)[:LONGEST_NAME].strip()


def _read(path: Path, name: str, origin: str) -> Pack:
    try:
        found = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"The question pack {str(path)!r} cannot be read: {error}.") from error
    try:
        return _pack(found, name, origin)
    except UsageError as error:
        raise UsageError(f"The question pack {str(path)!r}: {error.message}", error.hint) from error


KINDS: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "version": (int, "a whole number"),
    "form": (str, "a text"),
    "list": (str, "a text"),
    "system": (str, "a text"),
    "ask": (str, "a text"),
    "max_tokens": (int, "a whole number"),
    "temperature": ((int, float), "a number"),
    "schema": (dict, "a table"),
}


def _pack(found: Mapping[str, Any], name: str, origin: str) -> Pack:
    """A pack from what its file holds. Raises UsageError that says which key is wrong."""
    for key, (kind, wanted) in KINDS.items():
        if key not in found:
            raise UsageError(f"`{key}` is missing; {wanted} was expected.", "Compare: promptlab questions show contrast --json")
        if not isinstance(found[key], kind) or isinstance(found[key], bool):
            raise UsageError(f"`{key}` is {str(found[key])[:100]!r}; {wanted} was expected.")
    strange = sorted(set(found) - set(KINDS) - {"about"})
    if strange:
        raise unknown_name("key of a question pack", strange[0], [*KINDS, "about"])
    for key, least, most in (("version", 1, 10**6), ("max_tokens", 1, 4000), ("temperature", 0, 2)):
        if not least <= found[key] <= most:
            raise UsageError(f"`{key}` is {found[key]}; {least} to {most} was expected.")
    if found["form"] not in tuple(Form):
        raise unknown_name("form", found["form"], tuple(Form))
    _check_question(found["system"], found["ask"])
    _check_schema(found["schema"], found["list"])
    ours = {key: found[key] for key in ("version", "system", "ask", "schema", "max_tokens")}
    rest = {"list_of": found["list"], "form": Form(found["form"]), "temperature": float(found["temperature"])}
    return Pack(name, about=str(found.get("about", "")), origin=origin, **ours, **rest)


def _check_question(system: str, ask: str) -> None:
    """Raises UsageError for a question that cannot be read, or does what questions may not."""
    for key, text in (("system", system), ("ask", ask)):
        if len(text) > LONGEST_SOURCE:
            raise UsageError(f"`{key}` has {len(text)} characters; at most {LONGEST_SOURCE} are allowed.")
    try:
        tree = _environment().parse(ask)
    except (TemplateSyntaxError, RecursionError) as error:
        raise UsageError(f"`ask` cannot be read: {error}.") from error
    refused = next((what for node in tree.find_all(nodes.Node) if (what := _refused(node))), "")
    if refused:
        raise UsageError(f"`ask` uses {refused}, which questions may not.", f"Allowed: {', '.join(WORDS)}, if, for, and filters.")
    _check_known("filter", {node.name for node in tree.find_all(nodes.Filter)}, _environment().filters)
    _check_known("word for questions", _undeclared(tree), WORDS)
    if not any(node.name == "name" for node in tree.find_all(nodes.Name)):
        raise UsageError("`ask` has no place for the class name.", "Write {{ name }} where the name goes.")


def _check_known(kind: str, used: set[str], known: Iterable[str]) -> None:
    if used - set(known):
        raise unknown_name(kind, min(used - set(known)), known)


def _undeclared(tree: nodes.Template) -> set[str]:
    """The words that a question uses and does not make itself."""
    try:
        return meta.find_undeclared_variables(tree)
    except (TemplateSyntaxError, RecursionError) as error:
        raise UsageError(f"`ask` cannot be read: {error}.") from error


def _refused(node: nodes.Node) -> str:
    """What a node does that questions may not; empty when it may. A loop in a loop in a loop over 40 names would not end."""
    if isinstance(node, nodes.For) and (node.recursive or next(node.find_all(nodes.For), None)):
        return "a loop within a loop"
    return "" if isinstance(node, ALLOWED) else re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).lower()


def _check_schema(schema: Mapping[str, Any], list_of: str) -> None:
    """Raises UsageError for a schema that asks for no list of texts under that key."""
    properties = schema.get("properties")
    texts = properties.get(list_of) if isinstance(properties, dict) else None
    items = texts.get("items") if isinstance(texts, dict) and texts.get("type") == "array" else None
    if schema.get("type") != "object" or not isinstance(items, dict) or items.get("type") != "string":
        raise UsageError(
            f"`schema` asks for no list of texts under {list_of!r}.",
            f'Expected: type = "object" and [schema.properties.{list_of}] with type = "array" and items = {{ type = "string" }}',
        )
    required = schema.get("required")
    if not isinstance(required, list) or list_of not in required:
        raise UsageError(f"`schema` does not require {list_of!r}.", f'Expected: required = ["{list_of}"]')
    try:
        json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"`schema` holds what JSON cannot: {error}.", "Dates and infinite numbers have no place there.") from error
