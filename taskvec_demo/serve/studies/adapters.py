"""The study "Multi-task adapters for on-device audio inference" as it is shipped, and what its adapters hear.

<folder>/study.json  weights/<task>.safetensors
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ...core.adapters import Adapter, StageShapes, clip_logits, read_adapters
from ...core.files import sha256_if_there
from ...core.zero_shot import clip_embedding, probabilities
from ...errors import BadArtifactError, BadRecipeError, shortened
from ..cache import BoundedCache
from ..one_clip import hear
from .contents import CONTENTS, read_contents

if TYPE_CHECKING:  # transformers takes seconds to import
    from ...clap.stages import Stages
    from ..workbench import Workbench

FORMAT = 1
WEIGHTS = "weights/{}.safetensors"
ZERO_SHOT = "zero-shot"
MAX_WINDOWS = 4  # of the visitor's clip
CACHE_BYTES = 8 * 2**20  # stages of 60 clips of two windows


@dataclass(frozen=True)
class Answer:
    """What one task's adapter hears: its most probable class in words."""

    task: str
    label: str
    probability: float


@dataclass(frozen=True)
class Heard:
    """The answers for one clip. `flops` are those of the tower and of all adapters, for `windows` windows.

    `seconds` is what the adapters took here, after the tower.
    """

    answers: tuple[Answer, ...]
    windows: int
    tower_flops: int
    flops: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Adapters:
    """The shipped figures, and the adapters of one page. Safe to call from many threads; nothing shared is changed.

    Raises BadArtifactError for figures of another format or of another checkpoint.
    """

    def __init__(self, folder: Path, workbench: Workbench) -> None:
        self.folder, self.workbench = folder, workbench
        self.contents = read_contents(folder, FORMAT)
        if self.contents["pretrained_sha256"] != workbench.artifacts.pretrained_sha256:
            raise BadArtifactError(
                f"{folder / CONTENTS} was measured on the checkpoint {self.contents['checkpoint']!r} with weights "
                f"{self.contents['pretrained_sha256'][:12]}, not on {workbench.artifacts.pretrained_sha256[:12]}."
            )
        self.shapes = StageShapes.from_dict(self.contents["shapes"])
        self.tasks: dict[str, dict[str, Any]] = {entry["name"]: entry for entry in self.contents["tasks"]}
        self._of_task = functools.cache(lambda task: read_adapters(folder / WEIGHTS.format(task), self.shapes))
        self._stages: BoundedCache[tuple[Path, str], Stages] = BoundedCache(CACHE_BYTES, _nbytes)

    def answer(self, clip: str | Path, chosen: Mapping[str, str]) -> Heard:
        """Answer a recording with one point for each of some tasks. Raises BadAudioError, or BadRecipeError for an
        unknown task or point.
        """
        points = [self._point(task, name) for task, name in chosen.items()]
        stages = self._heard(Path(clip))
        windows = len(stages.embedding)
        began = time.perf_counter()
        answers = tuple(self._answer(task, name, stages) for task, name in chosen.items())
        seconds = time.perf_counter() - began
        tower = windows * self.contents["tower"]["flops"]
        return Heard(answers, windows, tower, tower + windows * sum(p["flops"] for p in points), round(seconds, 4))

    def _point(self, task: str, name: str) -> dict[str, Any]:
        """The point of a task with this name. Only zero-shot and the adapters that are shipped can answer a clip."""
        if task not in self.tasks:
            known = ", ".join(self.tasks)
            raise BadRecipeError(f"{shortened(task)!r} is no task of this study; its tasks are: {known}.")
        answered = {p["name"]: p for p in self.tasks[task]["points"]}
        if name not in answered or not (name == ZERO_SHOT or name in self._of_task(task)):
            known = ", ".join([ZERO_SHOT, *self._of_task(task)])
            raise BadRecipeError(f"The task {task!r} has no adapter {shortened(name)!r}; it has: {known}.")
        return answered[name]

    def _answer(self, task: str, name: str, stages: Stages) -> Answer:
        classes = self.tasks[task]["classes"]
        if name == ZERO_SHOT:
            head = self.workbench.artifacts.heads[task]
            logits = head.logits(clip_embedding(stages.embedding)[None], self.workbench.checkpoint.logit_scale)[0]
        else:
            adapter: Adapter = self._of_task(task)[name]
            with torch.inference_mode():
                windows = adapter(stages.maps, stages.embedding)
                logits = clip_logits(windows, torch.zeros(len(windows), dtype=torch.long), 1)[0]
        values = probabilities(logits)
        best = max(range(len(values)), key=values.__getitem__)
        return Answer(task, classes[best].replace("_", " "), round(values[best], 4))

    def _heard(self, path: Path) -> Stages:
        def listen() -> Stages:
            from ...clap.stages import tower_stages

            checkpoint = self.workbench.checkpoint
            return tower_stages(checkpoint, hear(path, checkpoint.features)[1][:MAX_WINDOWS])

        return self._stages.get((path, sha256_if_there(path)), listen)


def _nbytes(stages: Stages) -> int:
    return sum(t.nbytes for t in (*stages.maps, stages.embedding))
