"""How much is trained and measured: the whole study, or a small one that shows that everything runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...tiny_clap.architecture import AUDIO

SPEECH, MUSIC = "speech", "music"  # the two vectors, their teachers and their domains
ENSEMBLE = "ensemble"  # the student of both teachers
DOMAINS = (SPEECH, MUSIC, "neutral")

# HTSAT as in tiny-CLAP with patches of 8 x 8 and three stages: 0.67 M parameters and a fifth of the time of a window.
WIDTH = 32 * 4  # of the pooled features
STUDENT: dict[str, Any] = AUDIO | {
    "patch_size": 8,
    "patch_stride": [8, 8],
    "patch_embeds_hidden_size": 32,
    "depths": [2, 4, 2],
    "num_attention_heads": [2, 4, 8],
    "hidden_size": WIDTH,
    "drop_path_rate": 0.0,
}


@dataclass(frozen=True)
class Plan:
    """Steps of the common warm-up and of one student (the ensemble has twice as many), windows in a step, and the
    points of the dial and of the plane.

    `dial` holds λ_speech, with λ_music = 1 − λ_speech; `plane` the values of both λ. `per_class`: at most so many clips
    of each class and split are judged; None for all.
    """

    warm_up: int = 1000
    steps: int = 4000
    batch: int = 32
    dial: tuple[float, ...] = tuple(np.round(np.arange(-2, 23) / 20, 2).tolist())  # −0.1 to 1.1
    plane: tuple[float, ...] = tuple(np.round(np.arange(7) / 5, 1).tolist())  # 0 to 1.2
    per_class: int | None = None

    def total(self, student: str) -> int:
        """Steps of a student after the warm-up."""
        return 2 * self.steps if student == ENSEMBLE else self.steps


QUICK = Plan(3, 4, 4, (0.0, 0.5, 1.0), (0.0, 0.5, 1.0), 2)
