"""Clips of this machine that an edit makes the model answer otherwise, and their sound.

A clip is named by its place in the workbench's own list of labelled clips, never by a path.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import soundfile

from ..core.recipe import Recipe
from ..errors import BadRecipeError, shortened
from ..recordings.audio import load_clip
from .exact_figures import UNREADABLE
from .labelled_clips import NOT_OF_TASK
from .workbench import Workbench

SHOWN = 8  # clips of one list
HEARD_SECONDS = 10


@dataclass(frozen=True)
class FlippedClip:
    """`index` in the list of labelled clips; names of its class, of the answer before, and of the answer after."""

    index: int
    label: str
    before: str
    after: str


def flipped_clips(workbench: Workbench, recipe: Recipe, task: str) -> list[FlippedClip]:
    """At most SHOWN clips of a task, of those that the page has measured: lost ones first, then gained ones.

    Nothing is measured here. Raises `BadRecipeError`.
    """
    labelled = workbench.labelled
    if task not in labelled.tasks:
        return []
    before, after = workbench.answered(recipe)
    row = list(labelled.tasks).index(task)
    labels, before, after = labelled.classes[row, : before.shape[1]], before[row], after[row]
    counted = (labels != NOT_OF_TASK) & (before != UNREADABLE) & (before != after)
    lost, gained = (np.flatnonzero(counted & (answers == labels)) for answers in (before, after))
    names = labelled.tasks[task].class_names
    chosen = [*lost[: max(SHOWN // 2, SHOWN - len(gained))], *gained][:SHOWN]
    return [FlippedClip(int(i), *(names[int(x[i])] for x in (labels, before, after))) for i in chosen]


def clip_sound(workbench: Workbench, index: int) -> bytes:
    """The first HEARD_SECONDS of a labelled clip as the model hears it, as a WAV file.

    Raises `BadRecipeError` for an index that is not in the list, and `BadAudioError`.
    """
    clips = workbench.labelled.clips
    if not (isinstance(index, int) and 0 <= index < len(clips)):
        raise BadRecipeError(f"There is no labelled clip {shortened(str(index))}; they are 0 to {len(clips) - 1}.")
    rate = workbench.checkpoint.features.sample_rate
    file = io.BytesIO()
    soundfile.write(file, load_clip(clips[index].path, rate).samples[: HEARD_SECONDS * rate], rate, format="WAV")
    return file.getvalue()
