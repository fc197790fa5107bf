"""The study of Ballanti's "Task Arithmetic for Audio Classification" (2024), on any CLAP checkpoint.

ESC-50 is the control, urban sounds (UrbanSound8K) and music genres (GTZAN) are the targets, gender x emotion of speech
is the analogy. Splits are the sets' own, by source; rate and epochs are the paper's, the training loop is ours.
"""

from __future__ import annotations

from pathlib import Path

from ...core.tasks import Task
from ..data.datasets import ClipRow, read_rows
from ..data.fine_tuning import FineTuning
from ..data.study import ANALOGY, Study, Sum

SOUND = ("This is a sound of {}.",)  # LAION's prompt and the paper's
SONG = ("This audio is a {} song.",)  # LAION's for GTZAN
RATE, EPOCHS = 1e-5, 10  # of the paper

# Folder in --data -> name, author, licence
SETS = {
    "ESC-50": ("ESC-50", "Piczak 2015", "CC BY-NC 3.0"),
    "UrbanSound8K": ("UrbanSound8K", "Salamon et al. 2014", "CC BY-NC 3.0"),
    "GTZAN": ("GTZAN", "Tzanetakis & Cook 2002", "none stated"),
    "gender_emotion": ("gender and emotion of speech", "the set in gender_emotion", "that of the set"),
}


def _words(names: str) -> dict[str, str]:
    return {name: name.replace("_", " ") for name in names.split()}


EVERYDAY = _words(
    "dog rooster pig cow frog cat hen insects sheep crow "
    "rain sea_waves crackling_fire crickets chirping_birds water_drops wind pouring_water toilet_flush thunderstorm "
    "crying_baby sneezing clapping breathing coughing footsteps laughing brushing_teeth snoring drinking_sipping "
    "door_wood_knock mouse_click keyboard_typing door_wood_creaks can_opening washing_machine vacuum_cleaner "
    "clock_alarm clock_tick glass_breaking "
    "helicopter chainsaw siren car_horn engine train church_bells airplane fireworks hand_saw"
)
URBAN = _words(
    "air_conditioner car_horn children_playing dog_bark drilling engine_idling gun_shot jackhammer siren street_music"
)
GENRES = _words("blues classical country disco hiphop jazz metal pop reggae rock") | {"hiphop": "hip hop"}
SPEAKERS = {"female": "a woman speaking", "male": "a man speaking"}
# A, B, C and D of "A is to B as C is to D"
VOICES = {
    "female_happy": "a woman speaking happily",
    "male_happy": "a man speaking happily",
    "female_sad": "a woman speaking sadly",
    "male_sad": "a man speaking sadly",
}
A, B, C, D = VOICES


def _target(name: str, title: str, classes: dict[str, str], folder: str, templates: tuple[str, ...] = SOUND) -> Task:
    label = ("gender", "label") if name == ANALOGY else ("label",)
    source, author, licence = SETS[folder]
    names, prompts = tuple(classes), tuple(classes.values())
    return Task(name, title, "target", names, prompts, templates, f"{source} ({author})", licence, (folder,), label)


CONTROL = Task(
    "esc50",
    "Everyday sounds",
    "control",
    tuple(EVERYDAY),
    tuple(EVERYDAY.values()),
    SOUND,
    "ESC-50 (Piczak 2015)",
    SETS["ESC-50"][2],
    ("ESC-50",),
)
TASKS = (
    CONTROL,
    _target("urban", "Urban sounds", URBAN, "UrbanSound8K"),
    _target("music", "Music genres", GENRES, "GTZAN", SONG),
    _target(ANALOGY, "Happy or sad, man or woman", VOICES, "gender_emotion"),
)
FINE_TUNINGS = (
    FineTuning("urban", "urban", EPOCHS, peak_rate=RATE),
    FineTuning("music", "music", EPOCHS, peak_rate=RATE),
    *(FineTuning(voice, ANALOGY, EPOCHS, only_class=voice, peak_rate=RATE) for voice in (A, B, C)),
)
PAIR = ("urban", "music")
# Default labels for a visitor's clip. At most 64 labels are accepted, so only half of the control is among them.
DEFAULT_LABELS = tuple(
    dict.fromkeys(
        [
            *list(EVERYDAY.values())[::2],
            *URBAN.values(),
            *(f"{genre} music" for genre in GENRES.values()),
            *SPEAKERS.values(),
        ]
    )
)


def rows(data: Path) -> list[ClipRow]:
    """The recordings of the four sets in `data`, each in its own layout (`layouts.py`)."""
    return read_rows(data, tuple(SETS))


BALLANTI = Study(
    name="ballanti",
    tasks={t.name: t for t in TASKS},
    fine_tunings={f.vector: f for f in FINE_TUNINGS},
    analogy=(A, B, C, D),
    speakers=SPEAKERS,
    pair=PAIR,
    sums={"two": Sum(PAIR), "two_shared": Sum(PAIR, one_lambda=True)},
    default_labels=DEFAULT_LABELS,
    templates=SOUND,
    sources=tuple(SETS.values()),
    read_rows=rows,
)
