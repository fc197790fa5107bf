"""Forward passes of the audio tower under given weights, as a traced graph over a flat buffer of weights.

`torch.jit.trace` records a pass once, so that it runs without Python. A window of tiny-CLAP takes 5 ms instead of 9,
with the same bits, and passes of two threads run side by side.
"""

from __future__ import annotations

import contextlib
import copy
import threading
import warnings
import weakref
from collections.abc import Iterator

import torch

from ..core.weights import Layout, Weights

_tracing = threading.Lock()  # torch records one graph at a time


class TracedTower:
    """A tower that embeds windows with the weights that were loaded into its buffer; for one thread at a time."""

    def __init__(self, tower: torch.nn.Module, layout: Layout, example: torch.Tensor, device: torch.device) -> None:
        self.buffer = torch.empty(layout.size, device=device)
        self._example = example
        self._loaded: weakref.ref[Weights] | None = None
        self._graphs: dict[torch.dtype, torch.jit.ScriptFunction] = {}
        # The module is copied without its parameters, which become views of the buffer.
        shared = {id(p): p for p in tower.parameters()}
        self._module = copy.deepcopy(tower, shared).to(device)
        for name, view in layout.views(self.buffer).items():
            owner, _, leaf = name.rpartition(".")
            setattr(self._module.get_submodule(owner), leaf, torch.nn.Parameter(view, requires_grad=False))

    def load(self, weights: Weights) -> None:
        """Copy the values of `weights` into the buffer, unless they are those of the last call."""
        if self._loaded is None or self._loaded() is not weights:
            self.buffer.copy_(weights.buffer)
            self._loaded = weakref.ref(weights)

    def load_sum(self, weights: Weights, delta: torch.Tensor, scaling_coef: float) -> None:
        """Write `weights` + λ `delta` into the buffer; `delta` (layout.size,) holds the float32 values of a vector."""
        self._loaded = None
        if self.buffer.is_cpu:
            torch.add(weights.buffer, delta, alpha=scaling_coef, out=self.buffer)
        else:
            self.buffer.copy_(weights.buffer).add_(delta.to(self.buffer.device), alpha=scaling_coef)

    def embed(self, mel: torch.Tensor, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Windows (n, 1, frames, mels) -> unit embeddings (n, dim) float32 on the CPU, computed in `dtype`."""
        with torch.inference_mode():
            return self._graph(dtype)(mel.to(self.buffer.device)).cpu()

    def _graph(self, dtype: torch.dtype) -> torch.jit.ScriptFunction:
        if dtype not in self._graphs:
            rounded = dtype != torch.float32
            device = self.buffer.device
            with (
                _tracing,
                warnings.catch_warnings(),
                torch.inference_mode(False),
                torch.no_grad(),
                torch.autocast(device.type, dtype if rounded else torch.bfloat16, rounded, cache_enabled=False),
            ):
                # The graph keeps the branches that the shape of a window decides: all windows of a checkpoint have one
                # shape.
                warnings.simplefilter("ignore")
                self._graphs[dtype] = torch.jit.trace(self._module, (self._example.to(device),), check_trace=False)
        return self._graphs[dtype]


class TowerPool:
    """The towers of a checkpoint, one for each forward pass that may run at once.

    A patient caller waits until no other caller waits.
    """

    def __init__(self, tower: torch.nn.Module, layout: Layout, example: torch.Tensor, size: int, device: str) -> None:
        self.size = size
        self._free = [TracedTower(tower, layout, example, torch.device(device)) for _ in range(size)]
        self._changed = threading.Condition()
        self._hurried = 0  # callers who wait and are not patient

    @contextlib.contextmanager
    def borrow(self, patient: bool = False) -> Iterator[TracedTower]:
        """A tower for the caller alone.

        The call waits until one is free. A thread must not borrow a second one meanwhile.
        """
        with self._changed:
            if patient:
                self._changed.wait_for(lambda: self._free and not self._hurried)
            else:
                self._hurried += 1
                self._changed.wait_for(lambda: self._free)
                self._hurried -= 1
            tower = self._free.pop()
        try:
            yield tower
        finally:
            with self._changed:
                self._free.append(tower)
                self._changed.notify_all()

    def all(self) -> Iterator[TracedTower]:
        """Every tower in turn, each for the caller alone until the iteration ends."""
        with contextlib.ExitStack() as borrowed:
            for _ in range(self.size):
                yield borrowed.enter_context(self.borrow())
