"""Angles between many vectors."""

from __future__ import annotations

import pytest
import torch

from taskvec_demo.core import geometry
from taskvec_demo.core.geometry import cosines
from taskvec_demo.core.task_vector import TaskVector
from taskvec_demo.core.weights import Weights


def vector(name: str, values: torch.Tensor) -> TaskVector:
    pretrained = Weights.from_tensors({"a": torch.zeros(3, 40), "b": torch.zeros(7)})
    tuned = Weights.from_tensors({"a": values[:120].reshape(3, 40), "b": values[120:]})
    return TaskVector.between(pretrained, tuned, name)


@pytest.mark.parametrize("chunk", [1, 50, 1000])
def test_the_cosines_of_all_pairs_are_those_of_each_pair(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geometry, "CHUNK", chunk)
    torch.manual_seed(0)
    some = [vector(f"v{i}", torch.randn(127)) for i in range(3)]
    some.append(-2 * some[0])
    table = cosines(some)
    for i, v in enumerate(some):
        for j, w in enumerate(some):
            assert float(table[i, j]) == pytest.approx(v.cosine(w), abs=1e-6)
    assert float(table[0, 3]) == pytest.approx(-1)


def test_a_zero_vector_has_no_angle() -> None:
    table = cosines([vector("zero", torch.zeros(127)), vector("one", torch.ones(127))])
    assert table[0].isnan().all()
    assert table[:, 0].isnan().all()
    assert float(table[1, 1]) == pytest.approx(1)
    assert cosines([]).shape == (0, 0)
