"""From gated adapters to the small network that is left: closed channels are cut out, gates and scales go into the
weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ....core.adapters import Adapter, Cost, StageShapes
from .gates import GatedAdapters
from .stages import Scales


def reached(gates: Sequence[Tensor]) -> list[Tensor]:
    """The channels of one run that are open and reach the head, as indices.

    A layer of which nothing is left leaves the layer below it unread. `gates` (channels,) are those of each layer.
    """
    kept: list[Tensor] = []
    for own in reversed(gates):
        is_read = not kept or len(kept[-1]) > 0
        kept.append(torch.nonzero(own > 0).flatten() if is_read else torch.empty(0, dtype=torch.long))
    return kept[::-1]


@torch.no_grad()
def pruned(gated: GatedAdapters, run: int, gates: Sequence[Tensor], scales: Scales) -> Adapter:
    """The adapter of one run, which reads the tower's own stages and gives the gated network's logits.

    A gate is never negative, so that gate · relu(x) is relu(gate · x).
    """
    own = [g[run] for g in gates]
    kept = reached(own)
    adapter = Adapter(gated.shapes, [len(k) for k in kept], gated.n_classes).to(gated.head_bias.dtype)
    below = torch.empty(0, dtype=torch.long)
    for i, channels in enumerate(kept):
        if len(channels):
            shared, bias = _unscaled(
                gated.shared[i][run, channels], gated.bias[i][run, channels], scales.means[i], scales.deviations[i]
            )
            weights = torch.cat([shared, gated.own[i - 1][run, channels][:, below]], 1) if i else shared
            opened = own[i][channels]
            if i < len(kept) - 1:
                _fill(adapter.points[str(i)], weights[..., None, None], bias)
                depth = (gated.depth[i][run, channels] * opened[:, None, None])[:, None]
                _fill(adapter.depths[str(i)], depth, gated.depth_bias[i][run, channels] * opened)
            else:
                assert adapter.dense is not None
                _fill(adapter.dense, weights * opened[:, None], bias * opened)
        below = channels
    shared, bias = _unscaled(gated.head_shared[run], gated.head_bias[run], scales.means[-1], scales.deviations[-1])
    _fill(adapter.head, torch.cat([shared, gated.head_own[run][:, below]], 1), bias)
    return adapter.eval().requires_grad_(False)


def _unscaled(weights: Tensor, bias: Tensor, mean: Tensor, deviation: Tensor) -> tuple[Tensor, Tensor]:
    """Weights and bias to apply to x itself, from those that were learned for (x − mean) / deviation."""
    weights = weights / deviation.to(weights)
    return weights, bias - weights @ mean.to(weights)


def _fill(layer: nn.Module, weights: Tensor, bias: Tensor) -> None:
    layer.weight.copy_(weights)  # type: ignore[operator]
    layer.bias.copy_(bias)  # type: ignore[operator]


def counted(adapter: Adapter) -> Cost:
    """Parameters and operations of an adapter for one window, counted layer by layer while it runs."""
    flops = 0

    def count(layer: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        nonlocal flops
        weights = layer.weight  # its elements are multiplied once for each cell of the output
        assert isinstance(weights, Tensor)
        cells = out.shape[2] * out.shape[3] if out.dim() == 4 else 1
        flops += 2 * weights.numel() * cells

    hooks = [m.register_forward_hook(count) for m in adapter.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    try:
        adapter(*_silence(adapter.shapes, adapter.head.weight.dtype))
    finally:
        for hook in hooks:
            hook.remove()
    return Cost(sum(p.numel() for p in adapter.parameters()), flops)


def _silence(shapes: StageShapes, dtype: torch.dtype) -> tuple[list[Tensor], Tensor]:
    return [torch.zeros(1, *shape, dtype=dtype) for shape in shapes.maps], torch.zeros(1, shapes.dim, dtype=dtype)
