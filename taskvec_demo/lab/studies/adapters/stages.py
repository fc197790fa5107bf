"""What the frozen tower gives of every window, computed once and kept in the work folder.

Each part of the cache is a file that appears whole, so that a killed run goes on with the next part.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ....clap.model import Checkpoint
from ....clap.stages import Stages, tower_stages
from ....core.adapters import StageShapes
from ....core.files import whole_file
from ...data.datasets import ClipRow, MelStore
from ...data.embedding import window_batch
from ...finetuning.training_state import fingerprint

PART = 512  # windows in a file: half a minute of work at most is lost by a kill
MEASURED = 2048  # windows, at most, of which means and deviations are taken
LEAST_DEVIATION = 1e-3
Say = Callable[[str], None]


class StageStore:
    """Maps and embeddings of cached windows: float16 (n_windows, numbers), part by part, in the order of `windows`.

    `key` is a hash of the tower and of the windows' content.
    """

    def __init__(self, key: str, shapes: StageShapes, parts: list[np.ndarray], windows: Sequence[int]) -> None:
        self.key, self.shapes, self._parts = key, shapes, parts
        self.place = {window: i for i, window in enumerate(windows)}

    @classmethod
    def open(
        cls, work: Path, checkpoint: Checkpoint, store: MelStore, rows: Sequence[ClipRow], say: Say = print
    ) -> StageStore:
        """The cache under `work` of all windows of `rows`; what is missing is computed first."""
        windows = sorted({w for r in rows for w in windows_of(r)})
        said = json.dumps([PART, windows, [(r.dataset, r.file, r.first_window) for r in rows]])
        key = fingerprint([checkpoint.pretrained.sha256, said, store.sha256(rows)])
        folder = work / "adapters" / f"stages-{key[:12]}"
        parts = []
        for start in range(0, len(windows), PART):
            file = folder / f"{start // PART:04d}.npy"
            if not file.is_file():
                say(f"stages of the tower: {start} of {len(windows)} windows")
                flat = _flat(tower_stages(checkpoint, window_batch(store, windows[start : start + PART])))
                with whole_file(file) as temporary, temporary.open("wb") as stream:
                    np.save(stream, flat.half().numpy())
            parts.append(np.load(file, mmap_mode="r"))
        shapes = tower_stages(checkpoint, window_batch(store, windows[:1])).shapes
        return cls(key, shapes, parts, windows)

    def of(self, windows: Sequence[int]) -> Tensor:
        """Windows of the cache of log-mels -> float16 (n, numbers)."""
        places = [self.place[w] for w in windows]
        return torch.from_numpy(np.stack([self._parts[p // PART][p % PART] for p in places]))

    def split(self, flat: Tensor) -> Stages:
        """(n, numbers) -> maps and embeddings, float32."""
        sizes = [c * rows * columns for c, rows, columns in self.shapes.maps]
        *maps, embedding = flat.float().split([*sizes, self.shapes.dim], 1)
        shaped = (m.reshape(-1, *shape) for m, shape in zip(maps, self.shapes.maps, strict=True))
        return Stages(tuple(shaped), embedding)


class Scales:
    """Mean and deviation of each channel of each map, and of each number of the embedding, over training windows.

    Training reads what has mean 0 and deviation 1; pruning puts the scales into the weights.
    """

    def __init__(self, means: Sequence[Tensor], deviations: Sequence[Tensor]) -> None:
        self.means, self.deviations = list(means), list(deviations)

    @classmethod
    def of(cls, store: StageStore, training: Sequence[int]) -> Scales:
        """Over the windows `training`, or evenly picked ones of them where they are many."""
        picked = list(training)[:: max(1, len(training) // MEASURED)]
        stages = store.split(store.of(picked))
        flat = [*(m.transpose(0, 1).flatten(1) for m in stages.maps), stages.embedding.T]
        return cls([f.mean(1) for f in flat], [f.std(1).clamp_min(LEAST_DEVIATION) for f in flat])

    def apply(self, stages: Stages) -> Stages:
        pairs = zip(stages.maps, self.means, self.deviations, strict=False)
        maps = (((m - mean[:, None, None]) / deviation[:, None, None]) for m, mean, deviation in pairs)
        return Stages(tuple(maps), (stages.embedding - self.means[-1]) / self.deviations[-1])


def windows_of(row: ClipRow) -> range:
    return range(row.first_window, row.first_window + row.n_windows)


def _flat(stages: Stages) -> Tensor:
    return torch.cat([*(m.flatten(1) for m in stages.maps), stages.embedding], 1)
