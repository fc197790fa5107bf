"""Adapters whose channels have gates: several runs at once, which differ only in what a channel costs them.

The runs are independent networks. Their channels lie beside each other in one tensor, so that one pass trains them all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....clap.stages import Stages
from ....core.adapters import StageShapes, cost

Measure = Literal["", "parameters", "flops"]
DROPOUT = 0.2  # of what the head reads
SLOPES = (1.0, 60.0)  # of a gate at the first step and at the last one at which gates learn


@dataclass(frozen=True)
class Run:
    """One training. `price` is λ, the weight of the cost in the loss, where 1 is the cost of all channels open.

    Without a measure all gates stay as `opened` says: all open, or all closed, which leaves a linear head.
    """

    name: str
    measure: Measure = ""
    price: float = 0.0
    opened: bool = True


def slope(progress: float) -> float:
    """The slope s of the gates after this share of their learning. Each step multiplies it by the same factor."""
    first, last = SLOPES
    return first * (last / first) ** min(progress, 1.0)


def gate(a: Tensor, s: float) -> Tensor:
    """min(1, relu(s · a + 0.5)): between 0 and 1, and all but a step where s is large."""
    return torch.clamp(s * a + 0.5, 0.0, 1.0)


class GatedAdapters(nn.Module):
    """The adapters of `runs`, all with the same first weights, and a gate for every channel but the head's.

    They read stages whose channels have mean 0 and deviation 1 (`Scales.apply`).
    """

    def __init__(
        self, shapes: StageShapes, widths: Sequence[int], n_classes: int, runs: Sequence[Run], seed: int
    ) -> None:
        super().__init__()
        self.shapes, self.widths, self.n_classes, self.runs = shapes, tuple(widths), n_classes, tuple(runs)
        self._draw = torch.Generator().manual_seed(seed)
        self.filters = list(shapes.filters())
        reads = [channels for channels, _, _ in shapes.maps]
        fans = [read + below for read, below in zip(reads, (0, *self.widths), strict=False)]
        layers = list(zip(self.widths, reads, fans, strict=True))
        self.shared = nn.ParameterList(self._repeated((width, read), fan) for width, read, fan in layers)
        # The first layer has none of its own below it, so that own[i] belongs to layer i + 1.
        narrower = zip(layers[1:], self.widths, strict=False)
        self.own = nn.ParameterList(self._repeated((width, below), fan) for (width, _, fan), below in narrower)
        self.bias = self._zeros(self.widths)
        taps = [step.taps for step in self.filters]
        self.depth = nn.ParameterList(
            self._repeated((w, *t), math.prod(t)) for w, t in zip(self.widths[:-1], taps, strict=True)
        )
        self.depth_bias = self._zeros(self.widths[:-1])
        self.head_shared = self._repeated((n_classes, shapes.dim), 2 * (shapes.dim + self.widths[-1]))
        self.head_own = self._repeated((n_classes, self.widths[-1]), 2 * (shapes.dim + self.widths[-1]))
        self.head_bias = nn.Parameter(torch.zeros(len(runs), n_classes))
        self.a = self._zeros(self.widths)
        self.learns = torch.tensor([bool(r.measure) for r in runs])[:, None]
        self.fixed = torch.tensor([float(r.opened) for r in runs])[:, None]

    def _repeated(self, shape: tuple[int, ...], fan_in: int) -> nn.Parameter:
        """(runs, *shape): He's initialisation, the same for every run."""
        drawn = 2 * torch.rand(shape, generator=self._draw) - 1
        return nn.Parameter((drawn * math.sqrt(6 / fan_in)).repeat(len(self.runs), *(1 for _ in shape)))

    def _zeros(self, widths: Sequence[int]) -> nn.ParameterList:
        return nn.ParameterList(nn.Parameter(torch.zeros(len(self.runs), width)) for width in widths)

    def gates(self, s: float) -> list[Tensor]:
        """The gates (runs, channels) of each layer at slope `s`."""
        return [torch.where(self.learns, gate(a, s), self.fixed) for a in self.a]

    def forward(self, stages: Stages, gates: Sequence[Tensor]) -> Tensor:
        """Scaled stages of n windows -> logits (runs, n, classes)."""
        n, runs = len(stages.embedding), len(self.runs)
        own: Tensor | None = None
        for i, step in enumerate(self.filters):
            read = F.conv2d(stages.maps[i], _points(self.shared[i]), self.bias[i].flatten())
            if own is not None:
                read = read + F.conv2d(own, _points(self.own[i - 1]), groups=runs)
            depth = self.depth[i].flatten(0, 1)[:, None]
            bias = self.depth_bias[i].flatten()
            passed = F.relu(F.conv2d(F.relu(read), depth, bias, step.stride, step.padding, groups=len(depth)))
            own = passed * gates[i].reshape(1, -1, 1, 1)
        assert own is not None
        mean = torch.einsum("bc,rnc->rbn", stages.maps[-1].mean((2, 3)), self.shared[-1])
        below = own.mean((2, 3)).view(n, runs, -1)
        dense = F.relu(mean + torch.einsum("brm,rnm->rbn", below, self.own[-1]) + self.bias[-1][:, None])
        dense = F.dropout(dense * gates[-1][:, None], DROPOUT, self.training)
        heard = F.dropout(stages.embedding, DROPOUT, self.training)
        heard = torch.einsum("bd,rkd->rbk", heard, self.head_shared)
        return heard + torch.einsum("rbn,rkn->rbk", dense, self.head_own) + self.head_bias[:, None]

    def cost_shares(self, gates: Sequence[Tensor]) -> Tensor:
        """(runs,): what the open channels cost by each run's own measure, where 0 is none and 1 is all of them.

        The price of the head, which every run pays, is left out.
        """
        none = cost(self.shapes, [0] * len(self.widths), self.n_classes)
        full = cost(self.shapes, self.widths, self.n_classes)
        now = cost(self.shapes, [g.sum(1) for g in gates], self.n_classes)
        shares = {
            "parameters": (now.parameters - none.parameters) / (full.parameters - none.parameters),
            "flops": (now.flops - none.flops) / (full.flops - none.flops),
            "": torch.zeros(len(self.runs)),
        }
        return torch.stack([shares[run.measure][r] for r, run in enumerate(self.runs)])


def _points(weights: Tensor) -> Tensor:
    """Matrices (runs, out, in) as the kernel (runs · out, in, 1, 1) of a convolution over single cells."""
    return weights.flatten(0, 1)[..., None, None]


def stage_runs(prices: dict[Measure, tuple[float, ...]]) -> list[Run]:
    """Every price of every measure, all gates open, and all closed: the linear head of multi-task learning."""
    priced = [Run(f"{measure} {price:g}", measure, price) for measure, some in prices.items() for price in some]
    return [Run("multi-head", opened=False), Run("open"), *priced]
