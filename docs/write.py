"""Write what the docs take from the program itself, or check that it is there.

python docs/write.py            write cli.md, settings.md, lab.md, values.md, errors.md, the keys in tui.md and the hooks in plugins.md
python docs/write.py --check    fail if one of them is not what the program says, or a page links to nothing
python docs/write.py --demo     run `promptlab demo` and put its real output into README.md
"""

import ast
import inspect
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import click

from promptlab import config, errors, events, hookspecs, protocols
from promptlab.cli.main import cli
from promptlab.lab import Lab
from promptlab.score import states
from promptlab.tui.places import every_command
from promptlab.types import captions, data, prompts, results

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- demo -->\n```text\n).*?(\n?```\n<!-- /demo -->)", re.S)
TUI = DOCS / "tui.md"
KEYS = re.compile(r"(<!-- keys -->\n).*?(<!-- /keys -->)", re.S)
PLUGINS = DOCS / "plugins.md"
HOOKS = re.compile(r"(<!-- hooks -->\n).*?(<!-- /hooks -->)", re.S)
SHAPES = re.compile(r"(<!-- shapes -->\n).*?(<!-- /shapes -->)", re.S)
WRITTEN = "Written by `docs/write.py` from the program."


def commands(command: click.Command, path: str, parent: click.Context | None = None) -> list[tuple[str, str]]:
    """(path, help) of a command and all below it."""
    settings = {**command.context_settings, "terminal_width": 100}
    context = click.Context(command, info_name=path.rpartition(" ")[2], parent=parent, **settings)
    found = [(path, command.get_help(context))]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            found += commands(below, f"{path} {name}", context)
    return found


def cli_page() -> str:
    """Every command's help."""
    head = (
        f"# The command line\n\n{WRITTEN} Results go to stdout, everything else to stderr. Exit codes: 0 fine, 1 failed,\n"
        "2 usage or settings, 3 plugin fault, 4 not in the cache while offline, 130 cancelled. Ctrl-C once stops at the next batch and \n"
        "keeps what is done, twice stops at once. When stderr is no terminal, progress, notes and warnings come as JSON lines, one\n"
        "object with `event` each; an error is always text: a line `Error: ...`, then one with what to do. `--debug` shows a traceback.\n\n"
        'Shell completion: `eval "$(_PROMPTLAB_COMPLETE=bash_source promptlab)"` (or `zsh_source`, `fish_source`).\n'
    )
    return head + "".join(f"\n## {path}\n\n```text\n{text}\n```\n" for path, text in commands(cli, "promptlab"))


def tui_page() -> str:
    """The page on the terminal UI with its table of commands."""
    rows = "".join(
        f"| `{one.id}` | {' '.join(f'`{key}`' for key in one.key.split(','))} | {one.about} | {f'`{one.twin}`' if one.twin else ''} |\n"
        for one in every_command()
    )
    head = "| command | keys | does | on the command line |\n| --- | --- | --- | --- |\n"
    return KEYS.sub(lambda m: f"{m[1]}{head}{rows}{m[2]}", TUI.read_text("utf-8"))


def settings_page() -> str:
    """Every setting."""
    head = (
        f"# Settings\n\n{WRITTEN} Flags go before the environment, the environment before `promptlab.toml` in the current folder,\n"
        "that before the default. `promptlab init` writes a commented file, `promptlab doctor` shows where each value came from.\n"
        f"A project file may not set {' or '.join(f'`{n}`' for n in config.NOT_FROM_FILE)}, nor put runs outside of its folder;\n"
        f"{', '.join(f'`{n}`' for n in config.NEEDS_TRUST)} it may set once you said `promptlab trust` to it.\n\n"
        "Three variables are no settings: `PROMPTLAB_CONFIG` is the folder of keys and of trusted files (default: the user's own),\n"
        "`PROMPTLAB_API_KEY` is a key for the host of `PROMPTLAB_BASE_URL` alone. `OPENAI_API_KEY` goes to api.openai.com alone.\n"
        f"`PROMPTLAB_PICTURES` is how the terminal UI draws pictures: one of {', '.join(f'`{value}`' for value in config.PICTURES)}.\n\n"
        f'A table `[{config.KEYS}]` at the end of `promptlab.toml` changes keys of the terminal UI: `quit = "q,ctrl+q"` there gives\n'
        "`quit` these two keys. The names are those that the UI's help shows.\n\n"
        "| setting | environment | default | meaning |\n| --- | --- | --- | --- |\n"
    )
    said = config.meanings()
    rows = [f"| `{n}` | `PROMPTLAB_{n.upper()}` | `{v!r}` | {said[n]} |" for n, v in config.defaults().items()]
    return head + "\n".join(rows) + "\n"


def fields_of(module: ModuleType, only: Sequence[str] | None = None) -> str:
    """Each dataclass of a module, or those classes that are named, with fields, methods and what they mean."""
    nodes = {node.name: node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.ClassDef)}
    is_data = [name for name, node in nodes.items() if any("dataclass" in ast.unparse(d) for d in node.decorator_list)]
    return "\n".join(line for name in (is_data if only is None else only) for line in _lines_of(nodes[name], only is not None)) + "\n"


def _lines_of(node: ast.ClassDef, methods: bool) -> Iterator[str]:
    """Heading, docstring, then a line for each field, and each method where they are wanted."""
    yield f"\n### {node.name}\n\n{' '.join((ast.get_docstring(node) or '').split())}\n"
    for member, after in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(member, ast.AnnAssign) and isinstance(after, ast.Expr):
            meaning = " ".join(ast.literal_eval(after.value).split())
            yield f"- `{ast.unparse(member.target)}`: `{ast.unparse(member.annotation)}`. {meaning}"
        elif isinstance(member, ast.Assign) and isinstance(after, ast.Expr):
            meaning = " ".join(ast.literal_eval(after.value).split())
            yield f"- `{ast.unparse(member.targets[0])}`: `{ast.unparse(member.value)}`. {meaning}"
        elif methods and isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
            meaning = " ".join((ast.get_docstring(member) or "").split())
            given = re.sub(r"^self(, )?", "", ast.unparse(member.args))
            made = f" -> {ast.unparse(member.returns)}" if member.returns else ""
            kind = any("property" in ast.unparse(d) for d in member.decorator_list)
            yield f"- `{member.name}{made.replace(' -> ', ': ') if kind else f'({given}){made}'}`. {meaning}"


def hooks() -> str:
    """Every hook: its signature, and what its docstring says."""
    parts = []
    for node in ast.parse(inspect.getsource(hookspecs)).body:
        if isinstance(node, ast.FunctionDef):
            signature = f"def {node.name}({ast.unparse(node.args)}) -> {ast.unparse(node.returns)}"  # type: ignore[arg-type]
            parts.append(f"### {node.name}\n\n```text\n{signature}\n```\n\n{ast.get_docstring(node)}\n")
    return "\n".join(parts)


# Of each module the classes that a plugin's author meets, in the order in which they do.
MET: dict[ModuleType, tuple[str, ...]] = {
    protocols: (
        "DatasetSource",
        "DataOptions",
        "Rule",
        "Unit",
        "Contest",
        "State",
        "Analysis",
        "Judged",
        "ModelAlias",
        "Encoder",
        "ChatAlias",
        "Endpoint",
    ),
    states: ("Setting",),
    events: ("Started", "Progressed", "Noted", "Saved", "Finished", "Answered", "Cancelled"),
}


def plugins_page() -> str:
    """The page on plugins with its reference."""
    met = "".join(fields_of(module, names) for module, names in MET.items()).lstrip("\n")
    page = HOOKS.sub(lambda m: f"{m[1]}{hooks()}{m[2]}", PLUGINS.read_text("utf-8"))
    return SHAPES.sub(lambda m: f"{m[1]}{met}{m[2]}", page)


def values_page() -> str:
    """Every value that flows through promptlab."""
    head = f"# Values\n\n{WRITTEN} Frozen dataclasses over numpy; their shapes are checked when they are made.\n\n"
    alphabet = "N images · C classes · K prompt families · P texts · D embedding width · B images in a batch · M captions to choose from.\n"
    given = "".join(map(fields_of, (prompts, data, captions)))
    return f"{head}{alphabet}\n## What goes in\n{given}\n## What comes out\n{fields_of(results)}"


def lab_page() -> str:
    """Every public method of Lab."""
    rows = []
    for name, member in sorted((n, m) for kind in Lab.__mro__[:-1] for n, m in vars(kind).items() if not n.startswith("_")):
        inner = getattr(member, "func", getattr(member, "__func__", member))  # of cached properties, of static methods
        signature = re.sub(r"\(self(, )?", "(", re.sub(r"'(\w[^']*)'", r"\1", str(inspect.signature(inner)))) if callable(inner) else ""
        signature = re.sub(r"<function (\w+) at 0x\w+>", r"\1", signature)  # where it lies in memory is no part of it
        short = re.sub(r"(?:\w+\.)+(\w+)", r"\1", signature if callable(member) or isinstance(member, staticmethod) else "")
        rows.append(f"- **`{name}{short}`** {(inspect.getdoc(inner) or '').splitlines()[0]}")
    head = (
        "`Lab(settings, listen, plugins=True)` does what the commands do. Take `Settings.load({...})` for the settings; all have defaults."
    )
    return f"# Lab\n\n{WRITTEN} {head}\n\n" + "\n".join(rows) + "\n"


def errors_page() -> str:
    """The error tree."""
    tree = inspect.getdoc(errors) or ""
    return f"# Errors\n\n{WRITTEN} Each has a `.message` and a `.hint` that says what to do.\n\n```text\n{tree}\n```\n"


PAGES = {
    "cli.md": cli_page,
    "settings.md": settings_page,
    "lab.md": lab_page,
    "values.md": values_page,
    "errors.md": errors_page,
    "tui.md": tui_page,
    "plugins.md": plugins_page,
}


def dead_links() -> list[str]:
    """Links in pages of ours that lead to no file."""
    pages = [README, *sorted(DOCS.rglob("*.md")), *sorted((ROOT / "plugins").rglob("*.md"))]
    found = []
    for page in pages:
        targets = [t for t in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")) if "://" not in t]
        found += [f"{page.relative_to(ROOT)}: {target}" for target in targets if not (page.parent / target).exists()]
    return found


def stale() -> list[str]:
    """Pages that are not what the program says."""
    there = {name: (DOCS / name).read_text("utf-8") if (DOCS / name).is_file() else "" for name in PAGES}
    return [f"docs/{name} is stale: run `make format`" for name, page in PAGES.items() if there[name] != page()]


def demo_output() -> str:
    """What `promptlab demo` prints, 100 columns wide."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "COLUMNS": "100", "PROMPTLAB_CACHE": f"{folder}/cache"}
        command = [str(Path(sys.executable).parent / "promptlab"), "demo", "--quiet"]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def main() -> int:
    """Do what the flag says; gives back the exit code."""
    if "--check" in sys.argv:
        wrong = dead_links() + stale()
        print("\n".join(wrong) or "docs: in step with the program")
        return 1 if wrong else 0
    if "--demo" in sys.argv:
        output = demo_output()
        README.write_text(BLOCK.sub(lambda m: m[1] + output + "\n" + m[2].lstrip("\n"), README.read_text("utf-8")), "utf-8")
        return 0
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
