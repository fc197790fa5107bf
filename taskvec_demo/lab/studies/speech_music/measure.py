"""What probes on the frozen features of a student, or on a teacher's outputs, get right; kept on disk by its place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ....clap.encoder import Encoder
from ....core.edit import apply_recipe
from ....core.files import whole_file
from ....core.recipe import Recipe
from ....core.task_vector import TaskVector
from ....core.weights import Weights
from ....recordings.splits import TEST, TRAIN, VALIDATION
from ....serve.studies.speech_music import NAME
from ...data.datasets import MelStore
from .plan import MUSIC, SPEECH
from .probes import ALPHAS, best_on, fit
from .tasks import Judged

FORMAT = 1  # of the answers that are kept
CHUNK = 256  # windows that are read at once
Features = Callable[[np.ndarray], np.ndarray]  # rows of the store (n,) -> features (n, width)
Right = Mapping[str, np.ndarray]  # task -> (n,) bool: the clips of a split that the probe gets right


@dataclass(frozen=True)
class Students:
    """The encoder at its initialisation, and the vectors of what each student learned, by student."""

    encoder: Encoder
    vectors: Mapping[str, TaskVector]

    def at(self, speech: float = 0.0, music: float = 0.0) -> Weights:
        """θ0 + λ_speech τ_speech + λ_music τ_music."""
        return apply_recipe(self.encoder.initial, self.vectors, Recipe(NAME, {SPEECH: speech, MUSIC: music}))

    def alone(self, student: str) -> Weights:
        """The weights of one student as it was trained, without the other's vector."""
        return apply_recipe(self.encoder.initial, self.vectors, Recipe(NAME, {student: 1.0}))


class Judge:
    """Judges features by the tasks. Answers are kept in `folder`, and never computed twice."""

    def __init__(self, store: MelStore, tasks: Sequence[Judged], folder: Path) -> None:
        self.store, self.tasks, self.folder = store, tasks, folder
        told = [FORMAT, ALPHAS, *(f"{t.name} {t.clips.classes}" for t in tasks)]
        arrays = (a for t in tasks for a in (t.clips.row, t.clips.label, t.clips.split))
        self._clips = repr(told).encode() + b"".join(a.astype(np.int64).tobytes() for a in arrays)

    def student(self, encoder: Encoder, weights: Weights, test: bool = False) -> Right:
        """What the features under `weights` allow, on validation clips or on `test` clips."""
        return self._kept(weights.sha256, test, lambda rows: self._embedded(encoder, weights, rows))

    def teacher(self, outputs: np.ndarray, test: bool = False) -> Right:
        """The same for outputs (n_rows, size) of all rows of the store."""
        return self._kept(hashlib.sha256(outputs.tobytes()).hexdigest(), test, lambda rows: outputs[rows])

    def _kept(self, key: str, test: bool, features: Features) -> Right:
        digest = hashlib.sha256(self._clips + f"{key} {test}".encode()).hexdigest()[:20]
        file = self.folder / f"{digest}.npz"
        if file.is_file():
            with np.load(file, allow_pickle=False) as stored:
                return {task.name: stored[task.name] for task in self.tasks}
        right = self._right(features, TEST if test else VALIDATION)
        with whole_file(file) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, allow_pickle=False, **right)
        return right

    def _right(self, features: Features, split: str) -> dict[str, np.ndarray]:
        parts = {t.name: (t.clips.of(TRAIN), t.clips.of(VALIDATION), t.clips.of(split)) for t in self.tasks}
        rows = np.unique(np.concatenate([t.clips.row[p] for t in self.tasks for p in parts[t.name]]))
        known, right = features(rows), {}
        for task in self.tasks:
            clips = task.clips
            (x, y), held, asked = (
                (known[np.searchsorted(rows, clips.row[part])], clips.label[part]) for part in parts[task.name]
            )
            probe = best_on(fit(x, y, len(clips.classes)), *held)
            right[task.name] = probe.answers(asked[0]) == asked[1]
        return right

    def _embedded(self, encoder: Encoder, weights: Weights, rows: np.ndarray) -> np.ndarray:
        """Features (n, width) of the first window of each row."""
        windows = [self.store.rows[i].first_window for i in rows.tolist()]
        parts = []
        for start in range(0, len(windows), CHUNK):
            mel = np.stack([self.store.mel[w] for w in windows[start : start + CHUNK]]).astype(np.float32)
            parts.append(encoder.embed(torch.from_numpy(mel).unsqueeze(1), weights).numpy())
        return np.concatenate(parts)
