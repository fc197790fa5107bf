"""Embedding and scoring labelled clips under given weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from ...clap.model import Checkpoint
from ...core.weights import Weights
from .datasets import ClipRow, MelStore


def window_batch(store: MelStore, windows: Sequence[int]) -> torch.Tensor:
    """Cached windows by index -> float32 (n, 1, frames, mels)."""
    return torch.from_numpy(np.stack([store.mel[w] for w in windows]).astype(np.float32)).unsqueeze(1)


def embed_rows(
    checkpoint: Checkpoint, store: MelStore, rows: Sequence[ClipRow], weights: Weights | None = None
) -> torch.Tensor:
    """Clips -> unit embeddings (n, dim). Each is the normalized mean of the embeddings of its windows."""
    index = [(i, w) for i, r in enumerate(rows) for w in range(r.first_window, r.first_window + r.n_windows)]
    owner = torch.tensor([i for i, _ in index])
    embedded = checkpoint.embed_audio(window_batch(store, [w for _, w in index]), weights)
    return F.normalize(torch.zeros(len(rows), checkpoint.dim).index_add_(0, owner, embedded), dim=-1)


def embed_tasks(
    checkpoint: Checkpoint, store: MelStore, clips: Mapping[str, Sequence[ClipRow]], weights: Weights | None = None
) -> dict[str, torch.Tensor]:
    """The clips of several tasks -> embeddings by task. A clip of two tasks is embedded once."""
    rows = list(dict.fromkeys(row for task_rows in clips.values() for row in task_rows))
    place = {row: i for i, row in enumerate(rows)}
    embedded = embed_rows(checkpoint, store, rows, weights)
    return {task: embedded[[place[row] for row in task_rows]] for task, task_rows in clips.items()}
