"""A corpus of bad inputs: each ends in its designed exit code, with a sentence or two that name the place and the remedy, or in a skip
that is counted and named."""

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from cli.conftest import Said, draw

Call = Callable[..., Said]
RUN = ("run", "photos", "--templates", "plain")


def png_header(width: int, height: int) -> bytes:
    """A PNG of that size, with no pixels in it."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))


def text(path: str, content: str | bytes) -> Callable[[], object]:
    return lambda: Path(path).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))


def features(**change: object) -> Callable[[], object]:
    """features.npz of 12 vectors in three classes, with changes; None leaves an array out."""

    def make() -> None:
        rng = np.random.default_rng(0)
        arrays = {
            "features": rng.normal(size=(12, 384)).astype(np.float32),
            "labels": np.arange(12) % 3,
            "names": np.array(["cat", "dog", "owl"]),
            "text": rng.normal(size=(2, 3, 384)).astype(np.float32),
        }
        np.savez("features.npz", **{name: array for name, array in (arrays | change).items() if array is not None})

    return make


def bad_row(value: float) -> Callable[[], object]:
    rows = np.ones((12, 384), np.float32) + np.eye(12, 384, dtype=np.float32)
    rows[5] = value
    return features(features=rows)


def classifier(about: object, **change: np.ndarray) -> Callable[[], object]:
    tensors = {"weight": np.eye(3, 384, dtype=np.float32), "bias": np.zeros(3, np.float32)} | change
    return lambda: save_file(tensors, "c.safetensors", {"promptlab": json.dumps(about)})


ABOUT = {
    "scale": 30.0,
    "encoder": "another",
    "combine": "embedding",
    "ids": ["red", "blue", "green_leaf"],
    "names": [["red"], ["blue"], ["green leaf"]],
    "lineage": {"model": "mini"},
}


def model(config: str | None, weights: bytes | None = b"", name: str = "open_clip_model.safetensors") -> Callable[[], object]:
    """A model folder."""

    def make() -> None:
        Path("model").mkdir()
        if config is not None:
            Path("model/open_clip_config.json").write_text(config)
        if weights is not None:
            Path("model", name).write_bytes(weights)

    return make


def config(**change: object) -> str:
    cfg = {"embed_dim": 8, "vision_cfg": {"image_size": 32}, "text_cfg": {"context_length": 8}}
    return json.dumps({"model_cfg": cfg | change})


TEMPLATE = (*RUN[:2], "--templates", "t.txt")
FEATURES = ("run", "features.npz")
JUDGE = ("eval", "photos", "--classifier", "c.safetensors")
MODEL = (*RUN, "--model", "model")

# name: (maker, command, exit code, words that the message must hold)
CORPUS: dict[str, tuple[Callable[[], object], tuple[str, ...], int, tuple[str, ...]]] = {
    # folders
    "missing folder": (lambda: None, ("run", "fotos/"), 2, ("fotos",)),
    "empty folder": (lambda: Path("empty").mkdir(), ("run", "empty"), 1, ("no picture", "empty", ".jpg")),
    "a file that is no data": (text("notes.md", "# hello"), ("run", "notes.md"), 1, ("notes.md", "promptlab datasets")),
    "one class": (lambda: draw(Path("one"), {"red": (200, 0, 0)}), ("run", "one"), 1, ("two classes",)),
    "splits, not classes": (lambda: draw(Path("s/train")), ("run", "s"), 1, ("train", "splits")),
    "flat folder without names": (lambda: draw(Path("all"), {"flat": (9, 9, 9)}), ("run", "all/flat"), 1, ("--classes",)),
    "singletons alone": (lambda: draw(Path("few"), each=1), ("run", "few"), 1, ("--transductive",)),
    "no picture can be read": (
        lambda: [p.write_bytes(b"x") for p in draw(Path("bad")).rglob("*.png")],
        ("run", "bad"),
        1,
        ("None of the 15",),
    ),
    # names files
    "bare list for folders": (text("n.txt", "red\nblue\n"), (*RUN, "--classes", "n.txt"), 1, ("Line 1", "n.txt", "folder<TAB>name")),
    "missing names file": (lambda: None, (*RUN, "--classes", "gone.txt"), 1, ("gone.txt",)),
    "empty names file": (text("n.txt", "\n\n"), (*RUN, "--classes", "n.txt"), 1, ("n.txt", "empty")),
    "binary names file": (text("n.txt", b"\xff\xfe\x00"), (*RUN, "--classes", "n.txt"), 1, ("n.txt", "UTF-8")),
    "names of a strange folder": (text("n.txt", "cow\tcattle\n"), (*RUN, "--classes", "n.txt"), 1, ("cow", "red")),
    "a name of control bytes": (text("n.txt", "red\t\x1b\x07\n"), (*RUN, "--classes", "n.txt"), 1, ("red",)),
    # templates
    "no placeholder": (text("t.txt", "a photo"), TEMPLATE, 2, ("a photo", "{}")),
    "a loop": (text("t.txt", "{% for i in range(9) %}{{ name }}{% endfor %}"), TEMPLATE, 2, ("for", "may not")),
    "an attribute": (text("t.txt", "{{ name.__class__ }}"), TEMPLATE, 2, ("getattr",)),
    "str.format's attribute": (text("t.txt", "{0.__class__}"), TEMPLATE, 2, ("no place",)),
    "arithmetic": (text("t.txt", "{{ name * 999999999 }}"), TEMPLATE, 2, ("mul",)),
    "a call": (text("t.txt", "{{ name.upper() }}"), TEMPLATE, 2, ("call",)),
    "an unknown filter": (text("t.txt", "{{ name | shout }}"), TEMPLATE, 2, ("shout",)),
    "an open brace": (text("t.txt", "{{ name "), TEMPLATE, 2, ("cannot be read",)),
    "too long a template": (text("t.txt", "{}" + "x" * 2000), TEMPLATE, 2, ("characters",)),
    "an empty template file": (text("t.txt", ""), TEMPLATE, 2, ("t.txt", "no list of templates")),
    "broken JSON": (text("t.json", '["a photo of {}"'), (*RUN[:2], "--templates", "t.json"), 2, ("t.json",)),
    "JSON that is no list": (text("t.json", '{"a": 1}'), (*RUN[:2], "--templates", "t.json"), 2, ("t.json",)),
    "broken TOML": (text("t.toml", "templates = ["), (*RUN[:2], "--templates", "t.toml"), 2, ("t.toml",)),
    "missing template file": (lambda: None, (*RUN[:2], "--templates", "gone.txt"), 2, ("gone.txt",)),
    "unknown template set": (lambda: None, (*RUN[:2], "--templates", "generl"), 2, ("general",)),
    # settings
    "broken promptlab.toml": (text("promptlab.toml", "seed = "), RUN, 2, ("promptlab.toml",)),
    "unknown setting": (text("promptlab.toml", "sed = 1"), RUN, 2, ("sed", "seed")),
    "wrong kind of setting": (text("promptlab.toml", 'seed = "x"'), RUN, 2, ("seed", "int")),
    "cache in a project file": (text("promptlab.toml", 'cache = "/tmp/x"'), RUN, 2, ("cache", "--cache")),
    "runs outside of the project": (text("promptlab.toml", 'runs = "../x"'), RUN, 2, ("--runs",)),
    "pickles in a project file": (text("promptlab.toml", "allow_pickle_weights = true"), RUN, 2, ("--allow-pickle-weights",)),
    # features
    "features that are text": (text("features.npz", "hello"), FEATURES, 1, ("features.npz",)),
    "objects": (features(names=np.array(["a", None, 3], object)), FEATURES, 1, ("features.npz", "Objects are refused")),
    "no features in it": (features(features=None), FEATURES, 1, ("val_x",)),
    "flat features": (features(features=np.ones(12, np.float32)), FEATURES, 1, ("(N, D)",)),
    "labels out of range": (features(labels=np.full(12, 7)), FEATURES, 1, ("7", "3 classes")),
    "labels below zero": (features(labels=np.full(12, -1)), FEATURES, 1, ("-1",)),
    "labels of another length": (features(labels=np.arange(5) % 3), FEATURES, 1, ("12 vectors", "5 labels")),
    "labels that are words": (features(labels=np.array(["cat"] * 12)), FEATURES, 1, ("integers",)),
    "no names": (features(names=None), FEATURES, 1, ("names",)),
    "text of another width": (features(text=np.ones((2, 3, 9), np.float32)), FEATURES, 1, ("width",)),
    "text of other classes": (features(text=np.ones((2, 4, 384), np.float32)), FEATURES, 1, ("(K, 3, D)",)),
    "a row of NaN": (bad_row(np.nan), FEATURES, 1, ("0000005", "not finite")),
    "a row of zeros": (bad_row(0.0), FEATURES, 1, ("0000005", "zero")),
    "an endless row": (bad_row(np.inf), FEATURES, 1, ("0000005",)),
    "features of nobody's model": (features(text=None), FEATURES, 2, ("--model",)),
    # tables
    "ragged csv": (text("t.csv", "path,label\na.png,red\nb.png\n"), ("run", "t.csv"), 1, ("Line 3", "2 were expected")),
    "csv without paths": (text("t.csv", "a,b\n1,2\n"), ("run", "t.csv"), 1, ("t.csv", "path")),
    "csv with half the labels": (text("t.csv", "path,label\na.png,red\nb.png,\n"), ("run", "t.csv"), 1, ("1 of 2",)),
    "csv of numbers without names": (text("t.csv", "path,label\na.png,0\nb.png,1\n"), ("run", "t.csv"), 1, ("--classes",)),
    "csv that lists a picture twice": (text("t.csv", "path,label\na.png,x\na.png,y\n"), ("run", "t.csv"), 1, ("a.png", "more than once")),
    "broken jsonl": (text("t.jsonl", '{"path": "a.png"}\n{"path"\n'), ("run", "t.jsonl"), 1, ("Line 2",)),
    "jsonl of lists": (text("t.jsonl", "[1]\n"), ("run", "t.jsonl"), 1, ("Line 1",)),
    "parquet that is none": (text("t.parquet", "hello"), ("run", "t.parquet"), 1, ("t.parquet",)),
    # models
    "model folder without config": (model(None), MODEL, 1, ("open_clip_config.json",)),
    "model folder without weights": (model(config(), None), MODEL, 1, ("weights",)),
    "model config that is no JSON": (model("{"), MODEL, 1, ("open_clip_config.json",)),
    "model config that runs code": (
        model(config(text_cfg={"tokenizer_kwargs": {"trust_remote_code": True}})),
        MODEL,
        1,
        ("trust_remote_code",),
    ),
    "model config that eats memory": (model(config(embed_dim=10**9)), MODEL, 1, ("embed_dim",)),
    "pickled weights": (model(config(), b"x", "open_clip_pytorch_model.bin"), MODEL, 1, ("--allow-pickle-weights",)),
    "weights that are none": (model(config(), b"x"), MODEL, 1, ("could not be loaded",)),
    "wrong activation": (lambda: None, (*RUN, "--model", "ViT-B-32,openai"), 1, ("ViT-B-32-quickgelu,openai",)),
    "unknown tag": (lambda: None, (*RUN, "--model", "ViT-B-32,laion2b_s34b_b79"), 2, ("laion2b_s34b_b79k",)),
    # classifiers
    "a classifier that is text": (text("c.safetensors", "hello"), JUDGE, 1, ("c.safetensors",)),
    "a classifier without metadata": (lambda: save_file({"weight": np.eye(3)}, "c.safetensors"), JUDGE, 1, ("c.safetensors",)),
    "a classifier of another model": (classifier(ABOUT), JUDGE, 1, ("not made with the model",)),
    "a classifier of other classes": (
        classifier(ABOUT | {"ids": ["a", "b", "c"], "names": [["a"], ["b"], ["c"]], "encoder": ""}),
        JUDGE,
        1,
        ("blue",),
    ),
    "a classifier of another size": (classifier(ABOUT | {"ids": ["red"], "names": [["red"]]}), JUDGE, 1, ("3",)),
    "a floor that is none": (lambda: None, (*JUDGE, "--fail-under", "best=2"), 2, ("accuracy, mean, worst",)),
    # runs
    "a run that is none": (lambda: None, ("runs", "show", "gone"), 2, ("gone",)),
    "no run yet": (lambda: None, ("compare", "latest", "latest"), 2, ("promptlab run",)),
}


@pytest.fixture
def corpus(photos: Path) -> None:
    """Every bad input stands beside a good folder."""


def test_the_corpus_is_large() -> None:
    assert len(CORPUS) >= 60


@pytest.mark.usefixtures("corpus")
@pytest.mark.parametrize("case", CORPUS)
def test_a_bad_input_is_explained(promptlab: Call, case: str) -> None:
    make, arguments, code, words = CORPUS[case]
    make()
    said = promptlab(*arguments, *([] if arguments[0] == "runs" else ["--quiet"]))
    lines = [line for line in said.err.splitlines() if not line.startswith("{")]
    assert said.code == code, said.err
    assert "Traceback" not in said.err
    assert "Something broke" not in said.err
    assert 1 <= len(lines) <= 2, said.err
    assert not [word for word in words if word not in said.err], said.err


SKIPPED: dict[str, bytes] = {
    "text named .jpg": b"I am no picture",
    "an empty file": b"",
    "a PNG header of 50,000 x 50,000": png_header(50_000, 50_000),
    "a PNG that ends after its header": png_header(64, 64),
    "a GIF of nothing": b"GIF89a",
}


@pytest.mark.parametrize("case", SKIPPED)
def test_a_bad_picture_is_skipped_counted_and_named(promptlab: Call, photos: Path, case: str) -> None:
    (photos / "red" / "zz-bad.jpg").write_bytes(SKIPPED[case])
    said = promptlab(*RUN, "--json", "--quiet")
    assert said.code == 0, said.err
    data = said.json["data"]
    assert (data["n"], [skip["picture"] for skip in data["skipped"]]) == (15, ["red/zz-bad.jpg"])
    assert data["skipped"][0]["reason"]


def test_a_truncated_jpeg_is_skipped_counted_and_named(promptlab: Call, photos: Path) -> None:
    Image.effect_noise((200, 200), 90).save("whole.jpg")
    (photos / "red" / "cut.jpg").write_bytes(Path("whole.jpg").read_bytes()[:4000])
    said = promptlab(*RUN, "--json", "--quiet")
    assert [skip["picture"] for skip in said.json["data"]["skipped"]] == ["red/cut.jpg"]


STRANGE = ["[@click=app.quit]", "[/x]", "\x1b]0;x\x07", "a\u202eb", "x" * 5000, "🐟🦑", "../../etc", "<script>", "=1+1", "%s{0}", "a\tb"]


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_name_is_used_and_shown_harmlessly(promptlab: Call, photos: Path, name: str) -> None:
    Path("n.tsv").write_text(f"red\t{name}\n", "utf-8")
    said = promptlab(*RUN, "--classes", "n.tsv")
    assert said.code == 0, said.err
    assert not [ch for ch in said.out if ch in "\x1b\x07\u202e"]
    assert sorted(p.name for p in Path.cwd().iterdir()) == ["n.tsv", "photos", "runs"]
