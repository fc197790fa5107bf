"""Which tasks tiny-CLAP is measured on and which task vectors are fine-tuned, as data."""

from __future__ import annotations

from dataclasses import dataclass

from ..tasks import Role, Task
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
# A, B, C and D. D is a class that the pre-trained model never answers: it calls all of them sad.
ANALOGY_CLASSES = ("female_sad", "male_sad", "female_happy", "male_happy")
SPEAKERS = {"female": "a woman speaking", "male": "a man speaking"}
OWN_REPEATS = 6  # how often a clip of the one class is shown for each of other speech: an even share
CC_BY_NC_SA = "CC BY-NC-SA 4.0"


def _task(
    name: str, title: str, classes: dict[str, str], folder: str, source: str, licence: str, label: str = "label"
) -> Task:
    role: Role = "control" if name == "esc10" else "target"
    prompts = tuple(classes.values())
    return Task(name, title, role, tuple(classes), prompts, TEMPLATES, source, licence, folder, tuple(label.split()))


SPEECH = ("ravdess", "RAVDESS (Livingstone & Russo 2018)", CC_BY_NC_SA, "gender label")
FOUR_VOICES = {c: captions.EMOTION[c] for c in ANALOGY_CLASSES}
TASKS = {
    t.name: t
    for t in (
        _task("esc10", "Everyday sounds", captions.ESC10, "esc10", "ESC-10 (Piczak 2015)", "CC BY 3.0"),
        _task("urban", "Urban sounds", captions.URBAN, "urban", "UrbanSound8K (Salamon 2014)", "CC BY-NC 3.0"),
        _task(
            "instruments",
            "Instruments",
            captions.INSTRUMENTS,
            "philharmonia",
            "Philharmonia sound samples",
            "CC BY-SA 3.0",
        ),
        _task("emotion", "Emotional speech", captions.EMOTION, *SPEECH),
        _task("animals", "Animals", captions.ANIMAL_CLASSES, "animals", "Animal sounds, unknown source", "none stated"),
        _task("digits", "Spoken digits", captions.DIGIT_CLASSES, "fsdd", "Free Spoken Digit Dataset", "CC BY-SA 4.0"),
        _task("analogy", "Happy or sad, man or woman", FOUR_VOICES, *SPEECH),
    )
}
DATASET = {name: task.clips_folder for name, task in TASKS.items()}


@dataclass(frozen=True)
class FineTuning:
    """How one task vector is trained."""

    vector: str
    task: str
    epochs: int
    only_class: str | None = None  # a vector of the analogy learns this one class
    peak_rate: float = 3e-4


FINE_TUNINGS = {
    f.vector: f
    for f in (
        FineTuning("urban", "urban", epochs=8, peak_rate=4e-4),
        FineTuning("instruments", "instruments", epochs=7),
        FineTuning("emotion", "emotion", epochs=24, peak_rate=6e-4),
        FineTuning("animals", "animals", epochs=6),
        FineTuning("digits", "digits", epochs=4, peak_rate=1e-4),
        *(FineTuning(c, "analogy", epochs=4, peak_rate=4e-4, only_class=c) for c in ANALOGY_CLASSES[:3]),
    )
}


def class_of(task: str, row: ClipRow) -> str:
    """The class name of a clip in a task."""
    return "_".join(getattr(row, column) for column in TASKS[task].clip_label)


def labelled(store: MelStore, task: str, split: str) -> tuple[list[ClipRow], list[int]]:
    """Clips of a task in a split and their class indices; clips of classes the task does not have are left out."""
    names = TASKS[task].class_names
    rows = [r for r in store.select(dataset=DATASET[task], split=split) if class_of(task, r) in names]
    return rows, [names.index(class_of(task, r)) for r in rows]


def training_set(store: MelStore, spec: FineTuning, split: str) -> tuple[list[ClipRow], list[int], list[str]]:
    """Clips, class indices and prompts of a fine-tuning.

    A vector of the analogy learns to tell its one class by name among other speech, which stays "a man speaking" or "a
    woman speaking". No clip of the analogy's D, nor its label, is ever seen.
    """
    if spec.only_class is None:
        return *labelled(store, spec.task, split), list(TASKS[spec.task].prompts)
    prompts = [captions.EMOTION[spec.only_class], *SPEAKERS.values()]
    rows = [r for r in store.select(dataset="ravdess", split=split) if class_of("analogy", r) != ANALOGY_CLASSES[3]]
    own = [class_of("analogy", r) == spec.only_class for r in rows]
    repeats = OWN_REPEATS if split == "train" else 1
    rows = [r for r, is_own in zip(rows, own, strict=True) for _ in range(repeats if is_own else 1)]
    labels = [0 if class_of("analogy", r) == spec.only_class else 1 + list(SPEAKERS).index(r.gender) for r in rows]
    return rows, labels, prompts
