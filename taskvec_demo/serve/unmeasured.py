"""Artifacts of a checkpoint on which nothing was measured. The page opens on it, and figures are computed on demand.

They are in memory only: nothing is written, so that a machine on which nothing can be written opens a checkpoint too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..clap.embedded import EMBEDDED
from ..clap.model import Checkpoint, Precision
from ..clap.sources import memory_needed, open_checkpoint, read_config, resolve
from ..core.recipe import recipe_checkpoint
from ..core.surface import LogitSurface
from ..core.task_vector import TaskVector
from ..core.tasks import Task
from ..core.zero_shot import MAX_LABELS, ZeroShotHead
from ..errors import BadArtifactError
from ..recordings.layouts import detect, read_set
from ..recordings.splits import printable
from .artifacts import Artifacts, Preset, SurfaceFile, example_clips
from .one_clip import TEMPLATE
from .own_vectors import read_all

TITLES = {"esc50": "ESC-50", "urbansound8k": "UrbanSound8K", "gtzan": "GTZAN", "ravdess": "RAVDESS", "emodb": "EmoDB"}

CONTROL = re.compile(r"esc[-_ ]?(10|50)(?!\d)", re.IGNORECASE)  # how the name of a folder of ESC begins

Say = Callable[[str], None]


@dataclass(frozen=True)
class UnmeasuredArtifacts:
    """What `Artifacts` has, of an open checkpoint: task vectors, and a zero-shot head for each task.

    No surface, no preset, no table: nothing was measured. The examples are those of the embedded checkpoint.
    """

    name: str
    checkpoint: Checkpoint
    pretrained: Mapping[str, str | None]  # repository and commit on the hub; empty where the weights lie here
    tasks: dict[str, Task]
    vectors: dict[str, TaskVector]
    heads: dict[str, ZeroShotHead]
    templates: tuple[str, ...]
    default_labels: tuple[str, ...]
    surfaces: ClassVar[Mapping[str, LogitSurface]] = {}
    surface_files: ClassVar[Mapping[str, SurfaceFile]] = {}
    presets: ClassVar[Mapping[str, Preset]] = {}
    sources: ClassVar[Sequence[Mapping[str, str]]] = ()
    tables: ClassVar[Path | None] = None
    synthesized: ClassVar[Path | None] = None
    studies: ClassVar[Path | None] = None  # those that are shipped are about the embedded checkpoint

    @property
    def pretrained_sha256(self) -> str:
        return self.checkpoint.pretrained.sha256

    @property
    def examples(self) -> list[Path]:
        return example_clips(EMBEDDED)

    def open_checkpoint(self, precision: Precision = "float32") -> Checkpoint:
        """The checkpoint. It is open already, so `precision` has no effect here."""
        return self.checkpoint


def unmeasured_artifacts(
    spec: str,
    vectors: Sequence[Path] = (),
    data: Path | None = None,
    *,
    tokenizer: str | None = None,
    say: Say = lambda step: None,
) -> UnmeasuredArtifacts:
    """Open the checkpoint that a user named (`sources.resolve`), and make the artifacts that the app needs.

    Its tasks are tiny-CLAP's if it is tiny-CLAP; otherwise one for every set of recordings in `data`
    (`layouts.read_set`), if there are any. `say` is called with a sentence for each step. Raises `BadArtifactError` or
    `IncompatibleWeightsError`.
    """
    source = resolve(spec)
    say(f"opening {spec}: {memory_needed(read_config(source)) / 1e9:.2f} GB of weights")
    checkpoint = open_checkpoint(source, tokenizer=tokenizer)
    name = recipe_checkpoint(source.repo or source.name)
    if vectors:
        say(f"reading {len(vectors)} task vector{'s' if len(vectors) > 1 else ''}")
    own = read_all(vectors, checkpoint.pretrained, name)
    tasks, templates, labels = _texts(checkpoint, data)
    if tasks:
        say(f"reading the labels of {', '.join(t.title for t in tasks)}")
    return UnmeasuredArtifacts(
        name=name,
        checkpoint=checkpoint,
        pretrained={"repo": source.repo, "revision": source.revision} if source.repo else {},
        tasks={task.name: task for task in tasks},
        vectors=own,
        heads={task.name: _head(checkpoint, task) for task in tasks},
        templates=tuple(templates),
        default_labels=tuple(labels),
    )


def _texts(checkpoint: Checkpoint, data: Path | None) -> tuple[list[Task], Sequence[str], Sequence[str]]:
    """Tasks, templates and default labels of a checkpoint: the embedded one has its own."""
    embedded = Artifacts(EMBEDDED, verify=False)
    if embedded.pretrained_sha256 == checkpoint.pretrained.sha256:
        return list(embedded.tasks.values()), embedded.templates, embedded.default_labels
    tasks = tasks_of(data) if data is not None else []
    labels = list(dict.fromkeys(prompt for task in tasks for prompt in task.prompts))[:MAX_LABELS]
    return tasks, [TEMPLATE], labels if len(labels) > 1 else embedded.default_labels


def tasks_of(data: Path) -> list[Task]:
    """One task for each set of recordings in `data`, or for `data` if it is a set itself.

    Prompts are the labels with "_" as a space. The control is ESC-50, told by its layout, and every folder whose name
    begins as ESC-10 or ESC-50. Raises `BadArtifactError` where there is no set.
    """
    folders = sorted(p for p in data.iterdir() if p.is_dir()) if data.is_dir() else []
    sets = [folder for folder in folders if detect(folder)] or [data]
    tasks = [_task(folder, folder.relative_to(data).as_posix()) for folder in sets]
    twice = next((t.name for i, t in enumerate(tasks) if t.name in {other.name for other in tasks[:i]}), None)
    if twice is not None:
        raise BadArtifactError(f"{data} holds two sets that would both be called {twice!r}; rename one of the folders.")
    return tasks


def _task(folder: Path, below: str) -> Task:
    found = read_set(folder)
    gendered = found.layout == "gender_emotion"
    classes = {f"{r.gender}_{r.label}" if gendered else r.label for r in found.recordings}
    if len(classes) < 2:
        raise BadArtifactError(f"{folder} has the one label {classes.pop()!r}; a task needs two different ones.")
    names = tuple(sorted(classes))
    return Task(
        name=re.sub(r"[^A-Za-z0-9_-]+", "_", folder.resolve().name).strip("_-").lower() or "recordings",
        title=TITLES.get(found.layout, printable(folder.resolve().name)),
        role="control" if CONTROL.match(folder.resolve().name) or found.layout == "esc50" else "target",
        class_names=names,
        prompts=tuple(name.replace("_", " ") for name in names),
        templates=(TEMPLATE,),
        source=f"{printable(folder.resolve().name)}, read in the layout {found.layout}",
        licence="that of the recordings",
        clips_folders=(below,),
        clip_label=("gender", "label") if gendered else ("label",),
    )


def _head(checkpoint: Checkpoint, task: Task) -> ZeroShotHead:
    return ZeroShotHead.from_prompts(checkpoint.embed_text, task.class_names, task.prompts, task.templates)
