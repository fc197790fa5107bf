"""The tasks whose relations are measured: which clips, which classes, which source each clip comes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ....recordings.splits import SPLITS, SetRow

EMOTIONS = frozenset(("angry", "fearful", "happy", "neutral", "sad", "surprised"))  # those of both sets of speech


@dataclass(frozen=True)
class RelatedTask:
    """One classification task: `label` gives a clip's class, or "" for a clip that the task leaves out."""

    name: str
    title: str
    sets: tuple[str, ...]
    label: Callable[[SetRow], str]
    source: Callable[[SetRow], str] = lambda row: f"{row.dataset}/{row.group or row.file}"


def _label(row: SetRow) -> str:
    return row.label


def _emotion(row: SetRow) -> str:
    return row.label if row.label in EMOTIONS else ""


TASKS = {
    task.name: task
    for task in (
        RelatedTask("everyday", "Everyday sounds", ("esc50",), _label),
        RelatedTask("urban", "Urban sounds", ("urban",), _label),
        RelatedTask("kitchen", "Kitchen sounds", ("kitchen20",), _label),
        RelatedTask("animals", "Animals", ("animals",), _label),
        RelatedTask("music", "Music genres", ("gtzan_mini",), _label),
        RelatedTask("instruments", "Instruments", ("philharmonia",), _label),
        RelatedTask("drums", "Drums", ("drums",), _label),
        RelatedTask("digits", "Spoken digits", ("fsdd",), _label),
        RelatedTask("emotion", "Emotion in speech", ("ravdess", "nemo"), _emotion),
        RelatedTask("gender", "Gender of the speaker", ("ravdess", "nemo"), lambda row: row.gender),
    )
}


@dataclass(frozen=True)
class TaskClips:
    """The clips of one task: `row` (n,) indexes the rows of the store, `label` (n,) the `classes`.

    `split` (n,) holds 0, 1, 2 for train, validation, test; no source (n,) lies in two of them.
    """

    task: RelatedTask
    classes: tuple[str, ...]
    row: np.ndarray
    label: np.ndarray
    split: np.ndarray
    source: np.ndarray

    def of(self, split: str) -> np.ndarray:
        """Positions of the clips of a split."""
        return np.flatnonzero(self.split == SPLITS.index(split))


def task_clips(task: RelatedTask, rows: Sequence[SetRow]) -> TaskClips:
    """The clips of `task` among `rows`. Classes that training clips do not have are left out of every split."""
    labelled = [(i, row, task.label(row)) for i, row in enumerate(rows) if row.dataset in task.sets]
    classes = tuple(sorted({label for _, row, label in labelled if label and row.split == "train"}))
    kept = [(i, row, classes.index(label)) for i, row, label in labelled if label in classes]
    return TaskClips(
        task,
        classes,
        np.array([i for i, _, _ in kept]),
        np.array([label for _, _, label in kept]),
        np.array([SPLITS.index(row.split) for _, row, _ in kept]),
        np.array([task.source(row) for _, row, _ in kept]),
    )


def training_part(clips: TaskClips, fraction: float, seed: int) -> np.ndarray:
    """Positions of a share of the training clips, drawn by class; each class keeps two clips where it has them."""
    train = clips.of("train")
    if fraction >= 1:
        return train
    draw = np.random.default_rng((seed, len(train)))
    parts = []
    for label in range(len(clips.classes)):
        own = draw.permutation(train[clips.label[train] == label])
        parts.append(own[: max(round(fraction * len(own)), min(2, len(own)))])
    return np.sort(np.concatenate(parts))
