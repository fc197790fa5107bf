"""The last step of pretraining: the audio projection is fitted anew to what the trained tower hears.

While the tower learns captions, a tagger and five teachers of mixed and masked windows, its projection follows a moving
target. On the pooled features of clips as they are a fresh one is fitted in a minute, and names more clips that no
training saw. The rest of the tower stays as it is (the last layers anew: arXiv:2204.02937).
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

from ...clap.model import AudioTower
from ..data.datasets import ClipRow, MelStore
from ..finetuning.projection import CHUNK, Projection

STEPS, BATCH, RATE, WEIGHT_DECAY, LABEL_SMOOTHING = 600, 512, 2e-3, 0.1, 0.1
DROPOUT = 0.4  # of the features


@torch.inference_mode()
def _heard(tower: AudioTower, store: MelStore, rows: list[ClipRow]) -> torch.Tensor:
    """The pooled features of the first window of each clip (n, width)."""
    parts = []
    for start in tqdm(range(0, len(rows), CHUNK), desc="what the tower hears", unit="batch"):
        windows = [r.first_window for r in rows[start : start + CHUNK]]
        x = torch.from_numpy(np.asarray(store.mel[windows], dtype=np.float32))
        parts.append(tower.audio_model(input_features=x.unsqueeze(1)).pooler_output)
    return torch.cat(parts).clone()


def fit_projection(
    tower: AudioTower,
    store: MelStore,
    rows: list[ClipRow],
    groups: torch.Tensor,
    weights: torch.Tensor,
    names: torch.Tensor,
    seed: int = 0,
) -> float:
    """Fit the projection of `tower` in place; returns the logit scale that belongs to it.

    `groups` (n,): the caption group of each clip, -1 for none; `weights` (n,): how often a clip is drawn; `names`
    (n_groups, dim): the places of the groups' names, unit rows.
    """
    torch.manual_seed(seed)
    told = [i for i, group in enumerate(groups.tolist()) if group >= 0]
    heard, groups, weights = _heard(tower.eval(), store, [rows[i] for i in told]), groups[told], weights[told]
    projection = Projection(tower, heard, fresh=True)
    scale = torch.nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def loss() -> torch.Tensor:
        chosen = torch.multinomial(weights, BATCH, replacement=True)
        logits = projection(heard[chosen], DROPOUT) @ names.T * scale.exp().clamp(max=100)
        return F.cross_entropy(logits, groups[chosen], label_smoothing=LABEL_SMOOTHING)

    projection.fit(loss, STEPS, RATE, WEIGHT_DECAY, [scale])
    projection.write(tower)
    return float(scale.detach().exp().clamp(max=100))
