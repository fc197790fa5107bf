"""How λ is chosen: from a grid, on validation clips, never on test clips. The control must hold."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.evaluation import CONTROL_KEPT, normalized_accuracy
from ..data.study import ANALOGY, Sum
from .predictions import Coefficients, Predictions, Predictor, measure

STEPS = tuple(round(0.05 * i, 2) for i in range(1, 21))  # grid of |λ|, without λ = 0, which is no edit
OWN_STEPS = (0.4, 0.6, 0.8, 1.0)  # grid of each λ if several are chosen at once: 16 pairs, 64 triples
RULE = (
    "λ is the best of a grid on the validation clips. To forget and to add, only λ count at which the control keeps "
    "95 % of its pre-trained accuracy; where none keeps it, the λ that keeps most is taken. “holds”: whether it is "
    "kept. Vectors without rehearsal are added as the papers do it: λ is chosen by the tasks alone."
)


@dataclass(frozen=True)
class Candidate:
    """An edit with its validation figures.

    A higher `score` is better; its later entries break ties. `control` is an accuracy.
    """

    coefficients: dict[str, float]
    score: tuple[float, ...]
    control: float

    def to_dict(self) -> dict[str, Any]:
        return {"coefficients": self.coefficients, "score": list(self.score), "control": self.control}


@dataclass(frozen=True)
class Choice:
    """The candidate that the rule takes, and whether the control holds with it."""

    chosen: Candidate
    holds: bool
    candidates: tuple[Candidate, ...]
    control_pretrained: float
    needs_control: bool  # whether the rule asks for candidates that hold the control

    @property
    def coefficients(self) -> dict[str, float]:
        return self.chosen.coefficients

    def to_dict(self) -> dict[str, Any]:
        return {
            "split": "validation",
            "holds": self.holds,
            "needs_control": self.needs_control,
            "control_pretrained": self.control_pretrained,
            "candidates": [c.to_dict() for c in self.candidates],
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Choice:
        """Chooses again among stored candidates."""
        candidates = [Candidate(c["coefficients"], tuple(c["score"]), c["control"]) for c in fields["candidates"]]
        return choose(candidates, fields["control_pretrained"], fields["needs_control"])


def choose(candidates: Sequence[Candidate], control_pretrained: float, needs_control: bool = True) -> Choice:
    """The candidate with the best score.

    If `needs_control`, only candidates that hold the control count; if none does, the one that keeps most of it is
    taken.
    """
    held = [c for c in candidates if c.control >= CONTROL_KEPT * control_pretrained - 1e-9]
    if needs_control and not held:
        chosen = max(candidates, key=lambda c: (c.control, *c.score))
    else:
        chosen = max(held if needs_control else candidates, key=lambda c: c.score)
    return Choice(chosen, chosen in held, tuple(candidates), control_pretrained, needs_control)


def accuracies(predictions: Predictions, labels: Predictions) -> dict[str, float]:
    """Task -> share of its clips recognised; tasks without clips or predictions are left out."""
    found = {t: y for t, y in labels.items() if len(y) and t in predictions}
    return {t: round(float((predictions[t] == y).mean()), 6) for t, y in found.items()}


def negation_grid(vector: str) -> list[dict[str, float]]:
    return [{vector: -s} for s in STEPS]


def shared_grid(vectors: Sequence[str]) -> list[dict[str, float]]:
    """One λ for all."""
    return [dict.fromkeys(vectors, s) for s in STEPS]


def own_grid(vectors: Sequence[str]) -> list[dict[str, float]]:
    """A λ for each vector."""
    return [dict(zip(vectors, values, strict=True)) for values in itertools.product(OWN_STEPS, repeat=len(vectors))]


def addition_grid(added: Sum) -> list[dict[str, float]]:
    return shared_grid(added.vectors) if added.one_lambda else own_grid(added.vectors)


def analogy_grid(a: str, b: str, c: str) -> list[dict[str, float]]:
    """λ (τ_B + τ_C − τ_A)."""
    return [{a: -s, b: s, c: s} for s in STEPS]


def choose_negation(predictor: Predictor, task: str, edits: Sequence[Coefficients], what: str) -> Choice:
    """To forget `task`: the lowest accuracy on it; if equal, the better control."""
    control = predictor.study.control
    return _choose(predictor, [task], edits, what, lambda acc, _: (-acc[task], acc[control]), needs_control=True)


def choose_addition(
    predictor: Predictor,
    vectors: Mapping[str, str],
    edits: Sequence[Coefficients],
    what: str,
    needs_control: bool = True,
) -> Choice:
    """To learn the tasks in `vectors`: the best normalized accuracy of the worst task; if equal, the best mean.

    `vectors`: task -> the vector whose accuracy at λ = 1 counts as 1 there. The worst task counts and not the mean, so
    that no task pays for another. With `needs_control` only edits count that hold the control on validation.
    """
    labels = predictor.labels("validation")
    own = {t: accuracies(predictor.predictions("validation", {v: 1.0}, [t]), labels)[t] for t, v in vectors.items()}

    def score(acc: dict[str, float], _: Predictions) -> tuple[float, ...]:
        normalized = [round(float(np.nan_to_num(normalized_accuracy(acc[t], own[t]))), 6) for t in vectors]
        return min(normalized), round(float(np.mean(normalized)), 6)

    return _choose(predictor, vectors, edits, what, score, needs_control)


def choose_analogy(predictor: Predictor, edits: Sequence[Coefficients], what: str) -> Choice:
    """The best mean of D's recall and the accuracy on all four classes, because a model that calls everything D is no
    solution.
    """
    labels = predictor.labels("validation")[ANALOGY]
    d = labels == predictor.study.tasks[ANALOGY].class_names.index(predictor.study.analogy[3])

    def score(acc: dict[str, float], predictions: Predictions) -> tuple[float, ...]:
        recall = float((predictions[ANALOGY][d] == labels[d]).mean())
        return round((recall + acc[ANALOGY]) / 2, 6), acc[ANALOGY]

    return _choose(predictor, [ANALOGY], edits, what, score)


def _choose(
    predictor: Predictor,
    tasks: Collection[str],
    edits: Sequence[Coefficients],
    what: str,
    score,
    needs_control: bool = False,
) -> Choice:
    """Only `tasks` and the control are measured."""
    counted = {*tasks, predictor.study.control}
    labels = {task: y for task, y in predictor.labels("validation").items() if task in counted}
    before = accuracies(predictor.predictions("validation", {}, counted), labels)
    candidates = []
    for edit, predictions in zip(edits, measure(predictor, "validation", edits, what, counted), strict=True):
        acc = accuracies(predictions, labels)
        candidates.append(Candidate(dict(edit), score(acc, predictions), acc[predictor.study.control]))
    return choose(candidates, before[predictor.study.control], needs_control)
