"""The table of prompts: chosen on validation, measured on test against the checkpoint's own prompts."""

from __future__ import annotations

import numpy as np

from taskvec_demo.core.tasks import Task
from taskvec_demo.lab.measuring.answers import PRETRAINED, AnswerBook
from taskvec_demo.lab.measuring.prompts import TEMPLATES, prompt_table

TASK = Task("t", "T", "target", ("a", "b"), ("a", "b"), ("{}", "x {}"), "", "")


def book(split: str, **right: int) -> AnswerBook:
    """Ten clips, of which each template (t0, t1, … and `own`) has so many right."""
    labels = np.arange(10) % 2
    names = {"own": PRETRAINED, **{f"t{i}": template for i, template in enumerate(TEMPLATES)}}
    answers = {name: np.where(np.arange(10) < right.get(key, 0), labels, 1 - labels) for key, name in names.items()}
    return AnswerBook(
        "c", {"t": labels}, {name: {} for name in answers}, {n: {"t": a} for n, a in answers.items()}, split
    )


def row(validation: dict[str, int], test: dict[str, int]) -> dict:
    books = {"validation": book("validation", **validation), "test": book("test", **test)}
    return prompt_table(books, {"t": TASK})["rows"][0]


def test_the_best_on_validation_is_told_on_test_even_if_another_is_better_there() -> None:
    found = row({"own": 5, "t1": 8, "t2": 7}, {"own": 6, "t1": 4, "t2": 9})
    assert found["best"] == TEMPLATES[1]
    assert found["validation"][TEMPLATES[1]] == 0.8
    assert (found["test"]["pretrained"]["accuracy"], found["test"]["edited"]["accuracy"]) == (0.6, 0.4)
    assert found["test"]["n"] == 10


def test_own_prompts_stay_where_nothing_beats_them() -> None:
    found = row({"own": 8, "t0": 8, "t1": 7}, {"own": 6, "t0": 9})
    assert found["best"] is None
    assert found["test"]["pretrained"] == found["test"]["edited"]
    assert found["test"]["mcnemar_p"] == 1
