"""The architecture of tiny-CLAP: all numbers of the embedded checkpoint that are not trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ...clap.features import FeatureConfig
from ...clap.model import AudioTower
from ...core.weights import read_safetensors
from ...errors import TaskVecError
from ..finetuning.training_state import fingerprint

DIM = 256  # of the joint audio-text space

# Keyword arguments of `ClapFeatureExtractor`. 5 s at 16 kHz with a hop of 313 samples are 256 frames, HTSAT's input
# here; whole seconds, because `ClapFeatureExtractor` cannot pad to any other number.
PREPROCESSOR = {
    "feature_size": 64,
    "sampling_rate": 16_000,
    "hop_length": 313,
    "max_length_s": 5,
    "fft_window_size": 1024,
    "frequency_min": 50,
    "frequency_max": 8000,
    "truncation": "rand_trunc",
    "padding": "repeatpad",
}
FEATURES = FeatureConfig.from_preprocessor(PREPROCESSOR)

# Keyword arguments of `ClapAudioConfig`: HTSAT (arXiv:2202.00874) with 2.8 M parameters.
AUDIO = {
    "spec_size": 128,
    "window_size": 4,
    "patch_embeds_hidden_size": 32,
    "depths": [2, 2, 4, 2],
    "num_attention_heads": [2, 4, 8, 16],
    "num_mel_bins": 64,
    "hidden_size": 32 * 8,
    "projection_dim": DIM,
    "drop_path_rate": 0.1,
    "hidden_dropout_prob": 0.0,
}
# The text side while the audio side is trained alone. In the shipped checkpoint the trained text tower replaces it.
NO_TEXT = {
    "vocab_size": 8,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "intermediate_size": 16,
    "projection_dim": DIM,
}


def freeze_stages(tower: AudioTower, stages: int) -> None:
    """Let the first stages of HTSAT stay as they are, counted from the patches, which belong to the first."""
    encoder: Any = tower.audio_model.audio_encoder
    parts = [encoder.batch_norm, encoder.patch_embed] if stages else []
    for i in range(stages):
        parts += [encoder.layers[i].blocks, *(encoder.layers[j].downsample for j in range(i))]
    for part in parts:
        part.requires_grad_(False)


def begin_training(tower: AudioTower, frozen_stages: int) -> None:
    """Put a tower into training mode.

    If stages are frozen, the statistics that its input is normalized by stay as they are too.
    """
    encoder: Any = tower.train().audio_model.audio_encoder
    if frozen_stages:
        encoder.batch_norm.eval()


def tower_state(folder: Path, prefix: str) -> dict[str, torch.Tensor]:
    """The tensors (float32; index buffers as they are) of one side of a checkpoint folder: "audio_" or "text_"."""
    files = sorted(folder.glob("model*.safetensors"))
    if not files:
        raise TaskVecError(f"{folder} holds no model*.safetensors: `start` takes the model folder of a checkpoint.")
    tensors = {name: t for file in files for name, t in read_safetensors(file)[0].items() if name.startswith(prefix)}
    return {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}


def origin(start: Path | None, prefix: str) -> str:
    """Hash of the side of a checkpoint folder that a training begins from; "" for one that begins at random."""
    return "" if start is None else fingerprint(t.numpy().tobytes() for t in tower_state(start, prefix).values())
