"""Adapters beside a frozen audio tower: what one costs, and what it answers (Tagliasacchi et al. 2020, "Multi-task
adapters for on-device audio inference").

An adapter is a narrow network for one task. It has a layer beside each later stage of the tower and one beside the
tower's projection. A layer reads the tower's output below it together with the adapter's own output below it. Only the
tower is shared, so adapters of several tasks share one pass of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import BadArtifactError
from .weights import read_safetensors, write_safetensors

FORMAT = "1"  # of a file of adapters
TAPS = 3  # of a depthwise filter along an axis that is longer than one cell


@dataclass(frozen=True)
class StageShapes:
    """What a tower gives of one window: `maps` (channels, rows, columns), from its patches to its last stage, and an
    embedding of `dim` numbers. Rows are frequencies, columns are times.
    """

    maps: tuple[tuple[int, int, int], ...]
    dim: int

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> StageShapes:
        return cls(tuple(tuple(shape) for shape in fields["maps"]), int(fields["dim"]))

    def beside(self) -> tuple[int, ...]:
        """Channels of what each layer of an adapter lies beside: the later stages, and the projection."""
        return (*(channels for channels, _, _ in self.maps[1:]), self.dim)

    def widths(self, share: float) -> tuple[int, ...]:
        """Channels of an adapter's layers that have this share of the tower's, one at least."""
        return tuple(max(1, round(share * channels)) for channels in self.beside())

    def filters(self) -> Iterator[Filter]:
        """How each layer but the last goes from the cells of one map to those of the next."""
        for (_, rows, columns), (_, rows_after, columns_after) in zip(self.maps, self.maps[1:], strict=False):
            taps = (TAPS if rows > 1 else 1, TAPS if columns > 1 else 1)
            stride = (rows // rows_after, columns // columns_after)
            yield Filter(taps, stride, rows * columns, rows_after * columns_after)


@dataclass(frozen=True)
class Filter:
    """A depthwise filter: its taps and strides along rows and columns, and the cells before and after it."""

    taps: tuple[int, int]
    stride: tuple[int, int]
    cells: int
    cells_after: int

    @property
    def padding(self) -> tuple[int, int]:
        return (self.taps[0] // 2, self.taps[1] // 2)


@dataclass(frozen=True)
class Cost:
    """Parameters, and floating-point operations of one window: two for each product that is added up.

    Both are numbers, or tensors of one shape.
    """

    parameters: Any
    flops: Any


def cost(shapes: StageShapes, widths: Sequence[Any], n_classes: int) -> Cost:
    """What an adapter with so many channels in each layer costs, its head included.

    `widths` may be tensors, of the sums of gates: then the cost has a gradient.
    """
    parameters: Any = 0
    flops: Any = 0
    below: Any = 0
    *narrow, last = widths
    for (channels, _, _), step, width in zip(shapes.maps, shapes.filters(), narrow, strict=False):
        taps = step.taps[0] * step.taps[1]
        parameters = parameters + width * (channels + below + 1 + taps + 1)
        flops = flops + 2 * width * ((channels + below) * step.cells + taps * step.cells_after)
        below = width
    read = shapes.maps[-1][0] + below
    parameters = parameters + last * (read + 1) + n_classes * (shapes.dim + last + 1)
    flops = flops + 2 * last * read + 2 * n_classes * (shapes.dim + last)
    return Cost(parameters, flops)


class Adapter(nn.Module):
    """One task's adapter with `widths` channels in its layers; a layer of none is not there at all."""

    def __init__(self, shapes: StageShapes, widths: Sequence[int], n_classes: int) -> None:
        super().__init__()
        self.shapes, self.widths = shapes, tuple(widths)
        self.points, self.depths = nn.ModuleDict(), nn.ModuleDict()
        below = 0
        *narrow, last = self.widths
        for i, (step, width) in enumerate(zip(shapes.filters(), narrow, strict=True)):
            if width:
                self.points[str(i)] = nn.Conv2d(shapes.maps[i][0] + below, width, 1)
                self.depths[str(i)] = nn.Conv2d(width, width, step.taps, step.stride, step.padding, groups=width)
            below = width
        self.dense = nn.Linear(shapes.maps[-1][0] + below, last) if last else None
        self.head = nn.Linear(shapes.dim + last, n_classes)

    def forward(self, maps: Sequence[Tensor], embedding: Tensor) -> Tensor:
        """Maps (n, channels, rows, columns) and embeddings (n, dim) of windows -> logits (n, classes)."""
        own: Tensor | None = None
        for i, width in enumerate(self.widths[:-1]):
            read = maps[i] if own is None else torch.cat([maps[i], own], 1)
            own = F.relu(self.depths[str(i)](F.relu(self.points[str(i)](read)))) if width else None
        heard = embedding
        if self.dense is not None:
            read = maps[-1] if own is None else torch.cat([maps[-1], own], 1)
            heard = torch.cat([embedding, F.relu(self.dense(read.mean((2, 3))))], 1)
        return self.head(heard)

    @classmethod
    def from_tensors(cls, shapes: StageShapes, tensors: Mapping[str, Tensor]) -> Adapter:
        """The adapter with these tensors; its widths are read from their shapes. Raises BadArtifactError."""
        try:
            n_layers = len(shapes.beside())
            widths = [len(tensors[n]) if (n := f"points.{i}.bias") in tensors else 0 for i in range(n_layers - 1)]
            widths.append(len(tensors["dense.bias"]) if "dense.bias" in tensors else 0)
            adapter = cls(shapes, widths, len(tensors["head.bias"]))
            adapter.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        except (KeyError, RuntimeError) as error:
            raise BadArtifactError(f"These tensors are no adapter of this tower: {error}.") from error
        return adapter.eval().requires_grad_(False)


def clip_logits(window_logits: Tensor, owners: Tensor, n_clips: int) -> Tensor:
    """Logits of windows (k, classes), and the clip of each (k,) -> the mean logits of every clip (n_clips, classes)."""
    total = window_logits.new_zeros(n_clips, window_logits.shape[1]).index_add_(0, owners, window_logits)
    return total / torch.bincount(owners, minlength=n_clips)[:, None]


def write_adapters(file: Path, adapters: Mapping[str, Adapter], metadata: Mapping[str, str]) -> None:
    """Adapters by name, in float16; the file appears whole."""
    tensors = {f"{n}/{key}": t.half() for n, adapter in adapters.items() for key, t in adapter.state_dict().items()}
    write_safetensors(file, tensors, {"format": FORMAT, **metadata})


def read_adapters(file: Path, shapes: StageShapes) -> dict[str, Adapter]:
    """The adapters of a file by name. Raises BadArtifactError, also for a file of another format."""
    tensors, header = read_safetensors(file)
    if header.get("format") != FORMAT:
        raise BadArtifactError(
            f"{file} has adapter format {header.get('format')!r}; this version reads format {FORMAT!r}."
        )
    found: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        adapter, _, own = name.partition("/")
        found.setdefault(adapter, {})[own] = tensor
    return {name: Adapter.from_tensors(shapes, own) for name, own in found.items()}
