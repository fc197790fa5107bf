"""What an edit wants of a task, and whether it got it: one word, the same as in web/verdict.js."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ...core.evaluation import CONTROL_KEPT, FORGOTTEN, LEARNED, Accuracy
from ...core.recipe import Recipe
from ...core.tasks import Task

Aim = Literal["hold", "forget", "learn"]


@dataclass(frozen=True)
class Verdict:
    """A word, and its colour: `good` is what was meant, `held` a control that holds, `bad` an unwanted loss."""

    word: str
    state: Literal["good", "held", "bad", "plain"]


def aim_of(task: Task, recipe: Recipe, vector_tasks: Mapping[str, str]) -> Aim:
    """What the recipe wants of a task: the sign of the λ of all vectors that were trained on it. A control holds."""
    total = sum(value for name, value in recipe.coefficients.items() if vector_tasks.get(name) == task.name)
    if task.role == "control" or not round(total, 4):
        return "hold"
    return "learn" if total > 0 else "forget"


def verdict(aim: Aim, role: str, before: float, after: Accuracy, finetuned: float | None) -> Verdict:
    """The verdict on the accuracies before and after. `finetuned` is that of the task's own vector at λ = 1.

    A control is held by what it keeps. Any other task has changed only where `before` lies outside the interval of
    `after`.
    """
    now, fell, rose = after.accuracy, before > after.high, before < after.low
    if role == "control":
        return Verdict("held", "held") if now >= CONTROL_KEPT * before else Verdict("lost", "bad")
    if not fell and not rose:
        return Verdict("≈", "plain")
    if aim == "forget":
        if rose:
            return Verdict("not forgotten", "plain")
        return Verdict("forgotten" if now <= FORGOTTEN * before else "weakened", "good")
    if fell:
        return Verdict("lost", "bad")
    if aim == "learn":
        return Verdict("learned" if finetuned and now >= LEARNED * finetuned else "improved", "good")
    return Verdict("gained", "plain")
