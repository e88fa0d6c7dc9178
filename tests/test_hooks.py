"""Hooks are promises: each is documented with its exact arguments, and implemented by a test. The page's examples run as printed."""

import ast
import hashlib
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

import promptlab
from promptlab import Classes, Dataset, Images, Lab, Settings, hookspecs
from promptlab.events import ignore
from promptlab.llm.cache import Replies
from promptlab.llm.chat import ask
from promptlab.llm.question import Limits, Question
from promptlab.testing import FakeChat, check_dataset, check_encoder, check_rule

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "plugins.md"
HOOKS = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("promptlab_")}
EXAMPLES = {
    name: code
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    for name in re.findall(r"\A# (\w+)\.py\n", code)
}
AT_MOST = {"labelled": 30, "shortfall": 10}


def implemented(code: str) -> set[str]:
    """The hooks that a piece of code implements."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return set()
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {f.name for f in functions if any(ast.unparse(d).endswith("hookimpl") for d in f.decorator_list)}


def written_plugins() -> Iterator[str]:
    """The plugins that tests write: those of the page, and texts in the tests."""
    yield from EXAMPLES.values()
    for file in (ROOT / "tests").rglob("*.py"):
        yield file.read_text("utf-8")
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "hookimpl" in node.value:
                yield node.value


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_has_a_heading_and_its_exact_arguments(name: str) -> None:
    page, tree = PAGE.read_text("utf-8"), ast.parse(inspect.getsource(hookspecs))
    (node,) = (one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == name)
    assert node.returns is not None
    part = page.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
    assert f"def {name}({ast.unparse(node.args)}) -> {ast.unparse(node.returns)}\n" in part
    assert (inspect.getdoc(HOOKS[name]) or "").splitlines()[0] in part


@pytest.mark.parametrize("name", HOOKS)
def test_a_test_implements_every_hook(name: str) -> None:
    assert any(name in implemented(code) for code in written_plugins())


def test_what_a_plugin_needs_is_public() -> None:
    used = {name for code in EXAMPLES.values() for line in re.findall(r"from promptlab import (.+)", code) for name in line.split(", ")}
    assert used <= set(promptlab.__all__)
    for name in ("protocols", "events"):
        page = PAGE.read_text("utf-8")
        module = sys.modules[f"promptlab.{name}"]
        classes = {n for n, made in vars(module).items() if inspect.isclass(made) and made.__module__ == module.__name__}
        assert not [one for one in classes if one not in promptlab.__all__ or f"\n### {one}\n" not in page]


@pytest.mark.parametrize("name", AT_MOST)
def test_examples_are_as_short_as_the_page_says(name: str) -> None:
    # As people count lines of a program: not empty ones, nor the one with the file's name.
    assert sum(bool(line.strip()) for line in EXAMPLES[name].splitlines()) - 1 <= AT_MOST[name]


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's plugins in a folder, as it says."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, code in EXAMPLES.items():
        (folder / f"{name}.py").write_text(code, "utf-8")
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if name in EXAMPLES:
            del sys.modules[name]


def module(name: str) -> ModuleType:
    return __import__(name)


def test_the_page_s_test_passes(mine: Path, tmp_path: Path) -> None:
    test = module("test_mine")
    test.test_labelled(tmp_path / "data")
    test.test_rules()
    test.test_confident()
    for alias in module("light").promptlab_encoders():
        check_encoder(alias)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Dark and bright pictures as `labelled.py` expects them, two of them under the wrong name."""
    root, labels = tmp_path / "night-and-day", {}
    (root / "images").mkdir(parents=True)
    for i in range(24):
        light = 20 + 200 * (i % 2)
        Image.fromarray(np.full((8, 8, 3), light + i // 2 % 7, np.uint8)).save(root / "images" / f"{i:02d}.png")
        labels[f"{i:02d}.png"] = "bright sky" if (i % 2) != (i in (4, 5, 6, 7)) else "dark sky"
    (root / "labels.json").write_text(json.dumps(labels))
    return root


def test_the_page_s_plugins_work_together(mine: Path, data: Path, tmp_path: Path) -> None:
    settings = {"plugins_dir": str(mine), "strict_plugins": True, "load_plugins": tuple(name for name in EXAMPLES if name != "test_mine")}
    lab = Lab(Settings.load({**settings, "model": "light", "templates": ("plain",), "weights": "shortfall"}))
    result = lab.run(str(data))
    assert result.summary["data"]["name"] == "night-and-day"
    assert result.summary["result"]["accuracy"] < 1
    finding = next(one for one in result.summary["findings"] if one["name"] == "confident")
    assert finding["rows"][0][1:3] in (("dark sky", "bright sky"), ("bright sky", "dark sky"))
    version = hashlib.sha256((mine / "labelled.py").read_bytes()).hexdigest()[:8]
    assert result.summary["data"]["by"] == f"labelled {version}"
    assert result.summary["method"]["by"].startswith("shortfall ")
    assert (result.run.path.parent / "diary.txt").read_text().strip().endswith("report.html")


def test_the_page_s_language_model_is_asked(mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab, chat = Lab(Settings.load({"plugins_dir": str(mine)})), FakeChat(['{"said": "a barn"}'])
    one = Question("barn", "You see well.", "What is red?", {"type": "object"}, 50, 0.0, lambda text: "")
    with chat.open() as server:
        monkeypatch.setenv("OUR_SERVER", server.base_url)
        with lab.chats["ours"].thing.open("") as endpoint:
            (reply,) = ask([one], endpoint, Replies(tmp_path / "replies"), Limits(), ignore)
    assert (reply.text, endpoint.provider, endpoint.model) == ('{"said": "a barn"}', "ours", "default-model")  # type: ignore[union-attr]


def test_the_page_s_two_splits_are_as_it_says() -> None:
    (code,) = (one for one in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S) if not one.startswith("# "))

    def images(split: str, keys: list[str]) -> Images:
        return Images(split, tuple(keys), tuple(keys), np.zeros(len(keys), int), str.encode)

    labels = {"test/a": "owl", "train/a": "owl", "train/b": "", "train/c": "owl"}
    scope = {"Dataset": Dataset, "images": images, "classes": Classes.of(["owl"]), "name": "owls", "labels": labels, "keys": [*labels, "x"]}
    exec(compile("def opened():\n" + textwrap.indent(code, "    "), "plugins.md", "exec"), scope)
    made = scope["opened"]()  # type: ignore[operator]
    assert {split: part.keys for split, part in made.splits.items()} == {"tune": ("train/a", "train/c"), "eval": ("test/a",)}
    assert made.notes == ("2 pictures without a label are left out.",)


def test_faults_of_the_page_s_source_are_told(mine: Path, tmp_path: Path) -> None:
    for said in ("no JSON", "3"):
        (tmp_path / "labels.json").write_text(said)
        with pytest.raises(AssertionError, match=r"open.. raised DataError: .*labels\.json names no pictures"):
            check_dataset(module("labelled").Labelled(), tmp_path)


def test_ours_pass_the_checks_that_the_page_tells_of(lab: Lab) -> None:
    for name in ("cmm", "f1"):
        check_rule(lab.rules[name])
    assert check_dataset(lab.sources["everyday"].thing, "everyday").encoder == "mini"
