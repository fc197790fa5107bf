"""The batches of pretraining: random augmented windows of training clips, with all that is told about each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from ..data.augment import augment, mixup
from ..data.datasets import ClipRow, MelStore
from .audio_teachers import Lessons
from .captions import caption, told_by_name

BATCH, MIXED, MIX_ALPHA = 32, 0.6, 0.4  # windows, share of batches that are mixed, parameter of the mixing's Beta
# Share of the draws by set: most for the control, which the model must know well.
SHARES = {
    "esc50": 0.30,
    "urban": 0.10,
    "kitchen20": 0.06,
    "gtzan_mini": 0.06,
    "animals": 0.01,
    "philharmonia": 0.06,
    "drums": 0.01,
    "fsdd": 0.04,
    "ravdess": 0.05,
    "nemo": 0.05,
    "music_x": 0.07,
    "fx_x": 0.05,
    "speech_x": 0.04,
    "mix_x": 0.10,
}
TAGGED = ("esc50", "animals", "fx_x")  # elsewhere the tagger's names would say by name what is to stay half-known


class Tags(Protocol):
    """What a tagger hears in a clip, a distribution over its names."""

    def target(self, row: ClipRow) -> torch.Tensor: ...


@dataclass(frozen=True)
class Batch:
    """Windows (batch, frames, mels); targets over caption groups and tags (batch, n), zeros where there are none; the
    outputs of the audio teachers, (batch, size) each, and how much a clip counts for each (batch, teachers)."""

    x: torch.Tensor
    captions: torch.Tensor
    tags: torch.Tensor
    lessons: Sequence[torch.Tensor]
    counts: torch.Tensor


def caption_groups(rows: Sequence[ClipRow], names: Sequence[str]) -> torch.Tensor:
    """The index in `names` of each clip's caption group (n,); -1 for a clip without a caption."""
    told, place = told_by_name(rows), {name: i for i, name in enumerate(names)}
    said = [caption(row, told) for row in rows]
    return torch.tensor([-1 if one is None else place[one] for one in said])


def draw_weights(rows: Sequence[ClipRow], groups: torch.Tensor) -> torch.Tensor:
    """The relative weight with which each clip is drawn (n,).

    Sets get the shares in SHARES. Within a set, a clip has 1 / sqrt of the size of its caption group.
    """
    weights = torch.bincount(groups + 1).clamp_min(1).float().rsqrt()[groups + 1]
    for name in {row.dataset for row in rows}:
        own = torch.tensor([row.dataset == name for row in rows])
        weights[own] *= SHARES[name] / weights[own].sum()
    return weights


class Batches:
    """Draws batches of the training clips of `stores` that all audio teachers have heard."""

    def __init__(self, stores: Sequence[MelStore], names: Sequence[str], tags: Tags, folders: Sequence[Path]) -> None:
        lessons = Lessons(folders, [row for store in stores for row in store.select(split="train")])
        self.rows, owner = lessons.rows, {r.dataset: store for store in stores for r in store.rows}
        self._mels = [owner[row.dataset].mel for row in self.rows]
        groups = caption_groups(self.rows, names)
        self.weights = draw_weights(self.rows, groups)
        captions = torch.nn.functional.one_hot(groups + 1, len(names) + 1)[:, 1:].float()
        heard = [tags.target(row) for row in self.rows]
        tagged = torch.tensor([row.dataset in TAGGED for row in self.rows])
        parts = [captions, torch.stack(heard) * tagged[:, None], *lessons.targets, lessons.counts]
        self.sizes = [t.shape[1] for t in lessons.targets]
        self._targets, self._widths = torch.cat(parts, 1), [part.shape[1] for part in parts]

    def draw(self, n: int = BATCH) -> Batch:
        """A batch of n windows; when it is mixed, everything that is told about its clips is mixed alike."""
        chosen = torch.multinomial(self.weights, n).tolist()
        windows = [self._window(i) for i in chosen]
        x, target = augment(torch.from_numpy(np.stack(windows).astype(np.float32))), self._targets[chosen]
        if torch.rand(()) < MIXED:
            x, target = mixup(x, target, MIX_ALPHA)
        captions, tags, *lessons, counts = target.split(self._widths, 1)
        return Batch(x, captions, tags, lessons, counts)

    def _window(self, i: int) -> np.ndarray:
        row = self.rows[i]
        return self._mels[i][row.first_window + int(torch.randint(row.n_windows, ()))]
