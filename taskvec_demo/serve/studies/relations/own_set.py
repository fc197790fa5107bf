"""A set of labelled clips of a visitor: a .zip as it was uploaded -> the clips of one more task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....errors import BadArtifactError, BadAudioError, shortened
from ....recordings.layouts import detect, read_set
from ....recordings.limits import shown_name
from ....recordings.splits import SPLITS, RecordingSet, SetRow
from ...labelled_clips import left_out_note
from ...unzipped import Limits, unzipped
from .hearing import FrontEnd, Heard
from .tasks import RelatedTask, TaskClips, task_clips

OWN = "own"  # the name of the visitor's task; none of the study's
LIMITS = Limits(files=1000, bytes=500 * 10**6)  # 500 MB: 1,000 clips of 5 s in 16 bit, mono at 48 kHz
MIN_CLASSES, MIN_CLIPS = 2, 5  # with five clips of a class, three are for training
ACCEPTED = (
    f"accepted are at least {MIN_CLASSES} classes of at least {MIN_CLIPS} readable clips, in a folder for each class "
    "or with a table that has the columns file and label"
)


@dataclass(frozen=True, eq=False)
class OwnSet:
    """A visitor's clips as a task, and what was heard of each: row i of `clips` is `heard[i]`.

    `notes` are whole sentences on clips that are left out, and on how the set was split.
    """

    clips: TaskClips
    heard: tuple[Heard, ...]
    notes: tuple[str, ...]

    @property
    def summaries(self) -> np.ndarray:
        return np.stack([one.summary for one in self.heard])

    @property
    def seconds(self) -> np.ndarray:
        return np.array([one.seconds for one in self.heard], np.float32)


def read_own_set(archive: Path, front_end: FrontEnd) -> Generator[float, None, OwnSet]:
    """Yields which share of the clips is heard, and returns the set. Nothing stays on the disk.

    Clips that cannot be read are left out and named. Splits and sources are those of the set's layout; a set without
    splits is dealt by source, as every set here. Raises BadArtifactError: one sentence says what was wrong.
    """
    name = shown_name(archive)
    with unzipped(archive, LIMITS) as folder:
        found = _read(folder, name)
        rows, heard, lost = [], [], []
        for i, recording in enumerate(found.recordings):
            try:
                heard.append(front_end.hear(_inside(folder, recording.file, name)))
                rows.append(SetRow.of(OWN, recording))
            except BadAudioError:
                lost.append(shown_name(recording.file))
            yield (i + 1) / len(found.recordings)
    clips = task_clips(_task(found), rows)
    _check(clips, rows, lost, name)
    left_out = left_out_note(lost, len(found.recordings))
    return OwnSet(clips, tuple(heard), tuple(filter(None, (left_out, *found.notes))))


def _read(folder: Path, name: str) -> RecordingSet:
    try:
        if detect(folder) is None:
            raise BadArtifactError(f"{name} has no layout that is known; {ACCEPTED}.")
        found = read_set(folder)
    except BadArtifactError as error:  # the message names the archive only, not where it was unpacked
        raise BadArtifactError(str(error).replace(str(folder), name)) from error
    if len(found.recordings) > LIMITS.files:  # a table may name a file twice
        raise BadArtifactError(f"{name} lists {len(found.recordings):,} recordings; accepted are {LIMITS.files:,}.")
    return found


def _inside(folder: Path, file: str, name: str) -> Path:
    """The path of a recording, which a table may say lies anywhere."""
    path = (folder / file).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise BadArtifactError(
            f"{name} has a table that names {shortened(file)!r}, which lies outside of it; {ACCEPTED}."
        )
    return path


def _task(found: RecordingSet) -> RelatedTask:
    """Folders such as female_happy were read as gender and label; for the visitor they are one class."""
    joined = found.layout == "gender_emotion"
    return RelatedTask(
        OWN, "Your own set", (OWN,), lambda row: f"{row.gender}_{row.label}" if joined and row.gender else row.label
    )


def _check(clips: TaskClips, rows: list[SetRow], lost: list[str], name: str) -> None:
    """Raise BadArtifactError if there is too little to learn from or to measure on."""
    readable = Counter(clips.task.label(row) for row in rows)
    few = min(readable, key=lambda label: readable[label], default=None)
    without = f" ({len(lost)} cannot be read)" if lost else ""
    if few is None:
        raise BadArtifactError(f"{name} holds no recording that can be read; {ACCEPTED}.")
    if len(readable) < MIN_CLASSES:
        raise BadArtifactError(f"{name} holds one class, {shortened(few)!r}{without}; {ACCEPTED}.")
    if readable[few] < MIN_CLIPS:
        n = f"{readable[few]} clip{'s' * (readable[few] > 1)}"
        raise BadArtifactError(f"{name} holds {n} of the class {shortened(few)!r}{without}; {ACCEPTED}.")
    if untaught := sorted(readable.keys() - set(clips.classes)):
        raise BadArtifactError(
            f"{name} has no training clip of the class {shortened(untaught[0])!r}{without}; {ACCEPTED}."
        )
    for split in SPLITS:
        if not len(clips.of(split)):
            raise BadArtifactError(f"{name} has no {split} clips{without}; {ACCEPTED}.")
