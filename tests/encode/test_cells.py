"""Cell vectors with descriptions: by their share, bare classes to the bit, and no number of bad texts outweighs the bare one."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptlab.encode.text import cells
from promptlab.prompts.compose import compose
from promptlab.prompts.templates import template
from promptlab.types import Array, Classes, Description, Form, Place, PromptGrid, unit

CLASSES = Classes(("a", "b", "c"), (("ant",), ("bat", "flying mouse", "night mouse"), ("cat", "kitten")))
TEMPLATES = [template("a {}."), template("{}"), template("the {}")]
checked = settings(max_examples=60, deadline=None, derandomize=True)


def vectors(grid: PromptGrid, width: int = 24) -> Array:
    """(P, D) f4 unit: each text's own random direction, the same wherever it is said."""
    rows = [np.random.default_rng(list(hashlib.sha256(text.encode()).digest())).normal(size=width) for text in grid.texts]
    return np.asarray(unit(np.stack(rows)), np.float32)


def bank(*descriptions: Description, weight: float = 0.5) -> tuple[Array, PromptGrid]:
    grid = compose(CLASSES, TEMPLATES, descriptions, weight)
    return cells(vectors(grid), grid), grid


def by_hand(grid: PromptGrid) -> Array:
    """The formula of `method.md`, cell by cell."""
    z, out = vectors(grid).astype(float), np.zeros((3, 3, 24))
    for k, c in np.ndindex(3, 3):
        bare, said = (
            [z[p] for (i, j, p), its in zip(grid.cell, grid.described, strict=True) if (i, j, its) == (k, c, part)]
            for part in (False, True)
        )
        mean = unit(np.mean(bare, 0))
        out[k, c] = unit((1 - grid.share[c]) * mean + grid.share[c] * unit(np.mean(said, 0))) if said else mean
    return out


words = st.text("abcdef ", min_size=1, max_size=8).filter(str.strip)
described = st.lists(st.tuples(st.sampled_from("abc"), words, st.sampled_from(Form), st.sampled_from(Place)), min_size=1, max_size=8)


def allowed(rows: list[tuple[str, str, Form, Place]]) -> list[Description]:
    """Those that can stand together: of one class the first of `inside` and `beside` decides."""
    first = {c: place for c, _, _, place in reversed(rows) if place is not Place.REPLACE}
    return [Description(c, text, form, place, True) for c, text, form, place in rows if place in (Place.REPLACE, first.get(c))]


@checked
@given(described, st.floats(0.05, 0.95))
def test_cells_are_what_the_formula_says(rows: list[tuple[str, str, Form, Place]], weight: float) -> None:
    z, grid = bank(*allowed(rows), weight=weight)
    assert z.dtype == np.float32
    assert np.linalg.norm(z, axis=-1) == pytest.approx(np.ones((3, 3)), abs=1e-6)
    if grid.described is not None:
        assert z == pytest.approx(by_hand(grid), abs=1e-6)


@checked
@given(described)
def test_classes_without_descriptions_keep_their_cells_to_the_bit(rows: list[tuple[str, str, Form, Place]]) -> None:
    said = allowed(rows)
    z, plain = bank(*said)[0], bank()[0]
    for c, class_id in enumerate(CLASSES.ids):
        if class_id not in {one.class_id for one in said}:
            assert np.array_equal(z[:, c], plain[:, c])
    assert np.array_equal(bank(*(Description(d.class_id, d.text, d.form, d.place, False) for d in said))[0], plain)


def test_one_description_turns_its_class_and_no_other() -> None:
    z, plain = bank(Description("b", "wings", Form.PHRASE, Place.INSIDE, True))[0], bank()[0]
    assert (z[:, 1] != plain[:, 1]).any(-1).all()
    assert np.array_equal(z[:, [0, 2]], plain[:, [0, 2]])


@pytest.mark.parametrize("count", [1, 2, 8, 50])
def test_however_many_bad_texts_the_bare_text_weighs_as_much(count: int) -> None:
    """Joined half and half, a cell is as near to its bare text as to all that is said, so never farther than 90 degrees."""
    for form, place in ((Form.PHRASE, Place.INSIDE), (Form.SENTENCE, Place.INSIDE), (Form.SENTENCE, Place.BESIDE)):
        z, grid = bank(*(Description("a", f"bad words {n}", form, place, True) for n in range(count)))
        said = vectors(grid)[grid.cell[grid.described & (grid.cell[:, 0] == 0), 2]]
        bare, told, joined = bank()[0][0, 0], unit(said.sum(0)), z[0, 0]
        assert joined @ bare == pytest.approx(joined @ told, abs=1e-6)
        assert joined @ bare == pytest.approx(np.sqrt((1 + bare @ told) / 2), abs=1e-6)


@pytest.mark.parametrize(("weight", "near"), [(0.0, "bare"), (0.1, "bare"), (0.9, "said"), (1.0, "said")])
def test_the_share_of_what_stands_beside_is_the_weight(weight: float, near: str) -> None:
    z, grid = bank(Description("a", "It crawls.", Form.SENTENCE, Place.BESIDE, True), weight=weight)
    said, bare = vectors(grid)[grid.texts.index("It crawls.")], bank()[0][:, 0]
    closeness = {"bare": (z[:, 0] * bare).sum(-1), "said": z[:, 0] @ said}
    assert (closeness[near] > 0.98).all()
    if weight in (0, 1):
        assert closeness[near] == pytest.approx(1, abs=1e-6)


def test_equal_cells_are_equal_to_the_bit_with_descriptions_too() -> None:
    classes = Classes(("a", "b"), (("ant", "bug", "emmet"), ("emmet", "ant", "bug")))
    said = [Description(c, f"{word} legs", Form.PHRASE, Place.INSIDE, True) for c, order in (("a", "xyz"), ("b", "zxy")) for word in order]
    grid = compose(classes, TEMPLATES, said)
    z = cells(vectors(grid), grid)
    assert np.array_equal(z[:, 0], z[:, 1])
