"""Predictions: the class that the edited model gives each labelled clip, measured once and kept on disk."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from tqdm import tqdm

from ...core.edit import apply_recipe
from ...core.recipe import Recipe
from ...core.task_vector import TaskVector
from ...core.weights import read_safetensors, write_safetensors
from ...core.zero_shot import ZeroShotHead
from ..data.datasets import ClipRow
from ..data.embedding import embed_tasks
from ..data.experiment import Experiment
from ..data.study import SOMETHING, Study

Coefficients = Mapping[str, float]
Predictions = dict[str, np.ndarray]
"""Task -> class index of each of its clips (n,), in the order of the files."""


class Predictor(Protocol):
    """A model as the tables see it: its answers on each task's clips of a split, and the true classes.

    `predictions` answers for all tasks of the study, or for some.
    """

    checkpoint_name: str
    study: Study

    def labels(self, split: str) -> Predictions: ...

    def predictions(
        self, split: str, coefficients: Coefficients, tasks: Collection[str] | None = None
    ) -> Predictions: ...


class ModelPredictor:
    """A `Predictor` that runs the edited model.

    With a `folder`, each measurement of a task is one file. Its name is a hash of everything that it depends on:
    pre-trained weights, vectors, λ, precision, head, features, clips and their windows. So nothing is measured twice,
    and no stale answer is used.
    """

    def __init__(self, experiment: Experiment, folder: Path | None = None) -> None:
        self.experiment, self.folder = experiment, folder
        self.study, self.checkpoint, self.store = experiment.study, experiment.checkpoint, experiment.store
        self.checkpoint_name = self.checkpoint.name
        self.vectors = dict(experiment.vectors)
        task = self.study.all_tasks[SOMETHING]
        something = ZeroShotHead.from_prompts(
            self.checkpoint.embed_text, task.class_names, task.prompts, task.templates
        )
        self.heads = {**experiment.heads, SOMETHING: something}
        self._clips: dict[str, dict[str, tuple[list[ClipRow], list[int]]]] = {}
        self._windows: dict[tuple[str, str], str] = {}  # split and task -> hash of its clips' windows

    def adding(self, vectors: Mapping[str, TaskVector]) -> ModelPredictor:
        """The same predictor with more vectors."""
        other = copy.copy(self)
        other.vectors = self.vectors | dict(vectors)
        return other

    def clips(self, split: str) -> dict[str, tuple[list[ClipRow], list[int]]]:
        """Task -> its clips and their class indices."""
        if split not in self._clips:
            self._clips[split] = {task: self.study.labelled(self.store, task, split) for task in self.study.all_tasks}
        return self._clips[split]

    def labels(self, split: str) -> Predictions:
        return {task: np.asarray(labels) for task, (_, labels) in self.clips(split).items()}

    def predictions(self, split: str, coefficients: Coefficients, tasks: Collection[str] | None = None) -> Predictions:
        recipe = Recipe(self.checkpoint.name, coefficients)
        wanted = [t for t in self.study.all_tasks if tasks is None or t in tasks]
        if self.folder is None:
            return self._measure(split, recipe, wanted)
        files = {t: self.folder / f"{self._key(split, recipe, t)}.safetensors" for t in wanted}
        missing = [t for t, path in files.items() if not path.is_file()]
        for task, answers in (self._measure(split, recipe, missing) if missing else {}).items():
            said = {"split": split, "task": task, "recipe": recipe.to_json()}
            write_safetensors(files[task], {"predictions": torch.from_numpy(answers.astype(np.uint8))}, said)
        return {t: read_safetensors(path)[0]["predictions"].numpy().astype(np.int64) for t, path in files.items()}

    def _measure(self, split: str, recipe: Recipe, tasks: Collection[str]) -> Predictions:
        rows = {task: clips for task, (clips, _) in self.clips(split).items() if clips and task in tasks}
        embedded = {}
        if rows:
            weights = apply_recipe(self.checkpoint.pretrained, self.vectors, recipe)
            embedded = embed_tasks(self.checkpoint, self.store, rows, weights)
        nothing = np.zeros(0, np.int64)
        predicted = {task: self.heads[task].logits(e, 1.0).argmax(-1).numpy() for task, e in embedded.items()}
        return {task: predicted.get(task, nothing) for task in tasks}

    def _key(self, split: str, recipe: Recipe, task: str) -> str:
        recipe.check_vectors(self.vectors)
        depends_on = [
            self.checkpoint.pretrained.sha256,
            [(self.vectors[name].sha256, value) for name, value in recipe.coefficients.items()],
            [task, hashlib.sha256(self.heads[task].matrix.numpy().tobytes()).hexdigest()],
            self.checkpoint.precision,
            repr(self.checkpoint.features),
            [(r.dataset, r.file, c) for r, c in zip(*self.clips(split)[task], strict=True)],
            self._windows_sha256(split, task),
        ]
        return hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()[:32]

    def _windows_sha256(self, split: str, task: str) -> str:
        if (split, task) not in self._windows:  # once and not for every recipe
            self._windows[split, task] = self.store.sha256(self.clips(split)[task][0])
        return self._windows[split, task]


def measure(
    predictor: Predictor,
    split: str,
    edits: Iterable[Coefficients],
    what: str,
    tasks: Collection[str] | None = None,
) -> list[Predictions]:
    """Predictions under each edit on all tasks or some, with a progress bar."""
    bar = tqdm(list(edits), desc=f"{what} ({split})", unit="recipe")
    return [predictor.predictions(split, edit, tasks) for edit in bar]
