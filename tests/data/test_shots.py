"""Few-shot splits: drawn class by class, nested, apart from each other, and usable with the data they come from."""

import csv
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.conftest import draw as draw_pictures
from hypothesis import given
from hypothesis import strategies as st

from promptlab.data.shots import Shots, Source, draw, notes, save, source_of
from promptlab.errors import DataError, UsageError
from promptlab.lab import Lab
from promptlab.types import Classes, Dataset, Features, Images


def source(counts: list[int], order: Any = lambda keys: keys, names: str = "abcdefgh", test: dict[str, int] | None = None) -> Source:
    pool = {f"{names[c]}/{i}.jpg": c for c, n in enumerate(counts) for i in range(n)}
    return Source("photos", Classes.of(list(names[: len(counts)])), {key: pool[key] for key in order(list(pool))}, test, {})


def parts(shots: Shots) -> list[set[str]]:
    return [set(shots.train), set(shots.val), set(shots.test)]


ks = st.lists(st.integers(1, 6), min_size=1, max_size=4)


@given(st.data(), ks, st.integers(0, 3), st.integers(0, 5), st.booleans())
def test_parts_never_overlap_and_those_of_one_seed_belong_together(
    data: st.DataObject, ks: list[int], val: int, seed: int, own: bool
) -> None:
    least = max(ks) + val + (not own)
    counts = data.draw(st.lists(st.integers(least, least + 6), min_size=1, max_size=5))
    given_test = {f"test/{i}": 0 for i in range(3)} if own else None
    made = draw(source(counts, test=given_test), ks, seed, val)
    assert [one.k for one in made] == sorted(set(ks))
    pool = source(counts).pool
    for one in made:
        train, held, test = parts(one)
        assert not train & held
        assert not train & test
        assert not held & test
        for c in range(len(counts)):
            assert sum(pool[key] == c for key in train) == one.k
            assert sum(pool[key] == c for key in held) == val
        assert one.train == tuple(sorted(one.train))
    largest = made[-1]
    assert set(largest.test) == (set(given_test) if given_test else set(pool) - set(largest.train) - set(largest.val))
    for fewer, more in pairwise(made):
        assert set(fewer.train) < set(more.train)
        assert (fewer.val, fewer.test) == (more.val, more.test)


@given(st.permutations(range(40)), st.integers(0, 99))
def test_the_order_of_files_does_not_matter(order: list[int], seed: int) -> None:
    whole = draw(source([20, 20]), [1, 4], seed, 2)
    assert [parts(one) for one in draw(source([20, 20], lambda keys: [keys[i] for i in order]), [1, 4], seed, 2)] == [
        parts(one) for one in whole
    ]


def test_one_more_class_changes_no_other() -> None:
    before, after = draw(source([9, 9], names="bc"), [3], 0, 1)[0], draw(source([5, 9, 9], names="abc"), [3], 0, 1)[0]
    for old, new in zip(parts(before), parts(after), strict=True):
        assert {key for key in new if not key.startswith("a/")} == old


def test_another_seed_draws_others() -> None:
    drawn = {draw(source([30, 30]), [4], seed)[0].train for seed in range(20)}
    assert len(drawn) == 20


def test_pictures_are_drawn_evenly() -> None:
    often = np.zeros(20)
    for seed in range(400):
        for key in draw(source([20]), [5], seed)[0].train:
            often[int(key[2:-4])] += 1
    assert abs(often - 100).max() < 5 * np.sqrt(400 * 0.25 * 0.75)  # 5 standard deviations


def test_classes_with_too_few_are_named_with_their_counts() -> None:
    with pytest.raises(DataError, match=r"2 classes have fewer pictures than 4 to train, 1 to validate, 1 to test: 'b' 5, 'd' 2\.$"):
        draw(source([6, 5, 9, 2]), [1, 4], 0, 1)
    with pytest.raises(DataError, match=r"1 class has fewer pictures than 4 to train: 'b' 3\.$"):
        draw(source([4, 3], test={"t": 0}), [4], 0)


def test_short_classes_give_what_they_have_and_keep_one_to_test() -> None:
    few, many = draw(source([3, 5, 9]), [1, 4], 0, 1, short=True)
    counts = [[sum(key.startswith(c) for key in part) for c in "abc"] for part in (few.train, many.train, many.val, many.test)]
    assert counts == [[1, 1, 1], [1, 3, 4], [1, 1, 1], [1, 1, 4]]
    empty = source([0, 5])
    (made,) = draw(empty, [2], 0, short=True)
    assert {key[0] for key in (*made.train, *made.test)} == {"b"}
    assert notes(empty, 2, 0) == ["1 class has no picture and is left out, e.g. 'a'."]
    with pytest.raises(DataError, match="'a' 0"):
        draw(empty, [2], 0)
    with pytest.raises(DataError, match="'b' 1"):
        draw(source([3, 1]), [2], 0, short=True)


@pytest.mark.parametrize(("ks", "val"), [([], 0), ([0], 0), ([1, -1], 0), ([1], -1)])
def test_numbers_that_are_none(ks: list[int], val: int) -> None:
    with pytest.raises(UsageError):
        draw(source([9]), ks, 0, val)


# -- with data ------------------------------------------------------------------------------------------------------------------------


def vectors(labels: Any, keys: tuple[str, ...] = ("a", "b"), split: str = "all") -> Dataset:
    part = Features(np.eye(2, dtype=np.float32), keys, labels, split, "")
    return Dataset("v", Classes.of(["x", "y"]), {split: part} if split == "all" else {"tune": part, "eval": part})


def test_what_cannot_be_drawn_from() -> None:
    with pytest.raises(DataError, match="no labels"):
        source_of(vectors(None), "v")
    with pytest.raises(DataError, match="several labels"):
        source_of(vectors(np.eye(2, dtype=bool)), "v")
    with pytest.raises(DataError, match="calls two pictures 'a'"):
        source_of(vectors(np.array([0, 1]), split="tune"), "v")
    with pytest.raises(DataError, match="calls two pictures 'a'"):
        source_of(vectors(np.array([0, 1]), ("a", "a")), "v")


@given(st.integers(0, 9))
def test_what_is_drawn_does_not_depend_on_what_else_is_asked_for(seed: int) -> None:
    few, (_, many) = draw(source([20, 20]), [1], seed, 4)[0], draw(source([20, 20]), [1, 8], seed, 4)
    assert few.val == many.val
    assert set(few.train) < set(many.train)


@pytest.mark.parametrize("second", ["./ml/0.png", "link.png"])
def test_one_file_under_two_names_is_no_two_pictures(lab: Lab, second: str) -> None:
    Path("ml").mkdir()
    for i in range(4):
        Path(f"ml/{i}.png").write_bytes(b"picture")
    Path("link.png").symlink_to("ml/0.png")
    Path("t.csv").write_text("path,label\n" + "".join(f"ml/{i}.png,a\n" for i in range(4)) + f"{second},a\n")
    with pytest.raises(DataError, match="one file as two pictures"):
        lab.shots("t.csv", [1], output=Path("s"))


def test_a_picture_that_is_not_there_makes_no_keys_of_paths(lab: Lab) -> None:
    draw_pictures(Path("photos"))
    Path("photos/t.csv").write_text("path,label\n0.png,red\n" + "".join(f"red/{i}.png,red\n" for i in range(3)))
    (made,) = lab.shots("photos/t.csv", [1], output=Path("aside"))
    assert {row["path"] for row in rows(made.file)} == {
        str(Path("photos", key).absolute()) for key in ("0.png", *(f"red/{i}.png" for i in range(3)))
    }


def rows(file: str) -> list[dict[str, str]]:
    with open(file, encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def test_a_table_beside_the_pictures_is_data_itself(lab: Lab) -> None:
    draw_pictures(Path("photos"))
    (made,) = lab.shots("photos", [1], val=1, output=Path("photos"))
    assert {row["path"] for row in rows(made.file) if row["split"] == "train"} == set(made.train)
    dataset, folder = lab.open(made.file), lab.open("photos")
    assert dataset.classes.ids == folder.classes.ids
    tune, judged = dataset.splits["tune"], dataset.splits["eval"]
    assert isinstance(tune, Images)
    assert isinstance(judged, Images)
    assert set(tune.keys) == {*made.train, *made.val}
    assert judged.keys == made.test
    assert judged.read(0) == Path("photos", judged.keys[0]).read_bytes()


def test_a_split_is_used_with_its_data_wherever_it_lies(lab: Lab) -> None:
    draw_pictures(Path("photos"))
    for folder in ("photos", "aside/splits"):
        (made,) = lab.shots("photos", [2], output=Path(folder))
        assert lab.open(made.file).splits["eval"].read(0) == Path("photos", made.test[0]).read_bytes()  # type: ignore[union-attr]
        dataset = lab.but(split=made.file).open("photos")
        assert dataset.halves == dict.fromkeys(made.train, "tune") | dict.fromkeys(made.test, "eval")
        assert "decides: train to tune, test to judge" in dataset.notes[0]
        again = lab.but(split=made.file).open(made.file)  # which has a column `split` of its own
        assert [note for note in again.notes if "decides" in note] == list(dataset.notes[:1])


def test_splits_of_a_seed_begin_with_that_of_the_settings(lab: Lab) -> None:
    draw_pictures(Path("photos"))
    made = lab.but(seed=3).shots("photos", [1, 2], seeds=2, output=Path("s"))
    assert [(one.seed, one.k) for one in made] == [(3, 1), (3, 2), (4, 1), (4, 2)]
    assert sorted(path.name for path in Path("s").iterdir()) == ["seed3-1shot.csv", "seed3-2shot.csv", "seed4-1shot.csv", "seed4-2shot.csv"]


def test_json_as_coop_reads_it(lab: Lab) -> None:
    draw_pictures(Path("photos"))
    (made,) = lab.shots("photos", [1], output=Path("s"), form="coop")
    found = json.loads(Path(made.file).read_text("utf-8"))
    dataset = lab.open("photos")
    assert list(found) == ["train", "val", "test"]
    assert found["train"] == [
        [key, dataset.classes.ids.index(key.split("/")[0]), key.split("/")[0].replace("_", " ")] for key in made.train
    ]
    assert [path for path, _, _ in found["test"]] == list(made.test)


def test_data_with_halves_of_its_own_is_drawn_from_the_one(lab: Lab) -> None:
    lines = [f"{c}{i}.jpg,{c},{split}" for c in "ab" for split, numbers in (("train", range(5)), ("test", range(5, 8))) for i in numbers]
    Path("t.csv").write_text("\n".join(["path,label,split", *lines]))
    (made,) = lab.shots("t.csv", [2], val=1, output=Path("s"))
    assert set(made.test) == {f"{c}{i}.jpg" for c in "ab" for i in range(5, 8)}
    assert all(int(key[1]) < 5 for key in (*made.train, *made.val))


def test_a_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    odd = Source("x", Classes.of(["a"]), {"a/\udcff.jpg": 0, "a/b.jpg": 0}, None, {})
    with pytest.raises(DataError, match="is no text"):
        save(draw(odd, [1], 0)[0], odd, tmp_path, "csv")


def test_where_a_picture_lies() -> None:
    Path("t.csv").touch()
    roots = {"s3://bucket/photos/": "s3://bucket/photos/a/1.jpg", "photos": "photos/a/1.jpg", "t.csv": "a/1.jpg"}
    for root, place in roots.items():
        assert Images("all", ("a/1.jpg",), ("",), None, lambda i: b"", root).place(0) == place


# -- --split --------------------------------------------------------------------------------------------------------------------------


def said(*lines: str) -> str:
    Path("split.csv").write_text("\n".join(["path,split", *lines]))
    return "split.csv"


@pytest.fixture
def features(lab: Lab) -> Lab:
    """A lab beside 12 vectors, of two splits: t.npz."""
    x = np.eye(12, 16, dtype=np.float32)
    more = {"text": x[None, :3], "names": np.array(["a", "b", "c"]), "families": np.array(["{}"])}
    np.savez("t.npz", val_x=x[:6], val_y=np.arange(6) % 3, test_x=x[6:], test_y=np.arange(6) % 3, **more)
    return lab


def test_pictures_are_taken_from_whichever_split_has_them(features: Lab) -> None:
    where = said("val_0000001,test", "test_0000000,train", "val_0000002,validation", "test_0000004,test")
    lab = features.but(split=where)
    dataset = lab.open("t.npz")
    assert any("8 pictures that the split file does not name are left out" in note for note in dataset.notes)
    tune, judged = lab.halves(lab.features(dataset, None)[0])
    assert tune.keys == ("val_0000002", "test_0000000")
    assert judged.keys == ("val_0000001", "test_0000004")
    assert tune.labels is not None
    assert tune.labels.tolist() == [2, 0]
    assert np.array_equal(tune.x[:].argmax(1), [2, 6])
    assert np.array_equal(judged.x[:].argmax(1), [1, 10])


def test_a_run_keeps_to_its_split(features: Lab) -> None:
    lab = features.but(split=said(*(f"val_{i:07d},train" for i in range(6)), *(f"test_{i:07d},test" for i in range(3))))
    made = lab.run("t.npz")
    assert (len(made.material.tune), len(made.material.judged)) == (6, 3)
    assert features.run().run.manifest["settings"]["split"] == str(Path("split.csv").absolute())  # which goes on with it
    said(*(f"val_{i:07d},train" for i in range(6)), *(f"test_{i:07d},test" for i in range(4)))
    assert len(features.run().material.judged) == 4
    found, _, in_sample = lab.judge("t.npz", made.run.classifier)
    assert (found.n, in_sample) == (4, False)


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        (("val_0000000,train", "nobody,test", "x,test"), r"Line 3 of '.*split.csv' names the picture 'nobody', .* \(2 rows name such\)"),
        (("val_0000000,train", "val_0000001,"), "holds ''"),
        (("val_0000000,train", "val_0000001,dev"), "holds 'dev'"),
        (("val_0000000,train", "val_0000001,train"), "names one split alone, or none"),
        (("val_0000000,", "val_0000001,"), "names one split alone, or none"),
        (("val_0000000,train", "val_0000000,test"), "names the picture 'val_0000000' more than once"),
        ((), "names no picture"),
    ],
)
def test_split_files_that_cannot_be_used(features: Lab, lines: tuple[str, ...], wrong: str) -> None:
    with pytest.raises(DataError, match=wrong):
        features.but(split=said(*lines)).open("t.npz")


def test_a_split_file_names_pictures_as_people_do(lab: Lab) -> None:
    draw_pictures(Path("photos"))
    Path("other").symlink_to("photos")
    Path("s").mkdir()
    Path("s/split.csv").write_text("path,split,label\n./red/0.png,train,red\n../other/red/1.png,test,red\n")
    assert lab.but(split="s/split.csv").open("photos").halves == {"red/0.png": "tune", "red/1.png": "eval"}


def test_labels_of_a_split_file_are_those_of_the_data(lab: Lab) -> None:
    draw_pictures(Path("photos"))
    Path("split.csv").write_text("path,split,label\nred/0.png,train,blue\nred/1.png,test,red\n")
    with pytest.raises(DataError, match=r"Line 2 of '.*split.csv' says that 'red/0.png' is 'blue'; the data says 'red'"):
        lab.but(split="split.csv").open("photos")
    Path("split.csv").write_text("path,split,label\nred/0.png,train,7\nred/1.png,test,8\n")
    assert any("such as '7', are no classes" in note for note in lab.but(split="split.csv").open("photos").notes)


def test_a_split_file_that_is_not_there(features: Lab) -> None:
    with pytest.raises(DataError, match=r"'.*none.csv' cannot be read"):
        features.but(split="none.csv").open("t.npz")


def test_pictures_that_cannot_be_read_are_missing_in_their_half_alone(lab: Lab) -> None:
    draw_pictures(Path("photos"))
    made = lab.shots("photos", [2], output=Path("s"))[0]
    Path("photos", made.train[0]).write_bytes(b"no picture")
    material = lab.but(split=made.file, model="mini").encode("photos")
    assert [key for key, _ in material.skipped] == [made.train[0]]
    assert len(material.tune) == len(made.train) - 1
    assert material.judged.keys == made.test
    assert material.encoded["images"] == len(lab.open("photos").splits["all"].keys) - 1  # all of it, so that other splits find theirs
