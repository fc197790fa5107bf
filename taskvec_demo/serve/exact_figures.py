"""Exact accuracies of edited weights on the labelled clips of this machine, growing batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from ..core.evaluation import TaskResult
from ..core.recipe import Recipe
from ..core.weights import Weights
from ..core.zero_shot import ZeroShotHead, clip_embeddings
from .cache import BoundedCache, release_memory
from .labelled_clips import NOT_OF_TASK, LabelledSet

CACHE_BYTES = 16 * 2**20  # predictions of 1,500 recipes for 1,000 clips in five tasks
BATCH = 64  # clips between two figures, at most
FIRST_BATCH = 4  # so that the first figure is there within a second on a full-size tower; then twice as many each time


@dataclass(frozen=True)
class ExactFigures:
    """Results measured so far: `done` of `total` labelled clips, balanced over the classes as far as they go."""

    results: list[TaskResult]
    done: int
    total: int


class ExactEvaluation:
    """Both models' predictions for the labelled clips, each computed once. Safe to call from many threads.

    `embed`: log-mel windows (n, 1, frames, mels) -> unit embeddings (n, dim) under weights. `edited` gives the weights
    of a recipe; one without coefficients is the pre-trained model.
    """

    def __init__(
        self,
        labelled: LabelledSet,
        embed: Callable[[torch.Tensor, Weights], torch.Tensor],
        heads: Mapping[str, ZeroShotHead],
        edited: Callable[[Recipe], Weights],
    ) -> None:
        self.labelled, self.embed, self.heads, self.edited = labelled, embed, heads, edited
        self._answers: BoundedCache[tuple[Recipe, int, int], np.ndarray] = BoundedCache(CACHE_BYTES, lambda a: a.nbytes)

    def stream(self, recipe: Recipe, batch: int = BATCH) -> Iterator[ExactFigures]:
        """Yield the figures after the first clips, then after ever more, at most `batch`. Closing stops the work.

        Tasks without clips are left out, and without any nothing is yielded. Raises `BadAudioError` for a clip that
        cannot be read.
        """
        pretrained, total = Recipe(recipe.checkpoint), len(self.labelled)
        before, after = (np.empty((len(self.labelled.tasks), total), np.int64) for _ in range(2))
        try:
            for start, stop in steps(total, batch):
                before[:, start:stop] = self._predictions(pretrained, start, stop)
                after[:, start:stop] = (
                    self._predictions(recipe, start, stop) if recipe.coefficients else before[:, start:stop]
                )
                yield ExactFigures(self._results(before[:, :stop], after[:, :stop]), stop, total)
        finally:
            release_memory()

    def _predictions(self, recipe: Recipe, start: int, stop: int) -> np.ndarray:
        """Class indices (n_tasks, stop - start) of clips; what they say of a task that a clip is not of is not used."""

        def predict() -> np.ndarray:
            mel, owners = self.labelled.mel(start, stop)
            embedded = clip_embeddings(self.embed(mel, self.edited(recipe)), owners)
            logits = (self.heads[name].logits(embedded, 1.0) for name in self.labelled.tasks)
            return np.stack([of_task.argmax(-1).numpy() for of_task in logits]).astype(np.int16)

        return self._answers.get((recipe, start, stop), predict)

    def _results(self, before: np.ndarray, after: np.ndarray) -> list[TaskResult]:
        results = []
        for row, task in enumerate(self.labelled.tasks.values()):
            labels = self.labelled.classes[row, : before.shape[1]]
            own = labels != NOT_OF_TASK
            split = self.labelled.split
            results.append(TaskResult(task, split, "exact", labels[own], before[row, own], after[row, own]))
        return results


def steps(total: int, batch: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of batches that grow from FIRST_BATCH to `batch` clips. The same for every recipe."""
    start, size = 0, min(FIRST_BATCH, batch)
    while start < total:
        stop = min(start + size, total)
        yield start, stop
        start, size = stop, min(2 * size, batch)
