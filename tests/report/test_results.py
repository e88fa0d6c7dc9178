"""Results of other programs are read as shares, whatever wrote them, and shown worst first."""

import json
from pathlib import Path

import pytest

from promptlab.errors import UsageError
from promptlab.report import results
from promptlab.report.results import read

BENCH = {"dataset": "wds/cars", "model": "ViT-B-32", "pretrained": "openai", "task": "zeroshot_classification", "language": "en"}


def wrote(text: str, name: str = "r.json") -> str:
    Path(name).write_text(text)
    return name


def test_clip_benchmarks_json_is_read_with_its_bare_nan() -> None:
    text = json.dumps({**BENCH, "metrics": {"acc1": 0.5, "acc5": float("nan"), "mean_per_class_recall": "0.25", "note": "x", "ok": True}})
    assert "NaN" in text
    [found] = read(wrote(text))
    assert (found.dataset, found.model) == ("wds/cars", "ViT-B-32 openai")
    assert dict(found.metrics) == {"acc1": 0.5, "acc5": None, "mean_per_class_recall": 0.25}


def test_rows_of_a_csv_and_lines_of_datacomp() -> None:
    head = "acc1,acc5,dataset,model,pretrained,task,language,model_fullname,mean_per_class_recall,image_retrieval_recall@5\n"
    rows = 'nan,,flickr8k,"RN50",openai,zeroshot_retrieval,en,RN50 openai,,0.8\n0.9,1.0,mnist,RN50,openai,t,en,RN50 openai,0.9,\n'
    flickr, mnist = read(wrote(head + rows, "b.csv"))
    assert (flickr.main, mnist.main, mnist.model) == (0.8, 0.9, "RN50 openai")
    lines = [
        {"key": "vtab/dtd", "dataset": "DTD", "metrics": {"acc1": 0.4, "main_metric": 0.4}},
        {"key": "k", "metrics": {"main_metric": None}},
    ]
    dtd, unknown = read(wrote("\n".join(map(json.dumps, lines)) + "\n", "eval_results.jsonl"))
    assert (dtd.dataset, dtd.main, unknown.dataset, unknown.main) == ("DTD", 0.4, "k", None)


def test_a_row_of_waffleclip_is_percent() -> None:
    [found] = read(
        wrote(
            "['main.py', '--mode=waffle'],63.31,0.09,63.4,63.2,89,0.1,89.2,88.9\n".replace("['main.py', '--mode=waffle']", "main.py"),
            "w.csv",
        )
    )
    assert (found.model, found.metrics["acc1"], found.metrics["acc5"]) == ("main.py", pytest.approx(0.6331), pytest.approx(0.89))


def test_the_worst_comes_first() -> None:
    files = [wrote(json.dumps({**BENCH, "metrics": {"acc1": x, "lp_acc1": 0.125}}), f"{x}.json") for x in (0.9, 0.125, 0.5)]
    table = results.table([one for file in files for one in read(file)])
    assert [row[2] for row in table.rows] == ["12.5", "50.0", "90.0"]
    assert table.rows[0][5] == "lp_acc1 12.5"
    assert [one["metrics"]["acc1"] for one in results.plain([one for file in files for one in read(file)])] == [0.125, 0.5, 0.9]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ('{"a": 1}', "no `metrics`"),
        ('{"metrics": {"acc1": 63.3}}', "Is it percent"),
        ('{"metrics": {"acc1": true}}', "has 'True' for 'acc1'"),
        ('{"metrics": {"acc1": [0.5]}}', "has '[0.5]' for 'acc1'"),
        ("acc1,dataset,acc1\n0.1,a,0.2\n", "several columns 'acc1'"),
        ("acc1,dataset\n", "no row of results"),
        ('{"metrics": {"acc1": Infinity}}', "a share from 0 to 1"),
        ('{"metrics": {"acc1": 0.5}}\n{"metrics"', "line 2"),
        ("model,acc1\nx,y\n", "has 'y' for 'acc1'"),
        ("model,acc1\nx\n", "row 2, has 1 cells"),
        ("a,b,c\n", "no row of results"),
        ('model,acc1\n"x,1\n', "no CSV"),
    ],
)
def test_what_is_no_result_is_told(text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        read(wrote(text))
    assert said in error.value.message + error.value.hint


def test_data_is_called_what_its_folder_is_called() -> None:
    Path("photos.v2").mkdir()
    Path("vectors.npz").touch()
    assert [results.named(one) for one in ("photos.v2", "vectors.npz", "hub:a/b.c", ".")] == [
        "photos.v2",
        "vectors",
        "hub:a/b.c",
        Path.cwd().name,
    ]
