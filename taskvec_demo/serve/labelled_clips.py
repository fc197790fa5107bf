"""Labelled clips on this machine, on which exact accuracies are measured. Their features stay in memory.

Recordings lie in a folder of sets, `<data>/<set>`, each with `clips.csv` (file, label, split) or in another of the
known `layouts`; a task says which set is its own and whether label, or gender and label, make up a class name. The
checkpoint's artifacts may hold clips that the project synthesized itself, `<artifacts>/synthesized/clips.csv` with the
columns file, task and label. Paths in `file` start where the table lies.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
import torch

from ..clap.features import FeatureConfig, log_mel
from ..core.tasks import Task
from ..errors import BadArtifactError, BadAudioError
from ..recordings.audio import load_clip, windows
from ..recordings.layouts import TABLE, RecordingSet, read_set
from ..recordings.limits import shown_name
from ..recordings.splits import VALIDATION, table_rows

SYNTHESIZED = "synthesized"  # the `TaskResult.split` of such clips; that of recordings is "validation"
MAX_WINDOWS = 2  # windows of a clip, as in `lab.data.datasets`: tables are about the same sound
LABEL_COLUMNS = ("label", "gender")  # columns of a recording of which class names may be made
NAMED = 5  # unreadable clips that a note names
NOT_OF_TASK = -1  # class index of a clip that a task does not have


@dataclass(frozen=True)
class LabelledClip:
    """One recording, and its class index in each task that it belongs to."""

    path: Path
    classes: Mapping[str, int]


def read_folder(data: Path, tasks: Mapping[str, Task], split: str = VALIDATION) -> list[LabelledClip]:
    """The clips of one split, from every set that is there.

    Raises `BadArtifactError` when `data` holds no clip of any task, a set has no known layout or lacks a column.
    """
    found: dict[Path, dict[str, int]] = defaultdict(dict)
    of_tasks = [(name, folder) for name, task in tasks.items() for folder in task.clips_folders]
    folders = list(dict.fromkeys(folder for _, folder in of_tasks))
    sets = {folder: read_set(data / folder) for folder in folders if (data / folder).is_dir()}
    for name, folder in of_tasks:
        if folder not in sets:
            continue
        columns = _known_columns(tasks[name], data / folder, sets[folder])
        for recording in sets[folder].recordings:
            class_name = "_".join(getattr(recording, column) for column in columns)
            if recording.split == split and class_name in tasks[name].class_names:
                found[data / folder / recording.file][name] = tasks[name].class_names.index(class_name)
    if not found:
        wanted = ", ".join(f"{folder}/{TABLE}" for folder in folders) or "none"
        raise BadArtifactError(
            f"{data} holds no labelled {split} clip; the tables this checkpoint reads are: {wanted}."
        )
    return [LabelledClip(path, classes) for path, classes in found.items()]


def _known_columns(task: Task, folder: Path, recordings: RecordingSet) -> tuple[str, ...]:
    """The task's columns; the set must have all of them."""
    for column in task.clip_label:
        if column not in LABEL_COLUMNS or not any(getattr(r, column) for r in recordings.recordings):
            raise BadArtifactError(
                f"{folder} lacks the column {column!r}, which the classes of the task {task.name!r} are made of; "
                f"they must be made of: {', '.join(LABEL_COLUMNS)}."
            )
    return task.clip_label


def read_synthesized(folder: Path, tasks: Mapping[str, Task]) -> list[LabelledClip]:
    """The synthesized clips of the known tasks; none where there is no table. Raises `BadArtifactError`."""
    table = folder / TABLE
    found = []
    for row in table_rows(table, ("file", "task", "label")) if table.is_file() else ():
        task = tasks.get(row["task"])
        if task is not None and row["label"] in task.class_names:
            found.append(LabelledClip(folder / row["file"], {task.name: task.class_names.index(row["label"])}))
    return found


def stratified(clips: Iterable[LabelledClip]) -> list[LabelledClip]:
    """The clips in an order whose every beginning is balanced: one clip of each class in turn.

    The tasks take turns too, so that a task with fifty classes does not come whole before the next one.
    """
    queues: dict[tuple[str, int], list[LabelledClip]] = defaultdict(list)
    for clip in clips:
        queues[next(iter(clip.classes.items()))].append(clip)
    turn = {key: (sum(other[0] == key[0] and other < key for other in queues), key) for key in queues}
    rounds = zip_longest(*(queues[key] for key in sorted(queues, key=lambda key: turn[key])))
    return [clip for dealt in rounds for clip in dealt if clip is not None]


class LabelledSet:
    """Labelled clips in stratified order, with log-mel windows that a background thread computes once.

    `tasks` are those that have a clip here; `classes` (n_tasks, n) holds class indices in their order, NOT_OF_TASK for
    a clip of other tasks. `split` names what the clips are. Features are kept as float16, as `lab` measured them; the
    background thread asks `features` for the front end.
    """

    def __init__(
        self,
        clips: Sequence[LabelledClip],
        tasks: Mapping[str, Task],
        features: Callable[[], FeatureConfig],
        split: str,
    ) -> None:
        self.clips, self.split, self.features = stratified(clips), split, features
        self.tasks = {name: task for name, task in tasks.items() if any(name in clip.classes for clip in clips)}
        rows = [[clip.classes.get(name, NOT_OF_TASK) for clip in self.clips] for name in self.tasks]
        self.classes = np.array(rows, np.int64).reshape(len(self.tasks), len(self.clips))
        self._mel: list[torch.Tensor] = []  # (windows, 1, frames, mels) a clip; no windows of one that cannot be read
        self._unreadable: list[int] = []  # clips, in order
        self._error: Exception | None = None
        self._changed = threading.Condition()
        self._worker: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def ready(self) -> int:
        """How many clips have their features already."""
        return len(self._mel)

    def left_out(self, stop: int) -> list[str]:
        """Names of those of the first `stop` clips that cannot be read, as far as their features are computed."""
        return [shown_name(self.clips[i].path) for i in self._unreadable if i < stop]

    def start(self) -> None:
        """Start to compute features in the background, unless that was started before. Returns at once."""
        with self._changed:
            if self._worker is None:
                self._worker = threading.Thread(target=self._compute, name="labelled features", daemon=True)
                self._worker.start()

    def mel(self, start: int, stop: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-mel windows (k, 1, frames, mels) float32 of clips start..stop-1, and each window's clip (k,).

        Clips are counted from `start`. Waits until they are computed. A clip that cannot be read has no windows.
        Raises `BadAudioError` if no clip of the set can be read.
        """
        self.start()
        with self._changed:
            self._changed.wait_for(lambda: self.ready >= min(stop, len(self)) or self._error is not None)
            if self.ready < min(stop, len(self)):
                raise self._error or RuntimeError("the features are neither there nor failed")
            parts = self._mel[start:stop]
        owners = torch.repeat_interleave(torch.arange(len(parts)), torch.tensor([len(part) for part in parts]))
        return torch.cat(parts).float(), owners

    def _compute(self) -> None:
        try:
            features = self.features()
            for i, clip in enumerate(self.clips):
                mel = _mel(clip, features)
                with self._changed:
                    if not len(mel):
                        self._unreadable.append(i)
                        if len(self._unreadable) == len(self):
                            raise BadAudioError(f"None of the {len(self)} clips can be read; `data check` says why.")
                    self._mel.append(mel)
                    self._changed.notify_all()
        except Exception as error:  # any error is kept for the callers that wait, who would wait for ever otherwise
            with self._changed:
                self._error = error
                self._changed.notify_all()


def left_out_note(names: Sequence[str], total: int) -> str:
    """A sentence on the clips of `total` that cannot be read; "" if all can be read."""
    n = len(names)
    if not n:
        return ""
    more = f" and {n - NAMED} more" if n > NAMED else ""
    return (
        f"{n} of {total} clips cannot be read and {'is' if n == 1 else 'are'} left out: "
        f"{', '.join(names[:NAMED])}{more}."
    )


def _mel(clip: LabelledClip, features: FeatureConfig) -> torch.Tensor:
    """Log-mel windows (k, 1, frames, mels) float16 of a clip; k is 0 if it cannot be read."""
    try:
        samples = load_clip(clip.path, features.sample_rate).samples
    except BadAudioError:
        return torch.zeros((0, 1, features.n_frames, features.n_mels), dtype=torch.float16)
    return first_windows(samples, features)


def first_windows(samples: np.ndarray, features: FeatureConfig) -> torch.Tensor:
    """Log-mel windows (k, 1, frames, mels) float16 of the beginning of a clip, as the tables are about."""
    return log_mel(windows(samples, features.n_samples)[:MAX_WINDOWS], features).half()
