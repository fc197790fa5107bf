"""A study: the tasks that a checkpoint is measured on and the task vectors that are fine-tuned for it, as data.

`tiny_clap.study.TINY` is the study of the embedded checkpoint, `studies.ballanti.BALLANTI` that of Ballanti's paper.
Everything else in `lab` is handed a study and knows no task by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ...core.few_bits import Bits
from ...core.tasks import Task
from ...errors import TaskVecError, shortened
from .datasets import ClipRow, MelStore
from .fine_tuning import FineTuning

ANALOGY = "analogy"  # name of the task whose four classes are A, B, C and D
SOMETHING = "something"  # name of the task, and of the label, under which Ballanti's paper measures D


@dataclass(frozen=True)
class Sum:
    """Vectors that are added, each named as its task, with a λ each or with one λ for all."""

    vectors: tuple[str, ...]
    one_lambda: bool = False


@dataclass(frozen=True)
class Study:
    """Tasks (one of them the control) and fine-tunings by name.

    `analogy`: the names of A, B, C and D. All four are classes of the task "analogy"; A, B and C are also vectors.
    `pair`: two vectors, named as their tasks. Each is negated by itself, and both are added.
    `sums`: the name of a sum -> the vectors in it.
    `speakers`: gender -> the prompt of ordinary speech, which a vector of the analogy learns to tell its class from.
    `read_rows`: reads a data folder.
    `plain_epochs`: epochs of fine-tuning without rehearsal, a baseline, where they are not those of the vector.
    """

    name: str
    tasks: Mapping[str, Task]
    fine_tunings: Mapping[str, FineTuning]
    analogy: tuple[str, str, str, str]
    speakers: Mapping[str, str]
    pair: tuple[str, str]
    sums: Mapping[str, Sum]
    default_labels: tuple[str, ...]
    templates: tuple[str, ...]
    sources: tuple[tuple[str, str, str], ...]  # name, author, licence
    card: Path | None = field(default=None, kw_only=True)  # what only its model card says, see `exchange/model_card.py`
    read_rows: Callable[[Path], list[ClipRow]] = field(repr=False)
    plain_epochs: Mapping[str, int] = field(default_factory=dict)
    bits: Bits = 8  # of a number in a stored vector's matrices
    checkpoint: str = ""  # the name that its checkpoint goes by; empty: the checkpoint's own

    @cached_property
    def control(self) -> str:
        return next(t.name for t in self.tasks.values() if t.role == "control")

    @cached_property
    def main(self) -> tuple[str, ...]:
        """Vectors that learn a whole task, in order. Each is named as its task."""
        return tuple(f.vector for f in self.fine_tunings.values() if f.only_class is None)

    @cached_property
    def all_tasks(self) -> dict[str, Task]:
        """The tasks, and the one on which Ballanti's paper measures D: the control's clips, and D's clips under one
        more label.
        """
        control, speech = self.tasks[self.control], self.tasks[ANALOGY]
        something = Task(
            SOMETHING,
            f"{control.title} and D as “{SOMETHING}”",
            "target",
            (*control.class_names, SOMETHING),
            (*control.prompts, SOMETHING),
            control.templates,
            f"{control.source}, {speech.source}",
            speech.licence,
        )
        return {**self.tasks, SOMETHING: something}

    def class_of(self, task: str, row: ClipRow) -> str:
        """The class name of a clip in a task."""
        return "_".join(getattr(row, column) for column in self.tasks[task].clip_label)

    def labelled(self, store: MelStore, task: str, split: str) -> tuple[list[ClipRow], list[int]]:
        """Clips of one of `all_tasks` in a split and their class indices.

        Clips of other classes than the task's are left out.
        """
        if task == SOMETHING:
            return self._something(store, split)
        return self._of_classes(store, task, self.tasks[task].clips_folders, split)

    def _of_classes(
        self, store: MelStore, task: str, sets: tuple[str, ...], split: str
    ) -> tuple[list[ClipRow], list[int]]:
        names = self.tasks[task].class_names
        rows = [r for r in _clips(store, sets, split) if self.class_of(task, r) in names]
        return rows, [names.index(self.class_of(task, r)) for r in rows]

    def _something(self, store: MelStore, split: str) -> tuple[list[ClipRow], list[int]]:
        rows, labels = self.labelled(store, self.control, split)
        speech, classes = self.labelled(store, ANALOGY, split)
        names = self.tasks[ANALOGY].class_names
        d = [r for r, c in zip(speech, classes, strict=True) if names[c] == self.analogy[3]]
        return rows + d, labels + [len(self.tasks[self.control].class_names)] * len(d)

    def training_set(self, store: MelStore, spec: FineTuning, split: str) -> tuple[list[ClipRow], list[int], list[str]]:
        """Clips, class indices and prompts of a fine-tuning.

        A set that the fine-tuning learns `also` need not be there. A vector of the analogy learns to name its one
        class; all other speech keeps the prompt "a man speaking" or
        "a woman speaking". Clips and label of D, which the analogy is to find, are never used. Raises TaskVecError for
        other speech whose gender has no such prompt.
        """
        if spec.only_class is None:
            sets = (*self.tasks[spec.task].clips_folders, *spec.also)
            return *self._of_classes(store, spec.task, sets, split), list(self.tasks[spec.task].prompts)
        task = self.tasks[spec.task]
        prompts = [task.prompts[task.class_names.index(spec.only_class)], *self.speakers.values()]
        speech = _clips(store, task.clips_folders, split)
        rows = [r for r in speech if self.class_of(spec.task, r) != self.analogy[3]]
        genders = list(self.speakers)
        is_own = [self.class_of(spec.task, r) == spec.only_class for r in rows]
        for r, mine in zip(rows, is_own, strict=True):
            if not mine and r.gender not in genders:
                raise TaskVecError(
                    f"The clip {shortened(f'{r.dataset}/{r.file}')} has the gender {shortened(r.gender)!r}, but the "
                    f"vector {spec.vector!r} is trained on speech of the genders {', '.join(genders)}."
                )
        labels = [0 if mine else 1 + genders.index(r.gender) for r, mine in zip(rows, is_own, strict=True)]
        return rows, labels, prompts


def _clips(store: MelStore, sets: tuple[str, ...], split: str) -> list[ClipRow]:
    """All clips of some sets in a split, whatever their class."""
    return [r for name in sets for r in store.select(dataset=name, split=split)]
