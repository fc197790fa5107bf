"""The study of tiny-CLAP: its tasks, its task vectors, and where the recordings come from.

The tasks are those of Ballanti's paper (ESC-50 as control; music, urban sounds and gendered emotion) and three more.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ...core.tasks import Role, Task
from ..data.datasets import read_rows
from ..data.fine_tuning import FineTuning
from ..data.study import ANALOGY, Study, Sum
from . import class_names
from .captions import TEMPLATES

# Every second class of the control and all of three targets, speech by gender only: at most 64 labels are accepted.
DEFAULT_LABELS = tuple(
    dict.fromkeys(
        [
            *list(class_names.ESC50.values())[::2],
            *class_names.URBAN.values(),
            *class_names.INSTRUMENTS.values(),
            *class_names.GENRES.values(),
            "a man speaking",
            "a woman speaking",
        ]
    )
)
# A, B, C and D, as the paper has them
ANALOGY_CLASSES = ("female_happy", "male_happy", "female_sad", "male_sad")
SPEAKERS = {"female": "a woman speaking", "male": "a man speaking"}
CC_BY_NC_SA = "CC BY-NC-SA 4.0"
# The six emotions of the paper, which both sets of speech have
SIX = ("angry", "fearful", "happy", "neutral", "sad", "surprised")
VOICES = {f"{g}_{e}": class_names.EMOTION[f"{g}_{e}"] for g in class_names.GENDERS for e in SIX}


def _task(
    name: str, title: str, classes: dict[str, str], folders: str, source: str, licence: str, label: str = "label"
) -> Task:
    role: Role = "control" if name == "esc50" else "target"
    prompts, sets, columns = tuple(classes.values()), tuple(folders.split()), tuple(label.split())
    return Task(name, title, role, tuple(classes), prompts, TEMPLATES, source, licence, sets, columns)


SPEECH = ("ravdess nemo", "RAVDESS (Livingstone & Russo 2018) and nEMO (2024)", CC_BY_NC_SA, "gender label")
FOUR_VOICES = {c: VOICES[c] for c in ANALOGY_CLASSES}
GTZAN = ("gtzan_mini", "GTZAN (Tzanetakis & Cook 2002), cuts", "none stated")
FSDD = ("fsdd", "Free Spoken Digit Dataset", "CC BY-SA 4.0")
PHILHARMONIA = ("philharmonia", "Philharmonia sound samples", "CC BY-SA 3.0")
TASKS = {
    t.name: t
    for t in (
        _task("esc50", "Everyday sounds", class_names.ESC50, "esc50", "ESC-50 (Piczak 2015)", "CC BY-NC 3.0"),
        _task("music", "Music genres", class_names.GENRES, *GTZAN),
        _task("urban", "Urban sounds", class_names.URBAN, "urban", "UrbanSound8K (Salamon 2014)", "CC BY-NC 3.0"),
        _task("emotion", "Emotional speech", VOICES, *SPEECH),
        _task("instruments", "Instruments", class_names.INSTRUMENTS, *PHILHARMONIA),
        _task("digits", "Spoken digits", class_names.DIGIT_CLASSES, *FSDD),
        _task("kitchen", "Kitchen sounds", class_names.KITCHEN, "kitchen20", "Kitchen20 (Moreaux 2019)", "none stated"),
        _task(ANALOGY, "Happy or sad, man or woman", FOUR_VOICES, *SPEECH),
    )
}
NOTES, SPOKEN = "sampled_notes", "spoken_digits"  # sets that `data notes` and `data words` make
# The projection learns first, which costs seconds, and then all of the tower, unless that can learn at once. Meanwhile
# the other sets keep their embeddings.
_tuned = partial(FineTuning, rehearsal=5.0, projection=300)
FINE_TUNINGS = {
    f.vector: f
    for f in (
        # Music is learned as well at once, and then subtracted with less of a bent to one answer.
        _tuned("music", "music", epochs=40, projection=0),
        # Colour and tempo are what these are told by, so windows keep them; of music there are too few tracks for that.
        _tuned("urban", "urban", epochs=6, projection=0, peak_rate=2e-4, augmentation="light"),
        _tuned("emotion", "emotion", epochs=8, projection=0, peak_rate=2e-4, augmentation="light"),
        # Notes of a soundfont and words of synthesizers are learned too, if they are there: the same from others. With
        # them there is enough for all of the tower to learn at once.
        _tuned("instruments", "instruments", epochs=16, projection=0, peak_rate=4e-4, timbre=0.5, also=(NOTES,)),
        _tuned("digits", "digits", epochs=18, projection=0, peak_rate=4e-4, timbre=0.5, also=(SPOKEN,)),
        # More rehearsal keeps the control, of which it took more than the others.
        _tuned("kitchen", "kitchen", epochs=8, rehearsal=10.0),
        *(_tuned(c, ANALOGY, epochs=2, only_class=c) for c in ANALOGY_CLASSES[:3]),
    )
}
# Of fine-tuning as in the papers, a baseline.
PLAIN_EPOCHS = {"music": 40, "urban": 9, "emotion": 8, "instruments": 8, "digits": 8, "kitchen": 12}
SOURCES = (
    ("ESC-50", "Piczak 2015", "CC BY-NC 3.0 (its ESC-10 part CC BY 3.0)"),
    ("GTZAN, cuts of the artist-filtered lists", "Tzanetakis & Cook 2002, Sturm 2014", "none stated"),
    ("UrbanSound8K, folds 1, 2 and 10", "Salamon et al. 2014", "CC BY-NC 3.0"),
    ("RAVDESS speech", "Livingstone & Russo 2018", CC_BY_NC_SA),
    ("nEMO", "Christop 2024", CC_BY_NC_SA),
    ("Philharmonia sound samples", "Philharmonia Orchestra", "CC BY-SA 3.0"),
    ("FluidR3 soundfont (instruments' vector)", "Frank Wen", "MIT"),
    ("Free Spoken Digit Dataset", "Jackson et al.", "CC BY-SA 4.0"),
    ("Kitchen20", "Moreaux et al. 2019", "none stated"),
    ("Animal sounds", "unknown", "none stated"),
    ("Drum hits", "unknown", "none stated"),
    (
        "Music, effects and prompts of 35 Debian packages, named in the model card (unlabelled)",
        "named in each package",
        "free licences, named in each package",
    ),
    ("Words spoken by flite, espeak-ng and festival (unlabelled; digits' vector)", "this project", "as the code"),
    ("YAMNet (teacher)", "Google", "Apache-2.0"),
    ("aiSFX (teacher)", "Ma et al.", "CC BY 4.0"),
    ("MSD_musicnn (teacher)", "Pons & Serra 2019", "ISC"),
    ("Resemblyzer (teacher)", "Resemble AI", "Apache-2.0"),
    (
        "Google speech embedding, as openWakeWord ships it (teacher)",
        "Google, D. Scripka",
        "Apache-2.0; CC BY-NC-SA 4.0",
    ),
    ("WordNet 3.0 (phrases)", "Princeton University", "WordNet licence"),
    ("all-MiniLM-L6-v2 (text teacher)", "sentence-transformers", "Apache-2.0"),
)
PAIR = ("music", "urban")  # the two tasks of Ballanti's paper
MAIN = tuple(name for name, f in FINE_TUNINGS.items() if f.only_class is None)

TINY = Study(
    name="tiny",
    tasks=TASKS,
    fine_tunings=FINE_TUNINGS,
    plain_epochs=PLAIN_EPOCHS,
    analogy=ANALOGY_CLASSES,
    speakers=SPEAKERS,
    pair=PAIR,
    sums={
        "two": Sum(PAIR),
        "two_shared": Sum(PAIR, one_lambda=True),
        "all": Sum(MAIN, one_lambda=True),  # a grid with a λ for each vector would have 4,096 points
    },
    default_labels=DEFAULT_LABELS,
    templates=TEMPLATES,
    sources=SOURCES,
    card=Path(__file__).with_name("card.md"),
    read_rows=partial(read_rows, optional=(NOTES, SPOKEN)),
    bits=6,  # nine vectors are most of what the repository weighs
    checkpoint="tiny-clap",
)
