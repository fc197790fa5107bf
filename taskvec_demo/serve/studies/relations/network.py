"""Networks with a shared body and one head a task, for several seeds at once.

The seeds are independent networks whose weights are stacked, so that one pass trains all of them.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (256, 256, 256)  # three shared layers, after Georgiev et al. 2017
CHANNELS = (8, 16, 32)  # of the convolutional body; each layer halves both sides of the picture
DROPOUT = 0.2
BODIES = ("mlp", "cnn")


def _generator(*key: object) -> torch.Generator:
    return torch.Generator().manual_seed(zlib.crc32(repr(key).encode()))


def _stacked(shape: tuple[int, ...], fan_in: int, seeds: range, *key: object) -> nn.Parameter:
    """(seeds, *shape) of He's initialisation; what a seed gets depends on the seed and the key alone."""
    bound = math.sqrt(6 / fan_in)
    draws = [torch.rand(shape, generator=_generator(seed, *key)) for seed in seeds]
    return nn.Parameter((2 * torch.stack(draws) - 1) * bound)


def dropout(x: Tensor, draw: torch.Generator) -> Tensor:
    """`F.dropout` of `x` while training: the same bits on the CPU if torch's one generator were in the state of `draw`.

    Only `draw` is drawn from, so that trainings in one process do not change each other's figures.
    """
    return x * torch.empty_like(x).bernoulli_(1 - DROPOUT, generator=draw) * (1 / (1 - DROPOUT))


class SharedNetwork(nn.Module):
    """A body of the kind `body` ("mlp" or "cnn") and a linear head for each of `classes` (task -> number).

    A task's head and the body start the same whatever the other tasks are, so that runs differ by their tasks alone.
    Dropout draws from a generator of the network's own, whose seed is the number of its tasks.
    """

    def __init__(self, body: str, n_inputs: int, classes: Mapping[str, int], seeds: range) -> None:
        super().__init__()
        if body not in BODIES:
            raise ValueError(f"There is no body {body!r}; choose one of: {', '.join(BODIES)}.")
        self.kind, self.n_seeds = body, len(seeds)
        self._draw = torch.Generator().manual_seed(len(classes))
        if body == "mlp":
            sizes = [n_inputs, *WIDTHS]
            shapes: list[tuple[tuple[int, ...], int]] = [((a, b), a) for a, b in pairwise(sizes)]
        else:
            sizes = [1, *CHANNELS]
            shapes = [((b, a, 3, 3), 9 * a) for a, b in pairwise(sizes)]
        self.weights = nn.ParameterList(_stacked(s, fan, seeds, body, i) for i, (s, fan) in enumerate(shapes))
        outs = [s[1] if body == "mlp" else s[0] for s, _ in shapes]
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(len(seeds), n)) for n in outs)
        width = outs[-1] if body == "mlp" else 2 * outs[-1]
        self.heads = nn.ParameterDict({t: _stacked((width, n), 2 * width, seeds, t) for t, n in classes.items()})

    def forward(self, x: Tensor, task: str) -> Tensor:
        """(seeds, batch, …inputs) -> logits (seeds, batch, classes of `task`)."""
        hidden = self._mlp(x) if self.kind == "mlp" else self._cnn(x)
        return hidden @ self.heads[task]

    def _mlp(self, x: Tensor) -> Tensor:
        for weight, bias in zip(self.weights, self.biases, strict=True):
            x = self._dropped(F.relu(x @ weight + bias.unsqueeze(1)))
        return x

    def _cnn(self, x: Tensor) -> Tensor:
        """Seeds become groups of channels. The mean and the maximum over the picture go to the head."""
        seeds, batch = x.shape[:2]
        x = x.transpose(0, 1)  # (batch, seeds, frames, mels)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            x = F.conv2d(x, weight.flatten(0, 1), bias.flatten(), stride=2, padding=1, groups=self.n_seeds).relu()
        x = x.reshape(batch, seeds, -1, *x.shape[2:]).transpose(0, 1)
        pooled = torch.cat([x.mean((-2, -1)), x.amax((-2, -1))], dim=-1)
        return self._dropped(pooled)

    def _dropped(self, x: Tensor) -> Tensor:
        return dropout(x, self._draw) if self.training else x
