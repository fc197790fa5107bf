"""`AnswerBook`: the answers of the pre-trained model and of each edited model on one split, clip by clip, from which
tables are counted.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.evaluation import Accuracy, TaskResult
from ...core.intervals import mcnemar
from ...core.tasks import Task
from ...errors import BadArtifactError
from .predictions import Predictions, Predictor, measure

PRETRAINED = "pre-trained"
DIGITS = string.digits + string.ascii_letters  # one character a prediction: at most 62 classes
Edits = dict[str, dict[str, float]]  # name of a reported edit -> its coefficients


@dataclass(frozen=True)
class AnswerBook:
    """Predictions on one split under all edits that are reported, with those of the pre-trained model."""

    checkpoint_name: str
    labels: Predictions
    edits: Edits
    predictions: dict[str, Predictions]
    split: str = "test"

    @classmethod
    def measured(cls, predictor: Predictor, edits: Edits, what: str, split: str = "test") -> AnswerBook:
        edits = {PRETRAINED: {}, **edits}
        predictions = dict(zip(edits, measure(predictor, split, edits.values(), what), strict=True))
        return cls(predictor.checkpoint_name, predictor.labels(split), edits, predictions, split)

    def entry(self, edit: str, task: str, of: Sequence[int] | None = None) -> dict[str, Any]:
        """n, both accuracies with their intervals, and McNemar's p, on all clips or on those of the classes in `of`."""
        chosen = np.ones(len(self.labels[task]), bool) if of is None else np.isin(self.labels[task], of)
        right = [(self.predictions[e][task] == self.labels[task])[chosen] for e in (PRETRAINED, edit)]
        before, after = (Accuracy.of(r).to_dict() for r in right)
        p = float(f"{mcnemar(right[1], right[0]):.4g}")
        return {"task": task, "n": int(chosen.sum()), "pretrained": before, "edited": after, "mcnemar_p": p}

    def results(self, edit: str, tasks: Mapping[str, Task]) -> list[dict[str, Any]]:
        """One `TaskResult` for each of `tasks`, as JSON."""
        pairs = ((self.predictions[PRETRAINED][t], self.predictions[edit][t]) for t in tasks)
        return [
            TaskResult(task, self.split, "exact", self.labels[name], before, after).to_dict()
            for (name, task), (before, after) in zip(tasks.items(), pairs, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """JSON with one character a clip: its class in base 62."""
        rows = [
            {"name": e, "coefficients": c, "predictions": _encoded(self.predictions[e])} for e, c in self.edits.items()
        ]
        fields = {"format": 1, "checkpoint": self.checkpoint_name, "split": self.split, "classes": DIGITS}
        return fields | {"labels": _encoded(self.labels), "edits": rows}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> AnswerBook:
        if fields.get("format") != 1:
            raise BadArtifactError(f"Test predictions of format {fields.get('format')!r} cannot be read; it must be 1.")
        return cls(
            fields["checkpoint"],
            _decoded(fields["labels"]),
            {e["name"]: e["coefficients"] for e in fields["edits"]},
            {e["name"]: _decoded(e["predictions"]) for e in fields["edits"]},
            fields["split"],
        )


def _encoded(predictions: Predictions) -> dict[str, str]:
    return {task: "".join(DIGITS[int(i)] for i in values) for task, values in predictions.items()}


def _decoded(fields: Mapping[str, str]) -> Predictions:
    return {task: np.array([DIGITS.index(c) for c in text], np.int64) for task, text in fields.items()}
