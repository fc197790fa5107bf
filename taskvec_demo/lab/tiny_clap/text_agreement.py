"""How far a text tower agrees with its teacher: on held-out phrases and on rewordings of sounds."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...core.intervals import wilson
from .captions import TEMPLATES
from .rewordings import LABELS, REWORDINGS
from .teacher import Corpus, unit

SOUNDS = ("ESC-50", "UrbanSound8K", "Philharmonia")  # sets whose labels held-out lemmas are compared with
HELD_OUT_SAMPLE = 2000  # number of lemmas that are measured: the 95 % interval of a rate is then at most ±2.2 points

Encoder = Callable[[Sequence[str]], np.ndarray]  # texts -> unit rows (n, dim)


def text_agreement(encoders: dict[str, Encoder], corpus: Corpus, sounds: Sequence[str]) -> dict[str, Any]:
    """How far the first of `encoders` (student, teacher in the joint space, teacher in its own space) agrees with the
    others.

    On lemmas that were not trained on: the mean cosine to the joint space, and how often the nearest of a task's labels
    (or of 50 random lemmas) is the same as the teacher's. On rewordings of sounds: the accuracy of all three. Rates
    have n and a 95 % Wilson interval.
    """
    draw = random.Random(2)
    lemmas = draw.sample(sorted(corpus.held_out), min(HELD_OUT_SAMPLE, len(corpus.held_out)))
    trained = [text for text in corpus.parts[0] if text not in corpus.held_out]
    labels = {name: list(LABELS[name].values()) for name in SOUNDS}
    labels["50 random lemmas"] = draw.sample(trained, min(50, len(trained)))
    heads = {
        name: [_ensemble(encode, names, TEMPLATES) for encode in encoders.values()] for name, names in labels.items()
    }
    student, joint = list(encoders.values())[:2]
    report: dict[str, Any] = {"trained_sound_cosine": _cosine_summary(student(sounds), joint(sounds))}
    for kind, template in (("held_out", "{}"), ("held_out_in_a_template", TEMPLATES[1])):
        texts = [template.format(lemma) for lemma in lemmas]
        rows = [encode(texts) for encode in encoders.values()]
        report[f"{kind}_cosine"] = _cosine_summary(rows[0], rows[1])
        report[f"{kind}_nearest"] = {
            name: _nearest_agreement(rows, head, list(encoders)) for name, head in heads.items()
        }
    return report | {"rewordings": _rewording_accuracy(encoders, sounds, TEMPLATES)}


def _ensemble(encode: Encoder, texts: Sequence[str], templates: Sequence[str]) -> np.ndarray:
    """Unit mean over the templates, as in a zero-shot head: (n, dim)."""
    return unit(np.mean([encode([template.format(text) for text in texts]) for template in templates], axis=0))


def _cosine_summary(found: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    cosines = (found * wanted).sum(1)
    return {"n": len(cosines), "mean": float(cosines.mean()), "tenth_percentile": float(np.quantile(cosines, 0.1))}


def _rate(hits: np.ndarray) -> dict[str, float]:
    low, high = wilson(int(hits.sum()), len(hits))
    return {"n": len(hits), "rate": float(hits.mean()), "low": float(low), "high": float(high)}


def _nearest_agreement(rows: list[np.ndarray], head: list[np.ndarray], names: list[str]) -> dict[str, Any]:
    """For every pair of encoders: how often both find the same label nearest to a text.

    `rows` (n, dim) are the embeddings of the texts, `head` (n_labels, dim) those of the labels, one array per encoder.
    """
    nearest = [(found @ label.T).argmax(1) for found, label in zip(rows, head, strict=True)]
    return {
        f"{names[i]} = {names[j]}": _rate(nearest[i] == nearest[j])
        for i in range(len(names))
        for j in range(i + 1, len(names))
    }


def _rewording_accuracy(
    encoders: dict[str, Encoder], sounds: Sequence[str], templates: Sequence[str]
) -> dict[str, Any]:
    """Share of rewordings nearest to their label, by encoder and task; both in all templates."""
    parts = {part.strip() for text in sounds for part in (text.lower(), *text.lower().split(","))}
    hits: dict[str, dict[str, np.ndarray]] = {name: {} for name in encoders}
    wrong, left_out = [], []
    for task, wordings in REWORDINGS.items():
        labels = list(LABELS[task].values())
        pairs = [(text, label) for label, texts in wordings.items() for text in texts]
        left_out += [text for text, _ in pairs if text.lower() in parts]
        pairs = [pair for pair in pairs if pair[0].lower() not in parts]
        truth = np.array([labels.index(label) for _, label in pairs])
        for name, encode in encoders.items():
            queries = _ensemble(encode, [text for text, _ in pairs], templates)
            nearest = (queries @ _ensemble(encode, labels, templates).T).argmax(1)
            hits[name][task] = nearest == truth
            wrong += [(name, pairs[i][0], labels[nearest[i]]) for i in np.flatnonzero(nearest != truth)]
    rates = {name: {task: _rate(found) for task, found in by_task.items()} for name, by_task in hits.items()}
    for name, by_task in hits.items():
        rates[name]["all"] = _rate(np.concatenate(list(by_task.values())))
    return rates | {"left_out": left_out, "wrong": wrong}
