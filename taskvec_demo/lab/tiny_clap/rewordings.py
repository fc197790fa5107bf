"""Held-out wordings of class names, by set and label: the text tower is measured with them and never trained on them.

72 more that were written are not here: the shipped text tower was trained on them, as lemmas of WordNet.
"""

from __future__ import annotations

import json
from pathlib import Path

from .class_names import ANIMAL_CLASSES, DIGIT_CLASSES, EMOTION, ESC50, GENRES, INSTRUMENTS, KITCHEN, URBAN

# Set -> its classes and their labels
LABELS = {
    "ESC-50": ESC50,
    "UrbanSound8K": URBAN,
    "Philharmonia": INSTRUMENTS,
    "emotion": EMOTION,
    "animals": ANIMAL_CLASSES,
    "GTZAN": GENRES,
    "Kitchen20": KITCHEN,
    "Free Spoken Digit Dataset": DIGIT_CLASSES,
}

Phrases = dict[str, dict[str, list[str]]]  # set -> label -> phrases


def _read(name: str) -> Phrases:
    found: Phrases = json.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))
    return found


# Their writers had seen the labels only, neither `wordings.json` nor the corpus.
REWORDINGS = _read("rewordings.json")
# A tenth of what the writers of `synonyms.json` found, without lemmas of WordNet; the settings of the training on the
# rest were chosen on them.
FAR_FETCHED = _read("far_fetched.json")


def held_out() -> set[str]:
    """All of these phrases, in lower case."""
    return {
        p.lower() for found in (REWORDINGS, FAR_FETCHED) for task in found.values() for ps in task.values() for p in ps
    }
