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

VIEWS = 2  # augmented windows of each clip, beside one as it is
STEPS, BATCH, RATE, WEIGHT_DECAY = 600, 512, 2e-3, 0.1
DROPOUT, LABEL_SMOOTHING = 0.2, 0.1
WINDOWS_AT_ONCE = 64


@torch.inference_mode()
def pooled_features(tower: AudioTower, store: MelStore, rows: list[ClipRow], view: int = 0) -> torch.Tensor:
    """What the tower hears in a window of each clip before it is projected: (n, width). Views above 0 are augmented."""
    parts = []
    windows = [r.first_window + view % r.n_windows for r in rows]
    for start in tqdm(range(0, len(windows), WINDOWS_AT_ONCE), desc=f"view {view}", unit="batch", leave=False):
        x = torch.from_numpy(np.asarray(store.mel[windows[start : start + WINDOWS_AT_ONCE]], dtype=np.float32))
        x = (augment(x) if view else x).unsqueeze(1)
        parts.append(tower.audio_model(input_features=x).pooler_output)
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
    views = torch.stack([pooled_features(tower.eval(), store, rows, view) for view in range(1 + VIEWS)])
    mean, deviation = views[0].mean(0), views[0].std(0) + 1e-6
    views = (views - mean) / deviation
    width, dim = views.shape[2], names.shape[1]
    first, second = torch.nn.Linear(width, dim), torch.nn.Linear(dim, dim)
    fitted = torch.nn.Sequential(first, torch.nn.ReLU(), second)
    scale = torch.nn.Parameter(torch.tensor(math.log(1 / 0.07)))
    optimizer = torch.optim.AdamW([*fitted.parameters(), scale], RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in tqdm(range(STEPS), desc="fitting the projection", unit="step"):
        chosen = torch.multinomial(weights, BATCH, replacement=True)
        x = F.dropout(views[torch.randint(len(views), (BATCH,)), chosen], DROPOUT)
        logits = F.normalize(fitted(x), dim=-1) @ names.T * scale.exp().clamp(max=100)
        loss = F.cross_entropy(logits, groups[chosen], label_smoothing=LABEL_SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():  # the features are normalized by the first layer itself
        first.weight /= deviation
        first.bias -= first.weight @ mean
        for layer, found in ((tower.audio_projection.linear1, first), (tower.audio_projection.linear2, second)):
            layer.weight.copy_(found.weight)
            layer.bias.copy_(found.bias)
    return float(scale.detach().exp().clamp(max=100))
