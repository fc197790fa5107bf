"""The recordings of the study's tasks on this machine, from which a visitor's own set may learn."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....errors import BadArtifactError, BadAudioError
from ....recordings.layouts import read_set
from ....recordings.splits import TRAIN, SetRow
from .hearing import FrontEnd
from .tasks import RelatedTask, TaskClips, task_clips, training_part


@dataclass(frozen=True, eq=False)
class Partner:
    """Training clips of a task, and `summaries` (n, 5 · mels) of those that a seed draws; zeros for all others."""

    clips: TaskClips
    summaries: np.ndarray


def is_there(task: RelatedTask, data: Path | None) -> bool:
    """Whether all sets of a task lie in the folder `data`."""
    return data is not None and all((data / name).is_dir() for name in task.sets)


def read_partner(
    task: RelatedTask, data: Path, fraction: float, seeds: Iterable[int], front_end: FrontEnd
) -> Generator[float, None, Partner]:
    """Hear the clips that the seeds draw, a `fraction` of the training clips each; yields which share is done.

    Clips that cannot be read are left out, and others drawn. Raises BadArtifactError where none is left.
    """
    found = {row: None for name in task.sets for row in _rows(data, name)}
    heard: dict[SetRow, np.ndarray] = {}
    while True:
        rows = list(found)
        clips = task_clips(task, rows)
        if len(clips.classes) < 2:
            raise BadArtifactError(f"Too few training recordings of “{task.title}” in {data} can be read.")
        drawn = np.unique(np.concatenate([training_part(clips, fraction, seed) for seed in seeds]))
        missing = [rows[i] for i in clips.row[drawn] if rows[i] not in heard]
        if not missing:
            break
        before, total = len(heard), len(heard) + len(missing)
        for i, row in enumerate(missing):
            try:
                heard[row] = front_end.summary_as_measured(data / row.dataset / row.file)
            except BadAudioError:
                del found[row]
            yield (before + i + 1) / total
    summaries = np.zeros((len(rows), len(front_end.standard.mean)), np.float32)
    for i, row in enumerate(rows):
        if row in heard:
            summaries[i] = heard[row]
    return Partner(clips, summaries)


def _rows(data: Path, name: str) -> list[SetRow]:
    return [SetRow.of(name, r) for r in read_set(data / name).recordings if r.split == TRAIN]
