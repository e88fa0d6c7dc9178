"""Write what the docs take from the program itself, or check that it is there.

python docs/write.py            write docs/cli.md from the parser
python docs/write.py --check    fail if docs/cli.md is not what the parser says, or a page links to nothing
python docs/write.py --demo     run `promptlab demo` and put its real output into README.md
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from promptlab.cli.main import cli

ROOT = Path(__file__).parents[1]
CLI = ROOT / "docs" / "cli.md"
README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- demo -->\n```text\n).*?(\n```\n<!-- /demo -->)", re.S)
HEAD = """# The command line

Written by `docs/write.py` from the program's own help. Results go to stdout, everything else to stderr. Exit codes: 0 fine, 1 failed,
2 usage or settings, 3 plugin fault, 4 not in the cache while offline, 130 cancelled.
"""


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


def reference() -> str:
    """docs/cli.md as it should be."""
    return HEAD + "".join(f"\n## {path}\n\n```text\n{text}\n```\n" for path, text in commands(cli, "promptlab"))


def dead_links() -> list[str]:
    """Links in pages of ours that lead to no file."""
    pages = [README, *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "plugins").rglob("*.md"))]
    found = []
    for page in pages:
        targets = [t for t in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")) if "://" not in t]
        found += [f"{page.relative_to(ROOT)}: {target}" for target in targets if not (page.parent / target).exists()]
    return found


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
        wrong = dead_links() + ([] if CLI.read_text("utf-8") == reference() else ["docs/cli.md is stale: run `make format`"])
        print("\n".join(wrong) or "docs: in step with the program")
        return 1 if wrong else 0
    if "--demo" in sys.argv:
        output = demo_output()
        README.write_text(BLOCK.sub(lambda m: m[1] + output + m[2], README.read_text("utf-8")), "utf-8")
        return 0
    CLI.write_text(reference(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
