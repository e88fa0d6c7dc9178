import ast
import importlib.metadata
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import promptlab_demo
from promptlab.cli import diagnostics
from promptlab.cli.main import cli
from promptlab.lab import Lab
from promptlab.types import Dataset, Features

PACKAGE = Path(promptlab_demo.__file__).parent


@pytest.fixture
def everyday(lab: Lab) -> Dataset:
    """The embedded data set."""
    return lab.open("everyday")


def features(dataset: Dataset) -> Features:
    part = dataset.splits["all"]
    assert isinstance(part, Features)
    return part


def test_the_plugin_is_found_by_its_entry_point(lab: Lab) -> None:
    assert [entry.value for entry in importlib.metadata.entry_points(group="promptlab", name="demo")] == ["promptlab_demo"]
    assert lab.models["mini"][1] == lab.sources["everyday"][1] == "demo"


def test_without_plugins_neither_is_there() -> None:
    lab = Lab(plugins=False)
    assert "mini" not in lab.models
    assert "everyday" not in lab.sources


def test_mini_is_an_alias_for_a_folder_that_is_there(lab: Lab) -> None:
    alias = lab.models["mini"].thing
    assert alias.target == f"local-dir:{PACKAGE / 'mini'}"
    assert {"open_clip_config.json", "open_clip_model.safetensors"} <= {path.name for path in (PACKAGE / "mini").iterdir()}
    assert "not CLIP" in alias.about


def test_everyday_has_2020_half_precision_vectors_of_101_classes(everyday: Dataset) -> None:
    x = features(everyday).x
    assert (x.shape, x.dtype) == ((2020, 384), np.float16)
    assert len(everyday.classes) == 101
    assert everyday.bank is None


def test_every_class_of_everyday_has_20_pictures(everyday: Dataset) -> None:
    labels = features(everyday).labels
    assert labels is not None
    assert np.bincount(labels).tolist() == [20] * 101


def test_everyday_s_vectors_are_unit_rows(everyday: Dataset) -> None:
    norms = np.linalg.norm(np.asarray(features(everyday).x[:], np.float32), axis=1)
    np.testing.assert_allclose(norms, 1, atol=2e-3)


def test_everyday_s_keys_are_distinct_and_names_read_well(everyday: Dataset) -> None:
    assert len(set(features(everyday).keys)) == 2020
    assert not [title for title in everyday.classes.titles if "_" in title or title != title.strip()]


def test_everyday_was_made_with_mini(everyday: Dataset, lab: Lab) -> None:
    assert everyday.encoder == "mini"
    assert features(everyday).encoder == lab.encoder("mini").fingerprint


def test_everyday_s_vectors_are_those_that_mini_makes_now(everyday: Dataset, lab: Lab, shared: Path) -> None:
    from promptlab.data.imagefolder import some_pictures

    part = features(everyday)
    rows = np.linspace(0, 2019, 12).astype(int)
    paths = [shared / "data" / "caltech101" / part.keys[i] for i in rows]
    if not all(path.is_file() for path in paths):
        pytest.skip("keys are no paths below caltech101")
    x, bad = lab.encoder("mini").encode_images(some_pictures([str(path) for path in paths]), range(12))
    assert not bad
    assert ((x * np.asarray(part.x[rows], np.float32)).sum(1) > 0.999).all()


def test_the_plugin_stands_on_the_public_names_alone() -> None:
    imported = set()
    for module in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            if isinstance(node, ast.ImportFrom):
                imported.add(node.module)
    assert imported <= {"collections.abc", "contextlib", "pathlib", "numpy", "promptlab"}
    assert "promptlab" in imported


def test_the_package_ships_its_licences() -> None:
    home = PACKAGE.parent
    assert (home / "NOTICE").is_file()
    assert list((home / "LICENSES").iterdir())


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What `promptlab demo --json --quiet` says, called once."""
    import contextlib
    import io
    import json

    folder = tmp_path_factory.mktemp("demo")
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.chdir(folder):
        arguments = ["demo", "--json", "--quiet", "--cache", str(folder / "cache")]
        code = diagnostics.guarded(lambda: cli.main(arguments, standalone_mode=False))
    assert code == 0, err.getvalue()
    assert err.getvalue() == ""
    return json.loads(out.getvalue())


def test_the_demo_judges_everyday(demo: Any) -> None:
    assert demo["data"]["name"] == "everyday"
    assert 0.4 < demo["baseline"]["accuracy"] < 0.7
    assert demo["baseline"]["zeros"] > 10


def test_the_demo_improves_on_its_baseline(demo: Any) -> None:
    assert demo["method"]["kept"] is True
    assert demo["difference"]["interval"][0] > 0
    assert demo["result"]["zeros"] < demo["baseline"]["zeros"]


def test_the_demo_classifies_photographs(demo: Any) -> None:
    assert len(demo["photographs"]) >= 6
    assert all(guess["top"] for guess in demo["photographs"])


def test_every_class_has_a_kept_reply_to_the_demo_s_question() -> None:
    from promptlab import Lab, Settings
    from promptlab.describing import Wanted

    everyone = Wanted(worst=101, pack="features", count=3)
    asked, endpoint, estimate = Lab(Settings.load({"llm": "demo", "templates": ("plain",)})).would_ask("everyday", everyone)
    assert (len(asked), estimate.questions, estimate.kept) == (101, 101, 101)
    assert (endpoint.provider, endpoint.base_url) == ("demo", "")


def test_the_kept_replies_say_who_wrote_them_and_hold_the_phrases_that_were_written() -> None:
    written = json.loads((PACKAGE.parent / "build" / "phrases.json").read_text("utf-8"))
    kept = [json.loads(path.read_text("utf-8")) for path in (PACKAGE / "replies" / "demo").glob("*.json")]
    assert {entry["reply"]["model"] for entry in kept} == {"Claude"}
    assert sorted(json.loads(entry["reply"]["text"])["phrases"] for entry in kept) == sorted(written.values())
