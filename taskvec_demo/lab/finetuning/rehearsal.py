"""Rehearsal: while a vector learns its task, clips of other sets keep their embeddings.

It follows learning without forgetting (arXiv:1606.09282), with embeddings instead of answers, so that no label of these
clips is used. A vector that changes little beyond its task can be added to other vectors at little cost.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from tqdm import tqdm

from ...clap.model import Checkpoint
from ...errors import TaskVecError
from ..data.datasets import MelStore
from ..data.embedding import window_batch

EVERY = 2  # one window is rehearsed for every two that are learned
CHUNK = 512  # windows that are read and embedded together


@dataclass(frozen=True)
class Kept:
    """Windows (n, frames, mels) and the unit embeddings (n, dim) that they should keep."""

    x: torch.Tensor
    embedded: torch.Tensor


@dataclass(frozen=True)
class Rehearsal:
    """The first windows of training clips, by set: their place in the cache, and their embeddings (n, dim)."""

    windows: Mapping[str, list[int]]
    embedded: Mapping[str, torch.Tensor]

    def batch(self, learned: int, store: MelStore) -> Kept:
        """The windows to rehearse beside `learned` windows of the task: one for every `EVERY`, from all sets equally
        often.
        """
        sets = list(self.windows)
        drawn = [sets[i] for i in torch.randint(len(sets), (-(-learned // EVERY),)).tolist()]
        chosen = [(name, int(torch.randint(len(self.windows[name]), ()))) for name in drawn]
        x = window_batch(store, [self.windows[name][i] for name, i in chosen]).squeeze(1)
        return Kept(x, torch.stack([self.embedded[name][i] for name, i in chosen]))


def rehearsal_of(checkpoint: Checkpoint, store: MelStore, without: Collection[str]) -> Rehearsal:
    """The training clips of all sets except those in `without`, with the embeddings of the pre-trained model.

    Raises TaskVecError where there is no such clip.
    """
    sets = [name for name in dict.fromkeys(r.dataset for r in store.select(split="train")) if name not in without]
    if not sets:
        raise TaskVecError(
            f"There is nothing to rehearse: the data folder has no training clips but those of {', '.join(without)}."
        )
    found = {name: _embedded(checkpoint, store, name) for name in tqdm(sets, desc="what is rehearsed", unit="set")}
    return Rehearsal({n: windows for n, (windows, _) in found.items()}, {n: rows for n, (_, rows) in found.items()})


@lru_cache(maxsize=64)  # the vectors of one build rehearse much the same sets
def _embedded(checkpoint: Checkpoint, store: MelStore, name: str) -> tuple[list[int], torch.Tensor]:
    """The first windows of a set's training clips, and their unit embeddings (n, dim)."""
    windows = [r.first_window for r in store.select(dataset=name, split="train")]
    parts = [checkpoint.embed_audio(window_batch(store, windows[i : i + CHUNK])) for i in range(0, len(windows), CHUNK)]
    return windows, torch.nn.functional.normalize(torch.cat(parts), dim=-1)
