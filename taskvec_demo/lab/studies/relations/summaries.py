"""What the networks are given of a clip: a summary of its log-mel windows, or the first window made small."""

from __future__ import annotations

import numpy as np

from ...data.datasets import MelStore

STATISTICS = 5  # mean, deviation, 10th and 90th percentile, mean absolute change from frame to frame
SMALL = (64, 64)  # frames and mels of a window for the convolutional network: four frames are averaged to one


def summaries(store: MelStore) -> np.ndarray:
    """(n_rows, 5 · mels) float32: statistics over time of all windows of a clip (after Georgiev et al. 2017)."""
    out = np.empty((len(store.rows), STATISTICS * store.mel.shape[2]), np.float32)
    for i, row in enumerate(store.rows):
        mel = store.mel[row.first_window : row.first_window + row.n_windows].astype(np.float32)
        frames = mel.reshape(-1, mel.shape[2])
        low, high = np.percentile(frames, (10, 90), axis=0)
        change = np.abs(np.diff(mel, axis=1)).reshape(-1, mel.shape[2]).mean(0)
        out[i] = np.concatenate([frames.mean(0), frames.std(0), low, high, change])
    return out


def small_windows(store: MelStore) -> np.ndarray:
    """(n_rows, 64, 64) float32: the first window of each clip, averaged over neighbouring frames."""
    frames, mels = SMALL
    out = np.empty((len(store.rows), frames, mels), np.float32)
    for i, row in enumerate(store.rows):
        mel = store.mel[row.first_window].astype(np.float32)
        out[i] = mel[: len(mel) // frames * frames].reshape(frames, -1, mels).mean(1)
    return out


def standardized(inputs: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Inputs with mean 0 and deviation 1 a feature, as measured on the rows `training`."""
    flat = inputs[training]
    return (inputs - flat.mean(0)) / np.maximum(flat.std(0), 1e-3)
