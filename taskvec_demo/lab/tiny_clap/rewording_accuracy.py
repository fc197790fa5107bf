"""How well a visitor's own wordings work: on phrases that were not trained on, and on clips with all labels
reworded.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch

from ...clap.model import Checkpoint
from ...core.intervals import wilson
from ...core.zero_shot import ZeroShotHead
from ..data.embedding import embed_rows
from ..data.experiment import Experiment
from .captions import TEMPLATES
from .class_names import ESC50
from .rewordings import FAR_FETCHED, LABELS, REWORDINGS, Phrases

DRAWS = 200  # label sets with every label of the control replaced by one of its rewordings


def rewording_accuracy(experiment: Experiment) -> dict[str, Any]:
    """The contents of `tables/rewordings.json`.

    `phrases`: how often the text tower puts a held-out wording nearest to its own label among its task's, by set.
    `far_fetched`: the same of all far-fetched ones together, which are of validation.
    `control`: test accuracy with the canonical labels and, over DRAWS label sets, with all of them reworded at once.
    """
    far = _every(_nearest(experiment.checkpoint, FAR_FETCHED)[0])
    return {"phrases": _phrases(experiment.checkpoint), "far_fetched": _rate(far), "control": _clips(experiment)}


def _head(checkpoint: Checkpoint, labels: list[str]) -> ZeroShotHead:
    return ZeroShotHead.from_prompts(checkpoint.embed_text, labels, labels, TEMPLATES)


def _phrases(checkpoint: Checkpoint) -> dict[str, Any]:
    hits, wrong = _nearest(checkpoint, REWORDINGS)
    return {task: _rate(found) for task, found in {**hits, "all": _every(hits)}.items()} | {"wrong": wrong}


def _nearest(checkpoint: Checkpoint, phrases: Phrases) -> tuple[dict[str, list[bool]], list[list[str]]]:
    """Set -> whether each phrase is nearest to its own label; and those that are not: phrase, label, nearest label."""
    hits: dict[str, list[bool]] = {}
    wrong = []
    for task, wordings in phrases.items():
        labels = list(LABELS[task].values())
        pairs = [(phrase, label) for label, found in wordings.items() for phrase in found]
        queries = _head(checkpoint, [phrase for phrase, _ in pairs]).matrix
        nearest = (queries @ _head(checkpoint, labels).matrix.T).argmax(1).tolist()
        hits[task] = [labels[k] == label for k, (_, label) in zip(nearest, pairs, strict=True)]
        wrong += [[p, label, labels[k]] for k, (p, label) in zip(nearest, pairs, strict=True) if labels[k] != label]
    return hits, wrong


def _every(hits: dict[str, list[bool]]) -> list[bool]:
    return [hit for found in hits.values() for hit in found]


def _rate(hits: list[bool]) -> dict[str, float]:
    low, high = wilson(sum(hits), len(hits))
    return {
        "n": len(hits),
        "rate": round(sum(hits) / len(hits), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
    }


def _clips(experiment: Experiment) -> dict[str, Any]:
    checkpoint, store = experiment.checkpoint, experiment.store
    rows, labels = experiment.study.labelled(store, experiment.study.control, "test")
    embedded, truth = embed_rows(checkpoint, store, rows), torch.tensor(labels)
    choices = [REWORDINGS["ESC-50"][label] for label in ESC50.values()]
    phrases = [phrase for found in choices for phrase in found]
    matrix = _head(checkpoint, phrases).matrix
    starts = np.cumsum([0, *map(len, choices)])
    rng = np.random.default_rng(0)

    def accuracy(head: torch.Tensor) -> float:
        return float(((embedded @ head.T).argmax(1) == truth).float().mean())

    draws = [accuracy(matrix[[int(rng.integers(a, b)) for a, b in pairwise(starts)]]) for _ in range(DRAWS)]
    canonical = accuracy(_head(checkpoint, list(ESC50.values())).matrix)
    low, high = np.quantile(draws, [0.025, 0.975])
    return {
        "n_clips": len(rows),
        "canonical": round(canonical, 4),
        "n_label_sets": DRAWS,
        "reworded": round(float(np.mean(draws)), 4),
        "reworded_95_percent_of_sets": [round(float(low), 4), round(float(high), 4)],
        "kept": round(float(np.mean(draws)) / canonical, 4) if canonical else None,
    }
