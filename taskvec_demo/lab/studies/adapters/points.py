"""Measured points: what one way of solving one task costs, and which clips it gets right."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ....clap.model import Checkpoint
from ....core.adapters import Adapter
from ....core.edit import apply_recipe
from ....core.evaluation import Accuracy
from ....core.intervals import Z_95
from ....core.recipe import Recipe
from ....core.task_vector import TaskVector
from ....core.weights import read_safetensors, write_safetensors
from ....core.zero_shot import ZeroShotHead, clip_embeddings
from ....recordings.splits import TEST, VALIDATION
from ...data.datasets import MelStore
from ...data.embedding import embed_rows
from ...finetuning.training_state import fingerprint
from .gates import Measure, Run
from .pruning import counted
from .stages import StageStore
from .tasks import Clips
from .training import answers, right

Kind = Literal["zero-shot", "multi-head", "adapter", "single-task", "vector"]
MEASURED = (VALIDATION, TEST)


@dataclass(frozen=True)
class Point:
    """`parameters` come on top of the pre-trained model, `flops` on top of one pass of the tower for one window.

    `widths` are the open channels of each layer; `right[split]` (n,) bool.
    """

    name: str
    kind: Kind
    measure: Measure
    price: float | None
    parameters: int
    flops: int
    widths: tuple[int, ...]
    right: Mapping[str, np.ndarray]

    def to_dict(self) -> dict[str, Any]:
        """As it is shipped: accuracies, and not which clips are right."""
        return {
            "name": self.name,
            "kind": self.kind,
            "measure": self.measure,
            "price": self.price,
            "parameters": self.parameters,
            "flops": self.flops,
            "widths": list(self.widths),
            **{split: Accuracy.of(self.right[split]).to_dict() for split in MEASURED},
        }


def adapter_point(run: Run, kind: Kind, adapter: Adapter, store: StageStore, clips: Mapping[str, Clips]) -> Point:
    """Costs are counted on the pruned network, and clips are answered by it."""
    spent = counted(adapter)
    given = {split: right(answers(adapter, store, clips[split]), clips[split]).numpy() for split in MEASURED}
    price = run.price if run.measure else None
    return Point(run.name, kind, run.measure, price, spent.parameters, spent.flops, adapter.widths, given)


def zero_shot_point(head: ZeroShotHead, store: StageStore, clips: Mapping[str, Clips]) -> Point:
    """The pre-trained model's own answers: nothing is trained."""
    given = {}
    for split in MEASURED:
        windows = store.split(store.of(clips[split].windows)).embedding
        given[split] = _nearest(clip_embeddings(windows, clips[split].owners), head, clips[split])
    return Point("zero-shot", "zero-shot", "", None, 0, 2 * head.matrix.numel(), (), given)


def vector_point(
    vector: TaskVector,
    head: ZeroShotHead,
    checkpoint: Checkpoint,
    store: MelStore,
    clips: Mapping[str, Clips],
    work: Path,
) -> Point:
    """The task's own vector at λ = 1: the tower itself is another, and costs no operation more.

    Its answers are kept under `work`.
    """
    rows = json.dumps([[(r.dataset, r.file, r.label) for r in clips[split].rows] for split in MEASURED])
    windows = (store.sha256(clips[split].rows) for split in MEASURED)
    tower = (checkpoint.pretrained.sha256, checkpoint.precision, vector.sha256)
    digest = fingerprint([*tower, head.matrix.numpy().tobytes(), rows, *windows])
    file = work / "adapters" / f"vector-{vector.name}-{digest[:12]}.safetensors"
    if not file.is_file():
        recipe = Recipe(checkpoint.name, {vector.name: 1.0})
        weights = apply_recipe(checkpoint.pretrained, {vector.name: vector}, recipe)
        embedded = {split: embed_rows(checkpoint, store, clips[split].rows, weights) for split in MEASURED}
        answered = {split: torch.from_numpy(_nearest(e, head, clips[split])) for split, e in embedded.items()}
        write_safetensors(file, answered, {"format": "1"})
    given = {split: right.numpy() for split, right in read_safetensors(file)[0].items()}
    return Point("vector", "vector", "", None, vector.layout.size, 2 * head.matrix.numel(), (), given)


def _nearest(embeddings: Tensor, head: ZeroShotHead, clips: Clips) -> np.ndarray:
    return right((F.normalize(embeddings, dim=-1) @ head.matrix.T).argmax(-1), clips).numpy()


def mean_difference(points: Sequence[Point], than: Sequence[Point] | None, split: str) -> dict[str, float]:
    """The mean accuracy over tasks with its 95 % interval; with `than`, the mean difference to those points instead.

    The interval is normal, and about other clips of the same tasks. `n` is the number of clips in all tasks.
    """
    values = [p.right[split].astype(float) for p in points]
    if than is not None:
        values = [v - other.right[split] for v, other in zip(values, than, strict=True)]
    mean = float(np.mean([v.mean() for v in values]))
    half = Z_95 * float(np.sqrt(sum(v.var() / len(v) for v in values))) / len(values)
    ends = {"mean": round(mean, 4), "low": round(mean - half, 4), "high": round(mean + half, 4)}
    return ends | {"n": sum(map(len, values))}
