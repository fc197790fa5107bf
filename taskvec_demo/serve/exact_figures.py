"""Exact accuracies of edited weights, measured on the labelled clips of this machine, batch by batch."""

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
from .labelled_clips import NOT_OF_TASK, LabelledSet, left_out_note

CACHE_BYTES = 16 * 2**20  # predictions of 1,500 recipes for 1,000 clips in five tasks
BATCH = 64  # clips between two figures, at most
UNREADABLE = -1  # in place of a class index
FIRST_BATCH = 4  # a full-size tower needs a second for these; further batches are twice as large


@dataclass(frozen=True)
class ExactFigures:
    """The results so far, on `done` of `total` labelled clips, which are balanced over the classes.

    Clips that cannot be read are not counted; `left_out` has the names of those found so far.
    """

    results: list[TaskResult]
    done: int
    total: int
    left_out: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """A sentence on the clips that cannot be read; "" if all can be read."""
        return left_out_note(self.left_out, self.total + len(self.left_out))


class ExactEvaluation:
    """Predictions of both models for the labelled clips. Each is computed once; many threads may call.

    `embed`: log-mel windows (n, 1, frames, mels) -> unit embeddings (n, dim) under weights. `edited` gives the weights
    of a recipe; a recipe without coefficients is the pre-trained model.
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
        """Yield the figures after the first clips, then after each larger batch of at most `batch` clips.

        Closing the iterator stops the work.

        Tasks without clips and clips that cannot be read are left out; if nothing is left, nothing is yielded. Raises
        `BadAudioError` where none can.
        """
        pretrained, total = Recipe(recipe.checkpoint), len(self.labelled)
        before, after = (np.empty((len(self.labelled.tasks), total), np.int64) for _ in range(2))
        try:
            for start, stop in steps(total, batch):
                before[:, start:stop] = self._predictions(pretrained, start, stop)
                after[:, start:stop] = (
                    self._predictions(recipe, start, stop) if recipe.coefficients else before[:, start:stop]
                )
                left_out = tuple(self.labelled.left_out(stop))
                done, of = stop - len(left_out), total - len(left_out)
                yield ExactFigures(self._results(before[:, :stop], after[:, :stop]), done, of, left_out)
        finally:
            release_memory()

    def answered(self, recipe: Recipe, batch: int = BATCH) -> tuple[np.ndarray, np.ndarray]:
        """Class indices (n_tasks, n) of both models for the first n clips: those that `stream` has measured already."""
        found: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        nothing = np.empty((len(self.labelled.tasks), 0), np.int16)
        for start, stop in steps(len(self.labelled), batch):
            pair = [self._answers.peek((r, start, stop)) for r in (Recipe(recipe.checkpoint), recipe)]
            if pair[0] is None or pair[1] is None:
                break
            found[0].append(pair[0])
            found[1].append(pair[1])
        return np.concatenate([nothing, *found[0]], 1), np.concatenate([nothing, *found[1]], 1)

    def _predictions(self, recipe: Recipe, start: int, stop: int) -> np.ndarray:
        """Class indices (n_tasks, stop - start) of clips, UNREADABLE for one that cannot be read.

        Predictions for tasks that a clip does not belong to are not used.
        """

        def predict() -> np.ndarray:
            mel, owners = self.labelled.mel(start, stop)
            found = np.full((len(self.labelled.tasks), stop - start), UNREADABLE, np.int16)
            readable, numbered = torch.unique(owners, return_inverse=True)
            if len(readable):
                embedded = clip_embeddings(self.embed(mel, self.edited(recipe)), numbered)
                logits = (self.heads[name].logits(embedded, 1.0) for name in self.labelled.tasks)
                found[:, readable.numpy()] = np.stack([of_task.argmax(-1).numpy() for of_task in logits])
            return found

        return self._answers.get((recipe, start, stop), predict)

    def _results(self, before: np.ndarray, after: np.ndarray) -> list[TaskResult]:
        results = []
        for row, task in enumerate(self.labelled.tasks.values()):
            labels = self.labelled.classes[row, : before.shape[1]]
            own = (labels != NOT_OF_TASK) & (before[row] != UNREADABLE)
            split = self.labelled.split
            results.append(TaskResult(task, split, "exact", labels[own], before[row, own], after[row, own]))
        return results


def steps(total: int, batch: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of batches that grow from FIRST_BATCH to `batch` clips, the same for every recipe."""
    start, size = 0, min(FIRST_BATCH, batch)
    while start < total:
        stop = min(start + size, total)
        yield start, stop
        start, size = stop, min(2 * size, batch)
