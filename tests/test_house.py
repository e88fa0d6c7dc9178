"""The house rules that can be counted. The lists of exceptions start empty; whoever adds to them says why."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "promptlab"
MODULES = sorted(HOUSE.rglob("*.py"))
TOO_LONG: dict[str, str] = {}
BANNED = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}


def name_of(module: Path) -> str:
    return module.relative_to(HOUSE).as_posix()


def functions(module: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{name_of(module)}:{node.name}", node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def test_there_is_a_house() -> None:
    assert len(MODULES) > 30


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_modules_have_at_most_400_lines(module: Path) -> None:
    assert len(module.read_text("utf-8").splitlines()) <= 400 or name_of(module) in TOO_LONG


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_modules_are_nouns_and_say_what_they_are(module: Path) -> None:
    assert module.stem not in BANNED
    assert ast.get_docstring(ast.parse(module.read_text("utf-8"))), "a module begins with a docstring"


def test_functions_have_at_most_60_lines_and_most_of_them_30() -> None:
    sizes = {name: length(node) for module in MODULES for name, node in functions(module)}
    assert not {name: n for name, n in sizes.items() if n > 60}
    assert sum(n <= 30 for n in sizes.values()) >= 0.9 * len(sizes)


def test_methods_of_the_lab_have_at_most_25_lines() -> None:
    long = {name: length(node) for name, node in functions(HOUSE / "lab.py") if length(node) > 25}
    assert not long


def dataclasses(module: Path) -> Iterator[ast.ClassDef]:
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(d) for d in node.decorator_list):
            yield node


def test_every_dataclass_field_says_what_it_is() -> None:
    bare = []
    for module in MODULES:
        for node in dataclasses(module):
            for field, after in zip(node.body, [*node.body[1:], None], strict=True):
                said = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str)
                if isinstance(field, ast.AnnAssign) and not said:
                    bare.append(f"{name_of(module)}:{node.name}.{ast.unparse(field.target)}")
    assert not bare


def test_every_dataclass_is_frozen() -> None:
    open_ones = [
        f"{name_of(module)}:{node.name}"
        for module in MODULES
        for node in dataclasses(module)
        if not any("frozen=True" in ast.unparse(d) for d in node.decorator_list)
    ]
    assert not open_ones


def public(module: Path) -> Iterator[tuple[str, ast.AST]]:
    for node in ast.parse(module.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield f"{name_of(module)}:{node.name}", node


def test_what_is_public_has_a_docstring() -> None:
    silent = [name for module in MODULES for name, node in public(module) if not ast.get_docstring(node)]  # type: ignore[arg-type]
    assert not silent


def test_only_the_command_line_prints() -> None:
    loud = [name_of(m) for m in MODULES if "cli" not in m.parts and re.search(r"^\s*print\(", m.read_text("utf-8"), re.M)]
    assert not loud


def test_broad_excepts_say_whom_they_guard_against() -> None:
    broad = re.compile(r"\s*except( Exception\b|:)")
    lines = [f"{name_of(m)}: {line}" for m in MODULES for line in m.read_text("utf-8").splitlines() if broad.match(line)]
    assert lines
    assert not [line for line in lines if "  # " not in line]


def test_unit_rows_are_made_in_one_place() -> None:
    pattern = re.compile(r"linalg\.norm|\.norm\(dim|F\.normalize")
    assert not [name_of(m) for m in MODULES if pattern.search(m.read_text("utf-8"))]


def test_time_and_environment_are_read_only_where_they_may_be() -> None:
    # keys.py reads the variables that hold keys, llm/clock.py is the clock that asking is given; plugins are timed, so that a slow one is
    # told; encode/pipeline.py times how long a model works and how long it waits, encode/features.py how long a piece takes. Ray is told by
    # the environment alone to keep silent.
    encoding = ("encode/engine.py", "encode/features.py", "encode/pipeline.py")
    allowed = ("config.py", "plugins/", "keys.py", "llm/clock.py", "runs.py", "cli/", *encoding)
    pattern = r"\bos\.environ\b|\btime\.(time|monotonic|perf_counter)\(|datetime\.now\("
    guilty = [name_of(m) for m in MODULES if not name_of(m).startswith(allowed) and re.search(pattern, m.read_text("utf-8"))]
    assert guilty == []
