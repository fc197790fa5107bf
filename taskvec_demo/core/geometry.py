"""Angles between many task vectors, computed in one pass over their elements."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .task_vector import TaskVector

CHUNK = 2**18  # elements of each vector at once: twenty of them take 20 MB


def cosines(vectors: Sequence[TaskVector]) -> torch.Tensor:
    """Cosines (n, n) float64 between vectors of one layout; NaN in the row and column of a zero vector."""
    gram = torch.zeros(len(vectors), len(vectors), dtype=torch.float64)
    for start in range(0, max((v.layout.size for v in vectors), default=0), CHUNK):
        part = torch.stack([v.buffer[start : start + CHUNK].float() for v in vectors])
        gram += (part @ part.T).double()
    lengths = gram.diagonal().sqrt()
    return (gram / torch.outer(lengths, lengths)).clamp(-1, 1)
