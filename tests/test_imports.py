"""What commands import. A linter cannot see a deferred import, so these start real processes and look at sys.modules."""

import json
import subprocess
import sys

import pytest

import promptlab

HEAVY = ("torch", "open_clip", "torchvision", "timm", "textual", "openai", "scipy", "sklearn", "skimage")
COMMANDS = (
    ["--help"],
    ["run", "--help"],
    ["runs"],
    ["datasets"],
    ["models"],
    ["templates"],
    ["questions"],
    ["questions", "show", "contrast"],
    ["plugins", "new", "mine", "--kind", "rule"],
)
CODE = """
import json, sys
from promptlab.cli.main import cli
sys.argv[0] = "promptlab"
try:
    cli.main({arguments!r}, standalone_mode=False)
finally:
    sys.stderr.write("MODULES " + json.dumps(sorted(m for m in sys.modules if "." not in m)))
"""


def modules_after(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "MODULES " in done.stderr, done.stderr
    return set(json.loads(done.stderr.rpartition("MODULES ")[2]))


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_light_commands_import_nothing_heavy(arguments: list[str]) -> None:
    assert not modules_after(CODE.format(arguments=arguments)) & set(HEAVY)


def test_help_imports_not_even_numpy() -> None:
    assert "numpy" not in modules_after(CODE.format(arguments=["--help"]))


def test_importing_promptlab_imports_nothing_heavy() -> None:
    code = "import json, sys, promptlab; sys.stderr.write('MODULES ' + json.dumps(sorted(m for m in sys.modules if '.' not in m)))"
    assert not modules_after(code) & {*HEAVY, "numpy", "click", "pluggy"}


def test_every_public_name_is_there() -> None:
    assert set(promptlab.__all__) == set(promptlab._PLACES)
    assert all(getattr(promptlab, name) is not None for name in promptlab.__all__)


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Labb"):
        _ = promptlab.Labb
