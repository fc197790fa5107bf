"""Accuracies of a small example that is worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from taskvec_demo.core.evaluation import Accuracy, TaskResult, normalized_accuracy, percent
from taskvec_demo.core.tasks import Task

TASK = Task("pets", "Pets", "target", ("dog", "cat", "emu"), ("a dog", "a cat", "an emu"), ("{}",), "made up", "CC0")
#                      dog dog dog dog cat cat
LABELS = np.array([0, 0, 0, 0, 1, 1])  # and no emu
PRETRAINED = np.array([0, 0, 1, 2, 1, 0])  # 2 of 4 dogs, 1 of 2 cats
EDITED = np.array([0, 0, 0, 2, 0, 0])  # 3 of 4 dogs, no cat


def result(kind="exact", edited=EDITED, error=None):
    return TaskResult(TASK, "validation", kind, LABELS, PRETRAINED, edited, error)


def wilson_by_hand(k, n, z=1.959964):
    centre, half = k + z * z / 2, z * math.sqrt(k * (n - k) / n + z * z / 4)
    return (centre - half) / (n + z * z), (centre + half) / (n + z * z)


def test_overall_accuracy_has_a_wilson_interval():
    assert result().pretrained.accuracy == 0.5
    assert result().edited.accuracy == 0.5
    assert result().edited.n == 6
    assert (result().edited.low, result().edited.high) == pytest.approx(wilson_by_hand(3, 6))
    assert result(edited=LABELS).edited.accuracy == 1.0


def test_per_class_accuracy_is_recall_in_the_order_of_the_task():
    names = [name for name, _, _ in result().per_class]
    figures = [(b.n, b.accuracy, a.n, a.accuracy) for _, b, a in result().per_class[:2]]
    assert names == ["dog", "cat", "emu"]
    assert figures == [(4, 0.5, 4, 0.75), (2, 0.5, 2, 0.0)]


def test_a_class_without_clips_is_unknown_rather_than_zero():
    _, before, after = result().per_class[2]
    for accuracy in (before, after):
        assert accuracy.n == 0
        assert math.isnan(accuracy.accuracy)
        assert (accuracy.low, accuracy.high) == (0.0, 1.0)
    assert Accuracy.of(np.array([False])).accuracy == 0.0  # one wrong answer is a zero


def test_mcnemar_counts_the_clips_on_which_the_models_differ():
    """Only the edited model has clip 2 right, and only the pre-trained model clip 4: p = 1.

    Four gains and no loss: p = 2 / 2^3.
    """
    assert result().mcnemar_p == 1.0
    assert result(edited=LABELS).mcnemar_p == pytest.approx(2 / 2**3)
    assert result(edited=PRETRAINED).mcnemar_p == 1.0


def test_an_estimate_has_an_error_and_no_p_value():
    estimate = result("estimate", edited=LABELS, error=0.0123456)
    assert estimate.mcnemar_p is None
    assert estimate.to_dict()["mcnemar_p"] is None
    assert estimate.to_dict()["estimate_error"] == 0.0123
    for kind in ("exact", "grid"):
        assert result(kind).mcnemar_p is not None
        assert {"estimate_error", "estimate_class_error"}.isdisjoint(result(kind).to_dict())
    for by_class, shown in ((0.0345678, 0.0346), (float("nan"), None), (None, None)):
        assert replace(estimate, estimate_class_error=by_class).to_dict()["estimate_class_error"] == shown


def test_the_json_of_a_result():
    fields = result().to_dict()
    per_class = fields.pop("per_class")
    low, high = (round(value, 4) for value in wilson_by_hand(3, 6))
    half = {"accuracy": 0.5, "low": low, "high": high}
    assert fields == {
        "task": "pets",
        "role": "target",
        "split": "validation",
        "kind": "exact",
        "n": 6,
        "pretrained": half,
        "edited": half,
        "mcnemar_p": 1.0,
    }
    assert [(row["class"], row["n"]) for row in per_class] == [("dog", 4), ("cat", 2), ("emu", 0)]
    low, high = (round(value, 4) for value in wilson_by_hand(3, 4))
    assert per_class[0]["edited"] == {"accuracy": 0.75, "low": low, "high": high}
    assert list(per_class[0]) == ["class", "n", "pretrained", "edited"]


def test_a_task_with_every_class_present_is_valid_json():
    import json

    task = Task("pets", "Pets", "target", ("dog", "cat"), ("a dog", "a cat"), ("{}",), "made up", "CC0")
    whole = TaskResult(task, "test", "grid", LABELS, np.minimum(PRETRAINED, 1), np.minimum(EDITED, 1))
    assert json.loads(json.dumps(whole.to_dict(), allow_nan=False)) == whole.to_dict()


def test_normalized_accuracy():
    assert normalized_accuracy(0.6, 0.8) == pytest.approx(0.75)
    assert math.isnan(normalized_accuracy(0.6, 0.0))


def test_halves_are_rounded_upwards_everywhere() -> None:
    """The browser rounds so: 66 of 80 is 83 % in the table, so that it must not be 82 % in the sentence above."""
    assert [percent(x) for x in (0, 0.005, 0.824, 66 / 80, 0.835, 1)] == ["0", "1", "82", "83", "84", "100"]
