"""Lists: one thing a line, JSON lists, the lists in Python files, and lines with the task that they are for."""

import ast
import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from promptlab.errors import UsageError
from promptlab.prompts.exchange.imported import Imported, Kind
from promptlab.prompts.templates import SLOT

TASK = re.compile(r"(\w+):(?=\S)(.*)", re.S)  # `gender:a photo of a {c}`
HEADING = re.compile(r"#+\s+(.+)")
FENCE = "```"


def slotted(text: str) -> bool:
    """Whether a text has a place for a class name."""
    return bool(SLOT.search(text)) or "{{" in text or "{%" in text


def lines(content: str) -> list[tuple[int, str]]:
    """(number, line) of the lines that say something; one that begins with # and is no template is a comment."""
    numbered = ((n, line.rstrip("\r")) for n, line in enumerate(content.removeprefix("\ufeff").split("\n"), 1))
    return [(n, line) for n, line in numbered if line.strip() and (not line.startswith("#") or slotted(line))]


def plain(found: Any, name: str, format_: str = "list", notes: tuple[str, ...] = ()) -> Imported:
    """A list of templates when any has a place for a name, else of class names in label order, each one name or a list of synonyms.
    Raises UsageError for anything else."""
    if not isinstance(found, Sequence) or isinstance(found, str) or not found:
        raise UsageError(f"{name!r} holds no list of texts.", 'Expected one text a line, or a JSON list: ["a photo of a {}."]')
    if all(isinstance(one, str) for one in found) and any(map(slotted, found)):
        return Imported(format_, Kind.TEMPLATES, templates=tuple(found), notes=notes)
    names = [names_of(one) for one in found]
    wrong = next((one for one, those in zip(found, names, strict=True) if not those), None)
    if wrong is not None or not all(names):
        raise UsageError(f"{name!r} holds {str(wrong)[:60]!r}; a class name, or a list of names, was expected.")
    return Imported(format_, Kind.NAMES, at=dict(enumerate(names)), notes=notes)


def names_of(found: Any) -> tuple[str, ...]:
    """The names of one class: a text, or a list of texts; none for anything else."""
    if isinstance(found, str):
        return (found,)
    if isinstance(found, Sequence) and all(isinstance(one, str) for one in found):
        return tuple(found)
    return ()


def by_task(content: str, key: str, name: str) -> Imported:
    """The templates of one task, of lines `TASK:TEMPLATE`. Raises UsageError for other lines, and where several tasks are there and none
    is named."""
    found: dict[str, list[str]] = {}
    for number, line in lines(content):
        task = TASK.fullmatch(line)
        if task is None:
            raise UsageError(f"{name!r}, line {number}, is no TASK:TEMPLATE: {line[:60]!r}.", "Expected: gender:a photo of a {c}")
        found.setdefault(task[1], []).append(task[2])
    if not found or ((key or len(found) > 1) and key not in found):
        said = f"no task {key!r}" if key else f"{len(found)} tasks"
        raise UsageError(f"{name!r} holds {said}.", f"Name one with --key. There are: {', '.join(found) or 'none'}.")
    task_ = key or next(iter(found))
    return Imported("datacomp", Kind.TEMPLATES, templates=tuple(found[task_]), notes=(f"Of the task {task_!r}.",))


def looks_by_task(content: str, key: str) -> bool:
    """Whether every line is a template after a task, and there are several tasks, or the one that `key` names: `art:{}` is a template."""
    found = [task for _, line in lines(content) if (task := TASK.fullmatch(line)) is not None and slotted(task[2])]
    tasks = {task[1] for task in found}
    return len(found) == len(lines(content)) and (len(tasks) > 1 or tasks == {key})


# -- Python -----------------------------------------------------------------------------------------------------------------------------


def in_python(content: str, name: str) -> tuple[dict[str, Any], set[str]]:
    """({variable, after the heading over it: list} of the lists in a .py, .md or .ipynb file, those of which the file says more later, so
    that nobody knows what they hold); nothing of it is run. Raises UsageError when there is none."""
    found, whose, changed = dict[str, Any](), dict[str, str](), set[str]()
    for heading, code in _code(content, name):
        for variable, those in _assigned(code):
            whole = f"{heading}.{variable}" if heading else variable
            if whole in whose.values():
                changed.add(whole)
            for key, value in those.items():
                full = f"{whole}.{key}" if key else whole
                found[full], whose[full] = value, whole
    if not found:
        raise UsageError(
            f"{name!r} holds no list that can be read without running it.", 'Expected: templates = ["a photo of a {}."], words alone.'
        )
    return found, {one for one, whole in whose.items() if whole in changed}


def _code(content: str, name: str) -> Iterator[tuple[str, str]]:
    """(heading, Python) of a file: all of a .py, the fenced blocks of a .md, the cells of a notebook."""
    suffix = name.lower().rpartition(".")[2]
    if suffix == "ipynb":
        yield from (("", cell) for cell in _cells(content, name))
    elif suffix == "md":
        yield from _fenced(content)
    else:
        yield "", content


def _cells(content: str, name: str) -> Iterator[str]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name!r} is no notebook: {error}.") from error
    cells = found.get("cells") if isinstance(found, Mapping) else None
    for cell in cells if isinstance(cells, list) else ():
        source = cell.get("source") if isinstance(cell, Mapping) and cell.get("cell_type") == "code" else None
        if names_of(source):
            yield "".join(names_of(source))


def _fenced(content: str) -> Iterator[tuple[str, str]]:
    heading, block, inside = "", list[str](), False
    for line in content.splitlines():
        if line.lstrip().startswith(FENCE):
            if inside:
                yield heading, "\n".join(block)
            block, inside = [], not inside
        elif inside:
            block.append(line)
        elif title := HEADING.fullmatch(line.strip()):
            heading = title[1]
    if inside:
        yield heading, "\n".join(block)


def _assigned(code: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(variable, {key: list}) of whatever Python code does to a variable: a list of texts, or of lists of texts, that it writes out has the
    empty key, those in a dict have theirs; anything else has none."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of a stranger's back-slashes
            body = ast.parse(code.lstrip("\ufeff")).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in body:
        for variable in _touched(node):
            yield variable, _written_out(node.value) if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None else {}


def _touched(node: ast.stmt) -> Iterator[str]:
    """The variables that a statement sets or changes: `x = ...`, `x += ...`, `x[0] = ...`, `x.append(...)`."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign | ast.AugAssign):
        targets = [node.target]
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
        targets = [node.value.func.value]
    for target in targets:
        named = target.value if isinstance(target, ast.Subscript) else target
        if isinstance(named, ast.Name):
            yield named.id


def _written_out(value: ast.expr) -> dict[str, Any]:
    try:
        found = ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return {}
    lists = {}
    for key, one in (found if isinstance(found, dict) else {"": found}).items():
        those = [one] if isinstance(one, str) and key else one
        if isinstance(those, list | tuple) and those and all(map(names_of, those)):
            lists[str(key)] = list(those)
    return lists
