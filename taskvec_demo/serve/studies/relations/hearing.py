"""Recordings of this machine or of a visitor -> what the study's network is given of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ....clap.features import FeatureConfig
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
        """Raises BadAudioError."""
        clip = load_clip(file, self.features.sample_rate)
        mel = first_windows(clip.samples, self.features)[:, 0].float().numpy()
        return Heard(summary(mel), clip.seconds)
