"""Single texts, each swapped into its class's row."""

import numpy as np
import pytest

from promptlab.errors import DataError
from promptlab.score.ensemble import uniform
from promptlab.score.texts import score_texts
from score.planted import bank_of, features_of, planted


def test_a_text_is_judged_alone_against_all_other_rows() -> None:
    world = planted(3, classes=5, each=8)
    features, bank = world.features(), bank_of(world.z)
    base = uniform(bank).weight
    for c in range(5):
        found = score_texts(features, bank, world.labels, c, "cpu")
        x = world.x[world.labels == c]
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
        rival = np.delete(x @ base.T, c, 1).max(1)
        expected = np.stack([x @ world.z[k, c] / np.linalg.norm(world.z[k, c]) - rival for k in found.families])
        np.testing.assert_allclose(found.cmm, expected.mean(1), atol=1e-5)
        np.testing.assert_allclose(found.accuracy, (expected > 0).mean(1), atol=1e-9)
        assert found.images == 8


def test_a_class_without_pictures_is_an_error_that_names_it() -> None:
    world = planted(3, classes=4, each=4)
    bank = bank_of(world.z)
    with pytest.raises(DataError, match=bank.grid.classes.titles[2]):
        score_texts(features_of(world.x), bank, np.zeros(len(world.x), int), 2, "cpu")


def test_a_text_that_is_another_class_s_row_ties_with_it() -> None:
    world = planted(3, classes=4, each=6, text_noise=(0.3,))
    z = world.z.copy()
    z[0, 2] = z[0, 0]
    found = score_texts(world.features(), bank_of(z), world.labels, 2, "cpu")
    x = world.x[world.labels == 2] / np.linalg.norm(world.x[world.labels == 2], axis=1, keepdims=True)
    z = z[0] / np.linalg.norm(z[0], axis=1, keepdims=True)
    assert found.cmm[0] == pytest.approx(np.minimum(0, (x @ z[0])[:, None] - x @ z[[1, 3]].T).min(1).mean(), abs=1e-5)
    assert found.accuracy[0] == 0
