"""The audio projection alone: on pooled features that are computed once, it is trained in seconds.

Fine-tuning may begin with it, while the rest of the tower stays as it is (linear probing, then fine-tuning:
arXiv:2202.10054).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from accelerate.utils import broadcast

from ...clap.model import AudioTower, Checkpoint
from ...core.zero_shot import ZeroShotHead
from ..data.datasets import MelStore
from ..data.embedding import window_batch
from .rehearsal import EVERY, Rehearsal
from .training_run import LABEL_SMOOTHING
from .training_state import drawing

DROPOUT = 0.2  # of the features
BATCH = 256  # features of a step
RATE, WEIGHT_DECAY = 1e-3, 1e-2
CHUNK = 64  # windows that are heard together


class Learned(Protocol):
    """A labelled set: its head, the class of each clip (n,), and the first window of each clip in the cache."""

    @property
    def head(self) -> ZeroShotHead: ...

    @property
    def target(self) -> torch.Tensor: ...

    @property
    def first_windows(self) -> tuple[int, ...]: ...


class Projection(torch.nn.Module):
    """The projection of a tower as a network of its own, pooled features (n, width) -> unit embeddings (n, dim).

    It is trained on features of mean 0 and deviation 1, as `features` have them, which `write` folds into its first
    layer. A `fresh` one begins at random.
    """

    def __init__(self, tower: AudioTower, features: torch.Tensor, fresh: bool = False) -> None:
        super().__init__()
        layer: Any = tower.audio_projection
        self.mean, self.deviation = features.mean(0), features.std(0) + 1e-6
        self.first: torch.nn.Linear = copy.deepcopy(layer.linear1).float().cpu().requires_grad_()
        self.second: torch.nn.Linear = copy.deepcopy(layer.linear2).float().cpu().requires_grad_()
        self.activation = layer.activation
        if fresh:
            self.first.reset_parameters()
            self.second.reset_parameters()
        else:
            with torch.no_grad():
                self.first.bias.add_(self.first.weight @ self.mean)
                self.first.weight.mul_(self.deviation)

    def forward(self, features: torch.Tensor, dropout: float = DROPOUT) -> torch.Tensor:
        x = F.dropout((features - self.mean) / self.deviation, dropout, self.training)
        return F.normalize(self.second(self.activation(self.first(x))), dim=-1)

    @torch.no_grad()
    def write(self, tower: AudioTower) -> None:
        """Make it the projection of `tower`, the same on every process."""
        weight = self.first.weight / self.deviation
        found = [weight, self.first.bias - weight @ self.mean, self.second.weight, self.second.bias]
        layer: Any = tower.audio_projection
        places = (layer.linear1.weight, layer.linear1.bias, layer.linear2.weight, layer.linear2.bias)
        for place, tensor in zip(places, found, strict=True):
            place.copy_(broadcast(tensor.detach().to(place.device)))

    def fit(
        self,
        loss: Callable[[], torch.Tensor],
        steps: int,
        rate: float = RATE,
        decay: float = WEIGHT_DECAY,
        more: Iterable[torch.nn.Parameter] = (),
    ) -> None:
        """Lower `loss`, which draws a batch at each call, in so many steps; `more` are further parameters."""
        optimizer = torch.optim.AdamW([*self.parameters(), *more], rate, weight_decay=decay)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        self.train()
        for _ in range(steps):
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
            schedule.step()
        self.eval()


@lru_cache(maxsize=64)  # the vectors of one build rehearse much the same sets
def pooled_features(checkpoint: Checkpoint, store: MelStore, windows: tuple[int, ...]) -> torch.Tensor:
    """What the pre-trained tower hears in cached windows before it projects it: (n, width)."""
    with torch.inference_mode():
        parts = [
            checkpoint.model.audio_model(input_features=window_batch(store, windows[i : i + CHUNK])).pooler_output
            for i in range(0, len(windows), CHUNK)
        ]
    return torch.cat(parts).clone()


def begin_with_projection(
    tower: AudioTower,
    checkpoint: Checkpoint,
    store: MelStore,
    sets: Sequence[Learned],
    rehearsal: Rehearsal | None,
    weight: float,
    steps: int,
    seed: int,
) -> None:
    """Train the projection of `tower`, a copy of the checkpoint's, on `sets`, their classes drawn equally often.

    The loss is that of fine-tuning, rehearsal with its `weight` included.
    """
    learned = [pooled_features(checkpoint, store, s.first_windows) for s in sets]
    draws = [torch.bincount(s.target).float().clamp_min(1).reciprocal()[s.target] for s in sets]
    kept = []
    if rehearsal is not None:
        kept = [
            (pooled_features(checkpoint, store, tuple(windows)), rehearsal.embedded[name])
            for name, windows in rehearsal.windows.items()
        ]
    projection = Projection(tower, torch.cat([*learned, *(features for features, _ in kept)]))

    def loss() -> torch.Tensor:
        total = torch.zeros(())
        for one, features, draw in zip(sets, learned, draws, strict=True):
            chosen = torch.multinomial(draw, BATCH, replacement=True)
            logits = one.head.logits(projection(features[chosen]), checkpoint.logit_scale)
            total = total + F.cross_entropy(logits, one.target[chosen], label_smoothing=LABEL_SMOOTHING) / len(sets)
        for features, before in kept:
            chosen = torch.randint(len(features), (-(-BATCH // EVERY // len(kept)),))
            found = projection(features[chosen], dropout=0.0)
            total = total + weight * (1 - (found * before[chosen]).sum(1)).mean() / len(kept)
        return total

    with drawing(seed, "projection"):
        projection.fit(loss, steps)
    projection.write(tower)
