"""Tar shards: which are read, what of them, and what is said of those that are not whole."""

import io
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from promptlab.config import Settings
from promptlab.errors import DataError, PromptlabError
from promptlab.lab import Lab
from promptlab.types import Dataset, Images

from .wds import sample, tar, write_wds

NAMES, TEMPLATES = ("cat", "dog", "owl"), ('a photo of a "{c}".', "100% {c}", "", "{c}")
PAIRS = [(f"picture {i}".encode(), i % 3) for i in range(7)]


def images(dataset: Dataset, split: str = "all") -> Images:
    part = dataset.splits[split]
    assert isinstance(part, Images)
    return part


def named(**given: str) -> Lab:
    Path("names.txt").write_text("\n".join(NAMES))
    return Lab(Settings.load({"classes": "names.txt", **given}))


def benchmark() -> Path:
    return write_wds(Path("wds"), {"train": PAIRS[:3], "test": PAIRS[3:]}, NAMES, TEMPLATES)


def test_a_folder_of_clip_benchmark_tunes_on_train_and_judges_test(lab: Lab) -> None:
    dataset = lab.open(str(benchmark()))
    assert (dataset.name, dataset.classes.titles) == ("wds", NAMES)
    assert dataset.templates == ('a photo of a "{c}".', "100% {c}", "{c}")
    test = images(dataset, "eval")
    assert test.keys == ("test/0.tar/s0000000.webp", "test/0.tar/s0000001.webp", "test/1.tar/s0000002.webp", "test/1.tar/s0000003.webp")
    assert [test.read(i) for i in range(4)] == [picture for picture, _ in PAIRS[3:]]
    assert test.labels is not None
    assert test.labels.tolist() == [label for _, label in PAIRS[3:]]
    assert len(images(dataset, "tune")) == 3
    assert "train to tune, test to judge" in dataset.notes[0]


def test_one_split_may_be_named_alone(lab: Lab) -> None:
    dataset = lab.open(f"{benchmark()}/test")
    assert (dataset.name, dataset.classes.titles, len(dataset.templates)) == ("wds", NAMES, 3)
    assert images(dataset).keys[0] == "test/0.tar/s0000000.webp"


def test_a_shard_may_be_named_alone() -> None:
    Path("one.tar").write_bytes(tar([member for i, pair in enumerate(PAIRS) for member in sample(i, *pair, "jpg")]))
    dataset = named().open("one.tar")
    assert (dataset.name, len(images(dataset)), images(dataset).keys[1]) == ("one", 7, "one.tar/s0000001.jpg")


@pytest.mark.parametrize("pattern", ["x/part-{000..001}.tar", "x/part-{000,001}.tar"])
def test_a_pattern_counts_or_lists(pattern: str) -> None:
    Path("x").mkdir()
    for i in range(2):
        Path(f"x/part-{i:03d}.tar").write_bytes(tar(sample(i, *PAIRS[i])))
    dataset = named().open(pattern)
    assert dataset.name == "part"
    assert images(dataset).keys == ("part-000.tar/s0000000.webp", "part-001.tar/s0000001.webp")


def test_braces_in_a_name_that_is_there_are_a_name() -> None:
    Path("x{0..1}").mkdir()
    for name in ("x{0..1}/a.tar", "b{0,1}.tar"):
        Path(name).write_bytes(tar(sample(0, *PAIRS[0])))
    assert images(named().open("x{0..1}")).keys == ("a.tar/s0000000.webp",)
    assert images(named().open("b{0,1}.tar")).keys == ("b{0,1}.tar/s0000000.webp",)


def test_a_shard_that_a_pattern_counts_must_be_there() -> None:
    Path("part-0.tar").write_bytes(tar(sample(0, *PAIRS[0])))
    with pytest.raises(DataError, match=r"part-1\.tar' cannot be read: No such file"):
        named().open("part-{0..1}.tar")


@pytest.mark.parametrize("where", ["x", "x/cc-{train,test}-0.tar", "y/{train,test}/0.tar"])
def test_the_split_is_a_word_in_the_name_of_a_shard(where: str) -> None:
    for i, name in enumerate(("x/cc-train-0.tar", "x/cc-test-0.tar", "y/train/0.tar", "y/test/0.tar")):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(tar(sample(i, *PAIRS[i % 2])))
    dataset = named().open(where)
    assert [images(dataset, split).read(0) for split in ("tune", "eval")] == [b"picture 0", b"picture 1"]


def test_shards_beside_folders_of_shards_are_told(lab: Lab) -> None:
    root = benchmark()
    (root / "test").rename(root / "dev")
    assert "The folders dev hold shards, but no split is called so" in " ".join(lab.open(str(root)).notes)
    (root / "0.tar").write_bytes(WHOLE)
    with pytest.raises(DataError, match="holds shards, and so do its folders dev, train"):
        lab.open(str(root))


def test_any_folder_of_shards_will_do() -> None:
    Path("x").mkdir()
    Path("x/b.tar").write_bytes(tar(sample(0, *PAIRS[0])))
    Path("x/a.tar").write_bytes(tar(sample(0, *PAIRS[1])))
    assert images(named().open("x")).keys == ("a.tar/s0000000.webp", "b.tar/s0000000.webp")


def test_a_tar_beside_class_folders_is_no_dataset(lab: Lab, folder: Callable[..., Path]) -> None:
    assert lab.open(str(folder("cat/1.jpg", "dog/1.jpg", "backup.tar"))).classes.ids == ("cat", "dog")


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_kind_of_tar_says_the_same(kind: int) -> None:
    deep = "/".join(["a" * 40] * 3) + "/" + "b" * 60
    long = deep if kind == tarfile.USTAR_FORMAT else "ü" * 200
    Path("t.tar").write_bytes(tar([(f"{long}.jpg", b"x" * 600), (f"{long}.cls", b"1\n"), ("../up.png", b"y"), ("../up.cls", b" 0")], kind))
    part = images(named().open("t.tar"))
    assert part.keys == ("t.tar/../up.png", f"t.tar/{long}.jpg")
    assert [part.read(0), part.read(1)] == [b"y", b"x" * 600]
    assert part.labels is not None
    assert part.labels.tolist() == [0, 1]


def test_the_first_kind_of_picture_is_taken_and_json_may_hold_the_name(lab: Lab) -> None:
    members = [
        ("a.jpg", b"j"),
        ("a.webp", b"w"),
        ("a.json", b'{"label": "wild_cat"}'),
        ("b.seg.png", b"s"),
        ("b.JPG", b"J"),
        ("b.json", b'"dog"'),
    ]
    Path("t.tar").write_bytes(tar(members))
    dataset = lab.open("t.tar")
    assert images(dataset).keys == ("t.tar/a.webp", "t.tar/b.JPG")
    assert dataset.classes.titles == ("dog", "wild cat")
    assert images(dataset).labels.tolist() == [1, 0]  # type: ignore[union-attr]


def test_what_is_left_out_is_counted() -> None:
    out = io.BytesIO(tar([*sample(0, *PAIRS[0]), ("lone.cls", b"1"), ("s0000000.pyd", b"cos\nsystem\n."), (".hidden.jpg", b"")]))
    with tarfile.open(fileobj=out, mode="a") as file:
        for name, kind in (
            ("link.jpg", tarfile.SYMTYPE),
            ("hard.jpg", tarfile.LNKTYPE),
            ("null.jpg", tarfile.CHRTYPE),
            ("d", tarfile.DIRTYPE),
        ):
            about = tarfile.TarInfo(name)
            about.type, about.linkname = kind, "/etc/passwd"
            file.addfile(about)
    Path("t.tar").write_bytes(out.getvalue())
    dataset = named().open("t.tar")
    assert images(dataset).keys == ("t.tar/s0000000.webp",)
    said = " ".join(dataset.notes)
    assert "1 sample of the shards hold no picture" in said
    assert "1 member that may hold pickled objects" in said
    assert "4 members of the shards are folders, links or devices" in said


def test_without_labels_the_names_are_asked_for() -> None:
    Path("t.tar").write_bytes(tar([("a.jpg", b"1"), ("b.jpg", b"2")]))
    dataset = named().open("t.tar")
    assert images(dataset).labels is None
    assert len(dataset.classes) == 3
    with pytest.raises(DataError, match="no labels, so the classes are unknown"):
        Lab(Settings.load({})).open("t.tar")


WHOLE = tar([member for i, pair in enumerate(PAIRS) for member in sample(i, *pair)])
BROKEN: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "is cut off at byte 0"),
    "cut in a picture": (WHOLE[:700], "is cut off at byte 700"),
    "cut between members": (WHOLE[:2048], "is cut off at byte 2,048"),
    "no tar": (b"GIF89a" * 400, "has no header of a tar at byte 0"),
    "packed": (b"\x1f\x8b\x08" + bytes(2000), "is packed with gzip"),
    "joined": (WHOLE + WHOLE, "goes on after its end mark"),
    "one name twice": (tar([("a.jpg", b"1"), ("a.jpg", b"2")]), "the member 'a.jpg' twice"),
    "half labelled": (tar([("a.jpg", b"1"), ("a.cls", b"1"), ("b.jpg", b"2")]), "1 of 2 rows of 't.tar' have no label"),
    "a label beyond the names": (tar(sample(0, b"x", 3)), "run from 3 to 3; there are 3 classes"),
    "a label that is a word": (tar([("a.jpg", b"1"), ("a.cls", b"cat")]), "says 'cat'; the number of a class"),
    "a label that is none": (tar([("a.jpg", b"1"), ("a.cls", b"-1")]), "numbers such as -1"),
    "broken JSON": (tar([("a.jpg", b"1"), ("a.json", b"[" * 60_000)]), "'a.json' in 't.tar' is no JSON"),
    "a long label": (tar([("a.jpg", b"1"), ("a.cls", b"1" * 70_000)]), "70,000 bytes in 'a.cls'"),
    "two labels": (tar([("a.jpg", b"1"), ("a.cls", b"0"), ("a.json", b'{"label": 1}')]), "'a.cls' '0' and 'a.json' '1' are labels of one"),
    "a label twice": (tar([("a.jpg", b"1"), ("a.json", b'{"label": 1, "label": 2}')]), "has a key twice"),
    "no picture": (tar([("a.txt", b"1")]), "no picture in the shards"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_shard_that_is_not_whole_is_loud(case: str) -> None:
    content, said = BROKEN[case]
    Path("t.tar").write_bytes(content)
    with pytest.raises(DataError, match=said):
        named().open("t.tar")


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("pipe:cat x.tar", "would run a program"),
        ("x.tar.gz", "is a packed tar"),
        ("{000..9999999}.tar", "does not count"),
        ("a{9..1}.tar", "does not"),
        ("{a,b}" * 1200 + ".tar", "more than 16 braces"),
    ],
)
def test_what_is_refused_by_its_name(lab: Lab, where: str, said: str) -> None:
    Path("x.tar.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(DataError, match=said):
        lab.open(where)


def test_missing_and_further_shards_are_loud(lab: Lab) -> None:
    root = benchmark()
    (root / "test" / "1.tar").rename(root / "1.tar.away")
    with pytest.raises(DataError, match=r"says 2 shards, but 1 are there; '1\.tar' is missing"):
        lab.open(str(root))
    (root / "1.tar.away").rename(root / "test" / "1.tar")
    (root / "test" / "2.tar").write_bytes(WHOLE)
    with pytest.raises(DataError, match="is one too many"):
        lab.open(str(root))
    (root / "test" / "nshards.txt").write_text("many")
    with pytest.raises(DataError, match="says 'many'; the number of shards"):
        lab.open(str(root))


def test_an_empty_line_between_names_would_shift_labels(lab: Lab) -> None:
    root = benchmark()
    (root / "classnames.txt").write_text("cat\n\ndog\nowl\n\n")
    with pytest.raises(DataError, match=r"Line 2 of .* is empty"):
        lab.open(str(root))


@pytest.mark.parametrize("kind", ["detection", "\u202e", "retrieval multilabel"])
def test_other_tasks_are_refused(lab: Lab, kind: str) -> None:
    root = benchmark()
    (root / "dataset_type.txt").write_text(kind)
    with pytest.raises(DataError, match="classification, retrieval, multilabel are known"):
        lab.open(str(root))


@pytest.mark.parametrize(("kind", "ending"), [("retrieval", "txt"), ("multilabel", "npy")])
def test_a_kind_without_what_it_stands_on(lab: Lab, kind: str, ending: str) -> None:
    root = benchmark()
    (root / "dataset_type.txt").write_text(kind)
    with pytest.raises(DataError, match=rf"says '{kind}', but no picture of the shards has a \.{ending}"):
        lab.open(str(root))


def shard(root: Path, kind: str, ending: str, *said: bytes, split: str = "test") -> str:
    """A folder of one shard with a picture for each of these."""
    (root / split).mkdir(parents=True)
    members = [(f"{i}.{end}", what) for i, one in enumerate(said) for end, what in (("jpg", b"picture %d" % i), (ending, one))]
    (root / split / "0.tar").write_bytes(tar(members))
    if kind:
        (root / "dataset_type.txt").write_text(kind)
    return str(root)


@pytest.mark.parametrize("kind", ["retrieval", "zeroshot_retrieval", ""])
def test_captions_one_a_line(lab: Lab, kind: str) -> None:
    part = images(dataset := lab.open(shard(Path("wds"), kind, "txt", b"a cat\r\n a black cat\n", "ein H\u00e4uschen".encode())))
    assert dataset.classes.ids == ()
    assert part.labels is None
    assert part.captions == (("a cat", "a black cat"), ("ein H\u00e4uschen",))
    assert part.read(1) == b"picture 1"


def test_texts_beside_labels_are_not_read() -> None:
    Path("t.tar").write_bytes(tar([*sample(0, b"p", 1, "jpg"), ("s0000000.txt", b"\xff"), *sample(1, b"q", 0, "jpg")]))
    part = images(named().open("t.tar"))
    assert part.labels is not None
    assert part.labels.tolist() == [1, 0]
    assert part.captions is None


def test_captions_beside_what_says_no_label(lab: Lab) -> None:
    Path("t.tar").write_bytes(tar([("0.jpg", b"p"), ("0.txt", b"a cat"), ("0.json", b'{"url": "x"}')]))  # as img2dataset writes them
    assert images(lab.open("t.tar")).captions == (("a cat",),)


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ((b"a cat", b" \n\n"), r"'1.txt' in .* is empty; a caption was expected"),
        ((b"a cat", b"\xff\xfe"), r"'1.txt' in .* is no text"),
        ((b"a cat", b"x" * 70_000), "which is too long: 65,536 are the most"),
    ],
)
def test_captions_that_cannot_be_used(lab: Lab, said: tuple[bytes, ...], wrong: str) -> None:
    with pytest.raises(DataError, match=wrong):
        lab.open(shard(Path("wds"), "retrieval", "txt", *said))


def test_a_sample_without_captions_is_told(lab: Lab) -> None:
    where = shard(Path("wds"), "retrieval", "txt", b"a cat")
    Path("wds/test/1.tar").write_bytes(tar([("1.jpg", b"p")]))
    with pytest.raises(DataError, match=r"The sample 'test/1.tar/1.jpg' has no captions, where others have some"):
        lab.open(where)


def npy(values: Any, kind: Any = np.int64) -> bytes:
    out = io.BytesIO()
    np.save(out, np.array(values, kind), allow_pickle=True)
    return out.getvalue()


@pytest.mark.parametrize("kind", [bool, np.uint8, ">i8", np.float32, np.float16])
def test_vectors_of_several_labels(lab: Lab, kind: Any) -> None:
    where = shard(Path("wds"), "multilabel", "npy", *(npy(row, kind) for row in ([1, 0, 1], [0, 0, 0], [0, 1, 0])))
    Path("wds/classnames.txt").write_text("\n".join(NAMES))
    dataset = lab.open(where)
    part = images(dataset)
    assert dataset.classes.ids == NAMES
    assert part.labels is not None
    assert part.labels.tolist() == [[True, False, True], [False] * 3, [False, True, False]]
    assert not any("pickled" in note for note in dataset.notes)


class Trap:
    """Runs where somebody unpickles it."""

    def __reduce__(self) -> Any:
        return (Path("sprung").touch, ())


WHOLE_NPY = npy([1, 0, 1], np.uint8)
NO_VECTORS = {
    "pickled objects": npy([Trap(), 0, 1], object),
    "a pickle": pickle.dumps(Trap()),
    "nothing": b"",
    "no header": b"\x93NUMPY",
    "another version": WHOLE_NPY.replace(b"NUMPY\x01", b"NUMPY\x03"),
    "a number too few": WHOLE_NPY[:-1],
    "a number too many": WHOLE_NPY + b"\0",
    "two dimensions": npy([[1, 0, 1]]),
    "no dimension": npy(1),
    "none": npy([]),
    "words": npy(["1", "0", "1"], str),
    "structures": npy([(1, 0)], [("a", int), ("b", int)]),
    "complex numbers": npy([1, 0, 1], complex),
    "indices": npy([0, 2, 1]),
    "scores": npy([0.5, 0, 1], float),
    "no numbers": npy([np.nan, 0, 1], float),
    "more than there are": WHOLE_NPY.replace(b"(3,)", b"(%d,)" % 10**15, 1),
    "fewer than none": WHOLE_NPY.replace(b"(3,)", b"(-3,)"),
    "a header that is code": WHOLE_NPY.replace(b"'|u1'", b"f(x)+"),
    "an old header": WHOLE_NPY.replace(b"(3,)", b"(3L,)"),
}


@pytest.mark.parametrize("case", NO_VECTORS)
def test_what_is_no_vector_of_labels(lab: Lab, case: str) -> None:
    where = shard(Path("wds"), "multilabel", "npy", NO_VECTORS[case])
    Path("wds/classnames.txt").write_text("\n".join(NAMES))
    with pytest.raises(DataError, match=r"'0.npy' in .*wds/test/0.tar"):
        lab.open(where)
    assert not Path("sprung").exists()


def test_vectors_of_other_lengths(lab: Lab) -> None:
    where = shard(Path("wds"), "multilabel", "npy", npy([1, 0]), npy([0, 1]))
    Path("wds/classnames.txt").write_text("\n".join(NAMES))
    with pytest.raises(DataError, match="has 2 numbers; there are 3 classes"):
        lab.open(where)
    with pytest.raises(DataError, match=r"'0.npy' .* has 2 numbers and '1.npy' .* has 3"):
        lab.open(shard(Path("other"), "multilabel", "npy", npy([1, 0]), npy([0, 1, 1])))
    with pytest.raises(DataError, match="nothing names them"):
        lab.open(shard(Path("bare"), "multilabel", "npy", npy([1, 0])))


def test_vectors_of_many_classes(lab: Lab) -> None:
    names = [f"class {i}" for i in range(9000)]  # 72,000 bytes as numpy writes integers
    where = shard(Path("wds"), "multilabel", "npy", npy(np.arange(9000) == 5))
    Path("wds/classnames.txt").write_text("\n".join(names))
    assert np.flatnonzero(images(lab.open(where)).labels).tolist() == [5]  # type: ignore[arg-type]
    with pytest.raises(DataError, match="which is too long: 1,048,576 are the most"):
        lab.open(shard(Path("long"), "multilabel", "npy", npy(np.zeros(140_000))))


def test_stamps_change_with_the_shard(lab: Lab) -> None:
    root = benchmark()
    before = images(lab.open(str(root)), "eval").stamps
    os.utime(root / "test" / "1.tar", (1, 1))
    after = images(lab.open(str(root)), "eval").stamps
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, False, False]
    assert len(set(before)) == 4


def test_a_shard_that_was_cut_since_is_told() -> None:
    Path("t.tar").write_bytes(WHOLE)
    part = images(named().open("t.tar"))
    os.truncate("t.tar", 700)
    with pytest.raises(DataError, match="cut off after"):
        part.read(6)


def test_a_shard_that_was_written_anew_is_told() -> None:
    Path("t.tar").write_bytes(tar([*sample(0, b"one", 0), *sample(1, b"two", 1)]))
    part = images(named().open("t.tar"))
    Path("t.tar").write_bytes(tar([*sample(1, b"two", 1), *sample(0, b"one", 0)]))
    os.utime("t.tar", (1, 1))
    with pytest.raises(DataError, match="changed after it was opened"):
        part.read(0)


def test_a_line_ends_at_a_line_feed_alone(lab: Lab) -> None:
    root = benchmark()
    (root / "classnames.txt").write_bytes("big\u2028cat\r\nd\x0bog\r\nowl\r\n".encode())
    assert lab.open(str(root)).classes.ids == ("big\u2028cat", "d\x0bog", "owl")
    (root / "classnames.txt").write_bytes(b"x" * (1 << 24) + b"\ny\n")
    with pytest.raises(DataError, match="more than 16,777,216 bytes"):
        lab.open(str(root))


def test_names_of_the_data_may_be_renamed_and_not_replaced() -> None:
    root = benchmark()
    with pytest.raises(DataError, match="has class names of its own"):
        named().open(str(root))
    Path("pairs.tsv").write_text("dog\thound\n")
    assert Lab(Settings.load({"classes": "pairs.tsv"})).open(str(root)).classes.titles == ("cat", "hound", "owl")


def coloured() -> Path:
    out = []
    for colour in ("red", "green", "blue"):
        file = io.BytesIO()
        Image.new("RGB", (32, 32), colour).save(file, "WEBP", lossless=True)
        out.append(file.getvalue())
    pairs = [(out[i % 3], i % 3) for i in range(6)]
    return write_wds(Path("wds"), {"train": pairs, "test": pairs}, ("red", "green", "blue"), ("a {c} thing", "{c}"))


def test_templates_of_the_data_are_used_where_nobody_chose_any() -> None:
    root, said = coloured(), []
    found = Lab(Settings.load({}), said.append).run(str(root))
    assert found.material.bank.grid.families == ("a {} thing", "{}")
    assert any("2 templates came with the data" in getattr(event, "text", "") for event in said)
    again = Lab(Settings.load({"weights": "uniform"})).run()
    assert again.run.name != found.run.name
    assert again.material.bank.grid.families == ("a {} thing", "{}")
    assert "a {{ name }} thing" in (found.run.path / "prompts.toml").read_text()
    chosen = Lab(Settings.load({"templates": ("simple",)}))
    assert "a {} thing" not in {one.name for one in chosen.prompts_for(found.material.dataset).templates}


def test_templates_of_the_data_are_checked(lab: Lab) -> None:
    root = write_wds(Path("wds"), {"test": PAIRS}, NAMES, ("a {c}", "a photo of {c}"))
    assert ["a {} (a owl)" in check.text for check in lab.lint(str(root)) if check.name == "wrong-article"] == [True]


def test_a_template_of_the_data_that_cannot_be_used_is_loud(lab: Lab) -> None:
    root = coloured()
    (root / "zeroshot_classification_templates.txt").write_text("a {c}\n{% for i in x %}{c}{% endfor %}\n")
    with pytest.raises(PromptlabError, match="A template that came with 'wds'"):
        lab.run(str(root))


def test_words_of_json_that_look_like_numbers_are_names(lab: Lab) -> None:
    Path("names.txt").write_text("1\n2\n3\n4\n")
    Path("t.tar").write_bytes(tar([("a.jpg", b"1"), ("a.json", b'{"label": "1"}'), ("b.jpg", b"2"), ("b.json", b'"2"')]))
    assert images(lab.but(classes="names.txt").open("t.tar")).labels.tolist() == [0, 1]  # type: ignore[union-attr]
