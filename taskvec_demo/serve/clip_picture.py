"""What a checkpoint hears of one recording, small enough to draw: the wave and the log-mel spectrogram."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..clap.features import FeatureConfig
from ..recordings.audio import windows
from .one_clip import hear

COLUMNS = 480  # of a picture, at most
RANGE_DB = 80.0  # below the loudest point that are drawn


@dataclass(frozen=True)
class ClipPicture:
    """The wave and the spectrogram on one time axis of `seconds`.

    `low` and `high` (c,) are the wave's extremes in each column, −1 to 1. `mel` (mels, columns) has the level of each
    band, 0 (`RANGE_DB` below the loudest or less) to 255, the lowest band first. `filled_from` is the time from which
    a clip that is shorter than a window is repeated or followed by silence, else `seconds`; `cuts` are the times
    between two windows. `band` is the lowest and the highest frequency in Hz.
    """

    seconds: float
    low: np.ndarray
    high: np.ndarray
    mel: np.ndarray
    filled_from: float
    cuts: tuple[float, ...]
    band: tuple[float, float]


def clip_picture(file: str | os.PathLike[str], features: FeatureConfig) -> ClipPicture:
    """The picture of a recording. Raises `BadAudioError`."""
    clip, mel = hear(file, features)
    n_window, n_clip = features.n_samples, len(clip.samples)
    cut = windows(clip.samples, n_window)
    # The last window of a long clip ends with the clip and overlaps the one before: only its new part is drawn.
    new = n_clip - (len(cut) - 1) * n_window if len(cut) > 1 and len(cut) * n_window > n_clip else n_window
    heard = np.concatenate([*cut[:-1], cut[-1][-new:]])
    frames = [window[0].T.numpy() for window in mel]
    frames[-1] = frames[-1][:, -max(1, round(frames[-1].shape[1] * new / n_window)) :]
    levels = _shrunk(np.concatenate(frames, axis=1), np.max)
    scaled = 255 * (1 + (levels - levels.max()) / RANGE_DB)
    seconds = len(heard) / features.sample_rate
    return ClipPicture(
        seconds,
        _shrunk(heard[None], np.min)[0],
        _shrunk(heard[None], np.max)[0],
        np.clip(scaled, 0, 255).astype(np.uint8),
        min(n_clip / features.sample_rate, seconds),
        tuple(i * n_window / features.sample_rate for i in range(1, len(cut))),
        (features.f_min, features.f_max),
    )


def _shrunk(values: np.ndarray, of: Callable[..., np.ndarray]) -> np.ndarray:
    """Rows (r, n) -> (r, min(n, COLUMNS)): `of` (np.min or np.max) over the values of each column."""
    edges = np.linspace(0, values.shape[1], min(values.shape[1], COLUMNS) + 1).round().astype(int)
    return np.stack([of(values[:, a:b], axis=1) for a, b in pairwise(edges)], axis=1)
