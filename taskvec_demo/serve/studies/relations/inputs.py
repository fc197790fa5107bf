"""What a network is given of a clip: a summary of its log-mel windows, standardized as in the study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

STATISTICS = 5  # mean, deviation, 10th and 90th percentile, mean absolute change from frame to frame


def summary(mel: np.ndarray) -> np.ndarray:
    """Log-mel windows (windows, frames, mels) float32 -> (5 · mels,) float32: statistics over time, after Georgiev et
    al. 2017.
    """
    frames = mel.reshape(-1, mel.shape[2])
    low, high = np.percentile(frames, (10, 90), axis=0)
    change = np.abs(np.diff(mel, axis=1)).reshape(-1, mel.shape[2]).mean(0)
    return np.concatenate([frames.mean(0), frames.std(0), low, high, change]).astype(np.float32)


def signal_to_noise(summaries: np.ndarray) -> np.ndarray:
    """(n, 5 · mels) -> (n,): loud minus quiet frames in dB, the mean over mel bands; log-mel windows are in dB."""
    quiet, loud = np.split(summaries, STATISTICS, axis=1)[2:4]
    return (loud - quiet).mean(1)


@dataclass(frozen=True, eq=False)
class Standard:
    """What brings inputs to mean 0 and deviation 1 a feature: `mean` and `deviation` (…inputs) of some clips."""

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, inputs: np.ndarray) -> Standard:
        """As measured on `inputs` (n, …inputs)."""
        return cls(inputs.mean(0), np.maximum(inputs.std(0), 1e-3))

    @classmethod
    def from_dict(cls, entry: Mapping[str, Sequence[float]]) -> Standard:
        return cls(np.array(entry["mean"], np.float32), np.array(entry["deviation"], np.float32))

    def to_dict(self) -> dict[str, Any]:
        return {"mean": self.mean.astype(float).tolist(), "deviation": self.deviation.astype(float).tolist()}

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        return (inputs - self.mean) / self.deviation
