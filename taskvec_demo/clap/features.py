"""Log-mel front end in torch, equal to the checkpoint's own `ClapFeatureExtractor` and deterministic."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
import torchaudio

DB_FLOOR = 1e-10  # power under which transformers' `power_to_db` clamps, -100 dB


@dataclass(frozen=True)
class FeatureConfig:
    """The front end of a CLAP checkpoint: sampling rate, window and mel bands. Rates are in Hz, lengths in samples."""

    sample_rate: int
    n_fft: int
    hop_length: int
    n_mels: int
    f_min: float
    f_max: float
    n_samples: int  # one window

    @classmethod
    def from_preprocessor(cls, config: dict) -> FeatureConfig:
        """The front end that the dictionary of a `preprocessor_config.json` describes (names of
        `ClapFeatureExtractor`).
        """
        rate = int(config["sampling_rate"])
        return cls(
            sample_rate=rate,
            n_fft=int(config["fft_window_size"]),
            hop_length=int(config["hop_length"]),
            n_mels=int(config["feature_size"]),
            f_min=float(config["frequency_min"]),
            f_max=float(config["frequency_max"]),
            n_samples=int(config["max_length_s"] * rate),
        )

    @property
    def n_frames(self) -> int:
        """Frames of one centred window."""
        return self.n_samples // self.hop_length + 1


@functools.lru_cache(maxsize=4)
def _transform(config: FeatureConfig) -> torchaudio.transforms.MelSpectrogram:
    return torchaudio.transforms.MelSpectrogram(
        config.sample_rate,
        n_fft=config.n_fft,
        hop_length=config.hop_length,
        f_min=config.f_min,
        f_max=config.f_max,
        n_mels=config.n_mels,
        norm="slaney",  # the unfused CLAP checkpoints use librosa's filters
        mel_scale="slaney",
    )


@torch.inference_mode()
def log_mel(windows: np.ndarray, config: FeatureConfig) -> torch.Tensor:
    """Windows (n, n_samples) -> log-mel (n, 1, n_frames, n_mels) in dB, float32: the model's `input_features`."""
    power = _transform(config)(torch.from_numpy(np.ascontiguousarray(windows, dtype=np.float32)))
    return power.clamp_min(DB_FLOOR).log10_().mul_(10.0).transpose(1, 2).unsqueeze(1).contiguous()
