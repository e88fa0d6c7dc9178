"""Prompts, classifiers and results of others, in and out of a run by the command line."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from promptlab import runs
from promptlab.cli import output
from promptlab.config import Settings
from promptlab.prompts.edits import Prompts
from promptlab.prompts.templates import template

from .conftest import Said

Call, Npz = Callable[..., Said], Callable[..., str]


@pytest.fixture
def run(photos: Path) -> Path:
    """A run of the photos that has its prompts and nothing else, so that no model is needed."""
    made = runs.new(Path("runs"), "photos", {"data": str(photos.resolve()), "settings": Settings.load({}).plain()})
    made.save_text("prompts.toml", Prompts((template("a photo of {}."),)).text())
    return made.path.resolve()


def kept(run: Path) -> dict[str, bytes]:
    return {
        name: (run / name).read_bytes() for name in ("prompts.toml", "prompts-edited.toml", "descriptions.jsonl") if (run / name).exists()
    }


def test_each_import_is_one_edit_and_the_prompts_say_it(promptlab: Call, run: Path) -> None:
    Path("t.json").write_text('{"photos": ["{c} paint", "a {c} wall"]}')
    Path("n.json").write_text('["azure", "green leaf", "crimson"]')
    Path("c.json").write_text('{"Red": ["Red is the colour of blood."], "green_leaf": ["Leaves are green."], "blue": ["The sky is blue."]}')
    states = [kept(run)]
    for words in (("t.json",), ("n.json",), ("c.json", "--place", "replace")):
        assert promptlab("prompts", "import", *words, "--dry-run").code == 0
        assert kept(run) == states[-1]
        said = promptlab("prompts", "import", *words, "--json")
        assert said.code == 0, said.err
        states.append(kept(run))
        assert states[-1] != states[-2]
    assert {one["name"]: one["count"] for one in said.json["counts"]} == {"matched": 3, "folded": 1, "texts": 3}
    assert json.loads((run / "descriptions.jsonl").read_text().splitlines()[0])["source"] == "cupl, c.json"
    shown = {row["text"] for row in promptlab("prompts", "show", "red", "--json").json}
    assert shown == {"Red is the colour of blood."}, "in place of the name: the sentences alone"


def test_one_undo_takes_an_import_back(promptlab: Call, run: Path) -> None:
    Path("d.json").write_text('{"red": ["a warm colour", "blood"]}')
    before = kept(run)
    promptlab("prompts", "import", "d.json")
    after = kept(run)
    assert promptlab("prompts", "undo", "--json").json["edit"] == "import 'dclip, d.json'"
    assert kept(run) == before
    assert promptlab("prompts", "redo").code == 0
    assert kept(run) == after
    assert "Nothing changed" in promptlab("prompts", "import", "d.json").out


UNFIT = (
    ('{"red": ["warm."], "mauve": ["pale."]}', "1 of the file's 2 classes are not in the data: 'mauve'"),
    ('["red", "blue", "green leaf"]', "belong elsewhere: 'red' at 0, which the data has at 2"),
    ('["red", "blue"]', "2 class names, the data 3"),
    ('{"a": ["x {}"], "b": ["y {}"]}', "2 entries; which is meant"),
)


def test_what_does_not_fit_changes_nothing(promptlab: Call, run: Path) -> None:
    before = kept(run)
    for content, said in UNFIT:
        Path("x.json").write_text(content)
        found = promptlab("prompts", "import", "x.json")
        assert found.code == 2
        assert said in found.err
        assert kept(run) == before


def test_what_is_exported_can_be_imported(promptlab: Call, run: Path) -> None:
    Path("t.txt").write_text("a photo of a {}.\n")
    promptlab("prompts", "import", "t.txt", "--replace")
    for format_ in ("clip-benchmark", "cupl", "classnames", "list", "tsv"):
        said = promptlab("prompts", "export", "--as", format_, "-o", f"out.{format_}", "--json")
        assert said.code == 0, said.err
        assert Path(f"out.{format_}").read_text() == promptlab("prompts", "export", "--as", format_).out == said.json["text"]
    assert json.loads(Path("out.clip-benchmark").read_text()) == {"photos": ["a photo of a {c}."]}
    assert json.loads(Path("out.classnames").read_text()) == {"photos": ["blue", "green leaf", "red"]}
    said = promptlab("prompts", "import", "out.cupl", "--as", "cupl", "--place", "replace", "--json")
    assert {one["name"]: one["count"] for one in said.json["counts"]} == {"matched": 3, "texts": 3}
    assert promptlab("prompts", "import", "out.clip-benchmark", "--json").json["saved"] is None


def test_an_export_is_the_same_on_stdout_and_in_a_file_and_overwrites_when_told(
    promptlab: Call, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("t.txt").write_text("a \x1b[31m {}\nb \u2028 \x0b {}\n")
    promptlab("prompts", "import", "t.txt", "--replace")
    assert promptlab("prompts", "export", "--as", "list", "-o", "out.txt").code == 0
    written = Path("out.txt").read_text()
    assert promptlab("prompts", "export", "--as", "list").out == written
    Path("out.txt").write_text("mine")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert promptlab("prompts", "export", "--as", "list", "-o", "out.txt").code != 0
    assert Path("out.txt").read_text() == "mine"
    assert promptlab("prompts", "export", "--as", "list", "-o", "out.txt", "--yes").code == 0
    assert Path("out.txt").read_text() == written
    assert "is a directory" in promptlab("prompts", "export", "--as", "list", "-o", ".").err


def test_what_goes_to_a_terminal_is_made_safe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    output.hand_on("a \x1b[31m\u2028\x0b\nb\n")
    assert capsys.readouterr().out == "a \\x1b[31m\\u2028\\x0b\nb\n"


def test_a_classifier_for_other_programs(promptlab: Call, npz: Npz) -> None:
    import torch

    data = npz()
    for name in ("c.safetensors", "c.npz", "c.pt"):
        assert promptlab("build", data, "--weights", "uniform", "-o", name).code == 0
    tensor, arrays = torch.load("c.pt", weights_only=True), np.load("c.npz")
    assert (type(tensor), tensor.dtype, tuple(tensor.shape)) == (torch.Tensor, torch.float32, (8, 3))
    np.testing.assert_allclose(tensor.norm(dim=0), 1, atol=1e-6)
    np.testing.assert_array_equal(tensor.numpy().T, arrays["weight"])
    assert arrays["classes"].tolist() == ["thing 0", "thing 1", "thing 2"]
    assert json.loads(str(arrays["metadata"]))["lineage"]["how"] == "uniform"
    said = promptlab("build", data, "--debias", "balance", "-o", "d.pt")
    assert (said.code, Path("d.pt").exists()) == (2, False)
    assert "--debias none" in said.err
    assert ".onnx" in promptlab("build", data, "-o", "c.onnx").err


def test_a_run_is_exported_with_other_classifiers(promptlab: Call, npz: Npz) -> None:
    promptlab("run", npz(), "--weights", "uniform")
    said = promptlab("runs", "export", "latest", "out", "--also", "pt", "--also", "npz", "--json")
    assert said.code == 0, said.err
    assert {"classifier.pt", "classifier.npz", "classifier.safetensors"} <= {path.name for path in Path("out").iterdir()}
    where = runs.find(Path("runs")).classifier
    made = runs.load_classifier(where)
    runs.save_classifier(where, replace(made, bias=np.arange(3, dtype=np.float32)))
    said = promptlab("runs", "export", "latest", "out2", "--also", "pt")
    assert (said.code, Path("out2").exists()) == (2, False)


@pytest.mark.parametrize("c", [3, 6])
def test_a_result_is_what_clip_benchmark_writes(promptlab: Call, npz: Npz, c: int) -> None:
    data = npz(c=c)
    promptlab("build", data, "-o", "c.safetensors")
    judged = promptlab("eval", data, "--classifier", "c.safetensors", "--result", "r.json", "--language", "de", "--json").json
    found = json.loads(Path("r.json").read_text())
    assert {name: found[name] for name in ("dataset", "task", "language")} == {
        "dataset": "vectors",
        "task": "zeroshot_classification",
        "language": "de",
    }
    assert found["metrics"]["acc1"] == judged["accuracy"]
    assert found["metrics"]["mean_per_class_recall"] == judged["mean"]
    assert found["metrics"]["acc5"] is None if c < 5 else found["metrics"]["acc1"] <= found["metrics"]["acc5"] <= 1
    shown = promptlab("results", "r.json", "--json").json
    assert shown == [{"dataset": "vectors", "model": "", "metrics": found["metrics"], "file": "r.json"}]
    bare = promptlab("eval", npz(c=c, labels=None), "--classifier", "c.safetensors", "--result", "n.json")
    assert (bare.code, Path("n.json").exists()) == (2, False)
