"""Better names: proposals from how a name is written, a file of synonyms, and the sets of names to try."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.errors import UsageError
from promptlab.prompts.renames import candidates, proposals, synonyms
from promptlab.types import Classes


@pytest.mark.parametrize(
    ("name", "proposed"),
    [
        ("leopards", ["leopard"]),
        ("Leopards", ["leopard", "leopards", "Leopard"]),
        ("car_wheels", ["car wheel", "car wheels"]),
        ("Faces_easy", ["faces easy", "Faces easy"]),
        ("crane (bird)", ["bird crane", "crane"]),
        ("cranes (birds)", ["birds crane", "crane", "birds cranes", "cranes"]),
        ("(toy) train", ["toy train", "train"]),
        ("Bank (river)", ["river bank", "bank", "bank (river)", "river Bank", "Bank"]),
        ("Tench", ["tench"]),
        ("ice  cream_", ["ice cream"]),
        ("(bird)", ["bird"]),
        ("crane ()", ["crane"]),
        ("churches", ["church"]),
        ("butterflies", ["butterfly"]),
    ],
)
def test_the_likeliest_name_comes_first(name: str, proposed: list[str]) -> None:
    assert proposals(name) == proposed


@pytest.mark.parametrize(
    "good",
    ["tench", "ice cream", "sunglasses", "ibis", "chess", "TV", "USB", "bus", "t-shirt", "猫", "scissors", "4x4", "", "news"],
)
def test_nothing_is_proposed_for_a_good_name(good: str) -> None:
    assert proposals(good) == []


@given(st.text("abSs_() xY", max_size=12))
def test_proposals_are_other_names_each_once_and_none_is_empty(name: str) -> None:
    found = proposals(name)
    assert name not in found
    assert len(set(found)) == len(found)
    assert all(one == " ".join(one.split()) != "" for one in found)
    assert not [one for one in found if "_" in one]


# -- synonyms -----------------------------------------------------------------------------------------------------------------------

BIRDS = Classes(("n1", "n2"), (("crane",), ("owl", "night bird")))


def wrote(folder: Path, content: str | bytes) -> str:
    (folder / "names.tsv").write_bytes(content.encode() if isinstance(content, str) else content)
    return str(folder / "names.tsv")


@pytest.mark.parametrize(
    "content",
    [
        "n1\theron, wading bird\nn2\tstrix",
        "\ufeffcrane\theron ,wading bird\r\n\r\n# owls\r\nowl\tstrix\r\n",
        " n1 \theron\twading bird,\n\nn2\tstrix\n",
        "n1\theron\ncrane\twading bird\nowl\tstrix,,\n",
    ],
)
def test_synonyms_are_read_by_id_or_name(content: str, tmp_path: Path) -> None:
    assert synonyms(wrote(tmp_path, content), BIRDS) == {0: ["heron", "wading bird"], 1: ["strix"]}


def test_only_line_ends_end_lines(tmp_path: Path) -> None:
    assert synonyms(wrote(tmp_path, "n1\theron\u2028grey\n"), BIRDS) == {0: ["heron\u2028grey"]}


@pytest.mark.parametrize("line", ["n1 heron", "n1", "n1\t", "n1\t , ,"])
def test_a_line_without_names_is_named(line: str, tmp_path: Path) -> None:
    path = wrote(tmp_path, f"n2\tstrix\n{line}\n")
    with pytest.raises(UsageError, match="line 2") as error:
        synonyms(path, BIRDS)
    assert error.value.message.startswith(repr(path))
    assert "CLASS<TAB>NAME" in error.value.hint


def test_a_class_that_is_not_there_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'crain'") as error:
        synonyms(wrote(tmp_path, "crain\theron"), BIRDS)
    assert "crane" in error.value.hint


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_named(content: bytes | None, tmp_path: Path) -> None:
    path = str(tmp_path) if content is None else wrote(tmp_path, content)
    with pytest.raises(UsageError, match="cannot be read") as error:
        synonyms(path, BIRDS)
    assert repr(path) in error.value.message


# -- what is tried ------------------------------------------------------------------------------------------------------------------


def test_proposals_come_first_then_synonyms_alone_then_all_with_the_own_names() -> None:
    assert candidates(["Cranes"], ["heron", "wader"]) == [
        *[("crane",), ("cranes",), ("Crane",), ("heron",), ("wader",)],
        ("Cranes", "heron", "wader"),
    ]


def test_without_mending_synonyms_alone_are_tried() -> None:
    assert candidates(["Cranes"], ["heron"], mend=False) == [("heron",), ("Cranes", "heron")]
    assert candidates(["Cranes"], [], mend=False) == []


@pytest.mark.parametrize(("own", "others"), [(["crane"], []), (["crane"], ["crane"]), (["crane", "heron"], ["heron", "crane"])])
def test_the_names_that_a_class_has_are_not_tried_again(own: list[str], others: list[str]) -> None:
    assert tuple(own) not in candidates(own, others)


def test_no_set_is_tried_twice() -> None:
    found = candidates(["Cranes", "birds"], ["crane", "crane", "heron", "Cranes"])
    assert len(set(found)) == len(found)
    assert found[-1] == ("Cranes", "birds", "crane", "heron")
