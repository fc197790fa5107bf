"""Recordings of this machine or of a visitor -> what the study's network is given of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ....clap.features import FeatureConfig
from ....recordings.as_measured import read_clip
from ....recordings.audio import load_clip
from ...labelled_clips import first_windows
from .inputs import Standard, summary


@dataclass(frozen=True, eq=False)
class Heard:
    """One clip: the `summary` (5 · mels,) of its windows, not standardized, and its length in seconds."""

    summary: np.ndarray
    seconds: float


@dataclass(frozen=True)
class FrontEnd:
    """How the study heard its clips: the entry `inputs` of `study.json`."""

    features: FeatureConfig
    standard: Standard

    @classmethod
    def from_dict(cls, entry: dict[str, Any]) -> FrontEnd:
        return cls(FeatureConfig(**entry["features"]), Standard.from_dict(entry))

    def hear(self, file: Path) -> Heard:
        """A clip of a visitor, as every upload is read. Raises BadAudioError."""
        clip = load_clip(file, self.features.sample_rate)
        return Heard(self._summary(clip.samples), clip.seconds)

    def summary_as_measured(self, file: Path) -> np.ndarray:
        """(5 · mels,) of a recording of the study, read as the study did. Raises BadAudioError."""
        return self._summary(read_clip(file, self.features.sample_rate))

    def _summary(self, samples: np.ndarray) -> np.ndarray:
        return summary(first_windows(samples, self.features)[:, 0].float().numpy())
