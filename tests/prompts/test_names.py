import pytest

from promptlab.prompts.names import Names, words


@pytest.mark.parametrize(
    ("names", "text", "found"),
    [
        (["hen"], "A hen's beak", ["hen"]),
        (["cock"], "shuttlecock feathers", []),
        (["cock"], "Cock-like feathers", ["cock"]),
        (["hen"], "hens and HENS", ["hen", "hen"]),
        (["church"], "old churches", ["church"]),
        (["Leopards"], "a leopard in a tree", ["Leopards"]),
        (["sea horse"], "a sea-horse", ["sea horse"]),
        (["sea horse"], "a horse at sea", []),
        (["sea_horse"], "sea horses", ["sea_horse"]),
        (["crocodile", "crocodile head"], "a crocodile head in mud", ["crocodile head"]),
        (["crocodile", "crocodile head"], "the head of a crocodile", ["crocodile"]),
        (["a", "i", "7"], "a thing that I saw 7 times", []),
        (["café"], "a CAFÉ table", ["café"]),
        (["🐟", ""], "🐟", []),
        (["ibis"], "two ibises", ["ibis"]),
    ],
)
def test_names_are_whole_words(names: list[str], text: str, found: list[str]) -> None:
    assert Names(names).within(text) == found


def test_what_is_said_beside_the_names() -> None:
    names = Names(["crocodile head", "crocodile"])
    assert names.all_but("The crocodile head, a crocodile's snout") == ["the", "a", "s", "snout"]
    assert names.all_but("crocodiles") == []


def test_words_are_without_signs_and_case() -> None:
    assert words('A hen\'s "BEAK", ﬁne_feathers') == ["a", "hen", "s", "beak", "fine", "feathers"]
