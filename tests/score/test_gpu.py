"""The contest on a CUDA device gives what it gives on the CPU."""

import numpy as np
import pytest
import torch

from promptlab.events import ignore
from promptlab.score.contest import Columns
from promptlab.score.sweep import sweep
from promptlab.types import LabelSource
from score.planted import RULES, planted

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")]


def test_scores_are_those_of_the_cpu() -> None:
    world = planted(0, classes=6, each=10)
    names = ["cmm/worst-k", "cmm-class", "cmm-top", "accuracy", "hit@2", "f1", "loglik", "entropy", "confidence"]
    found = [
        sweep(
            world.features(),
            Columns(world.z.astype(np.float32), device=device),
            names,
            RULES,
            source=LabelSource.TRUE,
            labels=world.labels,
            families=tuple(f"f{k}" for k in range(len(world.z))),
            scale=50.0,
            listen=ignore,
        )
        for device in ("cpu", "cuda")
    ]
    for name in names:
        np.testing.assert_allclose(found[0][name].value, found[1][name].value, atol=1e-4)
