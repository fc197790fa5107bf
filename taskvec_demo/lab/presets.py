"""Recipes worth showing: λ chosen on validation, figures measured once on test."""

from __future__ import annotations

import numpy as np

from ..clap import Checkpoint
from ..edit import apply_recipe
from ..recipe import Recipe
from ..surface import LogitSurface
from ..task_vector import TaskVector
from ..weights import Weights
from ..zero_shot import ZeroShotHead
from .datasets import MelStore
from .measure import compare, embed_tasks
from .vectors import ANALOGY_CLASSES, TASKS, labelled

SIGNIFICANT = 0.05  # McNemar's p above which a preset says that it made no difference
CONTROL, CONTROL_KEPT = "esc10", 0.95  # negation must keep this share of the control's pre-trained accuracy


def _accuracies(surface: LogitSurface) -> np.ndarray:
    """Measured validation accuracy at every measured point (p,)."""
    return (surface.predictions == surface.labels).mean(1)


def _only(surface: LogitSurface, active: set[str]) -> np.ndarray:
    """Points (p,) at which exactly the vectors `active` are on."""
    return ((np.abs(surface.points) > 1e-9) == [v in active for v in surface.vectors]).all(1)


def _coefficients(surface: LogitSurface, point: int) -> dict[str, float]:
    return {v: float(x) for v, x in zip(surface.vectors, surface.points[point], strict=True) if x}


def choose_negation(surfaces: dict[str, LogitSurface], vector: str, task: str) -> tuple[dict[str, float], bool]:
    """The measured λ < 0 with the lowest target accuracy among those that keep the control.

    Returns the coefficients and whether the control holds; where no λ keeps it, the λ that keeps most of it.
    """
    surface, control = surfaces[task], _accuracies(surfaces[CONTROL])
    column = surface.vectors.index(vector)
    usable = np.flatnonzero(_only(surface, {vector}) & (surface.points[:, column] < 0))
    pretrained = control[np.flatnonzero(_only(surface, set()))[0]]
    kept = [p for p in usable if control[p] >= CONTROL_KEPT * pretrained]
    if not kept:
        return _coefficients(surface, int(max(usable, key=lambda p: control[p]))), False
    return _coefficients(surface, int(min(kept, key=lambda p: (_accuracies(surface)[p], -control[p])))), True


def choose_addition(surfaces: dict[str, LogitSurface], vectors: list[str]) -> dict[str, float]:
    """The measured positive λ of `vectors` at which the worst of their tasks keeps most normalized accuracy.

    On validation; the worst and not the mean, so that no task pays for another.
    """
    first = surfaces[vectors[0]]
    usable = np.flatnonzero(_only(first, set(vectors)) & (first.points >= 0).all(1))
    score = np.full(len(first.points), np.inf)
    for task in vectors:
        finetuned = surfaces[task].measured({task: 1.0})
        own = (finetuned == surfaces[task].labels).mean() if finetuned is not None else np.nan
        score = np.minimum(score, _accuracies(surfaces[task]) / own)
    return _coefficients(first, int(max(usable, key=lambda p: score[p])))


def choose_analogy(surfaces: dict[str, LogitSurface]) -> dict[str, float]:
    """The measured λ on the line B + C − A with the best mean of D's recall and overall accuracy on validation."""
    a, b, c = ANALOGY_CLASSES[:3]
    surface = surfaces["analogy"]
    columns = [surface.vectors.index(v) for v in (a, b, c)]
    points = surface.points[:, columns]
    line = (points[:, 1] > 0) & (points[:, 1] == points[:, 2]) & (points[:, 0] == -points[:, 1])
    usable = np.flatnonzero(line & _only(surface, {a, b, c}))
    d = surface.labels == ANALOGY_CLASSES.index(ANALOGY_CLASSES[3])
    recall = (surface.predictions[:, d] == surface.labels[d]).mean(1)
    score = (recall + _accuracies(surface)) / 2
    return _coefficients(surface, int(max(usable, key=lambda p: score[p])))


class TestFigures:
    """Measures recipes on the test clips; the pre-trained embeddings are computed once."""

    __test__ = False  # not a test class, whatever its name

    def __init__(
        self,
        checkpoint: Checkpoint,
        vectors: dict[str, TaskVector],
        heads: dict[str, ZeroShotHead],
        store: MelStore,
        split: str = "test",
    ) -> None:
        self.checkpoint, self.vectors, self.heads, self.store, self.split = checkpoint, vectors, heads, store, split
        self.clips = {task: labelled(store, task, split) for task in TASKS}
        self.pretrained = self._embed(checkpoint.pretrained)

    def _embed(self, weights: Weights) -> dict:
        return embed_tasks(self.checkpoint, self.store, {t: rows for t, (rows, _) in self.clips.items()}, weights)

    def results(self, recipe: Recipe) -> list:
        """One `TaskResult` a task, measured now."""
        edited = self._embed(apply_recipe(self.checkpoint.pretrained, self.vectors, recipe))
        return [
            compare(TASKS[t], self.split, "exact", self.heads[t], labels, self.pretrained[t], edited[t])
            for t, (_, labels) in self.clips.items()
        ]


def presets(surfaces: dict[str, LogitSurface], figures: TestFigures) -> list[dict]:
    """The entries of `tables/presets.json`."""
    entries = []

    def add(name: str, title: str, explanation: str, coefficients: dict[str, float]) -> None:
        recipe = Recipe(figures.checkpoint.name, coefficients)
        test = [r.to_dict() for r in figures.results(recipe)]
        judged = next((r for r in test if r["task"] == name), None)  # a preset named like a task is about that task
        if judged and judged["mcnemar_p"] > SIGNIFICANT:
            explanation += " On the test clips it does not help: the accuracy of the four classes hardly changes."
        entries.append(
            {"name": name, "title": title, "explanation": explanation, "recipe": recipe.to_dict(), "test": test}
        )

    for vector, what in (("urban", "urban sounds"), ("instruments", "instruments")):
        coefficients, holds = choose_negation(surfaces, vector, vector)
        rule = (
            "the λ that forgets most while everyday sounds keep 95 % of their accuracy"
            if holds
            else "no measured λ < 0 keeps 95 % of the accuracy on everyday sounds; this one keeps most"
        )
        add(f"forget_{vector}", f"Forget {what}", f"Negation: {rule}, chosen on validation.", coefficients)
    add(
        "learn_two",
        "Learn urban + instruments",
        "Addition: one λ a vector, chosen on validation so that the worse task keeps most normalized accuracy.",
        choose_addition(surfaces, ["urban", "instruments"]),
    )
    add(
        "learn_three",
        "Learn all three",
        "Addition of urban, instruments and emotion, chosen on validation so that the worst task keeps most.",
        choose_addition(surfaces, ["urban", "instruments", "emotion"]),
    )
    add(
        "analogy",
        "Analogy: a sad man",
        "A happy woman is to a happy man as a sad woman is to a sad man: τ_B + τ_C − τ_A, with no clip of sad men.",
        choose_analogy(surfaces),
    )
    return entries
