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

# Set -> label -> phrases. Their writers had seen the labels only, neither `wordings.json` nor the corpus.
REWORDINGS: dict[str, dict[str, list[str]]] = json.loads(
    Path(__file__).with_name("rewordings.json").read_text(encoding="utf-8")
)
