"""The tasks that features are judged by, in their domains, and the split of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from ....recordings.splits import SPLITS, TRAIN, Recording, SetRow, deal
from ....serve.studies.relations.tasks import TASKS, RelatedTask, TaskClips, task_clips
from ...data.datasets import ClipRow
from ...tiny_clap.audio_teachers import MUSIC as MUSIC_SETS
from ...tiny_clap.audio_teachers import SPEECH as SPEECH_SETS
from .plan import MUSIC, SPEECH

SPEAKER_SETS = ("ravdess", "nemo")
SHARES = dict(zip(SPLITS, (0.6, 0.2, 0.2), strict=True))
JUDGED = ("digits", "emotion", "gender", "music", "instruments", "drums", "everyday", "kitchen", "animals")
SPLIT_BY = {  # what no two splits share
    "digits": "speaker",
    "emotion": "actor",
    "gender": "actor",
    "speaker": "utterance (speakers that no student has heard)",
    "music": "track",
    "instruments": "note",
    "drums": "file",
    "everyday": "source",
    "kitchen": "source",
    "animals": "file",
}


@dataclass(frozen=True)
class Judged:
    """A task with its domain. `clips.row` indexes the rows of the store."""

    domain: str
    clips: TaskClips

    @property
    def name(self) -> str:
        return self.clips.task.name


def judged_tasks(rows: Sequence[ClipRow], per_class: int | None = None) -> list[Judged]:
    """Every task that has clips of two classes or more in all splits, the speech tasks first."""
    found = [task_clips(TASKS[name], rows) for name in JUDGED]
    found.insert(3, speaker_clips(rows))
    kept = [few(clips, per_class) if per_class else clips for clips in found]
    whole = [c for c in kept if len(c.classes) > 1 and all(len(c.of(split)) for split in SPLITS)]
    return [Judged(_domain(c.task), c) for c in whole]


def speaker_clips(rows: Sequence[ClipRow]) -> TaskClips:
    """Who speaks? Closed-set: train, validation and test have the same speakers, but no utterance in common.

    Only speakers are asked for whom distillation has not heard: those of the sets' own validation and test splits. An
    utterance is what was said and how, so that one sentence of all speakers lies in one split.
    """
    places = [i for i, r in enumerate(rows) if r.dataset in SPEAKER_SETS and r.split != TRAIN and r.group]
    said = [Recording(rows[i].file, rows[i].group, "", utterance(rows[i]), rows[i].gender) for i in places]
    split = dict(zip(places, deal(said, SHARES), strict=True)) if said else {}
    dealt = [replace(row, split=split.get(i, row.split)) for i, row in enumerate(rows)]
    asked = {(rows[i].dataset, rows[i].file) for i in places}
    task = RelatedTask(
        "speaker",
        "Speaker",
        SPEAKER_SETS,
        lambda row: f"{row.dataset}/{row.group}" if (row.dataset, row.file) in asked else "",
        utterance,
    )
    return task_clips(task, dealt)


def utterance(row: SetRow) -> str:
    """What was said and how, without who said it: `03-01-05-01-01-01-07` and `KD0_anger_12` name the speaker too."""
    name = PurePosixPath(row.file).stem
    if row.dataset == "nemo":
        return f"nemo/{row.label}/{name.rpartition('_')[2]}"
    return f"{row.dataset}/{name.rpartition('-')[0] or name}"


def few(clips: TaskClips, per_class: int) -> TaskClips:
    """At most `per_class` clips of each class and split, the first ones."""
    seen: dict[tuple[int, int], int] = {}
    kept = []
    for i, key in enumerate(zip(clips.label.tolist(), clips.split.tolist(), strict=True)):
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= per_class:
            kept.append(i)
    part = np.array(kept, int)
    return replace(
        clips, row=clips.row[part], label=clips.label[part], split=clips.split[part], source=clips.source[part]
    )


def _domain(task: RelatedTask) -> str:
    if set(task.sets) <= set(SPEECH_SETS):
        return SPEECH
    return MUSIC if set(task.sets) <= set(MUSIC_SETS) else "neutral"
