"""`promptlab plugins new`: a package that works as it was written."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from promptlab.testing import tiny_pictures

from .conftest import Said
from .test_completion import offered

Call = Callable[..., Said]
ADDS = {"dataset": "promptlab_datasets", "rule": "promptlab_rules", "encoder": "promptlab_encoders"}
ROOT = Path(__file__).parents[2]


@pytest.fixture
def packages(promptlab: Call, tmp_path: Path) -> dict[str, Path]:
    """A package of each kind."""
    made = {kind: promptlab("plugins", "new", f"my_{kind}", "--kind", kind, "--folder", str(tmp_path / "new"), "--json") for kind in ADDS}
    assert {said.code for said in made.values()} == {0}
    return {kind: Path(said.json["folder"]) for kind, said in made.items()}


def test_its_own_tests_pass_as_written(packages: dict[str, Path], tmp_path: Path) -> None:
    config = str(packages["dataset"] / "pyproject.toml")
    tests = [str(folder / "tests") for folder in packages.values()]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *map(str, packages.values())]), "OMP_NUM_THREADS": "1"}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # their import takes longer than the tests
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", config, *tests]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    assert "10 passed" in done.stdout


@pytest.mark.parametrize("kind", ADDS)
def test_it_loads_from_its_folder(kind: str, packages: dict[str, Path], promptlab: Call) -> None:
    folder, module = packages[kind], f"promptlab_my_{kind}"
    (said,) = promptlab("--plugins-dir", str(folder), "--strict-plugins", "plugins", "info", module, "--json").json
    assert (said["state"], said["faults"], said["hooks"]) == ("works", [], {ADDS[kind]: [f"my-{kind}"]})
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    assert (project["name"], project["entry-points"]) == (f"promptlab-my-{kind}", {"promptlab": {f"my-{kind}": module}})
    assert f"promptlab plugins info my-{kind}" in (folder / "README.md").read_text("utf-8")


def test_what_they_add_works_together(packages: dict[str, Path], promptlab: Call, tmp_path: Path) -> None:
    plugins, data = tmp_path / "plugins", tmp_path / "data"
    plugins.mkdir()
    for kind, folder in packages.items():
        (folder / f"promptlab_my_{kind}").rename(plugins / f"promptlab_my_{kind}")
    tiny_pictures(data / "images")
    labels = {file.relative_to(data / "images").as_posix(): file.parent.name for file in (data / "images").rglob("*.*")}
    (data / "labels.json").write_text(json.dumps(labels), "utf-8")
    use = ("--rule", "my-rule", "--rule", "accuracy", "--model", "my-encoder", "--templates", "plain", "--json")
    said = promptlab("--plugins-dir", str(plugins), "score", str(data), *use)
    assert said.json["accuracy"]["value"] == [1.0]
    assert said.json["my-rule"]["value"] == [0.0]
    assert said.json["my-rule"]["by"].startswith("promptlab_my_rule ")


def test_the_next_steps_are_told(promptlab: Call, tmp_path: Path) -> None:
    said = promptlab("plugins", "new", "Promptlab_Bird.Songs", "--folder", str(tmp_path / "a b"))
    place = tmp_path / "a b" / "promptlab-bird-songs"
    assert said.out.startswith(f"Wrote '{place}', a plugin with a dataset: pyproject.toml, ")
    assert said.out.splitlines()[-3:] == [f"  pip install -e '{place}'", f"  pytest '{place}'", "  promptlab plugins info bird-songs"]
    assert (place / "promptlab_bird_songs" / "__init__.py").is_file()
    assert (place / "tests" / "test_bird_songs.py").is_file()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("9x", "A plugin cannot be called '9x'"),
        ("../x", "A plugin cannot be called '../x'"),
        ("vögel", "A plugin cannot be called 'vögel'"),
        ("", "A plugin cannot be called ''"),
        ("x" * 51, "A plugin cannot be called 'xxx"),
        ("{{ 7 }}", "A plugin cannot be called '{{ 7 }}'"),
        ("demo", "'demo' is installed already"),
        ("clip", "'clip' is installed already"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, told: str, promptlab: Call, tmp_path: Path) -> None:
    said = promptlab("plugins", "new", name, "--kind", "rule", "--folder", str(tmp_path / "new"))
    assert said.code == 2
    assert told in said.err
    assert not (tmp_path / "new").exists()


def test_nothing_is_written_over(promptlab: Call, packages: dict[str, Path]) -> None:
    file = packages["rule"] / "promptlab_my_rule" / "__init__.py"
    file.write_text("mine")
    said = promptlab("plugins", "new", "my-rule", "--kind", "rule", "--folder", str(packages["rule"].parent))
    assert (said.code, file.read_text()) == (2, "mine")
    assert "is there already" in said.err


def test_a_folder_that_cannot_be_written_is_told(promptlab: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = promptlab("plugins", "new", "x", "--kind", "rule", "--folder", str(tmp_path / "file"))
    assert said.code == 2
    assert "cannot be written: Not a directory" in said.err


def test_kinds_are_offered() -> None:
    assert offered("plugins", "new", "x", "--kind", "")[0] == set(ADDS)
