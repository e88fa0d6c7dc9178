"""Files of others: a value that a run can keep and read back, or an error of promptlab's."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.prompts import edits
from promptlab.prompts.edits import Prompts
from promptlab.prompts.exchange import reading
from promptlab.prompts.exchange.imported import Asked
from promptlab.prompts.exchange.taking import How, taken
from promptlab.prompts.templates import template
from promptlab.report import results
from promptlab.types import Classes, Place

from . import fuzzed
from .broken import contents, met

CLASSES = Classes(("n1", "n2", "f\udcff"), (("crane",), ("barn owl",), ("crane fly",)))
START = Prompts((template("a photo of a {}."),))
GOOD = {
    "list": ("a photo of a {}.\n{c}\n", '["a {}", "{c}"]', "heron\nowl\nfly\n", '["heron", ["owl", "barn owl"], "fly"]'),
    "python": ("templates = [\n    'a {}.',\n]\nclasses = ['a', 'b', 'c']\n",),
    "datacomp": ("gender:a photo of a {c}\nrace:my {c}\n",),
    "tsv": ("n1\theron\nn2\towl\tbird\n",),
    "clip-benchmark": ('{"cifar10": ["a {c}."], "imagenet1k": ["the {c}", "{c}%"]}',),
    "clip-benchmark-prompts": ('{"imagenet1k": {"crane": ["a crane."], "barn_owl": []}}',),
    "classnames": ('{"imagenet1k": ["heron", "barn owl", "fly"]}',),
    "babel": ('{"DE": [[0, 2], ["Kranich", "Schnake"]]}',),
    "cupl": ('{"crane": ["It wades."], "n2": ["It {hoots}."]}',),
    "mpvr": ('{"crane": ["It wades. It is tall."]}',),
    "dclip": ('{"crane": ["a long neck", "antennae"], "n2": []}',),
    "waffle": ('["which has foot loud", "!32d"]', '{"crane": ["foot loud"]}'),
    "fudd": ('{"0_2": {"classes": [0, 2], "prompt_pairs": [{"attr_type": "size", "prompt_pair": ["large", "tiny"]}]}}',),
    "texts": ('{"crane": ["grey", "It wades."]}', "crane\tgrey\n", '{"class": "n1", "text": "grey"}\n'),
}
CODE = (
    '{"cells": [{"cell_type": "code", "source": ["templates = [\'a {}\']"]}]}',
    "## A\n```py\ntemplates = ['a {}']\n```\n",
    GOOD["python"][0],
)
hows = st.builds(How, st.sampled_from(("", *Place)), st.booleans(), st.booleans())


def kept(asked: Asked, how: How) -> Callable[[Path], None]:
    """Reads a file, and what comes of it back from what a run would keep."""

    def read(path: Path) -> None:
        found = taken(reading.read(str(path), asked, CLASSES), START, CLASSES, how, "a file")
        edit = edits.imported(found.prompts, "a file")
        again = edits.of_import(edit.words)
        assert edits.imported(again, "a file") == edit

    return read


def test_every_format_is_tried() -> None:
    assert set(GOOD) == set(reading.FORMATS)


@pytest.mark.parametrize("format_", reading.FORMATS)
def test_a_file_that_is_said_to_be(format_: str) -> None:
    @fuzzed
    @given(
        contents(*GOOD[format_]),
        st.sampled_from(("", "imagenet1k", "gender", "DE", "templates")),
        hows,
        st.sampled_from((".json", ".txt", ".jsonl")),
    )
    def holds(raw: bytes, key: str, how: How, suffix: str) -> None:
        with TemporaryDirectory() as folder, TemporaryDirectory() as beside:
            names = Path(beside, "names.txt")
            names.write_text("crane\nbarn owl\ncrane fly\n")
            key = key if format_ in reading.KEYED else ""
            met(kept(Asked(format_, key, str(names) if format_ == "fudd" else ""), how), Path(folder, "it" + suffix), raw)

    holds()


@pytest.mark.parametrize("suffix", [".json", ".txt", ".jsonl", ".py", ".md", ".ipynb", ".tsv"])
def test_a_file_that_says_nothing_of_itself(suffix: str) -> None:
    @fuzzed
    @given(contents(*(CODE if suffix in reading.CODE else [one for those in GOOD.values() for one in those])), hows)
    def holds(raw: bytes, how: How) -> None:
        with TemporaryDirectory() as folder:
            met(kept(Asked(), how), Path(folder, "it" + suffix), raw)

    holds()


@fuzzed
@given(contents(*(one for those in GOOD.values() for one in those)))
def test_texts_that_are_brought(raw: bytes) -> None:
    with TemporaryDirectory() as folder:
        met(lambda path: reading.brought(str(path), CLASSES, Asked()), Path(folder, "it.json"), raw)


RESULTS = (
    '{"dataset": "a", "model": "b", "pretrained": "c", "metrics": {"acc1": 0.5, "acc5": NaN, "mean_per_class_recall": 0.25}}',
    "acc1,acc5,dataset,model,pretrained\n0.5,,a,b,c\n",
    '{"key": "a", "metrics": {"main_metric": 0.5}}\n{"key": "b", "metrics": {"acc1": null}}\n',
    "main.py,63.31,0.09,63.4,63.2,89,0.1,89.2,88.9\n",
)


@fuzzed
@given(contents(*RESULTS))
def test_results(raw: bytes) -> None:
    def shown(path: Path) -> Any:
        found = results.read(str(path))
        return results.table(found), results.plain(found)

    with TemporaryDirectory() as folder:
        met(shown, Path(folder, "r.json"), raw)
