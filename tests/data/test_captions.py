"""Pictures with captions, and pictures that show several classes, in tables."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from promptlab.data.identity import content
from promptlab.errors import DataError
from promptlab.lab import Lab
from promptlab.runs import save_classifier
from promptlab.types import Classes, Classifier, Dataset, Images


def jsonl(*rows: Any) -> str:
    Path("t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return "t.jsonl"


def csv(*lines: str) -> str:
    Path("t.csv").write_text("\n".join(lines))
    return "t.csv"


def table(**columns: Any) -> str:
    parquet.write_table(pa.table(columns), "t.parquet")
    return "t.parquet"


def whole(dataset: Dataset) -> Images:
    part = dataset.splits["all"]
    assert isinstance(part, Images)
    return part


def named(lab: Lab, *names: str) -> Lab:
    Path("names.txt").write_text("\n".join(names))
    return lab.but(classes="names.txt")


# -- captions -------------------------------------------------------------------------------------------------------------------------


def test_real_captions_open(lab: Lab, shared: Path) -> None:
    dataset = lab.open(str(shared / "data" / "flickr8k" / "captions.jsonl"))
    part = whole(dataset)
    assert dataset.classes.ids == ()
    assert part.labels is None
    assert part.distractors is None
    assert part.captions is not None
    assert {len(said) for said in part.captions} == {5}
    at = part.keys.index("images/106490881_5a2dd9b7bd.jpg")
    assert part.captions[at][1] == "A boy smiles for the camera at a beach ."
    assert part.read(at)[:2] == b"\xff\xd8"


ONE_A_ROW = ("image,caption", 'b.jpg,"a dog, asleep"', "a.jpg,a cat", "b.jpg,a brown dog")


@pytest.mark.parametrize(
    "write",
    [
        lambda: csv(*ONE_A_ROW),
        lambda: csv(*(line.replace("caption", "text") for line in ONE_A_ROW)),
        lambda: jsonl({"path": "b.jpg", "captions": ["a dog, asleep", " a brown dog\n"]}, {"path": "a.jpg", "caption": "a cat"}),
        lambda: table(image=["a.jpg", "b.jpg"], captions=[["a cat"], ["a dog, asleep", "a brown dog"]], score=[1, 2]),
        lambda: table(image=["a.jpg", "b.jpg", "b.jpg"], Caption=["a cat", "a dog, asleep", "a brown dog"]),
    ],
)
def test_every_way_to_write_captions_says_the_same(lab: Lab, write: Callable[[], str]) -> None:
    part = whole(lab.open(write()))
    assert part.keys == ("a.jpg", "b.jpg")
    assert part.captions == (("a cat",), ("a dog, asleep", "a brown dog"))


def test_pictures_may_have_a_category_too(lab: Lab) -> None:
    dataset = lab.open(jsonl({"image": "b", "captions": ["x"], "category": "dog"}, {"image": "a", "caption": "y", "category": "cat"}))
    assert dataset.classes.ids == ("cat", "dog")
    assert whole(dataset).labels.tolist() == [0, 1]  # type: ignore[union-attr]
    assert whole(dataset).captions == (("y",), ("x",))


def test_a_text_beside_a_label_is_no_caption(lab: Lab) -> None:
    assert whole(lab.open(csv("path,label,text", "a.jpg,cat,sale", "b.jpg,dog,"))).captions is None


def test_names_for_pictures_with_captions(lab: Lab) -> None:
    dataset = named(lab, "cat", "dog").open(csv(*ONE_A_ROW))
    assert dataset.classes.ids == ("cat", "dog")
    assert whole(dataset).captions is not None
    assert whole(dataset).labels is None


@pytest.mark.parametrize("name", ["distractors", "negatives", "negative_captions", "negative_caption"])
def test_distractors_may_be_given(lab: Lab, name: str) -> None:
    part = whole(lab.open(jsonl({"image": "a", "caption": "x", name: ["y", "z"]}, {"image": "b", "caption": "x"})))
    assert part.distractors == (("y", "z"), ())


def test_distractors_of_several_rows_are_joined(lab: Lab) -> None:
    part = whole(lab.open(csv("image,caption,negative_caption", "a,x,y", "a,w,z", "a,v,y")))
    assert part.captions == (("x", "w", "v"),)
    assert part.distractors == (("y", "z"),)


def test_captions_follow_their_split(lab: Lab) -> None:
    dataset = lab.open(csv("image,caption,split", "c,z,train", "a,x,test", "b,y,train"))
    assert dataset.splits["tune"].captions == (("y",), ("z",))  # type: ignore[union-attr]
    assert dataset.splits["eval"].captions == (("x",),)  # type: ignore[union-attr]


WRONG: dict[str, tuple[Callable[[], str], str]] = {
    "none where others have some": (lambda: jsonl({"path": "a", "caption": "x"}, {"path": "b"}), "Line 2 of 't.jsonl' has no captions"),
    "an empty cell": (lambda: csv("path,caption", "b,x", "a,"), "Line 3 of 't.csv' has no captions, where others have some"),
    "an empty list": (lambda: jsonl({"path": "a", "captions": []}, {"path": "b", "caption": "x"}), "Line 1 of 't.jsonl' has no captions"),
    "an empty text": (lambda: jsonl({"path": "a", "captions": ["x", " "]}), "Line 1 of 't.jsonl' has ' ' among its captions"),
    "a number": (lambda: jsonl({"path": "a", "captions": 3}), "Line 1 of 't.jsonl' has '3' among its captions"),
    "a null": (lambda: jsonl({"path": "a", "captions": ["x", None]}), "Line 1 of 't.jsonl' has 'None' among its captions"),
    "an object": (lambda: jsonl({"path": "a", "captions": [{"raw": "x"}]}), "among its captions"),
    "distractors alone": (
        lambda: jsonl({"path": "a", "label": "x", "negatives": ["y"]}),
        "Line 1 .* has distractors, but no row has captions",
    ),
    "a distractor that is right": (lambda: csv("path,caption,distractors", "a,x,x"), "Line 2 .* both as a caption and as a distractor"),
    "two categories": (lambda: csv("path,caption,label", "a,x,cat", "a,y,dog"), "Line 3 of 't.csv' gives 'a' another label than Line 2"),
    "two splits": (lambda: csv("path,caption,split", "a,x,train", "a,y,test"), "Line 3 of 't.csv' gives 'a' another split"),
    "two rows, one caption": (lambda: jsonl({"path": "a", "caption": "x"}, {"path": "a"}), "lists the picture 'a' more than once"),
    "two rows, no caption": (lambda: csv("path,label", "a,cat", "a,cat"), "lists the picture 'a' more than once"),
    "some categories": (lambda: csv("path,caption,label", "a,x,cat", "b,y,"), "1 of 2 rows of 't.csv' have no label"),
}


@pytest.mark.parametrize("case", WRONG)
def test_captions_that_cannot_be_used(lab: Lab, case: str) -> None:
    write, said = WRONG[case]
    with pytest.raises(DataError, match=said):
        lab.open(write())


# -- label lists ----------------------------------------------------------------------------------------------------------------------

SHOWN = [[True, False, True], [False, False, False], [False, True, False]]


@pytest.mark.parametrize(
    "write",
    [
        lambda: jsonl({"path": "a", "labels": ["owl", "cat"]}, {"path": "b", "labels": []}, {"path": "c", "labels": "dog"}),
        lambda: jsonl({"path": "a", "label": ["cat", "owl"]}, {"path": "b", "label": []}, {"path": "c", "label": ["dog"]}),
        lambda: csv("path,labels", "a,cat|owl", "b,", "c,dog"),
        lambda: csv("path,labels", "a,cat; owl", "b,", "c,dog;"),
        lambda: table(path=["a", "b", "c"], labels=[["cat", "owl"], [], ["dog"]]),
    ],
)
def test_every_way_to_list_labels_says_the_same(lab: Lab, write: Callable[[], str]) -> None:
    dataset = lab.open(write())
    assert dataset.classes.ids == ("cat", "dog", "owl")
    labels = whole(dataset).labels
    assert labels is not None
    assert labels.dtype == bool
    assert labels.tolist() == SHOWN


def test_indices_into_names(lab: Lab) -> None:
    lab = named(lab, "cat", "dog", "owl")
    for where in (
        csv("path,labels", "a,0|2", "b,", "c,1"),
        jsonl(*({"path": p, "labels": i} for p, i in (("a", [2, 0]), ("b", []), ("c", 1)))),
    ):
        dataset = lab.open(where)
        assert dataset.classes.ids == ("cat", "dog", "owl")
        assert whole(dataset).labels.tolist() == SHOWN  # type: ignore[union-attr]


def test_names_given_anew(lab: Lab) -> None:
    dataset = named(lab, "cat\ta black cat", "owl\tbarn owl").open(csv("path,labels", "a,owl|cat"))
    assert dataset.classes.titles == ("a black cat", "barn owl")


def test_pictures_that_show_nothing(lab: Lab) -> None:
    assert whole(named(lab, "cat", "dog").open(jsonl({"path": "a", "labels": []}))).labels.tolist() == [[False, False]]  # type: ignore[union-attr]


def test_one_label_goes_before_a_list(lab: Lab) -> None:
    assert whole(lab.open(csv("path,label,labels", "a,cat,x|y", "b,dog,z"))).labels.tolist() == [0, 1]  # type: ignore[union-attr]


def test_lists_follow_their_split(lab: Lab) -> None:
    parts = lab.open(csv("path,labels,split", "a,cat|dog,test", "b,dog,train")).splits
    assert [parts[name].labels.tolist() for name in ("tune", "eval")] == [[[False, True]], [[True, True]]]  # type: ignore[union-attr]


NO_LIST: dict[str, tuple[Callable[[], str], str]] = {
    "a list and a word": (lambda: jsonl({"path": "a", "label": ["cat"]}, {"path": "b", "label": "dog"}), "1 of 2 rows .* list no labels"),
    "a row without": (lambda: jsonl({"path": "a", "labels": ["cat"]}, {"path": "b"}), "1 of 2 rows of 't.jsonl' list no labels"),
    "one-hot": (lambda: jsonl({"path": "a", "labels": [0, 1, 0]}), "lists the label 0 twice"),
    "a truth": (lambda: jsonl({"path": "a", "labels": [True]}), "Line 1 of 't.jsonl' lists 'True' among its labels"),
    "a null": (lambda: jsonl({"path": "a", "labels": ["cat", None]}), "Line 1 of 't.jsonl' lists 'None' among its labels"),
    "an object": (lambda: jsonl({"path": "a", "labels": [{"name": "cat"}]}), "among its labels"),
    "an empty name": (lambda: jsonl({"path": "a", "labels": [""]}), "lists '' among its labels"),
    "numbers and names": (lambda: jsonl({"path": "a", "labels": [0, "cat"]}), "numbers in some rows and words in others"),
    "indices without names": (lambda: jsonl({"path": "a", "labels": [0]}), "nothing names them"),
    "nothing at all": (lambda: jsonl({"path": "a", "labels": []}), "no labels, so the classes are unknown"),
}


@pytest.mark.parametrize("case", NO_LIST)
def test_lists_that_cannot_be_used(lab: Lab, case: str) -> None:
    write, said = NO_LIST[case]
    with pytest.raises(DataError, match=said):
        lab.open(write())


@pytest.mark.parametrize("labels", [[3], [-1], [10**30], ["owl"]])
def test_what_no_name_has(lab: Lab, labels: list[Any]) -> None:
    with pytest.raises(DataError):
        named(lab, "cat", "dog").open(jsonl({"path": "a", "labels": labels}))


# -- known by what it says ------------------------------------------------------------------------------------------------------------


def test_what_is_said_is_part_of_the_content(lab: Lab) -> None:
    def marked(**values: Any) -> str:
        return content(replace(dataset, splits={"all": replace(part, **values)}))

    dataset = lab.open(jsonl({"path": "a", "caption": "x", "labels": ["cat", "dog"]}, {"path": "b", "caption": "y", "labels": ["dog"]}))
    part = whole(dataset)
    texts = (("x",), ("y",))
    marks = [
        marked(),
        marked(captions=None),
        marked(captions=(("y",), ("x",))),
        marked(captions=(("x", "y"), ("y",))),
        marked(distractors=texts),
        marked(captions=None, distractors=texts),
        marked(labels=~part.labels),  # type: ignore[operator]
        marked(labels=np.array([0, 1])),
    ]
    assert len(set(marks)) == len(marks)
    assert marked(captions=texts) == marks[0]
    halved = [content(replace(dataset, halves=halves)) for halves in (None, {"a": "tune", "b": "eval"}, {"a": "eval", "b": "tune"})]
    assert halved[0] == marks[0]
    assert len(set(halved)) == 3


# -- what needs classes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["run", "enrich", "build", "study", "encode", "lint", "would_ask", "shots", "score", "judge", "compare"])
def test_whatever_needs_classes_says_so(lab: Lab, verb: str, tmp_path: Path) -> None:
    where = csv(*ONE_A_ROW)
    made = tmp_path / "c.safetensors"
    save_classifier(made, Classifier(np.eye(2, 4, dtype=np.float32), np.zeros(2), 1.0, Classes.of(["a", "b"]), ""))
    given: dict[str, tuple[Any, ...]] = {"score": (where, ["cmm"]), "judge": (where, made), "compare": (str(made), str(made), where)}
    more = {"output": tmp_path} if verb == "shots" else {}
    with pytest.raises(DataError, match="has captions and no categories") as caught:
        getattr(lab, verb)(*given.get(verb, (where,)), **more)
    assert caught.value.hint == f"promptlab match {where}"
    assert not Path("runs").exists()
