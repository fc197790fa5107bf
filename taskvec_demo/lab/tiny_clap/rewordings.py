"""Held-out wordings of class names, by set and label: the text tower is measured with them and never trained on them.

Phrases that the training corpus has among its sounds are left out of the measurement and listed; WordNet may have any.
"""

from __future__ import annotations

import json
from pathlib import Path

from .class_names import ANIMAL_CLASSES, DIGIT_CLASSES, EMOTION, ESC10, ESC50, GENRES, INSTRUMENTS, KITCHEN, URBAN

# Set -> its classes and their labels. Phrases of the sets in MEASURED are measured; the others wait for the checkpoint
# whose tasks they are.
LABELS = {
    "ESC-10": ESC10,
    "UrbanSound8K": URBAN,
    "Philharmonia": INSTRUMENTS,
    "emotion": EMOTION,
    "animals": ANIMAL_CLASSES,
    "ESC-50, classes beyond ESC-10": ESC50,
    "GTZAN": GENRES,
    "Kitchen20": KITCHEN,
    "Free Spoken Digit Dataset": DIGIT_CLASSES,
}
MEASURED = ("ESC-10", "UrbanSound8K", "Philharmonia", "emotion", "animals")

# Set -> label -> phrases. Their writers had seen the labels only, neither `wordings.json` nor the corpus.
HELD_OUT: dict[str, dict[str, list[str]]] = json.loads(
    Path(__file__).with_name("rewordings.json").read_text(encoding="utf-8")
)
REWORDINGS = {name: HELD_OUT[name] for name in MEASURED}
