"""A small audio encoder without a text side: HTSAT whose pooled features are read by whoever wants to.

Studies of other papers train such encoders; task arithmetic edits them like the audio tower of a checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import ClapAudioConfig, ClapAudioModel

from ..core.weights import Weights, read_safetensors, write_safetensors
from ..errors import BadArtifactError, IncompatibleWeightsError
from .features import FeatureConfig
from .tower import TowerPool

FORMAT = "1"  # of the safetensors header; another one is refused
BATCH = 32  # windows in a forward pass


class PooledTower(torch.nn.Module):
    """HTSAT (arXiv:2202.00874), randomly initialised from the keyword arguments of `ClapAudioConfig`."""

    def __init__(self, audio: Mapping[str, Any]) -> None:
        super().__init__()
        self.audio = dict(audio)
        self.audio_model = ClapAudioModel(ClapAudioConfig(**audio))

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """Log-mel windows (n, 1, frames, mels) -> pooled features (n, width)."""
        return self.audio_model(input_features=mel).pooler_output

    def normalize_input(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        """Give the BatchNorm at the input the statistics (mels,) of the windows to come."""
        norm = self.audio_model.audio_encoder.batch_norm
        statistics = norm.state_dict() | {"running_mean": mean, "running_var": variance}
        norm.load_state_dict(statistics)

    def weights(self) -> Weights:
        """A copy of what task arithmetic edits: parameters only; BatchNorm statistics are not weights."""
        return Weights.from_tensors({name: p.detach().float() for name, p in self.named_parameters()})

    def save(self, path: Path, preprocessor: Mapping[str, Any]) -> None:
        """Write parameters and statistics in float16; the header says what makes the tower and its front end."""
        tensors = {n: t.half() if t.is_floating_point() else t for n, t in self.state_dict().items()}
        header = {"audio": json.dumps(self.audio), "preprocessor": json.dumps(dict(preprocessor))}
        write_safetensors(path, {n: t.contiguous() for n, t in tensors.items()}, {"format": FORMAT, **header})

    @classmethod
    def load(cls, path: Path) -> tuple[PooledTower, FeatureConfig]:
        """The tower that `save` wrote, and its front end. Raises BadArtifactError."""
        tensors, header = read_safetensors(path)
        if header.get("format") != FORMAT:
            raise BadArtifactError(
                f"{path} has encoder format {header.get('format')!r}; this version reads format {FORMAT!r}."
            )
        try:
            tower = cls(json.loads(header["audio"]))
            tower.load_state_dict(tensors)
            return tower.eval().requires_grad_(False), FeatureConfig.from_preprocessor(
                json.loads(header["preprocessor"])
            )
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise BadArtifactError(f"{path} does not hold an audio encoder ({type(error).__name__}).") from error


class Encoder:
    """A `PooledTower` that is read-only and shared by all threads. `initial` are its own weights."""

    def __init__(self, tower: PooledTower, features: FeatureConfig) -> None:
        self.features = features
        self.initial = tower.weights()
        window = torch.zeros(2, 1, features.n_frames, features.n_mels)
        self._towers = TowerPool(tower.eval(), self.initial.layout, window, 1, "cpu")

    @classmethod
    def open(cls, path: Path) -> Encoder:
        """The encoder in a file that `PooledTower.save` wrote. Raises BadArtifactError."""
        return cls(*PooledTower.load(path))

    def embed(self, mel: torch.Tensor, weights: Weights | None = None) -> torch.Tensor:
        """Windows (n, 1, frames, mels) -> pooled features (n, width) under `weights` (default: the initial ones)."""
        weights = weights or self.initial
        if weights.layout != self.initial.layout:
            raise IncompatibleWeightsError("These weights do not have the layout of this encoder.")
        found = []
        for batch in mel.split(BATCH):  # the tower is free again after each, so that two visitors take turns
            with self._towers.borrow() as tower:
                tower.load(weights)
                found.append(tower.embed(batch))
        return torch.cat(found)
