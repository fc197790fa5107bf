"""The tasks that get adapters: the control, and every task with a vector of its own. Their clips, window by window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ....core.tasks import Task
from ....errors import TaskVecError
from ....recordings.splits import SPLITS
from ....serve.artifacts import Artifacts
from ...data.datasets import ClipRow, read_rows
from .stages import windows_of


def studied_tasks(artifacts: Artifacts) -> dict[str, Task]:
    """Raises TaskVecError if no task of these artifacts names a set of recordings."""
    own = {v for v, vector in artifacts.vectors.items() if vector.task == v}
    found = {n: t for n, t in artifacts.tasks.items() if t.clips_folders and (t.role == "control" or n in own)}
    if not found:
        raise TaskVecError(f"{artifacts.folder} has no task whose recordings are known; give another --artifacts.")
    return found


def task_rows(data: Path, tasks: Mapping[str, Task]) -> list[ClipRow]:
    """All rows of the tasks' sets. Raises TaskVecError for missing sets."""
    return read_rows(data, tuple(dict.fromkeys(folder for task in tasks.values() for folder in task.clips_folders)))


@dataclass(frozen=True)
class Clips:
    """The clips of a task in one split: their rows, and the class of each, (n,)."""

    rows: tuple[ClipRow, ...]
    labels: Tensor

    @property
    def windows(self) -> list[int]:
        """All windows, clip by clip."""
        return [w for row in self.rows for w in windows_of(row)]

    @property
    def owners(self) -> Tensor:
        """The clip of each window, as an index."""
        return torch.tensor([i for i, row in enumerate(self.rows) for _ in windows_of(row)])


def clips_of(task: Task, rows: Sequence[ClipRow]) -> dict[str, Clips]:
    """The clips of each split. Raises TaskVecError if a split has none."""
    found: dict[str, list[tuple[ClipRow, int]]] = {split: [] for split in SPLITS}
    for row in rows:
        name = "_".join(getattr(row, column) for column in task.clip_label)
        if row.dataset in task.clips_folders and name in task.class_names:
            found[row.split].append((row, task.class_names.index(name)))
    if empty := [split for split, some in found.items() if not some]:
        raise TaskVecError(f"The task {task.name!r} has no clips in the splits {', '.join(empty)}.")
    return {s: Clips(tuple(r for r, _ in some), torch.tensor([c for _, c in some])) for s, some in found.items()}


def few_rows(tasks: Iterable[Task], rows: Sequence[ClipRow], most: int | None) -> list[ClipRow]:
    """The rows that the tasks have a class for: all, or at most so many of each task and split, spread evenly."""
    kept: dict[ClipRow, None] = {}
    for task in tasks:
        for clips in clips_of(task, rows).values():
            step = max(1, -(-len(clips.rows) // most)) if most else 1
            kept.update(dict.fromkeys(clips.rows[::step]))
    return list(kept)
