"""The last step of pretraining: the audio projection is fitted anew to what the trained tower hears.

While the tower learns captions, a tagger and five teachers of mixed and masked windows, its projection follows a moving
target. On the pooled features of whole clips a fresh one is fitted in a minute, and names more clips that no training
saw. The rest of the tower stays as it is (the last layers anew: arXiv:2204.02937).
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

from ...clap.model import AudioTower
from ..data.augment import augment
from ..data.datasets import ClipRow, MelStore
from ..finetuning.projection import CHUNK, Projection

VIEWS = 2  # augmented windows of each clip, beside one as it is
STEPS, BATCH, RATE, WEIGHT_DECAY, LABEL_SMOOTHING = 600, 512, 2e-3, 0.1, 0.1


@torch.inference_mode()
def _view(tower: AudioTower, store: MelStore, rows: list[ClipRow], view: int) -> torch.Tensor:
    """The pooled features of a window of each clip (n, width); views above 0 are augmented."""
    parts = []
    windows = [r.first_window + view % r.n_windows for r in rows]
    for start in tqdm(range(0, len(windows), CHUNK), desc=f"view {view}", unit="batch", leave=False):
        x = torch.from_numpy(np.asarray(store.mel[windows[start : start + CHUNK]], dtype=np.float32))
        parts.append(tower.audio_model(input_features=(augment(x) if view else x).unsqueeze(1)).pooler_output)
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
    rows, groups, weights = [rows[i] for i in told], groups[told], weights[told]
    views = torch.stack([_view(tower.eval(), store, rows, view) for view in range(1 + VIEWS)])
    projection = Projection(tower, views[0], fresh=True)
    scale = torch.nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def loss() -> torch.Tensor:
        chosen = torch.multinomial(weights, BATCH, replacement=True)
        embedded = projection(views[torch.randint(len(views), (BATCH,)), chosen])
        logits = embedded @ names.T * scale.exp().clamp(max=100)
        return F.cross_entropy(logits, groups[chosen], label_smoothing=LABEL_SMOOTHING)

    projection.fit(loss, STEPS, RATE, WEIGHT_DECAY, [scale])
    projection.write(tower)
    return float(scale.detach().exp().clamp(max=100))
