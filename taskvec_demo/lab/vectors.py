"""Which tasks tiny-CLAP is measured on and which task vectors are fine-tuned, as data."""

from __future__ import annotations

from dataclasses import dataclass

from ..tasks import Task
from . import captions
from .captions import TEMPLATES
from .datasets import ClipRow, MelStore

# What a visitor's clip is compared with unless they say otherwise: control and targets, speech by gender only.
DEFAULT_LABELS = tuple(
    dict.fromkeys(
        [
            *captions.ESC10.values(),
            *captions.URBAN.values(),
            *captions.INSTRUMENTS.values(),
            "a man speaking",
            "a woman speaking",
        ]
    )
)
ANALOGY_CLASSES = ("female_happy", "male_happy", "female_sad", "male_sad")
CC_BY_NC_SA = "CC BY-NC-SA 4.0"


def _task(name: str, title: str, role: str, classes: dict[str, str], source: str, licence: str) -> Task:
    return Task(name, title, role, tuple(classes), tuple(classes.values()), TEMPLATES, source, licence)  # type: ignore[arg-type]


TASKS = {
    t.name: t
    for t in (
        _task("esc10", "Everyday sounds", "control", captions.ESC10, "ESC-10 (Piczak 2015)", "CC BY 3.0"),
        _task("urban", "Urban sounds", "target", captions.URBAN, "UrbanSound8K (Salamon 2014)", "CC BY-NC 3.0"),
        _task(
            "instruments", "Instruments", "target", captions.INSTRUMENTS, "Philharmonia sound samples", "CC BY-SA 3.0"
        ),
        _task(
            "emotion",
            "Emotional speech",
            "target",
            captions.EMOTION,
            "RAVDESS (Livingstone & Russo 2018)",
            CC_BY_NC_SA,
        ),
        _task(
            "analogy",
            "Happy or sad, man or woman",
            "target",
            {c: captions.EMOTION[c] for c in ANALOGY_CLASSES},
            "RAVDESS (Livingstone & Russo 2018)",
            CC_BY_NC_SA,
        ),
    )
}
DATASET = {
    "esc10": "esc10",
    "urban": "urban",
    "instruments": "philharmonia",
    "emotion": "ravdess",
    "analogy": "ravdess",
}


@dataclass(frozen=True)
class FineTuning:
    """How one task vector is trained. Vectors of the analogy learn one class beside the control's ten."""

    vector: str
    task: str
    epochs: int
    only_class: str | None = None
    peak_rate: float = 2e-4


FINE_TUNINGS = {
    f.vector: f
    for f in (
        FineTuning("urban", "urban", epochs=8),
        FineTuning("instruments", "instruments", epochs=10),
        FineTuning("emotion", "emotion", epochs=18),
        *(FineTuning(c, "analogy", epochs=8, only_class=c) for c in ANALOGY_CLASSES[:3]),
    )
}


def class_of(task: str, row: ClipRow) -> str:
    """The class name of a clip in a task."""
    return f"{row.gender}_{row.label}" if DATASET[task] == "ravdess" else row.label


def labelled(store: MelStore, task: str, split: str) -> tuple[list[ClipRow], list[int]]:
    """Clips of a task in a split and their class indices; clips of classes the task does not have are left out."""
    names = TASKS[task].class_names
    rows = [r for r in store.select(dataset=DATASET[task], split=split) if class_of(task, r) in names]
    return rows, [names.index(class_of(task, r)) for r in rows]


def training_set(store: MelStore, spec: FineTuning, split: str) -> tuple[list[ClipRow], list[int], list[str]]:
    """Clips, class indices and prompts of a fine-tuning.

    A vector of the analogy sees the control's clips and those of its one class; no clip of the analogy's D, nor its
    label, is ever seen.
    """
    rows, labels = labelled(store, spec.task, split)
    if spec.only_class is None:
        return rows, labels, list(TASKS[spec.task].prompts)
    control, control_labels = labelled(store, "esc10", split)
    chosen = [r for r in rows if class_of(spec.task, r) == spec.only_class]
    prompts = [*TASKS["esc10"].prompts, captions.EMOTION[spec.only_class]]
    return control + chosen, control_labels + [len(prompts) - 1] * len(chosen), prompts
