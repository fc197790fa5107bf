"""Accuracies that need no model: measured when the artifacts were built, or estimated from that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.evaluation import TaskResult
from ..core.recipe import MEASURED_HIGH, MEASURED_LOW, Recipe
from ..errors import BadRecipeError, shortened
from ..recordings.splits import TEST, VALIDATION
from .artifacts import Artifacts

if TYPE_CHECKING:  # it imports transformers, which takes seconds
    from .unmeasured import UnmeasuredArtifacts


class MeasuredFigures:
    """The figures that the artifacts have of every task under a recipe. No model is needed."""

    def __init__(self, artifacts: Artifacts | UnmeasuredArtifacts) -> None:
        self.artifacts = artifacts

    def validation(self, recipe: Recipe) -> list[TaskResult]:
        """Validation accuracies of every task, control first.

        `grid` where this very recipe was measured, else the surface's `estimate`. A task without a surface, or with one
        that does not know a vector of the recipe, has no accuracy and is left out. Raises `BadRecipeError` outside the
        measured box.
        """
        used = set(recipe.coefficients)
        return [self._result(t, recipe) for t, s in self.artifacts.surfaces.items() if used <= set(s.vectors)]

    def figures(self, recipe: Recipe, split: str) -> list[dict[str, Any]]:
        """The same as JSON, or the test figures.

        Test figures exist only for recipes that were chosen on validation beforehand (the presets); any other, another
        split, or a recipe that no task has an accuracy for, is a `BadRecipeError`.
        """
        if split == VALIDATION:
            results = self.validation(recipe)
            if not results:
                raise BadRecipeError(
                    f"No accuracy was measured or can be estimated for {recipe.formula()}; the app measures it on "
                    "labelled recordings: `python app.py --data DIR`."
                )
            return [result.to_dict() for result in results]
        if split == TEST:
            return self._test_figures(recipe)
        raise BadRecipeError(f"There is no split {shortened(split)!r}; choose one of: {VALIDATION}, {TEST}.")

    def _result(self, task: str, recipe: Recipe) -> TaskResult:
        surface, about = self.artifacts.surfaces[task], self.artifacts.tasks[task]
        before = surface.measured({})
        if before is None:
            raise BadRecipeError(f"The pre-trained model was not measured on task {task!r}; run `build` again.")
        coefficients = dict(recipe.coefficients)
        after = surface.measured(coefficients)
        if after is not None:
            return TaskResult(about, "validation", "grid", surface.labels, before, after)
        if not surface.contains(coefficients):
            raise BadRecipeError(
                f"Accuracies were measured for λ from {MEASURED_LOW:g} to {MEASURED_HIGH:g} only; "
                f"this recipe goes beyond: {recipe.formula()}."
            )
        after = surface.logits(coefficients).argmax(-1)
        errors = (surface.error, surface.class_error)
        return TaskResult(about, "validation", "estimate", surface.labels, before, after, *errors)

    def _test_figures(self, recipe: Recipe) -> list[dict]:
        for preset in self.artifacts.presets.values():
            if preset.recipe.coefficients == recipe.coefficients:
                return list(preset.test)
        names = "; ".join(p.recipe.formula() for p in self.artifacts.presets.values()) or "none here"
        raise BadRecipeError(
            f"Test figures exist only for recipes chosen on validation ({names}); use split 'validation' for this one."
        )
