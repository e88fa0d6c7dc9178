import pytest

from promptlab.prompts.english import article, looks_plural, plural, singular

ARTICLES = [
    *(("an", w) for w in ("owl", "hourglass", "honest man", "heirloom", "Apple", "iPod", "electric guitar", "okapi", "urn")),
    *(("an", w) for w in ("umbrella", "usher", "X-ray", "F-16", "Old English sheepdog", "uninhabited island", "uncle", "utter mess")),
    *(("a", w) for w in ("tench", "unicycle", "university", "uniform", "European fire salamander", "euphonium", "ewer", "ukulele")),
    *(("a", w) for w in ("utility pole", "used car", "one-way sign", "house", "yurt", "T-shirt", "U-boat", "Ouija board", "7 up")),
]
PLURALS = [
    *(("dog", "dogs"), ("church", "churches"), ("ferry", "ferries"), ("day", "days"), ("fox", "foxes"), ("bus", "buses")),
    *(("dish", "dishes"), ("ibis", "ibises"), ("glass", "glasses"), ("waltz", "waltzes"), ("car wheel", "car wheels")),
    *(("scissors", "scissors"), ("leopards", "leopards"), ("sunglasses", "sunglasses"), ("binoculars", "binoculars")),
]
SINGULARS = [
    *(("leopards", "leopard"), ("churches", "church"), ("ferries", "ferry"), ("boxes", "box"), ("faces", "face"), ("dishes", "dish")),
    *(("airplanes", "airplane"), ("classes", "class"), ("car wheels", "car wheel"), ("shoes", "shoe"), ("axes", "ax")),
    *(("cookies", "cookie"), ("pies", "pie"), ("brownies", "brownie")),
]


@pytest.mark.parametrize(("wanted", "word"), ARTICLES)
def test_the_article_follows_the_sound(wanted: str, word: str) -> None:
    assert article(word) == f"{wanted} {word}"


@pytest.mark.parametrize(("word", "wanted"), PLURALS)
def test_plurals_follow_the_regular_rules(word: str, wanted: str) -> None:
    assert plural(word) == wanted


@pytest.mark.parametrize(("word", "wanted"), SINGULARS)
def test_the_singular_is_the_word_that_people_would_write(word: str, wanted: str) -> None:
    assert singular(word) == wanted


@pytest.mark.parametrize("word", ["leopards", "car wheels", "Faces", "airplanes", "Motorbikes", "churches"])
def test_plurals_are_known_by_sight(word: str) -> None:
    assert looks_plural(word)


@pytest.mark.parametrize(
    "word",
    ["cat", "scissors", "ibis", "chess", "bus", "platypus", "glass", "tennis", "canvas", "Swiss", "gas", "cyclops", "series", "TVS", "is"],
)
def test_singulars_that_end_in_s_are_known_too(word: str) -> None:
    assert not looks_plural(word)
