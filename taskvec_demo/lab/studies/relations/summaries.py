"""What the networks are given of the store's clips: summaries of all windows, or the first window made small."""

from __future__ import annotations

import numpy as np

from ....serve.studies.relations.inputs import STATISTICS, summary
from ...data.datasets import MelStore

SMALL = (64, 64)  # frames and mels of a window for the convolutional network: four frames are averaged to one


def summaries(store: MelStore) -> np.ndarray:
    """(n_rows, 5 · mels) float32: `summary` of all windows of each clip."""
    out = np.empty((len(store.rows), STATISTICS * store.mel.shape[2]), np.float32)
    for i, row in enumerate(store.rows):
        out[i] = summary(store.mel[row.first_window : row.first_window + row.n_windows].astype(np.float32))
    return out


def small_windows(store: MelStore) -> np.ndarray:
    """(n_rows, 64, 64) float32: the first window of each clip, averaged over neighbouring frames."""
    frames, mels = SMALL
    out = np.empty((len(store.rows), frames, mels), np.float32)
    for i, row in enumerate(store.rows):
        mel = store.mel[row.first_window].astype(np.float32)
        out[i] = mel[: len(mel) // frames * frames].reshape(frames, -1, mels).mean(1)
    return out
