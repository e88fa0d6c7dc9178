"""Files of a run, of a project and of a user: a value, or an error of promptlab's."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from promptlab import config, runs
from promptlab.config import Settings
from promptlab.data.identity import content
from promptlab.data.names import NamesFile, read_mix
from promptlab.data.splits import split_by
from promptlab.data.table import Table
from promptlab.errors import PromptlabError
from promptlab.plugins.guards import _unusable
from promptlab.prompts import descriptions, edits, history, questions, renames, templates
from promptlab.protocols import DataOptions
from promptlab.types import Classes, Dataset, Edit, EditKind, Images

from . import fuzzed
from .broken import contents, met

CLASSES = Classes(("n1", "n2"), (("crane",), ("barn owl",)))
PROMPTS = 'templates = ["a {{ name }}."]\noff = ["{{ name }}"]\n[names]\nn1 = ["heron"]\n[texts."n2"]\n"{{ name }}" = "an owl"\n'
SAID = '{"class": "n1", "text": "a tall bird", "use": true, "place": "inside", "form": "phrase"}\n{"class": "n2", "text": "It hoots."}\n'
CAPTIONS = ("image,caption,negatives\na.png,a cat,a dog\na.png,a pet,a dog\nb.png,an owl,\n", "image,text\na.png,a cat\n")
SAID_OF = (
    '{"image": "a.png", "captions": ["a cat", "a pet"], "category": "n1", "distractors": ["a dog"]}\n'
    '{"image": "b", "caption": "x", "class": "n2"}\n',
    '{"image": "a.png", "labels": ["n1", "n2"]}\n{"image": "b.png", "labels": []}\n{"image": "c.png", "labels": "n1"}\n',
)
PACK = (Path(__file__).parents[2] / "templates" / "ask" / "contrast.toml").read_text("utf-8")


def named(path: Path) -> None:
    for read in (
        lambda: NamesFile(str(path)).bare(),
        lambda: NamesFile(str(path)).joined(["n1", "n2"], "folder"),
        lambda: read_mix(str(path), CLASSES),
    ):
        with suppress(PromptlabError):
            read()


def packed(path: Path) -> None:
    questions.example(questions.one(str(path)))


def opened(path: Path) -> None:
    dataset = Table().open(str(path), DataOptions())
    for part in dataset.splits.values():
        assert isinstance(part, Images)
        assert _unusable(part, len(dataset.classes)) is None
    assert content(dataset)


def halved(path: Path) -> None:
    images = Images("all", ("a.png", "b.png", "c.png"), ("",) * 3, None, lambda i: b"", str(path.parent.parent))
    halves = split_by(Dataset("x", CLASSES, {"all": images}), str(path)).halves
    assert halves is not None
    assert set(halves) <= set(images.keys)
    assert set(halves.values()) == {"tune", "eval"}


def worked(path: Path) -> None:
    run = runs.Run(path.parent)
    _ = (run.result, run.classes, run.enrichment, run.is_ours, run.state)
    _ = run.manifest


def set_(path: Path) -> None:
    Settings.load({}, path.parent)


READERS: dict[str, tuple[Callable[[Path], Any], tuple[str, ...]]] = {
    "t.toml": (lambda path: templates.listed([str(path)]), ('about = "x"\ntemplates = ["a {}."]\n',)),
    "t.json": (lambda path: templates.listed([str(path)]), ('["a {}.", "{{ name | article }}"]',)),
    "t.txt": (lambda path: templates.listed([str(path)]), ("a {}.\nan {{ name }}\n",)),
    "names.tsv": (named, ("n1\theron\nn2\towl\n", "heron\nowl\n", "n1\t3\nn2\t0.5\n")),
    "synonyms.tsv": (lambda path: renames.synonyms(str(path), CLASSES), ("n1\theron, stork\nbarn owl\towl\n",)),
    "descriptions.jsonl": (lambda path: descriptions.load(path.parent), (SAID,)),
    "prompts.toml": (lambda path: edits.load(path), (PROMPTS,)),
    "table.csv": (opened, ("path,label,split\na.png,n1,tune\nb.png,n2,eval\n", *CAPTIONS, "path,labels\na.png,n1|n2\nb.png,\n")),
    "table.tsv": (opened, ("path\tlabel\na.png\tn1\n", "path\tlabels\na.png\tn1;n2\n", CAPTIONS[0].replace(",", "\t"))),
    "table.jsonl": (opened, ('{"path": "a.png", "label": "n1"}\n{"path": "b.png", "label": "n2"}\n', *SAID_OF)),
    "split.csv": (halved, ("path,split\na.png,train\n../b.png,test\n", "path,label,split\na.png,n1,train\nb.png,n2,val\nc.png,n1,test\n")),
    "run.json": (worked, ('{"created": "x", "data": "photos", "settings": {"model": "mini"}}',)),
    "result.json": (worked, ('{"accuracy": 0.5, "descriptions": null}',)),
    "classes.json": (worked, ('[{"class": "crane", "id": "n1", "before": 0.5}]',)),
    "pack.toml": (packed, (PACK,)),
    "promptlab.toml": (set_, ('model = "mini"\nseed = 3\ntemplates = ["general"]\n[keys]\nquit = "q"\n',)),
    "keys.toml": (lambda path: config.contents(path), ('[keys]\nquit = "q,ctrl+q"\n',)),
}


@pytest.mark.parametrize("name", READERS)
def test_a_file(name: str) -> None:
    reader, good = READERS[name]

    @fuzzed
    @given(contents(*good))
    def holds(raw: bytes) -> None:
        with TemporaryDirectory() as folder:
            met(reader, Path(folder, name), raw)

    holds()


ABOUT = json.dumps(
    {"format": 1, "encoder": "", "scale": 100.0, "logit_bias": None, "combine": "embedding", "ids": ["n1"], "names": [["a"]], "lineage": {}}
)


@fuzzed
@given(contents(ABOUT), st.sampled_from([(1, 4), (2, 4), (0, 4), (4,)]), st.integers(0, 400), st.binary(max_size=4))
def test_a_classifier(raw: bytes, shape: tuple[int, ...], at: int, instead: bytes) -> None:
    said = {"promptlab": raw.decode("utf-8", "replace")}
    whole = save({"weight": np.ones(shape, np.float32), "bias": np.zeros(shape[:1], np.float32)}, said)
    with TemporaryDirectory() as folder:
        met(runs.load_classifier, Path(folder, "c.safetensors"), whole)
        met(runs.load_classifier, Path(folder, "c.safetensors"), whole[:at] + instead + whole[at + len(instead) :])


JOURNAL = (
    json.dumps({"base": {"prompts": PROMPTS, "descriptions": SAID}})
    + "\n"
    + "".join(
        json.dumps({"edit": {**asdict(one), "kind": one.kind.value}}) + "\n"
        for one in (
            Edit(EditKind.ADD, words=("my {}",)),
            Edit(EditKind.RENAME, "n1", words=("stork",)),
            Edit(EditKind.IMPORT, of="a file", words=(PROMPTS, SAID)),
        )
    )
    + '{"undo": true}\n{"redo": true}\n'
)


@fuzzed
@given(contents(JOURNAL))
def test_a_journal_of_edits_never_loses_what_the_files_say(raw: bytes) -> None:
    with TemporaryDirectory() as folder:
        run = runs.Run(Path(folder))
        run.save_text(edits.FILE, PROMPTS)
        run.save_text(descriptions.FILE, SAID)
        (run.path / history.JOURNAL).write_bytes(raw)
        found = history.History.open(run, CLASSES)
        now = replace(edits.load(run.path / edits.FILE), descriptions=descriptions.load(run.path))
        assert found.prompts.fingerprint == now.fingerprint
        found.commit(Edit(EditKind.ADD, words=("one more {}",)))
        assert history.History.open(run, CLASSES).prompts.fingerprint == found.prompts.fingerprint
        found.undo()
        assert (run.path / edits.FILE).read_text() == PROMPTS
