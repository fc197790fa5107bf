"""The workbench: what the UI, the API and the CLI call. The only stateful object; its state is caches."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .artifacts import Artifacts
from .audio import load_clip, windows
from .clap import Checkpoint
from .edit import apply_recipe
from .errors import BadRecipeError
from .evaluation import TaskResult
from .features import log_mel
from .recipe import MEASURED_HIGH, MEASURED_LOW, Recipe
from .weights import Weights
from .zero_shot import ZeroShotHead, clip_embedding, parse_labels, probabilities

EDITED_CACHE_BYTES = 192 * 2**20  # 16 edits of tiny-CLAP, one of a full-size tower
CLIP_CACHE = 32  # clips; at most 12 windows of 65 kB each
SPLITS = ("validation", "test")


@dataclass(frozen=True)
class Classification:
    """Probabilities of both models over the same labels for one clip; each dictionary sums to 1."""

    pretrained: dict[str, float]
    edited: dict[str, float]
    windows: int
    seconds: float
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON of the API."""
        return {
            "pretrained": self.pretrained,
            "edited": self.edited,
            "windows": self.windows,
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
        }


class Workbench:
    """A checkpoint with its task vectors and measurements. Safe to call from many threads; nothing shared is edited."""

    def __init__(self, artifacts: Artifacts) -> None:
        self.artifacts = artifacts
        self.checkpoint = Checkpoint.from_folder(artifacts.model_folder, artifacts.name)
        self.vectors = artifacts.vectors
        self.tasks = artifacts.tasks
        edit_bytes = 4 * self.checkpoint.pretrained.layout.size
        self._edited = functools.lru_cache(maxsize=max(1, EDITED_CACHE_BYTES // edit_bytes))(self._edit)
        self._clip = functools.lru_cache(maxsize=CLIP_CACHE)(self._embed_clip)
        self._head = functools.lru_cache(maxsize=64)(self._embed_labels)

    @property
    def name(self) -> str:
        return self.artifacts.name

    def check(self, recipe: Recipe) -> Recipe:
        """The recipe itself, if it is one of this checkpoint and names only its vectors; else `BadRecipeError`."""
        if recipe.checkpoint != self.name:
            raise BadRecipeError(f"The recipe is for checkpoint {recipe.checkpoint!r}; this one is {self.name!r}.")
        pinned, ours = recipe.pretrained_sha256, self.checkpoint.pretrained.sha256
        if pinned not in (None, ours):
            raise BadRecipeError(
                f"The recipe is for pre-trained weights {str(pinned)[:12]}; those of {self.name!r} are {ours[:12]}."
            )
        recipe.check_vectors(self.vectors)
        return recipe

    def recipe(self, text: str | dict | None) -> Recipe:
        """A checked recipe from JSON; empty text is the pre-trained model itself."""
        if text is None or text == {} or (isinstance(text, str) and not text.strip()):
            return Recipe(self.name)
        return self.check(Recipe.from_json(text))

    # -- clips ---------------------------------------------------------------------------------------------------

    def classify(self, clip: str | Path, recipe: Recipe, labels: str = "") -> Classification:
        """Classify one recording with the pre-trained and the edited weights.

        `labels`: comma or newline separated, empty for the checkpoint's default set. Raises `BadAudioError`,
        `BadRecipeError` or `BadLabelsError`.
        """
        weights = self._edited(self.check(recipe))
        head = self._head(parse_labels(labels) or self.artifacts.default_labels)
        path = Path(clip)
        digest = _content_hash(path)
        mel, pretrained, seconds, notes = self._clip(path, digest)
        edited = pretrained if weights is self.checkpoint.pretrained else self._embed(mel, weights)
        return Classification(
            self._probabilities(head, pretrained), self._probabilities(head, edited), len(mel), seconds, notes
        )

    def _edit(self, recipe: Recipe) -> Weights:
        if not recipe.coefficients:
            return self.checkpoint.pretrained
        return apply_recipe(self.checkpoint.pretrained, self.vectors, recipe)

    def _embed(self, mel: torch.Tensor, weights: Weights) -> torch.Tensor:
        return clip_embedding(self.checkpoint.embed_audio(mel, weights))

    def _embed_clip(self, path: Path, digest: str) -> tuple[torch.Tensor, torch.Tensor, float, tuple[str, ...]]:
        # `digest` is part of the cache's key: a temporary name may be used again for another recording.
        clip = load_clip(path, self.checkpoint.features.sample_rate)
        mel = log_mel(windows(clip.samples, self.checkpoint.features.n_samples), self.checkpoint.features)
        return mel, self._embed(mel, self.checkpoint.pretrained), clip.seconds, clip.notes

    def _embed_labels(self, labels: tuple[str, ...]) -> ZeroShotHead:
        return ZeroShotHead.from_prompts(self.checkpoint.embed_text, labels, labels, self.artifacts.templates)

    def _probabilities(self, head: ZeroShotHead, embedding: torch.Tensor) -> dict[str, float]:
        return dict(zip(head.labels, probabilities(head.logits(embedding, self.checkpoint.logit_scale)), strict=True))

    # -- accuracies ----------------------------------------------------------------------------------------------

    def evaluate(self, recipe: Recipe) -> list[TaskResult]:
        """Validation accuracies of every task, control first.

        `grid` where this very recipe was measured, else the surface's `estimate`. Raises `BadRecipeError` outside the
        measured box.
        """
        self.check(recipe)
        return [self._result(task, recipe) for task in self.tasks]

    def figures(self, recipe: Recipe, split: str = "validation") -> list[dict[str, Any]]:
        """The JSON of `/evaluate`.

        Test figures exist only for recipes that were chosen on validation beforehand (the presets); any other, or
        another split, is a `BadRecipeError`.
        """
        if split == "validation":
            return [result.to_dict() for result in self.evaluate(recipe)]
        if split == "test":
            return self._test_figures(self.check(recipe))
        raise BadRecipeError(f"There is no split {split!r}; choose one of: {', '.join(SPLITS)}.")

    def _result(self, task: str, recipe: Recipe) -> TaskResult:
        surface = self.artifacts.surfaces[task]
        before = surface.measured({})
        if before is None:
            raise BadRecipeError(f"The pre-trained model was not measured on task {task!r}; run `build` again.")
        coefficients = dict(recipe.coefficients)
        after = surface.measured(coefficients)
        if after is not None:
            return TaskResult(self.tasks[task], "validation", "grid", surface.labels, before, after)
        if not surface.contains(coefficients):
            raise BadRecipeError(
                f"Accuracies were measured for λ from {MEASURED_LOW:g} to {MEASURED_HIGH:g} only; "
                f"this recipe goes beyond: {recipe.formula()}."
            )
        after = surface.logits(coefficients).argmax(-1)
        return TaskResult(self.tasks[task], "validation", "estimate", surface.labels, before, after, surface.error)

    def _test_figures(self, recipe: Recipe) -> list[dict]:
        for preset in self.artifacts.presets.values():
            if preset.recipe.coefficients == recipe.coefficients:
                return list(preset.test)
        names = "; ".join(p.recipe.formula() for p in self.artifacts.presets.values())
        raise BadRecipeError(
            f"Test figures exist only for recipes chosen on validation ({names}); use split 'validation' for this one."
        )

    def curve(self, recipe: Recipe, vector: str, n_points: int = 41) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Estimated validation accuracy of each task along one vector, the others as in `recipe`.

        Returns λ (n_points,) over the measured range and {task: accuracies (n_points,)}.
        """
        axis = np.linspace(MEASURED_LOW, MEASURED_HIGH, n_points)
        curves = {}
        for task, surface in self.artifacts.surfaces.items():
            point = [np.clip(recipe.coefficients.get(v, 0.0), MEASURED_LOW, MEASURED_HIGH) for v in surface.vectors]
            points = np.tile(point, (n_points, 1))
            points[:, surface.vectors.index(vector)] = axis
            curves[task] = (surface.curve(points).argmax(-1) == surface.labels).mean(1)
        return axis, curves

    def measured_along(self, vector: str, task: str) -> tuple[np.ndarray, np.ndarray]:
        """Measured points of a single vector: λ (p,) in order and the validation accuracy there."""
        surface = self.artifacts.surfaces[task]
        column = surface.vectors.index(vector)
        alone = (np.abs(np.delete(surface.points, column, axis=1)) < 1e-9).all(1)
        order = np.argsort(surface.points[alone, column])
        accuracy = (surface.predictions[alone] == surface.labels).mean(1)
        return surface.points[alone, column][order], accuracy[order]

    def describe_vectors(self) -> list[dict[str, Any]]:
        """The JSON of `/vectors`."""
        return [
            {
                "name": v.name,
                "task": v.task,
                "norm": round(v.norm, 4),
                "sha256": v.sha256,
                "pretrained_sha256": v.pretrained_sha256,
                "training": dict(v.metadata).get("training", {}),
                "metrics": dict(v.metadata).get("metrics", {}),
            }
            for v in self.vectors.values()
        ]


def _content_hash(path: Path) -> str:
    """SHA-256 of a file, or of its absence: `load_clip` says what is wrong with a missing one."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
