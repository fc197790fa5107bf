"""Accuracies of the pre-trained and the edited model on the same labelled clips, with their uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from .intervals import mcnemar, wilson
from .tasks import Task

CONTROL_KEPT = 0.95  # the control holds if it keeps this share of its pre-trained accuracy
FORGOTTEN = 0.5  # a task is forgotten if at most this share of it is left, and chance does not explain that
LEARNED = 0.9  # a task is learned if it has this share of the accuracy of its own vector
Kind = Literal["exact", "grid", "estimate"]
"""exact: measured now on labelled clips; grid: measured beforehand at this very recipe; estimate: logit surface."""


@dataclass(frozen=True)
class Accuracy:
    """Share of `n` clips classified correctly, with its 95 % Wilson interval."""

    accuracy: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, correct: np.ndarray) -> Accuracy:
        """From a boolean array (n,)."""
        n, k = len(correct), int(np.count_nonzero(correct))
        low, high = wilson(k, n)
        return cls(k / n if n else float("nan"), float(low), float(high), n)

    def to_dict(self) -> dict[str, float | None]:
        """The accuracy as JSON. It is null if there are no clips, because JSON has no NaN."""
        accuracy = round(self.accuracy, 4) if self.n else None
        return {"accuracy": accuracy, "low": round(self.low, 4), "high": round(self.high, 4)}


@dataclass(frozen=True)
class TaskResult:
    """One task under one recipe: true and predicted class indices (n,) of both models on the same clips."""

    task: Task
    split: str
    kind: Kind
    labels: np.ndarray
    predicted_pretrained: np.ndarray
    predicted_edited: np.ndarray
    estimate_error: float | None = None  # mean absolute held-out error of an estimated accuracy
    estimate_class_error: float | None = None  # the same of an estimated per-class accuracy; NaN if it was not measured

    @cached_property
    def pretrained(self) -> Accuracy:
        return Accuracy.of(self.predicted_pretrained == self.labels)

    @cached_property
    def edited(self) -> Accuracy:
        return Accuracy.of(self.predicted_edited == self.labels)

    @cached_property
    def per_class(self) -> list[tuple[str, Accuracy, Accuracy]]:
        """One (class name, pre-trained, edited) for each class, in the task's order.

        The accuracy of a class is its recall.
        """
        rows = []
        for index, name in enumerate(self.task.class_names):
            of_class = self.labels == index
            rows.append(
                (
                    name,
                    Accuracy.of(self.predicted_pretrained[of_class] == index),
                    Accuracy.of(self.predicted_edited[of_class] == index),
                )
            )
        return rows

    @property
    def mcnemar_p(self) -> float | None:
        """McNemar's exact p on the paired predictions.

        An estimate has none, because its predictions were not measured.
        """
        if self.kind == "estimate":
            return None
        return mcnemar(self.predicted_edited == self.labels, self.predicted_pretrained == self.labels)

    def to_dict(self) -> dict[str, Any]:
        """The JSON of the API."""
        p = self.mcnemar_p
        fields: dict[str, Any] = {
            "task": self.task.name,
            "role": self.task.role,
            "split": self.split,
            "kind": self.kind,
            "n": len(self.labels),
            "pretrained": self.pretrained.to_dict(),
            "edited": self.edited.to_dict(),
            "per_class": [
                {"class": name, "n": before.n, "pretrained": before.to_dict(), "edited": after.to_dict()}
                for name, before, after in self.per_class
            ],
            "mcnemar_p": None if p is None else float(f"{p:.4g}"),
        }
        if self.estimate_error is not None:
            by_class = self.estimate_class_error
            fields["estimate_error"] = round(self.estimate_error, 4)
            fields["estimate_class_error"] = None if by_class is None or math.isnan(by_class) else round(by_class, 4)
        return fields


def normalized_accuracy(edited: float, finetuned: float) -> float:
    """Accuracy over that task's own fine-tuned accuracy (Ilharco et al. 2022, arXiv:2212.04089)."""
    return edited / finetuned if finetuned else float("nan")


def percent(share: float) -> str:
    """Whole percent. A half is rounded up, as in the browser, so that a figure is the same wherever it is shown."""
    return f"{math.floor(100 * share + 0.5)}"
