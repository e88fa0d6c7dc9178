"""Evidence beside a bare bank: labels are made from it, scores from the described one, so that no description judges itself."""

from dataclasses import replace

import numpy as np
import pytest

from promptlab.errors import UsageError
from promptlab.events import Event, Noted, ignore
from promptlab.score.evidence import Evidence
from promptlab.types import Array, Features, LabelSource, TextBank
from score.planted import RULES, bank_of, boards, planted

MADE = [LabelSource.ENSEMBLE, LabelSource.OTHERS, LabelSource.ZPE]
FOUND = planted(0, classes=6, each=10, image_noise=1.5, text_noise=(0.5, 0.8, 1.5))
BARE = bank_of(FOUND.z)
DESCRIBED = bank_of(np.concatenate([FOUND.z[:, [1, 0]], FOUND.z[:, 2:]], 1))  # two classes are told as each other


def evidence(bank: TextBank, bare: TextBank | None = None, tune: Features | None = None) -> Evidence:
    return Evidence(tune or FOUND.features(), bank, RULES, "cpu", ignore, bare)


def labels(found: Evidence, source: LabelSource) -> Array:
    made = found.labels(source)
    assert made is not None
    return made


@pytest.mark.parametrize("source", MADE)
def test_labels_that_are_made_come_from_the_bare_bank(source: LabelSource) -> None:
    assert np.array_equal(labels(evidence(DESCRIBED, BARE), source), labels(evidence(BARE), source))
    assert not np.array_equal(labels(evidence(DESCRIBED), source), labels(evidence(BARE), source))


@pytest.mark.parametrize("source", [*MADE, LabelSource.TRUE, LabelSource.SELF])
@pytest.mark.parametrize("rule", ["cmm", "accuracy", "cmm-top"])
def test_scores_come_from_the_described_bank_under_those_labels(rule: str, source: LabelSource) -> None:
    found = evidence(DESCRIBED, BARE)
    expected = boards(FOUND.features(), DESCRIBED.z, [rule], evidence(BARE).labels(source), source)[rule]
    assert np.array_equal(found.board(rule, source).per_class, expected.per_class, equal_nan=True)
    assert np.array_equal(found.board(rule, source).value, expected.value)


def test_a_description_of_another_class_is_seen_by_the_bare_labels_and_not_by_its_own() -> None:
    for source in (LabelSource.ENSEMBLE, LabelSource.ZPE):
        told, itself, bare = (
            evidence(*banks).board("accuracy", source).value.mean() for banks in ((DESCRIBED, BARE), (DESCRIBED,), (BARE,))
        )
        assert told < itself - 0.2
        assert itself == pytest.approx(bare), "by labels of its own nothing has happened"


def test_true_labels_are_those_of_the_data_and_refused_where_there_are_none() -> None:
    assert np.array_equal(labels(evidence(DESCRIBED, BARE), LabelSource.TRUE), FOUND.labels)
    with pytest.raises(UsageError, match="no labels"):
        evidence(DESCRIBED, BARE, replace(FOUND.features(), labels=None)).labels(LabelSource.TRUE)


def test_each_family_that_judges_itself_has_no_labels() -> None:
    assert evidence(DESCRIBED, BARE).labels(LabelSource.SELF) is None


def test_the_bank_itself_as_the_bare_one_is_no_bare_one() -> None:
    assert np.array_equal(labels(evidence(DESCRIBED, DESCRIBED), LabelSource.ENSEMBLE), labels(evidence(DESCRIBED), LabelSource.ENSEMBLE))


def test_one_family_is_told_of_once() -> None:
    seen: list[Event] = []
    one, other = bank_of(DESCRIBED.z[:1]), bank_of(BARE.z[:1])
    found = Evidence(FOUND.features(), one, RULES, "cpu", seen.append, other)
    board = found.board("accuracy", LabelSource.OTHERS)
    assert board.labels == "ensemble"
    assert len([event for event in seen if isinstance(event, Noted)]) == 1
    assert np.array_equal(labels(found, LabelSource.OTHERS), labels(evidence(other), LabelSource.ENSEMBLE))
