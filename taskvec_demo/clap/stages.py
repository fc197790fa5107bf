"""What the frozen audio tower computes on its way: a map of cells after its patches and after every stage."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.adapters import StageShapes
from .model import BATCH, Checkpoint

POOLED = 2  # neighbouring cells that are averaged along each axis: a quarter of the numbers is left


class Stages(NamedTuple):
    """Of n windows: maps (n, channels, rows, columns), from the patches to the last stage, and embeddings (n, dim).

    Rows are frequencies, columns are times.
    """

    maps: tuple[Tensor, ...]
    embedding: Tensor

    @property
    def shapes(self) -> StageShapes:
        return StageShapes(tuple((m.shape[1], m.shape[2], m.shape[3]) for m in self.maps), self.embedding.shape[1])


def tower_stages(checkpoint: Checkpoint, mel: Tensor) -> Stages:
    """Log-mel windows (n, 1, frames, mels) through the pre-trained tower, in float32 on the CPU.

    The embeddings are those of `Checkpoint.embed_audio`.
    """
    batches = [_stages(checkpoint, batch) for batch in mel.split(BATCH)]
    maps = zip(*(batch.maps for batch in batches), strict=True)
    return Stages(tuple(torch.cat(parts) for parts in maps), torch.cat([batch.embedding for batch in batches]))


@torch.inference_mode()
def _stages(checkpoint: Checkpoint, mel: Tensor) -> Stages:
    model = checkpoint.model
    encoder = model.audio_model.audio_encoder
    out = encoder(mel, output_hidden_states=True)
    maps = [_unfolded(folded, encoder.freq_ratio) for folded in out.hidden_states[:-1]]
    embedding = F.normalize(model.audio_projection(out.pooler_output), dim=-1)
    return Stages(tuple(_pooled(m) for m in (*maps, out.last_hidden_state)), embedding)


def _unfolded(folded: Tensor, pieces: int) -> Tensor:
    """HTSAT lays pieces of a window below each other: (n, c, pieces · rows, columns) -> (n, c, rows, pieces · columns).

    The output of its last stage is laid out so already.
    """
    n, channels, rows, columns = folded.shape
    apart = folded.reshape(n, channels, pieces, rows // pieces, columns)
    return apart.transpose(2, 3).reshape(n, channels, rows // pieces, pieces * columns)


def _pooled(cells: Tensor) -> Tensor:
    sides = [POOLED if side % POOLED == 0 else 1 for side in cells.shape[2:]]
    return F.avg_pool2d(cells, sides)
