"""What pretraining tells the model about each clip: the caption group of the clip, and the wordings of every group.

The control (ESC-50), animals and drums are told by name. Every target stays half-known, so that its vector has
something to learn and something to forget: of each class a share of the clips is told by name, the others by a coarse
caption such as "music" or "a kitchen noise". Pretraining says the names only; the other wordings are for the text side.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

from ..data.datasets import ClipRow
from .class_names import (
    ANIMAL_CLASSES,
    DIGIT_CLASSES,
    DRUMS,
    EMOTION,
    EMOTIONS,
    ESC50,
    GENRES,
    INSTRUMENTS,
    KITCHEN,
    URBAN,
)

TEMPLATES = ("{}", "the sound of {}", "this is a sound of {}", "a recording of {}")


def _phrases(file: str) -> dict[str, list[str]]:
    return json.loads(Path(__file__).with_name(file).read_text(encoding="utf-8"))


# Caption group -> its wordings, the first of which is its name. They are synonyms, narrower and wider words and
# contexts, so that wordings of a visitor's own land near. None of them contains a phrase of `rewordings.json`, which
# measures that, and their writers had not seen those.
WRITTEN = _phrases("wordings.json")
# With further ones, which a language model wrote from the names alone.
_FURTHER = _phrases("synonyms.json")
WORDINGS = {name: [*wordings, *_FURTHER.get(name, [])] for name, wordings in WRITTEN.items()}
# The same for the 521 classes of AudioSet, by their published names.
AUDIOSET = _phrases("audioset_wordings.json")

COARSE_URBAN = {
    "air_conditioner": "machine noise",
    "drilling": "machine noise",
    "engine_idling": "machine noise",
    "jackhammer": "machine noise",
    "car_horn": "an alarm or horn",
    "siren": "an alarm or horn",
    "children_playing": "people outdoors",
    "street_music": "people outdoors",
    "dog_bark": "an animal",
    "gun_shot": "a bang",
}
FAMILY = {
    "a brass instrument": ("french_horn", "trombone"),
    "a woodwind instrument": (
        "bass_clarinet",
        "bassoon",
        "clarinet",
        "contrabassoon",
        "cor_anglais",
        "flute",
        "oboe",
        "saxophone",
    ),
    "a bowed string instrument": ("cello", "double_bass"),
    "a plucked string instrument": ("banjo", "guitar", "mandolin"),
    "percussion": ("percussion",),
}
COARSE_INSTRUMENTS = {name: family for family, names in FAMILY.items() for name in names}
GENDERED_SPEECH = {"female": "a woman speaking", "male": "a man speaking"}

# Set -> what its classes are called. Sets without labels are "music_x", all of it music, and "fx_x", told nothing.
NAMES: Mapping[str, Mapping[str, str]] = {
    "esc50": ESC50,
    "urban": URBAN,
    "kitchen20": KITCHEN,
    "gtzan_mini": GENRES,
    "philharmonia": INSTRUMENTS,
    "fsdd": DIGIT_CLASSES,
    "ravdess": EMOTION,
    "nemo": EMOTION,
    "animals": ANIMAL_CLASSES,
    "drums": DRUMS,
}
# Target -> share of each class's training clips that is told by name. Few are enough where a class is easy to hear.
NAMED = {
    "urban": 0.25,
    "kitchen20": 0.25,
    "gtzan_mini": 0.25,
    "philharmonia": 0.02,
    "fsdd": 0.01,
    "ravdess": 0.15,
    "nemo": 0.15,
}
BY_SOURCE = ("urban", "kitchen20", "gtzan_mini")  # no recording, track or source is told both ways

Unit = tuple[str, str, str]  # set, class, and the clip or the source that is told one way


def class_of(row: ClipRow) -> str:
    """The class of a clip among NAMES of its set."""
    return f"{row.gender}_{row.label}" if NAMES.get(row.dataset) is EMOTION else row.label


def _unit(row: ClipRow) -> Unit:
    return row.dataset, class_of(row), (row.group or row.file) if row.dataset in BY_SOURCE else row.file


def _draw(unit: Unit) -> str:
    """Orders units at random, but alike in every run."""
    return hashlib.md5("/".join(unit).encode()).hexdigest()


def told_by_name(rows: Iterable[ClipRow]) -> set[Unit]:
    """The training clips or sources of targets whose class name pretraining says: the first that are drawn, until they
    hold the share of their class that NAMED says."""
    clips: dict[tuple[str, str], Counter[Unit]] = {}
    for row in rows:
        if row.split == "train" and row.dataset in NAMED:
            clips.setdefault((row.dataset, class_of(row)), Counter())[_unit(row)] += 1
    told: set[Unit] = set()
    for (dataset, _), found in clips.items():
        n = 0
        for unit in sorted(found, key=_draw):
            if n >= NAMED[dataset] * found.total():
                break
            told.add(unit)
            n += found[unit]
    return told


def caption(row: ClipRow, told: AbstractSet[Unit]) -> str | None:
    """The caption group of a clip, or None if no caption describes it.

    `told` has what is told by its class's name (`told_by_name`); other clips of a target get a coarse caption.
    """
    if row.dataset not in NAMES:
        return "music" if row.label == "music" else None
    if row.dataset not in NAMED or _unit(row) in told:
        return NAMES[row.dataset][class_of(row)]
    return {
        "urban": COARSE_URBAN.get(row.label),
        "kitchen20": "a kitchen noise",
        "gtzan_mini": "music",
        "philharmonia": COARSE_INSTRUMENTS.get(row.label),
        "fsdd": "someone saying a word",
    }.get(row.dataset) or GENDERED_SPEECH[row.gender]


def all_captions(wordings: Mapping[str, Iterable[str]] = WORDINGS) -> list[str]:
    """Every phrase that pretraining or a task uses, without templates; `wordings` are those of the caption groups."""
    names = [*EMOTIONS.values(), *(label for classes in NAMES.values() for label in classes.values())]
    return sorted({*names, *(w for by_name in (wordings, AUDIOSET) for found in by_name.values() for w in found)})
